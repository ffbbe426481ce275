"""Reading an object for sure: one version, from the first byte to the last, hashed on the way."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable

from persona.errors import VerificationError
from persona.storage.backend import Digest, Download, StorageBackend, StorageObject
from persona.storage.checksums import Hasher, Hashing, hasher_of


class DamagedError(VerificationError):
    """What was read is not what its provider vouches for.

    Args:
        error: what the storage says.
        final: whether it was read twice already.
    """

    def __init__(self, error: VerificationError, *, final: bool) -> None:
        super().__init__(error.message, hint=error.hint)
        self.final = final


class Reading:
    """One object being read under one version. Breaks and damage are the storage's to mend.

    Args:
        backend: where it is.
        path: the object.
        version: the version; another raises ConflictError.
        moved: is told how many bytes came.
        md5: whether to compute the MD5 beside the SHA-256, which takes twice as long.
        listed: the digest that a listing gave of this version, or None.
    """

    def __init__(
        self,
        backend: StorageBackend,
        path: str,
        version: str | None,
        moved: Callable[[int], None] | None = None,
        *,
        md5: bool = False,
        listed: Digest | None = None,
    ) -> None:
        self._backend = backend
        self._path = path
        self._version = version
        self._moved = moved
        self._wants_md5 = md5
        self._listed = listed
        self._md5: Hasher | None = None
        self._sha256 = hashlib.sha256()
        self._download: Download | None = None
        self.size = 0

    @property
    def md5(self) -> str | None:
        """The MD5 of what was read, in hexadecimal, if it was asked for."""
        return self._md5.hexdigest() if self._md5 else None

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was read, in hexadecimal."""
        return self._sha256.hexdigest()

    async def begin(self) -> StorageObject:
        """Open the object and return its description.

        Raises:
            VerificationError: the provider says of one version that it has two digests.
        """
        self._download = await self._backend.open(self._path, version=self._version)
        found = self._download.object
        if _disagree(self._listed, found.digest) and found.version == self._version:
            await self.close()
            raise VerificationError(f"“{self._path}” is listed with another digest than it is read with.")
        return found

    async def whole(self) -> bytes:
        """Return the content at once; what arrives damaged is read once more.

        Raises:
            DamagedError: it arrives damaged again.
            VerificationError: it is not as long as the provider says.
        """
        download = self._download or await self._begun()
        try:
            data = await download.whole()
        except VerificationError as error:
            raise DamagedError(error, final=True) from error
        hashing = self._hashing(download)
        await hashing.update(data)
        await hashing.done()
        self._count(len(data))
        self._check_size(download)
        return data

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the content.

        Raises:
            DamagedError: it arrives damaged.
            VerificationError: it is not as long as the provider says.
        """
        download = self._download or await self._begun()
        hashing = self._hashing(download)
        try:
            async for chunk in download:
                await hashing.update(chunk)
                self._count(len(chunk))
                yield chunk
        except VerificationError as error:
            raise DamagedError(error, final=False) from error
        await hashing.done()
        await self.close()
        self._check_size(download)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._download is not None:
            await self._download.close()
            self._download = None

    async def _begun(self) -> Download:
        await self.begin()
        assert self._download is not None  # noqa: S101  (for the type checker)
        return self._download

    def _hashing(self, download: Download) -> Hashing:
        """Return what hashes the content: not what the download computes to check itself."""
        own: list[Hasher] = [self._sha256]
        if self._wants_md5:
            self._md5 = download.md5 or hasher_of("md5")
            own += [self._md5] if self._md5 and self._md5 is not download.md5 else []
        return Hashing(*own)

    def _count(self, size: int) -> None:
        self.size += size
        if self._moved is not None:
            self._moved(size)

    def _check_size(self, download: Download) -> None:
        if self.size != download.object.size:
            raise VerificationError(
                f"“{self._path}” has {self.size} bytes, and its provider says {download.object.size}."
            )


def _disagree(one: Digest | None, other: Digest | None) -> bool:
    """Say whether two digests of one kind, both known to the provider, differ."""
    if one is None or other is None or not (one.vouched and other.vouched):
        return False
    return one.algorithm == other.algorithm and one.value != other.value
