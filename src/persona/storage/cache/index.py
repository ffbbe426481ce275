"""The index of a cache folder: which objects are kept there, of which place, and what is on its way in.

One SQLite file in WAL mode. All that happens to the folder's files happens within a transaction that only one process
can be in: a file is removed before its row is, and given its name before its row is written. So a process may be killed
at any moment, and never is there a file in the folder that the index does not account for.

``docs/cache.md`` describes the format.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from persona.locks import LockTimeoutError, locked
from persona.storage.backend import StorageObject

T = TypeVar("T")
FORMAT = 1
PAGE_BYTES = 4096
MIN_LOG_BYTES = 192 << 10
SHARED_BYTES = 64 << 10
"""What SQLite's shared memory, the tag and the locks of processes take beside the index and its log."""
MIN_INDEX_BYTES = 640 << 10
BUSY_SECONDS = 20.0
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE scopes (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    hits INTEGER NOT NULL DEFAULT 0,
    misses INTEGER NOT NULL DEFAULT 0,
    evictions INTEGER NOT NULL DEFAULT 0,
    damaged INTEGER NOT NULL DEFAULT 0,
    bytes_saved INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope INTEGER NOT NULL,
    path TEXT NOT NULL,
    version TEXT NOT NULL,
    confirmed REAL NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    stored REAL NOT NULL,
    used INTEGER NOT NULL,
    reads INTEGER NOT NULL DEFAULT 0,
    file TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    digest BLOB NOT NULL,
    key TEXT NOT NULL,
    about BLOB NOT NULL,
    UNIQUE (scope, path)
);
CREATE INDEX by_use ON entries (used);
CREATE INDEX by_reads ON entries (reads, id);
CREATE TABLE flights (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    scope INTEGER NOT NULL,
    path TEXT NOT NULL,
    writes INTEGER NOT NULL,
    bytes INTEGER NOT NULL DEFAULT 0,
    spoiled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE known (
    scope INTEGER, path TEXT, size INTEGER NOT NULL, modified REAL NOT NULL, version TEXT NOT NULL,
    PRIMARY KEY (scope, path)
) WITHOUT ROWID;
CREATE TABLE listings (scope INTEGER, prefix TEXT, at REAL NOT NULL, PRIMARY KEY (scope, prefix)) WITHOUT ROWID;
CREATE TABLE notes (
    scope INTEGER, kind TEXT, path TEXT, version TEXT NOT NULL, text BLOB NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (scope, kind, path)
) WITHOUT ROWID;
CREATE TABLE sums (bytes INTEGER NOT NULL, used INTEGER NOT NULL);
INSERT INTO sums VALUES (0, 0);
CREATE TRIGGER added AFTER INSERT ON entries BEGIN UPDATE sums SET bytes = bytes + new.bytes; END;
CREATE TRIGGER removed AFTER DELETE ON entries BEGIN UPDATE sums SET bytes = bytes - old.bytes; END;
"""
ORDER = {"lru": "used", "lfu": "reads, id", "fifo": "id"}
"""What leaves first, for each strategy: the longest unused; the least read and of these the oldest; the oldest."""
_ENTRY = "id, path, version, confirmed, epoch, stored, file, bytes, digest, key, about"

_TYPES = (int, str, str, float, int, float, str, int, bytes, str, bytes)
FILE_NAME_LENGTH = 32
DAMAGED = "its index is damaged"

_FIND = f"SELECT {_ENTRY} FROM entries WHERE scope = ? AND path = ?"  # noqa: S608  (names of our own)


class BusyError(Exception):
    """Other processes keep the index busy for too long."""


class Entry(NamedTuple):
    """An object that is kept.

    Args:
        id: the number of its arrival.
        path: its storage path.
        version: its version.
        confirmed: when the request began by which the provider last said that this is its version; Unix time. Zero
            after a write that may have replaced it.
        epoch: how often it has been called into question.
        stored: when its content came, in Unix time.
        file: the name of its file.
        weight: the size of its file, in bytes.
        digest: of its file.
        key: the fingerprint of the key that it is encrypted with; "" if it is not.
        about: what else is known of the object, as it was written down.
    """

    id: int
    path: str
    version: str
    confirmed: float
    epoch: int
    stored: float
    file: str
    weight: int
    digest: bytes
    key: str
    about: bytes


def _entry(row: tuple[Any, ...]) -> Entry:
    """Return a row as an entry, if it is one: SQLite gives what it finds.

    Raises:
        sqlite3.DatabaseError: it is not.
    """
    entry = Entry._make(row)
    if tuple(map(type, row)) != _TYPES or entry.weight < 0 or len(entry.file) != FILE_NAME_LENGTH:
        raise sqlite3.DatabaseError(DAMAGED)
    return entry


class Limits(NamedTuple):
    """How a cache's size is shared out, in bytes: most for content, an eighth for the index and its log.

    Args:
        content: what the files with content may take.
        records: what the index may take with its log.
        log: the write-ahead log is written back above this size; no transaction adds more than as much again.
    """

    content: int
    records: int
    log: int

    @classmethod
    def of(cls, max_size: int) -> Limits:
        """Share out the size of a cache."""
        records = max(MIN_INDEX_BYTES, max_size // 8)
        return cls(max(0, max_size - records), records, max(MIN_LOG_BYTES, records // 16))

    @property
    def pages(self) -> int:
        """How many pages the index itself may have."""
        return (self.records - 2 * self.log - SHARED_BYTES) // PAGE_BYTES

    def rows(self, pages_each: int) -> int:
        """Return how many rows one transaction may change, so that the log keeps to its size."""
        return max(1, self.log // (pages_each * (PAGE_BYTES + 24)))


def discard(file: str) -> None:
    """Remove a file, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(file)  # noqa: PTH108


class Index:
    """The index of one cache folder, open in one process.

    Args:
        folder: the cache folder, which is there.
        max_size: the most that the folder may hold, in bytes.
        strategy: what leaves first when it is full.

    Raises:
        sqlite3.Error, OSError: it cannot be opened, or is damaged.
        BusyError: others keep it busy.
    """

    def __init__(self, folder: Path, max_size: int, strategy: str) -> None:
        self.limits = Limits.of(max_size)
        self.contents = f"{folder}/objects"
        self.drafts = f"{folder}/drafts"
        self._order = ORDER[strategy]
        file = f"{folder}/index.sqlite3"
        self._log = f"{file}-wal"
        _make(file)
        self._db = sqlite3.connect(file, isolation_level=None, timeout=BUSY_SECONDS)
        self.closed = False
        try:
            self._prepare()
        except LockTimeoutError as error:
            raise BusyError("another process has been making it for too long") from error
        except ValueError as error:  # a name in it that is no text
            raise sqlite3.DatabaseError(DAMAGED) from error

    def _prepare(self) -> None:
        if self._db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            with locked(f"{self._log}.lock", BUSY_SECONDS):  # SQLite itself does not wait while it changes the mode
                self._create()
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA cache_size = -2000")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")  # see `_shorten_log`
        self._db.execute(f"PRAGMA max_page_count = {self.limits.pages}")
        if self.meta("format") != str(FORMAT):
            raise sqlite3.DatabaseError(f"it has format {self.meta('format')}, and this version reads {FORMAT}")

    def _create(self) -> None:
        """Make the tables, if nobody else has done so meanwhile; the mode is changed last, and says that they are."""
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._db.execute("BEGIN IMMEDIATE")  # only now does SQLite look whether the file has changed
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            for statement in _statements(_SCHEMA):
                self._db.execute(statement)
            self.set_meta(format=str(FORMAT))
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Close the file."""
        self.closed = True
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do all that is within, or nothing, and let nobody else write meanwhile."""
        self._begin()
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite ends it by itself if there is no space
                self._db.execute("ROLLBACK")
            raise
        if self._log_bytes() > self.limits.log // 2:
            self._shorten_log()

    def _begin(self) -> None:
        """Begin a transaction that writes, once there is space for it in the log."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            self._db.execute("BEGIN IMMEDIATE")
            if self._log_bytes() <= self.limits.log:
                return
            self._db.execute("ROLLBACK")
            if self._shorten_log():
                continue
            if time.monotonic() > deadline:
                raise BusyError("its log cannot be written back while others read it")
            time.sleep(random.uniform(0.001, 0.02))  # noqa: S311  (SQLite does not wait for another who does it)

    def parts(self, rows: Sequence[T], *, pages_each: int) -> Iterator[Sequence[T]]:
        """Yield rows in the groups that one transaction may change.

        Args:
            rows: what is to be changed.
            pages_each: how many pages of the index a change of one may touch.
        """
        step = self.limits.rows(pages_each)
        return (rows[first : first + step] for first in range(0, len(rows), step))

    def _log_bytes(self) -> int:
        """Return the size of the log; nobody else adds to it within a transaction."""
        try:
            return os.stat(self._log).st_size  # noqa: PTH116  (a path object costs more than the call)
        except FileNotFoundError:
            return 0

    def _shorten_log(self) -> bool:
        """Write the log back and cut it off, so that it never takes more of the folder than is set aside for it.

        Returns:
            Whether that was possible: not while another process does it.
        """
        return bool(self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)

    # Facts about the folder.

    def meta(self, key: str) -> str | None:
        """Return a fact about the folder."""
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found and str(found[0])

    def set_meta(self, **facts: str) -> None:
        """Note facts about the folder."""
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", facts.items())

    def scope(self, identity: str) -> int:
        """Return the number of a place, which gets one if it is new."""
        found = self._db.execute("SELECT id FROM scopes WHERE identity = ?", (identity,)).fetchone()
        if found is None:
            with self.writing():
                self._db.execute("INSERT OR IGNORE INTO scopes (identity) VALUES (?)", (identity,))
            return self.scope(identity)
        return int(found[0])

    def sound(self) -> bool:
        """Say whether SQLite finds no damage."""
        return self._db.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]

    # Entries.

    def find(self, scope: int, path: str) -> Entry | None:
        """Return what is kept of an object."""
        row = self._db.execute(_FIND, (scope, path)).fetchone()
        if row is None:
            return None
        entry = _entry(row)
        if entry.path != path:  # SQLite believes its own index of paths
            raise sqlite3.DatabaseError(DAMAGED)
        return entry

    def between(self, scope: int, after: str, last: str | None) -> list[Entry]:
        """Return what is kept of the objects after one name, up to another."""
        until = "" if last is None else "AND path <= :last"
        rows = self._db.execute(
            f"SELECT {_ENTRY} FROM entries WHERE scope = :scope AND path > :after {until} ORDER BY path",  # noqa: S608
            {"scope": scope, "after": after, "last": last},
        )
        return [_entry(row) for row in rows.fetchall()]

    def confirm(self, entry: Entry, at: float) -> None:
        """Note that the provider still had an entry's version, unless a write has called it into question since."""
        self._db.execute(
            "UPDATE entries SET confirmed = ? WHERE id = ? AND epoch = ? AND NOT EXISTS "
            "(SELECT 1 FROM flights f WHERE f.scope = entries.scope AND f.path = entries.path AND f.writes)",
            (at, entry.id, entry.epoch),
        )

    def doubt(self, scope: int, path: str) -> None:
        """Call what is kept of an object into question: the next read asks the provider."""
        self._db.execute(
            "UPDATE entries SET confirmed = 0, epoch = epoch + 1 WHERE scope = ? AND path = ?", (scope, path)
        )

    def numbers(self) -> list[int]:
        """Return the numbers of all entries."""
        return [row[0] for row in self._db.execute("SELECT id FROM entries ORDER BY id")]

    def doubt_all(self, numbers: Sequence[int]) -> None:
        """Call entries into question."""
        rows = [(number,) for number in numbers]
        self._db.executemany("UPDATE entries SET confirmed = 0, epoch = epoch + 1 WHERE id = ?", rows)

    def remove(self, entries: Iterable[Entry]) -> None:
        """Remove entries: first the files, so that none is ever left that nobody knows of."""
        for entry in entries:
            discard(self.content(entry.file))
            self._db.execute("DELETE FROM entries WHERE id = ?", (entry.id,))

    def overwrite_removed(self) -> None:
        """Let rows be overwritten with zeros when they are removed, by this process; else it stays in the file."""
        self._db.execute("PRAGMA secure_delete = ON")

    def empty_log(self) -> None:
        """Write the log back and cut it off, as far as nobody is reading: it still has what was removed."""
        self._shorten_log()

    def content(self, file: str) -> str:
        """Return where a content file is; as text, since a path object takes longer than to read the file."""
        return f"{self.contents}/{file[:2]}/{file}"

    def draft(self, name: str) -> str:
        """Return where the file of a flight is."""
        return f"{self.drafts}/{name}"

    def touch(self, reads: Mapping[int, int]) -> None:
        """Note reads of entries, in the order of their last ones.

        Args:
            reads: how often each was read, by its number.
        """
        first = int(self._db.execute("UPDATE sums SET used = used + ? RETURNING used", (len(reads),)).fetchone()[0])
        first -= len(reads)
        rows = [(first + place, count, id_) for place, (id_, count) in enumerate(reads.items(), start=1)]
        self._db.executemany("UPDATE entries SET used = ?, reads = reads + ? WHERE id = ?", rows)

    def count(self, scope: int, **more: int) -> None:
        """Add to the counts of a place: hits, misses, damaged, bytes_saved."""
        changes = ", ".join(f"{name} = {name} + :{name}" for name in more)
        self._db.execute(f"UPDATE scopes SET {changes} WHERE id = :scope", {**more, "scope": scope})  # noqa: S608

    def surplus(self) -> int:
        """Return by how much the content is more than its share, in bytes."""
        return int(self._db.execute("SELECT bytes FROM sums").fetchone()[0]) - self.limits.content

    def shrink(self) -> bool:
        """Give some of the pages that nothing needs back to the disk if there are too many; say whether any went."""
        pages = int(self._db.execute("PRAGMA page_count").fetchone()[0])
        free = int(self._db.execute("PRAGMA freelist_count").fetchone()[0])
        most = min(pages - self.limits.pages, free, self.limits.rows(pages_each=3))
        if most > 0:
            self._db.execute(f"PRAGMA incremental_vacuum({most})").fetchall()
        return most > 0

    def spare_pages(self) -> int:
        """Return how many more pages the index could use."""
        pages = int(self._db.execute("PRAGMA page_count").fetchone()[0])
        free = int(self._db.execute("PRAGMA freelist_count").fetchone()[0])
        return self.limits.pages - pages + free

    def counts(self, scope: int) -> dict[str, int]:
        """Return the counts of a place."""
        names = ("hits", "misses", "evictions", "damaged", "bytes_saved")
        row = self._db.execute(f"SELECT {', '.join(names)} FROM scopes WHERE id = ?", (scope,)).fetchone()  # noqa: S608
        return dict(zip(names, row, strict=True))

    def files(self) -> set[str]:
        """Return the names of all files that belong to an entry or a flight."""
        return {row[0] for row in self._db.execute("SELECT file FROM entries UNION ALL SELECT name FROM flights")}

    def sealed_otherwise(self, scope: int, key: str) -> list[Entry]:
        """Return the entries that were not written down under this key."""
        rows = self._db.execute(f"SELECT {_ENTRY} FROM entries WHERE scope = ? AND key != ?", (scope, key))  # noqa: S608
        return [_entry(row) for row in rows.fetchall()]

    def held(self, scope: int) -> tuple[int, int]:
        """Return how many entries a place has, and their bytes."""
        row = self._db.execute("SELECT count(*), ifnull(sum(bytes), 0) FROM entries WHERE scope = ?", (scope,))
        entries, size = row.fetchone()
        return entries, size

    # Flights: what is on its way into the cache, or to the provider.

    def take_off(self, name: str, owner: str, scope: int, path: str, *, writes: bool) -> None:
        """Begin a flight. One that writes calls into question what is kept, and spoils all others to that object."""
        if writes:
            self.doubt(scope, path)
            self.spoil(scope, path)
        self._db.execute(
            "INSERT INTO flights (name, owner, scope, path, writes) VALUES (?, ?, ?, ?, ?)",
            (name, owner, scope, path, writes),
        )

    def spoil(self, scope: int, path: str) -> None:
        """Let what is on its way of an object not be kept when it arrives."""
        self._db.execute("UPDATE flights SET spoiled = 1 WHERE scope = ? AND path = ?", (scope, path))

    def spoil_all(self, scope: int) -> None:
        """Let nothing be kept that is on its way."""
        self._db.execute("UPDATE flights SET spoiled = 1 WHERE scope = ?", (scope,))

    def unspoiled(self, name: str) -> bool:
        """Say whether there is such a flight, and its content may be kept."""
        return bool(self._db.execute("SELECT spoiled FROM flights WHERE name = ?", (name,)).fetchone() == (0,))

    def good(self, name: str, scope: int, path: str, started: float, now: float) -> bool:
        """Say whether a flight's content may be kept: nobody has written, or is writing, the object meanwhile.

        Nor may it take the place of what a request that began later has brought.

        Args:
            name: the flight.
            scope: the place.
            path: the object.
            started: when the flight began, in Unix time.
            now: the time; what is later has a clock that was wrong.
        """
        writers = "SELECT 1 FROM flights WHERE scope = ? AND path = ? AND writes AND name != ?"
        if not self.unspoiled(name) or self._db.execute(writers, (scope, path, name)).fetchone():
            return False
        old = self.find(scope, path)
        return old is None or old.confirmed <= started or old.confirmed > now

    def reserve(self, name: str, scope: int, path: str, size: int, *, evict: bool) -> bool | None:
        """Set space aside for a flight, and make it if need be.

        Args:
            name: the flight.
            scope: the place.
            path: the object; what is kept of it goes first.
            size: the bytes of the file to come.
            evict: whether others may go.

        Returns:
            True if there is space. False if there is none; nothing has been removed then. None if there is more to
            remove than one transaction should: call again.
        """
        kept = int(self._db.execute("SELECT bytes FROM sums").fetchone()[0])
        reserved = int(
            self._db.execute("SELECT ifnull(sum(bytes), 0) FROM flights WHERE name != ?", (name,)).fetchone()[0]
        )
        missing = kept + reserved + size - self.limits.content
        old = self.find(scope, path)
        if missing > (kept if evict else old.weight if old else 0) or size > self.limits.content:
            return False
        if missing > 0 and old is not None:
            self.remove([old])
            missing -= old.weight
        if not self.evict(missing):
            return None
        return self._db.execute("UPDATE flights SET bytes = ? WHERE name = ?", (size, name)).rowcount == 1

    def evict(self, size: int) -> bool:
        """Remove entries, in the strategy's order, until so many bytes are free; say whether they are already."""
        for _ in range(self.limits.rows(pages_each=6)):
            if size <= 0:
                return True
            entry = self._evict_first()
            if entry is None:
                return False
            size -= entry.weight
        return size <= 0

    def evict_some(self) -> None:
        """Remove some entries, in the strategy's order, for space in the index."""
        for _ in range(self.limits.rows(pages_each=6)):
            self._evict_first()

    def _evict_first(self) -> Entry | None:
        """Remove the entry that leaves first, and return it."""
        row = self._db.execute(f"SELECT {_ENTRY}, scope FROM entries ORDER BY {self._order} LIMIT 1").fetchone()  # noqa: S608
        if row is None:
            return None
        entry = _entry(row[:-1])
        self.remove([entry])
        self._db.execute("UPDATE scopes SET evictions = evictions + 1 WHERE id = ?", (row[-1],))
        return entry

    def insert(self, scope: int, entry: Entry) -> int:
        """Write an entry, in place of one of the same object, and return its number; ``entry.id`` plays no part."""
        if (old := self.find(scope, entry.path)) is not None:
            self.remove([old])
        used = self._db.execute("UPDATE sums SET used = used + 1 RETURNING used").fetchone()[0]
        cursor = self._db.execute(
            "INSERT INTO entries "
            "(scope, used, path, version, confirmed, epoch, stored, file, bytes, digest, key, about) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (scope, used, *entry[1:]),
        )
        return int(cursor.lastrowid or 0)

    def land(self, name: str) -> None:
        """End a flight."""
        self._db.execute("DELETE FROM flights WHERE name = ?", (name,))

    def flights(self) -> list[tuple[str, str]]:
        """Return all flights, each with its owner."""
        return self._db.execute("SELECT name, owner FROM flights").fetchall()

    # What listings have shown.

    def known(self, scope: int, after: str, last: str | None) -> list[StorageObject]:
        """Return the objects that are known after one name, up to another; or the one, if both are the same."""
        until = "" if last is None else "AND path <= :last"
        begin = "=" if after == last else ">"
        rows = self._db.execute(
            f"SELECT path, size, modified, version FROM known WHERE scope = :scope AND path {begin} :after {until} "  # noqa: S608
            "ORDER BY path",
            {"scope": scope, "after": after, "last": last},
        ).fetchall()
        return [
            StorageObject(path, size, datetime.fromtimestamp(modified, UTC), version)
            for path, size, modified, version in rows
        ]

    def know(self, scope: int, objects: Sequence[StorageObject] | None, gone: Sequence[str]) -> None:
        """Note objects, and forget others with the notes on them."""
        rows = [(scope, o.path, o.size, o.last_modified.timestamp(), o.version) for o in objects or ()]
        self._db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?)", rows)
        self._db.executemany("DELETE FROM known WHERE scope = ? AND path = ?", [(scope, path) for path in gone])
        self._db.executemany("DELETE FROM notes WHERE scope = ? AND path = ?", [(scope, path) for path in gone])

    def listed(self, scope: int, prefix: str, at: float) -> None:
        """Note when everything below a prefix was listed; what was noted of folders below it is older."""
        below = prefix and f"{prefix}/"
        self._db.execute(
            "DELETE FROM listings WHERE scope = ? AND prefix >= ? AND prefix < ?", (scope, below, f"{below}\U0010ffff")
        )
        self._db.execute("INSERT OR REPLACE INTO listings VALUES (?, ?, ?)", (scope, prefix, at))

    def listings(self, scope: int) -> dict[str, float]:
        """Return when the folders were listed that were."""
        return dict(self._db.execute("SELECT prefix, at FROM listings WHERE scope = ?", (scope,)).fetchall())

    def forget(self, scope: int) -> bool:
        """Forget some of what listings have shown and of the notes; say whether there is more."""
        self._db.execute("DELETE FROM listings WHERE scope = ?", (scope,))
        most = self.limits.rows(pages_each=1)
        gone = 0
        for table, key in (("known", "path"), ("notes", "kind, path")):
            some = f"SELECT {key} FROM {table} WHERE scope = :scope LIMIT {most - gone}"  # noqa: S608
            query = f"DELETE FROM {table} WHERE scope = :scope AND ({key}) IN ({some})"  # noqa: S608
            gone += self._db.execute(query, {"scope": scope}).rowcount
        return gone == most

    # Notes.

    def notes(self, scope: int, kind: str, first: str, last: str) -> list[tuple[str, str, bytes, str]]:
        """Return path, version, text and key of the notes on the objects from one name to another."""
        return self._db.execute(
            "SELECT path, version, text, key FROM notes WHERE scope = ? AND kind = ? AND path BETWEEN ? AND ?",
            (scope, kind, first, last),
        ).fetchall()

    def note(self, scope: int, kind: str, rows: Sequence[tuple[str, str, bytes, str]]) -> None:
        """Keep notes: path, version, text and key of each."""
        self._db.executemany(
            "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?, ?)", [(scope, kind, *row) for row in rows]
        )


def _make(file: str) -> None:
    """Make the index's file if it is not there, for its permissions, which SQLite gives its other files too.

    One that is there is not opened: to close it again would take away the locks that SQLite has on it in this process
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script one by one, since executescript would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
