"""The one retry of the program: exponential backoff with full jitter, bounded by attempts and by time."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from persona.errors import PersonaError, ThrottledError

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after what pauses a request is tried again; ``performance.*`` sets it.

    Args:
        attempts: how many times more after the first.
        delay: the longest first pause in seconds; it doubles each time. The pause taken is a random part of it
            ("full jitter": AWS Architecture Blog, "Exponential Backoff and Jitter"), at least what a Retry-After asks.
        max_delay: the longest pause in seconds.
        max_time: no new attempt starts later than this many seconds after the first.
    """

    attempts: int = 3
    delay: float = 1.0
    max_delay: float = 30.0
    max_time: float = 180.0

    async def run(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Run an operation until it succeeds, fails for good, or the bounds are reached.

        Raises:
            PersonaError: the last error of the operation.
        """
        import asyncio

        clock = asyncio.get_running_loop().time
        deadline = clock() + self.max_time
        for attempt in range(self.attempts + 1):
            try:
                return await operation()
            except PersonaError as error:
                pause = self._pause(attempt, error)
                if not error.temporary or attempt == self.attempts or clock() + pause > deadline:
                    raise
                log.info("%s Trying again in %.1f s.", error, pause)
            await asyncio.sleep(pause)
        raise AssertionError("the loop returns or raises")

    def _pause(self, attempt: int, error: PersonaError) -> float:
        """Return the pause before the next attempt, in seconds."""
        asked = error.retry_after if isinstance(error, ThrottledError) else None
        drawn = random.uniform(0, min(self.delay * 2**attempt, self.max_delay))  # noqa: S311  (no secret)
        return max(asked or 0.0, drawn)
