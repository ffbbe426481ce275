"""The system's keyring as a place for secrets: entries of the service ``persona``."""

from __future__ import annotations

from persona.errors import ConfigError

SERVICE = "persona"
INSTALL = "Install one (pip install 'persona[encrypt]') and unlock it"
_MAX_NAMES = 100


class KeyringError(ConfigError):
    """There is no keyring, or it cannot be used.

    Args:
        error: what was raised; its text is not shown, since it may be about secrets.
    """

    def __init__(self, error: Exception) -> None:
        self.kind = type(error).__name__
        self.missing = isinstance(error, ImportError) and error.name == "keyring"
        super().__init__(
            f"The system's keyring cannot be used ({self.kind}).",
            hint=f"{INSTALL}, or keep the secret in a variable (env:NAME) or a file (file:PATH).",
        )


def get(name: str) -> str | None:
    """Return what the keyring has under a name, or None.

    Raises:
        KeyringError: there is no keyring, or it cannot be read.
    """
    try:
        import keyring

        found = keyring.get_password(SERVICE, name)
    except Exception as error:  # backends of the desktop raise what their own libraries do
        raise KeyringError(error) from None
    return found or None


def put(name: str, secret: str) -> None:
    """Put a secret into the keyring under a name, whatever is there.

    Raises:
        KeyringError: there is no keyring, or it cannot be written to.
    """
    try:
        import keyring

        keyring.set_password(SERVICE, name, secret)
    except Exception as error:  # as in `get`
        raise KeyringError(error) from None


def keep(base: str, secret: str, before: str | None = None) -> str:
    """Put a secret into the keyring, read it back, and return its name there.

    Args:
        base: the name that it gets, or this with a number, if something else is kept under it.
        secret: the text.
        before: the name that stands where the new one will: what is kept under it may be replaced.

    Raises:
        ConfigError: there is no keyring, or it does not keep what it is given.
    """
    name = _free(base, secret, before)
    put(name, secret)
    if get(name) != secret:
        raise ConfigError(
            "The system's keyring does not keep what it is given.", hint=f"{INSTALL}, or keep the secret elsewhere."
        )
    return name


def _free(base: str, secret: str, before: str | None) -> str:
    for number in range(1, _MAX_NAMES):
        name = base if number == 1 else f"{base}-{number}"
        if name == before or get(name) in (None, secret):
            return name
    raise ConfigError(
        f"The keyring has a hundred entries like {base} of “{SERVICE}”.", hint="Remove those that nothing uses."
    )
