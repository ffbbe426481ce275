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
import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from persona.errors import ConflictError, NotFoundError, PersonaError, UnreachableError
from persona.moments import moment
from persona.storage import paths
from persona.storage.backend import (
    Checkpoint,
    Condition,
    Download,
    IfVersion,
    Listing,
    Location,
    PastVersion,
    Place,
    RefusedName,
    StorageBackend,
    StorageObject,
)
from persona.storage.backends import local_meta
from persona.storage.backends.local_draft import Draft, is_racy, remove, version_of
from persona.storage.backends.local_files import TRIES, Disk, absent_if_no_folder, errors_of
from persona.storage.backends.local_folder import Folder
from persona.storage.backends.local_leftovers import prune_attributes
from persona.storage.backends.local_meta import Attributes, attributes_of
from persona.storage.backends.local_read import CHUNK_BYTES, LocalDownload, copy_bytes
from persona.storage.backends.local_scan import FoundFile, Walk
from persona.storage.backends.local_threads import Patience, in_thread
from persona.storage.backends.streams import counted
from persona.storage.capabilities import DOCUMENTED, Capabilities
from persona.storage.content_headers import NO_HEADERS, ContentHeaders
from persona.storage.content_types import content_type_of

PAGE_OBJECTS = 1000

T = TypeVar("T")


