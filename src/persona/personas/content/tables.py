"""One respondent's rows in a table, by the lines that they stand on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from persona.errors import InputError
from persona.personas.content.people import Naming, is_number, names_person, normalised, same
from persona.personas.content.turns import speak_others
from persona.personas.sources.layout import lay_out
from persona.personas.sources.records import id_column, is_missing, tidy
from persona.personas.sources.tables import delimiter_of


class Row(NamedTuple):
    """A row of a table.

    Args:
        start: its first character.
        end: the character behind its end of line.
        cells: its cells.
    """

    start: int
    end: int
    cells: list[str]


class Table:
    """A table; its rows are told apart as they are when personas are made of it.

    Args:
        name: the file, for messages.
        text: its content.

    Raises:
        InputError: it is broken.
    """

    def __init__(self, name: str, text: str) -> None:
        self._text, self._delimiter = text, delimiter_of(name, text)
        rows = [row for row in _rows(name, text, self._delimiter) if any(row.cells)]
        layout = lay_out([row.cells for row in rows])
        self.headings = [each.name for each in layout.headings]
        self.rows = [rows[number] for number in layout.body()]
        self._widths = {len(row.cells) for row in rows}
        self._key = self._key_column()
        self._columns = self._naming_columns()

    def is_regular(self) -> bool:
        """Say whether it is a table by its shape alone: rows of one width, under a heading that names people."""
        named = any(names_person(each) or is_number(each) for each in self.headings)
        return named and len(self.headings) > 1 and self._widths == {len(self.headings)}

    def parted(self, subject: str) -> tuple[list[Row], list[Row]]:
        """Return the rows that are a respondent's, and the others."""
        mine = [row for row in self.rows if self._is_of(row, subject)]
        places = {row.start for row in mine}
        return mine, [row for row in self.rows if row.start not in places]

    def doubt(self, subject: str) -> str:
        """Return why rows that stay may be a respondent's: others speak in one, or one names nobody."""
        before = False
        for row in self.rows:
            if self._names(row, subject) and self._is_shared(row, subject):
                return "Others speak in a row of the respondent's, which stays: see what is whose."
            named = self._naming(row).ids()
            if before and not named:
                return "Rows that name nobody follow the respondent's, and stay: see whose they are."
            before = before and not named if not named else self._is_of(row, subject)
        return ""

    def ids(self) -> Iterator[str]:
        """Yield everything that may be somebody's id."""
        for row in self.rows:
            yield from self._naming(row).ids()
            if self._key is not None and self._key < len(row.cells):
                yield normalised(row.cells[self._key])

    def _is_of(self, row: Row, subject: str) -> bool:
        return self._names(row, subject) and not self._is_shared(row, subject)

    def _is_shared(self, row: Row, subject: str) -> bool:
        """Say whether others surely speak in a cell of a row, which has line ends there."""
        if not any(":" in cell for cell in row.cells):
            return False
        lines = io.StringIO(self._text[row.start : row.end], newline="")
        cells = (cell for each in csv.reader(lines, delimiter=self._delimiter) for cell in each)
        return any(speak_others(cell, subject) for cell in cells)

    def _names(self, row: Row, subject: str) -> bool:
        if self._naming(row).mine(subject):
            return True
        return self._key is not None and self._key < len(row.cells) and same(row.cells[self._key], subject)

    def _naming(self, row: Row) -> Naming:
        return Naming([(self.headings[n], row.cells[n]) for n in self._columns if n < len(row.cells)])

    def _key_column(self) -> int | None:
        """Return the column that gives evidence its ids, as `sources.records.identify` chooses it."""
        return id_column(self.headings, self._values, repeated=False)

    def _values(self, column: int) -> list[str]:
        values = [row.cells[column] if column < len(row.cells) else "" for row in self.rows]
        return ["" if is_missing(each) else each for each in values]

    def _naming_columns(self) -> list[int]:
        """Return the columns that name people; one that may number anything if it is the only one to name them."""
        people = [n for n, each in enumerate(self.headings) if names_person(each)]
        numbers = [n for n, each in enumerate(self.headings) if is_number(each or f"column {n + 1}")]
        return people if people or self._key is not None or len(numbers) > 1 else numbers


def _rows(name: str, text: str, delimiter: str) -> Iterator[Row]:
    """Yield the rows with the place of their lines."""
    lines = [*io.StringIO(text, newline="")]
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    line, start = 0, 0
    try:
        for cells in reader:
            end = start + sum(map(len, lines[line : reader.line_num]))
            yield Row(start, end, [tidy(cell) for cell in cells])
            line, start = reader.line_num, end
    except csv.Error as error:
        raise InputError(f"{name} is broken in line {reader.line_num}: {error}.") from error
