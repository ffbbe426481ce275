"""Files and folders on this machine that are the user's alone, written so that they survive a power cut."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from persona.disks import sync_folder


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for nobody else to look into."""
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)


def private(file: Path) -> BinaryIO:
    """Open a file to write it anew, for nobody else to read."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def write_durably(file: Path, data: bytes) -> None:
    """Write a small file whole: beside it, to disk, then in its place."""
    draft = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with private(draft) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(file.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets folders be opened."""
    with suppress(PermissionError):
        sync_folder(folder)
