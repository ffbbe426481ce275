"""The storage interface: what every backend and every layer around one is.

The docstrings here are the contract. ``tests/contract`` holds every backend to it.

- A write is atomic and durable when it returns, and a read that starts afterwards sees it. A write that fails or is
  interrupted leaves nothing visible.
- A prefix is a folder, by whole segments: ``list("team")`` is the object ``team`` and all below ``team/``, never
  ``team-old/``. Listings come in key order, by UTF-8 bytes.
- Paths are storage paths (see `persona.storage.paths`); any other name raises `NameRefusedError`.
- Every error is a `persona.errors.PersonaError`. A missing bucket is `BucketNotFoundError` from every call.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from persona.errors import PersonaError
from persona.storage.checksums import Hasher
from persona.storage.content_headers import ContentHeaders

if TYPE_CHECKING:
    from persona.storage.capabilities import Capabilities

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest of an object's content.

    Args:
        algorithm: ``md5``, ``sha256``, ``crc32c``, or ``md5-parts`` (see `StorageObject`).
        value: lower-case hexadecimal; of ``md5-parts`` with ``-`` and the number of parts after it.
        vouched: whether the provider knows it. False where it only keeps what the writer claimed: Azure checks the
            MD5 of a blob put at once, but not that of one put together of blocks, and does not tell them apart.
    """

    algorithm: str
    value: str
    vouched: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class StorageObject:
    """One object, as its provider describes it.

    Args:
        path: the storage path.
        size: bytes.
        last_modified: in UTC. On the result of a write it is the writer's clock, since S3 does not say.
        version: an opaque token for compare-and-swap; it differs after every write.
        digest: a digest of the content from the provider, or None where it gives none. An upload in parts to S3 returns
            ``md5-parts``, the MD5 of the MD5s of the parts, if what S3 answers is that of exactly the parts that were
            sent, else None; listings and `stat` do not give it.
        content_type: the media type, or None where it was not asked for (listings do not carry it everywhere).
        metadata: the user's metadata, or None where it was not asked for.
        headers: the other headers of the content, likewise.
    """

    path: str
    size: int
    last_modified: datetime
    version: str
    digest: Digest | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None
    headers: ContentHeaders | None = None


@dataclass(frozen=True, slots=True)
class RefusedName:
    """A foreign object whose name is no storage path.

    Args:
        key: the name as the provider has it.
        reason: why it cannot be carried.
    """

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """What a backend is, for people.

    Args:
        provider: the provider's name: ``AWS S3``.
        fields: what says where the objects are, in order: ``("Bucket", "company-personas")``.
        region: the region, where the backend knows one.
        credentials: which way the credentials were found; never a secret.
        identity: whom the credentials stand for, where that can be told without a request.
        clock_skew: how far the provider's clock is ahead of this machine's, in seconds, at its last answer.
        encryption: what the provider is told to encrypt with; None leaves it to the bucket.
    """

    provider: str
    fields: tuple[tuple[str, str], ...]
    region: str | None = None
    credentials: str = "none needed"
    identity: str | None = None
    clock_skew: float | None = None
    encryption: str | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """Where in the world a backend keeps its objects.

    Args:
        region: the region in lower case, or None if it is not known, or is this machine.
        source: who says so: ``provider``, ``declared`` (the configuration, unchecked), ``machine`` (a folder of this
            machine), or ``unknown``.
        within: the regions that make up ``region``, if the bucket's owner chose them.
        why: why it is not the provider who says so.
    """

    region: str | None
    source: str
    within: tuple[str, ...] = ()
    why: str = ""


