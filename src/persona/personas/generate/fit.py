"""How far the respondents of a run fit its personas."""

from __future__ import annotations

from dataclasses import dataclass

from persona.personas.model import Count


@dataclass(frozen=True)
class Interval:
    """How sure the shares of a statement are, if the respondents are a random sample.

    Args:
        text: the statement.
        group: the share of the group.
        group_interval: from and to, at 95 % (Wilson).
        rest: the share of the rest; None if there is none.
        rest_interval: from and to, likewise.
    """

    text: str
    group: float
    group_interval: tuple[float, float]
    rest: float | None
    rest_interval: tuple[float, float] | None


@dataclass(frozen=True)
class Fit:
    """How well one persona fits.

    Args:
        persona: its id.
        statements: how many of its top statements were looked at: three, or fewer if it has no more.
        group: for how many of the group all of them hold, of those who answered all.
        rest: for how many of the rest.
        intervals: one for each statement.
    """

    persona: str
    statements: int
    group: Count
    rest: Count
    intervals: tuple[Interval, ...]
