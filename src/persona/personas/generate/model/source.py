"""What groups are made from: closed answers, free text, or both; each can be shuffled, which leaves no groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from persona.personas.generate.model.axes import AXES, Words, text_axes
from persona.personas.generate.model.items import (
    Block,
    Design,
    Matrix,
    Rows,
    axes_design,
    design,
    shuffled,
    take,
)


class Source(Protocol):
    """Answers of some respondents."""

    def design(self) -> Design:
        """Return the answers as a mixture sees them."""
        ...

    def take(self, rows: Rows) -> Source:
        """Return those of some respondents."""
        ...

    def shuffled(self, random: np.random.Generator) -> Source:
        """Return the same answers dealt out anew, so that nobody's answers have anything to do with one another."""
        ...


@dataclass(frozen=True)
class Closed:
    """Closed questions alone."""

    blocks: Sequence[Block]

    def design(self) -> Design:
        """See `Source`."""
        return design(self.blocks)

    def take(self, rows: Rows) -> Closed:
        """See `Source`."""
        return Closed([take(block, rows) for block in self.blocks])

    def shuffled(self, random: np.random.Generator) -> Closed:
        """See `Source`: each question is permuted among those who answered it."""
        return Closed(shuffled(self.blocks, random))


@dataclass(frozen=True)
class Spoken:
    """Free text alone."""

    words: Words

    def design(self) -> Design:
        """See `Source`."""
        return axes_design(text_axes(self.words))

    def take(self, rows: Rows) -> Spoken:
        """See `Source`."""
        return Spoken(self.words.take(rows))

    def shuffled(self, random: np.random.Generator) -> Spoken:
        """See `Source`: all words are dealt out anew, as many to each respondent as before."""
        return Spoken(self.words.shuffled(random))


@dataclass(frozen=True)
class Both:
    """Too few closed questions to make groups, and free text: each is divided by its first singular value.

    So neither drowns the other (multiple factor analysis, Escofier and Pagès 1990).
    """

    blocks: Sequence[Block]
    words: Words

    def design(self) -> Design:
        """See `Source`."""
        table = design(self.blocks).table
        side_by_side = [_balanced(table - table.mean(axis=0)), _balanced(text_axes(self.words))]
        left, values, _ = np.linalg.svd(np.hstack(side_by_side), full_matrices=False)
        kept = min(AXES, int((values > 1e-9).sum()))
        left = left[:, :kept] * np.where(left[np.abs(left[:, :kept]).argmax(axis=0), range(kept)] < 0, -1.0, 1.0)
        space = np.zeros((len(table), AXES))
        space[:, :kept] = left * values[:kept]
        return axes_design(space)

    def take(self, rows: Rows) -> Both:
        """See `Source`."""
        return Both([take(block, rows) for block in self.blocks], self.words.take(rows))

    def shuffled(self, random: np.random.Generator) -> Both:
        """See `Source`."""
        return Both(shuffled(self.blocks, random), self.words.shuffled(random))


def _balanced(block: Matrix) -> Matrix:
    """Return a block divided by its first singular value."""
    first = float(np.sqrt(np.linalg.eigvalsh(block.T @ block)[-1])) if block.size else 0.0
    return block / first if first > 0 else block
