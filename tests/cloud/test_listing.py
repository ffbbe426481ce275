"""Listings merged into key order, whatever order a server has."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona.storage.backends.listing import SORTED_PAGES, Page, as_listed, in_order
from persona.storage.backends.primitives import Entry
from persona.storage.paths import sort_key

Order = Callable[[str], Any]


def by_tree(key: str) -> Any:
    """The order of a server that keeps objects in folders: a/b before a-b."""
    return [sort_key(segment) for segment in key.split("/")]


def by_utf16(key: str) -> Any:
    """The order of a server written in JavaScript."""
    return key.encode("utf-16-be", "surrogatepass")


class Server:
    """A server with an order of its own, in memory; it starts after a key in that order."""

    def __init__(self, keys: set[str], order: Order, page: int) -> None:
        self.keys = keys
        self.order = order
        self.page = page
        self.requests = 0

    async def fetch(self, prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]:
        self.requests += 1
        names: dict[str, bool] = {}
        for key in self.keys:
            if key.startswith(prefix):
                rest = key.removeprefix(prefix)
                cut = prefix + rest.partition("/")[0] + "/" if level and "/" in rest else key
                names[cut] = (cut.endswith("/") and level and cut != key) or cut != key
        ordered = sorted(names, key=lambda name: self.order(name.removesuffix("/") if names[name] else name))
        if after is not None:
            bound = self.order(after)
            ordered = [n for n in ordered if self.order(n.removesuffix("/") if names[n] else n) > bound]
        start = int(token or 0)
        part, end = ordered[start : start + self.page], start + self.page
        entries = [Entry(name, 1, datetime.now(UTC), "v") for name in part if not names[name]]
        return Page(entries, [n for n in part if names[n]], str(end) if end < len(ordered) else None)


async def keys_of(server: Server, after: str | None) -> list[str]:
    return [entry.key async for page in in_order(server.fetch, "", after) for entry in page]


SEGMENT = st.text("ab! -.0é日\ufffd🙂", min_size=1, max_size=3)
KEY = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)


@given(keys=st.sets(KEY, max_size=40), page=st.integers(1, 9), order=st.sampled_from([by_tree, by_utf16, sort_key]))
@settings(max_examples=400)
def test_every_key_comes_once_and_in_order(keys: set[str], page: int, order: Order) -> None:
    found = asyncio.run(keys_of(Server(keys, order, page), None))
    assert found == sorted(keys, key=sort_key)


@given(
    keys=st.sets(KEY, max_size=40),
    page=st.integers(1, 9),
    order=st.sampled_from([by_tree, by_utf16, sort_key]),
    after=KEY,
)
@settings(max_examples=400)
def test_every_key_after_a_key(keys: set[str], page: int, order: Order, after: str) -> None:
    found = asyncio.run(keys_of(Server(keys, order, page), after))
    assert found == [key for key in sorted(keys, key=sort_key) if sort_key(key) > sort_key(after)]


async def test_what_fits_in_a_few_pages_is_sorted() -> None:
    server = Server({f"folder {i % 7}/{i}" for i in range(3900)}, by_tree, 1000)
    assert len(await keys_of(server, None)) == 3900
    assert server.requests == SORTED_PAGES


async def test_what_fits_in_a_page_is_one_request() -> None:
    server = Server({f"folder {i % 7}/{i}" for i in range(900)}, by_tree, 1000)
    assert len(await keys_of(server, None)) == 900
    assert server.requests == 1


async def test_folders_that_fit_in_a_few_pages_are_one_request_a_page() -> None:
    server = Server({f"folder {i % 7}/{i // 100}/{i}" for i in range(5000)}, by_tree, 1000)
    assert len(await keys_of(server, None)) == 5000
    assert server.requests == SORTED_PAGES + 1 + 7


async def test_first_rows_come_before_the_last_are_asked_for() -> None:
    server = Server({f"{i:06}" for i in range(50_000)}, by_tree, 1000)
    async for page in in_order(server.fetch, "", None):
        assert page[0].key == "000000"
        break
    assert server.requests <= SORTED_PAGES + 2


async def test_the_providers_own_order_costs_nothing_more() -> None:
    server = Server({f"{i:06}" for i in range(5000)}, sort_key, 1000)
    assert len([entry async for page in as_listed(server.fetch, "", None) for entry in page]) == 5000
    assert server.requests == 5


@pytest.mark.parametrize("listing", [as_listed, in_order])
async def test_memory_does_not_grow_with_a_flat_prefix(listing: Any) -> None:
    """Pages of 1,000 keys, as they come from a server that has them all in one folder."""
    now = datetime.now(UTC)

    async def peak(pages: int) -> int:
        async def fetch(prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]:
            page = int(token or 0)
            entries = [Entry(f"flat/{page:03}{number:03}", 1, now, f"{page}-{number}") for number in range(1000)]
            return Page(entries, [], str(page + 1) if page + 1 < pages else None)

        tracemalloc.start()
        count = 0
        async for entries in listing(fetch, "flat/", None):
            count += len(entries)
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == pages * 1000
        return largest

    await peak(2)
    assert await peak(60) < await peak(6) + 250_000  # 54,000 entries more would be 16 MB
