"""Reading survey tables: CSV in its dialects."""

from __future__ import annotations

import csv
from collections import Counter

from persona.errors import InputError
from persona.personas.sources.limits import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_HEADING,
    MAX_RECORDS,
    lines_of,
    too_long,
    too_many,
)
from persona.personas.sources.records import Dataset, Record, identify, is_missing, tidy

DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_MOST_NOTES = 10


def read_csv(name: str, text: str) -> Dataset:
    """Read a table whose first row holds the questions, one respondent a row.

    Args:
        name: the file's name, for messages and evidence.
        text: its content.

    Raises:
        InputError: the table is broken, holds no rows, or more than is taken.
    """
    return table(name, _rows(name, text, delimiter_of(name, text)))


def table(name: str, rows: list[list[str]]) -> Dataset:
    """Return the respondents of a table.

    Args:
        name: the file's name, for messages and evidence.
        rows: the cells of all rows that are not blank, with those of headings.

    Raises:
        InputError: the table holds no rows, or more than is taken.
    """
    if len(rows) < 2:
        raise InputError(
            f"{name} holds no records.",
            hint="A table has the questions in its first row and an answer row each.",
        )
    width = max(len(row) for row in rows)
    headings, notes = _headings(name, rows[0], width)
    answers = [
        {heading: cell for heading, cell in zip(headings, row, strict=False) if not is_missing(cell)}
        for row in rows[1:]
    ]
    if not any(answers):
        raise InputError(f"{name} holds no answers: every cell is empty.")
    ids = identify(answers, headings)
    return Dataset([Record(name, key, row) for key, row in zip(ids, answers, strict=True) if row], notes)


def _rows(name: str, text: str, delimiter: str) -> list[list[str]]:
    """Return the cells of all rows that are not blank."""
    reader = csv.reader(lines_of(name, text), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    known: dict[str, str] = {}  # most answers are choices, so one text stands for many cells
    total = 0
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise too_many(f"{name}, line {reader.line_num},", "columns", MAX_COLUMNS)
            cells = [known[cell] if cell in known else known.setdefault(cell, tidy(cell)) for cell in row]
            if any(cells):
                rows.append(cells)
                total += len(cells)
            if total > MAX_CELLS:
                raise too_many(name, "cells", MAX_CELLS)
            if len(rows) > MAX_RECORDS + 1:
                raise too_many(name, "rows", MAX_RECORDS)
    except csv.Error as error:
        raise InputError(
            f"{name}, line {reader.line_num}: the table is broken: {error}.",
            hint="Look for a quotation mark that is not closed, or export the table again.",
        ) from error
    return rows


def delimiter_of(name: str, text: str) -> str:
    """Return the delimiter that gives most rows the width of the first one, and more than one column."""

    def score(delimiter: str) -> tuple[float, int]:
        reader = csv.reader(lines_of(name, text), delimiter=delimiter)
        widths = []
        try:
            for row, _ in zip(reader, range(_SAMPLE_ROWS), strict=False):
                if row:
                    widths.append(len(row))
        except csv.Error:
            return 0.0, 0
        if not widths or widths[0] < 2:
            return 0.0, 0
        return sum(width == widths[0] for width in widths) / len(widths), widths[0]

    return max(DELIMITERS, key=score)


def _headings(name: str, row: list[str], width: int) -> tuple[list[str], list[str]]:
    """Return a heading for each column, all different, and notes on those that were made up."""
    notes: list[str] = []
    taken: dict[str, None] = {}
    seen: Counter[str] = Counter()
    for number in range(1, width + 1):
        heading = row[number - 1] if number <= len(row) else ""
        if len(heading) > MAX_HEADING:
            raise too_long(f"{name}: the heading of column {number}", len(heading), MAX_HEADING)
        if not heading:
            notes.append(f"{name}: column {number} has no heading.")
            heading = f"column {number}"
        unique = heading
        while unique in taken:
            seen[heading] += 1
            unique = f"{heading} ({seen[heading] + 1})"
        if unique != heading:
            notes.append(f"{name}: the heading “{heading}” is there twice; column {number} is called “{unique}”.")
        taken[unique] = None
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = [f"{name}: {len(notes) - _MOST_NOTES:,} more columns have no heading of their own."]
    return list(taken), notes
