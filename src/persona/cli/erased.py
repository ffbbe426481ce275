"""What the commands that write know of respondents who were erased: they are not let in again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from persona.cli.session import Session
from persona.config.places import place_of
from persona.errors import BucketNotFoundError, UnreachableError
from persona.storage.tombstones import Tombstones, carry, load

if TYPE_CHECKING:
    from persona.personas.sources.records import Dataset
    from persona.storage.backend import StorageBackend
    from persona.transfer.model import Endpoint


class ErasedGuard:
    """Refuses objects that hold a respondent who was erased.

    Args:
        tombstones: who was.
    """

    def __init__(self, tombstones: Tombstones) -> None:
        from persona.personas.subjects import MAX_BYTES

        self._tombstones = tombstones
        self._most = MAX_BYTES

    @property
    def most(self) -> int:
        """The largest object that is read, in bytes."""
        return self._most

    @property
    def head(self) -> int:
        """How much of an object tells whether its content is needed to judge it, in bytes."""
        from persona.personas.subjects import HEAD_BYTES

        return HEAD_BYTES

    def reads(self, head: bytes) -> bool:
        """Say whether the content of an object is needed to judge it, by its first bytes."""
        from persona.personas.subjects import is_opaque

        return not is_opaque(head)

    def refusal(self, path: str, size: int, data: bytes | None, *, read: bool = True) -> str | None:
        """Return why an object is not to be copied, or None."""
        from persona.personas.subjects import ids_of

        if data is None and read:
            return "Not copied: the object is too large to search for erased respondents."
        if self._tombstones.among(ids_of(path, data)):
            return "It holds a respondent who was erased; “persona storage erase” takes one out of the source as well."
        return None


async def guard_of(session: Session, source: Endpoint, target: Endpoint) -> ErasedGuard | None:
    """Return what refuses those who were erased at either place of a transfer, or None if nobody was.

    The tombstones of the source are laid at the destination as well: they are not among the objects that are copied.
    """
    theirs, ours = await load(source.backend), await load(target.backend)
    await carry(source.backend, target.backend, theirs.without(ours))
    known = theirs.joined(ours)
    here = place_of(session.workspace.settings.storage, os.environ)
    if here and any(end.place.meets(here) for end in (source, target)):
        known = known.joined(await _of_workspace(session))
    return ErasedGuard(known) if known else None


def leave_out(session: Session, dataset: Dataset) -> None:
    """Take respondents who were erased out of an input, and note how many."""
    from persona.personas.subjects import in_form

    try:
        known = session.with_storage(_load_there)
    except UnreachableError:
        session.warn("Warning: the storage does not answer, so nobody knows who was erased there; nobody is left out.")
        return
    if not known:
        return
    erased = known.among({in_form(value) for record in dataset.records for value in (record.id, *_stems(record.file))})
    kept = [r for r in dataset.records if in_form(r.id) not in erased and erased.isdisjoint(_stems(r.file))]
    if count := len(dataset.records) - len(kept):
        dataset.records = kept
        dataset.notes.append(f"Left out, having been erased: {count:,} respondent{'' if count == 1 else 's'}.")


def _stems(file: str) -> tuple[str, ...]:
    from persona.personas.named import path_ids

    return tuple(path_ids(file))


async def _load_there(storage: StorageBackend) -> Tombstones:
    try:
        return await load(storage)
    except BucketNotFoundError:  # what comes next says so
        return Tombstones()


async def _of_workspace(session: Session) -> Tombstones:
    from persona.storage.stack import open_storage

    storage = open_storage(session.workspace.settings.storage)
    try:
        return await _load_there(storage)
    finally:
        await storage.close()
