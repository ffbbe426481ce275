"""Blocking work in threads, for the local backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from persona.storage import threads
from persona.storage.backends.local_draft import Draft

T = TypeVar("T")


async def in_thread(
    call: Callable[..., T], *args: Any, draft: Draft | None = None, undo: Callable[[T], None] | None = None
) -> T:
    """Run blocking work in a thread, as `persona.storage.threads.in_thread` does.

    Args:
        call: the work.
        *args: its arguments.
        draft: what must not become visible any more if the task is cancelled.
        undo: what becomes of a result that comes after the task was cancelled.
    """
    return await threads.in_thread(call, *args, cancel=None if draft is None else draft.cancel, undo=undo)


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
