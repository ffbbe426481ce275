"""Which sheets of a workbook are tables of respondents, and how they become one data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from persona.errors import InputError
from persona.personas.sources.grid import Grid
from persona.personas.sources.records import Answer, Dataset
from persona.personas.sources.tables import table

_ROW = re.compile(r"row \d+")
_ALIKE = 0.5
"""The share of a sheet's headings, or of its ids, that another has as well if they belong together."""


@dataclass
class Sheet:
    """One sheet of a workbook.

    Args:
        title: its name.
        grid: its cells.
        hidden: whether a reader of the workbook does not see it.
        notes: what a researcher should know of how its cells were read.
    """

    title: str
    grid: Grid
    hidden: bool = False
    notes: Sequence[str] = field(default=())


def read_sheets(name: str, sheets: Sequence[Sheet]) -> Dataset:
    """Return the respondents of a workbook.

    The largest sheet counts, and each other one that has the same headings (another wave) or ids. If its ids are the
    same people, their answers are joined. Sheets that hold something else are named in a note, and so are hidden ones.

    Args:
        name: the file, for messages and evidence.
        sheets: in the order of the workbook.

    Raises:
        InputError: no sheet holds a table of respondents.
    """
    filled = [sheet for sheet in sheets if sheet.grid.rows]
    if not filled:
        raise InputError(
            f"{name} is empty: no sheet of it has a cell with text.", hint="Check that it is the right file."
        )
    visible = [sheet for sheet in filled if not sheet.hidden] or filled
    tables, unread = _tables(name, visible)
    result = _joined(name, tables)
    for sheet, reason in unread:
        result.notes.append(f"{name}: the sheet “{sheet.title}” was not read: {reason}.")
    result.notes += [
        f"{name}: the sheet “{sheet.title}” is hidden, and was {'' if sheet in visible else 'not '}read."
        for sheet in filled
        if sheet.hidden
    ]
    return result


def _tables(name: str, sheets: Sequence[Sheet]) -> tuple[list[tuple[Sheet, Dataset]], list[tuple[Sheet, str]]]:
    """Return the sheets that are tables of respondents with what they hold, and why the others are not read.

    Raises:
        InputError: the largest sheet cannot be read as a table.
    """
    order = sorted(sheets, key=lambda sheet: -sum(len(row) for row in sheet.grid.rows))
    main = _read(name, order[0], alone=len(sheets) == 1)
    tables, unread = [(order[0], main)], []
    for sheet in order[1:]:
        try:
            other = _read(name, sheet, alone=False)
        except InputError as error:
            reason = error.message.removeprefix(f"{name}, sheet “{sheet.title}”").strip(" :.")
            unread.append((sheet, f"it {reason}" if reason.startswith("holds") else reason))
            continue
        if _belongs(other, main):
            tables.append((sheet, other))
        else:
            unread.append((sheet, f"it has neither the headings nor the ids of “{order[0].title}”"))
    place = {id(sheet): number for number, sheet in enumerate(sheets)}
    return sorted(tables, key=lambda found: place[id(found[0])]), unread


def _read(name: str, sheet: Sheet, *, alone: bool) -> Dataset:
    sheet.grid.fill_merged()
    dataset = table(name if alone else f"{name}, sheet “{sheet.title}”", sheet.grid.rows)
    dataset.notes[:0] = sheet.notes
    return dataset


def _belongs(other: Dataset, main: Dataset) -> bool:
    """Say whether a sheet is about respondents as the main one is: with its questions, or its people."""
    return _share(_headings(other), _headings(main)) >= _ALIKE or _share(_ids(other), _ids(main)) >= _ALIKE


def _joined(name: str, tables: Sequence[tuple[Sheet, Dataset]]) -> Dataset:
    """Return the respondents of several sheets; those with the same ids are one."""
    parts: list[tuple[Sheet, Dataset]] = []
    result = Dataset()
    for sheet, dataset in tables:
        known = next((part for _, part in parts if _share(_ids(dataset), _ids(part)) >= _ALIKE), None)
        if known is None:
            parts.append((sheet, dataset))
            continue
        _join(known, dataset, sheet.title)
        known.extend(dataset)
        result.notes.append(f"{name}: the sheet “{sheet.title}” has the same respondents, and was joined by id.")
    for sheet, dataset in parts:
        file = name if len(parts) == 1 else f"{name}, sheet “{sheet.title}”"
        dataset.records = [replace(record, file=file) for record in dataset.records]
        result.extend(dataset)
    return result


def _join(result: Dataset, other: Dataset, title: str) -> None:
    """Move the answers of one sheet to the respondents of others; those who are in no other one stay."""
    places = {record.id: place for place, record in enumerate(result.records)}
    remaining = []
    for record in other.records:
        place = places.get(record.id)
        if place is None:
            remaining.append(record)
            continue
        before = result.records[place]
        fields: dict[str, Answer] = dict(before.fields)
        for heading, answer in record.fields.items():
            if fields.setdefault(heading, answer) != answer:
                fields[f"{heading} ({title})"] = answer
        result.records[place] = replace(before, fields=fields, passages=(*before.passages, *record.passages))
    other.records = remaining


def _headings(dataset: Dataset) -> set[str]:
    return {heading for record in dataset.records for heading in record.fields}


def _ids(dataset: Dataset) -> set[str]:
    return {record.id for record in dataset.records if not _ROW.fullmatch(record.id)}


def _share(mine: set[str], others: set[str]) -> float:
    return len(mine & others) / len(mine) if mine else 0.0
