"""What was written at the source after the inventory."""

from __future__ import annotations

from collections.abc import Sequence

from persona.storage.paths import printable
from persona.transfer.journal import Journal
from persona.transfer.listings import Take, beside
from persona.transfer.model import Action, Endpoint, Step

_SHOWN = 10


async def drift(journal: Journal, source: Endpoint, take: Take) -> dict[str, str]:
    """List the source once more, and note in the journal and return what is not as the journal has it.

    Returns:
        By path: ``new``, ``changed`` or ``deleted``.
    """
    found: dict[str, str] = {}
    async for pairs in beside(journal, source.backend, take):
        page: dict[str, str] = {}
        for row, item in pairs:
            known = row if row is not None and row.action != Action.REMOVE else None
            if known is None and item is not None:
                page[item.path] = "new"
            elif known is not None and item is None and known.step != Step.GONE:
                page[known.path] = "deleted"
            elif known is not None and item is not None and known.step == Step.GONE:
                page[item.path] = "new"
            elif known is not None and item is not None and item.version != known.version:
                page[item.path] = "changed"
        journal.note_changes(page)
        found |= page
    return found


def names_of(names: Sequence[str]) -> str:
    """Return names as a message has them: some of them, and how many more there are."""
    more = f"; and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return "; ".join(printable(name) for name in names[:_SHOWN]) + more
