"""Answers as a mixture model takes them: which kind of block each closed question is, and which are a grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from persona.personas.generate.model.items import LEAST_GRID, Block, Choice, Level, Several, answered
from persona.personas.sources.records import parts
from persona.personas.survey import scales
from persona.personas.survey.questions import Kind, Question
from persona.personas.survey.survey import Column

_RARE = 0.02
_LEAST_OF_AN_ANSWER = 3
_LEAST_STEPS = 3
_MOST_STEPS = 11


def blocks(columns: Sequence[Column]) -> list[Block]:
    """Return closed questions as blocks, without those to which there is one answer only.

    Args:
        columns: the closed questions that make groups.
    """
    grids = _grids([column.question for column in columns])
    return [block for column in columns if (block := _block(column, grids.get(column.question.name, 0))) is not None]


def _block(column: Column, grid: int) -> Block | None:
    block = _of_kind(column, grid)
    given = answered(block)
    if isinstance(block, Choice):
        return block if block.choices > 1 else None
    if isinstance(block, Several):
        return block if block.ticked.shape[1] else None
    return block if given.any() and np.ptp(block.values[given]) > 0 else None


def _of_kind(column: Column, grid: int) -> Block:
    question = column.question
    if question.kind is Kind.MULTIPLE:
        return _several(column)
    if question.kind is Kind.NUMBER or (question.kind is Kind.SCALE and len(question.categories) >= _LEAST_STEPS):
        places = {answer: _place(question, answer) for answer in dict.fromkeys(column.answers)}
        return Level(np.array([places[answer] for answer in column.answers], dtype=np.float64), grid)
    return _choice(column)


def _place(question: Question, answer: object) -> float:
    """Return where an answer stands on its scale, or the number that it is; NaN for a gap and what is off the scale."""
    if answer is None:
        return np.nan
    if (value := scales.number(str(answer))) is not None:
        return value
    agreement = [place.rank for place in scales.level(str(answer)) if place.family.startswith("agreement")]
    if agreement and question.kind is Kind.SCALE:
        return agreement[0]
    return float(question.categories.index(str(answer))) if answer in question.categories else np.nan


def _choice(column: Column) -> Choice:
    """Return a question with one answer; answers of very few people are one."""
    given = ["" if answer is None else "; ".join(parts(answer)) for answer in column.answers]
    counts = Counter(answer for answer in given if answer)
    least = max(_LEAST_OF_AN_ANSWER, _RARE * counts.total())
    frequent = sorted((a for a in counts if counts[a] >= least), key=lambda a: (-counts[a], a))
    codes = {answer: code for code, answer in enumerate(frequent)}
    other = len(frequent)
    found = np.array([codes.get(answer, other) if answer else -1 for answer in given], dtype=np.int64)
    return Choice(found, other + bool((found == other).any()))


def _several(column: Column) -> Several:
    """Return a question with several answers; options that hardly anybody or nearly everybody ticked say nothing."""
    cells = [None if answer is None else set(parts(answer)) for answer in column.answers]
    counts = Counter(option for cell in cells if cell for option in cell)
    asked = sum(cell is not None for cell in cells)
    least = max(_LEAST_OF_AN_ANSWER, _RARE * asked)
    kept = sorted((o for o in counts if least <= counts[o] <= asked - least), key=lambda o: (-counts[o], o))
    ticked = np.array([[float(cell is not None and option in cell) for option in kept] for cell in cells])
    return Several(
        ticked.reshape(len(cells), len(kept)), np.array([cell is not None for cell in cells], dtype=np.bool_)
    )


def _grids(questions: Sequence[Question]) -> dict[str, int]:
    """Return the number of the grid of each question that is an item of one: six or more on one agreement scale."""
    worded = [q.name for q in questions if q.kind is Kind.SCALE and _is_agreement(q)]
    found: dict[str, int] = dict.fromkeys(worded, 1) if len(worded) >= LEAST_GRID else {}
    steps = {q.name: whole for q in questions if q.kind is Kind.SCALE and (whole := _whole_steps(q))}
    number = 2
    while steps:
        widest = Counter(steps.values()).most_common(1)[0][0]
        alike = [name for name, each in steps.items() if each <= widest]
        if len(alike) >= LEAST_GRID:
            found.update(dict.fromkeys(alike, number))
            number += 1
        for name in alike:
            del steps[name]
    return found


def _is_agreement(question: Question) -> bool:
    families = [{place.family for place in scales.level(answer)} for answer in question.categories]
    common = set[str]().union(*families).intersection(*families)
    return len(families) >= _LEAST_STEPS and any(family.startswith("agreement") for family in common)


def _whole_steps(question: Question) -> frozenset[float]:
    """Return the steps of a scale in whole numbers; empty if it is none."""
    values = [scales.number(answer) for answer in question.categories]
    whole = frozenset(value for value in values if value is not None and value == int(value))
    enough = len(whole) == len(set(values)) and _LEAST_STEPS <= len(whole) <= _MOST_STEPS
    return whole if enough else frozenset()
