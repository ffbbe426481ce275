"""Groups against the rest: counts, shares and which differences are more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from persona.personas.generate.answers import Flags
from persona.personas.generate.grouping import Grouping
from persona.personas.generate.model.exact import hypergeometric_tail
from persona.personas.model import Count

FALSE_DISCOVERIES = 0.05
"""The share of false statements that is accepted among all that are made."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """How many answered and for how many something holds, in each group and in all.

    Args:
        held: respondents for whom it holds, one number a group and one for all respondents at the end.
        answered: respondents who answered, likewise.
        held_weight: the sum of the weights of those for whom it holds.
        weight: the sum of the weights of those who answered.
        squares: the sum of the squared weights of those who answered.
    """

    held: Floats
    answered: Floats
    held_weight: Floats
    weight: Floats
    squares: Floats


class Comparison:
    """Counts over the groups of one run.

    Args:
        respondents: how many there are.
        grouping: the groups.
        weights: the survey weight of each respondent; empty if there are none.
    """

    def __init__(self, respondents: int, grouping: Grouping, weights: Sequence[float]) -> None:
        self.sizes = np.array([len(members) for members in grouping.groups], dtype=np.float64)
        self.weighted = bool(weights)
        self._place = np.full(respondents, len(grouping.groups), dtype=np.int64)
        for number, members in enumerate(grouping.groups):
            self._place[members] = number
        self._weights = np.array(weights or np.ones(respondents), dtype=np.float64)

    def tally(self, verdict: tuple[Flags, Flags]) -> Tally:
        """Count for whom something holds."""
        holds, answered = verdict
        held, asked = self._sums(holds, None), self._sums(answered, None)
        if not self.weighted:
            return Tally(held, asked, held, asked, asked)
        weights = self._weights
        return Tally(
            held, asked, self._sums(holds, weights), self._sums(answered, weights), self._sums(answered, weights**2)
        )

    def _sums(self, which: Flags, weights: Floats | None) -> Floats:
        groups = len(self.sizes)
        sums = np.bincount(self._place[which], None if weights is None else weights[which], groups + 1)
        return np.append(sums[:groups], sums.sum()).astype(np.float64)

    def counts(self, tally: Tally, group: int) -> tuple[Count, Count]:
        """Return for how many of a group and of the rest something holds."""
        numbers = (tally.held, tally.answered, tally.held_weight, tally.weight)
        own = self._count(*(float(each[group]) for each in numbers))
        return own, self._count(*(float(each[-1] - each[group]) for each in numbers))

    def of_all(self, tally: Tally) -> Count:
        """Return for how many of all respondents something holds."""
        return self._count(*(float(e[-1]) for e in (tally.held, tally.answered, tally.held_weight, tally.weight)))

    def effective(self, tally: Tally, group: int) -> tuple[float, float]:
        """Return how many respondents of equal weight the group and the rest are worth."""
        own, others = _effective(tally.weight[None], tally.squares[None])
        return float(own[0, group]), float(others[0, group])

    def _count(self, held: float, answered: float, held_weight: float, weight: float) -> Count:
        share = round(min(1.0, max(0.0, held_weight / weight)), 4) if answered and weight > 0 else 0.0
        return Count(count=int(held), total=int(answered), share=share, weighted=self.weighted)


@dataclass(frozen=True)
class Family:
    """Claims that are tested together.

    Args:
        share: the share of each group for which each claim holds, claims by groups.
        rest: the share of all others.
        answered: how many of each group answered.
        others: how many of all others answered.
        held: for how many of each group it holds.
        significant: whether the group's share is higher than the rest's, at the rate of false discoveries.
    """

    share: Floats
    rest: Floats
    answered: Floats
    others: Floats
    held: Floats
    significant: Flags


def compare(tallies: Sequence[Tally], asked: Flags, *, less: bool = False) -> Family:
    """Compare each group with the rest in each claim.

    Args:
        tallies: the claims, at least one.
        asked: which of the pairs are tested, claims by groups.
        less: whether lower shares are looked for instead of higher ones.
    """
    held, answered, held_weight, weight, squares = (
        np.array([getattr(tally, name) for tally in tallies])
        for name in ("held", "answered", "held_weight", "weight", "squares")
    )
    own, others = _share(held_weight, weight), _rest(held_weight, weight)
    size, of = _effective(weight, squares)
    with_it, of_it = np.rint(own * size), np.rint(own * size) + np.rint(others * of)
    lift = others - own if less else own - others
    counts = (size - with_it, size + of - of_it) if less else (with_it, of_it)
    tested = asked & (lift > 0) & (of > 0)
    likelihood = np.ones(own.shape)
    if tested.any():
        numbers = [each[tested].astype(np.int64) for each in (counts[0], size, counts[1], size + of)]
        likelihood[tested] = hypergeometric_tail(*numbers)
    significant = discoveries(likelihood, asked & (of > 0))
    rest = answered[:, -1:] - answered[:, :-1]
    return Family(own, others, answered[:, :-1], rest, held[:, :-1], significant)


def _share(held: Floats, weight: Floats) -> Floats:
    return np.divide(held[:, :-1], weight[:, :-1], out=np.zeros(held[:, :-1].shape), where=weight[:, :-1] > 0)


def _rest(held: Floats, weight: Floats) -> Floats:
    others = weight[:, -1:] - weight[:, :-1]
    return np.divide(held[:, -1:] - held[:, :-1], others, out=np.zeros(others.shape), where=others > 1e-9)


def _effective(weight: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Return how many respondents of equal weight the groups and the rests are worth (Kish 1965)."""
    pairs = ((weight[:, :-1], squares[:, :-1]), (weight[:, -1:] - weight[:, :-1], squares[:, -1:] - squares[:, :-1]))
    own, others = (
        np.rint(np.divide(each**2, square, out=np.zeros(each.shape), where=square > 1e-9)) for each, square in pairs
    )
    return own, others


def discoveries(likelihood: Floats, tested: Flags) -> Flags:
    """Return which tests are discoveries at a false discovery rate of 5 % (Benjamini and Hochberg 1995)."""
    found = np.sort(likelihood[tested])
    below = np.flatnonzero(found <= FALSE_DISCOVERIES * np.arange(1, len(found) + 1) / max(1, len(found)))
    limit = found[below[-1]] if len(below) else -1.0
    return np.asarray(tested & (likelihood <= limit), dtype=np.bool_)


def phi(one: tuple[Flags, Flags], other: tuple[Flags, Flags]) -> float:
    """Return how far two claims repeat each other, over those who answered both: 1 if they are the same."""
    both = one[1] & other[1]
    n = int(both.sum())
    a, b = int((one[0] & both).sum()), int((other[0] & both).sum())
    spread = float(a) * (n - a) * float(b) * (n - b)
    return (n * int((one[0] & other[0] & both).sum()) - a * b) / spread**0.5 if spread > 0 else 0.0


def wilson(share: float, size: float) -> tuple[float, float]:
    """Return the interval in which a share of a population lies in 95 of 100 samples (Wilson 1927).

    Args:
        share: the share of the sample.
        size: how many respondents it is of; with weights how many they are worth.
    """
    if size <= 0:
        return 0.0, 1.0
    z = 1.959964
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * (share * (1 - share) / size + z * z / (4 * size * size)) ** 0.5
    return round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4)
