"""Reading a file: as a stream, or into another file within the system."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from persona.errors import ConflictError
from persona.storage.backend import Download, StorageObject
from persona.storage.backends.local_draft import Draft
from persona.storage.backends.local_files import Disk, errors_of
from persona.storage.backends.local_threads import in_thread

CHUNK_BYTES = 1024 * 1024


class LocalDownload(Download):
    """A file being read, by one descriptor: whatever happens to its name, these are the bytes of one version.

    The first chunk is read at once, so that a small file takes one call to a thread in all and is closed then.

    Args:
        disk: where the file is.
        found: the object.
        fd: its file, which this takes over.
        info: the file's description.
        start: the first byte wanted.
        length: how many bytes at most, or None.
    """

    def __init__(
        self, disk: Disk, found: StorageObject, fd: int, info: os.stat_result, start: int, length: int | None
    ) -> None:
        self.object = found
        self._disk = disk
        self._path = found.path
        self._info = info
        self._file = os.fdopen(fd, "rb", buffering=0)
        self._left = max(0, found.size - start if length is None else min(length, found.size - start))
        self._ready = b""
        try:
            if start and self._left:
                self._file.seek(start)
            self._ready = self._read() if self._left else b""
        except BaseException:
            self._file.close()
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks of at most 1 MiB, and close the file at the end."""
        try:
            while self._ready or self._left:
                yield self._taken() if self._ready else await in_thread(self._read)
        finally:
            self.let_go()

    async def close(self) -> None:
        """Close the file."""
        self.let_go()

    def rest(self) -> bytes:
        """Return what is left, without a thread."""
        if not self._left:
            return self._taken()
        content = bytearray(self._taken())
        while self._left:
            content += self._read()
        return bytes(content)

    def let_go(self) -> None:
        """Close the file, without a thread."""
        self._left = 0
        self._file.close()

    def _taken(self) -> bytes:
        ready, self._ready = self._ready, b""
        return ready

    def _read(self) -> bytes:
        """Read a chunk, and close the file after the last."""
        with errors_of(self._disk, self._path):
            chunk = self._file.read(min(CHUNK_BYTES, self._left))
            info = os.fstat(self._file.fileno())
        if not chunk or (info.st_size, info.st_mtime_ns) != (self._info.st_size, self._info.st_mtime_ns):
            raise ConflictError(f"“{self._path}” was edited by another program while it was read.", hint="Try again.")
        self._left -= len(chunk)
        if not self._left:
            self._file.close()
        return chunk


def copy_bytes(fd: int, draft: Draft, size: int) -> None:
    """Copy a file's content into a draft, by the system where it can."""
    target = draft.fd
    position = 0
    try:
        while position < size and (count := os.copy_file_range(fd, target, size - position)):
            position += count
    except (AttributeError, OSError):  # not on this system, or not on this file system: the slow way is sure
        os.lseek(fd, position, os.SEEK_SET)
    while chunk := os.read(fd, CHUNK_BYTES):
        draft.append(chunk)
    if position + draft.size != size:
        raise ConflictError(f"“{draft.path}”: its source was edited while it was copied.", hint="Try again.")
