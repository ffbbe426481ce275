"""Reading the projects of Taguette (``.sqlite3``) and QualCoder (``data.qda``), which are SQLite databases.

A database is opened in memory, from a copy; only tables are read, and no view, trigger or virtual table is run.

Sources: Taguette's ``taguette/database/models.py`` and ``extract.py`` (offsets are bytes of UTF-8 without mark-up),
https://gitlab.com/remram44/taguette; QualCoder's wiki, “Database”, and the tables that ``__main__.py`` creates,
https://github.com/ccbogel/QualCoder.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from sys import getsizeof

from persona.errors import InputError
from persona.personas.sources import limits
from persona.personas.sources.coded import Case, Coding, Source, Span, read_project, unique_names
from persona.personas.sources.records import Dataset, is_missing, tidy

_STEPS = 50_000_000
"""How many steps of its virtual machine SQLite may take, over all queries."""
_STRIDE = 100_000
_TAGUETTE = {"documents", "highlights", "tags", "highlight_tags"}
_QUALCODER = {"source", "code_name", "code_text"}
_BLOCKS = frozenset(("p", "div", "br", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "blockquote", "pre", "table"))
Row = tuple[object, ...]


def read_sqlite(name: str, data: bytes) -> Dataset:
    """Read a project of Taguette or QualCoder.

    Raises:
        InputError: it is damaged, of no known program, larger than what is taken, or holds no text of a respondent.
    """
    try:
        with closing(Database(name, data)) as database:
            if database.tables >= _TAGUETTE:
                return _read_taguette(name, database)
            if database.tables >= _QUALCODER:
                return _read_qualcoder(name, database)
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is damaged: {tidy(str(error))}.", hint="Export or copy it again.") from error
    raise InputError(
        f"{name} is a database, but no project of Taguette or QualCoder.",
        hint="Export its data as .csv, and try again.",
    )


class Database:
    """A database whose tables are read within bounds.

    Args:
        name: the file, for messages.
        data: its bytes.

    Raises:
        sqlite3.Error: it is damaged.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self._name, self._size, self._steps = name, 0, 0
        if data[18:20] == b"\2\2":  # it was written with a log beside it, which nobody gave
            data = data[:18] + b"\1\1" + data[20:]
        self._connection = sqlite3.connect(":memory:")
        self._connection.deserialize(data)
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.MAX_TEXT)
        self._connection.set_progress_handler(self._step, _STRIDE)
        for pragma in ("query_only = 1", "trusted_schema = 0", "cell_size_check = 1"):
            self._connection.execute(f"PRAGMA {pragma}")
        found = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0")
        self.tables = {str(table).lower() for (table,) in found.fetchmany(1000)}

    def close(self) -> None:
        """Free its memory."""
        self._connection.close()

    def rows(self, query: str, table: str) -> Iterator[Row]:
        """Yield the rows of a table, none if it is not there.

        Raises:
            InputError: there are too many, or too much text in them.
        """
        if table not in self.tables:
            return
        for number, row in enumerate(self._connection.execute(query)):
            self._size += sum(getsizeof(value) for value in row if isinstance(value, str))
            if number >= limits.MAX_CELLS:
                raise limits.too_many(self._name, f"rows of {table}", limits.MAX_CELLS)
            if self._size > limits.MAX_TEXT:
                raise limits.too_much_text(self._name, limits.MAX_TEXT)
            yield row

    def _step(self) -> bool:
        self._steps += _STRIDE
        return self._steps > _STEPS


def _read_taguette(name: str, database: Database) -> Dataset:
    tags = {key: tidy(str(path)) for key, path in database.rows("SELECT id, path FROM tags", "tags")}
    tagged: dict[object, list[str]] = {}
    for key, tag in database.rows("SELECT highlight_id, tag_id FROM highlight_tags ORDER BY 1, 2", "highlight_tags"):
        if tags.get(tag):
            tagged.setdefault(key, []).append(tags[tag])
    highlights: dict[object, list[Row]] = {}
    query = "SELECT document_id, id, start_offset, end_offset FROM highlights ORDER BY start_offset, id"
    for row in database.rows(query, "highlights"):
        highlights.setdefault(row[0], []).append(row[1:])
    sources: list[Source] = []
    codings: list[Coding] = []
    for key, title, html in database.rows("SELECT id, name, contents FROM documents ORDER BY id", "documents"):
        page = _Page(str(html))
        sources.append(Source(str(key), tidy(str(title)), page.text))
        for mark, start, end in highlights.get(key, ()):
            if isinstance(start, int) and isinstance(end, int) and 0 <= start < end < len(page.places):
                span = Span(str(key), page.places[start], page.places[end])
                codings += [Coding(span, topic) for topic in tagged.get(mark, ())]
    return read_project(name, sources, codings, ())


def _read_qualcoder(name: str, database: Database) -> Dataset:
    texts = database.rows("SELECT id, name, fulltext FROM source WHERE fulltext != '' ORDER BY id", "source")
    sources = [Source(str(key), tidy(str(title)), str(text)) for key, title, text in texts]
    lengths = {source.key: len(source.text) for source in sources}
    above = {row[0]: row[1] for row in database.rows("SELECT catid, name FROM code_cat", "code_cat")}
    codes = [*database.rows("SELECT cid, name, catid FROM code_name ORDER BY cid", "code_name")]
    topics = unique_names([(str(above.get(category) or ""), str(code)) for _, code, category in codes])
    named = {key: topic for (key, _, _), topic in zip(codes, topics, strict=True)}
    query = "SELECT cid, fid, pos0, pos1 FROM code_text ORDER BY fid, pos0, pos1, cid"
    codings = [
        Coding(span, named[code])
        for code, *place in database.rows(query, "code_text")
        if (span := _span(place, lengths)) and named.get(code)
    ]
    cases = {key: Case(tidy(str(case))) for key, case in database.rows("SELECT caseid, name FROM cases", "cases")}
    query = "SELECT caseid, fid, pos0, pos1 FROM case_text ORDER BY caseid, fid, pos0"
    for key, *place in database.rows(query, "case_text"):
        if key in cases and (span := _span(place, lengths)):
            cases[key].spans.append(span)
    by_key = {source.key: source for source in sources}
    query = "SELECT name, value, id, attr_type FROM attribute ORDER BY attrid"
    for heading, value, key, kind in database.rows(query, "attribute"):
        holder = cases.get(key) if kind == "case" else by_key.get(str(key))
        if holder is not None and not is_missing(text := tidy(str(value or ""))):
            holder.fields[tidy(str(heading))] = text
    return read_project(name, sources, codings, [*cases.values()])


def _span(place: list[object], lengths: dict[str, int]) -> Span | None:
    """Return a part of a source; None if it is none of a text, as of a recording."""
    key, start, end = place
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end and str(key) in lengths):
        return None
    return Span(str(key), start, min(end, lengths[str(key)]))


class _Page(HTMLParser):
    """The text of a document of Taguette's, with the place of each of its bytes.

    `places` has, for each byte of the document without mark-up in UTF-8, the character of `text` that it belongs to.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._length = 0
        self.places = array("I")
        self.feed(html.lstrip())
        self.close()
        self.places.append(self._length)
        self.text = "".join(self._parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._break(tag)

    def handle_data(self, data: str) -> None:
        for number, character in enumerate(data, start=self._length):
            self.places.extend([number] * len(character.encode("utf-8", "replace")))
        self._add(data)

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS and self._parts and not self._parts[-1].endswith("\n"):
            self._add("\n")

    def _add(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
