"""Conditions on writes, on endpoints that may ignore them without a word.

A provider's own endpoint keeps them, by its documentation. Another endpoint is tried once, on a probe object that is
removed, and for uploads in parts apart: services that speak the protocol often keep the one and not the other. Where a
condition would be ignored it is checked before the write instead, and the loss of the guarantee is said in a warning.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Protocol

from persona.errors import ConflictError
from persona.storage.backend import Condition, IfAbsent, IfVersion
from persona.storage.backends.faults import MissingError, changed, taken
from persona.storage.backends.listing import Page
from persona.storage.backends.primitives import Attributes, Entry, Upload, Written
from persona.storage.paths import to_key

log = logging.getLogger(__name__)
_ATTRIBUTES = Attributes("application/octet-stream", {})


class Endpoint(Protocol):
    """The primitives of a cloud backend that conditions are tried on."""

    stale_version: str
    _place: str

    async def _put(self, key: str, data: bytes, attributes: Attributes, condition: Condition | None) -> Written: ...

    async def _begin(self, key: str, attributes: Attributes, condition: Condition | None) -> Upload: ...

    async def _head(self, key: str) -> Entry: ...

    async def _delete(self, key: str, condition: IfVersion | None = None) -> None: ...

    async def _page(self, prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]: ...

    def _allowed(self, verb: str) -> AbstractContextManager[None]: ...


class Conditions:
    """Whether an endpoint keeps conditions, and what is done instead.

    Args:
        endpoint: the backend's primitives.
        prefix: the configured prefix, below which the probe object is written.
        foreign: whether the endpoint is another than the provider's own.
    """

    def __init__(self, endpoint: Endpoint, prefix: str, *, foreign: bool) -> None:
        self._endpoint = endpoint
        self._prefix = prefix
        self._foreign = foreign
        self._lock = asyncio.Lock()
        self._puts: bool | None = None
        self._uploads: bool | None = None
        self._warned_of_deletes = False

    async def kept(self, key: str, condition: Condition | None) -> Condition | None:
        """Return the condition if single puts keep it; else check it here and now, and return None.

        Raises:
            ConflictError: it does not hold.
        """
        if condition is None or await self.on_puts():
            return condition
        await self.check(key, condition)
        return None

    async def kept_by_uploads(self, key: str, condition: Condition | None) -> Condition | None:
        """Do as `kept`, for uploads in parts."""
        if condition is None or await self.on_uploads():
            return condition
        await self.check(key, condition)
        return None

    async def kept_by_deletes(self, key: str, condition: IfVersion | None) -> IfVersion | None:
        """Do as `kept`, for deletes."""
        if condition is None or await self.on_deletes():
            return condition
        await self.check(key, condition)
        return None

    async def on_deletes(self) -> bool:
        """Say whether conditions on deletes are kept: a third-party endpoint may ignore them without an error."""
        if self._foreign and not self._warned_of_deletes:
            self._warned_of_deletes = True
            log.warning(
                "%s may ignore conditions on deletes. Persona compares the version just before each delete instead; "
                "an object that someone writes in that moment is deleted all the same.",
                self._endpoint._place,
            )
        return not self._foreign

    async def on_puts(self) -> bool:
        """Say whether conditions on single puts are kept."""
        if self._puts is not None:
            return self._puts
        async with self._lock:
            if self._puts is None:
                self._puts = not self._foreign or await self._try(self._put)
                if not self._puts:
                    self._warn("on writes")
            return self._puts

    async def on_uploads(self) -> bool:
        """Say whether conditions on uploads in parts are kept."""
        on_puts = await self.on_puts()
        async with self._lock:
            if self._uploads is None:
                self._uploads = on_puts and (not self._foreign or await self._try(self._upload))
                if on_puts and not self._uploads:
                    self._warn("on uploads in parts")
            return self._uploads

    async def gives_as_etag(self, data: bytes, etag: str) -> bool:
        """Say whether the version of an object with this content is this ETag, by writing one.

        Raises:
            PersonaError: it cannot be written.
        """
        key = self._probe_key()
        written = await self._endpoint._put(key, data, _ATTRIBUTES, None)
        await self._remove(key)
        return written.version == etag

    def _probe_key(self) -> str:
        return to_key(self._prefix, f"{_probes()}{os.getpid()}-{os.urandom(8).hex()}")

    def _warn(self, where: str) -> None:
        log.warning(
            "%s ignores conditions %s. Persona checks before it writes instead, but of two writers in the same moment "
            "one may overwrite the other.",
            self._endpoint._place,
            where,
        )

    async def check(self, key: str, condition: Condition) -> None:
        """Raise `ConflictError` if a condition does not hold at this moment."""
        try:
            found = await self._endpoint._head(key)
        except MissingError:
            if isinstance(condition, IfVersion):
                raise changed(key) from None
            return
        if isinstance(condition, IfAbsent):
            raise taken(key)
        if found.version != condition.version:
            raise changed(key)

    async def _try(self, write: Callable[[str, Condition], Awaitable[object]]) -> bool:
        """Write over a probe object under conditions that do not hold; only a refusal counts."""
        await self._sweep()
        key = self._probe_key()
        kept = True
        await self._endpoint._put(key, b"probe", _ATTRIBUTES, None)
        try:
            for condition in (IfAbsent(), IfVersion(self._endpoint.stale_version)):
                try:
                    await write(key, condition)
                except ConflictError:
                    continue
                kept = False
        finally:
            await self._remove(key)
        return kept

    async def _remove(self, key: str) -> None:
        with self._endpoint._allowed("delete"):  # not the write is refused that all this is for
            await self._endpoint._delete(key)

    async def _sweep(self) -> None:
        """Remove what a process of this machine left that was killed in the middle of such a try."""
        start = to_key(self._prefix, _probes())
        with self._endpoint._allowed("list"):
            page = await self._endpoint._page(start, None, None, False)
        for entry in page.entries:
            pid = entry.key.removeprefix(start).partition("-")[0]
            if pid.isdecimal() and not _is_running(int(pid)):
                await self._remove(entry.key)

    async def _put(self, key: str, condition: Condition) -> None:
        await self._endpoint._put(key, b"probe", _ATTRIBUTES, condition)

    async def _upload(self, key: str, condition: Condition) -> None:
        upload = await self._endpoint._begin(key, _ATTRIBUTES, condition)
        try:
            await upload.foresee(b"probe")
            await upload.part(0, b"probe")
            await upload.finish()
        except BaseException:
            await upload.abort()
            raise


def _probes() -> str:
    """Return how the names of this machine's probe objects begin."""
    return f".persona-probe-{sha256(socket.gethostname().encode()).hexdigest()[:8]}-"


def _is_running(pid: int) -> bool:
    """Say whether a process of this machine is running, or may be."""
    if os.name != "posix":  # where signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
