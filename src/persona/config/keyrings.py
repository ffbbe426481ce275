"""The system's keyring as a place for secrets: entries of the service ``persona``."""

from __future__ import annotations

from types import ModuleType

from persona.errors import ConfigError

SERVICE = "persona"
INSTALL = "Install one (pip install 'persona[encrypt]') and unlock it"
_MAX_NAMES = 100


def get(name: str) -> str | None:
    """Return what the keyring has under a name, or None.

    Raises:
        ConfigError: there is no keyring, or it cannot be read.
    """
    keyring = _library()
    try:
        found = keyring.get_password(SERVICE, name)
    except Exception as error:  # backends of the desktop raise what their own libraries do
        raise _unusable(error) from None
    return found or None


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
    keyring = _library()
    try:
        keyring.set_password(SERVICE, name, secret)
    except Exception as error:  # as in `get`
        raise _unusable(error) from None
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


def _library() -> ModuleType:
    try:
        import keyring
    except ImportError as error:
        raise _unusable(error) from None
    return keyring


def _unusable(error: Exception) -> ConfigError:
    """Say that there is no keyring, without what a backend says: that may be about secrets."""
    return ConfigError(
        f"The system's keyring cannot be used ({type(error).__name__}).",
        hint=f"{INSTALL}, or keep the secret in a variable (env:NAME) or a file (file:PATH).",
    )
