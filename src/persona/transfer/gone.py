"""Which objects that could not be found are gone: those that a new listing of their place does not have."""

from __future__ import annotations

from persona.storage.backend import StorageObject
from persona.storage.relisting import UNREADABLE
from persona.transfer.journal import Journal
from persona.transfer.listings import beside
from persona.transfer.model import Action, Endpoint, Row, Step

_WRITTEN_AGAIN = "It was deleted and written again meanwhile. Resume the job to copy it."


async def confirm_gone(journal: Journal, place: Endpoint, *, removals: bool = False) -> None:
    """List a place once more if anything could not be found there; what is still listed failed.

    Args:
        journal: the journal; its rows at the step `Step.GONE` are settled.
        place: the source; or the destination, of what is to be removed there.
        removals: whether it is the destination.
    """

    def concerns(row: Row) -> bool:
        return row.step == Step.GONE and (row.action == Action.REMOVE) == removals

    if not any(concerns(row) for rows in journal.batches(1000, steps=[Step.GONE]) for row in rows):
        return
    async for pairs in beside(journal, place.backend, lambda path: True, known=True):
        settled = [_settled(row, found) for row, found in pairs if row is not None and concerns(row)]
        with journal.transaction():
            journal.record(settled)
            journal.note_changes({row.path: "deleted" for row in settled if row.step == Step.GONE})


def _settled(row: Row, found: StorageObject | None) -> Row:
    """Return a row as the new listing settles it."""
    removal = row.action == Action.REMOVE
    if found is None:
        row.step = Step.REMOVED if removal else Step.GONE
    else:
        again = not removal and found.version != row.version
        row.step, row.error = Step.FAILED, _WRITTEN_AGAIN if again else UNREADABLE
    return row
