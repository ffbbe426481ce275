"""Writing a file on this machine, such as an export or a codebook: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    InputError,
    NotFoundError,
    PersonaError,
    StorageFullError,
)
from persona.storage.paths import printable
from persona.storage.private import sync

_KINDS = {
    28: StorageFullError,
    122: StorageFullError,
    13: AccessDeniedError,
    1: AccessDeniedError,
    30: AccessDeniedError,
}
"""What the numbers of errors mean: ENOSPC, EDQUOT, EACCES, EPERM, EROFS."""


def write_file(path: Path, data: bytes, *, option: str = "--output", overwrite: bool = True) -> None:
    """Write a file on this machine whole or not at all; a device or a pipe is written to, never replaced.

    Args:
        path: the file.
        data: its content.
        option: which option names it, for messages.
        overwrite: whether a file that is there is replaced.

    Raises:
        AlreadyExistsError: it is there, and `overwrite` is False.
        NotFoundError: its folder does not exist.
        InputError: it is a folder, or cannot be written.
        AccessDeniedError: the folder cannot be written to.
        StorageFullError: the disk is full.
    """
    shown = printable(str(path))
    if path.is_dir():
        raise InputError(f"{shown} is a folder.", hint=f"Give {option} the name of a file, or - for stdout.")
    if not path.parent.is_dir():
        raise NotFoundError(f"There is no folder {printable(str(path.parent))}.", hint="Make it first.")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        elif not overwrite and os.path.lexists(path):
            raise _exists(shown)
        else:
            _write(path.resolve(), data, shown, overwrite=overwrite)  # a link stays one: its target is replaced
    except PersonaError:
        raise
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, InputError)
        raise kind(
            f"{shown} cannot be written: {error.strerror}.", hint=f"Choose another file with {option}."
        ) from error


def _write(path: Path, data: bytes, shown: str, *, overwrite: bool) -> None:
    handle, name = tempfile.mkstemp(prefix=".persona-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o600)
        if overwrite or not _linked(temporary, path, shown):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def _linked(temporary: Path, path: Path, shown: str) -> bool:
    """Give a file its name unless that is taken, in one step; return False on a disk without hard links.

    Raises:
        AlreadyExistsError: the name is taken.
    """
    try:
        path.hardlink_to(temporary)
    except FileExistsError as error:
        raise _exists(shown) from error
    except OSError:
        return False
    return True


def _exists(shown: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"{shown} exists.", hint="Use --overwrite to replace it, or name another file.")
