"""The key of an encrypted cache: from the environment, or from the system's keyring, where the first use makes it."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from persona.config import keyrings
from persona.config.keyrings import SERVICE
from persona.config.secret import Secret
from persona.errors import ConfigError
from persona.locks import LockTimeoutError, locked
from persona.storage.cache.cipher import KEY_BYTES

VARIABLE = "PERSONA_CACHE_KEY"
ACCOUNT = "cache key"
_LOCK_SECONDS = 60.0
"""Longer than a person takes to unlock a keyring that asks for a password."""
_MAKE_ONE = f"Make a key once (openssl rand -base64 32), keep it where you keep secrets, and set {VARIABLE} to it."


def cache_key(environ: Mapping[str, str], folder: Path) -> Secret:
    """Return the key for the cache, as hexadecimal.

    Args:
        environ: the environment; PERSONA_CACHE_KEY in it is 32 bytes as base64 or hexadecimal.
        folder: where to hold a lock while a key is made: the same folder for all processes of this user.

    Raises:
        ConfigError: the key is none, or there is no keyring to have one from. The key is never in the message.
    """
    if given := environ.get(VARIABLE):
        if key := _parsed(given):
            return Secret(key.hex())
        raise ConfigError(f"{VARIABLE} is not 32 bytes as base64 or hexadecimal.", hint=_MAKE_ONE)
    return _from_keyring() or _made(folder)


def _parsed(text: str) -> bytes | None:
    """Return the 32 bytes that a text is, or None."""
    text = text.strip()
    if re.fullmatch(f"[0-9A-Fa-f]{{{2 * KEY_BYTES}}}", text):
        return bytes.fromhex(text)
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _from_keyring() -> Secret | None:
    """Return the key that the keyring has, or None."""
    with _for_the_cache():
        found = keyrings.get(ACCOUNT)
    if not found:
        return None
    if key := _parsed(found):
        return Secret(key.hex())
    raise ConfigError(
        f"What the system's keyring has as “{ACCOUNT}” of “{SERVICE}” is not 32 bytes as base64 or hexadecimal.",
        hint=f"Remove it, and the next command makes a new key: keyring del {SERVICE} '{ACCOUNT}'",
    )


def _made(folder: Path) -> Secret:
    """Make a key, unless another process has just done so, and return what the keyring then has."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / "cache-key.lock", _LOCK_SECONDS):
            return _from_keyring() or _kept(secrets.token_bytes(KEY_BYTES))
    except LockTimeoutError as error:
        raise ConfigError(
            "Another process is taking long to make the cache's key.",
            hint="Unlock the system's keyring, and try again.",
        ) from error
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written to: {error.strerror}.", hint="Set PERSONA_HOME.") from error


def _kept(key: bytes) -> Secret:
    """Give the keyring a key, and return what it then has."""
    with _for_the_cache():
        keyrings.put(ACCOUNT, base64.b64encode(key).decode())
    if found := _from_keyring():
        return found
    raise ConfigError("The system's keyring does not keep what it is given.", hint=_MAKE_ONE)


@contextmanager
def _for_the_cache() -> Iterator[None]:
    """Say of a keyring that cannot be used what wants it, and how to do without."""
    try:
        yield
    except keyrings.KeyringError as error:
        if error.missing:
            raise ConfigError(
                f"storage.cache.encrypt needs the package keyring, which is not installed, or a key in {VARIABLE}.",
                hint=f"pip install 'persona[encrypt]', or do without. {_MAKE_ONE}",
            ) from error
        raise ConfigError(
            f"storage.cache.encrypt is on, and the system's keyring cannot be used ({error.kind}).",
            hint=f"Unlock or install one, or do without. {_MAKE_ONE}",
        ) from error
