"""The local backend: objects are files under one folder, legible for people, and safe from lost updates.

How a path becomes a file name is written in `persona.storage.paths`; how writes are made atomic, durable and
exclusive in `persona.storage.backends.local_draft`; where metadata is kept in
`persona.storage.backends.local_meta`; and why nothing leaves the root in
`persona.storage.backends.local_folder`. Each operation is one call in a thread.

A root that is not there is an empty storage; the first write makes it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from persona.errors import ConflictError, NotFoundError, PersonaError, UnreachableError, VerificationError
from persona.storage import paths
from persona.storage.backend import (
    Checkpoint,
    Condition,
    Download,
    Listing,
    Place,
    RefusedName,
    StorageBackend,
    StorageObject,
)
from persona.storage.backends import local_meta
from persona.storage.backends.local_draft import Draft, remove, version_of
from persona.storage.backends.local_files import TRIES, Disk, absent_if_no_folder, errors_of
from persona.storage.backends.local_meta import Attributes, attributes_of
from persona.storage.backends.local_scan import FoundFile, Walk
from persona.storage.content_types import content_type_of

CHUNK_BYTES = 1024 * 1024
PAGE_OBJECTS = 1000

T = TypeVar("T")


class LocalDownload(Download):
    """A file being read, by one descriptor: whatever happens to its name, these are the bytes of one version.

    Args:
        found: the object.
        fd: its file, which this takes over.
        start: the first byte wanted.
        length: how many bytes at most, or None.
    """

    def __init__(self, found: StorageObject, fd: int, start: int, length: int | None) -> None:
        self.object = found
        self._file = os.fdopen(fd, "rb", buffering=0)
        self._position = start
        self._left = max(0, found.size - start if length is None else min(length, found.size - start))
        self._mtime_ns = os.fstat(fd).st_mtime_ns

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks of at most 1 MiB, and close the file at the end."""
        try:
            while self._left:
                yield await _in_thread(self._next)
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the file."""
        self.let_go()

    def rest(self) -> bytes:
        """Return what is left, without a thread."""
        content = bytearray()
        while self._left:
            content += self._next()
        return bytes(content)

    def let_go(self) -> None:
        """Close the file, without a thread."""
        self._file.close()

    def _next(self) -> bytes:
        fd = self._file.fileno()
        os.lseek(fd, self._position, os.SEEK_SET)
        chunk = os.read(fd, min(CHUNK_BYTES, self._left))
        info = os.fstat(fd)
        if not chunk or (info.st_size, info.st_mtime_ns) != (self.object.size, self._mtime_ns):
            raise UnreachableError(
                f"“{self.object.path}” was edited by another program while it was read.", hint="Try again."
            )
        self._position += len(chunk)
        self._left -= len(chunk)
        return chunk


class LocalBackend(StorageBackend):
    """A folder on this machine.

    Args:
        root: the folder; made by the first write.
    """

    def __init__(self, root: Path) -> None:
        self._disk = Disk(root)

    def url(self, path: str = "") -> str:
        """Return the location as ``file:///folder/path``."""
        return self._disk.url(paths.clean(path))

    def describe(self) -> Place:
        """Say which folder it is."""
        return Place("Local disk", (("Folder", str(self._disk.root)),))

    async def read(self, path: str) -> bytes:
        """Return a file's content."""
        path = paths.clean_object(path)

        def read() -> bytes:
            fd, found = self._open(path)
            with errors_of(self._disk, path):
                download = LocalDownload(found, fd, 0, None)
                try:
                    return download.rest()
                finally:
                    download.let_go()

        return await _in_thread(read)

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Open a file; its descriptor holds the version."""
        fd, found = await _in_thread(self._open, paths.clean_object(path))
        if version is not None and found.version != version:
            os.close(fd)
            raise ConflictError(f"{self.url(path)} was changed in between.", hint="Read it again.")
        return LocalDownload(found, fd, start, length)

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        condition: Condition | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StorageObject:
        """Write a temporary file and rename it."""
        path = paths.clean_object(path)
        attributes = attributes_of(path, content_type, metadata)
        draft = Draft(self._disk, path)

        def put() -> StorageObject:
            try:
                with errors_of(self._disk, path):
                    draft.append(data)
                    return describe(path, draft.commit(condition, attributes), attributes)
            finally:
                draft.discard()

        return await _in_thread(put, draft=draft)

    async def write_stream(
        self,
        path: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        condition: Condition | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> StorageObject:
        """Write a temporary file as the stream comes, and rename it at its end."""
        path = paths.clean_object(path)
        attributes = attributes_of(path, content_type, metadata)
        draft = Draft(self._disk, path)
        try:
            async for piece in _gathered(chunks):
                await _in_thread(self._append, draft, piece)
            if size is not None and draft.size != size:
                raise VerificationError(f"{self.url(path)}: {draft.size} bytes came, {size} were announced.")
            info = await _in_thread(self._commit, draft, condition, attributes, draft=draft)
        finally:
            await _in_thread(draft.discard)
        return describe(path, info, attributes)

    async def abort_upload(self, path: str, token: str) -> None:
        """Give up an upload that was left."""

    async def stat(self, path: str) -> StorageObject:
        """Describe a file."""
        return await _in_thread(self._stat, paths.clean_object(path))

    async def exists(self, path: str) -> bool:
        """Say whether the file is there."""
        path = paths.clean_object(path)

        def look() -> bool:
            try:
                self._locate(path)
            except NotFoundError:
                return False
            return True

        return await _in_thread(look)

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """Walk the folders, a thousand objects a page."""
        prefix = paths.clean(prefix)
        found = Walk(self._disk, prefix, paths.clean(after or "")).found()
        try:
            while (page := await _in_thread(self._page, found, prefix)) is not None:
                yield page
        finally:
            found.close()

    async def list(self, prefix: str = "") -> Listing:
        """Collect all pages."""
        listing = Listing()
        async for page in self.scan(prefix):
            listing.extend(page)
            listing.refused.extend(page.refused)
        return listing

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy a file within the system, without its bytes passing through here where it can do that."""
        source, target = paths.clean_object(source), paths.clean_object(target)
        draft = Draft(self._disk, target)

        def copy() -> StorageObject:
            fd, found = self._open(source)
            attributes = Attributes(found.content_type or content_type_of(target), found.metadata or {})
            try:
                with errors_of(self._disk, target):
                    _copy_bytes(fd, draft, found.size)
                    return describe(target, draft.commit(condition, attributes), attributes)
            finally:
                os.close(fd)
                draft.discard()

        return await _in_thread(copy, draft=draft)

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
        return None

    async def delete(self, path: str) -> None:
        """Remove a file and the folders that are empty then."""
        await _in_thread(self._remove, paths.clean_object(path))

    async def delete_many(self, paths: Sequence[str]) -> dict[str, PersonaError]:
        """Remove files one by one, a thousand in one call to a thread."""
        failed: dict[str, PersonaError] = {}
        for first in range(0, len(paths), PAGE_OBJECTS):
            failed |= await _in_thread(self._remove_all, paths[first : first + PAGE_OBJECTS])
        return failed

    async def conditions_kept(self) -> bool:
        """Say yes: locks keep them."""
        return True

    async def close(self) -> None:
        """Do nothing: no file stays open between operations."""

    def _append(self, draft: Draft, piece: bytes) -> None:
        with errors_of(self._disk, draft.path):
            draft.append(piece)

    def _commit(self, draft: Draft, condition: Condition | None, attributes: Attributes) -> os.stat_result:
        with errors_of(self._disk, draft.path):
            return draft.commit(condition, attributes)

    def _remove(self, path: str) -> None:
        with errors_of(self._disk, path):
            remove(self._disk, path)

    def _remove_all(self, given: Sequence[str]) -> dict[str, PersonaError]:
        failed: dict[str, PersonaError] = {}
        for path in given:
            try:
                self._remove(paths.clean_object(path))
            except PersonaError as error:
                failed[path] = error
        return failed

    def _locate(self, path: str) -> os.stat_result:
        """Describe an object's file."""
        with errors_of(self._disk, path), absent_if_no_folder(self._disk):
            folder, leaf = self._disk.parent(path)
            with folder:
                found = self._disk.locate(folder, leaf)
            if found is None:
                raise FileNotFoundError(errno.ENOENT, "no such object", path)
            return found[1]

    def _stat(self, path: str) -> StorageObject:
        """Describe an object with what is kept of it: both of one version."""
        for _ in range(TRIES):
            info = self._locate(path)
            if attributes := self._attributes(path, info):
                return describe(path, info, attributes)
        raise _restless(self.url(path))

    def _open(self, path: str) -> tuple[int, StorageObject]:
        """Open an object's file and describe it, with what is kept of that very version."""
        for _ in range(TRIES):
            with errors_of(self._disk, path), absent_if_no_folder(self._disk):
                folder, leaf = self._disk.parent(path)
                with folder:
                    fd = self._disk.open(folder, leaf)
            try:
                info = os.fstat(fd)
                if attributes := self._attributes(path, info):
                    return fd, describe(path, info, attributes)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
        raise _restless(self.url(path))

    def _attributes(self, path: str, info: os.stat_result) -> Attributes | None:
        """Return what is kept of one version of an object, or None if that version is gone.

        Nothing kept means that nothing needed keeping, but only if the version is still there: the next
        writer removes what was kept of the one before.
        """
        with errors_of(self._disk, path):
            kept = local_meta.read(self._disk, path, info.st_mtime_ns)
        if kept or self._locate(path).st_mtime_ns == info.st_mtime_ns:
            return kept or Attributes(content_type_of(path))
        return None

    def _page(self, found: Iterator[FoundFile | RefusedName], prefix: str) -> Listing | None:
        """Return the next page, or None if there are no more."""
        with errors_of(self._disk, prefix):
            items = list(islice(found, PAGE_OBJECTS))
        objects = (describe(item.path, item.info) for item in items if isinstance(item, FoundFile))
        refused = (item for item in items if isinstance(item, RefusedName))
        return Listing(objects, refused) if items else None


