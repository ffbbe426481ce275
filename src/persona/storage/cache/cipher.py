"""Encryption of what the cache keeps: AES-256-GCM in chunks, each bound to its place in one content.

The construction is Tink's AES-GCM-HKDF-STREAMING, an instance of STREAM by Hoang, Reyhanitabar, Rogaway and Vizár:
https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming, https://eprint.iacr.org/2015/189. Each content
has a key of its own, derived from the user's, a random salt and the context, so that no nonce is ever used twice
under one key however much is kept; a nonce is a random prefix, the chunk's number, and whether it is the last. A chunk
that is changed, left out, moved, or taken from another content or context is noticed.

::

    "PERSONA" version(1)  salt(32)  prefix(7)  chunk tag(16)  chunk tag(16) …

All chunks but the last have `CHUNK_BYTES`, so a range can be read without what is before it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from persona.config.secret import Secret
from persona.errors import ConfigError, VerificationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
CHUNK_BYTES = 1 << 20
_MAGIC = b"PERSONA\x01"
_SALT = KEY_BYTES
_PREFIX = 7
HEADER_BYTES = len(_MAGIC) + _SALT + _PREFIX
_TAG = 16
_SEALED_CHUNK = CHUNK_BYTES + _TAG
ReadAt = Callable[[int, int], bytes]
"""Returns so many bytes from this place on, given first; fewer only at the end."""


class Cipher:
    """What seals content under one key, and opens it again.

    Args:
        key: 32 bytes, as hexadecimal.

    Raises:
        ConfigError: persona[encrypt] is not installed.
    """

    def __init__(self, key: Secret) -> None:
        try:
            import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                "storage.cache.encrypt needs the package cryptography, which is not installed.",
                hint="pip install 'persona[encrypt]'",
            ) from error
        self._key = key
        self.key_id = _derived(key, b"", b"persona cache key id")[:8].hex()
        """The fingerprint of the key, from which it cannot be had."""

    def size(self, size: int) -> int:
        """Return how many bytes so many are when sealed, exactly."""
        return HEADER_BYTES + size + _TAG * _chunks(size)

    def seal(self, data: bytes, context: str) -> bytes:
        """Seal content.

        Args:
            data: the content.
            context: what it belongs to; it is needed to open it, and not kept with it.
        """
        sealer = self.sealer(context)
        return sealer.feed(data) + sealer.finish()

    def unseal(self, data: bytes, context: str) -> bytes | None:
        """Return what was sealed, or None if that cannot be had: it is damaged, or of another key or context."""
        try:
            return b"".join(self.opened(lambda at, count: data[at : at + count], len(data), context).read())
        except VerificationError:
            return None

    def sealer(self, context: str) -> Sealer:
        """Begin to seal content that comes piece by piece."""
        return Sealer(self._key, context)

    def opened(self, read: ReadAt, size: int, context: str) -> Opened:
        """Open sealed content from a file, of which any range can then be read.

        Args:
            read: reads the file.
            size: the file's size, in bytes.
            context: what it was sealed with.

        Raises:
            VerificationError: it is no sealed content.
        """
        return Opened(self._key, read, size, context)


class Sealer:
    """Content being sealed: feed it all, then finish.

    Args:
        key: the user's key.
        context: what the content belongs to.
    """

    def __init__(self, key: Secret, context: str) -> None:
        salt = secrets.token_bytes(_SALT)
        self._prefix = secrets.token_bytes(_PREFIX)
        self._aes = _content_cipher(key, salt, context)
        self._number = 0
        self._waiting = b""
        self._out = [_MAGIC + salt + self._prefix]

    def feed(self, data: bytes) -> bytes:
        """Take more of the content, and return what is sealed of it by now."""
        given = memoryview(self._waiting + data)
        while len(given) > CHUNK_BYTES:  # a full one may be the last, which is sealed otherwise
            self._seal(given[:CHUNK_BYTES], last=False)
            given = given[CHUNK_BYTES:]
        self._waiting = bytes(given)
        return self._taken()

    def finish(self) -> bytes:
        """Return the rest. Without it, nothing of the content can be opened as a whole."""
        self._seal(self._waiting, last=True)
        return self._taken()

    def _seal(self, chunk: bytes | memoryview, *, last: bool) -> None:
        self._out.append(self._aes.encrypt(_nonce(self._prefix, self._number, last=last), chunk, None))
        self._number += 1

    def _taken(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)


class Opened:
    """Sealed content that has been opened, to be read in whole or in part.

    Each chunk is checked before it is given out; that the content is as long as it was sealed, with its last chunk.

    Args:
        key: the user's key.
        read: reads the file.
        size: the file's size, in bytes.
        context: what the content was sealed with.

    Raises:
        VerificationError: it is no sealed content.
    """

    def __init__(self, key: Secret, read: ReadAt, size: int, context: str) -> None:
        header = read(0, HEADER_BYTES)
        count = max(1, -(-(size - HEADER_BYTES) // _SEALED_CHUNK))
        self.size = size - HEADER_BYTES - count * _TAG
        """The content's size, in bytes."""
        if not header.startswith(_MAGIC) or self.size < 0 or _chunks(self.size) != count:
            raise VerificationError("This is no content that was sealed for the cache.")
        salt, self._prefix = header[len(_MAGIC) : -_PREFIX], header[-_PREFIX:]
        self._aes = _content_cipher(key, salt, context)
        self._read = read
        self._count = count

    def read(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the content, or a part of it, in chunks of at most a MiB.

        Args:
            start: the first byte wanted.
            length: how many bytes at most; None for all that follow.

        Raises:
            VerificationError: it is damaged, cut short, or of another key or context.
        """
        end = self.size if length is None else min(self.size, start + length)
        first = min(start // CHUNK_BYTES, self._count - 1)
        for number in range(first, max(first + 1, _chunks(end))):
            at = number * CHUNK_BYTES
            if wanted := self._chunk(number)[max(0, start - at) : max(0, end - at)]:
                yield wanted

    def _chunk(self, number: int) -> bytes:
        from cryptography.exceptions import InvalidTag

        sealed = self._read(HEADER_BYTES + number * _SEALED_CHUNK, _SEALED_CHUNK)
        try:
            return self._aes.decrypt(_nonce(self._prefix, number, last=number == self._count - 1), sealed, None)
        except (InvalidTag, ValueError) as error:
            raise VerificationError("What the cache keeps is damaged, or was sealed under another key.") from error


def _chunks(size: int) -> int:
    """Return how many chunks content has: at least one, which may be empty."""
    return max(1, -(-size // CHUNK_BYTES))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _content_cipher(key: Secret, salt: bytes, context: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_derived(key, salt, _MAGIC + context.encode()))


def _derived(key: Secret, salt: bytes, info: bytes) -> bytes:
    """Return a key derived by HKDF: https://www.rfc-editor.org/rfc/rfc5869."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt, info).derive(bytes.fromhex(key.reveal()))