class Listing(list[StorageObject]):
    """Objects in key order, and beside them what stands there and is no object.

    Args:
        objects: the objects.
        refused: what stands in the place under a name that is no storage path.
        folder_markers: the folders for which a console or another program keeps an empty object: one whose key ends in
            ``/``, or a directory blob of Azure. They are no objects, and lose nothing by being left where they are.
        as_of: when the provider said so, if it does not answer now and this is what is known of before; else None.
        whole: False if what is known of before is only a part: the objects that happen to be kept here.
    """

    def __init__(
        self,
        objects: Iterable[StorageObject] = (),
        refused: Iterable[RefusedName] = (),
        *,
        folder_markers: Iterable[str] = (),
        as_of: datetime | None = None,
        whole: bool = True,
    ) -> None:
        super().__init__(objects)
        self.refused: list[RefusedName] = list(refused)
        self.folder_markers: list[str] = list(folder_markers)
        self.as_of = as_of
        self.whole = whole

    def having(self, objects: Iterable[StorageObject]) -> Listing:
        """Return the same page with other objects."""
        return Listing(objects, self.refused, folder_markers=self.folder_markers, as_of=self.as_of, whole=self.whole)

    @classmethod
    async def of(cls, pages: AsyncIterator[Listing]) -> Listing:
        """Put pages together, as one that is as old as the oldest of them."""
        everything = cls()
        async for page in pages:
            everything += page
            everything.refused += page.refused
            everything.folder_markers += page.folder_markers
            everything.whole &= page.whole
            everything.as_of = min(filter(None, (everything.as_of, page.as_of)), default=None)
        return everything


@dataclass(frozen=True, slots=True)
class PastVersion:
    """What a provider still has of an object beside what it is now.

    Args:
        path: the object.
        id: what the provider tells it by, opaque; not a version for `IfVersion`.
        size: bytes.
        kind: ``version``, ``snapshot``; ``marker``, which has no content and stands for a deletion; ``deleted``,
            which the provider keeps for a while, and nobody can read or delete; or ``foreign``, whose path is the
            provider's key, since that is no storage path: it cannot be read or deleted here.
    """

    path: str
    id: str
    size: int
    kind: str = "version"


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """Write only if there is no such object; otherwise `AlreadyExistsError`."""


@dataclass(frozen=True, slots=True)
class IfVersion:
    """Write or delete only if the object is still at this version; otherwise `ConflictError`."""

    version: str


Condition = IfAbsent | IfVersion
"""What must hold for a write to happen. A backend whose endpoint ignores it says so in a warning, once. A write that a
backend sends again, and that meets its own first attempt, has happened. Deletes take `IfVersion` alone."""


class Checkpoint(Protocol):
    """Where an upload in parts notes how it can go on, also in another process."""

    token: str | None
    """What was saved last by an upload of this very object, or None to begin anew."""

    async def save(self, token: str | None) -> None:
        """Keep a token durably; None says that the upload is given up, and its token of no use any more.

        It is opaque text without credentials, but on GCS it is a capability: whoever has it can write to that one
        upload for a week. Keep it in a file that only the user can read, and out of messages.
        """


class Notes(Protocol):
    """Short texts that were worked out of objects, each good for one version of its object.

    They spare the work of doing it again, and may be forgotten at any time.
    """

    def of(self, objects: Iterable[StorageObject]) -> dict[str, str]:
        """Return the texts that are known, by path, of those objects that are at the very version still."""

    def keep(self, texts: Iterable[tuple[StorageObject, str]]) -> None:
        """Keep a text for each object, instead of one for another version."""


class Download(ABC):
    """An object being read: iterate over it for its bytes, and close it if you stop early."""

    object: StorageObject
    """The object as it was when the read began; every chunk is of this version."""
    md5: Hasher | None = None
    """The MD5 of what has been read, where it is computed to be compared; at the end it is that of the content."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the content in chunks of at most a few MiB.

        Raises:
            UnreachableError: the content broke off; a short body is never taken for a whole one.
            VerificationError: the content is not what the provider vouches for. It is raised before the last chunk of
                an object read from its first byte, so that nobody has all of it.
        """

    async def whole(self) -> bytes:
        """Return the content at once, and close. One that arrives damaged is read once more; `object` is then of that.

        Raises:
            UnreachableError, VerificationError: as for the stream.
        """
        try:
            chunks = [chunk async for chunk in self]
        finally:
            await self.close()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @abstractmethod
    async def close(self) -> None:
        """Let go of the connection or file. Closing twice is fine."""


