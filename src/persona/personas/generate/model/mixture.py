"""A mixture model by expectation-maximisation, many fits at once.

The classes of a latent class model (Lazarsfeld and Henry 1968; for mixed kinds of answers Hunt and Jorgensen 2003,
“Mixture model clustering for mixed data with missing information”): within a class the questions are independent. The
log-likelihood of a respondent in each class is linear in their row of the design, so that a step for all fits,
starts and classes is two matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from persona.personas.generate.model.items import Design, Matrix, Rows, on_grid
from persona.personas.generate.model.parts import (
    Parameters,
    Sums,
    firsts,
    set_axes,
    set_choices,
    set_levels,
    set_options,
)

_FIRST_STEPS = 6
_TOLERANCE = 1e-4
_MOST_STEPS = 60
_BITS = 20
"""Memberships and log-likelihoods of single answers are kept in parts of 2⁻²⁰: sums over 100,000 people are exact."""


@dataclass(frozen=True)
class Fit:
    """Fits of one number of classes.

    Args:
        membership: fits by respondents by classes, rows add up to 1.
        likelihood: the log-likelihood of each fit over the respondents that it was trained on.
        each: the log-likelihood of every respondent, also of those it was not trained on: fits by respondents.
    """

    membership: Matrix
    likelihood: Matrix
    each: Matrix


class Mixture:
    """Fits a mixture to a design.

    Args:
        design: the answers.
        weights: fits by respondents: 1 trains a fit, 0 does not; a fit for all is one row of ones.
        tables: fits by respondents by columns, if each fit has answers of its own, laid out as those of the design.
    """

    def __init__(self, design: Design, weights: Matrix, tables: Matrix | None = None) -> None:
        self._design = design
        self._tables = design.table[None] if tables is None else tables
        self._weights = weights
        self._of_all = bool((weights == 1).all())
        self._totals = (weights[:, None] @ self._tables)[:, 0]
        self._axes, self._marks = design.spans()[4:]
        self._squares = (weights[:, None] @ self._tables[:, :, self._axes] ** 2)[:, 0]
        self._people = weights.sum(axis=1)

    def fit(self, classes: int, starts: int, random: np.random.Generator, steps: int = _MOST_STEPS) -> Fit:
        """Return the best of some starts of each fit.

        Args:
            classes: how many classes.
            starts: how many starts of each fit.
            random: draws the respondents that the starts begin with.
            steps: the most steps.
        """
        return self.refined(self.started(classes, starts, random, steps), steps)

    def refined(self, found: Parameters, steps: int = _MOST_STEPS) -> Fit:
        """Return fits that go on from one start each, which may be of other respondents; the start is changed."""
        membership, each = self._refine(found, steps)
        each = self._with_axes(each, found, self._tables)
        return Fit(membership.transpose(0, 2, 1), (each * self._weights).sum(axis=1), each)

    def predict(self, classes: int, starts: int, random: np.random.Generator, asked: Design) -> Matrix:
        """Return the log-likelihood of other answers of the same respondents, by the classes that these put them in."""
        found = self.started(classes, starts, random)
        membership, _ = self._refine(found, _MOST_STEPS)
        logs = found.slopes[0] @ asked.table.T
        top = logs.max(axis=0)
        each = np.log((membership[0] * np.exp(logs - top)).sum(axis=0)) + top
        return np.asarray(self._with_axes(each[None], found, asked.table[None])[0])

    def started(self, classes: int, starts: int, random: np.random.Generator, steps: int = _MOST_STEPS) -> Parameters:
        """Return the best of some starts of each fit after a few steps."""
        problem = np.repeat(np.arange(len(self._weights)), starts)
        found = self._begin(classes, problem)
        self._maximise(found, self._seeds(classes, problem, random), problem, first=True)
        membership, each = self._expect(found)
        for _ in range(min(_FIRST_STEPS, steps)):
            self._maximise(found, membership, problem)
            membership, each = self._expect(found)
        likelihood = self._total(each, found, problem).reshape(-1, starts)
        return found.of(likelihood.round(6).argmax(axis=1) + np.arange(len(self._weights)) * starts)

    def _refine(self, found: Parameters, steps: int) -> tuple[Matrix, Matrix]:
        """Go on until nothing gains; return memberships, and the log-likelihoods of respondents."""
        problem = np.arange(len(self._weights))
        membership, each = self._expect(found)
        before = self._total(each, found, problem)
        for _ in range(steps - _FIRST_STEPS):
            self._maximise(found, membership, problem)
            membership, each = self._expect(found)
            after = self._total(each, found, problem)
            done = bool((after - before < _TOLERANCE * self._people).all())
            before = after
            if done:
                break
        return membership, each

    def _begin(self, classes: int, problem: Rows) -> Parameters:
        """Return parameters by which all classes answer as everybody does."""
        starts = len(problem)
        level = self._design.level
        base = self._totals[problem][:, self._design.spans()[1]] + 1e-3
        if len(level):
            base = np.log(base / np.add.reduceat(base, firsts(level), axis=1)[:, level])
        tilt = np.zeros((starts, classes, int(level.max(initial=-1)) + 1))
        slopes = np.zeros((starts, classes, self._tables.shape[2]))
        return Parameters(slopes, np.zeros((starts, classes)), tilt, base)

    def _seeds(self, classes: int, problem: Rows, random: np.random.Generator) -> Matrix:
        """Return memberships of single respondents, far apart as k-means++ draws them.

        They are starts by classes by respondents.
        """
        tables = np.broadcast_to(self._tables, (len(self._weights), *self._tables.shape[1:]))
        squares = (self._tables**2).sum(axis=2)
        squares = np.broadcast_to(squares, self._weights.shape)[problem]
        weights = self._weights[problem]
        nearest = np.ones_like(weights)
        membership = np.zeros((len(problem), classes, weights.shape[1]))
        starts = np.arange(len(problem))
        for each in range(classes):
            chances = np.cumsum(weights * nearest, axis=1)
            drawn = random.random(len(problem)) * chances[:, -1]
            row = np.minimum((chances <= drawn[:, None]).sum(axis=1), weights.shape[1] - 1)
            membership[starts, each, row] = 1.0
            if each == classes - 1:
                break
            near = self._products(tables[problem, row]) * -2 + squares + squares[starts, row][:, None]
            near = np.maximum(near, 0.0).round(9)
            nearest = near if each == 0 else np.minimum(nearest, near)
            nearest[(weights * nearest).sum(axis=1) <= 0] = 1.0
        return membership

    def _products(self, rows: Matrix) -> Matrix:
        """Return each row, one or more a fit, times the table of its fit."""
        fits, columns = len(self._weights), self._tables.shape[2]
        if len(self._tables) == 1:
            return np.asarray(rows @ self._tables[0].T)
        return np.asarray(rows.reshape(fits, -1, columns) @ self._tables.transpose(0, 2, 1)).reshape(len(rows), -1)

    def _maximise(self, found: Parameters, membership: Matrix, problem: Rows, first: bool = False) -> None:
        """Set the parameters to those that explain memberships best, given the prior."""
        starts, classes, rows = membership.shape
        weighted = membership if self._of_all else membership * self._weights[problem][:, None]
        if len(self._tables) == 1:
            counts = weighted.reshape(-1, rows) @ self._tables[0]
        else:
            counts = weighted.reshape(len(self._weights), -1, rows) @ self._tables
        sums = Sums(counts.reshape(starts, classes, -1), self._totals[problem], self._squares[problem])
        set_choices(self._design, sums, found.slopes)
        set_levels(self._design, sums, found)
        set_options(self._design, sums, found.slopes)
        set_axes(self._design, sums, found, first)
        on_grid(found.slopes, _BITS)
        people = np.ones((starts, classes)) if first else weighted.sum(axis=2) + 1
        found.shares = np.log(people / people.sum(axis=1, keepdims=True))

    def _expect(self, found: Parameters) -> tuple[Matrix, Matrix]:
        """Return memberships, starts by classes by respondents, and log-likelihoods but for what axes add."""
        starts, classes, columns = found.slopes.shape
        logs = self._products(found.slopes.reshape(-1, columns)).reshape(starts, classes, -1)
        logs += found.shares[:, :, None]
        top = logs.max(axis=1, keepdims=True)
        logs -= top
        np.exp(logs, out=logs)
        total = logs.sum(axis=1, keepdims=True)
        logs /= total
        return on_grid(logs, _BITS), (top + np.log(total))[:, 0]

    def _total(self, each: Matrix, found: Parameters, problem: Rows) -> Matrix:
        """Return the log-likelihood of each start over its respondents."""
        total = (each * self._weights[problem]).sum(axis=1)
        count = self._totals[problem][:, self._marks].sum(axis=1)
        squares = self._squares[problem].sum(axis=1)
        return np.asarray(total - 0.5 * (count * np.log(2 * np.pi * found.variance) + squares / found.variance))

    def _with_axes(self, each: Matrix, found: Parameters, tables: Matrix) -> Matrix:
        """Return the log-likelihood of each respondent with what axes add whatever the class: fits by respondents."""
        count, squares = tables[:, :, self._marks].sum(axis=2), (tables[:, :, self._axes] ** 2).sum(axis=2)
        variance = found.variance[:, None]
        return np.asarray(each - 0.5 * (count * np.log(2 * np.pi * variance) + squares / variance))
