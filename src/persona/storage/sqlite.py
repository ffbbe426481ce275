"""SQLite files that hold paths or content: nothing that is deleted from them stays in the file."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path


def connect(file: str | Path, *, timeout: float = 30.0) -> sqlite3.Connection:
    """Open a database in autocommit mode; what is deleted is overwritten with zeros from the first write on.

    SQLite is often built without that, and then a deleted row stays in the free part of its page
    (https://www.sqlite.org/pragma.html#pragma_secure_delete).

    Args:
        file: the file.
        timeout: how long to wait for another process that writes, in seconds.
    """
    db = sqlite3.connect(file, isolation_level=None, timeout=timeout)
    with suppress(sqlite3.DatabaseError):  # it is no database: the first use reports that
        db.execute("PRAGMA secure_delete = ON").fetchall()
    return db


def rewrite(db: sqlite3.Connection) -> bool:
    """Write a database anew without its free pages, and cut off its log, where deleted rows may still be.

    Returns:
        Whether the log could be cut off; not while another process reads.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    db.execute("VACUUM")
    return bool(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
