"""Research data as it lies in files: who is in it, and the same without somebody, the rest as it was to the byte."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from persona.errors import InputError
from persona.personas.sources.decode import decode
from persona.personas.sources.records import ID_HEADING, is_missing, tidy
from persona.personas.sources.tables import delimiter_of
from persona.personas.sources.transcripts import cut, labels_in, read_transcript

TABLES = (".csv", ".tsv")
JSON = (".json",)
JSON_LINES = (".jsonl", ".ndjson")
TEXTS = (".txt", ".text", ".md", ".markdown")
KINDS = (*TABLES, *JSON, *JSON_LINES, *TEXTS)
"""The endings of files that research data comes in."""
_SPOKEN_BY = frozenset({"speaker", "who", "record"})
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}


class Cut(NamedTuple):
    """A file without somebody.

    Args:
        records: how many of its records, or turns, are gone.
        data: what is left; None if nothing is left that is of anybody else.
    """

    records: int
    data: bytes | None


def ids(name: str, data: bytes) -> set[str]:
    """Return the ids of the respondents that a file holds.

    Raises:
        InputError: it cannot be read.
    """
    text, ending = decode(name, data)[0], _ending(name)
    if ending in TABLES:
        return {value for row in _Table(text).rows for value in row.ids}
    if ending in TEXTS:
        return _in_text(name, text)
    documents = [_parsed(name, text)] if ending in JSON else [value for _, value in _lines(name, text)]
    return {found for document in documents for found in _in_json(document)}


def without(name: str, data: bytes, subject: str) -> Cut:
    """Return a file without a respondent.

    Raises:
        InputError: it cannot be read.
    """
    text, ending = decode(name, data)[0], _ending(name)
    if ending in TABLES:
        return _as_before(data, *_Table(text).without(subject))
    if ending in TEXTS:
        return _as_before(data, *_text_without(name, text, subject))
    if ending in JSON_LINES:
        kept = [(line, None if value is None else _pruned(value, subject)) for line, value in _lines(name, text)]
        count = sum(pruned.removed for _, pruned in kept if pruned)
        lines = [_line(line, pruned) for line, pruned in kept]
        left = "".join(lines)
        return _as_before(data, count, left if left.strip() else None)
    pruned = _pruned(_parsed(name, text), subject)
    empty = pruned.gone or pruned.value in ([], {})
    return _as_before(data, pruned.removed, None if empty else json.dumps(pruned.value, ensure_ascii=False, indent=2))


def _ending(name: str) -> str:
    return f".{name.lower().rpartition('.')[2]}"


def _as_before(data: bytes, count: int, text: str | None) -> Cut:
    """Return what is left in the encoding that the file had."""
    if not count or text is None:
        return Cut(count, None if count else data)
    bom = next((bom for bom in _BOMS if data.startswith(bom)), b"")
    if bom:
        return Cut(count, bom + text.encode(_BOMS[bom]))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return Cut(count, text.encode("cp1252"))
    return Cut(count, text.encode())


# Tables.


class _Row(NamedTuple):
    """A row of a table: its lines, and what may be the id of a respondent."""

    lines: str
    ids: tuple[str, ...]


class _Table:
    """A table, row by row.

    Args:
        text: the file's content.

    Raises:
        InputError: it is broken.
    """

    def __init__(self, text: str) -> None:
        lines = [*io.StringIO(text, newline="")]
        parts = list(_parts(lines, delimiter_of("the table", text)))
        filled = [(own, cells) for own, cells in parts if any(cells)]
        headings = filled[0][1] if filled else []
        columns = _id_columns(headings, [cells for _, cells in filled[1:]])
        self.head = filled[0][0] if filled else ""
        self.rows = (
            [
                _Row(own, tuple(cells[i] for i in columns if i < len(cells) and cells[i]))
                for own, cells in parts[parts.index(filled[0]) + 1 :]
            ]
            if filled
            else []
        )
        self.before = "".join(own for own, _ in parts[: parts.index(filled[0])]) if filled else text

    def without(self, subject: str) -> tuple[int, str | None]:
        """Return how many rows are somebody's, and the table without them; None if no row is left."""
        kept = [row for row in self.rows if subject not in row.ids]
        text = self.before + self.head + "".join(row.lines for row in kept)
        return len(self.rows) - len(kept), text if any(row.lines.strip() for row in kept) else None


