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
MAX_SECONDS = 180.0
"""No new attempt starts later than this many seconds after the first, whatever a Retry-After asks for."""


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
    max_time: float = MAX_SECONDS

    async def run(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Run an operation until it succeeds, fails for good, or the bounds are reached.

        Raises:
            PersonaError: the last error of the operation.
        """
        attempts = self.begin()
        while True:
            try:
                return await operation()
            except PersonaError as error:
                await attempts.pause(error)

    def begin(self) -> Attempts:
        """Start to count attempts, for work that is more than one call."""
        return Attempts(self)

    def pause(self, failures: int, error: PersonaError) -> float:
        """Return the pause after so many failures before this one, in seconds."""
        asked = error.retry_after if isinstance(error, ThrottledError) else None
        drawn = random.uniform(0, min(self.delay * 2**failures, self.max_delay))  # noqa: S311  (no secret)
        return max(asked or 0.0, drawn)


class Attempts:
    """The attempts at one piece of work.

    Args:
        policy: how many there are, and how far apart.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        import asyncio

        self._policy = policy
        self._sleep = asyncio.sleep
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + policy.max_time
        self._failures = 0

    async def pause(self, error: PersonaError) -> None:
        """Wait before the next attempt; raise the error if there is none, because it is final or a bound is reached."""
        policy = self._policy
        seconds = policy.pause(self._failures, error)
        if not error.temporary or self._failures == policy.attempts or self._clock() + seconds > self._deadline:
            raise error
        log.info("%s Trying again in %.1f s.", error, seconds)
        self._failures += 1
        await self._sleep(seconds)
