"""What a running job tells: how far it is, and how long it will take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from persona.transfer.model import Phase, Row

_WINDOW_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase is.

    Args:
        phase: which.
        objects: how many are done, also those of earlier runs of the job.
        total_objects: how many there are.
        bytes: how many bytes of content are done.
        total_bytes: how many there are.
        current: an object that is being worked on.
        speed: bytes a second over the last seconds.
        eta: seconds to go, or None while that cannot be told.
    """

    phase: Phase
    objects: int
    total_objects: int
    bytes: int
    total_bytes: int
    current: str
    speed: float
    eta: float | None


class Watch:
    """Is told what a job does; this one does nothing with it."""

    def phase(self, phase: Phase) -> None:
        """Begin a phase."""

    def inventory(self, objects: int, size: int) -> None:
        """Have listed so many objects of so many bytes."""

    def progress(self, progress: Progress) -> None:
        """Be so far; called several times a second."""

    def objects(self, rows: Sequence[Row]) -> None:
        """Have done a step with these objects, as the journal now has them."""


class Meter:
    """Measures how fast a phase goes.

    Args:
        phase: which.
        objects: how many are done already.
        size: how many bytes of them.
        total_objects: how many there are.
        total_bytes: how many bytes of them.
        clock: seconds.
    """

    def __init__(
        self,
        phase: Phase,
        *,
        objects: int,
        size: int,
        total_objects: int,
        total_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._phase = phase
        self._objects = objects
        self._bytes = size
        self._moving: dict[str, int] = {}
        self._total = total_objects, total_bytes
        self._clock = clock
        self._marks: deque[tuple[float, int, int]] = deque([(clock(), size, objects)])
        self.current = ""

    def moved(self, path: str, size: int) -> None:
        """Count bytes of an object that is on its way."""
        self._moving[path] = self._moving.get(path, 0) + size

    def ended(self, path: str, size: int, *, settled: bool) -> None:
        """Count an object as done, or no longer as on its way if it will be begun anew."""
        self._moving.pop(path, None)
        if settled:
            self._objects += 1
            self._bytes += size

    def read(self) -> Progress:
        """Return how far it is: never further than to the end, though objects grow, and some are copied twice."""
        now = self._clock()
        done = min(self._bytes + sum(self._moving.values()), self._total[1])
        objects = min(self._objects, self._total[0])
        self._marks.append((now, done, objects))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW_SECONDS:
            self._marks.popleft()
        begun, before, objects_before = self._marks[0]
        seconds = max(now - begun, 1e-6)
        speed = max(0.0, (done - before) / seconds)
        left_bytes, left_objects = self._total[1] - done, self._total[0] - objects
        rate = (objects - objects_before) / seconds
        # whichever is the slower way to the end: many small objects, or few large ones
        times = [left / pace for left, pace in ((left_bytes, speed), (left_objects, rate)) if left > 0 and pace > 0]
        eta = 0.0 if not left_objects else max(times, default=None)
        return Progress(self._phase, objects, self._total[0], done, self._total[1], self.current, speed, eta)
