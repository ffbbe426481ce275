"""Where the steps of a job are done. The engine gives rows in batches and takes them back when they are done.

A cluster would be another class of this interface; the plan, the journal and the report would not change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from persona.storage.background import started
from persona.transfer.model import Row

FLUSH_ROWS = 64
FLUSH_SECONDS = 0.25


class Executor(Protocol):
    """Does one step with each of many rows."""

    async def run(
        self,
        batches: Iterator[Sequence[Row]],
        perform: Callable[[Row], Awaitable[None]],
        done: Callable[[Sequence[Row]], None],
        stop: asyncio.Event,
        grace: float,
    ) -> None:
        """Do a step with every row, in any order.

        Args:
            batches: the rows; a batch is taken when the one before has been handed out.
            perform: the step; changes the row, and raises nothing but what is to end the run.
            done: takes rows back in groups; called in the loop's thread.
            stop: once set, no new row is begun.
            grace: how long rows in flight may then take to end, in seconds; they are cancelled after.
        """


class AsyncioExecutor:
    """Does the steps in this process, so many at once.

    Args:
        concurrency: how many.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency

    async def run(
        self,
        batches: Iterator[Sequence[Row]],
        perform: Callable[[Row], Awaitable[None]],
        done: Callable[[Sequence[Row]], None],
        stop: asyncio.Event,
        grace: float,
    ) -> None:
        """Do a step with every row."""
        rows = (row for batch in batches for row in batch)
        ended: list[Row] = []
        flushed = time.monotonic()

        def flush(least: int = 1) -> None:
            nonlocal ended, flushed
            if len(ended) >= least or (ended and time.monotonic() - flushed > FLUSH_SECONDS):
                group, ended = ended, []
                done(group)
                flushed = time.monotonic()

        async def work() -> None:
            while not stop.is_set() and (row := next(rows, None)) is not None:
                await perform(row)
                ended.append(row)
                flush(FLUSH_ROWS)

        async def flush_now_and_then() -> None:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                flush()

        workers = [started(work()) for _ in range(self._concurrency)]
        ticker = started(flush_now_and_then())
        try:
            await _until_ended(workers, stop, grace)
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
            flush()


async def _until_ended(workers: Sequence[asyncio.Task[None]], stop: asyncio.Event, grace: float) -> None:
    """Wait for workers; after a stop only as long as the grace allows. The first error ends them all, and is raised."""
    stopped = started(stop.wait())
    try:
        pending: set[asyncio.Task[None]] = set(workers)
        while pending and not stop.is_set():
            finished, _ = await asyncio.wait({*pending, stopped}, return_when=asyncio.FIRST_COMPLETED)
            pending -= finished
            if any(task.exception() for task in finished if task is not stopped and not task.cancelled()):
                break
        else:
            if pending:
                _, pending = await asyncio.wait(pending, timeout=grace)
    finally:
        stopped.cancel()
        for task in workers:
            task.cancel()
        results = await asyncio.gather(*workers, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
