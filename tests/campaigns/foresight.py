"""Held-out answers: how well memberships foresee them, by the product's model and by a plain latent class model.

Both fit the same number of classes to nine tenths of the answers. What a class answers is then counted in the same
way for both, so that only the memberships differ. Items of a grid are foreseen around the respondent's own mean if the
model takes it out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from persona.personas.generate.model.items import Block, Choice, Level, Several, answered, design
from persona.personas.generate.model.mixture import Mixture

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]


def gains(found: list[Block], number: int) -> tuple[float, float]:
    """Return the gain in log-likelihood per held-out answer over one class: the product's model, and a plain one."""
    plain: list[Block] = [_as_choice(block) for block in found]
    gain = np.zeros(2)
    for fold in range(3):
        random = np.random.default_rng(fold)
        size = len(answered(found[0]))
        hidden = [random.random(size) < 0.1 for _ in found]
        shown = [_without(block, out) for block, out in zip(found, hidden, strict=True)]
        for model, seen in enumerate((shown, [_without(b, out) for b, out in zip(plain, hidden, strict=True)])):
            fit = Mixture(design(seen), np.ones((1, size))).fit(number, 10, np.random.default_rng(0), 200)
            several = _foreseen(seen, plain, hidden, fit.membership[0], not model)
            gain[model] += (several - _foreseen(seen, plain, hidden, np.ones((size, 1)), False)) / 3
    return float(gain[0]), float(gain[1])


def _as_choice(block: Block) -> Block:
    """Return a level as a question with unordered answers, at most eleven."""
    if not isinstance(block, Level):
        return block
    steps = design([Level(block.values)]).table
    return Choice(np.where(steps.any(axis=1), steps.argmax(axis=1), -1), steps.shape[1])


def _without(block: Block, hidden: Mask) -> Block:
    if isinstance(block, Choice):
        return Choice(np.where(hidden, -1, block.codes), block.choices)
    if isinstance(block, Several):
        return Several(block.ticked, block.answered & ~hidden)
    return Level(np.where(hidden, np.nan, block.values), block.grid)


def _foreseen(shown: list[Block], answers: list[Block], hidden: list[Mask], membership: Matrix, own: bool) -> float:
    """Return the mean log-likelihood of hidden answers by the memberships."""
    total, count = 0.0, 0
    grids = {block.grid for block in shown if isinstance(block, Level) and block.grid} if own else set()
    means = {grid: _means(shown, grid) for grid in grids}
    for block, answer, out in zip(shown, answers, hidden, strict=True):
        asked = out & answered(answer)
        if not isinstance(answer, Choice) or not asked.any():
            continue
        codes = np.where(out, -1, answer.codes)
        marked = (codes[:, None] == np.arange(answer.choices)).astype(float)
        if isinstance(block, Level) and block.grid in means:
            chance = _around(marked, means[block.grid], membership)
        else:
            everyone = (marked.sum(axis=0) + 0.5) / (marked.sum() + 0.5 * answer.choices)
            counts = membership.T @ marked + 2 * everyone
            chance = membership @ (counts / counts.sum(axis=1, keepdims=True))
        total += float(np.log(chance[asked, answer.codes[asked]]).sum())
        count += int(asked.sum())
    return total / max(1, count)


def _means(blocks: list[Block], grid: int) -> Matrix:
    """Return each respondent's mean in a grid, over what each item has on average."""
    values = np.column_stack([b.values for b in blocks if isinstance(b, Level) and b.grid == grid])
    over = values - np.nanmean(values, axis=0)
    given = ~np.isnan(over)
    return np.asarray(np.where(given, over, 0.0).sum(axis=1) / np.maximum(given.sum(axis=1), 1))


def _around(marked: Matrix, mean: Matrix, membership: Matrix) -> Matrix:
    """Return the chances of the answers to an item of a grid, by class and by fifths of the respondents' means."""
    fifth = np.minimum(mean.argsort(kind="stable").argsort(kind="stable") * 5 // len(mean), 4)
    everyone = (marked.sum(axis=0) + 0.5) / (marked.sum() + 0.5 * marked.shape[1])
    found = np.zeros_like(marked)
    of_class = membership.T @ marked + 2 * everyone
    of_class /= of_class.sum(axis=1, keepdims=True)
    for part in range(5):
        rows = fifth == part
        counts = membership[rows].T @ marked[rows] + 8 * of_class
        found[rows] = membership[rows] @ (counts / counts.sum(axis=1, keepdims=True))
    return found
