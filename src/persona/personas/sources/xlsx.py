"""Reading Excel workbooks (``.xlsx``, ``.xlsm``): SpreadsheetML of ECMA-376, part 1, transitional and strict."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from sys import getsizeof

from persona.errors import InputError
from persona.personas.sources import cell_dates, limits, markup
from persona.personas.sources.archive import Archive
from persona.personas.sources.cell_dates import Shown
from persona.personas.sources.grid import Grid, Merge
from persona.personas.sources.records import Dataset, tidy
from persona.personas.sources.workbooks import Sheet, read_sheets

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
_WORKSHEET = "/worksheet"
_TRUE = ("1", "true", "on")


def read_xlsx(name: str, data: bytes) -> Dataset:
    """Read a workbook; of its sheets those that are tables of respondents.

    Dates are told by the number format, in the 1900 and the 1904 calendar. Of a formula the value counts that the
    workbook keeps; an error such as ``#N/A`` is a gap.

    Raises:
        InputError: the workbook is damaged, encrypted, empty, or larger than what is taken.
    """
    archive = Archive(name, data)
    workbook = _Workbook(name, archive)
    return read_sheets(name, [workbook.sheet(title, path, hidden) for title, path, hidden in workbook.sheets])


class _Workbook:
    """What the sheets of a workbook share: texts, number formats and the calendar."""

    def __init__(self, name: str, archive: Archive) -> None:
        self._name, self._archive = name, archive
        self.sheets: list[tuple[str, str, bool]] = []
        self._since_1904 = False
        main = self._related("", "/officeDocument")
        if not main:
            raise InputError(f"{name} is no workbook of Excel.", hint="Save it as .xlsx, and try again.")
        self._targets = dict(self._related(main[0][1], _WORKSHEET))
        self._parse(main[0][1], self._on_workbook)
        self._strings = self._shared_strings(main[0][1])
        self._shown = self._number_formats(main[0][1])

    def sheet(self, title: str, path: str, hidden: bool) -> Sheet:
        """Read one sheet."""
        reader = _SheetReader(f"{self._name}, sheet “{title}”", self._strings, self._shown, self._since_1904)
        markup.parse(f"{path} in {self._name}", self._archive.chunks(path), reader.start, reader.end, reader.text)
        return Sheet(title, reader.grid, hidden, reader.grid.notes())

    def _related(self, part: str, kind: str) -> list[tuple[str, str]]:
        """Return ids and paths of the parts of a kind that a part names (ECMA-376, part 2, 9.3)."""
        folder, file = posixpath.split(part)
        path = posixpath.join(folder, "_rels", f"{file}.rels")
        found: list[tuple[str, str]] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship" and attributes.get("Type", "").endswith(kind):
                target = attributes.get("Target", "")
                whole = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                found.append((attributes.get("Id", ""), posixpath.normpath(whole)))

        if path in self._archive:
            self._parse(path, start)
        return found

    def _parse(self, path: str, start: markup.Start) -> None:
        markup.parse(f"{path} in {self._name}", self._archive.chunks(path), start, _ignore, _ignore)

    def _on_workbook(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "workbookPr":
            self._since_1904 = attributes.get("date1904", "") in _TRUE
        elif tag == "sheet":
            key = next((value for name, value in attributes.items() if name.endswith(":id")), "")
            if key in self._targets:  # others are sheets of charts and macros
                hidden = attributes.get("state", "visible") != "visible"
                self.sheets.append((attributes.get("name", ""), self._targets[key], hidden))

    def _shared_strings(self, main: str) -> list[str]:
        found = self._related(main, "/sharedStrings")
        reader = _Strings(self._name)
        if found and found[0][1] in self._archive:
            path = found[0][1]
            markup.parse(f"{path} in {self._name}", self._archive.chunks(path), reader.start, reader.end, reader.text)
        return reader.strings

    def _number_formats(self, main: str) -> list[Shown]:
        """Return what each style of cells shows a number as."""
        codes: dict[str, str] = {}
        shown: list[Shown] = []
        within = ""

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal within
            if tag == "numFmt":
                codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
            elif tag in ("cellXfs", "cellStyleXfs", "dxfs"):
                within = tag
            elif tag == "xf" and within == "cellXfs":
                number = attributes.get("numFmtId", "")
                shown.append(cell_dates.shown_as(_whole(number, 0), codes.get(number, "")))

        found = self._related(main, "/styles")
        if found and found[0][1] in self._archive:
            self._parse(found[0][1], start)
        return shown


class _Strings:
    """Takes the events of a part with texts, in runs or whole; how they are read aloud (``rPh``) is left out."""

    def __init__(self, name: str) -> None:
        self._name, self._parts, self._inside, self._aloud = name, [""], False, False
        self._size = self._length = 0
        self.strings: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "si":
            self._parts = []
        elif tag == "rPh":
            self._aloud = True
        self._inside = tag == "t" and not self._aloud

    def end(self, tag: str) -> None:
        self._inside = False
        if tag == "rPh":
            self._aloud = False
        elif tag == "si":
            string = tidy(_unescaped("".join(self._parts)))
            self._size += getsizeof(string)
            self._length = 0
            self.strings.append(string)
            if self._size > limits.MAX_TEXT:
                raise limits.too_much_text(self._name, limits.MAX_TEXT)
            if len(self.strings) > limits.MAX_CELLS:
                raise limits.too_many(self._name, "texts", limits.MAX_CELLS)

    def text(self, text: str) -> None:
        if self._inside:
            self._length += len(text)
            if self._length > limits.MAX_LINE:
                raise limits.too_long(f"{self._name}: a cell", self._length, limits.MAX_LINE)
            self._parts.append(text)


class _SheetReader:
    """Takes the events of one sheet."""

    def __init__(self, place: str, strings: list[str], shown: list[Shown], since_1904: bool) -> None:
        self.grid = Grid(place)
        self._strings, self._shown, self._since_1904 = strings, shown, since_1904
        self._row = self._column = self._size = 0
        self._kind, self._style, self._formula, self._inside, self._aloud = "n", 0, False, False, False
        self._parts: list[str] = []
        self._values: dict[str, Callable[[str], str]] = {
            "s": self._shared,
            "str": _unescaped,
            "inlineStr": _unescaped,
            "b": lambda value: "TRUE" if value in _TRUE else "FALSE",
            "e": self._error,
            "d": cell_dates.plain_moment,
        }

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._begin_cell(attributes)
        elif tag == "row":
            self._row, self._column = _whole(attributes.get("r", ""), self._row + 1), 0
            self.grid.begin_row(self._row, hidden=attributes.get("hidden", "") in _TRUE)
        elif tag in ("f", "v"):
            self._formula = tag == "f"  # in the order of the schema: a value stands behind its formula
        elif tag == "rPh":
            self._aloud = True
        elif tag == "mergeCell" and (merge := _merge(attributes.get("ref", ""))):
            self.grid.merge(merge)
        self._inside = tag == "v" or (tag == "t" and not self._aloud)

    def end(self, tag: str) -> None:
        self._inside = False
        if tag == "c":
            self._end_cell()
        elif tag == "rPh":
            self._aloud = False
        elif tag == "row":
            self.grid.end_row()

    def text(self, text: str) -> None:
        if self._inside:
            self._size += len(text)
            if self._size > limits.MAX_LINE:
                raise limits.too_long(f"{self.grid.place}: a cell of row {self._row}", self._size, limits.MAX_LINE)
            self._parts.append(text)

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        place = _REFERENCE.fullmatch(attributes.get("r", ""))
        self._column = _column(place[1]) if place else self._column + 1
        self._kind, self._style = attributes.get("t", "n"), _whole(attributes.get("s", ""), 0)
        self._formula, self._parts, self._size = False, [], 0

    def _end_cell(self) -> None:
        value = "".join(self._parts)
        if not value:
            self.grid.formulas += self._formula
        elif text := self._values.get(self._kind, self._number)(value):
            self.grid.put(self._column, text)

    def _shared(self, value: str) -> str:
        number = _whole(value, -1)
        if not 0 <= number < len(self._strings):
            raise InputError(f"{self.grid.place} is damaged: row {self._row} has a text that is not in the workbook.")
        return self._strings[number]

    def _error(self, value: str) -> str:
        self.grid.errors[value[:20]] += 1
        return ""

    def _number(self, value: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        shown = self._shown[self._style] if self._style < len(self._shown) else Shown.NUMBER
        date = None if shown is Shown.NUMBER else cell_dates.in_words(number, shown, since_1904=self._since_1904)
        return plain_number(number) if date is None else date


def plain_number(number: float) -> str:
    """Return a number with the 15 digits that Excel counts with, not as the binary fraction that it keeps."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else otherwise


def _merge(reference: str) -> Merge | None:
    first, _, last = reference.partition(":")
    a, b = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last)
    return Merge(int(a[2]), _column(a[1]), int(b[2]), _column(b[1])) if a and b else None


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _unescaped(text: str) -> str:
    """Return a text with what ``_x000D_`` stands for (ECMA-376, part 1, 22.9.2.19)."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _ignore(_: str) -> None:
    """Take an event that says nothing."""
