"""Listings to their end and in key order, also from servers that have another order or lose their markers.

A page says where the next one starts. Where it does not, although it is truncated or full, the listing continues after
the last name of the page: a missing token is never taken for the end. Pages that bring nothing new are an error.

S3 and GCS list by UTF-8 bytes. Services that speak their protocols often do not: one that keeps objects in a tree
lists ``a/b`` before ``a-b``, another compares UTF-16 units. The listing of such an endpoint is taken folder by folder
instead: what fits in a few pages is sorted, a larger folder is merged from its own page of names and those of its
folders. Of a level only the names are held whose place is not certain yet, so that memory does not grow with it.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Hashable, Sequence
from contextlib import aclosing
from typing import Any, Generic, NamedTuple, TypeVar

from persona.storage.backend import PastVersion
from persona.storage.backends.answers import ListingError
from persona.storage.backends.primitives import Entry
from persona.storage.paths import printable, sort_key

Item = TypeVar("Item")
Position = TypeVar("Position", bound=Hashable)


class PastEntry(NamedTuple):
    """One row of a listing of versions.

    Args:
        key: the provider's key.
        id: what tells this version from the key's others.
        version: what the row stands for; None for a current object.
    """

    key: str
    id: str
    version: PastVersion | None


class Page(NamedTuple, Generic[Item]):
    """One answer to a listing.

    Args:
        entries: the objects, or their versions.
        folders: prefixes up to the next ``/``, if the listing is of one level.
        token: where the next page starts, or None if the answer does not say.
        more: whether more may follow although there is no token: the answer says so, or has exactly as many rows as
            were asked for.
        after: the position to continue after, if the answer names one; else that of its last row.
    """

    entries: Sequence[Item]
    folders: Sequence[str]
    token: str | None
    more: bool = False
    after: Any = None


Fetch = Callable[[str, str | None, str | None, bool], Coroutine[Any, Any, Page[Entry]]]
"""Fetches a page: prefix, key to start after, token of the page, whether of one level only."""

MAX_EMPTY_PAGES = 1_000
"""So many pages without anything may follow one another; a provider gives some where objects were deleted."""
SORTED_PAGES = 4
"""So many pages are sorted at once: fewer requests than going down into folders."""

_UNCERTAIN = re.compile("[\ue000-\U0010ffff]")  # from here on UTF-16 and UTF-8 order characters differently
_BEFORE_SLASH = re.compile("[\0-.\ue000-\U0010ffff]")


async def as_listed(fetch: Fetch, prefix: str, after: str | None) -> AsyncIterator[Sequence[Entry]]:
    """Yield pages in the server's own order."""
    async for page in _pages(fetch, prefix, after, level=False):
        yield page.entries


async def in_either_order(fetch: Fetch, prefix: str, after: str | None) -> AsyncIterator[Sequence[Entry]]:
    """Yield pages in key order from a server that lists by UTF-8 or by UTF-16: no document says which.

    The two differ only from U+E000 on. What follows such a character in the last key of a page is held until it is
    certain that nothing comes before it.
    """
    held: list[Entry] = []
    async for page in _pages(fetch, prefix, after, level=False):
        held += page.entries
        if page.token is None or page.entries:
            frontier = None if page.token is None else _frontier(page)
            held.sort(key=lambda entry: sort_key(entry.key))
            count = sum(frontier is None or sort_key(entry.key) <= frontier for entry in held)
            yield held[:count]
            held = held[count:]


async def ascending(pages: AsyncIterator[Sequence[Entry]]) -> AsyncIterator[Sequence[Entry]]:
    """Yield pages as they are, as long as each key comes after the one before.

    Raises:
        ListingError: one comes again, or too late: who walks two listings at once would take it for missing.
    """
    last: str | None = None
    async for entries in pages:
        for entry in entries:
            if last is not None and sort_key(entry.key) <= sort_key(last):
                raise ListingError(f"the key “{printable(entry.key)}” does not come after “{printable(last)}”")
            last = entry.key
        yield entries


def _pages(fetch: Fetch, prefix: str, start: str | None, *, level: bool) -> AsyncGenerator[Page[Entry], None]:
    """Yield the pages of a listing of objects, as `turned` does."""

    async def ask(after: str | None, token: str | None) -> Page[Entry]:
        page = await fetch(prefix, after, token, level)
        for folder in page.folders:
            if not (folder.startswith(prefix) and folder.endswith("/") and len(folder) > len(prefix)):
                raise ListingError(f"the folder “{printable(folder)}” is not below “{printable(prefix)}”")
        return page

    return turned(ask, start, lambda entry: entry.key, lambda name: sort_key(name.removesuffix("/")))


