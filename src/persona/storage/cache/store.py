"""What a cache folder holds of one place, and what is on its way there.

Nothing here makes a request. A cache that fails, for a full disk say, is left aside with one warning: it never keeps
anybody from the storage itself.
"""

from __future__ import annotations

import functools
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from persona.errors import PersonaError
from persona.storage.backend import StorageObject
from persona.storage.cache import about
from persona.storage.cache.database import INDEX_ERRORS, BusyError
from persona.storage.cache.files import Draft, Owner, prepare, read_whole
from persona.storage.cache.house import distrust_after_a_crash, make_room, sweep
from persona.storage.cache.index import Entry, Index, discard
from persona.storage.cache.sealing import Plain, Sealing, size_of, unseal_whole

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
FLUSH_SECONDS = 1.0
"""Reads are noted in the index at least this often, and before anything is removed by their order."""


@dataclass(frozen=True, slots=True)
class Flight:
    """An object on its way into the cache, or to the provider.

    Args:
        name: its own name, which its file gets.
        path: the object.
        started: when it began, in Unix time.
        writes: whether the object is being written.
    """

    name: str
    path: str
    started: float
    writes: bool


@dataclass(slots=True)
class _Reads:
    """Reads that the index does not know of yet.

    Args:
        since: when they began to be counted, in Unix time.
        entries: how often each entry was read, by its number, in the order of the last time.
        hits: how many were answered from the cache.
        misses: how many were not.
        saved: the bytes that were not transferred.
    """

    since: float
    entries: dict[int, int] = field(default_factory=dict)
    hits: int = 0
    misses: int = 0
    saved: int = 0


class MayFail(Protocol):
    """What works with a cache that may be out of use."""

    @property
    def off(self) -> bool:
        """Whether it is."""

    def fail(self, error: Exception) -> None:
        """Put it out of use."""


F = TypeVar("F", bound=MayFail)


