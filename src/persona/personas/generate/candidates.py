"""What could be said about a group: every answer, and what several answers of one scale have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from persona.personas.generate.model.exact import hypergeometric_tail
from persona.personas.model import Basis
from persona.personas.survey import scales
from persona.personas.survey.questions import Kind
from persona.personas.survey.survey import Column

MAX_CANDIDATES = 2000
"""The most statements that are tried: enough for hundreds of questions."""
_QUANTILES = (0.25, 0.5, 0.75)
_VAGUE = (
    "other",
    "don't know",
    "don’t know",
    "not sure",
    "prefer not",
    "n/a",
    "none of",
    "no opinion",
    "unsure",
)


def candidates(columns: Sequence[Column]) -> list[Basis]:
    """Return what could be counted over the closed questions.

    Args:
        columns: the questions.
    """
    found = []
    for column in columns:
        if column.question.closed:
            found += list(_of(column))
    return found[:MAX_CANDIDATES]


def _of(column: Column) -> Iterator[Basis]:
    if is_numeric(column):
        yield from _ranges(column)
        return
    for answer in column.question.categories:
        if not answer.lower().startswith(_VAGUE):
            yield Basis(field=column.question.name, answers=[answer])
    seen: set[tuple[str, ...]] = set()
    for several in (*_sides(column), *(_cuts(column) if column.question.kind is Kind.SCALE else ())):
        if 1 < len(several) < len(column.question.categories) and several not in seen:
            seen.add(several)
            yield Basis(field=column.question.name, answers=list(several))


def is_numeric(column: Column) -> bool:
    """Say whether a question is answered in plain numbers."""
    steps = column.question.kind is Kind.SCALE and all(
        scales.number(answer) is not None for answer in column.question.categories
    )
    return steps or column.question.kind is Kind.NUMBER


def _ranges(column: Column) -> Iterator[Basis]:
    """Yield ranges of numbers, bounded by values that occur."""
    values = sorted(v for a in column.answers if a is not None and (v := scales.number(str(a))) is not None)
    different = sorted(set(values))
    steps = different if len(different) <= 11 else [values[int(q * len(values))] for q in _QUANTILES]
    for step in dict.fromkeys(steps):
        if step > different[0]:
            yield Basis(field=column.question.name, at_least=step, at_most=step if step == different[-1] else None)
        if step < different[-1]:
            yield Basis(field=column.question.name, at_most=step, at_least=step if step == different[0] else None)


def _sides(column: Column) -> Iterator[tuple[str, ...]]:
    """Yield all answers that are a yes, and all that are a no.

    It does the same for agreement and the other scales.
    """
    if column.question.kind is Kind.MULTIPLE:
        return
    for side in (1, -1):
        yield tuple(answer for answer in column.question.categories if scales.polarity(answer) == side)
        for family in ("agreement", "frequency", "satisfaction", "quality"):
            yield tuple(
                a for a in column.question.categories if (family, side) in {(p.family, p.side) for p in scales.level(a)}
            )


def _cuts(column: Column) -> Iterator[tuple[str, ...]]:
    """Yield the two or three highest and lowest steps of a scale that is not a yes or no."""
    graded = ("agreement", "satisfaction")  # what its yes and its no have in common says more
    if any(scales.polarity(a) or any(p.family in graded for p in scales.level(a)) for a in column.question.categories):
        return
    for steps in (2, 3):
        if len(column.question.categories) > steps + 1:
            yield column.question.categories[:steps]
            yield column.question.categories[-steps:]


def is_exceptional(count: int, total: int, of: int, out_of: int) -> float:
    """Return how likely chance alone gives a group at least this count: the one-sided hypergeometric test.

    It is exact also for groups of three, where the normal approximation of two proportions is not.

    Args:
        count: those of the group for whom it holds.
        total: those of the group who answered.
        of: those of all for whom it holds.
        out_of: all who answered.
    """
    return float(hypergeometric_tail(count, total, of, out_of))
