"""A provider in memory that can be down, and lose an answer."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping

from persona.errors import ConflictError, PersonaError, UnreachableError
from persona.storage.backend import Checkpoint, Condition, Download, IfVersion, Listing, StorageObject
from persona.storage.content_headers import ContentHeaders
from tests.personas.memory import MemoryBackend

DOWN = UnreachableError("Nothing answers at example.", hint="Check the network.")


class Provider(MemoryBackend):
    """Every request raises `error`, if there is one; after as many writes as `writes_left`, all do."""

    def __init__(self) -> None:
        super().__init__()
        self.error: PersonaError | None = None
        self.loses_answers = False
        self.writes_left = 1_000_000
        self.asked = 0

    def _ask(self) -> None:
        self.asked += 1
        if self.error:
            raise self.error

    async def read(self, path: str) -> bytes:
        self._ask()
        return await super().read(path)

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        self._ask()
        found = self._describe(path)
        if version not in (None, found.version):
            raise ConflictError(f"{path} has changed.")
        end = None if length is None else start + length
        return _Read(found, self.objects[path][0][start:end])

    async def open_changed(self, path: str, version: str) -> Download | None:
        return None if (await self.stat(path)).version == version else await self.open(path)

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
        if not self.writes_left:
            self.error = DOWN
        self._ask()
        written = await super().write(path, data, condition=condition, content_type=content_type)
        self.writes_left -= 1
        if self.loses_answers:
            self.loses_answers = False
            raise UnreachableError("The connection broke off.")
        return written

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
        self._ask()
        data = b"".join([chunk async for chunk in chunks])
        assert size in (None, len(data))
        return await self.write(path, data, condition=condition, content_type=content_type)

    async def stat(self, path: str) -> StorageObject:
        self._ask()
        return await super().stat(path)

    async def exists(self, path: str) -> bool:
        self._ask()
        return await super().exists(path)

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        self._ask()
        async for page in super().scan(prefix):
            if after is None:
                yield page
            elif left := [found for found in page if found.path > after]:
                yield Listing(left)

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        self._ask()
        await super().delete(path, condition=condition)


class _Read(Download):
    def __init__(self, found: StorageObject, data: bytes) -> None:
        self.object = found
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data

    async def close(self) -> None:
        """Do nothing."""
