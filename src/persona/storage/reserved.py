"""Names that Persona keeps for itself: any segment that begins with ``.persona-``, at any depth.

Backups, tombstones and probe objects lie under such names. They are no personas and no part of a library: listings of
personas, exports, transfers, statistics and the cache leave them out. Only an erasure looks into them. A folder that
is named outright, such as ``.persona-backup/ID``, is the place that is looked at, so its own name does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self, TypeVar

from persona.storage.paths import is_below, printable, sort_key

PREFIX = ".persona-"
"""Begins a reserved segment."""

BACKUPS = ".persona-backup"
"""The folder that holds what was replaced or removed, below the id of the job or command."""

RULE = "Names that begin with “.persona-” are reserved for Persona."
SHOWN = 10
_RESERVED = re.compile(rf"(?:.*?/)?{re.escape(PREFIX)}[^/]*", re.DOTALL)
_MADE = re.compile(rf"{re.escape(PREFIX)}(?:backup|tombstones|conflicts|probe(?:-.*)?)")


class Sized(Protocol):
    """What has a path and a size, such as a `persona.storage.backend.StorageObject`."""

    @property
    def path(self) -> str:
        """The storage path."""

    @property
    def size(self) -> int:
        """Bytes."""


T = TypeVar("T", bound=Sized)


def is_reserved(path: str, folder: str = "") -> bool:
    """Say whether an object is Persona's own.

    Args:
        path: the object's storage path, or a provider's key.
        folder: the place that is looked at, a clean path; its own segments do not count.
    """
    return reserved_part(path, folder) is not None


def reserved_part(path: str, folder: str = "") -> str | None:
    """Return a path up to its first reserved segment, or None if it has none; parameters as for `is_reserved`."""
    below = path[len(folder) :].lstrip("/") if folder and is_below(path, folder) else path
    found = _RESERVED.match(below)
    return found and path[: len(path) - len(below) + found.end()]


@dataclass(slots=True)
class LeftOut:
    """What was left out of a listing since its name is reserved.

    Args:
        objects: how many objects.
        bytes: their size.
        names: names that Persona does not make itself, so that they may be the user's own; at most `SHOWN`.
        last: the last path that was counted, in key order: one that is met again is not counted twice.
    """

    objects: int = 0
    bytes: int = 0
    names: list[str] = field(default_factory=list)
    last: str = ""

    @classmethod
    def of(cls, facts: dict[str, Any] | None) -> Self:
        """Return what `document` returned before."""
        return cls(**facts) if facts else cls()

    def document(self) -> dict[str, Any]:
        """Return it in types that JSON has."""
        return asdict(self)

    def without(self, found: Iterable[T], folder: str = "") -> list[T]:
        """Count the reserved ones among objects, which come in key order, and return the others."""
        rest: list[T] = []
        for each in found:
            part = reserved_part(each.path, folder)
            if part is None:
                rest.append(each)
            elif sort_key(each.path) > sort_key(self.last):
                self._add(each, part)
        return rest

    @property
    def warning(self) -> str:
        """What to tell of names that may be the user's own; "" if there are none."""
        return f"Left out: {', '.join(map(printable, self.names))}. {RULE}" if self.names else ""

    def _add(self, found: Sized, part: str) -> None:
        self.objects += 1
        self.bytes += found.size
        self.last = found.path
        if not _MADE.fullmatch(part.rpartition("/")[2]) and part not in self.names and len(self.names) < SHOWN:
            self.names.append(part)
