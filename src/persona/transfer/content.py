"""Reading an object for sure: one version, from the first byte to the last, hashed on the way."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable

from persona.errors import PersonaError, ThrottledError, VerificationError
from persona.storage.backend import Download, StorageBackend, StorageObject

_IN_THREAD_BYTES = 256 << 10
_REOPENINGS = 8
_PAUSE_SECONDS = 0.5


class Reading:
    """One object being read under one version; a connection that breaks off is opened again where it broke.

    Args:
        backend: where it is.
        path: the object.
        version: the version; another raises ConflictError.
        moved: is told how many bytes came.
        md5: whether to compute the MD5 beside the SHA-256, which takes twice as long.
    """

    def __init__(
        self,
        backend: StorageBackend,
        path: str,
        version: str | None,
        moved: Callable[[int], None] | None = None,
        *,
        md5: bool = False,
    ) -> None:
        self._backend = backend
        self._path = path
        self._version = version
        self._moved = moved
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._sha256 = hashlib.sha256()
        self._hashing: asyncio.Future[None] | None = None
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
        """Open the object and return its description."""
        self._download = await self._backend.open(self._path, version=self._version)
        self._version = self._download.object.version
        return self._download.object

    async def whole(self) -> bytes:
        """Return the content at once."""
        parts = [chunk async for chunk in self.chunks()]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the content.

        Raises:
            VerificationError: it is not as long as the provider says.
        """
        expected = (self._download.object if self._download else await self.begin()).size
        failures = 0
        while True:
            try:
                async for chunk in self._opened():
                    await self._count(chunk)
                    failures = 0
                    yield chunk
            except PersonaError as error:
                failures += 1
                if not error.temporary or failures > _REOPENINGS:
                    raise
                await self.close()
                await asyncio.sleep(_pause(error, failures))
                self._download = await self._backend.open(self._path, start=self.size, version=self._version)
            else:
                break
        await self._hashed()
        await self.close()
        if self.size != expected:
            raise VerificationError(f"“{self._path}” has {self.size} bytes, and its provider says {expected}.")

    async def close(self) -> None:
        """Let go of the connection."""
        if self._download is not None:
            await self._download.close()
            self._download = None

    def _opened(self) -> Download:
        assert self._download is not None  # noqa: S101  (for the type checker)
        return self._download

    async def _count(self, chunk: bytes) -> None:
        """Count a chunk, and hash it: a large one in a thread, while the next is read."""
        await self._hashed()
        if len(chunk) < _IN_THREAD_BYTES:
            self._update(chunk)
        else:
            self._hashing = asyncio.get_running_loop().run_in_executor(None, self._update, chunk)
        self.size += len(chunk)
        if self._moved is not None:
            self._moved(len(chunk))

    async def _hashed(self) -> None:
        if self._hashing is not None:
            await self._hashing
            self._hashing = None

    def _update(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        if self._md5 is not None:
            self._md5.update(chunk)


def _pause(error: PersonaError, failures: int) -> float:
    asked = error.retry_after if isinstance(error, ThrottledError) else None
    return max(asked or 0.0, random.uniform(0, _PAUSE_SECONDS * 2**failures))  # noqa: S311  (no secret)
