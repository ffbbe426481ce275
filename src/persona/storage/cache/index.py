"""The index of a cache folder: which objects are kept there, of which place, and what is on its way in.

One SQLite file in WAL mode. All that happens to the folder's files happens within a transaction that only one process
can be in: a file is removed before its row is, and given its name before its row is written. So a process may be killed
at any moment, and never is there a file in the folder that the index does not account for.

``docs/cache.md`` describes the format.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from persona.moments import moment
from persona.storage.backend import StorageObject
from persona.storage.cache.database import DAMAGED, Database, number, one, typed

ORDER = {"lru": "used", "lfu": "reads, id", "fifo": "id"}
"""What leaves first, for each strategy: the longest unused; the least read and of these the oldest; the oldest."""
_ENTRY = "id, path, version, confirmed, epoch, stored, file, bytes, digest, key, about"

_TYPES = (int, str, str, float, int, float, str, int, bytes, str, bytes)
_FILE_NAME = re.compile("[0-9a-f]{32}")
DIGEST_BYTES = 16

_FIND = f"SELECT {_ENTRY} FROM entries WHERE scope = ? AND path = ?"  # noqa: S608  (names of our own)


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
        digest: of its file; it is written down bound to the object.
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


def _bound(digest: bytes, scope: int, path: str) -> bytes:
    """Return a digest as it is written down, or as it was before: for another object it is wrong.

    SQLite has no checksums, and takes the path of a row from its own index of paths.
    """
    mask = xxhash.xxh3_128_intdigest(f"{scope} {path}".encode())
    return (int.from_bytes(digest) ^ mask).to_bytes(16)


def _entry(row: tuple[Any, ...], scope: int) -> Entry:
    """Return a row as an entry, if it is one: SQLite gives what it finds.

    Raises:
        sqlite3.DatabaseError: it is not.
    """
    entry = Entry._make(row)
    if tuple(map(type, row)) != _TYPES or entry.weight < 0 or not _FILE_NAME.fullmatch(entry.file):
        raise sqlite3.DatabaseError(DAMAGED)
    if len(entry.digest) != DIGEST_BYTES:
        raise sqlite3.DatabaseError(DAMAGED)
    return entry._replace(digest=_bound(entry.digest, scope, entry.path))


def discard(file: str) -> None:
    """Remove a file, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(file)  # noqa: PTH108


