"""A storage in memory that keeps the contract's conditions, and can be told to misbehave once."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
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
    RefusedName,
    StorageBackend,
    StorageObject,
)
from persona.storage.capabilities import DOCUMENTED, Capabilities
from persona.storage.content_headers import ContentHeaders
from persona.storage.paths import clean, is_below, sort_key

PAGE = 2
NOW = datetime(2025, 1, 20, 14, 32, tzinfo=UTC)


class _Whole(Download):
    def __init__(self, described: StorageObject, data: bytes) -> None:
        self.object = described
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data

    async def close(self) -> None:
        """Nothing is held."""


class MemoryBackend(StorageBackend):
    """Objects in a dictionary, listed in pages of two."""

    def __init__(self, scheme: str = "memory://") -> None:
        self.scheme = scheme
        self.objects: dict[str, tuple[bytes, int, str | None]] = {}
        self.refused: list[RefusedName] = []
        self.writes: list[str] = []
        self.before_write: Callable[[str], None] = lambda path: None
        self.closed = False
        self._version = 0

    def put(self, path: str, data: bytes, content_type: str | None = None) -> StorageObject:
        self._version += 1
        self.objects[path] = (data, self._version, content_type)
        return self._describe(path)

    def _describe(self, path: str) -> StorageObject:
        if path not in self.objects:
            raise NotFoundError(f"There is no {path}.")
        data, version, content_type = self.objects[path]
        return StorageObject(path, len(data), NOW, str(version), content_type=content_type)

    def describe(self) -> Place:
        return Place("Memory", ())

    def url(self, path: str = "") -> str:
        return f"{self.scheme}{path}"

    async def read(self, path: str) -> bytes:
        self._describe(path)
        return self.objects[path][0]

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        return _Whole(self._describe(path), await self.read(path))

    async def open_changed(self, path: str, version: str) -> Download | None:
        raise NotImplementedError

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
        self.before_write(path)
        there = self.objects.get(path)
        if isinstance(condition, IfAbsent) and there:
            raise AlreadyExistsError(f"{path} is there.")
        if isinstance(condition, IfVersion) and (not there or str(there[1]) != condition.version):
            raise ConflictError(f"{path} has changed.")
        self.writes.append(path)
        return self.put(path, data, content_type)

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
        raise NotImplementedError

    async def abort_upload(self, path: str, token: str) -> None:
        raise NotImplementedError

    async def stat(self, path: str) -> StorageObject:
        return self._describe(path)

    async def exists(self, path: str) -> bool:
        return path in self.objects

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        found = sorted((p for p in self.objects if is_below(p, clean(prefix))), key=sort_key)
        for start in range(0, len(found), PAGE):
            yield Listing(self._describe(path) for path in found[start : start + PAGE])
        if self.refused:
            yield Listing(refused=self.refused)

    async def list(self, prefix: str = "") -> Listing:
        return Listing([found async for page in self.scan(prefix) for found in page], self.refused)

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        return await self.write(target, await self.read(source), condition=condition)

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
        if condition and path in self.objects and self._describe(path).version != condition.version:
            raise ConflictError(f"{path} has changed.")
        self.objects.pop(path, None)

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        for path in paths:
            await self.delete(path, condition=(conditions or {}).get(path))
        return {}

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        return DOCUMENTED

    async def close(self) -> None:
        self.closed = True
