"""What the three cloud backends have in common, over the few primitives in which their providers differ.

Names, listings, streams cut into parts, and deletion in bulk are here once; conditions on endpoints that ignore them
are in `conditions`. A provider's own file says how one request is made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from persona.errors import (
    AccessDeniedError,
    ConflictError,
    NameRefusedError,
    NotFoundError,
    PersonaError,
    UnreachableError,
    VerificationError,
)
from persona.storage.backend import (
    Checkpoint,
    Condition,
    Digest,
    Download,
    IfAbsent,
    IfVersion,
    Listing,
    PastVersion,
    RefusedName,
    StorageObject,
)
from persona.storage.backends.answers import is_page, senseless, understood
from persona.storage.backends.conditions import FEATURES
from persona.storage.backends.copies import Copies
from persona.storage.backends.downloads import ObjectDownload, Reopen
from persona.storage.backends.faults import (
    MissingError,
    RangeError,
    RepeatedError,
    UnchangedError,
    UnsupportedError,
    changed,
    of_condition,
)
from persona.storage.backends.listing import ascending, in_order, turned
from persona.storage.backends.primitives import Attributes, Entry, Part, Upload, Written
from persona.storage.backends.rest import Reply
from persona.storage.backends.streams import EmptyDownload, counted
from persona.storage.backends.uploads import Notes, Parts, Token, fingerprint, give_up, md5_of, send
from persona.storage.capabilities import Capabilities
from persona.storage.content_headers import NO_HEADERS, ContentHeaders
from persona.storage.content_types import content_type_of
from persona.storage.metadata import checked
from persona.storage.paths import clean, from_key, printable, sort_key, to_key

T = TypeVar("T")
log = logging.getLogger(__name__)
_NOTHING = Attributes("", {})


class CloudBackend(Copies):
    """A bucket or container with a prefix, as a storage."""

    def url(self, path: str = "") -> str:
        """Return the full location of a path."""
        return f"{self._place}/{to_key(self._prefix, clean(path))}"

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
        attributes = replace(_attributes(path, content_type, metadata, headers), md5=md5)
        return await self._write_whole(path, data, attributes, condition)

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
        """Write an object from a stream, in parts above ``chunk_size``."""
        key = self._key(path)
        attributes = _attributes(path, content_type, metadata, headers)
        part_bytes = self._part_bytes(size)
        notes = Notes(checkpoint, part_bytes, fingerprint(key, attributes, condition, self.encryption))
        with closing(Parts(counted(chunks, path, size), part_bytes, size, self._budget)) as parts:
            if (whole := await parts.whole()) is not None:
                await self._forget(key, notes)
                return await self._write_whole(path, whole, attributes, condition)
            await self._before_write()
            try:
                written, total = await self._upload(key, attributes, condition, parts, notes)
            except PersonaError as error:
                raise await self._refused(error, path, condition) from error
        return self._written(path, total, attributes, written)

    async def abort_upload(self, path: str, token: str) -> None:
        """Give up an upload that was left."""
        if left := self._upload_left(self._key(path), Token.read(token), _NOTHING, None):
            await left.abort()

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

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """List objects page by page, in key order."""
        folder = clean(prefix)
        last = None if after is None else clean(after)
        if folder and (last is None or sort_key(last) < sort_key(folder)):
            try:
                with self._allowed("read"):
                    entry = await self._head(self._key(folder))
            except MissingError:  # be it the object or the bucket: the listing that follows tells
                log.debug("no object %s", folder)
            else:
                yield Listing([entry.named(folder)])
        base = to_key(self._prefix, folder)
        start = None if last is None else to_key(self._prefix, last)
        head = f"{base}/" if base else ""
        pages = (in_order if self._foreign else self.listed)(self._page, head, start)
        try:
            with understood(self._host):
                checked_pages = ascending(pages)
                while (entries := await self._next(checked_pages)) is not None:
                    page = self._listing(entries, head, start)
                    if page or page.refused or page.folder_markers:
                        yield page
        except MissingError:
            raise self._no_bucket() from None

    async def list(self, prefix: str = "") -> Listing:
        """List all objects at once."""
        return await Listing.of(self.scan(prefix))

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Delete an object; that it is not there is no error."""
        key = self._key(path)
        sent: IfVersion | None = None
        try:
            async with self._about(path, "delete"):
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
                if path not in singly:
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

    async def past(self) -> AsyncIterator[Sequence[PastVersion]]:
        """Yield earlier versions, page by page."""
        with understood(self._host):
            page_of = partial(self._past_page, self._prefix and f"{self._prefix}/")
            pages = turned(page_of, None, lambda entry: entry[:2], lambda at: (sort_key(at[0]), at[1]))
            async for page in pages:
                yield [entry.version for entry in page.entries if entry.version is not None]

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        """Say what the endpoint can do, after a probe of what is not known."""
        await self._before_write()
        return await self._conditions.find(*FEATURES, anew=anew)

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self._conditions.close()
        await self._rest.close()

    # The parts of it.

    def _past_version(self, key: str, token: str, size: int, kind: str) -> PastVersion:
        """Return a version under its storage path; one of a foreign name under its key."""
        try:
            return PastVersion(from_key(self._prefix, key), token, size, kind)
        except NameRefusedError:
            return PastVersion(printable(key), token, size, "foreign")

    def _tell(self, markers: Sequence[str]) -> None:
        """Say of the first folder markers that are met what they are."""
        if markers and not self._markers_told:
            log.info("%s has folder markers, such as “%s”: they are no objects.", self._place, printable(markers[0]))
            self._markers_told = True

    def _listing(self, entries: Sequence[Entry], head: str, start: str | None) -> Listing:
        """Return a page under storage paths, without what does not come after the start; `head` begins its keys."""
        after = None if start is None else sort_key(start)
        listing = Listing()
        for entry in entries:
            if after is not None and sort_key(entry.key) <= after:
                continue
            if not entry.key.startswith(head):
                listing.refused.append(RefusedName(entry.key, f"“{printable(entry.key)}” is not below “{head}”."))
                continue
            if entry.problem:
                reason = f"The listing cannot be used for it: {entry.problem}."
                listing.refused.append(RefusedName(entry.key, reason))
                continue
            if entry.is_folder or (entry.key.endswith("/") and not entry.size):
                listing.folder_markers.append(entry.key.removeprefix(f"{self._prefix}/").removesuffix("/"))
                continue
            try:
                listing.append(entry.named(from_key(self._prefix, entry.key)))
            except NameRefusedError as error:
                listing.refused.append(RefusedName(entry.key, str(error)))
        self._tell(listing.folder_markers)
        return listing

    async def _nothing(self, path: str, version: str | None) -> Download:
        """Return a download of no bytes, of an object that is there."""
        found = await self.stat(path)
        if version is not None and found.version != version:
            raise changed(path)
        return EmptyDownload(found)

    async def _write_whole(
        self, path: str, data: Part, attributes: Attributes, condition: Condition | None
    ) -> StorageObject:
        key = self._key(path)
        attributes = replace(attributes, md5=attributes.md5 or await self._md5_of(data))
        await self._before_write()
        await self._conditions.warn_of_metadata(attributes.metadata)
        try:
            sent = await self._conditions.kept(key, condition)
            try:
                written = await self._put(key, data, attributes, sent)
            except (ConflictError, UnsupportedError) as error:
                if await self._conditions.disproved("writes", key, sent, error):
                    return await self._write_whole(path, data, attributes, condition)
                done = await self._done_already(key, data, attributes) if isinstance(error, RepeatedError) else None
                if done is None:
                    # a server that keeps a tree takes the folder x of an object x/y for an object x
                    if not self._foreign or not isinstance(condition, IfAbsent) or await self.exists(path):
                        raise
                    log.warning(
                        "%s refuses to create “%s” under a condition, since a folder has that name. It was looked at "
                        "before instead: of two writers at the same moment one may overwrite the other.",
                        self._host,
                        printable(path),
                    )
                    done = await self._put(key, data, attributes, None)
                written = done
        except PersonaError as error:
            raise await self._refused(error, path, condition) from error
        return self._written(path, len(data), attributes, await self._undamaged(key, written, attributes))

    async def _undamaged(self, key: str, written: Written, attributes: Attributes) -> Written:
        """Compare the MD5 in the answer to a write with that of what was sent; delete what arrived damaged.

        An endpoint that is not the provider's own may give ETags that only look like an MD5.

        Raises:
            VerificationError: they differ.
        """
        digest = written.digest
        if digest is None or digest.algorithm != "md5" or digest.value == attributes.md5:
            return written
        if (await self._conditions.find("md5_digests")).md5_digests is False:
            return written._replace(digest=None)
        with suppress(PersonaError):
            await self.delete(from_key(self._prefix, key), condition=IfVersion(written.version))
        raise VerificationError(f"{key} arrived damaged at {self._host}; it was deleted.", hint="Write it again.")

    async def _version_of_own(self, key: str, data: Part, reply: Reply) -> str:
        """Return the version of what was just written, whose answer does not tell it.

        It is that of what stands there now, if that is what was written: to ask does not tell who wrote it.

        Raises:
            ConflictError: something else stands there.
        """
        if is_page(reply.body):
            raise senseless(self._host)
        written = await self._done_already(key, data, None)
        if written is None:
            raise ConflictError(
                f"{key} was written, but is not there: someone else wrote in the same moment.", hint="Read it again."
            )
        return written.version

    async def _done_already(self, key: str, data: Part, attributes: Attributes | None) -> Written | None:
        """Return what stands there if it is what was to be written: the answer to an earlier attempt was lost then.

        Args:
            key: the object.
            data: the content.
            attributes: what went with it; None if only the content counts.
        """
        try:
            there = await self._head(key)
            if there.size != len(data):
                return None
            around = dict(there.metadata or {}), there.headers or NO_HEADERS
            if attributes is not None and around != (dict(attributes.metadata), attributes.headers):
                return None
            if there.digest and there.digest.vouched and there.digest == Digest("md5", md5_of(data).hexdigest()):
                return Written(there.version, there.digest)
            download = await self._get(key, version=there.version)
        except (MissingError, ConflictError, AccessDeniedError):  # gone by now, or not ours to read
            return None
        try:
            content = b"".join([chunk async for chunk in download])
        finally:
            await download.close()
        return Written(there.version, there.digest) if content == data else None

    async def _upload(
        self, key: str, attributes: Attributes, condition: Condition | None, parts: Parts, notes: Notes
    ) -> tuple[Written, int]:
        """Upload parts as one object, ``concurrent_uploads`` at once; if anything fails, abort or leave it."""
        try:
            kept = await self._sent(self._conditions.kept_by_uploads(key, condition))
        except ConflictError:
            await self._forget(key, notes)
            raise
        await self._conditions.warn_of_metadata(attributes.metadata)
        upload = await self._resumed(key, attributes, kept, notes)
        if upload is None:
            upload = await self._begin(key, attributes, kept)
        try:
            at_once = self._performance.concurrent_uploads if self.parallel_parts else 1
            total = await self._sent(send(upload, parts, at_once, notes))
            await self._sent(self._conditions.kept_by_uploads(key, condition))
            return await self._sent(upload.finish()), total
        except BaseException as error:
            if not notes.keeps(error):
                await give_up(upload, notes)
            if isinstance(error, ConflictError | UnsupportedError):  # the next attempt knows better
                await self._conditions.disproved("uploads", key, kept, error)
            raise

    async def _sent(self, sending: Coroutine[None, None, T]) -> T:
        """Return what sending returns; an upload that is gone is no missing bucket."""
        try:
            return await sending
        except MissingError:
            self._bucket_seen = False
            await self._require_bucket()
            raise UnreachableError(
                f"{self._host} no longer knows the upload: it expired, or was aborted.", hint="Try again."
            ) from None

    async def _resumed(
        self, key: str, attributes: Attributes, condition: Condition | None, notes: Notes
    ) -> Upload | None:
        """Return the upload that was left, if it can go on; otherwise it is given up."""
        upload = self._upload_left(key, notes.left, attributes, condition)
        if upload is not None and notes.fits and await upload.resume():
            return upload
        if upload is not None:
            await give_up(upload)
        return None

    def _upload_left(
        self, key: str, left: Token | None, attributes: Attributes, condition: Condition | None
    ) -> Upload | None:
        """Return an upload that was left, or None if its token is none of this provider's."""
        try:
            return left and self._left(key, left.upload, attributes, condition)
        except (ValueError, TypeError):
            return None

    async def _forget(self, key: str, notes: Notes) -> None:
        """Give up an upload that was left, since it cannot go on."""
        if left := self._upload_left(key, notes.left, _NOTHING, None):
            await give_up(left, notes)

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


def _attributes(
    path: str, content_type: str | None, metadata: Mapping[str, str] | None, headers: ContentHeaders | None
) -> Attributes:
    """Return what a writer's arguments mean.

    Raises:
        InputError: it is no text.
    """
    kind, others = content_type or content_type_of(path), headers or NO_HEADERS
    return Attributes(kind, checked(metadata, kind, *dict(others.items()).values()), others)
