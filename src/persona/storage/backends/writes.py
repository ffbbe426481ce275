"""Writes: whole, or in parts; the condition and the MD5 of each, and answers that were lost."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Coroutine, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from typing import TypeVar

from persona.errors import AccessDeniedError, ConflictError, PersonaError, UnreachableError, VerificationError
from persona.storage.backend import Checkpoint, Condition, Digest, IfAbsent, IfVersion, StorageObject
from persona.storage.backends.answers import is_page, senseless
from persona.storage.backends.bucket import Bucket
from persona.storage.backends.faults import MissingError, RepeatedError, UnsupportedError
from persona.storage.backends.primitives import Attributes, Part, Upload, Written
from persona.storage.backends.rest import Reply
from persona.storage.backends.streams import counted
from persona.storage.backends.uploads import Notes, Parts, Token, fingerprint, give_up, md5_of, send
from persona.storage.content_headers import NO_HEADERS, ContentHeaders
from persona.storage.content_types import content_type_of
from persona.storage.metadata import checked
from persona.storage.paths import from_key, printable

T = TypeVar("T")
log = logging.getLogger(__name__)
_NOTHING = Attributes("", {})


class Writes(Bucket):
    """A bucket or container whose objects are written."""

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
                await self._conditions.expect_name(key)
                written, total = await self._upload(key, attributes, condition, parts, notes)
            except PersonaError as error:
                raise await self._refused(error, path, condition) from error
        return self._written(path, total, attributes, written)

    async def abort_upload(self, path: str, token: str) -> None:
        """Give up an upload that was left."""
        if left := self._upload_left(self._key(path), Token.read(token), _NOTHING, None):
            await left.abort()

    async def _write_whole(
        self, path: str, data: Part, attributes: Attributes, condition: Condition | None
    ) -> StorageObject:
        key = self._key(path)
        attributes = replace(attributes, md5=attributes.md5 or await self._md5_of(data))
        await self._before_write()
        await self._conditions.warn_of_metadata(attributes.metadata)
        try:
            await self._conditions.expect_name(key)
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
                        "%s refuses to create “%s” under a condition, although it does not find it: a folder may have "
                        "that name, or its data be lost. Persona looked before it wrote: of two writers at the same "
                        "moment one may overwrite the other.",
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


def _attributes(
    path: str, content_type: str | None, metadata: Mapping[str, str] | None, headers: ContentHeaders | None
) -> Attributes:
    """Return what a writer's arguments mean.

    Raises:
        InputError: it is no text.
    """
    kind, others = content_type or content_type_of(path), headers or NO_HEADERS
    return Attributes(kind, checked(metadata, kind, *dict(others.items()).values()), others)
