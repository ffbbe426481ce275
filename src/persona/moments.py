"""Times of the wall clock as files and answers hold them: in seconds, and written by anybody."""

from __future__ import annotations

import os
from datetime import UTC, datetime

_FIRST, _LAST = (each.replace(tzinfo=UTC).timestamp() for each in (datetime(1, 1, 2), datetime(9999, 12, 30)))


def moment(seconds: float) -> datetime:
    """Return a time in UTC; one that no date can hold becomes the nearest that can.

    Args:
        seconds: since the beginning of 1970.
    """
    if not _FIRST <= seconds <= _LAST:  # nor is what is no number
        seconds = _LAST if seconds > _LAST else _FIRST
    return datetime.fromtimestamp(seconds, UTC)


def new_id() -> str:
    """Return an id that sorts by time, such as ``20260102-030405-abcd``: of a job, or of what one command kept."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.urandom(2).hex()}"