def tolerant(method: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T | None]:
    """Let a method return None if the cache is out of use, and put it out of use if it fails."""

    @functools.wraps(method)
    def call(self: F, /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        if self.off:
            return None
        try:
            return method(self, *args, **kwargs)
        except PersonaError:
            raise
        except (*INDEX_ERRORS, BusyError, OSError) as error:
            self.fail(error)
            return None

    return call


class Store:
    """What a cache folder holds of one place.

    Args:
        folder: the cache folder; it is made.
        identity: workspace and place: no two share an entry.
        max_size: the most that the folder may take, in bytes.
        strategy: ``lru``, ``lfu`` or ``fifo``: what leaves first when it is full.
        ttl: how long a read needs no network, in seconds.
        never: says of a path whether it must not be kept.
        sealing: how content is written down.
        since: what was confirmed before does not count as fresh, in Unix time; 0 for all.
        clock: the time, in Unix seconds.

    Raises:
        ConfigError: the folder cannot be used.
        sqlite3.Error, BusyError, OSError: the index cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        identity: str,
        *,
        max_size: int,
        strategy: str = "lru",
        ttl: float = 3600.0,
        never: Callable[[str], bool] | None = None,
        sealing: Sealing | None = None,
        since: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        prepare(folder)
        self.folder = folder
        self.clock = clock
        self.sealing = sealing or Plain()
        self.off = False
        """Whether the cache is out of use, for this process."""
        self.ttl = ttl
        self._since = since
        self._never = never
        self.max_size = max_size
        self._owner = Owner(folder)
        self._reads = _Reads(clock())
        self.index = Index(folder, max_size, strategy)
        try:
            distrust_after_a_crash(self.index, self._owner)
            sweep(self.index, self._owner)
            self.scope = self.index.scope(identity)
        except BaseException:
            self.index.close()
            raise

    def close(self) -> None:
        """Note what is not noted yet, and let go of the folder. Closing twice is fine."""
        if not self.index.closed:
            self.flush()
            self.off = True
            self._owner.end()
            self.index.close()

    def fail(self, error: Exception) -> None:
        """Put the cache out of use, for this process."""
        self.off = True
        log.warning("The cache in %s cannot be used, so reads go to the provider: %s.", self.folder, error)

    # Reading.

    @tolerant
    def kept(self, path: str) -> Entry | None:
        """Return what is kept of an object, whatever its age."""
        entry = self.index.find(self.scope, path)
        if entry is None or entry.key != self.sealing.key_id:
            return None
        if entry.confirmed > self.clock():  # by a clock that was wrong: it must not come to be fresh one day
            with self.index.writing():
                self.index.doubt(self.scope, path)
            return self.index.find(self.scope, path)
        return entry

    def is_older(self, entry: Entry, at: float) -> bool:
        """Say whether what is known of an entry comes from before a time, or from a clock that was wrong."""
        return not at <= entry.confirmed <= self.clock()

    def is_fresh(self, entry: Entry, ahead: float = 0.0) -> bool:
        """Say whether an entry needs no question to the provider, now or so many seconds later."""
        confirmed = entry.confirmed
        return confirmed >= self._since and 0 <= self.clock() + ahead - confirmed < self.ttl

    def content(self, entry: Entry) -> bytes | None:
        """Return an entry's content; None, and the entry is dropped, if its file is not what it should be."""
        data = read_whole(self.index.content(entry.file), entry.weight, entry.digest)
        if data is not None and entry.key:
            data = unseal_whole(self.sealing, entry.file, data)
        if data is None:
            self.damaged(entry)
        return data

    def file(self, entry: Entry) -> str:
        """Return where an entry's content is."""
        return self.index.content(entry.file)

    def object(self, entry: Entry) -> StorageObject | None:
        """Return the object that an entry is of; None, and the entry is dropped, if that cannot be read."""
        text = self.sealing.unseal(entry.about, f"{entry.path} {entry.version}")
        found = None if text is None else about.read(entry.path, entry.version, text)
        if found is None:
            self.damaged(entry)
        return found

    def note_hit(self, entry: Entry, size: int) -> None:
        """Count a read that was answered from here; it is written down a moment later, with others.

        Args:
            entry: what was read.
            size: how many bytes were not transferred.
        """
        reads = self._reads
        reads.entries[entry.id] = reads.entries.pop(entry.id, 0) + 1
        reads.hits += 1
        reads.saved += size
        if self.clock() - reads.since > FLUSH_SECONDS:
            self.flush()

    def note_miss(self) -> None:
        """Count a read that was not answered from here."""
        self._reads.misses += 1

    @tolerant
    def flush(self) -> None:
        """Write down the reads since the last time."""
        reads, self._reads = self._reads, _Reads(self.clock())
        for part in self.index.parts([*reads.entries.items()], pages_each=4):
            with self.index.writing():
                self.index.touch(dict(part))
        if reads.hits or reads.misses:
            with self.index.writing():
                self.index.count(self.scope, hits=reads.hits, misses=reads.misses, bytes_saved=reads.saved)

    # What is on its way.

    def keeps(self, path: str) -> bool:
        """Say whether an object may be kept at all."""
        return not self.off and not (self._never and self._never(path))

    def begin(self, path: str, *, writes: bool = False) -> Flight | None:
        """Announce that an object is about to be fetched, or written. None if the cache is out of use.

        One that writes makes all processes ask the provider for this object until it has ended, and keeps what they
        are fetching meanwhile out of the cache, since that may be from before.
        """
        flight = Flight(secrets.token_hex(16), path, self.clock(), writes)
        if self._take_off(flight):
            return flight
        if writes:
            self.disown(path)
        return None

    @tolerant
    def _take_off(self, flight: Flight) -> bool:
        owner = self._owner.begin()
        with self.index.writing():
            self.index.take_off(flight.name, owner, self.scope, flight.path, writes=flight.writes)
        return True

    def disown(self, path: str) -> None:
        """Take away what is kept of an object without the index, which cannot be written: its file goes.

        An entry without its file is no entry, and what is on its way cannot be kept without its draft.
        """
        with suppress(sqlite3.Error, OSError):
            if entry := self.index.find(self.scope, path):
                discard(self.index.content(entry.file))
            for name, _ in self.index.flights():
                discard(self.index.draft(name))

    def reserve(self, flight: Flight, size: int, *, evict: bool = True) -> bool:
        """Set space aside for an object's file, before any of it is written.

        Args:
            flight: the object on its way.
            size: of the object, in bytes.
            evict: whether others may leave for it.

        Returns:
            Whether there is space: not if the object is larger than all that could leave.
        """
        weight = size_of(self.sealing, size)
        return bool(self._reserve(flight, weight, evict) or (self.sweep() and self._reserve(flight, weight, evict)))

    def could_hold(self, size: int) -> bool:
        """Say whether an object of this size has space if all else leaves."""
        return size_of(self.sealing, size) <= self.index.limits.content

    @tolerant
    def _reserve(self, flight: Flight, size: int, evict: bool) -> bool:
        self.flush()
        done = None
        while done is None:
            with self.index.writing():
                done = self.index.reserve(flight.name, self.scope, flight.path, size, evict=evict)
        return done

    @tolerant
    def sweep(self) -> bool:
        """Remove what processes have left that are gone; say whether there was anything."""
        return sweep(self.index, self._owner)

    @tolerant
    def draft(self, flight: Flight) -> Draft:
        """Begin the file of an object for which there is space."""
        return Draft(self.index.draft(flight.name))

    @tolerant
    def keep(self, flight: Flight, found: StorageObject, draft: Draft, digest: bytes) -> Entry | None:
        """Take an object into the cache, unless somebody has written it since the flight began.

        Args:
            flight: the object on its way.
            found: what the provider says of it.
            draft: its file, finished.
            digest: that of the file.
        """
        text = self.sealing.seal(about.write(found), f"{flight.path} {found.version}")
        entry = Entry(
            id=0,
            path=flight.path,
            version=found.version,
            confirmed=flight.started,
            epoch=0,
            stored=self.clock(),
            file=flight.name,
            weight=draft.size,
            digest=digest,
            key=self.sealing.key_id,
            about=text,
        )
        try:
            return self._insert(flight, entry, draft.file)
        except FileNotFoundError:  # somebody has taken the draft away, who could not write in the index
            return None
        except sqlite3.OperationalError as error:
            make_room(self.index, self.scope, error)
            return None

    def _insert(self, flight: Flight, entry: Entry, draft: str) -> Entry | None:
        """Give a file its name and write its row, in one transaction."""
        target = self.index.content(entry.file)
        Path(target).parent.mkdir(mode=0o700, exist_ok=True)
        try:
            with self.index.writing():
                if not self.index.good(flight.name, self.scope, flight.path, flight.started, self.clock()):
                    return None
                if flight.writes:  # what others have fetched meanwhile may be from before
                    self.index.spoil(self.scope, flight.path)
                Path(draft).rename(target)
                number = self.index.insert(self.scope, entry)
                self.index.land(flight.name)
        except BaseException:
            discard(target)
            raise
        return entry._replace(id=number)

    def end(self, flight: Flight | None, written: StorageObject | None = None, *, gone: bool = False) -> None:
        """End a flight, and remove its file if it has not been taken into the cache.

        Args:
            flight: what has ended.
            written: what a write has left at the provider.
            gone: whether the object is gone.
        """
        if flight is not None and not self._end(flight, written, gone) and (written or gone):
            self.disown(flight.path)

    @tolerant
    def _end(self, flight: Flight, written: StorageObject | None, gone: bool) -> bool:
        discard(self.index.draft(flight.name))
        with self.index.writing():
            if flight.writes:
                self.index.spoil(self.scope, flight.path)
                if not (written or gone):  # who fails may have written all the same
                    self.index.doubt(self.scope, flight.path)
            if written or gone:
                old = self.index.find(self.scope, flight.path)
                if old and (gone or (written and old.version != written.version)):
                    self.index.remove([old])
                if self.index.listings(self.scope):
                    self.index.know(self.scope, [written] if written else [], [flight.path] if gone else [])
            self.index.land(flight.name)
        return True

    # What the provider says.

    @tolerant
    def is_good(self, flight: Flight) -> bool:
        """Say whether nobody has begun or ended a write of an object since the flight began."""
        return self.index.unspoiled(flight.name)

    @tolerant
    def confirm(self, entry: Entry, at: float) -> None:
        """Note that an entry's version was still the provider's, by a request that began at this time."""
        with self.index.writing():
            self.index.confirm(entry, at)

    @tolerant
    def seen(self, found: StorageObject, at: float) -> None:
        """Note an object as the provider has described it: another version makes what is kept old.

        Args:
            found: the object.
            at: when the request began, in Unix time.
        """
        entry = self.index.find(self.scope, found.path)
        if entry and self.is_older(entry, at):
            with self.index.writing():
                if entry.version == found.version:
                    self.index.confirm(entry, at)
                else:
                    self.index.doubt(self.scope, found.path)

    @tolerant
    def missing(self, path: str, at: float) -> None:
        """Note that the provider has no such object: what is kept of it goes. Absence itself is never kept."""
        entry = self.index.find(self.scope, path)
        if entry and self.is_older(entry, at):
            with self.index.writing():
                self.index.remove([entry])
                self.index.know(self.scope, [], [path])

    @tolerant
    def damaged(self, entry: Entry) -> None:
        """Remove an entry whose file is not what it should be, unless it has just left in another way."""
        with self.index.writing():
            now = self.index.find(self.scope, entry.path)
            if now is not None and now.id == entry.id:
                log.info("What is kept of %s is damaged, and not used.", entry.path)
                self.index.remove([entry])
                self.index.count(self.scope, damaged=1)
