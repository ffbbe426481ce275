"""Writing a file on this machine, such as an export or a codebook: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from persona.disks import is_full, is_read_only
from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    IncompleteError,
    InputError,
    NotFoundError,
    PersonaError,
    StorageFullError,
)
from persona.storage.paths import printable
from persona.storage.private import sync


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
    try:
        if path.is_dir():
            raise InputError(f"{shown} is a folder.", hint=f"Give {option} the name of a file, or - for stdout.")
        if not path.parent.is_dir():
            raise NotFoundError(f"There is no folder {printable(str(path.parent))}.", hint="Make it first.")
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        if not overwrite and os.path.lexists(path):
            raise _exists(shown)
        target = Path(os.path.realpath(path))  # a link stays one: its target is replaced
        if target.is_symlink():
            raise InputError(f"{shown} is a link that leads round in a circle.", hint="Choose another file.")
        _write(target, data, shown, overwrite=overwrite)
    except PersonaError:
        raise
    except OSError as error:
        raise _unwritable(shown, option, error) from error
    try:
        sync(target.parent)
    except OSError as error:
        raise IncompleteError(
            f"{shown} was written, but may be lost in a power cut: {error.strerror}.", hint="Check the disk."
        ) from error


def _write(path: Path, data: bytes, shown: str, *, overwrite: bool) -> None:
    """Write a file beside its place, to disk, and then into it; a failure leaves nothing."""
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


def _unwritable(shown: str, option: str, error: OSError) -> PersonaError:
    """Return the error for a file that cannot be written."""
    if is_full(error):
        return StorageFullError(
            f"{shown} cannot be written: {error.strerror}.",
            hint=f"Free some space on its disk, or choose another file with {option}.",
        )
    denied = isinstance(error, PermissionError) or is_read_only(error)
    return (AccessDeniedError if denied else InputError)(
        f"{shown} cannot be written: {error.strerror}.", hint=f"Choose another file with {option}."
    )


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
