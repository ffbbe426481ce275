"""One file as a lock between processes and threads: of an object, a configuration file, a job."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from persona.disks import has_no_locks, warn_once

if sys.platform != "win32":
    import fcntl

POLL_SECONDS = 0.005
_LOCKS: dict[str, threading.Lock] = {}
"""The locks of files on file systems without locks."""
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
    with ExitStack() as stack:
        try:
            fd = _taken(file, seconds, mode)
        except OSError as error:
            if not has_no_locks(error):
                raise
            warn_once("flock", "This file system has no locks: run one Persona at a time on it. It holds %s.", file)
            stack.enter_context(_within_process(str(file), seconds))
        else:
            stack.callback(os.close, fd)  # which releases it
        yield


@contextmanager
def _within_process(file: str, seconds: float) -> Iterator[None]:
    """Hold the lock of a file between the threads of this process, which is all that can be had without flock.

    Raises:
        LockTimeoutError: it was not to be had in time.
    """
    lock = _LOCKS.setdefault(file, threading.Lock())
    if not lock.acquire(timeout=seconds):
        raise LockTimeoutError
    try:
        yield
    finally:
        lock.release()


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
