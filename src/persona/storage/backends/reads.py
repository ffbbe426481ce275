"""Reading from a bucket or container: at one version, read on after a break, compared with what the provider states."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from persona.errors import ConflictError
from persona.storage.backend import Digest, Download, PastVersion, StorageObject
from persona.storage.backends.answers import understood
from persona.storage.backends.bucket import Bucket
from persona.storage.backends.downloads import ObjectDownload, Reopen, damaged
from persona.storage.backends.faults import MissingError, RangeError, UnchangedError, changed
from persona.storage.backends.primitives import UNKNOWN_TIME
from persona.storage.backends.rest import Reply
from persona.storage.backends.streams import EmptyDownload
from persona.storage.checksums import hasher_of
from persona.storage.paths import clean


class Reads(Bucket):
    """A bucket or container whose objects are read and described."""

    async def read(self, path: str) -> bytes:
        """Return an object's content."""
        return await (await self.open(path)).whole()

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Start to read an object as a stream."""

        async def reopen(at: int, version: str | None) -> Download:
            left = None if length is None else start + length - at
            return await self._open(path, at, left, version)

        opened = await self._open(path, start, length, version)
        return self._checked(path, opened, reopen, start=start, length=length, version=version)

    def _checked(
        self,
        path: str,
        opened: Download,
        reopen: Reopen,
        *,
        start: int = 0,
        length: int | None = None,
        version: str | None = None,
    ) -> Download:
        """Return a download that is read on after a break, and compared with its digest."""

        async def misstated(found: StorageObject, computed: str) -> bool:
            return await self._misstated(self._key(path), found, computed)

        return ObjectDownload(
            opened, reopen, start=start, length=length, version=version, policy=self._policy, misstated=misstated
        )

    async def _open(self, path: str, start: int, length: int | None, version: str | None) -> Download:
        """Start to read an object, without care for breaks and damage."""
        key = self._key(path)
        if length == 0:
            return await self._nothing(path, version)
        try:
            async with self._about(path, "read"):
                download = await self._get(key, start, length, version)
        except RangeError:
            return await self._nothing(path, version)
        except MissingError:
            raise await self._absent(path) from None
        except ConflictError:
            if not await self.exists(path):  # some servers call a missing object a changed one
                raise await self._absent(path) from None
            raise changed(path) from None
        if version is not None and download.object.version != version:  # an endpoint may ignore If-Match
            await download.close()
            raise changed(path)
        return download

    async def open_changed(self, path: str, version: str) -> Download | None:
        """Start to read an object if it is at another version: one request."""
        try:
            async with self._about(path, "read"):
                download = await self._get(self._key(path), unless=version)
        except UnchangedError:
            return None
        except MissingError:
            raise await self._absent(path) from None
        except ConflictError:  # not what a read is answered with: it may be said of an object that is gone, too
            return None if (await self.stat(path)).version == version else await self.open(path)
        self._bucket_seen = True
        if download.object.version == version:  # an endpoint may ignore the condition
            await download.close()
            return None

        async def reopen(at: int, version: str | None) -> Download:
            return await self._open(path, at, None, version)

        return self._checked(path, download, reopen)

    async def stat(self, path: str) -> StorageObject:
        """Describe an object, with its content type and metadata."""
        try:
            with self._allowed("read"):
                entry = await self._head(self._key(path))
        except MissingError:
            raise await self._absent(path) from None
        self._bucket_seen = True
        return entry.named(clean(path))

    async def exists(self, path: str) -> bool:
        """Say whether the object is there."""
        try:
            with self._allowed("read"):
                await self._head(self._key(path))
        except MissingError:
            await self._require_bucket()
            return False
        return True

    async def _nothing(self, path: str, version: str | None) -> Download:
        """Return a download of no bytes, of an object that is there."""
        found = await self.stat(path)
        if version is not None and found.version != version:
            raise changed(path)
        return EmptyDownload(found)

    async def _past_content(
        self,
        version: PastVersion,
        get: Callable[[], Awaitable[Reply]],
        stated: Callable[[Mapping[str, str]], Digest | None],
    ) -> bytes:
        """Return the content of an earlier version, compared with its digest; read again once if it is damaged."""
        for again in (False, True):
            reply = await get()
            with understood(self._host, version.path):
                digest = stated(reply.headers)
            hasher = hasher_of(digest.algorithm) if digest and digest.vouched else None
            if digest is None or hasher is None:
                return reply.body
            hasher.update(reply.body)
            found = StorageObject(version.path, len(reply.body), UNKNOWN_TIME, digest.value, digest)
            if hasher.hexdigest() == digest.value or await self._misstated(version.path, found, hasher.hexdigest()):
                return reply.body
            if again:
                raise damaged(version.path, digest)
        raise AssertionError("the loop returns or raises")
