"""Blocking work in threads that is never left alone with what it uses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(
    call: Callable[..., T],
    *args: Any,
    cancel: Callable[[], None] | None = None,
    undo: Callable[[T], None] | None = None,
) -> T:
    """Run blocking work in a thread. A cancelled task waits for its end, since it uses open files.

    Args:
        call: the work.
        *args: its arguments.
        cancel: called when the task is cancelled, so that the work ends without an effect if it still can.
        undo: what becomes of a result that comes after the task was cancelled.
    """
    import asyncio

    work = asyncio.get_running_loop().run_in_executor(None, call, *args)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if cancel is not None:
            cancel()
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        if work.exception() is None and undo is not None:  # what it raised is of no interest any more
            undo(work.result())
        raise
