"""Removing a respondent from journals, and from what syncs remember: paths, and texts in which one stands.

Journals hold no content. A job that can be resumed must still find what it wrote: it keeps digests of those paths.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from persona.errors import ConflictError, InputError
from persona.storage.sqlite import connect, rewrite
from persona.transfer.journal import REMOVED, path_digest
from persona.transfer.model import State

_HIDDEN = "[erased]"
_PATHS = (("objects", "path"), ("refused", "key"), ("changed", "path"), ("seen", "path"))
_TEXTS = (
    ("objects", "error", _HIDDEN),
    ("objects", "metadata", None),  # it is asked for again before the object is copied
    ("objects", "headers", None),
    ("objects", "lost", None),
    ("refused", "reason", _HIDDEN),
    ("changed", "what", _HIDDEN),
)
"""Columns of free text, and what takes the place of a text that names a respondent."""
_NEEDED = ("options", "source", "destination")
"""Facts without which a job cannot be resumed as it was begun."""
_FREE = ("error", "reserved", "folder_markers", *_NEEDED)


def forget(file: Path, gone: Callable[[str], bool]) -> int:
    """Remove what a journal, or the memory of a pair, has of a respondent, so that nothing of it is left in the file.

    Args:
        file: the SQLite file.
        gone: says whether a path or text names the respondent.

    Returns:
        How many rows went.

    Raises:
        InputError: the job can be resumed, and needs something that names the respondent.
        ConflictError: another process reads the file, so that its log could not be cut off.
    """
    db = connect(file)
    count = 0
    try:
        there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        db.execute("BEGIN IMMEDIATE")
        if "objects" in there:
            facts = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM job")}
            _note_removed(db, facts, gone)
            _hide_facts(db, facts, gone)
        for table, column in (pair for pair in _PATHS if pair[0] in there):
            paths = [row for row in db.execute(f"SELECT {column} FROM {table}") if gone(row[0])]  # noqa: S608
            db.executemany(f"DELETE FROM {table} WHERE {column} = ?", paths)  # noqa: S608  (names of our own)
            count += len(paths)
        for table, column, instead in (each for each in _TEXTS if each[0] in there):
            query = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608
            texts = [(instead, text) for (text,) in db.execute(query) if gone(text)]
            db.executemany(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", texts)  # noqa: S608
        db.execute("COMMIT")
        if not rewrite(db):
            raise ConflictError("Another process reads it.")
    finally:
        db.close()
    return count


def _note_removed(db: sqlite3.Connection, facts: dict[str, Any], gone: Callable[[str], bool]) -> None:
    """Note digests of the paths that go, of a job that can be resumed."""
    if facts.get("state") == State.COMPLETE:
        return
    query = "SELECT path, written, upload FROM objects WHERE written IS NOT NULL OR attempts > 0 OR step = 'active'"
    rows = [row for row in db.execute(query) if gone(row[0])]
    if any(upload for _, _, upload in rows):
        raise _needed("It has an unfinished upload of an object with the respondent's name.")
    if rows:
        salt = facts.get("salt") or secrets.token_hex(16)
        db.execute("INSERT OR REPLACE INTO job VALUES ('salt', ?)", (json.dumps(salt),))
        db.execute(REMOVED)
        noted = [(path_digest(salt, path), written) for path, written, _ in rows]
        db.executemany("INSERT OR REPLACE INTO removed VALUES (?, ?)", noted)


def _hide_facts(db: sqlite3.Connection, facts: dict[str, Any], gone: Callable[[str], bool]) -> None:
    """Take the respondent out of the facts of a job.

    Raises:
        InputError: the job can be resumed, and needs a pattern or a place that names the respondent.
    """
    if gone(str(facts.get("cursor", [""])[0])):
        db.execute("DELETE FROM job WHERE key = 'cursor'")  # the comparison of the listings begins anew
    for key in (each for each in _FREE if each in facts):
        hidden = _hidden(facts[key], gone)
        if hidden == facts[key]:
            continue
        if key in _NEEDED and facts.get("state") != State.COMPLETE:
            raise _needed("A pattern or a place of the job names the respondent.")
        db.execute("UPDATE job SET value = ? WHERE key = ?", (json.dumps(hidden), key))


def _hidden(value: Any, gone: Callable[[str], bool]) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(inner, gone) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner, gone) for inner in value]
    return _HIDDEN if isinstance(value, str) and gone(value) else value


def _needed(message: str) -> InputError:
    return InputError(
        message, hint="Resume the job or remove it with “persona storage migrate prune”, then erase again."
    )
