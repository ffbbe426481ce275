"""Whether answers hold groups at all, and how many: the tests that a grouping has to pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from persona.personas.generate.model.items import Design, Matrix, Rows
from persona.personas.generate.model.mixture import Mixture
from persona.personas.generate.model.source import Source

CLEAR = 5.0
"""So many standard deviations two classes must gain over shuffled tables."""
REPRODUCIBLE = 0.7
EXPLORATORY = 0.5
NEAR_PEAK = 0.05
STARTS = 10
_START_SAMPLE = 4000
_TABLES = 20
_MOST_CELLS = 2_000_000
_TEST_SAMPLE = 300
_TEST_STARTS = 4
_TEST_STEPS = 14
_SPLITS = 5
_SPLIT_SAMPLE = 1000
_SPLIT_STARTS = 4
_SPLIT_STEPS = 20
_LARGE = 400
_MOST_LOSS = 0.2
_CLEARLY = 2.0
_FAR = 0.25
_IN_A_ROW = 3


def drawn(size: int, most: int, seed: int) -> Rows:
    """Return at most so many of ``size`` respondents, drawn at random, in their order."""
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(seed).permutation(size)[:most])


def separation(source: Source, size: int, seed: int) -> float:
    """Return by how many standard deviations two classes gain more likelihood than on shuffled tables.

    Args:
        source: the answers.
        size: of how many respondents.
        seed: of the sample, if they are many, and of the shuffling.
    """
    sample = source.take(drawn(size, _TEST_SAMPLE, seed))
    chance = [sample.shuffled(np.random.default_rng([seed, each])).design() for each in range(_TABLES)]
    gain, *gains = _gains([sample.design(), *chance], seed)
    return (gain - float(np.mean(gains))) / max(float(np.std(gains, ddof=1)), 1e-6 * max(1.0, abs(gain)))


def _gains(designs: Sequence[Design], seed: int) -> list[float]:
    """Return how much more likely each table of answers is of two classes than of one."""
    rows, columns = designs[0].table.shape
    if not columns:
        return [0.0] * len(designs)
    at_once = max(1, _MOST_CELLS // (rows * columns))
    gains: list[float] = []
    for start in range(0, len(designs), at_once):
        part = designs[start : start + at_once]
        model = Mixture(part[0], np.ones((len(part), rows)), np.stack([each.table for each in part]))
        random = np.random.default_rng(seed)
        two = model.fit(2, _TEST_STARTS, random, _TEST_STEPS).likelihood
        gains += (two - model.fit(1, 1, random, 1).likelihood).tolist()
    return gains


@dataclass(frozen=True)
class Split:
    """What split halves say of one number of groups.

    Args:
        agreement: the adjusted Rand index of the groups that two halves make of everybody, averaged over splits.
        foreseen: the log-likelihood of each respondent by the half that they are not in, averaged over splits; None if
            halves are large, or of free text, whose axes are everybody's.
    """

    agreement: float
    foreseen: Matrix | None


class Halves:
    """Splits respondents into halves, trains on both, and compares how each would group everybody.

    Args:
        design: the answers.
        seed: of the sample, if they are many, and of the splits.
    """

    def __init__(self, design: Design, seed: int) -> None:
        sample = design.take(drawn(len(design.table), _SPLIT_SAMPLE, seed))
        size = len(sample.table)
        half = size // 2
        self._seed = seed
        self._axes = design.axes
        rows = np.empty((2 * _SPLITS, half), dtype=np.intp)
        for split in range(_SPLITS):
            order = np.random.default_rng([seed, split]).permutation(size)
            rows[2 * split], rows[2 * split + 1] = order[:half], order[half : 2 * half]
        self._weights = np.zeros((2 * _SPLITS, size))
        np.put_along_axis(self._weights, rows, 1.0, axis=1)
        self._halves = Mixture(sample, np.ones(rows.shape), sample.table[rows])
        self._everybody = Mixture(sample, self._weights)

    def splits(self, most: int) -> dict[int, Split]:
        """Return what the halves say of two groups and more, until three numbers in a row are far below the best."""
        found: dict[int, Split] = {}
        low = 0
        for number in range(2, most + 1):
            found[number] = self.split(number)
            peak = max(split.agreement for split in found.values())
            low = low + 1 if found[number].agreement < min(EXPLORATORY, peak - _FAR) else 0
            if low == _IN_A_ROW:
                break
        return found

    def split(self, number: int) -> Split:
        """Return what the halves say of a number of groups."""
        random = np.random.default_rng([self._seed, number])
        found = self._halves.started(number, _SPLIT_STARTS, random, _SPLIT_STEPS)
        self._halves.refined(found, _SPLIT_STEPS)
        fit = self._everybody.refined(found, 0)
        labels = fit.membership.argmax(axis=2)
        agreement = [adjusted_rand(*labels[2 * split : 2 * split + 2]) for split in range(_SPLITS)]
        if self._axes or self._weights.shape[1] >= _LARGE:
            return Split(float(np.mean(agreement)), None)
        return Split(
            float(np.mean(agreement)), (fit.each * (1 - self._weights)).sum(axis=0) / (1 - self._weights).sum(axis=0)
        )


def ranked(splits: dict[int, Split]) -> list[int]:
    """Return the numbers of groups, the best first.

    The best is the largest within 0.05 of the peak of agreement (and reproducible, if the peak is); the next is the
    best of the others. From small halves a number is passed over if a larger one is reproducible too, and foresees the
    answers of the half that it was not trained on clearly better: two groups are one only because halves are small.
    """
    remaining = {number: split for number, split in splits.items() if not _is_too_few(number, splits)}
    order = []
    while remaining:
        peak = max(split.agreement for split in remaining.values())
        least = max(peak - NEAR_PEAK, REPRODUCIBLE if peak >= REPRODUCIBLE else 0.0)
        order.append(max(number for number, split in remaining.items() if split.agreement >= min(least, peak)))
        del remaining[order[-1]]
    return order


def _is_too_few(number: int, splits: dict[int, Split]) -> bool:
    this = splits[number]
    for other, split in splits.items():
        if this.foreseen is None or split.foreseen is None or other <= number:
            continue
        if split.agreement >= max(REPRODUCIBLE, this.agreement - _MOST_LOSS):
            better = split.foreseen - this.foreseen
            error = float(better.std()) / len(better) ** 0.5
            if better.mean() > _CLEARLY * max(error, 1e-12):
                return True
    return False


def adjusted_rand(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    """Return how far two groupings agree beyond chance, 1 if they are the same (Hubert and Arabie 1985)."""
    width = int(other.max(initial=0)) + 1
    table = np.bincount(one * width + other, minlength=(int(one.max(initial=0)) + 1) * width).reshape(-1, width)

    def pairs(counts: NDArray[np.intp]) -> float:
        return float((counts * (counts - 1)).sum()) / 2

    both, first, second = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    every = pairs(np.array([len(one)]))
    expected = first * second / every if every else 0.0
    most = (first + second) / 2
    return (both - expected) / (most - expected) if most != expected else 1.0


def memberships(design: Design, number: int, seed: int) -> Matrix:
    """Return how far each respondent belongs to each class of the best of ten fits, rows adding up to 1.

    Of more than 4,000 respondents, the starts are of 4,000.
    """
    size = len(design.table)
    model = Mixture(design, np.ones((1, size)))
    first = model
    if size > _START_SAMPLE:
        first = Mixture(design.take(drawn(size, _START_SAMPLE, seed)), np.ones((1, _START_SAMPLE)))
    begun = first.started(number, STARTS, np.random.default_rng(seed))
    return np.asarray(model.refined(begun, steps=200).membership[0])


def held_out_gain(design: Design, number: int, seed: int) -> float:
    """Return how much better classes predict held-out answers than one class does, in log-likelihood an answer.

    A tenth of the answers is hidden from the fit, and predicted from the other answers of the same respondent.
    """
    sample = design.take(drawn(len(design.table), _SPLIT_SAMPLE, seed))
    random = np.random.default_rng(seed)
    hidden = random.random((len(sample.table), int(sample.item.max(initial=-1)) + 1)) < 0.1
    shown = Mixture(sample.only(~hidden), np.ones((1, len(sample.table))))
    asked = sample.only(hidden)
    found = [shown.predict(classes, STARTS, random, asked) for classes in (number, 1)]
    return float((found[0] - found[1]).sum() / max(1, asked.answers()))


def sizes(labels: NDArray[np.intp], number: int) -> Sequence[int]:
    """Return the size of each class."""
    return [int(size) for size in np.bincount(labels, minlength=number)]
