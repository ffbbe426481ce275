"""Preconditions on writes and deletes, on endpoints that may not honour them.

A provider's own endpoint honours them, by its documentation. Another endpoint is probed when a precondition is first
needed, for single writes, uploads in parts and deletes apart: services that speak the protocol often honour one and
not the other. The result is remembered. Where a precondition is not honoured it is checked before the write instead,
and the loss of the guarantee is said in a warning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from persona.errors import AccessDeniedError, ConflictError, NameRefusedError, PersonaError
from persona.storage.backend import Condition, IfAbsent, IfVersion
from persona.storage.backends.faults import MissingError, RepeatedError, UnsupportedError, changed, taken
from persona.storage.backends.primitives import NO_ETAG, spelled
from persona.storage.backends.probing import Endpoint, Probe
from persona.storage.background import started
from persona.storage.capabilities import NOT_HONOURED, Capabilities
from persona.storage.memory import PlaceMemory
from persona.storage.paths import oddities, printable

log = logging.getLogger(__name__)
REMEMBERED_SECONDS = 7 * 86_400.0
"""How long the result of a probe is good: a service may be upgraded or replaced."""
FEATURES = ("writes", "uploads", "deletes", "metadata", "checksums", "large_bodies")
_END_SECONDS = 10.0
_UNTESTED = {"writes": NOT_HONOURED, "uploads": NOT_HONOURED, "deletes": NOT_HONOURED, "metadata": ()}
_CONDITIONAL = {"writes": "writes", "uploads": "uploads in parts", "deletes": "deletes"}


class Conditions:
    """What an endpoint is known to honour, and what is done instead.

    Args:
        endpoint: the backend's primitives.
        prefix: the configured prefix, below which probe objects are written.
        known: what the provider documents; None for an endpoint that must be probed.
    """

    def __init__(self, endpoint: Endpoint, prefix: str, known: Capabilities | None) -> None:
        self.memory: PlaceMemory | None = None
        self._endpoint = endpoint
        self._prefix = prefix
        self._found = known or Capabilities()
        self._asked_memory = known is not None
        self._asked_at: float | None = None
        self._inherited = known is not None
        """Whether what is known was not found out by this process, so that one contradiction is reason to doubt it."""
        self._denied: set[str] = set()
        self._lock = asyncio.Lock()
        self._running: asyncio.Task[None] | None = None
        self._warned: set[str] = set()

    async def kept(self, key: str, condition: Condition | None) -> Condition | None:
        """Return the condition to send with a single write; None if it was checked here and now instead.

        Raises:
            ConflictError: it does not hold.
        """
        return await self._sendable("writes", key, condition)

    async def kept_by_uploads(self, key: str, condition: Condition | None) -> Condition | None:
        """Do as `kept`, for uploads in parts."""
        return await self._sendable("uploads", key, condition)

    async def kept_by_deletes(self, key: str, condition: IfVersion | None) -> IfVersion | None:
        """Do as `kept`, for deletes."""
        sent = await self._sendable("deletes", key, condition)
        return sent if isinstance(sent, IfVersion) else None

    async def find(self, *features: str, anew: bool = False) -> Capabilities:
        """Return what is known of the endpoint, after a probe of the features of which nothing is.

        Args:
            features: fields of `Capabilities`.
            anew: probe them whatever is known of them.

        Raises:
            UnreachableError: the provider does not answer.
        """
        async with self._lock:
            if self._running is not None:  # of a caller that was cancelled
                await self._finished()
            self._recall()
            anew = anew and self._found.probed
            missing = [each for each in features if anew or getattr(self._found, each) is None]
            if anew:
                self._asked_at = None
            if missing:
                self._running = started(self._probe(missing))
                await self._finished()
        return self._found

    async def warn_of_metadata(self, metadata: Mapping[str, str]) -> None:
        """Warn once if the endpoint does not return metadata as it is written."""
        if metadata and (lost := (await self.find("metadata")).metadata) and "metadata" not in self._warned:
            self._warned.add("metadata")
            log.warning(
                "%s does not return all metadata as it was written: %s.", self._endpoint._place, ", ".join(lost)
            )

    async def changes_name(self, key: str) -> bool:
        """Say whether the endpoint would store an object under another name, after a probe if the name is odd."""
        odd = oddities(key)
        return bool(odd) and not odd.isdisjoint((await self.find("names")).names or ())

    async def expect_name(self, key: str) -> None:
        """Raise NameRefusedError if the endpoint would store an object under another name, perhaps over another one."""
        if await self.changes_name(key):
            raise NameRefusedError(
                f"“{printable(key)}” cannot be stored: {self._endpoint._place} would give it another name.",
                hint="Rename it: no backslash, and no dot or space at the end of a file's or folder's name.",
            )

    async def disproved(self, feature: str, key: str, condition: Condition | None, error: PersonaError) -> bool:
        """Say whether a refusal shows that what was known is wrong, after a new probe, of which there is one at most.

        Args:
            feature: what was done under a condition: ``writes``, ``uploads`` or ``deletes``.
            key: the object.
            condition: what was sent.
            error: the refusal.
        """
        if not self._inherited or condition is None or not await self._is_doubtful(key, condition, error):
            return False
        before = getattr(self._found, feature)
        log.info("%s refused a condition that holds; it is probed again.", self._endpoint._place)
        self._found, self._inherited, self._asked_memory, self._asked_at = Capabilities(), False, True, None
        return bool(getattr(await self.find(feature), feature) != before)

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

    async def close(self) -> None:
        """End a probe that is running, so that its objects are removed."""
        if (running := self._running) is not None and not running.done():
            running.cancel()
            await asyncio.wait({running}, timeout=_END_SECONDS)

    async def _sendable(self, feature: str, key: str, condition: Condition | None) -> Condition | None:
        if condition is None:
            return None
        if not (isinstance(condition, IfVersion) and condition.version.startswith(NO_ETAG)):  # none that it knows
            known = getattr(await self.find(feature), feature)
            if known.honours(condition):
                return spelled(condition, known.if_version)
            self._warn(feature)
        await self.check(key, condition)
        return None

    async def _is_doubtful(self, key: str, condition: Condition, error: PersonaError) -> bool:
        """Say whether a condition was refused that holds, or is not implemented."""
        if isinstance(error, UnsupportedError):
            return True
        if not isinstance(condition, IfVersion) or not isinstance(error, ConflictError) or not self._found.probed:
            return False
        try:
            await self.check(key, condition)
        except (ConflictError, AccessDeniedError):
            return False
        return not isinstance(error, RepeatedError)

    async def _finished(self) -> None:
        """Wait for the probe that runs. It goes on if the caller is cancelled, so that its objects are removed."""
        if (running := self._running) is not None:
            try:
                await asyncio.shield(running)
            finally:
                if running.done():
                    self._running = None

    async def _probe(self, features: list[str]) -> None:
        probe = Probe(self._endpoint, self._prefix)
        results = await probe.run(features)
        denied: dict[str, Any] = {each: _UNTESTED.get(each) for each in probe.denied}
        if (error := next((probe.denied[each] for each in _CONDITIONAL if each in denied), None)) is not None:
            log.warning(
                "Preconditions cannot be tested on %s: %s Persona checks before each write instead.",
                self._endpoint._place,
                error,
            )
        self._denied = (self._denied | denied.keys()) - results.keys()
        self._found = replace(self._found, **results, **denied)
        if self.memory is not None and results and self._found.probed:
            certain = {name: kept for name, kept in self._found.as_stored().items() if name not in self._denied}
            self._asked_at = self.memory.save(certain, self._asked_at)

    def _recall(self) -> None:
        """Take over what an earlier process has found."""
        if self._asked_memory or self.memory is None:
            return
        self._asked_memory = True
        stored = self.memory.load()
        if stored is not None:
            try:
                self._found = Capabilities.of_stored(stored)
                self._inherited, self._asked_at = True, stored["asked_at"]
            except ValueError:
                log.info("What is remembered of %s is damaged; it is probed.", self._endpoint._place)

    def _warn(self, feature: str) -> None:
        if feature in self._warned | self._denied or (feature == "uploads" and "writes" in self._warned):
            return
        self._warned.add(feature)
        log.warning(
            "%s does not honour preconditions on %s. Persona checks before each one instead, but of two writers at the "
            "same moment one may overwrite the other.",
            self._endpoint._place,
            _CONDITIONAL[feature],
        )