class StorageBackend(ABC):
    """One place that holds objects: a bucket or container with a prefix, or a folder."""

    @abstractmethod
    def url(self, path: str = "") -> str:
        """Return the full location of a path, for people to read: ``s3://bucket/prefix/path``. Never a secret."""

    @abstractmethod
    def describe(self) -> Place:
        """Say what this backend is and where its objects are, without a request."""

    def beneath(self, path: str) -> tuple[StorageBackend, str]:
        """Return the backend that holds an object, and the object's path there: a layer asks what it is around."""
        return self, path

    def may_change_unseen(self, version: str, since: float) -> bool:
        """Say whether an object may get other content of the same size and keep its version.

        Args:
            version: the object's version.
            since: its content was read at this time or later, in seconds since the epoch.
        """
        return False

    def address(self) -> tuple[str, int] | None:
        """Return the host and port that connections go to, or None if there are none: to see whether anybody is there.

        With a proxy they are the proxy's (`persona.proxies.ProxyAddress`): the provider's name may be known there only.
        """
        return None

    def reading_requests(self) -> Mapping[str, int]:
        """Return how many requests that only read were made so far, repetitions of failed ones not counted.

        ``list`` for pages of listings, ``read`` for contents, ``head`` for descriptions. On a local disk they are not
        requests, but walks, reads and looks.
        """
        return {}

    async def location(self) -> Location:
        """Ask the provider where the objects are: at most two requests; none where it cannot tell.

        Raises:
            BucketNotFoundError: there is no such bucket.
        """
        return Location(None, "unknown", why="It is a place of no known kind.")

    async def encrypted_as_asked(self, path: str) -> bool | None:
        """Say whether an object is encrypted, by the provider's word, as it is told to; None if it is told nothing.

        Raises:
            NotFoundError: there is no such object.
        """
        return None

    def notes(self, kind: str) -> Notes | None:
        """Return what is kept of one kind of work on objects here, or None if nothing can be kept."""
        return None

    @property
    def defers_writes(self) -> bool:
        """Whether the provider does not answer, and writes are kept to be sent later, each under its condition."""
        return False

    @abstractmethod
    async def read(self, path: str) -> bytes:
        """Return an object's content.

        Raises:
            NotFoundError: there is no such object.
            VerificationError: it arrives damaged, twice.
        """

    @abstractmethod
    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Start to read an object as a stream.

        Args:
            path: the object.
            start: the first byte wanted. At or past the end there is nothing to read, which is no error.
            length: how many bytes at most; None for all that follow.
            version: read only if the object is still at this version.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: the object is at another version.
        """

    @abstractmethod
    async def open_changed(self, path: str, version: str) -> Download | None:
        """Start to read an object if it is at another version than this one: one request.

        Returns:
            None if the object is still at this version; nothing of it is transferred then, unless the endpoint ignores
            the condition.

        Raises:
            NotFoundError: there is no such object.
        """

    @abstractmethod
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
        """Write an object whole, replacing what is there unless a condition forbids it.

        Args:
            path: where to.
            data: the content.
            condition: what must hold for the write to happen.
            content_type: the media type; None derives it from the path's ending.
            metadata: the user's metadata: any names and values that are text.
            headers: the other headers of the content.
            md5: the MD5 of the content in hexadecimal, for the provider to check; None to compute it if need be.

        Returns:
            The object as written, at the version that the provider gave in its answer to this request.

        Raises:
            AlreadyExistsError: `IfAbsent`, and it is there.
            ConflictError: `IfVersion`, and it is at another version or gone.
            InputError: metadata and headers are larger than the provider takes, or no text.
            VerificationError: the content arrived damaged.
        """

    @abstractmethod
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
        """Write an object from a stream, in parts above ``chunk_size``, as `write` otherwise.

        If the stream raises, or the task is cancelled, nothing is visible, and the upload is aborted unless there is a
        checkpoint. With one, an upload in parts saves its token once it has begun, and is left as it is when it fails.
        A later call with that token goes on with it: ``chunks`` has to yield the whole content again, but parts that
        the provider has, by its own account of them, are not sent. Where that account tells nothing of the content
        (GCS), the content of the first call is trusted to be that of the second: read both under one version. A token
        that the provider no longer knows, or of parts of another size, begins anew. If the condition does not hold, or
        the stream is not as long as announced, the upload is aborted all the same, and None is saved.

        Args:
            path: where to.
            chunks: the content, in pieces of any size.
            size: the number of bytes to come, if known: parts are then sized to fit the provider's limits. A stream
                of another length raises `VerificationError`, and nothing is written.
            condition: as for `write`.
            content_type: as for `write`.
            metadata: as for `write`.
            headers: as for `write`.
            checkpoint: where to note how the upload can go on. A local folder has no use for it.
        """

    @abstractmethod
    async def abort_upload(self, path: str, token: str) -> None:
        """Give up an upload that was left, by the token that its checkpoint has. That it is gone is no error."""

    @abstractmethod
    async def stat(self, path: str) -> StorageObject:
        """Describe an object, with its content type, metadata and headers.

        Raises:
            NotFoundError: there is no such object.
        """

    @abstractmethod
    async def exists(self, path: str) -> bool:
        """Say whether the object is there. Only absence is False: a refusal or an outage raises."""

    @abstractmethod
    def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """List objects page by page, in key order; memory does not grow with their number.

        Args:
            prefix: the folder, by whole segments; "" for everything.
            after: a storage path; only what comes after it is listed.
        """

    @abstractmethod
    async def list(self, prefix: str = "") -> Listing:
        """List all objects at once, as `scan` would."""

    @abstractmethod
    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy an object within this backend, on the provider's side where it can, with all that goes with it.

        Returns:
            The object as copied, at the version that the provider gave in its answer to this request.

        Raises:
            NotFoundError: there is no such source.
            AlreadyExistsError, ConflictError: as for `write`.
        """

    def copies_from(self, other: StorageBackend) -> bool:
        """Say whether `copy_from` would copy on the provider's side, as far as that is known without a request."""
        return False

    @abstractmethod
    async def copy_from(
        self,
        other: StorageBackend,
        source: str,
        target: str,
        *,
        version: str | None = None,
        condition: Condition | None = None,
    ) -> StorageObject | None:
        """Copy an object from another place on the provider's side, with all that goes with it.

        Args:
            other: where it is.
            source: the object there.
            target: where to, here.
            version: copy only if the source is still at this version.
            condition: what must hold for the write to happen.

        Returns:
            The object as written, as for `copy`; None if the provider cannot do it between these places: they differ in
            provider, endpoint, account or credentials. No request is made then, and no secret of the one goes to the
            other. None too if the answer does not say the version; the object may have been copied then.

        Raises:
            NotFoundError: there is no such source.
            ConflictError: the source is at another version.
            AlreadyExistsError, ConflictError: as for `write`.
        """

    @abstractmethod
    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Delete an object. That it is not there is no error.

        Args:
            path: the object.
            condition: delete only if the object is still at this version.

        Raises:
            ConflictError: it is at another version, and is left alone. Where an endpoint ignores conditions on
                deletes, the version is compared just before instead, and a write in that moment may be lost.
        """

    @abstractmethod
    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        """Delete objects in bulk, one by one where the server refuses that.

        Args:
            paths: the objects.
            conditions: those of them that are deleted only if still at a version, as for `delete`.

        Returns:
            What could not be deleted, with its error, refused names among it; empty if all went well.
        """

    async def past(self) -> AsyncIterator[Sequence[PastVersion]]:
        """Yield what the provider still has of earlier objects, page by page; nothing if it keeps none.

        Raises:
            PersonaError: the endpoint cannot tell, or these credentials may not ask.
        """
        unknown: tuple[Sequence[PastVersion], ...] = ()
        for page in unknown:
            yield page
        raise PersonaError(f"Whether {self.url()} keeps earlier versions is not known.")

    async def read_past(self, version: PastVersion) -> bytes:
        """Return the content of what `past` gave.

        Raises:
            NotFoundError: it is gone.
        """
        raise PersonaError(f"Earlier versions of {self.url(version.path)} cannot be read.")

    async def delete_past(self, version: PastVersion) -> None:
        """Delete what `past` gave, for good. That it is gone is no error.

        Raises:
            HeldError: a retention policy or a legal hold is on it.
            AccessDeniedError: these credentials may not do it.
        """
        raise PersonaError(f"Earlier versions of {self.url(version.path)} cannot be deleted.")

    @abstractmethod
    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        """Say what the endpoint can do, after a probe on objects that are removed again, if it is not the provider's.

        Where it does not honour preconditions, the backend checks before it writes instead: that finds most conflicts,
        but of two writers at the same moment both may win. It logs a warning the first time.

        Args:
            anew: probe it whatever is remembered.
        """

    async def forget_versions(self, path: str) -> None:
        """Delete what the provider keeps of a probe object that was deleted, as far as these credentials may."""
        log.debug("Of %s no earlier versions are kept.", self.url(path))

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections and threads. Closing twice is fine."""
