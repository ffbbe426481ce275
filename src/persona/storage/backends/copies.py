"""Copies on the provider's side: within a bucket, and between buckets of one account.

The version of a copy is the one in the provider's answer to this very request. A look at the target afterwards could
show what another writer put there.
"""

from __future__ import annotations

import logging
from typing import Self

from persona.errors import ArchivedError, ConflictError, NotFoundError, PersonaError
from persona.storage.backend import Condition, StorageBackend, StorageObject
from persona.storage.backends.bucket import Bucket
from persona.storage.backends.faults import MissingError, changed
from persona.storage.backends.primitives import Attributes
from persona.storage.content_headers import NO_HEADERS

log = logging.getLogger(__name__)
_ATTEMPTS = 3
"""How often a copy without a version begins again because the source changes."""
_ANY = "any"
"""A path, to ask which backend holds what is there."""


class Copies(Bucket):
    """A bucket or container whose objects are copied."""

    _tells_versions = True
    """Whether the endpoint says which version a copy has become."""

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy an object on the provider's side; under a condition only where that is sure to be kept."""
        self._key(source), self._key(target)  # names that are refused
        unsure = condition is not None and (self._foreign or not self.conditional_copies)
        if not unsure and self._copies and (copied := await self._copied(self, source, target, None, condition)):
            return copied
        return await self._copy_through(source, target, condition)

    def copies_from(self, other: StorageBackend) -> bool:
        """Say whether the two are places of one account, between which the provider copies."""
        holder, _ = other.beneath(_ANY)
        return isinstance(holder, type(self)) and holder._account() == self._account() and self._copies

    async def copy_from(
        self,
        other: StorageBackend,
        source: str,
        target: str,
        *,
        version: str | None = None,
        condition: Condition | None = None,
    ) -> StorageObject | None:
        """Copy an object from another bucket or container of the same account."""
        holder, source = other.beneath(source)
        if not isinstance(holder, type(self)) or not self.copies_from(other):
            return None
        holder._key(source), self._key(target)
        if not self._foreign:
            return await self._copied(holder, source, target, version, condition)
        await holder._check_source(source, version)  # since the endpoint may ignore either condition
        if condition is not None:
            await self._before_write()
            await self._conditions.check(self._key(target), condition)
        copied = await self._copied(holder, source, target, version, None)
        await holder._check_source(source, version)
        return copied

    @property
    def _copies(self) -> bool:
        """Whether the provider copies by itself, encrypts as it is told to, and says which version a copy has."""
        return self._tells_versions and (self.encrypted_copies or not self.encryption)

    async def _copied(
        self, other: Self, source: str, target: str, version: str | None, condition: Condition | None
    ) -> StorageObject | None:
        """Copy an object of a backend of this account to this one.

        Returns:
            None if the answer says no version: the object may have been copied, and nobody can tell which it is.
        """
        await self._before_write()
        for attempt in range(_ATTEMPTS):
            entry = await other.stat(source)
            if version is not None and entry.version != version:
                raise changed(source)
            again = version is None and attempt + 1 < _ATTEMPTS
            try:
                await self._conditions.expect_name(self._key(target))
                written = await self._copy(other, other._key(source), entry, self._key(target), condition)
            except MissingError:
                raise await other._absent(source) from None
            except ArchivedError as error:
                raise await other._told(error, source, "read", {}) from error
            except PersonaError as error:
                if isinstance(error, ConflictError):  # of the source or of the target: which, is not said
                    if again and await other._is_changed(source, entry.version):
                        continue
                    await other._check_source(source, entry.version)
                raise await self._refused(error, target, condition) from error
            if again and self._foreign and await other._is_changed(source, entry.version):
                continue  # the endpoint may have ignored the version
            break
        if not written.version:
            log.warning(
                "%s does not say which version a copy has; objects are copied through this machine.", self._host
            )
            self._tells_versions = False
            return None
        attributes = Attributes(entry.content_type or "", entry.metadata or {}, entry.headers or NO_HEADERS)
        return self._written(target, entry.size, attributes, written)

    async def _is_changed(self, path: str, version: str) -> bool:
        try:
            return (await self.stat(path)).version != version
        except NotFoundError:
            return True

    async def _copy_through(self, source: str, target: str, condition: Condition | None) -> StorageObject:
        """Copy through this machine."""
        found = await self.stat(source)
        download = await self.open(source, version=found.version)
        try:
            return await self.write_stream(
                target,
                download,
                size=found.size,
                condition=condition,
                content_type=found.content_type,
                metadata=found.metadata,
                headers=found.headers,
            )
        finally:
            await download.close()
