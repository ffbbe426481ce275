"""Streams of bytes: counted, empty."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from persona.errors import VerificationError
from persona.storage.backend import Download, StorageObject


class EmptyDownload(Download):
    """A download of no bytes.

    Args:
        object_: the object that is there.
    """

    def __init__(self, object_: StorageObject) -> None:
        self.object = object_

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield nothing."""
        chunks: tuple[bytes, ...] = ()
        for chunk in chunks:
            yield chunk

    async def close(self) -> None:
        """Do nothing: there is no connection."""


async def counted(chunks: AsyncIterable[bytes], path: str, size: int | None) -> AsyncIterator[bytes]:
    """Yield a stream's chunks, and raise `VerificationError` if it has not as many bytes as were announced."""
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        yield chunk
    if size is not None and total != size:
        raise VerificationError(f"{path} was to have {size} bytes, and {total} came; nothing was written.")
