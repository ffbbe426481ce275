"""Nothing is written outside of the regions that ``storage.residency`` allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping

from persona.config.schema import ResidencySettings
from persona.storage.backend import Checkpoint, Condition, StorageBackend, StorageObject
from persona.storage.capabilities import Capabilities
from persona.storage.content_headers import ContentHeaders
from persona.storage.layers.layer import Layer
from persona.storage.residency import Remembered, Residence, residence


class Resident(Layer):
    """Looks where the place is before the first write of a process, and refuses all writes if it is not allowed.

    Reading and deleting stay possible: what is in a wrong place must be able to leave it.

    Args:
        inner: the backend, which this takes over.
        rule: what is allowed.
        remembered: what the provider said before.
    """

    def __init__(self, inner: StorageBackend, rule: ResidencySettings, remembered: Remembered | None = None) -> None:
        super().__init__(inner)
        self._rule = rule
        self._remembered = remembered
        self._looking = asyncio.Lock()
        self._found: Residence | None = None

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
        """Write an object whole."""
        await self.require()
        return await super().write(
            path, data, condition=condition, content_type=content_type, metadata=metadata, headers=headers, md5=md5
        )

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
        """Write an object from a stream."""
        await self.require()
        return await super().write_stream(
            path,
            chunks,
            size=size,
            condition=condition,
            content_type=content_type,
            metadata=metadata,
            headers=headers,
            checkpoint=checkpoint,
        )

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy an object within this storage."""
        await self.require()
        return await super().copy(source, target, condition=condition)

    async def copy_from(
        self,
        other: StorageBackend,
        source: str,
        target: str,
        *,
        version: str | None = None,
        condition: Condition | None = None,
    ) -> StorageObject | None:
        """Copy an object from another place of this provider."""
        await self.require()
        return await super().copy_from(other, source, target, version=version, condition=condition)

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        """Say what the endpoint can do, which is probed by writing."""
        await self.require()
        return await super().capabilities(anew=anew)

    async def require(self) -> None:
        """Raise ConfigError if the place is not allowed; look once, and again only if there was no answer."""
        async with self._looking:
            first = self._found is None
            found = self._found = self._found or await residence(self.inner, self._rule, self._remembered)
        if first:
            found.enforce()
        elif found.refused:
            raise found.refusal()
