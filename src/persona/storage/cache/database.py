"""The SQLite file of a cache folder: made by whoever comes first, and held to the size that it may have."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from persona.locks import LockTimeoutError, locked
from persona.storage.sqlite import connect, rewrite

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
DAMAGED = "its index is damaged"
INDEX_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises: it decodes its own messages, and may quote a damaged name in one."""


class BusyError(Exception):
    """Other processes keep the index busy for too long."""


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


def typed(rows: Iterable[tuple[Any, ...]], *types: type) -> list[Any]:
    """Return rows whose values have the types of their columns: SQLite gives back whatever a damaged page holds.

    Raises:
        sqlite3.DatabaseError: one has another.
    """
    found = [*rows]
    if any(tuple(map(type, row)) != types for row in found):
        raise sqlite3.DatabaseError(DAMAGED)
    return found


def one(rows: Iterable[tuple[Any, ...]], *types: type) -> Any:
    """Return the only row, as `typed` does."""
    found = typed(rows, *types)
    if len(found) != 1:
        raise sqlite3.DatabaseError(DAMAGED)
    return found[0]


def number(rows: Iterable[tuple[Any, ...]]) -> int:
    """Return the only value of the only row, a whole number, as `typed` does."""
    value: int = one(rows, int)[0]
    return value


class Database:
    """The SQLite file of one cache folder, open in one process.

    Args:
        folder: the cache folder, which is there.
        max_size: the most that the folder may hold, in bytes.

    Raises:
        sqlite3.Error, OSError: it cannot be opened, or is damaged.
        BusyError: others keep it busy.
    """

    def __init__(self, folder: Path, max_size: int) -> None:
        self.limits = Limits.of(max_size)
        file = f"{folder}/index.sqlite3"
        self._log = f"{file}-wal"
        _make(file)
        self._db = connect(file, timeout=BUSY_SECONDS)
        self.closed = self._ready = False
        try:
            self._prepare()
        except LockTimeoutError as error:
            raise BusyError("another process has been making it for too long") from error
        except ValueError as error:  # a name in it that is no text
            raise sqlite3.DatabaseError(DAMAGED) from error
        finally:
            if not self._ready:
                self.close()

    def _prepare(self) -> None:
        if self._db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            with locked(f"{self._log}.lock", BUSY_SECONDS):  # SQLite itself does not wait while it changes the mode
                self._create()
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA cache_size = -2000")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")  # see `_shorten_log`
        self._db.execute(f"PRAGMA max_page_count = {self.limits.pages}")
        if self._db.execute("SELECT typeof(bytes), typeof(used) FROM sums").fetchall() != [("integer", "integer")]:
            raise sqlite3.DatabaseError(DAMAGED)
        if self.meta("format") != str(FORMAT):
            raise sqlite3.DatabaseError(f"it has format {self.meta('format')}, and this version reads {FORMAT}")
        self._ready = True

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

    def sound(self) -> bool:
        """Say whether SQLite finds no damage."""
        return self._db.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]

    def shrink(self) -> bool:
        """Give some of the pages that nothing needs back to the disk if there are too many; say whether any went."""
        pages = int(self._db.execute("PRAGMA page_count").fetchone()[0])
        free = int(self._db.execute("PRAGMA freelist_count").fetchone()[0])
        most = min(pages - self.limits.pages, free, self.limits.rows(pages_each=3))
        if most > 0:
            self._db.execute(f"PRAGMA incremental_vacuum({most})").fetchall()
        return most > 0

    def rewrite(self) -> bool:
        """Leave nothing in the file of what was removed; say whether its log could be cut off as well."""
        return rewrite(self._db)

    def spare_pages(self) -> int:
        """Return how many more pages the index could use."""
        pages = int(self._db.execute("PRAGMA page_count").fetchone()[0])
        free = int(self._db.execute("PRAGMA freelist_count").fetchone()[0])
        return self.limits.pages - pages + free


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
