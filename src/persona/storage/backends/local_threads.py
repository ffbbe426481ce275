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
