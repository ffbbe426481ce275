"""The files of the outbox: written durably, read with suspicion, sealed if the cache is encrypted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO

from persona.disks import is_full
from persona.errors import ConfigError, PersonaError, StorageFullError, VerificationError
from persona.locks import claim
from persona.storage.cache.sealing import Sealing
from persona.storage.private import STALE_SECONDS, private, write_durably

DRAFT = ".draft-"
"""What the names of unfinished entries begin with."""
CHUNK_BYTES = 1 << 20
_LENGTH_BYTES = 4


class Draft:
    """An entry that is being made: a folder under a name that is no entry's.

    Args:
        folder: its folder, which is made.
        cipher: seals the content; None keeps it as it is.
    """

    def __init__(self, folder: Path, cipher: Sealing | None) -> None:
        self.folder = folder
        self.size = 0
        self._cipher = cipher
        self._digest = sha256()
        self._held = b""
        self._number = 0
        self._lock = _made(folder)
        try:
            self._stream = private(folder / "content")
        except BaseException:
            self.release()
            rmtree(folder, ignore_errors=True)
            raise

    @property
    def key(self) -> str:
        """The fingerprint of the key that the content is sealed with, or ""."""
        return self._cipher.key_id if self._cipher else ""

    @property
    def digest(self) -> str:
        """The SHA-256 of the content; "" if it is sealed, since it would tell what is in there."""
        return "" if self._cipher else self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Append to the content."""
        self.size += len(data)
        if self._cipher is None:
            self._digest.update(data)
            self._stream.write(data)
            return
        self._held += data
        while len(self._held) > CHUNK_BYTES:
            self._seal(self._held[:CHUNK_BYTES], last=False)
            self._held = self._held[CHUNK_BYTES:]

    def complete(self) -> None:
        """Make the content durable; nothing more can be written."""
        if self._stream.closed:
            return
        if self._cipher is not None:
            self._seal(self._held, last=True)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()

    def content(self) -> Iterator[bytes]:
        """Yield the content of a draft that is complete."""
        with (self.folder / "content").open("rb") as stream:
            yield from pieces(stream, self._cipher)

    def finish(self, description: bytes) -> None:
        """Make the content and its description durable."""
        self.complete()
        write_durably(self.folder / "entry.json", description)

    def release(self) -> None:
        """Let go of the lock that tells it from what a killed process left: it is an entry now."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def discard(self) -> None:
        """Remove the draft, if it is not an entry by now."""
        with suppress(OSError):  # what it still holds finds no space either
            self._stream.close()
        self.release()
        rmtree(self.folder, ignore_errors=True)

    def _seal(self, data: bytes, *, last: bool) -> None:
        assert self._cipher  # noqa: S101  (for the types)
        sealed = self._cipher.seal(data, _context(self._number, last=last))
        self._stream.write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
        self._number += 1


def _made(folder: Path) -> int | None:
    """Make the folder of a draft and hold its lock; return the descriptor, None where folders cannot be opened."""
    while True:
        folder.mkdir(mode=0o700)
        if os.name != "posix":
            return None
        with suppress(FileNotFoundError):  # another process took it for abandoned before it was locked
            lock = os.open(folder, os.O_RDONLY)
            if claim(lock) is not False and os.fstat(lock).st_nlink:
                return lock
            os.close(lock)


def remove_if_abandoned(draft: Path, age: float) -> None:
    """Remove a draft that no process writes; where there are no locks, one that is older than a day.

    Args:
        draft: its folder.
        age: for how long it was not changed, in seconds.
    """
    free: bool | None = None
    if os.name == "posix":
        lock = os.open(draft, os.O_RDONLY)
        try:
            free = claim(lock)
        finally:
            os.close(lock)
    if free or (free is None and age > STALE_SECONDS):
        rmtree(draft, ignore_errors=True)


def pieces(stream: BinaryIO, cipher: Sealing | None) -> Iterator[bytes]:
    """Yield content as it was before it was sealed.

    Raises:
        VerificationError: it was changed, or is not whole.
    """
    if cipher is None:
        while data := stream.read(CHUNK_BYTES):
            yield data
        return
    number, head = 0, stream.read(_LENGTH_BYTES)
    while head:
        sealed = stream.read(int.from_bytes(head, "big"))
        head = stream.read(_LENGTH_BYTES)
        piece = cipher.unseal(sealed, _context(number, last=not head))
        if piece is None:
            raise VerificationError("Content in the outbox is damaged, or was sealed with another key.")
        yield piece
        number += 1
    if not number:
        raise VerificationError("Content in the outbox is missing.")


def _context(number: int, *, last: bool) -> str:
    """Return what a sealed piece is bound to: its place in the order, and whether it is the last."""
    return f"outbox {number}{' end' if last else ''}"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise this project's error if the outbox cannot be written within.

    Raises:
        StorageFullError: no space is left.
        ConfigError: the folder cannot be used.
    """
    try:
        yield
    except PersonaError:  # some are errors of the system too
        raise
    except OSError as error:
        full = is_full(error)
        raise (StorageFullError if full else ConfigError)(
            f"The outbox in {folder} cannot be written: {error.strerror}.",
            hint="Free some space on the disk of PERSONA_HOME, then run the command again."
            if full
            else "Check the folder and its permissions.",
        ) from error
