"""Reading survey tables: rows of cells, and CSV in its dialects."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from persona.errors import InputError
from persona.personas.sources.aggregates import MAX_LABELLED, why_aggregated
from persona.personas.sources.headings import Heading, distinct
from persona.personas.sources.layout import Layout, lay_out
from persona.personas.sources.limits import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_HEADING,
    MAX_RECORDS,
    lines_of,
    too_long,
    too_many,
)
from persona.personas.sources.platforms import Platform, left_out, platform_of, wordings
from persona.personas.sources.records import Dataset, Record, id_note, identify, is_missing, tidy
from persona.personas.sources.repeated import why_repeated

DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_DECLARED = re.compile(r"\s*sep=([^\r\n])[\"']?\s*?(?:\r?\n|$)", re.IGNORECASE)


def read_csv(name: str, text: str) -> Dataset:
    """Read a table of separated values; see `table`.

    Args:
        name: the file's name, for messages and evidence.
        text: its content.

    Raises:
        InputError: the table is broken, holds no rows, or more than is taken.
    """
    return table(name, _rows(name, text, delimiter_of(name, text)))


def table(name: str, rows: Sequence[Sequence[str]]) -> Dataset:
    """Read a table with its heading rows, one respondent a row.

    Args:
        name: what it is called in messages and evidence: the file, or the file and the sheet.
        rows: all rows, with tidy cells (see `tidy`); blank rows are passed over.

    Raises:
        InputError: the table holds no respondents, or more than is taken.
    """
    filled = [row for row in rows if any(row)]
    if len(filled) < 2:
        raise InputError(
            f"{name} holds no records.",
            hint="A table has the questions in its first row and an answer row each.",
        )
    layout = lay_out(filled)
    _check_headings(name, layout.headings)
    _check_respondents(name, filled, layout)
    names, notes = distinct(name, layout.headings)
    platform = platform_of(names)
    labels = wordings(platform, names)
    hints = {
        each: replace(
            heading.hint,
            metadata=heading.hint.metadata or each in platform.columns,
            label=heading.hint.label or labels.get(each, ""),
        )
        for each, heading in zip(names, layout.headings, strict=True)
    }
    answers = [_answers(names, filled[number]) for number in layout.body()]
    if not any(answers):
        raise InputError(f"{name} holds no answers: every cell is empty.")
    if len(answers) > MAX_RECORDS:
        raise too_many(name, "rows", MAX_RECORDS)
    ids = identify(answers, names)
    reasons = left_out(platform, answers)
    records = [
        Record(name, key, row) for key, row, reason in zip(ids, answers, reasons, strict=True) if row and not reason
    ]
    out = Counter(reason for reason in reasons if reason)
    notes = [*_layout_notes(name, filled, layout), *_platform_notes(name, platform, out), *notes]
    notes += _gap_notes(name, [filled[number] for number in layout.body()])
    notes += [note for note in [id_note(name, [record.id for record in records])] if note]
    out += Counter({"totals": len(layout.totals), "notes and sources": len(layout.remarks)})
    return Dataset(records, notes, hints, out)


def _answers(names: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    return {name: cell for name, cell in zip(names, row, strict=False) if not is_missing(cell)}


def _check_headings(name: str, headings: Sequence[Heading]) -> None:
    """Check how long the headings are; wordings beside them may be longer."""
    for number, each in enumerate(headings, start=1):
        if len(each.name) > MAX_HEADING:
            raise too_long(f"{name}: the heading of column {number}", len(each.name), MAX_HEADING)


def _check_respondents(name: str, rows: Sequence[Sequence[str]], layout: Layout) -> None:
    """Refuse a table whose rows are no people: one that counts answers, or that has several rows of each."""
    headings = [each.name for each in layout.headings]
    width = len(headings)
    cells = [[*rows[n], *[""] * (width - len(rows[n]))] for n in layout.body()[:MAX_LABELLED]]
    if reason := why_aggregated(headings, cells, [rows[n] for n in sorted(layout.totals)]):
        raise InputError(
            f"{name} holds totals, not respondents: {reason}.",
            hint="Export the responses themselves, one row a respondent.",
        )
    if reason := why_repeated(headings, [rows[n] for n in layout.body()]):
        raise InputError(
            f"{name} holds several rows a respondent: {reason}.",
            hint="Export it in wide form, one row a respondent and one column a question. "
            "If each row is another respondent, rename that column.",
        )


def _layout_notes(name: str, rows: Sequence[Sequence[str]], layout: Layout) -> list[str]:
    """Return what was done with rows that are neither a single heading row nor a response."""
    notes = []
    if layout.form:
        notes.append(f"{name}: the headings were read from several rows: {layout.form}.")
    for what, numbers in (
        ("above the headings", range(layout.above)),
        ("with totals", sorted(layout.totals)),
        ("with notes and sources", sorted(layout.remarks)),
        ("equal to the headings", sorted(layout.repeated)),
    ):
        if numbers:
            first = next(cell for cell in rows[numbers[0]] if cell)
            shown = f"“{first[:60]}”" + (f" and {len(numbers) - 1} more" if len(numbers) > 1 else "")
            notes.append(f"{name}: left out, being {'rows' if len(numbers) > 1 else 'a row'} {what}: {shown}.")
    return notes


def _gap_notes(name: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return which words in cells are gaps: ``N/A`` and the like, not dashes and dots."""
    words = Counter(cell for row in rows for cell in row if cell[:1].isalpha() and len(cell) < 5 and is_missing(cell))
    listed = ", ".join(f"“{word}”" for word in sorted(words))
    return [f"{name}: {words.total():,} cells with {listed} count as no answer."] if words else []


def _platform_notes(name: str, platform: Platform, out: Mapping[str, int]) -> list[str]:
    """Return which platform wrote a table, and which of its rows are no responses."""
    if not platform.name:
        return []
    columns = len(platform.columns)
    notes = [f"{name}: an export of {platform.name}; {columns} columns of its own hold no answers."]
    if out:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(out.items()))
        notes.append(f"{name}: responses left out: {listed}.")
    return notes


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
            if len(rows) > MAX_RECORDS + 100:  # headings, titles and notes are rows as well
                raise too_many(name, "rows", MAX_RECORDS)
    except csv.Error as error:
        raise InputError(
            f"{name}, line {reader.line_num}: the table is broken: {error}.",
            hint="Look for a quotation mark that is not closed, or export the table again.",
        ) from error
    return rows


def delimiter_of(name: str, text: str) -> str:
    """Return the delimiter that a line ``sep=;`` declares, or that gives most rows the same width above one."""
    if (declared := _DECLARED.match(text)) and declared[1] in DELIMITERS:
        return declared[1]

    def score(delimiter: str) -> tuple[float, int]:
        widths = [*_widths(name, text, delimiter)]
        wide = Counter(width for width in widths if width > 1)
        if not wide:
            return 0.0, 0
        usual, count = wide.most_common(1)[0]
        return count / len(widths), usual

    return max(DELIMITERS, key=score)


def _widths(name: str, text: str, delimiter: str) -> Iterator[int]:
    """Yield how many cells each of the first rows has; nothing if a row is broken."""
    reader = csv.reader(lines_of(name, text), delimiter=delimiter)
    widths = []
    try:
        for row, _ in zip(reader, range(_SAMPLE_ROWS), strict=False):
            if row:
                widths.append(len(row))
    except csv.Error:
        return
    yield from widths
