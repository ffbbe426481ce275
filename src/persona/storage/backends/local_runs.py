"""The entries of one folder in order, in memory that does not grow with their number."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from contextlib import closing
from typing import IO, NamedTuple

from persona.storage import paths

RUN_ENTRIES = 10_000
"""How many entries are held. A folder with more is sorted in runs, which are merged from a temporary file."""

_BATCH_ENTRIES = 250


class Entry(NamedTuple):
    """A file or folder that has a storage path.

    Args:
        order: what it is sorted by.
        name: its name on disk.
        key: its storage path.
        place: the names of the folder that it stands in, below the root.
        is_folder: whether it is a folder.
        is_link: whether it is a link.
    """

    order: bytes
    name: str
    key: str
    place: tuple[str, ...]
    is_folder: bool
    is_link: bool


class Runs:
    """Takes entries in any order and gives them back in order, each once."""

    def __init__(self) -> None:
        self._held: list[Entry] = []
        self._file: IO[bytes] | None = None
        self._starts: list[tuple[int, int]] = []
        self._in_memory = False

    @property
    def spilled(self) -> bool:
        """Whether there is a temporary file to `close`."""
        return self._file is not None

    def add(self, entry: Entry) -> None:
        """Take an entry."""
        self._held.append(entry)
        if len(self._held) >= RUN_ENTRIES and not self._in_memory:
            self._spill()

    def sorted(self) -> Iterator[Entry]:
        """Yield all entries, once."""
        self._held.sort()
        if self._file is None:
            yield from _once(self._held)
            return
        with closing(self._file) as file:
            runs = [_read(file, start, end) for start, end in self._starts]
            yield from _once(heapq.merge(self._held, *runs))

    def close(self) -> None:
        """Let go of the temporary file."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        """Write the entries that are held to a file without a name."""
        import tempfile  # slow to import, and only needed for large folders

        try:
            self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115  (`sorted` closes it)
        except OSError:  # nowhere to write: then in memory
            self._in_memory = True
            return
        self._held.sort()
        start = self._file.seek(0, 2)
        for first in range(0, len(self._held), _BATCH_ENTRIES):
            batch = [entry[1:] for entry in self._held[first : first + _BATCH_ENTRIES]]
            self._file.write(json.dumps(batch).encode() + b"\n")
        self._starts.append((start, self._file.tell()))
        self._held.clear()


def order_of(key: str, *, is_folder: bool) -> bytes:
    """Return what an entry is sorted by: a folder's name as if ``/`` followed it."""
    return paths.sort_key(key) + (b"/" if is_folder else b"")


def _read(file: IO[bytes], start: int, end: int) -> Iterator[Entry]:
    """Yield the entries of one run."""
    while start < end:
        file.seek(start)
        line = file.readline()
        start += len(line)
        for name, key, place, is_folder, is_link in json.loads(line):
            yield Entry(order_of(key, is_folder=is_folder), name, key, tuple(place), is_folder, is_link)


def _once(entries: Iterator[Entry] | list[Entry]) -> Iterator[Entry]:
    before: Entry | None = None
    for entry in entries:
        if entry != before:
            yield entry
        before = entry