def describe(path: str, info: os.stat_result, attributes: Attributes | None = None) -> StorageObject:
    """Return an object as its file's description has it."""
    return StorageObject(
        path=path,
        size=info.st_size,
        last_modified=datetime.fromtimestamp(info.st_mtime, UTC),
        version=version_of(info),
        content_type=attributes.content_type if attributes else None,
        metadata=attributes.metadata if attributes else None,
    )


async def _in_thread(call: Callable[..., T], *args: Any, draft: Draft | None = None) -> T:
    """Run blocking work in a thread. A cancelled task waits for its end, since it uses open files.

    Args:
        call: the work.
        *args: its arguments.
        draft: what must not become visible any more if the task is cancelled.
    """
    import asyncio

    work = asyncio.get_running_loop().run_in_executor(None, call, *args)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if draft is not None:
            draft.cancelled = True
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        work.exception()  # has been looked at: what it raised is of no interest any more
        raise


async def _gathered(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Join small chunks, so that each call to a thread writes at least 1 MiB."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= CHUNK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def _copy_bytes(fd: int, draft: Draft, size: int) -> None:
    """Copy a file's content into a draft."""
    target = draft.fd
    position = 0
    try:
        while position < size and (count := os.copy_file_range(fd, target, size - position)):
            position += count
    except (AttributeError, OSError):  # not on this system, or not on this file system: the slow way is sure
        os.lseek(fd, position, os.SEEK_SET)
    while chunk := os.read(fd, CHUNK_BYTES):
        draft.append(chunk)
    if position + draft.size != size:
        raise UnreachableError(f"“{draft.path}”: its source was edited while it was copied.", hint="Try again.")


def _restless(url: str) -> UnreachableError:
    return UnreachableError(f"{url} is overwritten faster than it can be read.", hint="Try again.")
