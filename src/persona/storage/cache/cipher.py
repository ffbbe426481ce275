"""Encryption of what the cache keeps, by AES-256-GCM: the `Sealing` of `persona.storage.cache.sealing`.

Each piece has a key and a nonce of its own, derived by HKDF from the user's key, a random salt and the context. So no
nonce is ever used twice under one key, however much is kept, and a piece opens in no other context; the contexts bind
chunks to their file, their place in it, and its end. This is what Tink does for streams
(https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming), piece by piece.

::

    version(1)  salt(32)  encrypted  tag(16)
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from persona.config.secret import Secret
from persona.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_VERSION = b"\x01"
_SALT_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = len(_VERSION) + _SALT_BYTES


class Cipher:
    """What seals pieces of content under one key, and opens them again.

    Args:
        key: 32 bytes, as hexadecimal.

    Raises:
        ConfigError: persona[encrypt] is not installed.
    """

    def __init__(self, key: Secret) -> None:
        self._key = key
        try:
            self.key_id = self._derived(b"", b"persona cache key id", 8).hex()
            """The fingerprint of the key, from which it cannot be had."""
        except ImportError as error:
            raise ConfigError(
                "storage.cache.encrypt needs the package cryptography, which is not installed.",
                hint="pip install 'persona[encrypt]'",
            ) from error

    def size(self, size: int) -> int:
        """Return how many bytes so many are when sealed, exactly."""
        return _HEADER_BYTES + size + _TAG_BYTES

    def seal(self, data: bytes, context: str) -> bytes:
        """Seal a piece.

        Args:
            data: the piece.
            context: what it belongs to; it is needed to open it, and not kept with it.
        """
        salt = secrets.token_bytes(_SALT_BYTES)
        cipher, nonce = self._once(salt, context)
        return b"".join((_VERSION, salt, cipher.encrypt(nonce, data, None)))

    def unseal(self, data: bytes, context: str) -> bytes | None:
        """Return what was sealed, or None if that cannot be had: it is damaged, or of another key or context."""
        from cryptography.exceptions import InvalidTag

        if len(data) < _HEADER_BYTES + _TAG_BYTES or not data.startswith(_VERSION):
            return None
        cipher, nonce = self._once(data[len(_VERSION) : _HEADER_BYTES], context)
        try:
            return cipher.decrypt(nonce, memoryview(data)[_HEADER_BYTES:], None)
        except InvalidTag:
            return None

    def _once(self, salt: bytes, context: str) -> tuple[AESGCM, bytes]:
        """Return the cipher and the nonce of one piece."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        derived = self._derived(salt, _VERSION + context.encode(), KEY_BYTES + _NONCE_BYTES)
        return AESGCM(derived[:KEY_BYTES]), derived[KEY_BYTES:]

    def _derived(self, salt: bytes, info: bytes, length: int) -> bytes:
        """Return bytes derived from the key by HKDF: https://www.rfc-editor.org/rfc/rfc5869."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), length, salt, info).derive(bytes.fromhex(self._key.reveal()))
