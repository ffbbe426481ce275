"""What many processes know of the versions of objects, in a file that all have mapped: what a read may give.

Each object has a writer at a time, so its versions follow one another at the provider as well. A content says which
object and version it is, and proves it.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

OBJECT_BYTES = 36_000
STRAY_SECONDS = 0.3
"""How long a request of a killed process may still be at work at the provider."""
_SLOTS = 5
_STARTED, _FINISHED, _FOREIGN, _FOREIGN_AT, _DIRTY = range(_SLOTS)


class Floor(NamedTuple):
    """What a read that begins now has to give at least.

    Args:
        version: the least version.
        why: what makes it so.
    """

    version: int
    why: str


class Oracle:
    """The versions of objects.

    Args:
        file: where they are; it is made if it is not there.
        objects: how many there are.
        ttl: how old a read may be, in seconds, if another machine has written.
    """

    def __init__(self, file: Path, objects: int, ttl: float) -> None:
        self.ttl = ttl
        self.objects = objects
        size = objects * _SLOTS * 8
        if not file.exists():
            file.write_bytes(bytes(size))
        self._file = file
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), size)

    def _get(self, number: int, slot: int) -> int:
        return int(struct.unpack_from("<Q", self._map, (number * _SLOTS + slot) * 8)[0])

    def _set(self, number: int, slot: int, value: int) -> None:
        struct.pack_into("<Q", self._map, (number * _SLOTS + slot) * 8, value)

    @contextmanager
    def writing(self, number: int, *, foreign: bool = False) -> Iterator[int | None]:
        """Be the only writer of an object, and know the next version; None if somebody else is it.

        What raises within leaves the version unfinished: it may be there, or come to be, or not.
        """
        fd = os.open(f"{self._file}.lock-{number}", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            if self._get(number, _DIRTY):  # a writer was killed, and its request may still be on its way
                time.sleep(STRAY_SECONDS)
            version = self._get(number, _STARTED) + 1
            self._set(number, _DIRTY, 1)
            self._set(number, _STARTED, version)
            yield version
            if foreign:
                self._set(number, _FOREIGN_AT, time.monotonic_ns())
                self._set(number, _FOREIGN, version)
            else:
                self._set(number, _FINISHED, version)
            self._set(number, _DIRTY, 0)
        finally:
            os.close(fd)

    def floor(self, number: int) -> Floor:
        """Return what a read that begins now has to give at least."""
        own, foreign = self._get(number, _FINISHED), self._get(number, _FOREIGN)
        age = (time.monotonic_ns() - self._get(number, _FOREIGN_AT)) / 1e9
        if foreign > own and age > self.ttl:
            return Floor(foreign, f"another machine wrote it {age:.3f} s ago")
        return Floor(own, "this machine has written it")

    def verdict(self, number: int, data: bytes, floor: Floor) -> str | None:
        """Say what is wrong with a content that a read has given, or None."""
        head, _, _ = data.partition(b"\n")
        name, _, version = head.decode("latin-1").partition(" ")
        if name != name_of(number) or not version.isdigit() or data != content(number, int(version)):
            return f"torn or of another: {name_of(number)} gave {len(data)} bytes that begin {data[:40]!r}"
        if int(version) < floor.version:
            return f"old: {name_of(number)} gave version {version}, not {floor.version}, though {floor.why}"
        if int(version) > self._get(number, _STARTED):
            return f"of the future: {name_of(number)} gave version {version}"
        return None


def name_of(number: int) -> str:
    """Return the path of an object."""
    return f"objects/{number:03}"


def content(number: int, version: int) -> bytes:
    """Return the content of a version: it says what it is, and every part of it follows from that."""
    head = f"{name_of(number)} {version}\n".encode()
    body = hashlib.shake_128(head).digest(1024)
    return (head + body * (OBJECT_BYTES // len(body) + 1))[:OBJECT_BYTES]
