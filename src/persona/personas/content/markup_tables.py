"""The tables of documents written in XML or HTML: of Word, Excel, LibreOffice, PowerPoint and web pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html.parser import HTMLParser

_TABLES = ("table", "w:tbl", "a:tbl", "table:table", "sheetdata")
_ROWS = ("tr", "w:tr", "a:tr", "table:table-row", "row")
_CELLS = ("td", "th", "w:tc", "a:tc", "table:table-cell", "c")


_MAX_COLUMNS = 16_384
"""How many columns a sheet of Excel has."""


def _column(reference: str) -> int:
    """Return the number of a column, from 1, out of a cell's reference: 28 for ``AB7``; 0 if there is none."""
    number = 0
    for letter in reference.rstrip("0123456789").upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


class _Tables(HTMLParser):
    def __init__(self, shared: Sequence[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._shared, self._is_shared, self._inside = shared, False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _TABLES or (tag in _ROWS and not self.tables):
            self.tables.append([])
        if tag in _ROWS:
            self.tables[-1].append([])
        elif tag in _CELLS and self.tables and self.tables[-1]:
            self._inside, self._is_shared = True, ("t", "s") in attrs
            row = self.tables[-1][-1]
            row += [""] * (min(_column(dict(attrs).get("r") or ""), _MAX_COLUMNS) - len(row) - 1)  # Excel omits gaps
            row.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in _CELLS and self._inside:
            self._inside = False
            row = self.tables[-1][-1]
            if self._is_shared and row[-1].strip().isdecimal() and int(row[-1]) < len(self._shared):
                row[-1] = self._shared[int(row[-1])]

    def handle_data(self, data: str) -> None:
        if self._inside and self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data


class _Strings(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.strings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "si":
            self.strings.append("")

    def handle_data(self, data: str) -> None:
        if self.strings:
            self.strings[-1] += data.strip("\r\n")


def shared_strings(text: str) -> list[str]:
    """Return the texts that the cells of an Excel workbook point to, out of ``xl/sharedStrings.xml``."""
    parser = _Strings()
    parser.feed(text)
    return parser.strings


def tables(text: str, shared: Sequence[str] = ()) -> list[str]:
    """Return each table of a document as CSV.

    Args:
        text: XML or HTML.
        shared: what `shared_strings` gives for an Excel workbook.
    """
    parser = _Tables(shared)
    parser.feed(text)
    found = []
    for rows in parser.tables:
        stream = io.StringIO()
        csv.writer(stream).writerows(row for row in rows if row)
        found.append(stream.getvalue())
    return found
