"""What an erasure has found of a respondent, and what it has done."""

from __future__ import annotations

from dataclasses import dataclass, field

from persona.storage.backend import PastVersion
from persona.storage.outbox_entry import Entry


@dataclass(frozen=True, slots=True)
class Hit:
    """An object that holds something of a respondent.

    Args:
        path: the object.
        version: the version that was looked at.
        size: bytes.
        what: what it holds, in words.
        action: ``redact``, ``remove``, or ``look``: only a mention, which a person has to judge.
    """

    path: str
    version: str
    size: int
    what: tuple[str, ...]
    action: str


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be looked through, or not be changed.

    Args:
        path: where it is.
        reason: why.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class PastHit:
    """An earlier version that holds something of a respondent."""

    version: PastVersion
    what: tuple[str, ...]


@dataclass
class Found:
    """What a storage holds of a respondent.

    Args:
        hits: objects, in the order of their names.
        past: earlier versions that the provider keeps.
        waiting: writes in the outbox.
        unread: what could not be looked through.
        past_unknown: why the provider cannot tell of earlier versions; None if it can.
        versions: what objects there are, and their versions.
    """

    hits: list[Hit] = field(default_factory=list)
    past: list[PastHit] = field(default_factory=list)
    waiting: list[Entry] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    past_unknown: str | None = None
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was taken out.

    Args:
        path: the object.
        action: ``redacted`` or ``removed``.
        what: what it held.
        version: the version that held it.
        now: the version that came of it; None if the object is gone.
    """

    path: str
    action: str
    what: tuple[str, ...]
    version: str
    now: str | None = None


@dataclass
class Done:
    """What an erasure has done.

    Args:
        erased: objects.
        past: earlier versions that were deleted.
        failed: what could not be changed.
    """

    erased: list[Erased] = field(default_factory=list)
    past: list[PastHit] = field(default_factory=list)
    failed: list[Unread] = field(default_factory=list)
