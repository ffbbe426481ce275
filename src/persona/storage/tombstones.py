"""Tombstones: that a respondent was erased, without saying who it was.

One object each, named by what it says, so that one listing tells all of them::

    .persona-tombstones/SALT/HASH.json

The salt is random, 16 bytes in hexadecimal. The hash is HMAC-SHA256 of the id under the salt: whoever has an id can
ask whether it was erased, which is what a later copy has to know. So somebody who can read the storage can also try
ids that are easy to guess. The content says when it was laid, and by which version of Persona.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from persona import __version__
from persona.errors import AlreadyExistsError, NotFoundError
from persona.storage.backend import IfAbsent, StorageBackend
from persona.storage.memory import PlaceMemory

FOLDER = ".persona-tombstones"
"""Where tombstones lie, at the root of a storage."""
_NAME = re.compile(rf"{re.escape(FOLDER)}/([0-9a-f]{{32}})/([0-9a-f]{{64}})\.json")


def digest(salt: str, subject: str) -> str:
    """Return the hash of an id under a salt, both in hexadecimal."""
    return hmac.digest(bytes.fromhex(salt), subject.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


@dataclass(frozen=True)
class Tombstones:
    """Who was erased, as far as that can be asked.

    Args:
        marks: the hashes by salt.
        paths: the objects.
    """

    marks: dict[str, set[str]] = field(default_factory=dict)
    paths: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths)

    def among(self, ids: Iterable[str]) -> set[str]:
        """Return those of the ids that were erased."""
        return {each for each in ids if any(digest(salt, each) in marks for salt, marks in self.marks.items())}

    def of(self, subject: str) -> tuple[str, str] | None:
        """Return the salt and the hash under which somebody was erased, or None."""
        pairs = ((salt, digest(salt, subject)) for salt in sorted(self.marks))
        return next(((salt, found) for salt, found in pairs if found in self.marks[salt]), None)

    def without(self, other: Tombstones) -> list[str]:
        """Return the objects that others lack."""
        return [path for path in self.paths if path not in other.paths]

    def joined(self, other: Tombstones) -> Tombstones:
        """Return these and others."""
        marks = {salt: {*found} for salt, found in self.marks.items()}
        for salt, found in other.marks.items():
            marks.setdefault(salt, set()).update(found)
        return Tombstones(marks, tuple(dict.fromkeys((*self.paths, *other.paths))))


def of_paths(paths: Iterable[str]) -> Tombstones:
    """Return the tombstones of some names; other names are passed over."""
    marks: dict[str, set[str]] = {}
    known: list[str] = []
    for path in paths:
        if match := _NAME.fullmatch(path):
            marks.setdefault(match[1], set()).add(match[2])
            known.append(path)
    return Tombstones(marks, tuple(known))


async def load(storage: StorageBackend) -> Tombstones:
    """Return the tombstones of a storage: one listing, and nothing is read."""
    return of_paths([found.path async for page in storage.scan(FOLDER) for found in page])


class KnownTombstones:
    """The tombstones of a storage as this machine saw them last, for when the provider does not respond.

    Args:
        folder: where they are kept; no id is in it.
        place: the identity of the storage.
    """

    def __init__(self, folder: Path, place: str) -> None:
        self._memory = PlaceMemory(folder, place, inf)

    def load(self) -> Tombstones:
        """Return them; none if none were seen, or the file cannot be read."""
        paths = (self._memory.load() or {}).get("paths")
        return of_paths(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else Tombstones()

    def save(self, tombstones: Tombstones) -> None:
        """Keep them; a storage without any leaves no file."""
        if tombstones or self._memory.load() is not None:
            self._memory.save({"paths": [*tombstones.paths]})


async def lay(storage: StorageBackend, subject: str) -> tuple[str, str]:
    """Lay a tombstone, unless there is one, and return its salt and hash. Of two at once both may lay one."""
    known = await load(storage)
    if there := known.of(subject):
        return there
    salt = min(known.marks, default=None) or secrets.token_hex(16)
    mark = digest(salt, subject)
    await _put(storage, _path(salt, mark), _content())
    return salt, mark


async def carry(source: StorageBackend, target: StorageBackend, paths: Iterable[str]) -> None:
    """Lay tombstones of one storage in another as well."""
    for path in paths:
        try:
            data = await source.read(path)
        except NotFoundError:  # its data is lost, but its name says all
            data = _content()
        await _put(target, path, data)


def is_tombstone(path: str) -> bool:
    """Say whether an object is a tombstone."""
    return path.startswith(f"{FOLDER}/")


async def _put(storage: StorageBackend, path: str, data: bytes) -> None:
    try:
        await storage.write(path, data, condition=IfAbsent(), content_type="application/json")
    except AlreadyExistsError:
        return  # somebody else erases the same respondent


def _path(salt: str, mark: str) -> str:
    return f"{FOLDER}/{salt}/{mark}.json"


def _content() -> bytes:
    erased_at = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"format": 1, "erased_at": erased_at, "version": __version__}, indent=1).encode()
