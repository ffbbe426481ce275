"""A cache around a storage: objects are kept on this machine's disk."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from persona.errors import BucketNotFoundError, NotFoundError, PersonaError, VerificationError
from persona.storage.backend import (
    Condition,
    Download,
    Listing,
    Notes,
    StorageBackend,
    StorageObject,
)
from persona.storage.cache.files import Content, Draft, FileDownload, open_whole
from persona.storage.cache.index import Entry
from persona.storage.cache.sealing import CHUNK_BYTES, Sealing, chunk_context, in_chunks, seal_whole, size_of
from persona.storage.cache.shown import Shown
from persona.storage.cache.store import Flight, Store
from persona.storage.content_headers import ContentHeaders
from persona.storage.layers.informing import Informing, Outcome
from persona.storage.paths import clean, clean_object
from persona.storage.threads import in_thread

log = logging.getLogger(__name__)
SMALL_BYTES = 4 << 20
"""Objects up to this size pass through memory; larger ones are read from their file in the cache."""

_READ_SECONDS = 60.0
"""What a note tells was read at most so long before it is kept."""


class Warmth(Enum):
    """What warming an object came to."""

    FETCHED = "fetched"
    FRESH = "fresh"
    NEVER = "never"
    TOO_LARGE = "too_large"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class _Fetch:
    """An object that is being fetched.

    Args:
        flight: how caches know of it.
        result: the object; None if who fetches it cannot share it.
    """

    flight: Flight
    result: asyncio.Future[Content | None]


class Cache(Informing):
    """A storage whose objects are kept on this machine's disk.

    Within the ttl a read needs no network. After it, one conditional request finds out whether the object is the same
    still. What a listing or a description shows to be of another version is old at once. Descriptions, listings and
    absence always come from the provider.

    Args:
        inner: the storage.
        store: what the cache folder holds of it.
        contents: whether content is kept, or only notes: a local disk gains nothing from a copy of it.
    """

    def __init__(self, inner: StorageBackend, store: Store, *, contents: bool = True) -> None:
        super().__init__(inner, [(store, str)])
        self._store = store
        self._shown = Shown(store)
        self._contents = contents
        self._fetches: dict[str, _Fetch] = {}

    def notes(self, kind: str) -> Notes | None:
        """Return the notes of one kind on this storage's objects."""
        return _Notes(self._shown, kind, self.inner, self._store.clock)

    async def read(self, path: str) -> bytes:
        """Return an object's content, from the cache if it is fresh."""
        path = clean_object(path)
        entry = self._fresh(path)
        if entry is not None and entry.weight <= SMALL_BYTES:  # the shortest way, for most reads
            data = self._store.content(entry)
            if data is not None:
                self._store.note_hit(entry, len(data))
                return data
        download = await self.open(path)
        return await download.whole()

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Start to read an object as a stream, from the cache if it is fresh."""
        path = clean_object(path)
        entry = self._fresh(path)
        kept = entry and version in (None, entry.version) and await self._from(entry, start, length)
        if entry and kept:
            self._store.note_hit(entry, len(range(kept.object.size)[start:][:length]))
            return kept
        if start or length is not None or version is not None:
            self._store.note_miss()
            return await self.inner.open(path, start=start, length=length, version=version)
        return await self._open(path)

    async def stat(self, path: str) -> StorageObject:
        """Describe an object, as the provider does now."""
        at = self._store.clock()
        try:
            found = await self.inner.stat(path)
        except NotFoundError as error:
            self._missed(path, at, error)
            raise
        self._store.seen(found, at)
        return found

    async def exists(self, path: str) -> bool:
        """Say whether the object is there, as the provider does now."""
        at = self._store.clock()
        there = await self.inner.exists(path)
        if not there:
            self._store.missing(clean(path), at)
        return there

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """List objects page by page, and learn from them what is old."""
        folder, at = clean(prefix), self._store.clock()
        position = max((after and clean(after)) or "", folder and f"{folder}/")
        object_seen = not folder or after is not None
        async for page in self.inner.scan(prefix, after=after):
            below = [found for found in page if found.path != folder]
            for found in page[: len(page) - len(below)]:
                self._store.seen(found, at)
                object_seen = True
            if below:
                self._shown.page(below, position, below[-1].path, at)
                position = below[-1].path
            yield page
        if not object_seen:
            self._store.missing(folder, at)
        self._shown.page([], position, f"{folder}/\U0010ffff" if folder else None, at)
        if after is None or clean(after) == folder:
            self._shown.listed(folder, at)

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        condition: Condition | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: ContentHeaders | None = None,
        md5: str | None = None,
    ) -> StorageObject:
        """Write an object whole, and keep it."""
        with self._writing(path) as outcome:
            outcome.written = written = await self.inner.write(
                path, data, condition=condition, content_type=content_type, metadata=metadata, headers=headers, md5=md5
            )
            flight = outcome.flights[0][2]
            keeps = (
                flight is not None and self._keeps(flight.path) and not _is_racy(self.inner, written, flight.started)
            )
            if flight is not None and keeps and self._store.reserve(flight, len(data)):
                await self._keep(flight, written, data)
            return written

    @contextmanager
    def _writing(self, path: str) -> Iterator[Outcome]:
        """Do as any announced write; nobody who reads from now on shares what was asked for before."""
        clean_path = clean_object(path)
        with super()._writing(path) as outcome:
            self._fetches.pop(clean_path, None)
            try:
                yield outcome
            finally:
                self._fetches.pop(clean_path, None)

    def _fresh(self, path: str) -> Entry | None:
        entry = self._store.kept(path)
        return entry if entry is not None and self._store.is_fresh(entry) else None

    def _keeps(self, path: str) -> bool:
        return self._contents and self._store.keeps(path)

    def _missed(self, path: str, at: float, error: NotFoundError) -> None:
        """Let go of an object that is gone; a bucket that is not there says nothing of it."""
        if not isinstance(error, BucketNotFoundError):
            self._store.missing(clean(path), at)

    async def _open(self, path: str) -> Download:
        """Fetch an object, or take what somebody else in this process is fetching already."""
        while (fetch := self._fetches.get(path)) is not None and self._store.is_good(fetch.flight):
            await asyncio.wait([fetch.result])
            if fetch.result.cancelled():  # the first to wake up fetches it
                continue
            shared: Download | None = fetch.result.result()
            if shared is None and (entry := self._fresh(path)) is not None:
                shared = await self._from(entry)
                self._store.note_hit(entry, entry.weight)
            if shared is not None:
                return shared
            break
        flight = self._store.begin(path) if self._keeps(path) else None
        if flight is None:
            self._store.note_miss()
            return await self.inner.open(path)
        return await self._fetch_for_all(flight)

    async def _fetch_for_all(self, flight: Flight) -> Download:
        """Fetch an object for all in this process who want it meanwhile."""
        fetch = _Fetch(flight, asyncio.get_running_loop().create_future())
        self._fetches[flight.path] = fetch
        try:
            download = await self._fetch(flight)
            fetch.result.set_result(download if isinstance(download, Content) else None)
            return download
        except PersonaError as error:
            fetch.result.set_exception(error)
            fetch.result.exception()  # nobody may be waiting for it
            raise
        finally:
            fetch.result.cancel()
            if self._fetches.get(flight.path) is fetch:
                del self._fetches[flight.path]

    async def _fetch(self, flight: Flight) -> Download:
        """Ask the provider for an object, if it has changed, and keep it."""
        path = flight.path
        try:
            entry = self._store.kept(path)
            kept = entry and await self._from(entry)
            if entry is None or kept is None:
                return await self._taken(flight, await self.inner.open(path))
            changed = await self.inner.open_changed(path, entry.version)
            if changed is not None:
                await kept.close()
                return await self._taken(flight, changed)
            self._store.confirm(entry, flight.started)
            self._store.note_hit(entry, kept.object.size)
            return kept
        except NotFoundError as error:
            self._missed(path, flight.started, error)
            raise
        finally:
            self._store.end(flight)

    async def _from(self, entry: Entry, start: int = 0, length: int | None = None) -> Download | None:
        """Return what is kept, or None if it is not what it should be."""
        found = self._store.object(entry)
        if found is None:
            return None
        if entry.weight <= SMALL_BYTES:
            data = self._store.content(entry)
            return None if data is None else Content(found, data, start, length)
        fd = await in_thread(open_whole, self._store.file(entry), entry.weight, entry.digest, undo=_close)
        if fd is None:
            self._store.damaged(entry)
            return None
        return FileDownload(found, fd, entry.file, self._store.sealing, start, length)

    async def warm(self, found: StorageObject) -> Warmth:
        """Fetch an object that has just been listed, if it is not kept at that version; nothing else leaves for it.

        Raises:
            NotFoundError: it is gone.
        """
        flight = self._store.begin(found.path) if self._keeps(found.path) else None
        if flight is None:
            return Warmth.NEVER
        try:
            entry = self._store.kept(found.path)
            if entry and entry.version == found.version and self._store.is_fresh(entry):
                return Warmth.FRESH
            if _is_racy(self.inner, found, flight.started):
                return Warmth.NEVER
            if not self._store.reserve(flight, found.size, evict=False):
                return Warmth.LEFT if self._store.could_hold(found.size) else Warmth.TOO_LARGE
            taken = await self._taken(flight, await self.inner.open(found.path), evict=False)
            await taken.close()
            return Warmth.FETCHED
        finally:
            self._store.end(flight)

    async def _taken(self, flight: Flight, download: Download, *, evict: bool = True) -> Download:
        """Take an object into the cache as it comes; one for which there is no space streams past."""
        self._store.note_miss()
        found = download.object
        if _is_racy(self.inner, found, flight.started) or not self._store.reserve(flight, found.size, evict=evict):
            return download
        if found.size > SMALL_BYTES:
            try:
                return await self._taken_large(flight, download)
            except VerificationError as error:
                log.info("%s Reading it again.", error)
                again = await self.inner.open(flight.path)
                return await self._taken_large(flight, again) if again.object.size == found.size else again
        data, reserved = await download.whole(), found.size
        found = download.object
        if found.size == reserved:  # another if it had to be read again, and was written in between
            await self._keep(flight, found, data)
        return Content(found, data)

    async def _taken_large(self, flight: Flight, download: Download) -> Download:
        """Write an object to its file as it comes, and read it from there."""
        draft = self._store.draft(flight)
        if draft is None:
            return download
        found, sealing = download.object, self._store.sealing
        try:
            digest = await _written_down(draft, flight.name, download, sealing)
            fd = draft.reader() if digest else -1
        except VerificationError:
            draft.discard()
            raise
        except OSError as error:
            if isinstance(error, PersonaError):
                raise
            self._store.fail(error)
            digest = None
        finally:
            draft.close()
            await download.close()
        if digest is None:
            return await self.inner.open(flight.path)
        self._store.keep(flight, found, draft, digest)
        return FileDownload(found, fd, flight.name, sealing)

    async def _keep(self, flight: Flight, found: StorageObject, data: bytes) -> None:
        """Take content at hand into the cache, for which there is space."""
        draft = self._store.draft(flight) if len(data) == found.size else None
        if draft is None:
            return
        try:
            digest = await in_thread(draft.fill, seal_whole(self._store.sealing, flight.name, data))
        except OSError as error:
            self._store.fail(error)
        else:
            self._store.keep(flight, found, draft, digest)
        finally:
            draft.close()


async def _written_down(draft: Draft, name: str, download: Download, sealing: Sealing) -> bytes | None:
    """Write an object to its file as it comes, and return the file's digest; None if it is not as long as announced."""
    size = download.object.size
    number, expected = 0, size_of(sealing, size)
    async for chunk in in_chunks(download):
        sealed = sealing.seal(chunk, chunk_context(name, number, last=(number + 1) * CHUNK_BYTES >= size))
        if draft.size + len(sealed) > expected:
            return None
        await in_thread(draft.append, sealed)
        number += 1
    return await in_thread(draft.finish) if draft.size == expected else None


def _close(fd: int | None) -> None:
    if fd is not None:
        os.close(fd)


class _Notes:
    """The notes of one kind."""

    def __init__(self, shown: Shown, kind: str, inner: StorageBackend, clock: Callable[[], float]) -> None:
        self._shown = shown
        self._kind = kind
        self._inner = inner
        self._clock = clock

    def of(self, objects: Iterable[StorageObject]) -> dict[str, str]:
        """Return the texts that are known of these very versions."""
        return self._shown.noted(self._kind, [*objects]) or {}

    def keep(self, texts: Iterable[tuple[StorageObject, str]]) -> None:
        """Keep a text for each object, unless the object may have changed since and have the same version."""
        since = self._clock() - _READ_SECONDS
        self._shown.note(self._kind, [(each, text) for each, text in texts if not _is_racy(self._inner, each, since)])


def _is_racy(inner: StorageBackend, found: StorageObject, since: float) -> bool:
    """Say whether an object that was read at a time or later may have got other content and keep its version."""
    backend, _ = inner.beneath(found.path)
    return backend.may_change_unseen(found.version, since)