def _parts(lines: list[str], delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each row's lines as they stand, and its cells."""
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    start = 0
    try:
        for row in reader:
            yield "".join(lines[start : reader.line_num]), [tidy(cell) for cell in row]
            start = reader.line_num
    except csv.Error as error:
        raise InputError(f"The table is broken in line {reader.line_num}: {error}.") from error


def _id_columns(headings: list[str], rows: list[list[str]]) -> list[int]:
    """Return the column that gives the respondents' ids; if none can, all whose heading says that it might."""
    named = [i for i, heading in enumerate(headings) if ID_HEADING.fullmatch(heading or f"column {i + 1}")]
    answers = [{str(i): row[i] for i in named if i < len(row) and not is_missing(row[i])} for row in rows if any(row)]
    for i in named:
        if len({row.get(str(i)) for row in answers} - {None}) == len(answers):
            return [i]
    return named


# JSON.


class _Pruned(NamedTuple):
    """A value without somebody; `gone` if all of it was of that one."""

    value: Any
    removed: int
    gone: bool


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not JSON.") from error


def _lines(name: str, text: str) -> list[tuple[str, Any]]:
    """Return each line with its value, None if it is blank."""
    return [(line, _parsed(name, line) if line.strip() else None) for line in text.splitlines(keepends=True)]


def _line(line: str, pruned: _Pruned | None) -> str:
    if pruned is None or not pruned.removed:
        return line
    return "" if pruned.gone else json.dumps(pruned.value, ensure_ascii=False) + "\n"


def _is_id(key: str) -> bool:
    return key.casefold() in _SPOKEN_BY or ID_HEADING.fullmatch(key.strip()) is not None


def _names(row: Mapping[str, Any]) -> list[str]:
    """Return what an object says of whose it is: ``{"id": …}``, or ``{"participant": {"id": …}}``."""
    found = {key: value for key, value in row.items() if _is_id(key)}
    for key, inner in row.items():
        if isinstance(inner, dict):
            found |= {f"{key} {name}": value for name, value in inner.items() if ID_HEADING.fullmatch(f"{key} {name}")}
    return [tidy(str(value)) for value in found.values() if isinstance(value, str | int)]


def _in_json(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _names(value)
        yield from value
        for inner in value.values():
            yield from _in_json(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _in_json(inner)


def _pruned(value: Any, subject: str) -> _Pruned:
    """Return a value without the objects that are somebody's."""
    if isinstance(value, dict):
        if subject in _names(value):
            return _Pruned(None, 1, gone=True)
        parts = {key: _pruned(inner, subject) for key, inner in value.items() if key != subject}
        count = sum(part.removed for part in parts.values()) + (subject in value)
        return _Pruned({key: part.value for key, part in parts.items() if not part.gone}, count, gone=False)
    if isinstance(value, list):
        items = [_pruned(inner, subject) for inner in value]
        return _Pruned([item.value for item in items if not item.gone], sum(i.removed for i in items), gone=False)
    return _Pruned(value, 0, gone=False)


# Interviews.


def _in_text(name: str, text: str) -> set[str]:
    return {person for person, _ in _people(name, text)} | labels_in(text) | _about(name, text)


def _people(name: str, text: str) -> list[tuple[str, Mapping[str, str]]]:
    try:
        return [(record.id, record.fields) for record in read_transcript(name, text).records]
    except InputError:
        return []  # nobody says anything in it


def _about(name: str, text: str) -> set[str]:
    """Return what the lines above an interview say of whose it is."""
    return {value for _, fields in _people(name, text) for key, value in fields.items() if _is_id(key) or key == "Name"}


def _text_without(name: str, text: str, subject: str) -> tuple[int, str | None]:
    """Return how many turns are somebody's, and the text without them; None if nobody else speaks in it."""
    if subject in _about(name, text) or {person for person, _ in _people(name, text)} == {subject}:
        return 1, None
    return cut(text, subject)
