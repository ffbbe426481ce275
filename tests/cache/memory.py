"""A storage in memory that notes its requests, and lets a test step in before and after each of them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from persona.errors import AlreadyExistsError, ConflictError, NotFoundError, PersonaError
from persona.storage.backend import (
    Checkpoint,
    Condition,
    Download,
    IfAbsent,
    IfVersion,
    Listing,
    Place,
    StorageBackend,
    StorageObject,
)
from persona.storage.capabilities import DOCUMENTED, Capabilities
from persona.storage.content_headers import ContentHeaders
from persona.storage.paths import clean, clean_object, is_below, sort_key

PIECE = 1 << 20
NOW = datetime(2025, 1, 20, 14, 32, tzinfo=UTC)

Hook = Callable[[str], Awaitable[None]]


async def nothing(request: str) -> None:
    """Let a request be."""


class Pieces(Download):
    """An object in pieces; what is transferred of it is counted."""

    def __init__(self, memory: Memory, found: StorageObject, data: bytes) -> None:
        self.object = found
        self._memory = memory
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), PIECE):
            piece = self._data[start : start + PIECE]
            self._memory.transferred += len(piece)
            await self._memory.before(f"piece {self.object.path}")
            yield piece

    async def close(self) -> None:
        self._memory.open_downloads -= 1


class Memory(StorageBackend):
    """Objects in a dictionary.

    Args:
        page: how many objects a page of a listing has.
    """

    def __init__(self, page: int = 3) -> None:
        self.objects: dict[str, tuple[bytes, StorageObject]] = {}
        self.requests: list[str] = []
        self.transferred = 0
        self.open_downloads = 0
        self.before: Hook = nothing
        self.after: Hook = nothing
        self.body: Callable[[bytes], bytes] = bytes
        """What is sent instead of a content."""
        self._page = page
        self._version = 0

    def put(self, path: str, data: bytes, **more: object) -> StorageObject:
        """Write an object as another machine would."""
        self._version += 1
        found = StorageObject(path, len(data), NOW, f"v{self._version}", content_type="text/plain", metadata={})
        self.objects[path] = data, replace(found, **more)  # type: ignore[arg-type]
        return self.objects[path][1]

    def asked(self) -> list[str]:
        """Return the requests since the last time."""
        requests, self.requests = self.requests, []
        return requests

    @asynccontextmanager
    async def _request(self, what: str, path: str) -> AsyncIterator[None]:
        request = f"{what} {path}".strip()
        self.requests.append(request)
        await self.before(request)
        yield
        await self.after(request)

    def _found(self, path: str) -> tuple[bytes, StorageObject]:
        if path not in self.objects:
            raise NotFoundError(f"There is no {path}.")
        return self.objects[path]

    def url(self, path: str = "") -> str:
        return f"memory://{path}"

    def describe(self) -> Place:
        return Place("Memory", ())

    async def read(self, path: str) -> bytes:
        return b"".join([piece async for piece in await self.open(path)])

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        async with self._request("open", path):
            data, found = self._found(clean_object(path))
            if version not in (None, found.version):
                raise ConflictError(f"{path} is at another version.")
            self.open_downloads += 1
            return Pieces(self, found, self.body(data[start:][:length]))

    async def open_changed(self, path: str, version: str) -> Download | None:
        async with self._request("changed", path):
            data, found = self._found(clean_object(path))
            if found.version == version:
                return None
            self.open_downloads += 1
            return Pieces(self, found, self.body(data))

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
        async with self._request("write", path):
            there = self.objects.get(clean_object(path))
            if isinstance(condition, IfAbsent) and there:
                raise AlreadyExistsError(f"{path} is there.")
            if isinstance(condition, IfVersion) and (there is None or there[1].version != condition.version):
                raise ConflictError(f"{path} has changed.")
            return self.put(clean_object(path), data, metadata=dict(metadata or {}))

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
        data = b"".join([chunk async for chunk in chunks])
        return await self.write(path, data, condition=condition, metadata=metadata)

    async def abort_upload(self, path: str, token: str) -> None:
        """Do nothing: there are no uploads in parts."""

    async def stat(self, path: str) -> StorageObject:
        async with self._request("stat", path):
            return self._found(clean_object(path))[1]

    async def exists(self, path: str) -> bool:
        async with self._request("exists", path):
            return clean_object(path) in self.objects

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        folder, start = clean(prefix), sort_key(clean(after or ""))
        async with self._request("list", folder):
            paths = [path for path in self.objects if is_below(path, folder) and (not start or sort_key(path) > start)]
            paths.sort(key=sort_key)
        for first in range(0, len(paths), self._page):
            objects = [self.objects[path][1] for path in paths[first : first + self._page] if path in self.objects]
            yield Listing(replace(found, metadata=None, content_type=None) for found in objects)

    async def list(self, prefix: str = "") -> Listing:
        return await Listing.of(self.scan(prefix))

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        return await self.write(target, self._found(clean_object(source))[0], condition=condition)

    async def copy_from(
        self,
        other: StorageBackend,
        source: str,
        target: str,
        *,
        version: str | None = None,
        condition: Condition | None = None,
    ) -> StorageObject | None:
        return None

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        async with self._request("delete", path):
            there = self.objects.get(clean_object(path))
            if condition and there and there[1].version != condition.version:
                raise ConflictError(f"{path} has changed.")
            self.objects.pop(clean_object(path), None)

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        for path in paths:
            await self.delete(path, condition=(conditions or {}).get(path))
        return {}

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        return DOCUMENTED

    async def close(self) -> None:
        """Keep what is there: a test opens many storages on it."""
