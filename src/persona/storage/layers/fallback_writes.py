"""The writes of the fallback: kept in the outbox while the provider does not answer, and sent when it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from persona.config.schema import OfflineSettings
from persona.errors import (
    INCOMPLETE,
    PersonaError,
    StorageFullError,
    ThrottledError,
    UnreachableError,
    VerificationError,
)
from persona.storage.backend import (
    Checkpoint,
    Condition,
    IfVersion,
    StorageBackend,
    StorageObject,
)
from persona.storage.content_headers import NO_HEADERS, ContentHeaders
from persona.storage.content_types import content_type_of
from persona.storage.flush import Flushed, Guard, flush
from persona.storage.layers.layer import Layer
from persona.storage.metadata import checked
from persona.storage.offline import Memory, counted
from persona.storage.outbox import Outbox
from persona.storage.outbox_entry import TOKEN, Entry
from persona.storage.outbox_files import Draft, writing
from persona.storage.paths import clean, clean_object
from persona.storage.threads import in_thread

log = logging.getLogger(__name__)
SHOWN = 3
"""How many failures of a flush are told in full."""
FLUSH_AGAIN = 5.0
"""A process that runs for long looks so often, in seconds, whether what waits can be sent."""


class Deferring(Layer):
    """What `persona.storage.layers.fallback.Fallback` does with writes; its arguments are told there."""

    def __init__(
        self,
        inner: StorageBackend,
        memory: Memory | None,
        outbox: Outbox | None,
        offline: OfflineSettings,
        *,
        provider: StorageBackend | None,
        clock: Callable[[], float],
        guard: Guard | None,
    ) -> None:
        super().__init__(inner)
        self._memory = memory
        self._outbox = outbox
        self._keeps = outbox is not None and offline.writes == "outbox"
        self._provider = provider or inner
        self._clock = clock
        self._guard = guard
        self._outage: UnreachableError | None = None
        self._flush_at = 0.0
        self._flushing = asyncio.Lock()

    @property
    def defers_writes(self) -> bool:
        """Whether the provider does not answer, and writes go to the outbox."""
        return self._keeps and self._outage is not None

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
        """Write an object whole; to the outbox, if the provider does not answer."""
        clean_object(path)
        if await self._may_send(path):
            try:
                return await self.inner.write(
                    path,
                    data,
                    condition=self._real(condition),
                    content_type=content_type,
                    metadata=metadata,
                    headers=headers,
                    md5=md5,
                )
            except UnreachableError as error:
                self._met(error)

        entry = self._entry(path, content_type, metadata, headers)
        draft = await in_thread(self._box.filled, data, undo=Draft.discard)
        return await self._put(draft, entry, condition)

    async def write_stream(
        self,
        path: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        condition: Condition | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: ContentHeaders | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> StorageObject:
        """Write an object from a stream, which is spooled first if it may have to go to the outbox."""
        clean_object(path)
        if not self._keeps:
            await self._begin()
            return await self.inner.write_stream(
                path,
                chunks,
                size=size,
                condition=condition,
                content_type=content_type,
                metadata=metadata,
                headers=headers,
                checkpoint=checkpoint,
            )
        draft = await self._spooled(path, chunks, size)
        try:
            if await self._may_send(path):
                try:
                    return await self.inner.write_stream(
                        path,
                        _stream(draft.content()),
                        size=draft.size,
                        condition=self._real(condition),
                        content_type=content_type,
                        metadata=metadata,
                        headers=headers,
                        checkpoint=checkpoint,
                    )
                except UnreachableError as error:
                    self._met(error)
            entry = self._entry(path, content_type, metadata, headers)
            return await self._put(draft, entry, condition)
        finally:
            await in_thread(draft.discard)

    def _entry(
        self,
        path: str,
        content_type: str | None,
        metadata: Mapping[str, str] | None,
        headers: ContentHeaders | None,
    ) -> Entry:
        kind, others = content_type or content_type_of(path), headers or NO_HEADERS
        pairs = checked(metadata, kind, *dict(others.items()).values())
        return Entry("", path=clean(path), content_type=kind, metadata=pairs, headers=others)

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Delete an object; later, if the provider does not answer and the version to be deleted is known."""
        clean_object(path)
        if await self._may_send(path):
            try:
                return await self.inner.delete(path, condition=condition and self._real_version(condition))
            except UnreachableError as error:
                self._met(error)
        return await self._delete_later(path, condition)

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        """Delete objects in bulk."""
        await self._begin()
        required = conditions or {}
        try:
            real = {path: self._real_version(condition) for path, condition in required.items()}
            failures = await self.inner.delete_many(paths, conditions=real)
        except UnreachableError as error:
            self._met(error)
            failures = dict.fromkeys(paths, error)
        kept = {path: await self._kept_deletion(path, required.get(path), error) for path, error in failures.items()}
        return {path: error for path, error in kept.items() if error}

    async def _kept_deletion(self, path: str, condition: IfVersion | None, error: PersonaError) -> PersonaError | None:
        """Keep a deletion that failed, if the provider does not answer, and return the error that is left."""
        if not self._keeps or not isinstance(error, UnreachableError) or isinstance(error, ThrottledError):
            return error
        self._outage = error
        try:
            await self._delete_later(path, condition)
        except PersonaError as still:
            return still
        return None

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy an object, if the provider answers."""
        await self._begin()
        return await self.inner.copy(source, target, condition=condition)

    async def copy_from(
        self,
        other: StorageBackend,
        source: str,
        target: str,
        *,
        version: str | None = None,
        condition: Condition | None = None,
    ) -> StorageObject | None:
        """Copy an object from another place, if the provider answers."""
        await self._begin()
        return await self.inner.copy_from(other, source, target, version=version, condition=condition)

    async def _may_send(self, path: str) -> bool:
        """Say whether a write may be sent: not before what waits for the same path."""
        await self._begin()
        return not (self.defers_writes and self._waiting(path))

    def _met(self, error: UnreachableError) -> None:
        """Note an outage; raise the error if the write cannot be kept."""
        if isinstance(error, ThrottledError):
            raise error
        self._outage = error
        if not self._keeps:
            raise error

    def _real(self, condition: Condition | None) -> Condition | None:
        """Return a condition on a version of the outbox as one on the version that it became."""
        return self._real_version(condition) if isinstance(condition, IfVersion) else condition

    def _real_version(self, condition: IfVersion) -> IfVersion:
        if not condition.version.startswith(TOKEN) or self._outbox is None:
            return condition
        _, version = self._outbox.became(condition.version)
        return condition if version is None else IfVersion(version)

    # The outbox.

    @property
    def _box(self) -> Outbox:
        assert self._outbox is not None  # noqa: S101  (for the types)
        return self._outbox

    def _waiting(self, path: str) -> Entry | None:
        return self._outbox.latest(clean(path)) if self._outbox else None

    async def _spooled(self, path: str, chunks: AsyncIterable[bytes], size: int | None) -> Draft:
        """Return a draft with the content of a stream."""
        draft = await in_thread(self._box.draft, undo=Draft.discard)
        try:
            async for chunk in chunks:
                with writing(self._box.folder):
                    draft.write(chunk)
            if size not in (None, draft.size):
                raise VerificationError(f"{path} was to have {size} bytes, and {draft.size} came; nothing was written.")
            with writing(self._box.folder):
                await in_thread(draft.complete)
        except BaseException:
            draft.discard()
            raise
        return draft

    async def _put(self, draft: Draft, entry: Entry, condition: Condition | None) -> StorageObject:
        """Make a draft an entry of the outbox, and say so."""
        known = self._memory.described(entry.path) if self._memory else None
        entry = replace(entry, url=self.url(entry.path))
        try:
            version = None if known is None else known[0].version
            entry = await in_thread(partial(self._box.add, draft, entry, condition, known=version))
        except BaseException:
            draft.discard()
            raise
        log.warning(
            "%s of %s is in the outbox as %s, and is sent when the provider answers again.",
            "The deletion" if entry.op == "delete" else "The write",
            entry.path,
            entry.id,
            extra={INCOMPLETE: True},
        )
        return entry.object

    async def _delete_later(self, path: str, condition: IfVersion | None) -> None:
        """Keep a deletion of the version that the condition names, or that is known here."""
        waiting = self._waiting(path)
        if waiting and waiting.op == "delete":
            return
        known = condition or waiting or (self._memory and self._memory.described(clean(path)))
        if not known:
            raise UnreachableError(
                f"{self._outage} Which version of {path} was to be deleted is not known here.",
                hint="Try again when the provider answers.",
            )
        draft = await in_thread(self._box.draft, undo=Draft.discard)
        await self._put(draft, Entry("", op="delete", path=clean(path)), condition)

    async def _begin(self) -> None:
        """Send what waits, before the first operation and every now and then, if the provider answers."""
        if self._outbox is None or self._clock() < self._flush_at:  # a look into its folder would cost each read
            return
        async with self._flushing:
            if self._clock() < self._flush_at:
                return
            self._flush_at = self._clock() + FLUSH_AGAIN
            if self._outbox.waiting():
                try:
                    _tell(await self.flush())
                except StorageFullError as error:  # of this machine: what reads needs no space
                    log.warning("The outbox was not sent: %s", error)

    async def flush(self, *, again: bool = False) -> Flushed:
        """Send what waits.

        Args:
            again: also try what was in conflict before.
        """
        if not self._outbox:
            return Flushed()
        result = await flush(self._outbox, self.inner, provider=self._provider, again=again, guard=self._guard)
        self._outage = result.stopped if result.stopped or not result.busy else self._outage
        return result


def _tell(result: Flushed) -> None:
    """Say what a flush did, in one warning."""
    said = []
    if result.sent:
        said.append(f"{counted(len(result.sent))} from the outbox arrived.")
    if result.conflicts:
        said.append(
            f"{counted(len(result.conflicts))} met what others wrote meanwhile, and stayed in the outbox; nothing "
            "was overwritten. See “persona storage outbox list”."
        )
    said += [f"{entry.id} stayed in the outbox: {error}" for entry, error in result.failures[:SHOWN]]
    if more := len(result.failures[SHOWN:]):
        said.append(f"And {more} more stayed in the outbox.")
    if said:
        log.warning("%s", " ".join(said), extra={INCOMPLETE: True} if result.conflicts or result.failures else None)


async def _stream(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
