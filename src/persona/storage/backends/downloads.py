"""What is read from a provider: the body of an answer, or a part of one."""

from __future__ import annotations

from collections.abc import AsyncIterator

from persona.storage.backend import Download, StorageObject
from persona.storage.backends.faults import RangeError
from persona.storage.backends.rest import Body


class BodyDownload(Download):
    """The body of an answer.

    Args:
        body: the body.
        object_: the object that it is of.
    """

    def __init__(self, body: Body, object_: StorageObject) -> None:
        self.object = object_
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body's chunks."""
        return self._body.chunks()

    async def close(self) -> None:
        """Let go of the connection."""
        self._body.close()


class Slice(Download):
    """A part of a download, for endpoints that send the whole.

    Args:
        whole: the download.
        start: the first byte wanted.
        length: how many, or None for all that follow.

    Raises:
        RangeError: it starts at or past the end.
    """

    def __init__(self, whole: Download, start: int, length: int | None) -> None:
        self.object = whole.object
        self._whole = whole
        self._start = start
        self._end = whole.object.size if length is None else start + length
        if start >= whole.object.size:
            raise RangeError(f"{start} is past the end.")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks of the part."""
        position = 0
        async for chunk in self._whole:
            if piece := chunk[max(0, self._start - position) : max(0, self._end - position)]:
                yield piece
            position += len(chunk)
            if position >= self._end:
                return

    async def close(self) -> None:
        """Let go of the connection."""
        await self._whole.close()
