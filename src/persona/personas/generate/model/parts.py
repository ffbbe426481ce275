"""What each kind of question adds to a mixture: from weighted counts in the classes to log-likelihoods of answers.

Each part sets its own columns of the slopes (starts by classes by columns): what a 1 in that column adds to the
log-likelihood of a respondent in that class.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from persona.personas.generate.model.items import Design, Matrix, Rows

PRIOR = 8.0
"""How many respondents who choose as everybody does are added to each class: a Dirichlet prior."""
LEVEL_PRIOR = 2.0
"""The same for levels and axes."""
STEP_PRIOR = 100.0
"""How many respondents who answer as the tilted distribution says are added to each class."""
LEAST_VARIANCE = 0.15
"""The least variance of an axis within a class, in parts of its variance over everybody."""
_NEWTON_STEPS = 2
_STEEPEST = 6.0


@dataclass
class Sums:
    """Counts of some starts.

    Args:
        classes: starts by classes by columns.
        everyone: starts by columns, over all respondents that a start is trained on.
        squares: the squares of axes, starts by axes.
    """

    classes: Matrix
    everyone: Matrix
    squares: Matrix


@dataclass
class Parameters:
    """What some starts have found.

    Args:
        slopes: starts by classes by columns.
        shares: the logarithms of the classes' shares, starts by classes.
        tilt: of each level, starts by classes by levels.
        base: the logarithm of what each level's distribution is tilted from, starts by columns of levels.
        variance: of the axes, one a start.
    """

    slopes: Matrix
    shares: Matrix
    tilt: Matrix
    base: Matrix
    variance: Matrix = field(default_factory=lambda: np.zeros(0))

    def of(self, starts: Rows) -> Parameters:
        """Return those of some starts."""
        return Parameters(
            self.slopes[starts], self.shares[starts], self.tilt[starts], self.base[starts], self.variance[starts]
        )


def firsts(question: Rows) -> Rows:
    """Return the first column of each question."""
    return np.flatnonzero(np.diff(question, prepend=-1))


def set_choices(design: Design, sums: Sums, slopes: Matrix) -> None:
    """Set the log-probabilities of choices."""
    span, question = design.spans()[0], design.choice
    if not len(question):
        return
    first = firsts(question)
    everyone = sums.everyone[:, span] + 1e-3
    everyone = everyone / np.add.reduceat(everyone, first, axis=1).take(question, axis=1)
    counts = sums.classes[:, :, span]
    given = np.add.reduceat(counts, first, axis=2).take(question, axis=2)
    slopes[:, :, span] = np.log((counts + PRIOR * everyone[:, None]) / (given + PRIOR))


def set_levels(design: Design, sums: Sums, found: Parameters) -> None:
    """Set the log-probabilities of levels: a base that all classes share, tilted to have the class's mean.

    The classes have p(step) ∝ base(step) · exp(tilt · place). The base is what makes the classes together answer as
    everybody does (the density ratio model, Qin and Lawless 1994), so that a skewed or two-peaked scale alone makes
    no classes, which normal distributions would.
    """
    span, question, place = design.spans()[1], design.level, design.place
    if not len(question):
        return
    first = firsts(question)
    counts, everyone = sums.classes[:, :, span], sums.everyone[:, span]
    given = np.add.reduceat(counts, first, axis=2)
    wanted = np.add.reduceat(counts * place, first, axis=2) / (given + LEVEL_PRIOR)
    for _ in range(_NEWTON_STEPS):
        chance, _ = _tilted(found, first, question, place)
        mean = np.add.reduceat(chance * place, first, axis=2)
        spread = np.add.reduceat(chance * place**2, first, axis=2) - mean**2
        step = np.clip((wanted - mean) / np.maximum(spread, 0.05), -1.0, 1.0)
        found.tilt = np.clip(found.tilt + step, -_STEEPEST, _STEEPEST)
    _, log_total = _tilted(found, first, question, place)
    ratio = np.exp(found.tilt.take(question, axis=2) * place - log_total.take(question, axis=2))
    mixed = ((given + LEVEL_PRIOR).take(question, axis=2) * ratio).sum(axis=1)
    base = (everyone + 1e-3) / mixed
    base = base / np.add.reduceat(base, first, axis=1).take(question, axis=1)
    found.base = np.log(base)
    chance, _ = _tilted(found, first, question, place)
    free = (counts + STEP_PRIOR * chance) / (given + STEP_PRIOR).take(question, axis=2)
    found.slopes[:, :, span] = np.log(np.where(design.grid, chance, free))


def _tilted(found: Parameters, first: Rows, question: Rows, place: Matrix) -> tuple[Matrix, Matrix]:
    """Return the chances of the steps, and the logarithms of what they are divided by."""
    weights = np.exp(found.base[:, None] + found.tilt.take(question, axis=2) * place)
    total = np.add.reduceat(weights, first, axis=2)
    return weights / total.take(question, axis=2), np.log(total)


def set_options(design: Design, sums: Sums, slopes: Matrix) -> None:
    """Set what ticking an option adds, and what answering the question without any does."""
    _, _, span, marks, *_ = design.spans()
    question, weight = design.option, design.weight
    if not len(question):
        return
    everyone = (sums.everyone[:, span] + 0.5) / (sums.everyone[:, marks] + 1)[:, question]
    given = sums.classes[:, :, marks][:, :, question]
    ticked = (sums.classes[:, :, span] + PRIOR * everyone[:, None]) / (given + PRIOR)
    ticked = np.clip(ticked, 1e-9, 1 - 1e-9)
    slopes[:, :, span] = weight[question] * np.log(ticked / (1 - ticked))
    slopes[:, :, marks] = weight * np.add.reduceat(np.log(1 - ticked), firsts(question), axis=2)


def set_axes(design: Design, sums: Sums, found: Parameters, first: bool) -> None:
    """Set what lying somewhere on an axis adds; at the first step the variance is everybody's."""
    *_, span, marks = design.spans()
    found.variance = np.ones(len(sums.classes))
    if not design.axes:
        return
    count, given = sums.everyone[:, marks], sums.classes[:, :, marks]
    overall = sums.everyone[:, span] / np.maximum(count, 1)
    mean = (sums.classes[:, :, span] + LEVEL_PRIOR * overall[:, None]) / (given + LEVEL_PRIOR)
    if not first:
        within = sums.squares - (2 * mean * sums.classes[:, :, span] - mean**2 * given).sum(axis=1)
        found.variance = np.maximum((within.sum(axis=1) + 1) / (count.sum(axis=1) + 1), LEAST_VARIANCE)
    found.slopes[:, :, span] = mean / found.variance[:, None, None]
    found.slopes[:, :, marks] = -(mean**2) / (2 * found.variance[:, None, None])
