"""Blocking work in threads, for the local backend."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from persona.storage.backends.local_draft import Draft

T = TypeVar("T")


async def in_thread(
    call: Callable[..., T], *args: Any, draft: Draft | None = None, undo: Callable[[T], None] | None = None
) -> T:
    """Run blocking work in a thread. A cancelled task waits for its end, since it uses open files.

    Args:
        call: the work.
        *args: its arguments.
        draft: what must not become visible any more if the task is cancelled.
        undo: what becomes of a result that comes after the task was cancelled.
    """
    import asyncio

    work = asyncio.get_running_loop().run_in_executor(None, call, *args)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if draft is not None:
            draft.cancelled = True
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        if work.exception() is None and undo is not None:  # what it raised is of no interest any more
            undo(work.result())
        raise


class Patience:
    """Whether a read is done at once, in the event loop's thread, or in another one.

    A file in the system's cache is opened and read in 50 microseconds, and the way to a thread and back takes twice as
    long. A disk that has to turn, or a network's, would keep everything waiting: after a slow read the next ones go to
    threads, and then one is tried again.
    """

    SLOW_SECONDS = 0.02  # a busy machine's own pauses are shorter
    ROUNDS = 64

    def __init__(self) -> None:
        self._left = 0

    def says_quick(self) -> bool:
        """Say whether to read at once."""
        self._left = max(0, self._left - 1)
        return not self._left

    def learn(self, seconds: float) -> None:
        """Take note of how long a read took."""
        if seconds > self.SLOW_SECONDS:
            self._left = self.ROUNDS
