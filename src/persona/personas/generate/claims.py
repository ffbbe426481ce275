"""What could be said about a group: every answer, and what several answers of one scale have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from persona.personas.survey import scales
from persona.personas.survey.questions import Kind
from persona.personas.survey.survey import Column

MOST = 4_000
"""The most claims that are tried."""
MOST_A_QUESTION = 40
"""The most claims on one question: no column may take all."""
_LEAST_A_QUESTION = 6
_QUANTILES = (0.25, 0.5, 0.75)
_VAGUE = (
    "other", "don't know", "don’t know", "dont know", "not sure", "prefer not", "n/a", "none of", "no opinion",
    "unsure", "no answer", "refused", "not applicable", "weiß nicht", "keine angabe", "ne sait pas", "no sabe",
)  # fmt: skip
_UNTICKED = re.compile(r"(?:not |un)(?:selected|checked|ticked|marked|chosen|mentioned)|no selection", re.IGNORECASE)


class Claim(NamedTuple):
    """Something that holds for a respondent or not; see `persona.personas.model.Basis`."""

    field: str = ""
    answers: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    said: tuple[tuple[str, ...], ...] = ()
    topics: tuple[str, ...] = ()

    @property
    def lowest(self) -> float:
        """The lowest number that it holds for."""
        return -inf if self.at_least is None else self.at_least

    @property
    def highest(self) -> float:
        """The highest number that it holds for."""
        return inf if self.at_most is None else self.at_most

    @property
    def order(self) -> tuple[str, tuple[str, ...], float, float, tuple[tuple[str, ...], ...], tuple[str, ...]]:
        """What claims of one score are sorted by."""
        return self.field, self.answers, self.lowest, self.highest, self.said, self.topics


def claims(columns: Sequence[Column]) -> list[Claim]:
    """Return what could be said of the answers to closed questions.

    Args:
        columns: the closed questions.
    """
    most = max(_LEAST_A_QUESTION, min(MOST_A_QUESTION, MOST // max(1, len(columns))))
    return [claim for column in columns for claim in list(_of(column))[:most]]


def says_something(answer: str) -> bool:
    """Say whether an answer can be stated: no “other”, and no box that was not ticked."""
    return not answer.lower().startswith(_VAGUE) and not _UNTICKED.fullmatch(answer.strip())


def _of(column: Column) -> Iterator[Claim]:
    name, categories = column.question.name, column.question.categories
    if is_numeric(column):
        yield from _ranges(column)
        return
    yield from (Claim(name, (answer,)) for answer in categories if says_something(answer))
    if column.question.kind is Kind.MULTIPLE:
        return
    several = [*_sides(categories), *(_cuts(categories) if column.question.kind is Kind.SCALE else ())]
    yield from (Claim(name, each) for each in dict.fromkeys(several) if 1 < len(each) < len(categories))


def is_numeric(column: Column) -> bool:
    """Say whether a question is answered in plain numbers."""
    steps = column.question.kind is Kind.SCALE and all(
        scales.number(answer) is not None for answer in column.question.categories
    )
    return steps or column.question.kind is Kind.NUMBER


def values(column: Column) -> list[float]:
    """Return all numbers that were answered, in order."""
    counted = ((answer, scales.number(str(answer))) for answer in set(column.answers) if answer is not None)
    known = {answer: value for answer, value in counted if value is not None}
    return sorted(known[answer] for answer in column.answers if answer is not None and answer in known)


def _ranges(column: Column) -> Iterator[Claim]:
    """Yield ranges of numbers, bounded by values that occur."""
    given = values(column)
    different = sorted(set(given))
    steps = different if len(different) <= 11 else [given[int(q * len(given))] for q in _QUANTILES]
    for step in dict.fromkeys(steps):
        if step > different[0]:
            yield Claim(column.question.name, (), step, step if step == different[-1] else None)
        if step < different[-1]:
            yield Claim(column.question.name, (), step if step == different[0] else None, step)


def middle(column: Column) -> list[Claim]:
    """Return the range of the middle half of all numbers, if there are any."""
    given = values(column)
    if column.question.kind is not Kind.NUMBER or not given:
        return []
    return [Claim(column.question.name, (), given[len(given) // 4], given[(3 * len(given) - 1) // 4])]


def bands(column: Column) -> list[Claim]:
    """Return four ranges with about as many respondents each; together they hold all numbers."""
    given = values(column)
    different = sorted(set(given))
    starts = [different[0], *sorted({given[int(q * len(given))] for q in _QUANTILES} - {different[0]})]
    ends = [max(value for value in different if value < start) for start in starts[1:]] + [different[-1]]
    return [Claim(column.question.name, (), low, high) for low, high in zip(starts, ends, strict=True)]


_GRADED = ("agreement", "satisfaction", "agreement, translated", "satisfaction, translated")
"""Families of scales of which what their yes and their no have in common says more than their highest steps."""
_SIDED = (*_GRADED, "frequency", "frequency, translated", "quality")


def _sides(categories: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield all answers that are a yes, and all that are a no; the same for agreement and the other scales."""
    levels = {answer: {(place.family, place.side) for place in scales.level(answer)} for answer in categories}
    for side in (1, -1):
        yield tuple(answer for answer in levels if scales.polarity(answer) == side)
        for family in _SIDED:
            yield tuple(answer for answer, found in levels.items() if (family, side) in found)


def _cuts(categories: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the two or three highest and lowest steps of a scale that is not a yes or no."""
    if any(scales.polarity(a) or any(p.family in _GRADED for p in scales.level(a)) for a in categories):
        return
    for steps in (2, 3):
        if len(categories) > steps + 1:
            yield tuple(categories[:steps])
            yield tuple(categories[-steps:])
