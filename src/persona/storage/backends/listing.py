"""Listings in key order, also from servers that have another order.

S3 and GCS list by UTF-8 bytes. Services that speak their protocols often do not: one that keeps objects in a tree
lists ``a/b`` before ``a-b``, another compares UTF-16 units. The listing of such an endpoint is taken folder by folder
instead: what fits in a few pages is sorted, a larger folder is merged from its own page of names and those of its
folders. Of a level only the names are held whose place is not certain yet, so that memory does not grow with it.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from persona.storage.backends.primitives import Entry
from persona.storage.paths import sort_key


class Page(NamedTuple):
    """One answer to a listing.

    Args:
        entries: the objects.
        folders: prefixes up to the next ``/``, if the listing is of one level.
        token: where the next page starts, or None at the end.
    """

    entries: Sequence[Entry]
    folders: Sequence[str]
    token: str | None


Fetch = Callable[[str, str | None, str | None, bool], Coroutine[Any, Any, Page]]
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


async def ascending(pages: AsyncIterator[Sequence[Entry]]) -> AsyncIterator[Sequence[Entry]]:
    """Yield pages as they are, as long as each key comes after the one before.

    Raises:
        ValueError: one comes again, or runs backwards both by UTF-8 and by UTF-16: such a listing may never end.
    """
    last: str | None = None
    async for entries in pages:
        for entry in entries:
            if last is not None and sort_key(entry.key) <= sort_key(last) and _utf16(entry.key) <= _utf16(last):
                raise ValueError("a key does not come after the one before")
            last = entry.key
        yield entries


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


async def _pages(fetch: Fetch, prefix: str, start: str | None, *, level: bool) -> AsyncGenerator[Page, None]:
    """Yield pages until the last one.

    Raises:
        ValueError: the tokens go round in a circle (found as Brent's algorithm does, with one token held), page after
            page is empty, or a folder does not lie below the prefix.
    """
    token: str | None = None
    held: str | None = None
    count, renewed, empty = 0, 1, 0
    while True:
        page = await fetch(prefix, start, token, level)
        for folder in page.folders:
            if not (folder.startswith(prefix) and folder.endswith("/") and len(folder) > len(prefix)):
                raise ValueError("no folder below the prefix")
        yield page
        if (token := page.token) is None:
            return
        count += 1
        empty = 0 if page.entries or page.folders else empty + 1
        if token == held or empty > MAX_EMPTY_PAGES:
            raise ValueError("the listing does not go on")
        if count == renewed:
            held, renewed = token, 2 * renewed


async def in_order(fetch: Fetch, prefix: str, after: str | None) -> AsyncIterator[Sequence[Entry]]:
    """Yield pages in key order, whatever the server's order is.

    Args:
        fetch: fetches a page.
        prefix: the key prefix, ending in ``/`` or empty.
        after: a key; only what comes after it is yielded.
    """
    pages: list[Page] = []
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


async def _level(fetch: Fetch, prefix: str, after: str | None) -> AsyncIterator[Page]:
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


def _frontier(page: Page) -> bytes:
    """Return what no name on later pages of this level comes before, in either order of characters."""
    names = [entry.key for entry in page.entries[-1:]] + [folder.removesuffix("/") for folder in page.folders[-1:]]
    return max((sort_key(_UNCERTAIN.split(name, maxsplit=1)[0]) for name in names), default=b"")


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
