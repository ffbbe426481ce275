"""What the commands that write know of respondents who were erased: they are not let in again."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from persona.cli.session import Session
from persona.config.places import place_of
from persona.errors import BucketNotFoundError, UnreachableError
from persona.storage.tombstones import Tombstones, carry, load, of_paths

if TYPE_CHECKING:
    from persona.personas.sources.records import Dataset
    from persona.storage.backend import StorageBackend
    from persona.storage.tombstones import KnownTombstones
    from persona.transfer.model import Endpoint


class ErasedGuard:
    """Refuses objects that hold a respondent who was erased.

    Args:
        tombstones: who was.
    """

    def __init__(self, tombstones: Tombstones) -> None:
        from persona.personas.sources.limits import MAX_FILE_BYTES  # of several objects at a time

        self._tombstones = tombstones
        self._most = MAX_FILE_BYTES

    @property
    def most(self) -> int:
        """The largest object that is read, in bytes."""
        return self._most

    @property
    def marks(self) -> tuple[str, ...]:
        """The names of the tombstones."""
        return self._tombstones.paths

    def since(self, known: Collection[str]) -> ErasedGuard | None:
        """Return what refuses by the tombstones that are not among the known ones; None if there are none."""
        newer = of_paths(path for path in self.marks if path not in known)
        return ErasedGuard(newer) if newer else None

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
    known = await joined(source.backend, target.backend)
    here = place_of(session.workspace.settings.storage, os.environ)
    if here and any(end.place.meets(here) for end in (source, target)):
        known = known.joined(await _of_workspace(session))
    return ErasedGuard(known) if known else None


async def joined(source: StorageBackend, target: StorageBackend) -> Tombstones:
    """Return the tombstones of two storages, once those of the first lie in the second as well."""
    theirs, ours = await load(source), await load(target)
    await carry(source, target, theirs.without(ours))
    return theirs.joined(ours)


async def outbox_guard(session: Session, provider: StorageBackend) -> ErasedGuard | None:
    """Return what refuses those who were erased from the workspace's storage, before the outbox is sent there."""
    known = await _seen(session, provider)
    return ErasedGuard(known) if known else None


def leave_out(session: Session, dataset: Dataset, ids: Sequence[str] = ()) -> Tombstones:
    """Take respondents who were erased out of an input, with what others say of them, and note how many.

    Args:
        session: whose workspace's storage knows who was erased.
        dataset: the input.
        ids: what a codebook calls each respondent; empty without one.

    Returns:
        Who was erased.
    """
    import asyncio

    try:
        known = asyncio.run(_of_workspace(session))
    except UnreachableError:
        known = _kept(session).load()
        session.warn(
            "Warning: the storage did not respond. Respondents whose erasure this machine does not know of yet are not "
            "left out."
        )
    if not known:
        return known
    from persona.personas.left_out import leave_out_mentions
    from persona.personas.subjects import in_form

    others = ids or [each.id for each in dataset.records]
    known_as = [
        {in_form(name) for name in (each.id, other, *_stems(each.file))}
        for each, other in zip(dataset.records, others, strict=True)
    ]
    erased = known.among(set().union(*known_as))
    kept = [each for each, names in zip(dataset.records, known_as, strict=True) if erased.isdisjoint(names)]
    if count := len(dataset.records) - len(kept):
        dataset.records = kept
        dataset.left_out["erased"] += count
        dataset.notes.append(f"Left out, having been erased: {count:,} respondent{'' if count == 1 else 's'}.")
    leave_out_mentions(dataset, known.among)
    return known


def _stems(file: str) -> tuple[str, ...]:
    from persona.personas.named import path_ids

    return tuple(path_ids(file))


async def _of_workspace(session: Session) -> Tombstones:
    """Return the tombstones of the workspace's storage, as its provider has them.

    Raises:
        UnreachableError: the provider does not respond.
    """
    from persona.storage.stack import open_provider

    storage = open_provider(session.workspace.settings.storage, session.keeping(force=session.fresh))
    try:
        return await _seen(session, storage)
    finally:
        await storage.close()


async def _seen(session: Session, storage: StorageBackend) -> Tombstones:
    """Return the tombstones of the workspace's storage, and keep them on this machine."""
    try:
        found = await load(storage)
    except BucketNotFoundError:  # what comes next says so
        return Tombstones()
    _kept(session).save(found)
    return found


def _kept(session: Session) -> KnownTombstones:
    from persona.storage.stack import known_tombstones

    return known_tombstones(session.workspace.settings.storage, session.keeping())


def remember(session: Session, found: Tombstones) -> None:
    """Keep the tombstones of the workspace's storage on this machine, also for an outage."""
    _kept(session).save(found)
