"""Deletes: one by one under a condition, or in bulk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from persona.errors import ConflictError, NameRefusedError, NotFoundError, PersonaError
from persona.storage.backend import IfVersion
from persona.storage.backends.bucket import Bucket
from persona.storage.backends.faults import MissingError, UnsupportedError, changed, of_condition

log = logging.getLogger(__name__)


class Deletes(Bucket):
    """A bucket or container whose objects are deleted."""

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Delete an object; that it is not there is no error."""
        key = self._key(path)
        sent: IfVersion | None = None
        try:
            async with self._about(path, "delete"):
                if await self._conditions.changes_name(key):
                    return None  # there is no such object, and another may stand under the name that it would be given
                sent = await self._conditions.kept_by_deletes(key, condition)
                await self._delete(key, sent)
        except MissingError:
            await self._require_bucket()
        except (ConflictError, UnsupportedError) as error:
            if await self._conditions.disproved("deletes", key, sent, error):
                return await self.delete(path, condition=condition)
            if isinstance(error, UnsupportedError):
                raise
            await self._not_deleted(path, condition, error)
        return None

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        """Delete objects in bulk, one by one where the server refuses that."""
        await self._require_bucket()
        required = conditions or {}
        singly = {path: required[path] for path in paths if path in required} if self._foreign else {}
        names: dict[str, str] = {}
        failures: dict[str, PersonaError] = {}
        for path in paths:
            try:
                if path not in singly and not await self._conditions.changes_name(self._key(path)):
                    names[self._key(path)] = path
            except NameRefusedError as error:
                failures[path] = error
        keys = [*names]
        for start in range(0, len(keys), self.batch_size):
            batch = {key: required.get(names[key]) for key in keys[start : start + self.batch_size]}
            try:
                await self._delete_batch(batch)
            except PersonaError as error:
                log.info("Deleting in bulk was refused (%s); deleting one by one.", error)
                failures |= await self._delete_singly({names[key]: condition for key, condition in batch.items()})
        # an endpoint that keeps conditions on single deletes may still ignore them in a batch
        return failures | await self._delete_singly(singly)

    async def _not_deleted(self, path: str, condition: IfVersion | None, error: ConflictError) -> None:
        """Raise the error of a delete whose condition failed, unless the object is gone."""
        refusal = of_condition(error, path, None)  # what it is if the condition is not the cause
        if condition is None:
            raise refusal
        try:
            entry = await self.stat(path)
        except NotFoundError:
            return
        raise refusal if entry.version == condition.version else changed(path) from error

    async def _delete_singly(self, paths: Mapping[str, IfVersion | None]) -> dict[str, PersonaError]:
        """Delete objects one by one, ``concurrent_uploads`` at once; return what failed."""
        slots = asyncio.Semaphore(self._performance.concurrent_uploads)
        failures: dict[str, PersonaError] = {}

        async def one(path: str) -> None:
            async with slots:
                try:
                    await self.delete(path, condition=paths[path])
                except PersonaError as error:
                    failures[path] = error

        await asyncio.gather(*map(one, paths))
        return failures
