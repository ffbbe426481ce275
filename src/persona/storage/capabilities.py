"""What an endpoint can do: probed once, remembered for a week, and shown by ``config test``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from persona.storage.backend import Condition, IfAbsent

Spelling = Literal["quoted", "unquoted"]
"""How an ETag is written in ``If-Match``. RFC 9110, section 13.1.1, has it quoted; Ceph RGW refuses that on PUT."""


@dataclass(frozen=True, slots=True)
class Conditional:
    """Which preconditions one kind of request honours.

    Args:
        if_absent: whether “only if absent” is honoured.
        if_version: how “only if still at this version” must be spelled; None if it is not honoured.
    """

    if_absent: bool
    if_version: Spelling | None

    @property
    def complete(self) -> bool:
        """Whether both are honoured."""
        return self.if_absent and self.if_version is not None

    def honours(self, condition: Condition) -> bool:
        """Say whether a precondition of this kind is honoured."""
        return self.if_absent if isinstance(condition, IfAbsent) else self.if_version is not None


HONOURED = Conditional(True, "quoted")
NOT_HONOURED = Conditional(False, None)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an endpoint can do. None stands for what was not tested yet.

    A sequential probe shows whether a precondition is honoured. It cannot show whether the check and the write are one
    step, so that of two concurrent writers only one wins.

    Args:
        writes: preconditions on single writes.
        uploads: preconditions on the completion of an upload in parts.
        deletes: preconditions on deletes; `Conditional.if_absent` has no meaning there.
        metadata: the names of the probe's metadata that do not come back as they were written; empty if all do.
        checksums: whether an upload with a wrong MD5 is refused.
        large_bodies: whether an upload of a little over 1 MiB is taken, which nginx as installed refuses.
        md5_digests: whether the digest of a single write is the MD5 of its content.
        names: kinds of names under which an object does not come back (`persona.storage.paths.oddities`).
        probed: whether the endpoint was tested; otherwise its provider documents all this.
    """

    writes: Conditional | None = None
    uploads: Conditional | None = None
    deletes: Conditional | None = None
    metadata: tuple[str, ...] | None = None
    checksums: bool | None = None
    large_bodies: bool | None = None
    md5_digests: bool | None = None
    names: tuple[str, ...] | None = None
    probed: bool = True

    def as_stored(self) -> dict[str, Any]:
        """Return what a JSON document keeps of it."""
        kept = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: _plain(value) for name, value in kept.items() if value is not None}

    @classmethod
    def of_stored(cls, stored: dict[str, Any]) -> Self:
        """Return what a JSON document kept.

        Raises:
            ValueError: it was damaged.
        """
        values: dict[str, Any] = {"probed": True}
        for name in ("writes", "uploads", "deletes"):
            if name in stored:
                values[name] = _conditional(stored[name])
        for name in ("checksums", "large_bodies", "md5_digests"):
            if name in stored and not isinstance(stored[name], bool):
                raise ValueError(name)
            values[name] = stored.get(name)
        for name in ("metadata", "names"):
            texts = stored.get(name, [])
            if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
                raise ValueError(name)
            values[name] = tuple(texts) if name in stored else None
        return cls(**values)

    def shown(self) -> dict[str, Any]:
        """Return it under the names of ``config test --json``."""
        writes, uploads, deletes = self.writes, self.uploads, self.deletes
        return {
            "conditional_writes": writes and writes.complete,
            "conditional_creates": writes and writes.if_absent,
            "conditional_updates": writes and writes.if_version is not None,
            "if_match": writes and writes.if_version,
            "conditional_uploads": uploads and uploads.complete,
            "conditional_deletes": deletes and deletes.if_version is not None,
            "metadata": None if self.metadata is None else not self.metadata,
            "metadata_lost": None if self.metadata is None else [*self.metadata],
            "checksums": self.checksums,
            "large_bodies": self.large_bodies,
            "md5_digests": self.md5_digests,
            "probed": self.probed,
        }


DOCUMENTED = Capabilities(
    writes=HONOURED,
    uploads=HONOURED,
    deletes=HONOURED,
    metadata=(),
    checksums=True,
    large_bodies=True,
    names=(),
    probed=False,
)
"""What the providers' own endpoints can do (Amazon S3 User Guide, "Conditional requests"; Google Cloud Storage,
"Request preconditions"; Azure Storage REST API, "Specifying conditional headers")."""


def _plain(value: Any) -> Any:
    return [value.if_absent, value.if_version] if isinstance(value, Conditional) else value


def _conditional(stored: Any) -> Conditional:
    absent, version = stored if isinstance(stored, list) and len(stored) == 2 else (None, None)
    if not isinstance(absent, bool) or version not in (None, *get_args(Spelling)):
        raise ValueError("a condition")
    return Conditional(absent, version)
