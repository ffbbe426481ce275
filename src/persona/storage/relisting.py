"""Whether what a listing named, and a read did not find, is gone: only a new listing can tell.

Services lose data behind an index that still lists it, and some list a name otherwise than they take it. To such an
object they answer 404, as to one that was deleted in between. So 404 alone proves nothing about a listed object.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from persona.storage.backend import Listing

UNREADABLE = (
    "It is listed, but a read answers that it does not exist: its data may be lost, or its name listed wrongly."
)


async def still_listed(pages: AsyncIterator[Listing], paths: Collection[str]) -> set[str]:
    """Return those of some paths that a new listing has; none is made if there are no paths.

    Args:
        pages: the listing that named them, begun anew.
        paths: what was not found.
    """
    wanted, found = {*paths}, set[str]()
    while found != wanted and (page := await anext(pages, None)) is not None:
        found |= {each.path for each in page if each.path in wanted}
    return found