class LocalBackend(StorageBackend):
    """A folder on this machine.

    Args:
        root: the folder; made by the first write.
    """

    def __init__(self, root: Path) -> None:
        self._disk = Disk(root)
        self._patience = Patience()
        self._reading: Counter[str] = Counter()

    def url(self, path: str = "") -> str:
        """Return the location as ``file:///folder/path``."""
        return self._disk.url(paths.clean(path))

    def describe(self) -> Place:
        """Say which folder it is."""
        return Place("Local disk", (("Folder", str(self._disk.root)),))

    async def past(self) -> AsyncIterator[Sequence[PastVersion]]:
        """Yield nothing: a folder keeps no earlier versions."""
        kept: tuple[Sequence[PastVersion], ...] = ()
        for page in kept:
            yield page

    def prune_attributes(self) -> None:
        """Remove what is kept of versions that are not there; see `local_leftovers`."""
        prune_attributes(self._disk)

    def may_change_unseen(self, version: str, since: float) -> bool:
        """Say whether a file may be edited without a new version: on a file system that keeps whole seconds."""
        return is_racy(version, since)

    def reading_requests(self) -> Mapping[str, int]:
        """Return how many walks, reads and looks there were so far."""
        return self._reading

    async def location(self) -> Location:
        """Say that it is this machine."""
        return Location(None, "machine")

    async def read(self, path: str) -> bytes:
        """Return a file's content."""
        self._reading["read"] += 1
        path = paths.clean_object(path)

        def read() -> bytes:
            download = self._begin(path, 0, None, None)
            try:
                return download.rest()
            finally:
                download.let_go()

        return await in_thread(read)

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Open a file, and read its first chunk; its descriptor holds the version."""
        self._reading["read"] += 1
        path = paths.clean_object(path)
        if self._patience.says_quick():
            begun = time.perf_counter()
            try:
                return self._begin(path, start, length, version)
            finally:
                self._patience.learn(time.perf_counter() - begun)
        return await in_thread(self._begin, path, start, length, version, undo=LocalDownload.let_go)

    async def open_changed(self, path: str, version: str) -> Download | None:
        """Open a file, and let go of it if it is still at this version."""
        path = paths.clean_object(path)
        return await in_thread(self._begin_changed, path, version, undo=_let_go)

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
        """Write a temporary file and rename it."""
        path = paths.clean_object(path)
        return await self._put(path, data, condition, attributes_of(path, content_type, metadata, headers))

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
        """Write a temporary file as the stream comes, and rename it at its end."""
        path = paths.clean_object(path)
        attributes = attributes_of(path, content_type, metadata, headers)
        pieces = _gathered(counted(chunks, path, size))
        first, second = await anext(pieces), await anext(pieces, None)
        if second is None:  # a small object is one call to a thread in all
            return await self._put(path, first, condition, attributes)
        draft = Draft(self._disk, path)
        try:
            await in_thread(self._append, draft, first)
            await in_thread(self._append, draft, second)
            async for piece in pieces:
                await in_thread(self._append, draft, piece)
            info = await in_thread(self._commit, draft, condition, attributes, draft=draft)
        finally:
            await in_thread(draft.discard)
        return describe(path, info, attributes)

    async def abort_upload(self, path: str, token: str) -> None:
        """Give up an upload that was left."""

    async def stat(self, path: str) -> StorageObject:
        """Describe a file."""
        self._reading["head"] += 1
        return await in_thread(self._stat, paths.clean_object(path))

    async def exists(self, path: str) -> bool:
        """Say whether the file is there."""
        self._reading["head"] += 1
        path = paths.clean_object(path)

        def look() -> bool:
            try:
                self._locate(path)
            except NotFoundError:
                return False
            return True

        return await in_thread(look)

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """Walk the folders, a thousand objects a page."""
        prefix = paths.clean(prefix)
        found = Walk(self._disk, prefix, paths.clean(after or "")).found()
        try:
            self._reading["list"] += 1
            while (page := await in_thread(self._page, found, prefix)) is not None:
                yield page
        finally:
            found.close()

    async def list(self, prefix: str = "") -> Listing:
        """Collect all pages."""
        return await Listing.of(self.scan(prefix))

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy a file within the system, without its bytes passing through here where it can do that."""
        return await self._copied(self, source, target, None, condition)

    async def copy_from(
        self,
        other: StorageBackend,
        source: str,
        target: str,
        *,
        version: str | None = None,
        condition: Condition | None = None,
    ) -> StorageObject | None:
        """Copy a file from another folder."""
        holder, source = other.beneath(source)
        if not isinstance(holder, LocalBackend):
            return None
        return await self._copied(holder, source, target, version, condition)

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Remove a file and the folders that are empty then."""
        await in_thread(self._remove, paths.clean_object(path), condition)

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        """Remove files one by one, a thousand in one call to a thread."""
        failed: dict[str, PersonaError] = {}
        for first in range(0, len(paths), PAGE_OBJECTS):
            failed |= await in_thread(self._remove_all, paths[first : first + PAGE_OBJECTS], conditions or {})
        return failed

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        """Say that preconditions are honoured, by locks; there is no server that could check a digest."""
        return replace(DOCUMENTED, checksums=None)

    async def close(self) -> None:
        """Do nothing: no file stays open between operations."""

    async def _copied(
        self, other: LocalBackend, source: str, target: str, version: str | None, condition: Condition | None
    ) -> StorageObject:
        """Copy a file within the system, without its bytes passing through here where it can do that."""
        source, target = paths.clean_object(source), paths.clean_object(target)
        draft = Draft(self._disk, target)

        def copy() -> StorageObject:
            fd, _, found = other._open(source)
            kind = found.content_type or content_type_of(target)
            attributes = Attributes(kind, found.metadata or {}, found.headers or NO_HEADERS)
            try:
                other._expect(found, version)
                with errors_of(self._disk, target):
                    copy_bytes(fd, draft, found.size)
                    return describe(target, draft.commit(condition, attributes), attributes)
            finally:
                os.close(fd)
                draft.discard()

        return await in_thread(copy, draft=draft)

    async def _put(self, path: str, data: bytes, condition: Condition | None, attributes: Attributes) -> StorageObject:
        draft = Draft(self._disk, path)

        def put() -> StorageObject:
            try:
                with errors_of(self._disk, path):
                    draft.append(data)
                    return describe(path, draft.commit(condition, attributes), attributes)
            finally:
                draft.discard()

        return await in_thread(put, draft=draft)

    def _append(self, draft: Draft, piece: bytes) -> None:
        with errors_of(self._disk, draft.path):
            draft.append(piece)

    def _commit(self, draft: Draft, condition: Condition | None, attributes: Attributes) -> os.stat_result:
        with errors_of(self._disk, draft.path):
            return draft.commit(condition, attributes)

    def _remove(self, path: str, condition: IfVersion | None) -> None:
        with errors_of(self._disk, path):
            remove(self._disk, path, condition)

    def _remove_all(self, given: Sequence[str], conditions: Mapping[str, IfVersion]) -> dict[str, PersonaError]:
        failed: dict[str, PersonaError] = {}
        for path in given:
            try:
                self._remove(paths.clean_object(path), conditions.get(path))
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
            with errors_of(self._disk, path), absent_if_no_folder(self._disk):
                folder, leaf = self._disk.parent(path)
                with folder:
                    found = self._disk.locate(folder, leaf)
                    if found is None:
                        raise FileNotFoundError(errno.ENOENT, "no such object", path)
                    if attributes := self._attributes(path, folder, leaf, found[1]):
                        return describe(path, found[1], attributes)
        raise _restless(self.url(path))

    def _open(self, path: str) -> tuple[int, os.stat_result, StorageObject]:
        """Open an object's file and describe it, with what is kept of that very version."""
        for _ in range(TRIES):
            with errors_of(self._disk, path), absent_if_no_folder(self._disk):
                folder, leaf = self._disk.parent(path)
                with folder:
                    fd = self._disk.open(folder, leaf)
                    try:
                        info = os.fstat(fd)
                        if attributes := self._attributes(path, folder, leaf, info):
                            return fd, info, describe(path, info, attributes)
                    except BaseException:
                        os.close(fd)
                        raise
                    os.close(fd)
        raise _restless(self.url(path))

    def _begin(self, path: str, start: int, length: int | None, version: str | None) -> LocalDownload:
        """Open an object's file, and read its first chunk."""
        fd, info, found = self._open(path)
        try:
            self._expect(found, version)
        except BaseException:
            os.close(fd)
            raise
        return LocalDownload(self._disk, found, fd, info, start, length)

    def _begin_changed(self, path: str, version: str) -> LocalDownload | None:
        """Do as `_begin`, unless the file is still at this version."""
        fd, info, found = self._open(path)
        if found.version == version:
            os.close(fd)
            return None
        return LocalDownload(self._disk, found, fd, info, 0, None)

    def _expect(self, found: StorageObject, version: str | None) -> None:
        if version is not None and found.version != version:
            raise ConflictError(f"{self.url(found.path)} was changed in between.", hint="Read it again.")

    def _attributes(self, path: str, folder: Folder, leaf: str, info: os.stat_result) -> Attributes | None:
        """Return what is kept of one version of an object, or None if that version is gone.

        Nothing kept means that nothing needed keeping, but only if the version is still there: the next
        writer removes what was kept of the one before.
        """
        if kept := local_meta.read(self._disk, path, info.st_mtime_ns):
            return kept
        found = self._disk.locate(folder, leaf)
        return Attributes(content_type_of(path)) if found and found[1].st_mtime_ns == info.st_mtime_ns else None

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
        last_modified=moment(info.st_mtime),
        version=version_of(info),
        content_type=attributes.content_type if attributes else None,
        metadata=attributes.metadata if attributes else None,
        headers=attributes.headers if attributes else None,
    )


def _let_go(download: LocalDownload | None) -> None:
    """Let go of a download that nobody waits for any more."""
    if download is not None:
        download.let_go()


async def _gathered(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Join small chunks into pieces of at least 1 MiB, but for the last; there is always one."""
    parts: list[bytes] = []
    size = 0
    pieces = 0
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= CHUNK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
            pieces += 1
    if parts or not pieces:
        yield b"".join(parts)


def _restless(url: str) -> UnreachableError:
    return UnreachableError(f"{url} is overwritten faster than it can be read.", hint="Try again.")
