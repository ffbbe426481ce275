"""The journal of a job: one SQLite file that says what is to be done, and what was done, for every object.

The result of a step and the fact that it was done are one transaction. ``docs/journal.md`` describes the format.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from persona.disks import is_full
from persona.errors import ConfigError, InputError
from persona.storage.backend import Digest, RefusedName
from persona.storage.content_headers import ContentHeaders
from persona.storage.sqlite import connect
from persona.transfer.journal_errors import ANEW, full, translated
from persona.transfer.model import PROVED, WRITING, Action, Count, Row, Step, Tally

FORMAT = 2
_SCHEMA = """
CREATE TABLE job (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    version TEXT NOT NULL,
    digest TEXT,
    content_type TEXT,
    metadata TEXT,
    headers TEXT,
    action TEXT NOT NULL,
    step TEXT NOT NULL,
    target_version TEXT,
    target_digest TEXT,
    md5 TEXT,
    sha256 TEXT,
    written TEXT,
    proof TEXT NOT NULL,
    evidence TEXT,
    error TEXT,
    upload TEXT,
    attempts INTEGER NOT NULL,
    mismatches INTEGER NOT NULL,
    lost TEXT
) WITHOUT ROWID;
CREATE TABLE refused (side TEXT, key TEXT, reason TEXT NOT NULL, PRIMARY KEY (side, key)) WITHOUT ROWID;
CREATE TABLE changed (path TEXT PRIMARY KEY, what TEXT NOT NULL) WITHOUT ROWID;
"""
_SEEN = """
CREATE TABLE IF NOT EXISTS seen (path TEXT PRIMARY KEY, source TEXT NOT NULL, target TEXT NOT NULL) WITHOUT ROWID
"""
REMOVED = "CREATE TABLE IF NOT EXISTS removed (digest TEXT PRIMARY KEY, version TEXT) WITHOUT ROWID"
_COLUMNS = [line.split()[0] for line in _SCHEMA.split("objects (")[1].split(")")[0].split("\n") if line.strip()]
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM objects"  # noqa: S608  (names of our own)
_INSERT = f"INSERT OR REPLACE INTO objects ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_UPDATE = f"UPDATE objects SET {', '.join(f'{c} = ?' for c in _COLUMNS[1:])} WHERE path = ?"  # noqa: S608


class Journal:
    """The journal of one job, open in one process for writing.

    Args:
        file: the SQLite file.
        create: make it; it must not be there.

    Raises:
        InputError: the file is no journal of a format that this version reads.
        StorageFullError: the disk is full; then no new journal stays.
    """

    def __init__(self, file: Path, *, create: bool = False) -> None:
        self.file = file
        if create:
            _make(file)
        elif not file.exists():
            raise InputError(f"There is no journal {file}.")
        self._db = connect(file)
        try:
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA cache_size = -2000")
            if create:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(_SCHEMA)
                self.set(format=FORMAT)
            found = self.get("format")
            if found == 1:
                found = self._upgrade()
        except (sqlite3.DatabaseError, ValueError) as error:
            self._db.close()
            if create:
                remove_files(file)
            if isinstance(error, sqlite3.OperationalError):
                raise translated(error, file.parent) from error
            raise InputError(f"{file} is no journal, or is damaged: {error}.", hint=ANEW) from error
        if found != FORMAT:
            self._db.close()
            raise InputError(f"{file} has format {found}; this version of Persona reads {FORMAT}.")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _upgrade(self) -> int:
        """Add the columns that format 1 did not have."""
        with self.transaction():
            if self.get("format") == 1:  # and no other process has done it meanwhile
                for column in ("headers", "lost"):
                    self._db.execute(f"ALTER TABLE objects ADD COLUMN {column} TEXT")
                self.set(format=FORMAT)
        return FORMAT

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is within, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself has ended it where the disk is full
                self._db.execute("ROLLBACK")
            raise

    # The job.

    def get(self, key: str, default: Any = None) -> Any:
        """Return one fact about the job."""
        found = self._db.execute("SELECT value FROM job WHERE key = ?", (key,)).fetchone()
        return default if found is None else json.loads(found[0])

    def facts(self) -> dict[str, Any]:
        """Return all facts about the job."""
        return {key: json.loads(value) for key, value in self._db.execute("SELECT key, value FROM job")}

    def set(self, **facts: Any) -> None:
        """Note facts about the job."""
        self._db.executemany(
            "INSERT OR REPLACE INTO job VALUES (?, ?)",
            [(key, json.dumps(value, ensure_ascii=False)) for key, value in facts.items()],
        )

    # Its objects.

    def add(self, rows: Iterable[Row]) -> None:
        """Put rows in, instead of those that are there under the same paths."""
        self._db.executemany(_INSERT, [_to_columns(row) for row in rows])

    def record(self, rows: Iterable[Row]) -> None:
        """Write rows back."""
        self._db.executemany(_UPDATE, [(*(columns := _to_columns(row))[1:], columns[0]) for row in rows])

    def refuse(self, side: str, names: Iterable[RefusedName]) -> None:
        """Note foreign names that cannot be carried."""
        self._db.executemany(
            "INSERT OR REPLACE INTO refused VALUES (?, ?, ?)",
            [(side, _text(name.key), _text(name.reason)) for name in names],
        )

    def refuse_only(self, side: str, names: Iterable[RefusedName]) -> None:
        """Note foreign names of one side in place of those that an earlier listing gave."""
        with self.transaction():
            self._db.execute("DELETE FROM refused WHERE side = ?", (side,))
            self.refuse(side, names)

    def refused(self, side: str | None = None) -> list[tuple[str, str]]:
        """Return foreign names with the reasons, of one side or of both."""
        where, values = ("WHERE side = ?", (side,)) if side else ("", ())
        return self._db.execute(f"SELECT key, reason FROM refused {where} ORDER BY key", values).fetchall()  # noqa: S608

    def note_changes(self, changes: Mapping[str, str]) -> None:
        """Note objects that were written at the source after the inventory, and what happened to them."""
        self._db.executemany("INSERT OR REPLACE INTO changed VALUES (?, ?)", changes.items())

    def removed_rows(self) -> dict[str, str | None]:
        """Return what `forget` has noted of objects that this job may have written: digests of paths, and versions."""
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'removed'").fetchone():
            return {}
        return dict(self._db.execute("SELECT digest, version FROM removed").fetchall())

    def wrote(self) -> bool:
        """Say whether the job has written anything to the destination."""
        written = {Step.COPIED.value, Step.VERIFIED.value}
        return bool(self.tally().count(WRITING, written).objects or self.removed_rows())

    def path_digest(self, path: str) -> str:
        """Return the digest of a path as `removed_rows` has it."""
        return path_digest(str(self.get("salt", "")), path)

    def changes(self) -> dict[str, str]:
        """Return what `note_changes` noted."""
        return dict(self._db.execute("SELECT path, what FROM changed ORDER BY path").fetchall())

    def rows(
        self,
        *,
        after: str = "",
        upto: str | None = None,
        steps: Iterable[str] = (),
        actions: Iterable[str] = (),
        limit: int = -1,
    ) -> list[Row]:
        """Return rows in key order.

        Args:
            after: only what comes after this path.
            upto: only what comes up to this path, which is included.
            steps: only rows at one of these steps; all if empty.
            actions: only rows with one of these actions; all if empty.
            limit: at most so many; -1 for all.
        """
        where, values = ["path > ?"], [after]
        if upto is not None:
            where.append("path <= ?")
            values.append(upto)
        for column, allowed in (("step", [*steps]), ("action", [*actions])):
            if allowed:
                where.append(f"{column} IN ({', '.join('?' * len(allowed))})")
                values += allowed
        query = f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY path LIMIT ?"
        try:
            return [_from_columns(found) for found in self._db.execute(query, (*values, limit))]
        except (TypeError, ValueError, AttributeError) as error:  # SQLite gives back whatever a damaged page holds
            raise sqlite3.DatabaseError("a row is none of a journal") from error

    def batches(self, size: int, *, steps: Iterable[str] = (), actions: Iterable[str] = ()) -> Iterator[list[Row]]:
        """Yield rows in key order, at most ``size`` at once; what is recorded meanwhile does not disturb."""
        after = ""
        while batch := self.rows(after=after, steps=steps, actions=actions, limit=size):
            yield batch
            after = batch[-1].path

    def claim(self, size: int, after: str, actions: Iterable[str], step: str) -> list[Row]:
        """Return the next rows that are at a step, noted as begun in one transaction."""
        with self.transaction():
            rows = self.rows(after=after, steps=[step], actions=actions, limit=size)
            if step == Step.OPEN:
                self._db.executemany("UPDATE objects SET step = 'active' WHERE path = ?", [(r.path,) for r in rows])
        return rows

    def reopen(self) -> None:
        """Take back what another process, which is gone, had begun, and what failed; but not conflicts."""
        with self.transaction():
            self._db.execute(
                "UPDATE objects SET step = 'open', attempts = attempts + 1, mismatches = 0, error = NULL "
                "WHERE step = 'active' OR (step = 'failed' AND action NOT IN ('conflict', 'refuse'))"
            )
            self._db.execute("DELETE FROM refused WHERE side = 'erased'")  # what stands there is looked at again
            self._db.execute(  # what arrived without all that was sent with it is sent again
                "UPDATE objects SET step = 'open', action = 'replace', target_version = written, lost = NULL, "
                "attempts = attempts + 1 WHERE step = 'verified' AND lost != '[]' AND written IS NOT NULL"
            )

    def save_upload(self, path: str, token: str | None) -> None:
        """Note the token of an upload in parts, at once."""
        with self.transaction():
            self._db.execute("UPDATE objects SET upload = ? WHERE path = ?", (token, path))

    def last_path(self) -> str | None:
        """Return the last path in key order."""
        found: str | None = self._db.execute("SELECT max(path) FROM objects").fetchone()[0]
        return found

    def tally(self) -> Tally:
        """Add up the objects."""
        tally = Tally()
        query = "SELECT action, step, evidence, count(*), sum(size) FROM objects GROUP BY action, step, evidence"
        for action, step, evidence, count, size in self._db.execute(query):
            if not (isinstance(action, str) and isinstance(step, str) and isinstance(size, int)):
                raise sqlite3.DatabaseError("a row is none of a journal")
            if action != Action.REMOVE:  # what is to be removed is not at the source
                tally.all.add(count, size)
            tally.by.setdefault((action, step), Count()).add(count, size)
            if evidence and step in PROVED:
                tally.evidence[evidence] = tally.evidence.get(evidence, 0) + count
        return tally

    def lost(self, *, sent: bool) -> Iterator[tuple[str, list[str]]]:
        """Yield the objects that lack something at the destination of what goes with their content, and its names.

        Args:
            sent: those that this job has written; else those that were there already.
        """
        query = "SELECT path, lost FROM objects WHERE step IN ('verified', 'unchanged') AND lost != '[]'"
        for path, names in self._db.execute(f"{query} AND written IS {'NOT' if sent else ''} NULL ORDER BY path"):
            try:
                found = [str(name) for name in json.loads(names)]
            except (TypeError, ValueError) as error:
                raise sqlite3.DatabaseError("a row is none of a journal") from error
            yield path, found

    def uncompared(self) -> int:
        """Return how many objects were compared by their content only, not by what goes with it."""
        query = "SELECT count(*) FROM objects WHERE step IN ('verified', 'unchanged') AND lost IS NULL"
        count: int = self._db.execute(query).fetchone()[0]
        return count

    def writes(self, part_bytes: int) -> int:
        """Return how many requests it takes to write what is to be written, with parts of a size."""
        query = (
            "SELECT sum(CASE WHEN size > ?1 THEN 2 + (size + ?1 - 1) / ?1 ELSE 1 END) FROM objects "
            "WHERE action IN ('copy', 'replace')"
        )
        return self._db.execute(query, (part_bytes,)).fetchone()[0] or 0

    def large(self, part_bytes: int) -> int:
        """Return how many of the objects that are to be written go in parts of a size."""
        query = "SELECT count(*) FROM objects WHERE action IN ('copy', 'replace') AND size > ?"
        return int(self._db.execute(query, (part_bytes,)).fetchone()[0])

    def remember(self, pair: Path, settled: Callable[[str, str], bool]) -> None:
        """Note in the file of a pair which versions of its two sides have equal content; and forget what is gone.

        Args:
            pair: the file.
            settled: says of two versions, of source and destination, that neither keeps for another content.
        """
        memory = Memory(pair)
        memory.close()
        self._db.create_function("settled", 2, settled, deterministic=True)
        self._db.execute("ATTACH ? AS pair", (os.fsencode(pair),))
        try:
            with self.transaction():
                self._db.execute("DELETE FROM pair.seen WHERE path NOT IN (SELECT path FROM objects)")
                self._db.execute(
                    "INSERT OR REPLACE INTO pair.seen SELECT path, version, coalesce(written, target_version) "
                    "FROM objects WHERE step = 'verified' AND coalesce(written, target_version) IS NOT NULL "
                    "AND settled(version, coalesce(written, target_version))"
                )
        finally:
            self._db.execute("DETACH pair")


class Memory:
    """What is remembered of a pair of places between syncs: which versions of the two sides have equal content.

    Args:
        file: the SQLite file; made if it is not there, and made anew if it cannot be read, since it saves work only.
    """

    def __init__(self, file: Path) -> None:
        self._db = self._opened(file)

    def seen(self, first: str, last: str) -> dict[str, tuple[str, str]]:
        """Return the versions at source and destination by path, from one path to another, both included."""
        query = "SELECT path, source, target FROM seen WHERE path BETWEEN ? AND ?"
        return {path: (source, target) for path, source, target in self._db.execute(query, (first, last))}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @staticmethod
    def _opened(file: Path) -> sqlite3.Connection:
        for _ in range(2):
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            db = connect(file)
            try:
                db.execute(_SEEN)
                return db
            except sqlite3.DatabaseError:
                db.close()
                file.unlink()
        raise InputError(f"{file} cannot be used.", hint="Remove it.")


def path_digest(salt: str, path: str) -> str:
    """Return the digest under which a path is noted that an erasure removed."""
    return hmac.digest(bytes.fromhex(salt), path.encode(), hashlib.sha256).hex()


def remove_files(file: Path) -> int:
    """Remove a journal with the files that SQLite keeps beside it, and return how many bytes they had."""
    size = 0
    for each in (file, *(file.with_name(f"{file.name}{ending}") for ending in ("-wal", "-shm"))):
        if each.exists():
            size += each.stat().st_size
            each.unlink(missing_ok=True)
    return size


def _make(file: Path) -> None:
    """Make an empty file that only the user can read."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        if is_full(error):
            raise full(file.parent, error.strerror) from error
        raise ConfigError(
            f"{file} cannot be made: {error.strerror}.", hint="Journals are kept in PERSONA_HOME."
        ) from error


