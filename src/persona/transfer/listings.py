"""Two places walked side by side, and one place compared with what a journal says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from persona.storage.backend import RefusedName, StorageBackend, StorageObject
from persona.storage.paths import sort_key
from persona.storage.reserved import LeftOut, is_reserved
from persona.transfer.journal import Journal
from persona.transfer.model import Row

BATCH = 1000
Take = Callable[[str], bool]
"""Says whether a path takes part."""


class Page(NamedTuple):
    """What takes part of a page of a listing.

    Args:
        objects: the objects, in key order.
        refused: the foreign names.
        folder_markers: the folders that have an empty object for themselves.
    """

    objects: list[StorageObject]
    refused: list[RefusedName]
    folder_markers: list[str]


async def pages(
    backend: StorageBackend, take: Take, after: str | None = None, left_out: LeftOut | None = None
) -> AsyncIterator[Page]:
    """Yield what takes part of a place, page by page.

    Args:
        backend: the place.
        take: which objects take part.
        after: only what comes after this path.
        left_out: counts what takes no part since its name is reserved.
    """
    left_out = left_out if left_out is not None else LeftOut()
    inside = is_reserved(backend.url())  # then the keys of refused names, which are whole, cannot be told apart
    async for page in backend.scan(after=after):
        found = [item for item in left_out.without(page) if take(item.path)]
        markers = [name for name in page.folder_markers if not is_reserved(name) and take(name)]
        yield Page(found, [name for name in page.refused if inside or not is_reserved(name.key)], markers)


async def beside(
    journal: Journal,
    backend: StorageBackend,
    take: Take,
    *,
    after: str = "",
    known: bool = False,
    refused: list[RefusedName] | None = None,
) -> AsyncIterator[list[tuple[Row | None, StorageObject | None]]]:
    """Walk the journal's rows and a place together, in key order, and yield what they have under each path.

    Args:
        journal: the journal.
        backend: the place.
        take: which objects of the place take part.
        after: only what comes after this path.
        known: leave out objects that the journal does not know.
        refused: takes the foreign names of the place.
    """
    async for found, names, _ in pages(backend, take, after or None):
        if refused is not None:
            refused += names
        if not found:
            continue
        last = found[-1].path
        pairs: list[tuple[Row | None, StorageObject | None]] = []
        objects = {item.path: item for item in found}
        while rows := journal.rows(after=after, upto=last, limit=BATCH):
            after = rows[-1].path
            pairs += [(row, objects.pop(row.path, None)) for row in rows]
            if len(pairs) > BATCH:  # far more rows than objects
                yield pairs
                pairs = []
        after = last
        if objects and not known:
            pairs += [(None, item) for item in objects.values()]
            pairs.sort(key=lambda pair: sort_key((pair[0] or pair[1]).path))  # type: ignore[union-attr]
        if pairs:
            yield pairs
    while rows := journal.rows(after=after, limit=BATCH):
        after = rows[-1].path
        yield [(row, None) for row in rows]
