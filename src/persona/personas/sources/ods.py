"""Reading LibreOffice Calc's workbooks (``.ods``): OpenDocument 1.3, part 3, section 9."""

from __future__ import annotations

import re

from persona.personas.sources import limits, markup
from persona.personas.sources.archive import Archive, encrypted
from persona.personas.sources.cell_dates import plain_moment
from persona.personas.sources.grid import Grid, Merge
from persona.personas.sources.records import Dataset
from persona.personas.sources.workbooks import Sheet, read_sheets
from persona.personas.sources.xlsx import plain_number

_CONTENT, _MANIFEST = "content.xml", "META-INF/manifest.xml"
_PASSED_OVER = frozenset(
    ("annotation", "tracked-changes", "shapes", "frame", "custom-shape", "dde-links", "content-validations", "forms")
)
"""Elements that hold text which is none of a cell: comments, deleted rows, drawings."""
_TIME = re.compile(r"PT(\d{1,6})H(\d{1,2})M(\d{1,2})(?:[.,]\d+)?S")
_BLANKS = {"s": " ", "tab": " ", "line-break": "\n"}


def read_ods(name: str, data: bytes) -> Dataset:
    """Read a workbook; of its sheets those that are tables of respondents.

    Raises:
        InputError: the workbook is damaged, encrypted, empty, or larger than what is taken.
    """
    archive = Archive(name, data)
    if _MANIFEST in archive and b"encryption-data" in archive.read(_MANIFEST):
        raise encrypted(name)
    reader = _Reader(name)
    markup.parse(f"{_CONTENT} in {name}", archive.chunks(_CONTENT), reader.start, reader.end, reader.text)
    return read_sheets(name, reader.sheets())


class _Reader:
    """Takes the events of a workbook's content."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tables: list[tuple[str, str, Grid]] = []
        self._hidden_styles: set[str] = set()
        self._style = ""
        self._row = self._column = self._passing = self._depth = self._size = 0
        self._rows_alike = 1
        self._row_is_hidden = self._inside = False
        self._cells: list[tuple[int, int, str]] = []
        self._attributes: dict[str, str] = {}
        self._parts: list[str] = []

    def sheets(self) -> list[Sheet]:
        """Return the sheets."""
        return [Sheet(title, grid, style in self._hidden_styles, grid.notes()) for title, style, grid in self._tables]

    @property
    def _grid(self) -> Grid:
        return self._tables[-1][2]

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._passing or tag in _PASSED_OVER:
            self._passing += 1
        elif tag == "style":
            self._style = attributes.get("style:name", "")
        elif tag == "table-properties" and attributes.get("table:display") == "false":
            self._hidden_styles.add(self._style)
        elif tag == "table":
            self._begin_table(attributes)
        elif self._depth != 1:
            return
        elif tag == "table-row":
            self._row += self._rows_alike
            self._rows_alike = _count(attributes, "table:number-rows-repeated")
            self._row_is_hidden = attributes.get("table:visibility", "visible") != "visible"
            self._column, self._cells = 1, []
        elif tag in ("table-cell", "covered-table-cell"):
            self._attributes, self._parts, self._size = attributes, [], 0
        elif tag == "p":
            self._inside = True
            self._parts += "\n" if self._parts else ""
        elif self._inside and tag in _BLANKS:
            self.text(_BLANKS[tag])

    def end(self, tag: str) -> None:
        if self._passing:
            self._passing -= 1
        elif tag == "table":
            self._depth -= 1
        elif self._depth != 1:
            return
        elif tag == "p":
            self._inside = False
        elif tag in ("table-cell", "covered-table-cell"):
            self._end_cell(covered=tag != "table-cell")
        elif tag == "table-row":
            self._end_row()

    def text(self, text: str) -> None:
        if self._inside and not self._passing:
            self._size += len(text)
            if self._size > limits.MAX_LINE:
                raise limits.too_long(f"{self._grid.place}: a cell of row {self._row}", self._size, limits.MAX_LINE)
            self._parts.append(text)

    def _begin_table(self, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            title = attributes.get("table:name", "")
            grid = Grid(f"{self._name}, sheet “{title}”")
            self._tables.append((title, attributes.get("table:style-name", ""), grid))
            self._row, self._rows_alike = 0, 1

    def _end_cell(self, *, covered: bool) -> None:
        alike = _count(self._attributes, "table:number-columns-repeated")
        text = "" if covered else self._value()
        if text:
            self._cells.append((self._column, alike, text))
            rows = _count(self._attributes, "table:number-rows-spanned")
            columns = _count(self._attributes, "table:number-columns-spanned")
            if rows > 1 or columns > 1:
                merge = Merge(self._row, self._column, self._row + rows - 1, self._column + columns - 1)
                self._grid.merge(merge)
        self._column += alike

    def _end_row(self) -> None:
        for number in range(self._row, self._row + self._rows_alike) if self._cells else ():
            self._grid.begin_row(number, hidden=self._row_is_hidden)
            for column, alike, text in self._cells:
                for each in range(column, column + alike):
                    self._grid.put(each, text)
            self._grid.end_row()

    def _value(self) -> str:
        """Return what a cell holds; of numbers and dates the value rather than what is shown of it."""
        kind = self._attributes.get("office:value-type", "")
        text = self._attributes.get("office:string-value", "") or "".join(self._parts)
        if self._attributes.get("calcext:value-type") == "error":
            self._grid.errors[text[:20]] += 1
            return ""
        if kind == "date":
            return plain_moment(self._attributes.get("office:date-value", text))
        if kind == "time" and (time := _TIME.match(self._attributes.get("office:time-value", ""))):
            return f"{int(time[1]):02}:{int(time[2]):02}:{int(time[3]):02}".removesuffix(":00")
        if kind == "boolean":
            return self._attributes.get("office:boolean-value", text).upper()
        if kind in ("float", "percentage", "currency"):
            return _number(self._attributes.get("office:value", ""), text)
        return text


def _number(value: str, text: str) -> str:
    try:
        return plain_number(float(value))
    except (ValueError, OverflowError):
        return text


def _count(attributes: dict[str, str], key: str) -> int:
    value = attributes.get(key, "1")
    return int(value) if value.isdecimal() and 0 < len(value) < 9 else 1
