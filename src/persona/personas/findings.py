"""What an erasure has found of a respondent, and what it has done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from persona.personas.subjects import Look
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
class Unsearched:
    """An object, or a part of one, that cannot be searched.

    Args:
        path: the object.
        kind: the ending of its name, or what it is.
        reason: why; empty if it is of a kind that has no text.
    """

    path: str
    kind: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Similar:
    """Another spelling of the id, which may be the same respondent.

    Args:
        path: the object that has it.
        spelling: as it stands there.
    """

    path: str
    spelling: str


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
        unsearched: what cannot be searched, being no text.
        similar: other spellings of the id.
        past_unknown: why the provider cannot tell of earlier versions; None if it can.
        versions: what objects there are, and their versions.
    """

    hits: list[Hit] = field(default_factory=list)
    past: list[PastHit] = field(default_factory=list)
    waiting: list[Entry] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    unsearched: list[Unsearched] = field(default_factory=list)
    similar: list[Similar] = field(default_factory=list)
    past_unknown: str | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def add(self, results: Iterable[Hit | PastHit | Unread | Unsearched | Similar]) -> None:
        """Sort what a search of one object, or of one earlier version, gave."""
        for result in results:
            match result:
                case Hit():
                    self.hits.append(result)
                case PastHit():
                    self.past.append(result)
                case Unread():
                    self.unread.append(result)
                case Unsearched():
                    self.unsearched.append(result)
                case Similar():
                    self.similar.append(result)


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
        doubts: what was left and may be the respondent's.
        changed: why an object was not as it was looked at, by path; of the last round.
    """

    erased: list[Erased] = field(default_factory=list)
    past: list[PastHit] = field(default_factory=list)
    failed: list[Unread] = field(default_factory=list)
    doubts: list[Unread] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)


Result = Hit | Unread | Unsearched | Similar
"""What a search of one object may give."""


def results_of(name: str, look: Look) -> list[Unsearched | Similar]:
    """Return what a search found in an object beside the respondent's own."""
    unsearched = [Unsearched(name, each.kind, each.reason) for each in dict.fromkeys(look.opaque)]
    return [*unsearched, *(Similar(name, each) for each in sorted(look.similar))]
