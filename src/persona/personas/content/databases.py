"""The text of files whose rows are no text themselves: SQLite, and SPSS by the reader that `persona[spss]` installs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from persona.errors import InputError
from persona.personas.content.containers import Part
from persona.personas.sources.projects import Database
from persona.personas.sources.spss import INSTALL, NotInstalledError, texts

_SQLITE, _SPSS = b"SQLite format 3\0", (b"$FL2", b"$FL3")
_TREE_PAGES, _INNER = (b"\x02", b"\x05", b"\x0a", b"\x0d"), 5


def is_database(data: bytes) -> bool:
    """Say whether bytes are a database, or a data file of SPSS."""
    return data.startswith((_SQLITE, *_SPSS))


def parts(data: bytes) -> Iterator[Part]:
    """Yield the text of a database, table by table."""
    if data.startswith(_SPSS):
        yield from _of_spss(data)
        return
    try:
        with closing(Database("the database", data)) as database:
            for table in sorted(database.tables):
                quoted = table.replace('"', '""')
                rows = database.rows(f'SELECT * FROM "{quoted}"', table)  # noqa: S608  (a name, in quotation marks)
                lines = ("\t".join(_shown(value) for value in row) for row in rows)
                yield Part(f"{table}.txt", "\n".join(lines).encode("utf-8", "replace"))
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        yield Part("", None, f"It is damaged ({type(error).__name__}).")
    except InputError as error:
        yield Part("", None, error.message)


def is_left_over(data: bytes, subject: str) -> bool:
    """Say whether an id stands in the free space of a database; values have nothing between them there.

    A bare number is in too many places to mean anybody.
    """
    if not data.startswith(_SQLITE) or subject.isdecimal():
        return False
    before, after = ("(?<![0-9])" if subject[0].isdigit() else ""), ("(?![0-9])" if subject[-1].isdigit() else "")
    pattern = before.encode() + re.escape(subject.encode()) + after.encode()
    return re.search(pattern, _deleted(data)) is not None


def _deleted(data: bytes) -> bytes:
    """Return what stands in the free space of a database, where deleted rows stay until it is written anew.

    Source: “Database File Format”, sections 1.3, 1.5 and 1.6, https://www.sqlite.org/fileformat2.html.
    """
    size = int.from_bytes(data[16:18], "big")
    size = 65_536 if size == 1 else size
    if size < 512 or data[36:40] != bytes(4):  # whole pages are free
        return data
    found = []
    for start in range(0, len(data), size):
        page, head = data[start : start + size], 100 if start == 0 else 0
        if page[head : head + 1] not in _TREE_PAGES:
            continue
        free, cells, content = (int.from_bytes(page[head + n : head + n + 2], "big") for n in (1, 3, 5))
        found.append(page[head + (8 if page[head] > _INNER else 12) + 2 * cells : content or size])
        for _ in range(size):
            if not free:
                break
            found.append(page[free + 4 : free + int.from_bytes(page[free + 2 : free + 4], "big")])
            free = int.from_bytes(page[free : free + 2], "big")
    return b"\0".join(found)


def _of_spss(data: bytes) -> Iterator[Part]:
    try:
        yield Part("values.txt", "\n".join(texts("the file", data)).encode("utf-8", "replace"))
    except NotInstalledError:
        yield Part("", None, INSTALL)
    except InputError as error:
        yield Part("", None, error.message)


def _shown(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
