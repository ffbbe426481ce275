"""Answers as a mixture model sees them: one block of columns a question.

=========  ==========================================================  =====================================
block      columns                                                     distribution in a class
=========  ==========================================================  =====================================
choice     one an answer, 1 for the one that was given                 categorical
level      the same; each has a place on the scale                     everybody's, tilted towards one end
several    one an option, 1 if it was ticked; one that is 1 if the     Bernoulli an option; all of them
           question was answered                                       together weigh as one yes-or-no
axis       where a text lies on an axis; one that is 1 if it says      normal, one variance for all axes and
           something                                                   classes
=========  ==========================================================  =====================================

A gap is 0 in each column, and so adds nothing to a likelihood: answers are missing at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]
LEAST_GRID = 6
"""So many items on one agreement scale are a grid, out of which each respondent's mean is taken."""
MOST_STEPS = 11
"""Numbers and longer scales are cut into so many steps of equally many respondents."""

AXIS_BITS = 14
"""Axes are kept in parts of 2⁻¹⁴."""


def on_grid(values: Matrix, bits: int) -> Matrix:
    """Return numbers rounded to whole parts of 2⁻ᵇⁱᵗˢ, in place.

    Products and sums of such numbers are exact as long as they fit into the 53 bits of a float. So a matrix product is
    the same whatever the order in which a library, a processor or a number of threads adds it up.
    """
    values *= 1 << bits
    np.rint(values, out=values)
    values *= 1.0 / (1 << bits)
    return values


@dataclass(frozen=True)
class Choice:
    """One answer of several; ``codes`` has the number of the answer, -1 for a gap."""

    codes: NDArray[np.int64]
    choices: int


@dataclass(frozen=True)
class Several:
    """Any number of options; ``ticked`` is respondents by options, ``answered`` says who was asked and answered."""

    ticked: Matrix
    answered: NDArray[np.bool_]


@dataclass(frozen=True)
class Level:
    """A place on a scale or a number; NaN is a gap. Items with the same ``grid`` above 0 share an agreement scale."""

    values: Matrix
    grid: int = 0


Block = Choice | Several | Level


def take(block: Block, rows: Rows) -> Block:
    """Return a block of some respondents."""
    if isinstance(block, Choice):
        return replace(block, codes=block.codes[rows])
    if isinstance(block, Several):
        return Several(block.ticked[rows], block.answered[rows])
    return replace(block, values=block.values[rows])


def answered(block: Block) -> NDArray[np.bool_]:
    """Return who answered."""
    if isinstance(block, Choice):
        return np.asarray(block.codes >= 0)
    return block.answered if isinstance(block, Several) else ~np.isnan(block.values)


def shuffled(blocks: Sequence[Block], random: np.random.Generator) -> list[Block]:
    """Return the blocks with the answers to each permuted among those who answered it; gaps stay where they are."""
    found = []
    for block in blocks:
        given = np.flatnonzero(answered(block))
        order = np.arange(len(answered(block)))
        order[given] = random.permutation(given)
        found.append(take(block, order))
    return found


@dataclass(frozen=True)
class Design:
    """All blocks side by side.

    Args:
        table: respondents by columns: choices, steps of levels, options, answered marks of the options' questions,
            axes, marks of the axes.
        choice: the number of the choice question of each of the first columns.
        level: the number of the level of each of the next.
        place: where each of these stands on its scale, as a normal score of those who answered.
        grid: whether each of these is of a grid.
        option: the number of the several-options question of each column of an option.
        weight: of each several-options question.
        axes: how many axes there are.
    """

    table: Matrix
    choice: Rows
    level: Rows
    place: Matrix
    grid: NDArray[np.bool_]
    option: Rows
    weight: Matrix
    axes: int = 0

    def spans(self) -> list[slice]:
        """Return the columns of choices, levels, options, their marks, axes, and their marks."""
        parts = [len(self.choice), len(self.level), len(self.option), len(self.weight), self.axes, self.axes]
        ends = np.cumsum([0, *parts]).tolist()
        return [slice(start, end) for start, end in pairwise(ends)]

    @property
    def item(self) -> Rows:
        """The number of the question of each column."""
        levels = int(self.choice.max(initial=-1)) + 1
        options = levels + int(self.level.max(initial=-1)) + 1
        axes = np.arange(self.axes) + options + len(self.weight)
        marks = np.arange(len(self.weight)) + options
        return np.concatenate([self.choice, self.level + levels, self.option + options, marks, axes, axes])

    def take(self, rows: Rows) -> Design:
        """Return the design of some respondents."""
        return replace(self, table=self.table[rows])

    def only(self, shown: NDArray[np.bool_]) -> Design:
        """Return the design with some answers as gaps; ``shown`` is respondents by questions."""
        return replace(self, table=self.table * shown[:, self.item])

    def answers(self) -> int:
        """Return how many answers there are."""
        spans = self.spans()
        return round(float(sum(self.table[:, spans[part]].sum() for part in (0, 1, 3, 5))))


