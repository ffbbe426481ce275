"""The files of a cache folder: made under a name of their own, read only if they are what they should be."""

from __future__ import annotations

import os
import secrets
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import xxhash

from persona.errors import ConfigError, VerificationError
from persona.locks import LockTimeoutError, locked
from persona.storage.backend import Download, StorageObject
from persona.storage.cache.sealing import CHUNK_BYTES, Sealing, chunk_context
from persona.storage.private import private_folder

TAG_NAME = "CACHEDIR.TAG"
TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache of Persona. Backups can leave it out: https://bford.info/cachedir/
"""
YOUNG_SECONDS = 60.0
"""The file of an owner that is younger may not be locked yet."""
_FOLDERS = ("objects", "drafts", "owners")
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def prepare(folder: Path) -> None:
    """Make a cache folder that only the user can look into, or take one that is ours already.

    Raises:
        ConfigError: it is in use for something else, or belongs to somebody else.
        OSError: it cannot be made.
    """
    private_folder(folder)
    info = folder.lstat() if not folder.is_symlink() else folder.stat()
    if hasattr(os, "getuid") and info.st_uid != os.getuid():
        raise ConfigError(f"The cache folder {folder} belongs to somebody else.", hint="Set storage.cache.path.")
    tag = folder / TAG_NAME
    if not tag.exists():
        if any(entry.name not in _FOLDERS for entry in folder.iterdir()) and not tag.exists():
            raise ConfigError(
                f"storage.cache.path is {folder}, which holds other files.",
                hint="Name a folder that is new or empty: persona storage config set cache.path FOLDER",
            )
        (folder / "drafts").mkdir(mode=0o700, exist_ok=True)
        draft = Draft(str(folder / "drafts" / secrets.token_hex(16)))
        draft.fill([TAG])
        try:
            Path(draft.file).replace(tag)
        except FileNotFoundError:  # another process was first, and has cleared up what the index does not know
            if not tag.exists():
                raise
    if stat.S_IMODE(info.st_mode) & 0o077:
        folder.chmod(0o700)
    for name in _FOLDERS:
        (folder / name).mkdir(mode=0o700, exist_ok=True)


class Owner:
    """A process, or a part of one, that has flights: others see by a lock on its file whether it is still there.

    Args:
        folder: the cache folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "owners"
        self.name = secrets.token_hex(16)
        self._held = ExitStack()
        self._begun = False

    def begin(self) -> str:
        """Take the lock, the first time, and return the name."""
        if not self._begun:
            self._held.enter_context(locked(self._folder / self.name, 0))
            self._begun = True
        return self.name

    def end(self) -> None:
        """Let the lock go."""
        if self._begun:
            (self._folder / self.name).unlink(missing_ok=True)
        self._held.close()

    def gone(self, name: str) -> bool:
        """Say whether another one is no longer there."""
        file = self._folder / name
        if not file.exists():
            return True
        try:
            with locked(file, 0):
                file.unlink(missing_ok=True)
        except (LockTimeoutError, OSError):
            return False
        return True

    def clear_up(self) -> None:
        """Remove the files of others that are gone; one that is young may be of somebody who is about to lock it."""
        for other in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if other.name != self.name and time.time() - other.stat().st_mtime > YOUNG_SECONDS:
                    self.gone(other.name)


class Draft:
    """A file on its way into the cache.

    Args:
        file: where it is made; there is nothing yet.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.size = 0
        self._digest = xxhash.xxh3_128()
        self._fd = os.open(file, _WRITE, 0o600)
        self._busy = threading.RLock()
        """Who closes it waits for the thread that is writing: its descriptor could be that of another file then."""

    def append(self, data: bytes) -> None:
        """Write more of it."""
        with self._busy:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            self.size += len(data)
            self._digest.update(data)

    def fill(self, pieces: Iterable[bytes]) -> bytes:
        """Write all of it, bring it to the disk, and return its digest."""
        with self._busy:
            for piece in pieces:
                self.append(piece)
            return self.finish()

    def reader(self) -> int:
        """Return another descriptor of the file, to read it."""
        return os.open(self.file, _READ)

    def finish(self) -> bytes:
        """Bring it to the disk, and return its digest."""
        with self._busy:
            try:
                os.fsync(self._fd)
            finally:
                self.close()
            return self._digest.digest()

    def close(self) -> None:
        """Let go of it. Closing twice is fine."""
        with self._busy:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def discard(self) -> None:
        """Remove it, so that another can be made in its place."""
        self.close()
        Path(self.file).unlink(missing_ok=True)


def read_whole(file: str, size: int, digest: bytes) -> bytes | None:
    """Return the content of a file of a few MiB, or None if it is not there or not what it should be."""
    try:
        fd = os.open(file, _READ)
    except OSError:
        return None
    try:
        data = os.read(fd, size + 1)
    except OSError:
        return None
    finally:
        os.close(fd)
    return data if len(data) == size and xxhash.xxh3_128_digest(data) == digest else None


def open_whole(file: str, size: int, digest: bytes) -> int | None:
    """Return the descriptor of a file whose content is what it should be, else None."""
    try:
        fd = os.open(file, _READ)
    except OSError:
        return None
    found = xxhash.xxh3_128()
    length = 0
    with suppress(OSError):
        while chunk := os.read(fd, CHUNK_BYTES):
            found.update(chunk)
            length += len(chunk)
    if length == size and found.digest() == digest:
        return fd
    os.close(fd)
    return None


class Content(Download):
    """An object whose content is at hand, or a part of it.

    Args:
        found: the object.
        data: its content.
        start: the first byte wanted.
        length: how many bytes at most; None for all that follow.
    """

    def __init__(self, found: StorageObject, data: bytes, start: int = 0, length: int | None = None) -> None:
        self.object = found
        self.data = data if not start and length is None else data[start:][:length]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the content at once."""
        if self.data:
            yield self.data

    async def close(self) -> None:
        """Do nothing: nothing is held."""


class FileDownload(Download):
    """An object whose content is in an open file, which has been checked and which nobody changes.

    Args:
        found: the object.
        fd: the file, which this takes over.
        file: its name.
        sealing: how the content was written down.
        start: the first byte wanted.
        length: how many bytes at most; None for all that follow.
    """

    def __init__(
        self, found: StorageObject, fd: int, file: str, sealing: Sealing, start: int = 0, length: int | None = None
    ) -> None:
        self.object = found
        self._fd = fd
        self._file = file
        self._sealing = sealing
        self._start = start
        self._end = found.size if length is None else min(found.size, start + length)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the content chunk by chunk."""
        position = self._start
        try:
            while self._fd >= 0 and position < self._end:
                number, offset = divmod(position, CHUNK_BYTES)
                piece = self._chunk(number)[offset : offset + self._end - position]
                position += len(piece)
                yield piece
        finally:
            await self.close()

    def _chunk(self, number: int) -> bytes:
        step = self._sealing.size(CHUNK_BYTES)
        os.lseek(self._fd, number * step, os.SEEK_SET)
        last = (number + 1) * CHUNK_BYTES >= self.object.size
        found = self._sealing.unseal(os.read(self._fd, step), chunk_context(self._file, number, last=last))
        if not found:
            raise VerificationError(f"What is kept of {self.object.path} is damaged.", hint="Run the command again.")
        return found

    async def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder; one that goes meanwhile is left out."""
    for root, _, names in os.walk(folder):
        for name in names:
            yield Path(root, name)
