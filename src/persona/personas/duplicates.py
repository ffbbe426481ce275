"""Several files with the id of one persona: what Dropbox, OneDrive, Syncthing and the like make of a conflict."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from persona.errors import PersonaError
from persona.personas.library import PARALLEL, SUFFIXES, read_listed
from persona.storage.backend import StorageBackend, StorageObject
from persona.storage.paths import join

if TYPE_CHECKING:
    from persona.personas.model import Persona


def duplicates(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the ids that several files have, with the files' paths.

    Args:
        found: the id and the path of each persona.
    """
    paths: dict[str, list[str]] = {}
    for key, path in found:
        paths.setdefault(key, []).append(path)
    return {key: each for key, each in paths.items() if each[1:]}


async def copies_of(storage: StorageBackend, path: str, persona: Persona) -> list[str]:
    """Return the other files beside a persona's that have its id, as far as their names begin with it.

    That is how programs which sync folders name the copies of a conflict: ``anna (conflicted copy 2026-01-02).yaml``,
    ``anna.sync-conflict-20260102-030405-ABCDEFG.yaml``, ``anna-LAPTOP.yaml``, ``anna 2.yaml``. No more than a few are
    read. A storage that cannot tell has none.
    """
    folder = path.rpartition("/")[0]
    stem = join(folder, persona.id)
    try:
        named = await _named(storage, folder, stem)
        read = await asyncio.gather(*(read_listed(storage, each) for each in named if each.path != path))
    except PersonaError:
        return []
    others = (each.path for each in named if each.path != path)
    return [other for other, found in zip(others, read, strict=True) if getattr(found, "id", None) == persona.id]


async def _named(storage: StorageBackend, folder: str, stem: str) -> list[StorageObject]:
    """Return the first personas' files whose path begins with a stem."""
    named: list[StorageObject] = []
    async for page in storage.scan(folder, after=stem):
        for each in page:
            if not each.path.startswith(stem) or len(named) > PARALLEL:
                return named
            if "/" not in each.path[len(stem) :] and each.path.lower().endswith(SUFFIXES):
                named.append(each)
    return named