def _to_columns(row: Row) -> tuple[Any, ...]:
    return (
        row.path,
        row.size,
        row.version,
        _digest_text(row.digest),
        row.content_type and _text(row.content_type),
        None if row.metadata is None else json.dumps(dict(row.metadata)),
        None if row.headers is None else json.dumps(dict(row.headers.items())),
        row.action,
        row.step,
        row.target_version,
        _digest_text(row.target_digest),
        row.md5,
        row.sha256,
        row.written,
        row.proof,
        row.evidence,
        row.error,
        row.upload,
        row.attempts,
        row.mismatches,
        row.lost,
    )


def _from_columns(found: tuple[Any, ...]) -> Row:
    row = Row(*found)
    if not (isinstance(row.path, str) and isinstance(row.size, int) and row.size >= 0):
        raise TypeError("no path or no size")
    row.digest = _digest(found[3])
    row.metadata = None if found[5] is None else json.loads(found[5])
    row.headers = None if found[6] is None else ContentHeaders.of(json.loads(found[6]))
    row.target_digest = _digest(found[10])
    return row


def columns_of(row: Row) -> dict[str, Any]:
    """Return a row by column, in types that JSON has."""
    return dict(zip(_COLUMNS, _to_columns(row), strict=True))


def row_of(columns: Mapping[str, Any]) -> Row:
    """Return the row of `columns_of`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: they are not those of a row.
    """
    return _from_columns(tuple(columns[name] for name in _COLUMNS))


def _digest_text(digest: Digest | None) -> str | None:
    if digest is None:
        return None
    return f"{'' if digest.vouched else '~'}{digest.algorithm}:{digest.value}"


def _digest(text: str | None) -> Digest | None:
    if text is None:
        return None
    algorithm, _, value = text.removeprefix("~").partition(":")
    return Digest(algorithm, value, not text.startswith("~"))


def _text(name: str) -> str:
    """Return a foreign name as text that can be kept, even if it is not valid Unicode."""
    return name.encode("utf-8", "backslashreplace").decode()
