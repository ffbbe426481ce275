"""Files and folders on this machine that are the user's alone, written so that they survive a power cut."""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO

from persona.disks import sync_folder
from persona.locks import claim

STALE_SECONDS = 24 * 3600.0
"""After this a draft has no owner, where no lock can tell."""
_DRAFT = re.compile(r"\..+\.\d+-\d+\.tmp")


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for nobody else to look into."""
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)


def private(file: Path) -> BinaryIO:
    """Open a file to write it anew, for nobody else to read."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def write_durably(file: Path, data: bytes) -> None:
    """Write a small file whole: beside it, to disk, then in its place. What killed processes left of it goes."""
    for left in file.parent.glob(f".{escape(file.name)}.*.tmp"):
        _remove_if_abandoned(left)
    draft = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with _locked(draft) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            if os.name == "posix":  # while it is locked; Windows renames no file that is open
                draft.replace(file)
        if os.name != "posix":
            draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(file.parent)


def sweep_drafts(folder: Path) -> None:
    """Remove what killed processes left of small files, in a folder and in all below it."""
    for left in folder.rglob(".*.tmp"):
        _remove_if_abandoned(left)


def _locked(draft: Path) -> BinaryIO:
    """Open a draft and take its lock, which tells others that it is being written."""
    while True:
        stream = private(draft)
        claim(stream.fileno())
        with suppress(FileNotFoundError):  # someone removed it before it was locked
            if os.path.samestat(os.fstat(stream.fileno()), draft.stat()):
                return stream
        stream.close()


def _remove_if_abandoned(draft: Path) -> None:
    """Remove a draft that no process writes; where there are no locks, one that is older than a day."""
    if not _DRAFT.fullmatch(draft.name):
        return
    with suppress(OSError):
        fd = os.open(draft, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            free = claim(fd)
            if free is None:
                free = time.time() - os.fstat(fd).st_mtime > STALE_SECONDS
        finally:
            os.close(fd)
        if free:
            draft.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets folders be opened."""
    with suppress(PermissionError):
        sync_folder(folder)