class Index(Database):
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
        super().__init__(folder, max_size)
        self.contents = f"{folder}/objects"
        self.drafts = f"{folder}/drafts"
        self._order = ORDER[strategy]

    def scope(self, identity: str) -> int:
        """Return the number of a place, which gets one if it is new."""
        found = self._db.execute("SELECT id FROM scopes WHERE identity = ?", (identity,)).fetchone()
        if found is None:
            with self.writing():
                self._db.execute("INSERT OR IGNORE INTO scopes (identity) VALUES (?)", (identity,))
            return self.scope(identity)
        return int(found[0])

    # Entries.

    def find(self, scope: int, path: str) -> Entry | None:
        """Return what is kept of an object."""
        row = self._db.execute(_FIND, (scope, path)).fetchone()
        if row is None:
            return None
        return _entry(row, scope)

    def between(self, scope: int, after: str, last: str | None) -> list[Entry]:
        """Return what is kept of the objects after one name, up to another."""
        until = "" if last is None else "AND path <= :last"
        rows = self._db.execute(
            f"SELECT {_ENTRY} FROM entries WHERE scope = :scope AND path > :after {until} ORDER BY path",  # noqa: S608
            {"scope": scope, "after": after, "last": last},
        )
        return [_entry(row, scope) for row in rows.fetchall()]

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
        return [row[0] for row in typed(self._db.execute("SELECT id FROM entries ORDER BY id"), int)]

    def doubt_all(self, numbers: Sequence[int]) -> None:
        """Call entries into question."""
        rows = [(number,) for number in numbers]
        self._db.executemany("UPDATE entries SET confirmed = 0, epoch = epoch + 1 WHERE id = ?", rows)

    def remove(self, entries: Iterable[Entry]) -> None:
        """Remove entries: first the files, so that none is ever left that nobody knows of."""
        for entry in entries:
            discard(self.content(entry.file))
            self._db.execute("DELETE FROM entries WHERE id = ?", (entry.id,))

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
        first = number(self._db.execute("UPDATE sums SET used = used + ? RETURNING used", (len(reads),))) - len(reads)
        rows = [(first + place, count, id_) for place, (id_, count) in enumerate(reads.items(), start=1)]
        self._db.executemany("UPDATE entries SET used = ?, reads = reads + ? WHERE id = ?", rows)

    def count(self, scope: int, **more: int) -> None:
        """Add to the counts of a place: hits, misses, damaged, bytes_saved."""
        changes = ", ".join(f"{name} = {name} + :{name}" for name in more)
        self._db.execute(f"UPDATE scopes SET {changes} WHERE id = :scope", {**more, "scope": scope})  # noqa: S608

    def surplus(self) -> int:
        """Return by how much the content is more than its share, in bytes."""
        return number(self._db.execute("SELECT bytes FROM sums")) - self.limits.content

    def counts(self, scope: int) -> dict[str, int]:
        """Return the counts of a place."""
        names = ("hits", "misses", "evictions", "damaged", "bytes_saved")
        rows = self._db.execute(f"SELECT {', '.join(names)} FROM scopes WHERE id = ?", (scope,))  # noqa: S608
        return dict(zip(names, one(rows, *[int] * len(names)), strict=True))

    def files(self) -> set[str]:
        """Return the names of all files that belong to an entry or a flight."""
        rows = self._db.execute("SELECT file FROM entries UNION ALL SELECT name FROM flights")
        return {row[0] for row in typed(rows, str)}

    def sealed_otherwise(self, scope: int, key: str) -> list[Entry]:
        """Return the entries that were not written down under this key."""
        rows = self._db.execute(f"SELECT {_ENTRY} FROM entries WHERE scope = ? AND key != ?", (scope, key))  # noqa: S608
        return [_entry(row, scope) for row in rows.fetchall()]

    def held(self, scope: int) -> tuple[int, int]:
        """Return how many entries a place has, and their bytes."""
        rows = self._db.execute("SELECT count(*), ifnull(sum(bytes), 0) FROM entries WHERE scope = ?", (scope,))
        entries, size = one(rows, int, int)
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
        kept = number(self._db.execute("SELECT bytes FROM sums"))
        reserved = number(self._db.execute("SELECT ifnull(sum(bytes), 0) FROM flights WHERE name != ?", (name,)))
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
        entry = _entry(row[:-1], row[-1])
        self.remove([entry])
        self._db.execute("UPDATE scopes SET evictions = evictions + 1 WHERE id = ?", (row[-1],))
        return entry

    def insert(self, scope: int, entry: Entry) -> int:
        """Write an entry, in place of one of the same object, and return its number; ``entry.id`` plays no part."""
        if (old := self.find(scope, entry.path)) is not None:
            self.remove([old])
        used = number(self._db.execute("UPDATE sums SET used = used + 1 RETURNING used"))
        written = entry._replace(digest=_bound(entry.digest, scope, entry.path))
        cursor = self._db.execute(
            "INSERT INTO entries "
            "(scope, used, path, version, confirmed, epoch, stored, file, bytes, digest, key, about) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (scope, used, *written[1:]),
        )
        return int(cursor.lastrowid or 0)

    def land(self, name: str) -> None:
        """End a flight."""
        self._db.execute("DELETE FROM flights WHERE name = ?", (name,))

    def flights(self) -> list[tuple[str, str]]:
        """Return all flights, each with its owner."""
        found = typed(self._db.execute("SELECT name, owner FROM flights"), str, str)
        if not all(_FILE_NAME.fullmatch(name) for flight in found for name in flight):  # files are removed by them
            raise sqlite3.DatabaseError(DAMAGED)
        return found

    # What listings have shown.

    def known(self, scope: int, after: str, last: str | None) -> list[StorageObject]:
        """Return the objects that are known after one name, up to another; or the one, if both are the same."""
        until = "" if last is None else "AND path <= :last"
        begin = "=" if after == last else ">"
        rows = self._db.execute(
            f"SELECT path, size, modified, version FROM known WHERE scope = :scope AND path {begin} :after {until} "  # noqa: S608
            "ORDER BY path",
            {"scope": scope, "after": after, "last": last},
        )
        found = typed(rows, str, int, float, str)
        return [StorageObject(path, size, moment(modified), version) for path, size, modified, version in found]

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
        rows = self._db.execute("SELECT prefix, at FROM listings WHERE scope = ?", (scope,))
        return dict(typed(rows, str, float))

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
        rows = self._db.execute(
            "SELECT path, version, text, key FROM notes WHERE scope = ? AND kind = ? AND path BETWEEN ? AND ?",
            (scope, kind, first, last),
        )
        return typed(rows, str, str, bytes, str)

    def note(self, scope: int, kind: str, rows: Sequence[tuple[str, str, bytes, str]]) -> None:
        """Keep notes: path, version, text and key of each."""
        self._db.executemany(
            "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?, ?)", [(scope, kind, *row) for row in rows]
        )
