"""What is shown while the provider does not answer: own writes that wait, and how old the rest is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from persona.storage.backend import Download, Listing, StorageObject
from persona.storage.outbox import Outbox
from persona.storage.outbox_entry import Entry
from persona.storage.paths import sort_key

_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


class Kept(Protocol):
    """An object in the cache."""

    @property
    def object(self) -> StorageObject:
        """The object as the provider described it."""

    @property
    def confirmed(self) -> float:
        """When the provider last said that this is its version, in seconds of the wall clock."""

    def download(self, start: int = 0, length: int | None = None) -> Download:
        """Start to read it."""


class Memory(Protocol):
    """What is known here of a place, whatever its age."""

    def kept(self, path: str) -> Kept | None:
        """Return an object that is kept here."""

    def described(self, path: str) -> tuple[StorageObject, float] | None:
        """Return what is known of an object, by itself or in a listing, and of when that is."""

    def listing(self, prefix: str, after: str | None = None) -> Listing | None:
        """Return what is known to be below a folder, with `Listing.as_of`; None if nothing is known."""


class Own(Download):
    """A download of content that waits in the outbox.

    Args:
        outbox: where it waits.
        entry: the write.
        start: the first byte wanted.
        length: how many bytes at most; None for all that follow.
    """

    def __init__(self, outbox: Outbox, entry: Entry, start: int = 0, length: int | None = None) -> None:
        self.object = entry.object
        self._outbox = outbox
        self._entry = entry
        self._start = start
        self._end = entry.size if length is None else min(start + length, entry.size)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the content."""
        position = 0
        for piece in self._outbox.content(self._entry):
            if wanted := piece[max(0, self._start - position) : max(0, self._end - position)]:
                yield wanted
            position += len(piece)

    async def close(self) -> None:
        """Do nothing: the file is closed when it has been read."""


def merged(page: Listing, waiting: Iterable[Entry], after: str | None, end: str | None) -> Listing:
    """Return a page of a listing as it will be when what waits has arrived.

    Args:
        page: what the provider has, or is known to have had.
        waiting: the last write or deletion of each path.
        after: only what comes after this path is added, or None.
        end: only what comes up to this path, or None.
    """
    low, high = (None if path is None else sort_key(path) for path in (after, end))
    found = {known.path: known for known in page}
    for entry in waiting:
        key = sort_key(entry.path)
        if (low is not None and key <= low) or (high is not None and key > high):
            continue
        found.pop(entry.path, None)
        if entry.op == "write":
            found[entry.path] = entry.object
    objects = sorted(found.values(), key=lambda known: sort_key(known.path))
    return page.having(objects)


def span(seconds: float) -> str:
    """Return a time span in words, in its largest unit: ``3 hours``."""
    for size, unit in _UNITS:
        if seconds >= size or size == 1:
            count = max(0, int(seconds // size))
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("the last unit fits everything")


def counted(writes: int) -> str:
    """Return how many writes, in words."""
    return "1 write" if writes == 1 else f"{writes:,} writes"
