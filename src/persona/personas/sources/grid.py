"""The cells of one sheet, as they come in."""

from __future__ import annotations

from collections import Counter
from sys import getsizeof
from typing import NamedTuple

from persona.personas.sources import limits
from persona.personas.sources.records import tidy


class Merge(NamedTuple):
    """Cells that are shown as one: its first and last row and column, counted from 1."""

    top: int
    left: int
    bottom: int
    right: int


class Grid:
    """Takes the cells of a sheet in their order, and keeps the rows that are not blank.

    Args:
        place: the file and the sheet, for messages.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.rows: list[list[str]] = []
        self.numbers: list[int] = []
        self.merges: list[Merge] = []
        self.errors: Counter[str] = Counter()
        self.formulas = 0
        """How many formulas have no value."""
        self._hidden_rows = self._cells = self._number = self._size = 0
        self._hidden = False
        self._row: list[str] = []
        self._known: dict[str, str] = {}  # most answers are choices, so one text stands for many cells

    def begin_row(self, number: int, *, hidden: bool = False) -> None:
        """Begin a row, counted from 1."""
        self._number, self._row, self._hidden = number, [], hidden

    def put(self, column: int, text: str) -> None:
        """Put a text into a column of the row, counted from 1."""
        tidied = self._known.get(text)
        if tidied is None:
            self._size += getsizeof(text)
            if self._size > limits.MAX_TEXT:
                raise limits.too_much_text(self.place, limits.MAX_TEXT)
            tidied = tidy(text)
            tidied = text if tidied == text else tidied  # which is then held once
            self._known[text] = tidied
        if not tidied:
            return
        if column > limits.MAX_COLUMNS:
            raise limits.too_many(f"{self.place}, row {self._number},", "columns", limits.MAX_COLUMNS)
        self._row += [""] * (column - len(self._row))
        self._row[column - 1] = tidied

    def end_row(self) -> None:
        """End a row; it is kept if it has a text.

        Raises:
            InputError: there are too many rows or cells.
        """
        if not self._row:
            return
        self.rows.append(self._row)
        self.numbers.append(self._number)
        self._hidden_rows += self._hidden
        self._cells += len(self._row)
        if self._cells > limits.MAX_CELLS:
            raise limits.too_many(self.place, "cells", limits.MAX_CELLS)
        if len(self.rows) > limits.MAX_LINES:
            raise limits.too_many(self.place, "rows", limits.MAX_LINES)
        self._row = []

    def merge(self, merge: Merge) -> None:
        """Note that some cells are shown as one.

        Raises:
            InputError: there are too many.
        """
        self.merges.append(merge)
        if len(self.merges) > limits.MAX_RECORDS:
            raise limits.too_many(self.place, "merged cells", limits.MAX_RECORDS)

    def notes(self) -> list[str]:
        """Return what a researcher should know of how the cells were read."""
        notes = []
        if total := self.errors.total():
            kinds = ", ".join(sorted(self.errors)[:5])
            notes.append(f"{self.place}: {_many(total, 'cell')} with an error ({kinds}), read as gaps.")
        if self.formulas:
            notes.append(
                f"{self.place}: {_many(self.formulas, 'formula')} without a value, read as gaps. To have their values,"
                " open the workbook in a spreadsheet program and save it."
            )
        if self._hidden_rows:
            notes.append(f"{self.place}: {_many(self._hidden_rows, 'row')} hidden, as by a filter, and read.")
        return notes

    def fill_merged(self) -> None:
        """Give each row that a merged cell reaches its text, such as a team beside all its members.

        Headings are left as they are: a heading over several columns stands in the first of them, as in CSV.
        """
        below = self._below_headings()
        place = {number: index for index, number in enumerate(self.numbers)}
        filled = 0
        for merge in self.merges:
            if merge.top < below or merge.bottom == merge.top or merge.top not in place:
                continue
            text = _at(self.rows[place[merge.top]], merge.left)
            for index in range(place[merge.top] + 1, len(self.rows)) if text else ():
                if self.numbers[index] > merge.bottom or (filled := filled + 1) > limits.MAX_CELLS:
                    break
                row = self.rows[index]
                row += [""] * (merge.left - len(row))
                row[merge.left - 1] = row[merge.left - 1] or text

    def _below_headings(self) -> int:
        """Return the first row, counted from 1, that cannot be a heading: below merged cells that begin at the top."""
        below = self.numbers[0] + 1 if self.numbers else 1
        for merge in sorted(self.merges):
            if merge.top < below:
                below = max(below, merge.bottom + (2 if merge.right > merge.left else 1))
        return below


def _at(row: list[str], column: int) -> str:
    return row[column - 1] if column <= len(row) else ""


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
