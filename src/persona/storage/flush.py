"""Sending what waits in the outbox: in order, each entry once, and nothing over what others wrote."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from persona.errors import (
    BucketNotFoundError,
    ConflictError,
    NotFoundError,
    PersonaError,
    RequestFailedError,
    UnreachableError,
    VerificationError,
)
from persona.storage.backend import IfVersion, StorageBackend, StorageObject
from persona.storage.outbox import Outbox
from persona.storage.outbox_entry import TOKEN, Entry, Standing

log = logging.getLogger(__name__)
WHOLE_BYTES = 4 << 20
"""Content up to this size is sent at once, other content as a stream."""


class Refusing(Protocol):
    """Refuses objects by what they hold."""

    def reads(self, head: bytes) -> bool:
        """Say whether the content of an object is needed to judge it, by its first bytes."""

    def refusal(self, path: str, size: int, data: bytes | None, *, read: bool = True) -> str | None:
        """Return why an object may not be written, or None; ``data`` is None if it was not read.

        Args:
            path: the object.
            size: bytes.
            data: its content.
            read: whether it would have to be read, but is too large.
        """

    @property
    def most(self) -> int:
        """The largest object that is read, in bytes."""


Guard = Callable[[StorageBackend], Awaitable[Refusing | None]]
"""Asks a provider what may not be written there."""


@dataclass(slots=True)
class Flushed:
    """What a flush came to.

    Args:
        sent: what has arrived.
        conflicts: what met something else there, and stays in the outbox.
        failures: what was refused or cannot be read, and stays.
        left: how many entries of this place are still there, conflicts among them.
        stopped: why it stopped, if the provider does not answer.
        busy: whether another process is sending, so that nothing was done.
    """

    sent: list[Entry] = field(default_factory=list)
    conflicts: list[Entry] = field(default_factory=list)
    failures: list[tuple[Entry, PersonaError]] = field(default_factory=list)
    left: int = 0
    stopped: UnreachableError | None = None
    busy: bool = False


class _StandsError(Exception):
    """Something else stands there.

    Args:
        there: what, or None if what was to be replaced is gone.
    """

    def __init__(self, there: StorageObject | None) -> None:
        super().__init__()
        self.standing = Standing()
        if there is not None:
            self.standing = Standing(there.version, there.size, there.last_modified.isoformat())


async def flush(
    outbox: Outbox,
    storage: StorageBackend,
    *,
    provider: StorageBackend | None = None,
    again: bool = False,
    guard: Guard | None = None,
) -> Flushed:
    """Send what waits, until the provider stops answering.

    A request is sent only when that is durably noted. So after a crash, or an answer that was lost, it is first looked
    whether what stands there is the very content: then it has arrived. Everything is written under a condition: what
    has none gets that of what is found there, just before.

    Args:
        outbox: what waits.
        storage: where it is written to; a cache in it learns of the writes.
        provider: gives contents to compare with, without a cache; else `storage`.
        again: also try what was in conflict before: what was in the way may be gone.
        guard: what it refuses stays in the outbox, as a failure.
    """
    result = Flushed()
    with outbox.flushing() as free:
        if free:
            await _Flush(outbox, storage, provider or storage, again=again, guard=guard).run(result)
        result.busy = not free
    result.left = len(outbox.entries())
    return result


class _Flush:
    """One flush, by the one process that may."""

    def __init__(
        self,
        outbox: Outbox,
        storage: StorageBackend,
        provider: StorageBackend,
        *,
        again: bool,
        guard: Guard | None,
    ) -> None:
        self._guard = guard
        self._refusing: Refusing | None = None
        self._outbox = outbox
        self._storage = storage
        self._provider = provider
        self._states = ("waiting", "sending", "conflict") if again else ("waiting", "sending")

    async def run(self, result: Flushed) -> None:
        listing = [entry for entry in self._outbox.entries() if entry.state in self._states]
        if listing and (error := await self._silence(listing[0])):
            result.stopped = error
            return
        try:
            self._refusing = await self._guard(self._provider) if listing and self._guard else None
        except UnreachableError as error:
            result.stopped = error
            return
        for listed in listing:
            try:
                entry = self._outbox.entry(listed.id)  # it may have been dropped, or wait for another version by now
            except NotFoundError:
                continue
            if entry.state not in self._states:
                continue
            try:
                await self._one(entry, result)
            except RequestFailedError as error:  # the provider responds to others
                result.failures.append((entry, error))
            except UnreachableError as error:
                result.stopped = error
                return
            except PersonaError as error:
                result.failures.append((entry, error))

    async def _silence(self, entry: Entry) -> UnreachableError | None:
        """Return why the provider does not answer, if so: then nothing need be noted as perhaps sent."""
        try:
            await self._provider.exists(entry.path)
        except RequestFailedError:  # of this entry alone
            return None
        except UnreachableError as error:
            return error
        except PersonaError as error:  # each entry will say it for itself
            log.info("%s", error)
        return None

    async def _one(self, entry: Entry, result: Flushed) -> None:
        """Send one entry, and remove it; or note what it met."""
        if entry.version is not None and entry.version.startswith(TOKEN):
            before = self._before(entry.version)
            if before is not None and before.state != "conflict":
                return  # it could not be sent either
            met = (before and before.conflict) or Standing()
        else:
            try:
                version = await (self._delete(entry) if entry.op == "delete" else self._write(entry))
            except _StandsError as error:
                met = error.standing
            else:
                self._outbox.sent(entry, version)
                result.sent.append(entry)
                return
        result.conflicts.append(self._outbox.change(entry, state="conflict", conflict=met))

    def _before(self, token: str) -> Entry | None:
        """Return the entry that another one comes upon, if it is still there."""
        try:
            return self._outbox.entry(token.removeprefix(TOKEN))
        except NotFoundError:
            return None

    async def _write(self, entry: Entry) -> str:
        """Write, unless it has arrived already, and return the version there."""
        self._check(entry)
        if entry.state == "sending" or entry.condition is None:
            there = await self._there(entry)
            if there is not None and await self._is(entry, there):
                return there.version
            if entry.condition is None:
                entry = self._outbox.change(entry, version=there and there.version, absent=there is None)
        entry = self._outbox.change(entry, state="sending")
        try:
            return (await self._send(entry)).version
        except ConflictError:
            there = await self._there(entry)
            if there is not None and await self._is(entry, there):  # its answer was lost
                return there.version
            raise _StandsError(there) from None

    def _check(self, entry: Entry) -> None:
        """Raise PersonaError if the entry may not be written."""
        if (guard := self._refusing) is None:
            return
        first = next(iter(self._outbox.content(entry)), b"")
        read = entry.size == len(first) or guard.reads(first)
        data = b"".join(self._outbox.content(entry)) if read and entry.size <= guard.most else None
        if (reason := guard.refusal(entry.path, entry.size, data, read=read)) is not None:
            raise PersonaError(
                f"{entry.id} in the outbox was not sent: {reason}", hint=f"persona storage outbox drop {entry.id}"
            )

    async def _send(self, entry: Entry) -> StorageObject:
        """Write the content, which was read once before: what is damaged is not sent."""
        if entry.size > WHOLE_BYTES:
            await asyncio.to_thread(lambda: deque(self._outbox.content(entry), maxlen=0))
            return await self._storage.write_stream(
                entry.path,
                self._stream(entry),
                size=entry.size,
                condition=entry.condition,
                content_type=entry.content_type,
                metadata=entry.metadata,
                headers=entry.headers,
            )
        data = b"".join(self._outbox.content(entry))
        if len(data) != entry.size:
            raise VerificationError(f"The content of {entry.id} in the outbox is not whole.")
        return await self._storage.write(
            entry.path,
            data,
            condition=entry.condition,
            content_type=entry.content_type,
            metadata=entry.metadata,
            headers=entry.headers,
        )

    async def _stream(self, entry: Entry) -> AsyncIterator[bytes]:
        for piece in self._outbox.content(entry):
            yield piece

    async def _delete(self, entry: Entry) -> None:
        """Delete the very version that was to be deleted."""
        there = await self._there(entry)
        if there is None:
            return
        if there.version != entry.version:
            raise _StandsError(there)
        self._outbox.change(entry, state="sending")
        try:
            await self._storage.delete(entry.path, condition=IfVersion(there.version))
        except ConflictError:
            if (there := await self._there(entry)) is not None:
                raise _StandsError(there) from None

    async def _there(self, entry: Entry) -> StorageObject | None:
        """Return what stands at the provider, or None; a cache on the way learns of it."""
        try:
            return await self._storage.stat(entry.path)
        except BucketNotFoundError:
            raise
        except NotFoundError:
            return None

    async def _is(self, entry: Entry, there: StorageObject) -> bool:
        """Say whether what stands there has the entry's content."""
        if there.size != entry.size:
            return False
        ours, theirs = sha256(), sha256()
        for piece in self._outbox.content(entry):
            ours.update(piece)
        try:
            download = await self._provider.open(entry.path, version=there.version)
        except (ConflictError, NotFoundError):  # it changes just now
            return False
        try:
            async for piece in download:
                theirs.update(piece)
        finally:
            await download.close()
        return ours.digest() == theirs.digest()
