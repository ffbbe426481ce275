"""Answers of real servers with bad values in their fields: which fields there are is found in the answers themselves.

A field is a header, the path of an element of XML, or the path of a value of JSON. Of each row of a listing one field
is spoiled, and besides one other field of each answer: the value that this field had the fewest times so far.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

from tests.faults import Act, Answer, Seen, changed

TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e400",
    "NaN",
    "true",
    "18446744073709551616",
    "99999999999999999999",
    "9223372036854775807",
    "9" * 400,
    "中文",
    "\u00e9",
    "a\tb",
    "a\nb",
    "\u202egpj.exe",
    "\u200bhidden",
    "\x1b[31mred\x1b[0m",
    "\x00",
    "\x7f\x9b31m",
    "\ud800",
    '"',
    "<b>&amp;",
    "../../etc/passwd",
    "%00%0d%0aInjected: 1",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-23:59",
    "Mon, 01 Jan 0001 00:00:00 GMT",
    "2026-13-45T99:99:99Z",
    "http://127.0.0.1:1/elsewhere?a=b",
    "=cmd|'/c calc'!A0",
    "x" * 5000,
)
TYPED: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, [], {}, [{}], {"a": None})
_ROWS = {"Contents", "CommonPrefixes", "Version", "DeleteMarker", "Blob", "BlobPrefix", "Part", "Block"}
_FRAMING = {"content-length", "connection", "date", "server"}
Field = tuple[str, ...]


class Spoiler:
    """Spoils answers, and counts which values each field has had."""

    def __init__(self) -> None:
        self.given: dict[Field, Counter[int]] = {}
        self.answers = 0
        """How many answers came by."""
        self._bodies = 0

    def act(self) -> Act:
        """Return what passes requests on and spoils the answers."""
        return changed(self._changed)

    def missing(self) -> dict[Field, int]:
        """Return the fields that have not had every value yet, and how many are missing."""
        return {
            field: left for field, had in self.given.items() if (left := sum(1 for count in had.values() if not count))
        }

    def value(self, field: Field, values: tuple[Any, ...], fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the value that a field had the fewest times of those that fit."""
        had = self.given.setdefault(field, Counter({n: 0 for n, value in enumerate(values) if fits(value)}))
        number = min(had, key=lambda each: (had[each], each))
        had[number] += 1
        return values[number]

    def _changed(self, seen: Seen, given: Answer) -> Answer:
        self.answers += 1
        if self.answers % 4 == 0:  # the others arrive, so that commands come further than to their first request
            headers = [*given.headers]
            found = [at for at, (name, _) in enumerate(headers) if name.lower() not in _FRAMING]
            if found:
                at = min(found, key=lambda each: sum(self.given.get(("header", headers[each][0].lower()), {}).values()))
                name = headers[at][0]
                text = self.value(("header", name.lower()), TEXTS, _fits_header)
                headers[at] = name, text.encode().decode("latin-1")
            return dataclasses.replace(given, headers=headers)
        body, self._bodies = given.body, self._bodies + 1
        rest = self._bodies % 3 == 0
        if body.lstrip(b"\xef\xbb\xbf").startswith(b"<"):
            body = self._xml(body, rest=rest)
        elif body.startswith(b"{"):
            body = self._json(body, rest=rest)
        return dataclasses.replace(given, body=body)

    def _xml(self, body: bytes, *, rest: bool) -> bytes:
        try:
            root = ElementTree.fromstring(re.sub(rb'\sxmlns="[^"]*"', b"", body.lstrip(b"\xef\xbb\xbf"), count=1))
        except ElementTree.ParseError:
            return body
        for row in [*_rows(root)] if not rest else [root]:
            leaves = {_path(root.tag, row, path): leaf for path, leaf in _leaves(row, rest=rest)}
            if leaves:
                field = min(leaves, key=lambda each: sum(self.given.get(each, {}).values()))
                leaves[field].text = self.value(field, TEXTS, _fits_xml)
        spoiled: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
        return spoiled

    def _json(self, body: bytes, *, rest: bool) -> bytes:
        document = json.loads(body)
        rows = document.get("items") if isinstance(document.get("items"), list) else None
        for row in rows if rows is not None and not rest else [document]:
            leaves = {
                ("json", "items" if row is not document else "", *path): (holder, path[-1])
                for path, holder in _values(row, skip=("items",) if row is document else ())
            }
            if leaves:
                field = min(leaves, key=lambda each: sum(self.given.get(each, {}).values()))
                holder, name = leaves[field]
                holder[name] = self.value(field, TEXTS + TYPED)
        return json.dumps(document).encode()


def _fits_header(text: str) -> bool:
    return not re.search("[\n\r\0\ud800]", text)


def _fits_xml(text: str) -> bool:
    return not re.search("[\0-\x08\x0b\x0c\x0e-\x1f\ud800]", text)


def _rows(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return (each for each in root.iter() if each.tag in _ROWS)


def _path(root: str, row: ElementTree.Element, path: tuple[str, ...]) -> Field:
    return ("xml", root, row.tag, *path)


def _leaves(row: ElementTree.Element, *, rest: bool) -> Iterator[tuple[tuple[str, ...], ElementTree.Element]]:
    """Yield the elements without children below a row; of the whole answer without those of its rows."""
    for child in row:
        if rest and child.tag in _ROWS:
            continue
        if len(child):
            yield from (((child.tag, *path), leaf) for path, leaf in _leaves(child, rest=rest))
        else:
            yield (child.tag,), child


def _values(document: dict[str, Any], skip: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for name, value in document.items():
        if name in skip:
            continue
        yield (name,), document
        if isinstance(value, dict):
            yield from (((name, *path), holder) for path, holder in _values(value, ()))
