"""Temporary files that writers left behind when they were killed.

A writer holds the lock of its temporary file, which the system frees when the process ends, however that is. So a file
whose lock is free has no owner. Where there are no such locks, a file is left alone for a day.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from persona.locks import claim
from persona.storage import paths
from persona.storage.backends.local_files import Disk
from persona.storage.backends.local_folder import Folder

STALE_SECONDS = 24 * 3600.0
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)  # NFS locks only what can be written


def remove_if_abandoned(folder: Folder, name: str) -> None:
    """Remove a temporary file if no process writes it; a reader who may not do that leaves it to others."""
    with suppress(OSError):
        fd = os.open(folder.at(name), _FLAGS, dir_fd=folder.fd)
        try:
            free = claim(fd)
            if free is None:
                free = time.time() - os.fstat(fd).st_mtime > STALE_SECONDS
            if free:
                folder.unlink(name)
        finally:
            os.close(fd)


def sweep(folder: Folder) -> None:
    """Remove the abandoned temporary files of one folder."""
    with suppress(OSError), os.scandir(folder.path if folder.fd is None else folder.fd) as entries:
        for entry in entries:
            if paths.is_temporary(entry.name):
                remove_if_abandoned(folder, entry.name)


def prune_attributes(disk: Disk) -> None:
    """Remove what is kept of versions that never came, or are gone: it has the object's path and metadata in it."""
    for file in Path(disk.control("meta")).glob("*/*.json"):
        try:
            path = json.loads(file.read_bytes())["path"]
            with disk.locked(path):
                if not _is_current(disk, path, file):
                    file.unlink(missing_ok=True)
        except (OSError, ValueError, LookupError, TypeError):  # reading the object reports it
            continue


def _is_current(disk: Disk, path: str, file: Path) -> bool:
    with suppress(FileNotFoundError, NotADirectoryError):
        folder, leaf = disk.parent(path)
        with folder:
            found = disk.locate(folder, leaf)
            return found is not None and file.name.split(".")[1] == str(found[1].st_mtime_ns)
    return False
