"""Listings: complete, in key order, by whole segments, and from any key on."""

from __future__ import annotations

import asyncio

import pytest

from persona.storage.backend import StorageBackend
from tests.contract.helpers import listed, pages, scanned
from tests.contract.places import Place

pytestmark = pytest.mark.no_cover  # other cases run the same lines, and measuring them takes time

ORDERED = [
    "A",
    "Z/z",
    "a",
    "a b",
    "a!",
    "a-b",
    "a.b",
    "a/b",
    "a/b!/c",
    "a/b/c",
    "a/b0",
    "a/c",
    "a0",
    "aB",
    "aa",
    "z~",
    "é",
    "日本/一",
    "日本語",
    "\ufffd",
    "🙂",
]
"""By the bytes of UTF-8: a space, ``!``, ``-`` and ``.`` come before ``/``, and U+FFFD before an emoji."""


async def fill(storage: StorageBackend, paths: list[str]) -> None:
    """Write many objects, some at a time; few of them one by one.

    SeaweedFS may leave an object out of its listings for good if ``a/b`` and ``a/b/c`` are made in the same moment.
    """
    limit = asyncio.Semaphore(32 if len(paths) > 100 else 1)

    async def put(path: str) -> None:
        async with limit:
            await storage.write(path, path.encode())

    await asyncio.gather(*(put(path) for path in paths))


async def test_the_order_is_that_of_the_bytes(storage: StorageBackend) -> None:
    await fill(storage, ORDERED[::-1])
    assert sorted(ORDERED, key=str.encode) == ORDERED
    assert await listed(storage) == ORDERED
    assert await scanned(storage) == ORDERED


async def test_an_empty_storage_lists_nothing(storage: StorageBackend) -> None:
    assert await listed(storage) == []
    assert await listed(storage, "no/such/folder") == []
    assert await scanned(storage, "folder", "folder/x") == []


async def test_a_prefix_is_a_folder(storage: StorageBackend) -> None:
    paths = ["team", "team-old/x", "team.yaml", "team/a", "team/b/c", "team0", "teams/a", "tea"]
    await fill(storage, paths)
    assert await listed(storage, "team") == ["team", "team/a", "team/b/c"]
    assert await listed(storage, "tea") == ["tea"]
    assert await listed(storage, "te") == []
    assert await listed(storage, "team/b") == ["team/b/c"]
    assert await listed(storage, "team/b/c") == ["team/b/c"]
    assert await listed(storage, "team/b/c/d") == []


async def test_a_prefix_is_cleaned(storage: StorageBackend) -> None:
    await fill(storage, ["team/a", "team-old/a"])
    for text in ("team", "team/", "./team/", "./team"):
        assert await listed(storage, text) == ["team/a"], text
        assert await scanned(storage, text) == ["team/a"], text
    for text in ("", ".", "/", "./"):
        assert await listed(storage, text) == ["team-old/a", "team/a"], text


async def test_a_prefix_of_odd_characters(storage: StorageBackend) -> None:
    paths = ["a+b/x", "a b/x", "a%2Bb/x", "é/x", "日本/x", "a&b=c/x", "[a]*/x"]
    await fill(storage, paths)
    for path in paths:
        assert await listed(storage, path.removesuffix("/x")) == [path]


async def test_a_listing_after_a_key(storage: StorageBackend) -> None:
    await fill(storage, ORDERED)
    for after in [*ORDERED, "0", "a/", "a/b/", "a/b!", "a/bb", "a/zz/z", "b", "z~~", "日", "🙂🙂"]:
        expected = [path for path in ORDERED if path.encode() > after.removesuffix("/").encode()]
        assert await scanned(storage, after=after) == expected, after


async def test_a_listing_after_a_key_below_a_prefix(storage: StorageBackend) -> None:
    await fill(storage, ORDERED)
    inside = [path for path in ORDERED if path == "a" or path.startswith("a/")]
    for after in [*ORDERED, "a/b/", "a/bb", "b"]:
        expected = [path for path in inside if path.encode() > after.removesuffix("/").encode()]
        assert await scanned(storage, "a", after) == expected, after


async def test_each_object_comes_with_its_size(storage: StorageBackend) -> None:
    await fill(storage, ["a", "bb/bb", "c/é"])
    assert [(found.path, found.size) for found in await storage.list()] == [
        ("a", 1),
        ("bb/bb", 5),
        ("c/é", 4),
    ]


@pytest.fixture
def roomy(place: Place) -> Place:
    """A place in a bucket of its own: a server that looks through all of it at each listing is slow for the others."""
    if place.server is None:
        return place
    name = "container" if place.settings.backend == "azure" else "bucket"
    return place.changed(**{name: place.server.make_bucket("contract-many")})


async def test_thousands_of_objects(roomy: StorageBackend, place: Place) -> None:
    """Several pages, of which the providers' have up to 1,000 objects; Azure's may have 5,000."""
    storage = roomy
    count = 2100 if place.name in ("local", "seaweedfs") else 1100
    paths = [f"study {number % 7}/{number // 100:02}/record-{number:05}.yaml" for number in range(count)]
    await fill(storage, paths)
    expected = sorted(paths, key=str.encode)
    found = await pages(storage)
    assert [entry.path for page in found for entry in page] == expected
    assert max(map(len, found)) <= 5000, "in pages of bounded size: Azure's are the largest"
    assert not any(page.refused for page in found)
    assert await listed(storage, "study 3") == [path for path in expected if path.startswith("study 3/")]
    middle = expected[count // 2]
    assert await scanned(storage, after=middle) == expected[count // 2 + 1 :]
    left_early = storage.scan()
    assert (await anext(left_early))[0].path == expected[0]
    assert len(await listed(storage)) == count


async def test_a_scan_while_others_write(storage: StorageBackend) -> None:
    """What was there before and stays is listed, whatever happens beside it."""
    kept = [f"kept/{number:03}" for number in range(50)]
    await fill(storage, kept)

    async def disturb() -> None:
        for number in range(30):
            await storage.write(f"kept/{number:03}/below", b"x")
            await storage.write(f"other/{number}", b"x")
            await storage.delete(f"other/{number}")

    task = asyncio.create_task(disturb())
    while not task.done():
        found = await listed(storage, "kept")
        assert [path for path in found if path in kept] == kept
        assert sorted(set(found), key=str.encode) == found
    await task
