"""Waiting for an operation, and for each piece of a download, in a way that can be given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from persona.storage.backend import Download

CLEARING_SECONDS = 0.1


async def cancelled(task: asyncio.Task[Any]) -> None:
    """End a task that is not done; one that clears up for long is left to the end of the event loop."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CLEARING_SECONDS)


class Accompanied(Download):
    """A download each piece of which is waited for as an operation is.

    Args:
        inner: the download.
        accompanied: waits for a piece.
    """

    def __init__(self, inner: Download, accompanied: Callable[[Coroutine[Any, Any, bytes | None]], Any]) -> None:
        self.object = inner.object
        self.md5 = inner.md5
        self._inner = inner
        self._accompanied = accompanied

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the content."""
        pieces = aiter(self._inner)

        async def following() -> bytes | None:
            return await anext(pieces, None)

        while (piece := await self._accompanied(following())) is not None:
            yield piece

    async def whole(self) -> bytes:
        """Return the content at once."""
        data: bytes = await self._accompanied(self._inner.whole())
        self.object = self._inner.object
        return data

    async def close(self) -> None:
        """Close the download."""
        await self._inner.close()
