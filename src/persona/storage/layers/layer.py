"""What every layer is: the storage interface, passed on to what it is around."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence

from persona.errors import PersonaError
from persona.storage.backend import (
    Checkpoint,
    Condition,
    Download,
    IfVersion,
    Listing,
    Location,
    Notes,
    PastVersion,
    Place,
    StorageBackend,
    StorageObject,
)
from persona.storage.capabilities import Capabilities
from persona.storage.content_headers import ContentHeaders


class Layer(StorageBackend):
    """A storage around another one that does nothing of its own; a layer changes what it is there for.

    Args:
        inner: the storage within, which this takes over.
    """

    def __init__(self, inner: StorageBackend) -> None:
        self.inner = inner

    def url(self, path: str = "") -> str:
        """Return the full location of a path."""
        return self.inner.url(path)

    def describe(self) -> Place:
        """Say what this is around."""
        return self.inner.describe()

    def beneath(self, path: str) -> tuple[StorageBackend, str]:
        """Return the backend that holds an object, and the object's path there."""
        return self.inner.beneath(path)

    def address(self) -> tuple[str, int] | None:
        """Return the host and port that requests go to."""
        return self.inner.address()

    def reading_requests(self) -> Mapping[str, int]:
        """Return how many requests that only read were made so far."""
        return self.inner.reading_requests()

    async def location(self) -> Location:
        """Ask the provider where the objects are."""
        return await self.inner.location()

    async def encrypted_as_asked(self, path: str) -> bool | None:
        """Say whether an object is encrypted as the provider is told to."""
        return await self.inner.encrypted_as_asked(path)

    def notes(self, kind: str) -> Notes | None:
        """Return what is kept of one kind of work on objects."""
        return self.inner.notes(kind)

    @property
    def defers_writes(self) -> bool:
        """Whether writes are kept to be sent later."""
        return self.inner.defers_writes

    async def read(self, path: str) -> bytes:
        """Return an object's content."""
        return await self.inner.read(path)

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Start to read an object as a stream."""
        return await self.inner.open(path, start=start, length=length, version=version)

    async def open_changed(self, path: str, version: str) -> Download | None:
        """Start to read an object if it is at another version."""
        return await self.inner.open_changed(path, version)

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
        return await self.inner.write(
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

    async def abort_upload(self, path: str, token: str) -> None:
        """Give up an upload that was left."""
        await self.inner.abort_upload(path, token)

    async def stat(self, path: str) -> StorageObject:
        """Describe an object."""
        return await self.inner.stat(path)

    async def exists(self, path: str) -> bool:
        """Say whether the object is there."""
        return await self.inner.exists(path)

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """List objects page by page."""
        async for page in self.inner.scan(prefix, after=after):
            yield page

    async def list(self, prefix: str = "") -> Listing:
        """List all objects at once."""
        return await Listing.of(self.scan(prefix))

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy an object within this storage."""
        return await self.inner.copy(source, target, condition=condition)

    def copies_from(self, other: StorageBackend) -> bool:
        """Say whether the provider would copy by itself."""
        return self.inner.copies_from(other)

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
        return await self.inner.copy_from(other, source, target, version=version, condition=condition)

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Delete an object."""
        await self.inner.delete(path, condition=condition)

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        """Delete objects in bulk."""
        return await self.inner.delete_many(paths, conditions=conditions)

    async def past(self) -> AsyncIterator[Sequence[PastVersion]]:
        """Yield what the provider still has of earlier objects."""
        async for page in self.inner.past():
            yield page

    async def read_past(self, version: PastVersion) -> bytes:
        """Return the content of an earlier version."""
        return await self.inner.read_past(version)

    async def delete_past(self, version: PastVersion) -> None:
        """Delete an earlier version."""
        await self.inner.delete_past(version)

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        """Say what the endpoint can do."""
        return await self.inner.capabilities(anew=anew)

    async def close(self) -> None:
        """Close what is within."""
        await self.inner.close()
