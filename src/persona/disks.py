"""What file systems refuse: no space, no writing at all, or a call that they do not have.

Network and user-space file systems do without some calls. fsync of a folder gives EINVAL or ENOTSUP there (the error
of fsync(2) for a descriptor that "is bound to a special file which does not support synchronization"), and flock gives
ENOLCK, ENOTSUP or ENOSYS. Persona works on them, with one warning a process for each call that is missing.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


def _codes(*names: str) -> frozenset[int]:
    """Return the numbers of errors by name; systems lack some."""
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


_FULL = _codes("ENOSPC", "EDQUOT", "EFBIG")
_NO_FOLDER_SYNC = _codes("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS")
_NO_LOCKS = _codes("ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS")
_warned: set[str] = set()


def is_full(error: OSError) -> bool:
    """Say whether there is no space left, the quota is used up, or the file would be too large."""
    return error.errno in _FULL


def is_read_only(error: OSError) -> bool:
    """Say whether the whole file system cannot be written to, which no permission changes."""
    return error.errno == errno.EROFS


def has_no_locks(error: OSError) -> bool:
    """Say whether the file system has no locks."""
    return error.errno in _NO_LOCKS


def looks_full(folder: Path) -> bool:
    """Say whether a folder takes no more data, by writing a little to it: for libraries that keep the cause back."""
    probe = folder / f".space-{os.getpid()}"
    try:
        with probe.open("wb") as stream:  # whose buffer writes the rest of what was written in part
            stream.write(bytes(64 << 10))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return is_full(error)
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return False


def sync_folder(folder: int | Path) -> None:
    """Make the names in a folder durable; warn once where the file system has no such call.

    Args:
        folder: its path, or its descriptor, which stays open.

    Raises:
        OSError: the disk failed.
    """
    if os.name != "posix":
        return
    fd = folder if isinstance(folder, int) else os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
        warn_once("fsync", "This file system cannot sync folders: a power cut may undo the last writes.")
    finally:
        if fd != folder:
            os.close(fd)


def warn_once(what: str, text: str, *values: object) -> None:
    """Log a warning, once a process for each kind."""
    if what not in _warned:
        _warned.add(what)
        log.warning(text, *values)
