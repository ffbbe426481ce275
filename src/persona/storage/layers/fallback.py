"""Work goes on while the provider does not answer: reads from what is kept here, writes to the outbox."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from persona.config.schema import OfflineSettings
from persona.errors import (
    INCOMPLETE,
    ConflictError,
    NotFoundError,
    RequestFailedError,
    ThrottledError,
    UnreachableError,
    VerificationError,
)
from persona.moments import moment
from persona.storage.backend import Download, Listing, StorageBackend, StorageObject
from persona.storage.flush import Guard
from persona.storage.layers.fallback_writes import Deferring
from persona.storage.offline import Memory, Own, merged, span
from persona.storage.outbox import Outbox
from persona.storage.outbox_entry import Entry
from persona.storage.paths import clean, clean_object

T = TypeVar("T")
log = logging.getLogger(__name__)


class Fallback(Deferring):
    """Answers reads from memory and keeps writes for later while the provider does not answer.

    Only `UnreachableError` counts, and not `ThrottledError`: then somebody is there. What waits in the outbox is sent
    before the first operation, if the provider answers. Until it is, it is what reads here see.

    Args:
        inner: the storage within, which this takes over; its errors come fast if a breaker is in it.
        memory: what is known here; None if there is no cache.
        outbox: where writes wait; None if they fail, and nothing waits from before.
        offline: what is to be done in an outage.
        provider: gives contents to compare with when the outbox is sent, without a cache; else `inner`.
        fresh: whether answers from memory are not wanted.
        clock: the wall clock.
        guard: refuses what may not be sent from the outbox.
    """

    def __init__(
        self,
        inner: StorageBackend,
        memory: Memory | None,
        outbox: Outbox | None,
        offline: OfflineSettings,
        *,
        provider: StorageBackend | None = None,
        fresh: bool = False,
        clock: Callable[[], float] = time.time,
        guard: Guard | None = None,
    ) -> None:
        super().__init__(inner, memory, outbox, offline, provider=provider, clock=clock, guard=guard)
        self._answers = offline.reads == "cache" and not fresh
        self._served = 0
        self._oldest: float | None = None

    async def read(self, path: str) -> bytes:
        """Return an object's content."""

        async def own(entry: Entry) -> bytes:
            return await Own(self._box, entry).whole()

        async def kept() -> bytes | None:
            try:
                found = self._kept(path)
                return None if found is None else await found.whole()
            except VerificationError as error:
                log.info("%s", error)
                return None

        return await self._asked(path, lambda: self.inner.read(path), own, kept)

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Start to read an object as a stream."""

        async def own(entry: Entry) -> Download:
            if version not in (None, entry.token):
                raise ConflictError(f"{path} was changed, in the outbox.", hint="Read it again.")
            return Own(self._box, entry, start, length)

        async def kept() -> Download | None:
            return self._kept(path, start, length, version)

        return await self._asked(
            path, lambda: self.inner.open(path, start=start, length=length, version=version), own, kept
        )

    async def open_changed(self, path: str, version: str) -> Download | None:
        """Start to read an object if it is at another version, as far as is known."""

        async def own(entry: Entry) -> tuple[Download | None]:
            return (None if entry.token == version else Own(self._box, entry),)

        async def kept() -> tuple[Download | None] | None:
            found = self._kept(path)
            return None if found is None else (None if found.object.version == version else found,)

        async def ask() -> tuple[Download | None]:
            return (await self.inner.open_changed(path, version),)

        return (await self._asked(path, ask, own, kept))[0]

    async def stat(self, path: str) -> StorageObject:
        """Describe an object."""

        async def own(entry: Entry) -> StorageObject:
            return entry.object

        async def kept() -> StorageObject | None:
            return self._described(path)

        return await self._asked(path, lambda: self.inner.stat(path), own, kept)

    async def exists(self, path: str) -> bool:
        """Say whether the object is there; while the provider does not answer, absence is never certain."""

        async def own(entry: Entry) -> bool:
            return True

        async def kept() -> bool | None:
            return True if self._described(path) else None

        try:
            return await self._asked(path, lambda: self.inner.exists(path), own, kept)
        except NotFoundError:  # it is deleted, in the outbox
            if self._outage is None:
                raise
            return False

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """List objects page by page; what is known is marked as such by `Listing.as_of` and `Listing.whole`."""
        folder, last = clean(prefix), None if after is None else clean(after)
        await self._begin()
        try:
            async for page in self.inner.scan(folder, after=last):
                end = page[-1].path if page else last
                yield self._with_own(page, folder, last, end)
                last = end
        except ThrottledError:
            raise
        except UnreachableError as error:
            self._outage = error
            if (known := self._recalled(folder, last)) is None:
                raise
            yield self._with_own(known, folder, last)
            return
        if rest := self._with_own(Listing(), folder, last):
            yield rest

    async def _asked(
        self,
        path: str,
        ask: Callable[[], Awaitable[T]],
        own: Callable[[Entry], Awaitable[T]],
        kept: Callable[[], Awaitable[T | None]],
    ) -> T:
        """Return an answer: of what waits in the outbox, of the provider, or of what is kept here."""
        await self._begin()
        if self._outage is None or not (self._answers and self._waiting(path)):
            try:
                return await ask()
            except ThrottledError:
                raise
            except UnreachableError as error:
                self._outage = error
                if not self._answers:
                    raise
        clean_object(path)
        if entry := self._waiting(path):
            if entry.op == "delete":
                raise NotFoundError(f"{self.url(path)} was deleted, in the outbox.")
            return await own(entry)
        answer = await kept()
        if answer is None:
            raise self._unknown(path)
        return answer

    def _kept(
        self, path: str, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download | None:
        """Start to read what is kept here of an object, and count it; what is damaged is not there."""
        found = self._memory.kept(clean(path)) if self._memory else None
        if found is None or version not in (None, found.object.version):
            return None
        try:
            download = found.download(start, length)
        except VerificationError as error:
            log.info("%s", error)
            return None
        self._count(found.confirmed)
        return download

    def _described(self, path: str) -> StorageObject | None:
        """Return what is known of an object, and count it."""
        found = self._memory.described(clean(path)) if self._memory else None
        if found is None:
            return None
        self._count(found[1])
        return found[0]

    def _recalled(self, folder: str, last: str | None) -> Listing | None:
        """Return what is known of a folder; None if that is nothing, or not wanted."""
        if not self._answers:
            return None
        known = self._memory.listing(folder, last) if self._memory else None
        if not known and folder and last is None:  # absence is never certain
            known = None
        if known is None and self._outbox and self._outbox.waiting(folder):
            known = Listing(as_of=moment(self._clock()), whole=False)
        elif known is not None and known.as_of is not None:
            self._count(known.as_of.timestamp(), len(known))
        return known

    def _count(self, confirmed: float, objects: int = 1) -> None:
        self._served += objects
        self._oldest = confirmed if self._oldest is None else min(self._oldest, confirmed)

    def _unknown(self, path: str) -> UnreachableError:
        assert self._outage  # noqa: S101  (for the types)
        if self._memory is None:
            return self._outage
        kind = RequestFailedError if isinstance(self._outage, RequestFailedError) else UnreachableError
        return kind(f"{self._outage} And {path} is not in the cache.", hint=self._outage.hint)

    def _with_own(self, page: Listing, folder: str, after: str | None, end: str | None = None) -> Listing:
        """Return a page with what waits between two paths, while the provider does not answer."""
        if self._outage is None or not self._answers or not self._outbox:
            return page
        return merged(page, self._outbox.waiting(folder), after, end)

    async def close(self) -> None:
        """Say once what did not come from the provider, and close what is within."""
        if self._served and self._outage and self._oldest is not None:
            log.warning(
                "%s came from what is kept here, the oldest as it was %s ago: %s",
                "1 object" if self._served == 1 else f"{self._served:,} objects",
                span(self._clock() - self._oldest),
                self._outage,
                extra={INCOMPLETE: True},
            )
        self._served = 0
        await self.inner.close()
