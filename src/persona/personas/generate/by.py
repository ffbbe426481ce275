"""Groups that a researcher named: one for each answer to a question."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from persona.errors import InputError
from persona.personas.generate.grouping import Grouping, Structure
from persona.personas.sources.records import Answer, parts
from persona.personas.survey.questions import Kind
from persona.personas.survey.survey import Column

LEAST_GROUP = 5
"""An answer of fewer respondents makes no group."""
_MOST_GROUPS = 40


def group_by(columns: Sequence[Column], name: str) -> Grouping:
    """Return one group for each answer to a question.

    Args:
        columns: all questions.
        name: the question.

    Raises:
        InputError: there is no such question, or its answers make no groups.
    """
    column = _column(columns, name)
    members: dict[str, list[int]] = {}
    several = 0
    for i, answer in enumerate(column.answers):
        value = _value(answer)
        several += value is None and bool(answer)
        if value is not None:
            members.setdefault(value, []).append(i)
    large = [rows for rows in members.values() if len(rows) >= LEAST_GROUP]
    if not large:
        raise InputError(
            f"No answer to “{name}” was given by {LEAST_GROUP} respondents or more, so it makes no groups.",
            hint="Choose another question for --by.",
        )
    ordered = sorted(large, key=lambda rows: (-len(rows), rows))
    left_out = sorted({*range(len(column.answers))}.difference(*large))
    structure = Structure(False, "by", number=len(ordered))
    return Grouping(ordered, left_out, [], structure, [column.question.name], _notes(name, members, column, several))


def _column(columns: Sequence[Column], name: str) -> Column:
    for column in columns:
        if name in (column.question.name, column.question.label):
            if column.question.kind in (Kind.TEXT, Kind.NUMBER, Kind.DATE):
                break
            if len({_value(answer) for answer in column.answers}) > _MOST_GROUPS:
                break
            return column
    else:
        names = [column.question.name for column in columns]
        close = get_close_matches(name, names, 1, 0.5)
        hint = f"Did you mean “{close[0]}”?" if close else "The questions are: " + ", ".join(names[:10]) + "."
        raise InputError(f"There is no question “{name}”.", hint=hint)
    raise InputError(
        f"“{name}” has no few answers that could be groups.",
        hint="Choose a question with few different answers for --by.",
    )


def _value(answer: Answer | None) -> str | None:
    """Return the one answer; None for a gap, and for several."""
    given = parts(answer) if answer is not None else ()
    return given[0] if len(given) == 1 else None


def _notes(name: str, members: dict[str, list[int]], column: Column, several: int) -> list[str]:
    small = {value: len(rows) for value, rows in members.items() if len(rows) < LEAST_GROUP}
    notes = []
    if small:
        named = ", ".join(f"“{value}” ({count})" for value, count in sorted(small.items(), key=lambda i: (-i[1], i[0])))
        notes.append(f"Answers to “{name}” of fewer than {LEAST_GROUP} respondents are no group: {named}.")
    if several:
        notes.append(f"{several:,} respondents gave several answers to “{name}” and are in no group.")
    gaps = sum(not answer for answer in column.answers)
    if gaps:
        notes.append(f"{gaps:,} respondents did not answer “{name}” and are in no group.")
    return notes
