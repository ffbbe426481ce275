"""Erasures that were run while a job was under way: what the job wrote of those respondents is taken back.

1. Before the first object is copied, the job notes the tombstones that both places have: its baseline.
2. Each object is checked against all tombstones known then, before it is copied (`persona.transfer.work`).
3. When all else is done, the tombstones are listed again. Without a new one, no content is read.
4. Otherwise each object that the job wrote, and each that it found equal, is read at the destination in the version
   that the journal has, and checked against the new ones. What the job wrote is deleted under that version; the rest is
   named.
5. Paths that an erasure removed from the journal are found by their digests, in a listing of the destination.
6. Once all of it was checked, the new tombstones join the baseline, and step 3 is done again.
7. What the job kept of the destination's old content is checked against all tombstones, and named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from persona.errors import BucketNotFoundError, ConflictError, NotFoundError, PersonaError
from persona.storage.backend import IfVersion, RefusedName, StorageBackend
from persona.storage.reserved import BACKUPS
from persona.transfer.journal import Journal
from persona.transfer.model import Action, Endpoint, Guard, Row, Step

BATCH = 16
"""Objects that are checked at once."""
BASELINE = "tombstones"
"""The fact of a job that lists the tombstones against which all that it wrote was checked."""
SIDE = "erased"
"""The side under which the journal notes what is not an object of its own."""
_REMOVED = (
    "A respondent was erased while the job ran, and the copy at the destination, which named them, was deleted. "
    "“persona storage migrate resume” copies the object again if the source no longer names them."
)
_NAMES = "It names a respondent who was erased while the job ran. Run “persona storage erase” for the destination."
_KEPT = "It is old content of the destination, and names an erased respondent. Run “persona storage erase” there."
_LARGE = (
    "A respondent was erased while the job ran, and the object is too large to scan. It is still at the destination."
)


def note_baseline(journal: Journal, guard: Guard | None) -> None:
    """Note the tombstones that are known before the first object is copied; none if something was copied before."""
    if journal.get(BASELINE) is None:
        journal.set(**{BASELINE: [] if journal.wrote() or guard is None else [*guard.marks]})


async def check(
    journal: Journal, target: Endpoint, load: Callable[[], Awaitable[Guard | None]], proceed: Callable[[], None]
) -> None:
    """Take back what a job wrote of respondents who were erased after its baseline.

    Args:
        journal: the job's journal; what is found there becomes a failure.
        target: the destination.
        load: lists the tombstones of both places.
        proceed: raises if the job is to pause.

    Raises:
        PersonaError: a place cannot be asked; the job has to be resumed.
    """
    if not journal.wrote():
        return
    while (guard := await load()) is not None:
        if (newer := guard.since(journal.get(BASELINE, ()))) is None:
            noted = await _check_backups(journal, guard, target.backend)
            journal.refuse(SIDE, noted)
            return
        for rows in journal.batches(BATCH, steps=[Step.COPIED, Step.VERIFIED, Step.UNCHANGED]):
            proceed()
            changed = await asyncio.gather(*(_check_row(row, newer, target.backend) for row in rows))
            with journal.transaction():
                journal.record(row for row, refused in zip(rows, changed, strict=True) if refused)
        noted = await _check_removed_rows(journal, target.backend)
        with journal.transaction():
            journal.refuse(SIDE, noted)
            journal.set(**{BASELINE: [*guard.marks]})


async def _check_row(row: Row, guard: Guard, target: StorageBackend) -> bool:
    """Check one object; if it is refused, turn its row into a failure, and say so."""
    try:
        found = await _judged(guard, target, row.path, row.written or row.target_version)
        if found.reason is None:
            return False
        row.error = _NAMES if found.searched else _LARGE
        if row.written == found.version and found.searched:
            await target.delete(row.path, condition=IfVersion(found.version))
            row.error = _REMOVED
            row.action, row.target_version, row.target_digest, row.written = Action.COPY, None, None, None
    except BucketNotFoundError:
        raise
    except NotFoundError:  # someone removed it
        return False
    except PersonaError as error:
        if error.temporary:
            raise
        row.error = f"A respondent was erased while the job ran, and the copy could not be checked: {error}"
    row.step, row.evidence, row.proof, row.lost = Step.FAILED, None, "", None
    return True


class _Judged(NamedTuple):
    """What a guard says of an object.

    Args:
        reason: why it may not be there; None if it may.
        version: the version that was looked at.
        searched: whether all of it was looked at that has to be.
    """

    reason: str | None
    version: str
    searched: bool = True


async def _judged(guard: Guard, storage: StorageBackend, path: str, version: str | None) -> _Judged:
    try:
        return await _judged_at(guard, storage, path, version)
    except ConflictError:  # someone else wrote there: perhaps the erasure itself
        return await _judged_at(guard, storage, path, None)


async def _judged_at(guard: Guard, storage: StorageBackend, path: str, version: str | None) -> _Judged:
    download = await storage.open(path, length=guard.head, version=version)
    found = download.object
    head = await download.whole()
    if found.size <= guard.head:
        return _Judged(guard.refusal(path, found.size, head), found.version)
    if not guard.reads(head):
        return _Judged(guard.refusal(path, found.size, None, read=False), found.version)
    if found.size > guard.most:
        return _Judged(guard.refusal(path, found.size, None), found.version, searched=False)
    data = await (await storage.open(path, version=found.version)).whole()
    return _Judged(guard.refusal(path, found.size, data), found.version)


async def _check_removed_rows(journal: Journal, target: StorageBackend) -> list[RefusedName]:
    """Delete what the job wrote under paths that an erasure removed from the journal, and return what was found."""
    noted: list[RefusedName] = []
    if not (removed := journal.removed_rows()):
        return noted
    async for page in target.scan(""):
        for found in page:
            if (digest := journal.path_digest(found.path)) in removed:
                ours = removed[digest] == found.version
                if ours:
                    await target.delete(found.path, condition=IfVersion(found.version))
                noted.append(RefusedName(f"[erased] {digest[:12]}", _REMOVED if ours else _NAMES))
    return noted


async def _check_backups(journal: Journal, guard: Guard, target: StorageBackend) -> list[RefusedName]:
    """Return what the job kept of the destination's old content and what names a respondent: others' words are there.

    Where one object was replaced several times, each kept content is in a folder of its own, ``JOB.NUMBER``.
    """
    noted: list[RefusedName] = []
    options = journal.get("options")
    if not options["backup"] or not (options["overwrite"] or options["delete"]):
        return noted
    async for page in target.scan(BACKUPS):
        for found in page:
            folder = found.path.removeprefix(f"{BACKUPS}/").partition("/")[0]
            if folder.partition(".")[0] != journal.get("id"):
                continue
            if (await _judged(guard, target, found.path, found.version)).reason is not None:
                noted.append(RefusedName(found.path, _KEPT))
    return noted
