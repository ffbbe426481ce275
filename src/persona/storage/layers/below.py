"""A folder of a storage as a storage of its own."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import replace

from persona.errors import NameRefusedError, PersonaError
from persona.storage.backend import (
    Checkpoint,
    Condition,
    Download,
    IfVersion,
    Listing,
    Location,
    PastVersion,
    Place,
    StorageBackend,
    StorageObject,
)
from persona.storage.capabilities import Capabilities
from persona.storage.content_headers import ContentHeaders
from persona.storage.paths import clean, clean_object, to_key


class Below(StorageBackend):
    """A storage whose root is a folder of another.

    A local folder cannot simply be opened as a root of its own, since what its files cannot hold of their objects is
    kept at the root that they were written under. Refused names and folder markers are those of the whole storage.

    Args:
        whole: the storage around it, which this takes over.
        folder: a clean storage path.
    """

    def __init__(self, whole: StorageBackend, folder: str) -> None:
        self._whole = whole
        self._folder = folder

    def url(self, path: str = "") -> str:
        """Return the full location of a path."""
        return self._whole.url(to_key(self._folder, clean(path)))

    def describe(self) -> Place:
        """Say what the whole is, and which folder of it."""
        place = self._whole.describe()
        return replace(place, fields=(*place.fields, ("Prefix", f"{self._folder}/")))

    def beneath(self, path: str) -> tuple[StorageBackend, str]:
        """Return the backend that holds an object, and the object's path there."""
        return self._whole.beneath(self._joined(path))

    def address(self) -> tuple[str, int] | None:
        """Return the host and port that requests to the whole go to."""
        return self._whole.address()

    def reading_requests(self) -> Mapping[str, int]:
        """Return how many requests that only read were made so far of the whole."""
        return self._whole.reading_requests()

    async def location(self) -> Location:
        """Ask where the whole is."""
        return await self._whole.location()

    async def encrypted_as_asked(self, path: str) -> bool | None:
        """Say whether an object is encrypted as the provider is told to."""
        return await self._whole.encrypted_as_asked(self._joined(path))

    @property
    def defers_writes(self) -> bool:
        """Whether the whole keeps writes to be sent later."""
        return self._whole.defers_writes

    async def read(self, path: str) -> bytes:
        """Return an object's content."""
        return await self._whole.read(self._joined(path))

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Start to read an object as a stream."""
        download = await self._whole.open(self._joined(path), start=start, length=length, version=version)
        download.object = self._own(download.object)
        return download

    async def open_changed(self, path: str, version: str) -> Download | None:
        """Start to read an object if it is at another version."""
        download = await self._whole.open_changed(self._joined(path), version)
        if download is not None:
            download.object = self._own(download.object)
        return download

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
        written = await self._whole.write(
            self._joined(path),
            data,
            condition=condition,
            content_type=content_type,
            metadata=metadata,
            headers=headers,
            md5=md5,
        )
        return self._own(written)

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
        written = await self._whole.write_stream(
            self._joined(path),
            chunks,
            size=size,
            condition=condition,
            content_type=content_type,
            metadata=metadata,
            headers=headers,
            checkpoint=checkpoint,
        )
        return self._own(written)

    async def abort_upload(self, path: str, token: str) -> None:
        """Give up an upload that was left."""
        await self._whole.abort_upload(self._joined(path), token)

    async def stat(self, path: str) -> StorageObject:
        """Describe an object."""
        return self._own(await self._whole.stat(self._joined(path)))

    async def exists(self, path: str) -> bool:
        """Say whether the object is there."""
        return await self._whole.exists(self._joined(path))

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """List objects page by page, without an object that has the name of the folder itself."""
        start = to_key(self._folder, clean(after)) if after is not None else None
        async for page in self._whole.scan(to_key(self._folder, clean(prefix)), after=start):
            own = page.having(self._own(each) for each in page if each.path != self._folder)
            if own or own.refused or own.folder_markers or own.as_of:
                yield own

    async def list(self, prefix: str = "") -> Listing:
        """List all objects at once."""
        return await Listing.of(self.scan(prefix))

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy an object within the folder."""
        return self._own(await self._whole.copy(self._joined(source), self._joined(target), condition=condition))

    def copies_from(self, other: StorageBackend) -> bool:
        """Say whether the provider would copy by itself."""
        return self._whole.copies_from(other)

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
        copied = await self._whole.copy_from(other, source, self._joined(target), version=version, condition=condition)
        return copied and self._own(copied)

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Delete an object."""
        await self._whole.delete(self._joined(path), condition=condition)

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        """Delete objects in bulk."""
        given: dict[str, str] = {}
        failures: dict[str, PersonaError] = {}
        for path in paths:
            try:
                given[self._joined(path)] = path
            except NameRefusedError as error:
                failures[path] = error
        required = {
            self._joined(path): condition for path, condition in (conditions or {}).items() if path not in failures
        }
        failed = await self._whole.delete_many([*given], conditions=required)
        return failures | {given[path]: error for path, error in failed.items()}

    async def past(self) -> AsyncIterator[Sequence[PastVersion]]:
        """Yield what the provider still has of earlier objects of the folder."""
        start = f"{self._folder}/"
        async for page in self._whole.past():
            yield [replace(each, path=each.path[len(start) :]) for each in page if each.path.startswith(start)]

    async def read_past(self, version: PastVersion) -> bytes:
        """Return the content of an earlier version."""
        return await self._whole.read_past(replace(version, path=f"{self._folder}/{version.path}"))

    async def delete_past(self, version: PastVersion) -> None:
        """Delete an earlier version."""
        await self._whole.delete_past(replace(version, path=f"{self._folder}/{version.path}"))

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        """Say what the endpoint can do."""
        return await self._whole.capabilities(anew=anew)

    async def close(self) -> None:
        """Close the whole."""
        await self._whole.close()

    def _joined(self, path: str) -> str:
        return to_key(self._folder, clean_object(path))

    def _own(self, found: StorageObject) -> StorageObject:
        return replace(found, path=found.path[len(self._folder) + 1 :])