async def turned(
    fetch: Callable[[Position | None, str | None], Coroutine[Any, Any, Page[Item]]],
    start: Position | None,
    position: Callable[[Item], Any],
    order: Callable[[Any], Any],
) -> AsyncGenerator[Page[Item], None]:
    """Yield the pages of any listing until its end, without rows that the page before had.

    The `token` of a page that is yielded is None on the last page only.

    Args:
        fetch: fetches a page: the position to continue after, and the token of the page.
        start: the position to begin after, or None.
        position: returns the position of an entry; that of a folder is its name.
        order: sorts positions; any row of a page is a safe one to continue after, and the last one the shortest way.

    Raises:
        ListingError: a page brings nothing new, the pages run in a circle, or a thousand are empty.
    """
    circle, seen, token = _Circle(), frozenset[Any](), None
    while True:
        page = await fetch(start, token)
        rows = [*map(position, page.entries), *page.folders]
        entries = [entry for entry in page.entries if position(entry) not in seen]
        folders = [folder for folder in page.folders if folder not in seen]
        follows = page.token is not None or page.more
        if follows and not entries and not folders and (rows or page.token is None):
            raise ListingError("it says that more follows, and returns nothing new")
        token = page.token
        if token is None and follows:
            start = page.after if page.after is not None else max(rows, key=order)
        yield Page(entries, folders, (token or "") if follows else None)
        if not follows:
            return
        circle.check(token or start, next(iter([*map(position, entries), *folders]), None))
        seen = frozenset(rows)


class _Circle:
    """Ends pages that run in a circle, found by Brent's algorithm with one page held, or that have no end."""

    def __init__(self) -> None:
        self._held: tuple[object, object] = (None, None)
        self._count, self._renewed, self._empty = 0, 1, 0

    def check(self, following: object, first: object) -> None:
        """Take note of a page: where the next one starts, and the first row of this one, if any."""
        self._count += 1
        self._empty = 0 if first is not None else self._empty + 1
        if following == self._held[0] or (first is not None and first == self._held[1]):
            raise ListingError("its pages run in a circle")
        if self._empty > MAX_EMPTY_PAGES:
            raise ListingError(f"{self._empty:,} pages in a row are empty")
        if self._count == self._renewed:
            self._held, self._renewed = (following, first), 2 * self._renewed


async def in_order(fetch: Fetch, prefix: str, after: str | None) -> AsyncIterator[Sequence[Entry]]:
    """Yield pages in key order, whatever the server's order is.

    Args:
        fetch: fetches a page.
        prefix: the key prefix, ending in ``/`` or empty.
        after: a key; only what comes after it is yielded.
    """
    pages: list[Page[Entry]] = []
    async with aclosing(_pages(fetch, prefix, None, level=False)) as some:
        async for page in some:
            pages.append(page)
            if len(pages) == SORTED_PAGES:
                break
    if pages[-1].token is None:
        few = [entry for page in pages for entry in _after(page.entries, after)]
        yield sorted(few, key=lambda entry: sort_key(entry.key))
        return
    del pages
    held: list[tuple[bytes, int, Entry | str]] = []
    numbers = itertools.count()
    async for page in _level(fetch, prefix, after):
        items: list[Entry | str] = [*_after(page.entries, after), *_folders_after(page.folders, after)]
        for item in items:
            heapq.heappush(held, (sort_key(item.key if isinstance(item, Entry) else item), next(numbers), item))
        async for entries in _settled(fetch, held, _frontier(page), after):
            yield entries
    async for entries in _settled(fetch, held, None, after):
        yield entries


async def _level(fetch: Fetch, prefix: str, after: str | None) -> AsyncIterator[Page[Entry]]:
    """Yield the pages of one level, from the last name that is sure to come before all that are wanted."""
    start = None
    if after is not None and after.startswith(prefix):
        name = after.removeprefix(prefix).partition("/")[0]
        start = prefix + _BEFORE_SLASH.split(name, maxsplit=1)[0][:-1]
    async for page in _pages(fetch, prefix, start, level=True):
        yield page


async def _settled(
    fetch: Fetch, held: list[tuple[bytes, int, Entry | str]], frontier: bytes | None, after: str | None
) -> AsyncIterator[Sequence[Entry]]:
    """Yield what is held and comes before all that may follow, going down into folders."""
    entries: list[Entry] = []
    while held and (frontier is None or held[0][0] < frontier):
        item = heapq.heappop(held)[2]
        if isinstance(item, Entry):
            entries.append(item)
            continue
        if entries:
            yield entries
            entries = []
        async for below in in_order(fetch, item, after):
            yield below
    if entries:
        yield entries


def _frontier(page: Page[Entry]) -> bytes:
    """Return what no name on later pages of this level comes before, in either order of characters.

    It is the earlier of the last object and the last folder: some services return all folders with the first page.
    """
    names = [entry.key for entry in page.entries[-1:]] + [folder.removesuffix("/") for folder in page.folders[-1:]]
    return min((sort_key(_UNCERTAIN.split(name, maxsplit=1)[0]) for name in names), default=b"")


def _after(entries: Sequence[Entry], after: str | None) -> Sequence[Entry]:
    if after is None:
        return entries
    last = sort_key(after)
    return [entry for entry in entries if sort_key(entry.key) > last]


def _folders_after(folders: Sequence[str], after: str | None) -> Sequence[str]:
    """Return the folders that may hold something after a key."""
    if after is None:
        return folders
    last = sort_key(after)
    return [folder for folder in folders if sort_key(folder) > last or after.startswith(folder)]
