"""The words of a transfer: what is to be done with an object, how far it is, and what proves its content."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from persona.config.places import Place
from persona.config.schema import ResidencySettings
from persona.storage.backend import Digest, StorageBackend
from persona.storage.content_headers import ContentHeaders


class Kind(StrEnum):
    """What a job does."""

    MIGRATE = "migrate"
    SYNC = "sync"


class State(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    PLANNED = "planned"
    PAUSED = "paused"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


class Phase(StrEnum):
    """What a job is at."""

    INVENTORY = "inventory"
    MIGRATION = "migration"
    VERIFICATION = "verification"
    DELETION = "deletion"
    DONE = "done"


class Action(StrEnum):
    """What the plan says of an object."""

    COPY = "copy"
    REPLACE = "replace"
    COMPARE = "compare"
    SKIP = "skip"
    CONFLICT = "conflict"
    REFUSE = "refuse"
    REMOVE = "remove"


class Step(StrEnum):
    """How far an object is."""

    OPEN = "open"
    ACTIVE = "active"
    COPIED = "copied"
    VERIFIED = "verified"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    GONE = "gone"
    REMOVED = "removed"


class Evidence(StrEnum):
    """What proves that an object at the destination has the content of its source.

    ``digest``: the checksum that the destination's provider computed equals ours. ``reread``: it was read back from
    the destination and hashed. ``unchanged`` proves less, and is not counted as verified: neither side has another
    version than when an earlier sync had verified it.
    """

    DIGEST = "digest"
    REREAD = "reread"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One side of a transfer.

    Args:
        name: as the user called it: ``s3``, or a URL.
        place: where it is; a job is bound to it.
        backend: its storage.
        residency: the regions that its own configuration allows.
    """

    name: str
    place: Place
    backend: StorageBackend
    residency: ResidencySettings = field(default_factory=ResidencySettings)

    @property
    def identity(self) -> str:
        """What a job's state is bound to; never a secret."""
        return f"{self.place.container or 'local'}|{self.place.path}"


class Guard(Protocol):
    """Refuses objects by what they hold."""

    def reads(self, head: bytes) -> bool:
        """Say whether the content of an object is needed to judge it, by its first bytes."""

    def refusal(self, path: str, size: int, data: bytes | None, *, read: bool = True) -> str | None:
        """Return why an object is not to be copied, or None.

        Args:
            path: the object.
            size: bytes.
            data: its content; None if it was not read.
            read: whether it would have to be read, but is too large.
        """

    @property
    def head(self) -> int:
        """How much of an object tells whether its content is needed to judge it, in bytes."""

    @property
    def most(self) -> int:
        """The largest object that is read, in bytes."""

    @property
    def marks(self) -> Sequence[str]:
        """The names of what it refuses by, which tell nothing of whom."""

    def since(self, known: Collection[str]) -> Guard | None:
        """Return what refuses by the marks that are not among the known ones; None if there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a job is to be done; kept with it.

    Args:
        overwrite: replace other content at the destination, which is kept under the backup prefix first.
        backup: whether what is replaced or removed is kept first.
        reread: verify all by reading back, also where there is a digest.
        checksum: compare by content, never by versions seen before.
        delete: remove what the source does not have.
        delete_limit: how much may be removed: a number, or a share such as ``50%``.
        include: patterns of paths that take part; all if empty.
        exclude: patterns of paths that do not.
        must_exist: an empty source is an error: a storage has no empty folders.
        exact: run a saved plan, and stop where the source is no longer what it was.
        switch: make the destination the workspace's storage in the end.
    """

    overwrite: bool = False
    backup: bool = True
    reread: bool = False
    checksum: bool = False
    delete: bool = False
    delete_limit: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    must_exist: bool = False
    exact: bool = False
    switch: bool = False


@dataclass(slots=True)
class Row:
    """An object of a job, as the journal has it.

    Args:
        path: the storage path, the same on both sides.
        size: bytes at the source.
        version: the source's version token; the object is read under it.
        digest: what the source's provider says of the content.
        content_type: the media type, where the listing gives it; once it was copied, what was sent.
        metadata: the user's metadata, likewise.
        headers: the other headers of the content, likewise.
        action: what is to be done.
        step: how far it is.
        target_version: the version found at the destination when it was planned, or None if nothing was there.
        target_digest: what the destination's provider said of that.
        md5: of the content read, in hexadecimal; None before it was read here.
        sha256: likewise.
        written: the version that the destination gave to what was written.
        proof: what the write itself proved of the destination's digest: ``whole``, a single write; ``parts``, the
            provider's digest of the parts that were sent; or "".
        evidence: what proves the content at the destination.
        error: why it failed.
        upload: the token of an upload in parts that can go on.
        attempts: how often it was begun before.
        mismatches: how often verification found other content.
        lost: the names of what the destination lacks of all that goes with the content, as JSON; None before that was
            looked at.
    """

    path: str
    size: int = 0
    version: str = ""
    digest: Digest | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None
    headers: ContentHeaders | None = None
    action: str = ""
    step: str = Step.OPEN
    target_version: str | None = None
    target_digest: Digest | None = None
    md5: str | None = None
    sha256: str | None = None
    written: str | None = None
    proof: str = ""
    evidence: str | None = None
    error: str | None = None
    upload: str | None = None
    attempts: int = 0
    mismatches: int = 0
    lost: str | None = None


@dataclass(slots=True)
class Count:
    """Objects and their bytes."""

    objects: int = 0
    bytes: int = 0

    def add(self, objects: int, size: int) -> None:
        """Count more."""
        self.objects += objects
        self.bytes += size


@dataclass(slots=True)
class Tally:
    """What a journal's objects add up to.

    Args:
        all: everything at the source.
        by: by action and step.
        evidence: how many objects by evidence.
    """

    all: Count = field(default_factory=Count)
    by: dict[tuple[str, str], Count] = field(default_factory=dict)
    evidence: dict[str, int] = field(default_factory=dict)

    def count(self, actions: set[str] | None = None, steps: set[str] | None = None) -> Count:
        """Add up what has one of the actions and one of the steps; None stands for any."""
        total = Count()
        for (action, step), found in self.by.items():
            if (actions is None or action in actions) and (steps is None or step in steps):
                total.add(found.objects, found.bytes)
        return total


WRITING = {Action.COPY.value, Action.REPLACE.value}
"""Actions that write an object to the destination."""

READING = ("list", "read", "head")
"""Kinds of requests that only read; see `persona.storage.backend.StorageBackend.reading_requests`."""

PROVED = {Step.VERIFIED.value, Step.UNCHANGED.value}
"""Steps at which what is noted as evidence holds."""
