"""Why a cache keeps nothing."""

from __future__ import annotations

from collections.abc import Callable

from persona.storage.cache.house import Stats
from persona.storage.cache.store import Store


def why_empty(store: Store, found: Stats, never: Callable[[str], bool]) -> str | None:
    """Return the reason why nothing is kept of a place, as a sentence; None if something is.

    Args:
        store: what is kept of the place.
        found: its figures.
        never: says of a path whether it must not be kept.

    Raises:
        sqlite3.Error: the index cannot be read.
    """
    if found.entries:
        return None
    known = store.index.known(store.scope, "", None)
    if all(never(path) for path in [each.path for each in known] or ["a"]):
        return "All objects match storage.cache.never."
    if known and not any(store.could_hold(each.size) for each in known if not never(each.path)):
        space = store.index.limits.content
        return f"All objects are larger than what storage.cache.max_size leaves for content, {space:,} bytes."
    if not found.hits + found.misses:
        return "Nothing has been read yet."
    return "Of what was read nothing is left: it was cleared, or not to be kept, or too large."
