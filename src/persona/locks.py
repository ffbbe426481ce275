"""One file as a lock between processes and threads: of an object, a configuration file, a job."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

POLL_SECONDS = 0.005
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class LockTimeoutError(Exception):
    """Somebody else holds the lock for too long."""


@contextmanager
def locked(file: str | Path, seconds: float, *, mode: int = 0o600) -> Iterator[None]:
    """Hold the lock of a file, which is made if need be and stays.

    By flock itself where the system has it, since filelock takes longer than all the rest of a small write; and it goes
    with the process that held it.

    Args:
        file: its path.
        seconds: how long to wait for it.
        mode: its permissions if it is made.

    Raises:
        LockTimeoutError: it was not to be had in time.
        OSError: the file cannot be made.
    """
    if sys.platform == "win32":
        from filelock import FileLock, Timeout

        try:
            with FileLock(file, timeout=seconds, mode=mode, poll_interval=POLL_SECONDS):
                yield
        except Timeout as error:
            raise LockTimeoutError from error
        return
    fd = _taken(file, seconds, mode)
    try:
        yield
    finally:
        os.close(fd)  # which releases it


def claim(fd: int) -> bool | None:
    """Take the lock of an open file or folder without waiting; it is held until the descriptor is closed.

    Returns:
        Whether it was free; None where that cannot be known: the system or the file system has no such locks.
    """
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _taken(file: str | Path, seconds: float, mode: int) -> int:
    """Return the descriptor of a file whose lock is taken, and which is still the file of this name.

    Who holds a lock may remove its file. Who has waited for it then holds the lock of a file that nobody else can open,
    while the next one makes another: so the name is looked at once the lock is taken.
    """
    deadline = time.monotonic() + seconds
    while True:
        fd = os.open(file, _FLAGS, mode)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(fd, file):
                return fd
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise LockTimeoutError from None
            time.sleep(POLL_SECONDS)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_named(fd: int, file: str | Path) -> bool:
    """Say whether a file's name is still that of an open file."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(file))
    except FileNotFoundError:
        return False