def design(blocks: Sequence[Block]) -> Design:
    """Return blocks as one table of numbers."""
    choices = [block for block in blocks if isinstance(block, Choice)]
    several = [block for block in blocks if isinstance(block, Several)]
    levels = _levels([block for block in blocks if isinstance(block, Level)])
    steps = [_steps(*level) for level in levels]
    parts = [_marked(block.codes, block.choices) for block in choices]
    parts += [_marked(codes, len(places)) for codes, places in steps]
    parts += [block.ticked * block.answered[:, None] for block in several]
    parts += [block.answered[:, None].astype(np.float64) for block in several]
    rows = len(answered(blocks[0])) if blocks else 0
    return Design(
        np.hstack(parts) if parts else np.zeros((rows, 0)),
        np.repeat(np.arange(len(choices)), [block.choices for block in choices]),
        np.repeat(np.arange(len(steps)), [len(places) for _, places in steps]),
        np.concatenate([places for _, places in steps]) if steps else np.zeros(0),
        np.repeat([of_grid for _, of_grid in levels], [len(places) for _, places in steps]).astype(np.bool_),
        np.repeat(np.arange(len(several)), [block.ticked.shape[1] for block in several]),
        np.array([_weight(block) for block in several]),
    )


def axes_design(space: Matrix) -> Design:
    """Return the axes of free text; a row or a column of zeros says nothing."""
    spoken = (np.abs(space).sum(axis=1, keepdims=True) > 0) & (np.abs(space).sum(axis=0) > 0)
    scale = float(np.sqrt((space[spoken] ** 2).mean())) if spoken.any() else 0.0
    space = on_grid(space / scale if scale > 0 else space, AXIS_BITS)
    table = np.hstack([space, spoken.astype(np.float64)])
    none = np.zeros(0, dtype=np.intp)
    return Design(table, none, none, np.zeros(0), none.astype(np.bool_), none, np.zeros(0), space.shape[1])


def _marked(codes: NDArray[np.int64], choices: int) -> Matrix:
    return np.asarray(codes[:, None] == np.arange(choices), dtype=np.float64)


def _weight(block: Several) -> float:
    """Return what makes a question with several options say no more than one yes-or-no question can."""
    given = max(1, int(block.answered.sum()))
    share = np.clip((block.ticked * block.answered[:, None]).sum(axis=0) / given, 1e-9, 1 - 1e-9)
    entropy = float(-(share * np.log(share) + (1 - share) * np.log(1 - share)).sum())
    return min(1.0, float(np.log(2)) / entropy) if entropy > 0 else 1.0


def _levels(blocks: Sequence[Level]) -> list[tuple[Matrix, bool]]:
    """Return the levels, and whether they are of a grid, out of which respondents' means are taken: an item more."""
    found = [(block.values, False) for block in blocks if not block.grid]
    for grid in sorted({block.grid for block in blocks if block.grid}):
        values = np.column_stack([block.values for block in blocks if block.grid == grid])
        given = ~np.isnan(values)
        count = given.sum(axis=1)
        offset = np.where(given, values, 0.0).sum(axis=0) / np.maximum(given.sum(axis=0), 1)
        centred = np.where(given, values - offset, 0.0)  # an item that few answered shifts nobody's mean
        mean = np.where(count >= LEAST_GRID // 2, centred.sum(axis=1) / np.maximum(count, 1), np.nan)
        found += [(item, True) for item in np.where(given, centred - np.nan_to_num(mean)[:, None], np.nan).T]
        found.append((mean, True))
    return found


def _steps(values: Matrix, cut: bool) -> tuple[NDArray[np.int64], Matrix]:
    """Return the step of each value, -1 for a gap, and the places of the steps: mid-ranks as normal scores."""
    given = ~np.isnan(values)
    _, code, count = np.unique(values[given].round(9), return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - count / 2) / max(1, int(given.sum()))
    if cut or len(count) > MOST_STEPS:
        code = np.minimum((middle * MOST_STEPS).astype(np.int64), MOST_STEPS - 1)[code]
        middle = (np.arange(MOST_STEPS) + 0.5) / MOST_STEPS
    codes = np.full(len(values), -1, dtype=np.int64)
    codes[given] = code
    return codes, _normal_quantile(middle)


def _normal_quantile(share: Matrix) -> Matrix:
    """Return the quantile of the standard normal distribution."""
    from statistics import NormalDist

    normal = NormalDist()
    return np.array([normal.inv_cdf(float(each)) for each in share])
