"""The chain of credentials as it was tried, so that it can be shown: what was not set, what failed, what won."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from persona.errors import CredentialsError, PersonaError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain.

    Args:
        step: where credentials were looked for.
        tried: whether there was something to try: it is set, or it is a service that was asked.
        found: whether it gave credentials.
        detail: what was seen; never a secret.
    """

    step: str
    tried: bool
    found: bool
    detail: str


class ChainError(CredentialsError):
    """No step of the chain gave credentials.

    Args:
        message: what happened.
        hint: the fix that fits.
        chain: the steps as they were tried.
    """

    def __init__(self, message: str, *, hint: str, chain: tuple[Step, ...]) -> None:
        super().__init__(message, hint=hint)
        self.chain = chain


class Found(Protocol):
    """Credentials of any provider that were found."""

    @property
    def source(self) -> str:
        """Which step gave them, for people."""

    @property
    def chain(self) -> tuple[Step, ...]:
        """The steps as they were tried; the last one gave them."""

    def obtain(self) -> datetime | None:
        """Obtain keys or a token that can be used now, and return when these expire, if that is known.

        Raises:
            CredentialsError, UnreachableError: there are none.
        """

    def identify(self) -> str:
        """Return whom the provider takes this for; it may be asked. What could not be found out is said as such."""


class Chain:
    """Takes down steps in the order in which they are tried."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def unset(self, step: str, detail: str = "not set") -> None:
        """Note a step for which nothing is set."""
        self._steps.append(Step(step, tried=False, found=False, detail=detail))

    def failed(self, step: str, detail: str) -> None:
        """Note a step that was tried in vain."""
        self._steps.append(Step(step, tried=True, found=False, detail=detail))

    def won(self, step: str, detail: str) -> tuple[Step, ...]:
        """Note the step that gave credentials, and return the whole chain."""
        self._steps.append(Step(step, tried=True, found=True, detail=detail))
        return tuple(self._steps)

    def error(self, error: CredentialsError, step: str | None = None) -> ChainError:
        """Return the error with the chain, whose last step is the one that it is about."""
        if step is not None:
            self.failed(step, str(error))
        return ChainError(str(error), hint=error.hint, chain=tuple(self._steps))


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out about credentials.

    Args:
        source: which step gave them, or None if none did.
        identity: whom the provider takes them for, or None if they cannot be used.
        expires: when they expire, if that is known.
        chain: the steps as they were tried.
    """

    source: str | None = None
    identity: str | None = None
    expires: datetime | None = None
    chain: tuple[Step, ...] = ()


def spoilt(chain: tuple[Step, ...], error: PersonaError) -> tuple[Step, ...]:
    """Return a chain whose winning step gave nothing that can be used after all."""
    return tuple(replace(step, found=False, detail=str(error)) if step.found else step for step in chain)


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what work returns, if it is done in time; it goes on in a daemon thread, for which nobody waits.

    A vendor's library has time limits for each of several requests, and none for all of them together. What this
    process works meanwhile does not count, up to as much again: to import such a library may take longer than to ask.

    Raises:
        TimeoutError: it is not.
    """
    answers: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((work(), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=run, name="persona-credentials", daemon=True).start()
    begun, worked = time.monotonic(), time.process_time()
    while (left := seconds + min(seconds, time.process_time() - worked) - (time.monotonic() - begun)) > 0:
        with suppress(Empty):
            value, error = answers.get(timeout=left)
            if error is not None:
                raise error
            return value  # type: ignore[return-value]  # without an error it is of the right type
    raise TimeoutError(f"no answer within {seconds:g} s")
