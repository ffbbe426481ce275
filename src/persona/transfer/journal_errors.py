"""What SQLite says of a journal, in words that tell a full disk from a damaged file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from persona.config.locations import persona_home
from persona.disks import looks_full
from persona.errors import ConfigError, InputError, PersonaError, StorageFullError

ANEW = "Start the job anew; what has arrived is found there. “persona storage migrate prune ID” removes the journal."
_BY_DISK = ("disk I/O", "unable to open")
"""What SQLite says where the system refuses a write, a lock or a file, and does not give the system's reason."""


@contextmanager
def journal_errors() -> Iterator[None]:
    """Turn what SQLite says of a journal into what can be done about it.

    Raises:
        StorageFullError: there is no space left for it.
        ConfigError: it cannot be opened, or not be written to.
        InputError: it is damaged.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, persona_home(os.environ)) from error


def translated(error: sqlite3.Error, folder: Path) -> PersonaError:
    """Return the error of this project for one of SQLite about a journal.

    Args:
        error: what SQLite raises.
        folder: where the journal is, or a folder on the same disk: it is written to if the error may be of a full disk.
    """
    lacks_tables = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    if lacks_tables or not isinstance(error, sqlite3.OperationalError):
        return InputError(f"The journal is damaged: {error}.", hint=ANEW)
    if "full" in str(error) or (any(words in str(error) for words in _BY_DISK) and looks_full(folder)):
        return full(folder, str(error))
    return ConfigError(
        f"The journal cannot be used: {error}.", hint="Check PERSONA_HOME/transfers, its permissions and its disk."
    )


def full(folder: Path, reason: str | None) -> StorageFullError:
    """Return the error for a journal that finds no space."""
    return StorageFullError(
        f"The journal in {folder} cannot be written: {reason}.",
        hint="Free some space on the disk of PERSONA_HOME, then continue: persona storage migrate resume",
    )
