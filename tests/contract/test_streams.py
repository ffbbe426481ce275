"""Ranges, streams in both directions, and what becomes of those that break off."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from persona.errors import ConflictError, NotFoundError, VerificationError
from persona.storage.backend import StorageBackend
from persona.storage.content_headers import ContentHeaders
from tests.contract.helpers import MIB, StreamBrokeError, block, listed, received, stream

CONTENT = bytes(range(256)) * 40

RANGES = [
    (0, None),
    (0, 1),
    (0, 10),
    (5000, 300),
    (5000, None),
    (10239, None),
    (10239, 1),
    (10239, 100),
    (10240, None),
    (10240, 5),
    (99999, None),
    (99999, 5),
    (0, 0),
    (5000, 0),
    (0, 10240),
    (0, 99999),
]


@pytest.mark.parametrize(("start", "length"), RANGES)
async def test_a_range_is_what_a_slice_would_be(storage: StorageBackend, start: int, length: int | None) -> None:
    await storage.write("a", CONTENT)
    end = None if length is None else start + length
    assert await received(storage, "a", start, length) == CONTENT[start:end]


async def test_ranges_of_an_empty_object(storage: StorageBackend) -> None:
    await storage.write("a", b"")
    for start, length in ((0, None), (0, 0), (0, 5), (7, None), (7, 5)):
        assert await received(storage, "a", start, length) == b""


async def test_a_range_describes_the_whole_object(storage: StorageBackend) -> None:
    written = await storage.write("a", CONTENT)
    download = await storage.open("a", start=5000, length=10)
    assert download.object.size == len(CONTENT)
    assert download.object.version == written.version
    await download.close()


async def test_open_at_a_version(storage: StorageBackend) -> None:
    first = await storage.write("a", b"first")
    download = await storage.open("a", version=first.version)
    assert b"".join([chunk async for chunk in download]) == b"first"
    await storage.write("a", b"second")
    with pytest.raises(ConflictError):
        await storage.open("a", version=first.version)
    with pytest.raises(ConflictError):
        await storage.open("a", start=2, length=1, version=first.version)
    await storage.delete("a")
    with pytest.raises(NotFoundError):
        await storage.open("a", version=first.version)


@pytest.mark.needs("bodies over 1 MB")
async def test_twenty_mebibytes_up_and_down(storage: StorageBackend) -> None:
    total, sent = hashlib.sha256(), 20
    for number in range(sent):
        total.update(block(number))
    written = await storage.write_stream("big", stream(block(number) for number in range(sent)), size=sent * MIB)
    assert written.size == sent * MIB
    back, largest = hashlib.sha256(), 0
    async for chunk in await storage.open("big"):
        back.update(chunk)
        largest = max(largest, len(chunk))
    assert back.digest() == total.digest()
    assert largest <= 16 * MIB, "chunks are at most a few MiB"


@pytest.mark.needs("bodies over 1 MB")
async def test_a_part_of_a_big_object(storage: StorageBackend) -> None:
    content = b"".join(block(number) for number in range(12))
    await storage.write_stream("big", stream([content]))
    assert await received(storage, "big", 5 * MIB - 3, 7) == content[5 * MIB - 3 : 5 * MIB + 4]
    assert await storage.read("big") == content


@pytest.mark.needs("bodies over 1 MB")
async def test_a_big_object_in_one_write(storage: StorageBackend) -> None:
    content = b"".join(block(number) for number in range(12))
    written = await storage.write("big", content, metadata={"kept": "yes"}, content_type="image/png")
    assert written.size == len(content)
    described = await storage.stat("big")
    assert (described.content_type, dict(described.metadata or {})) == ("image/png", {"kept": "yes"})
    assert hashlib.sha256(await storage.read("big")).digest() == hashlib.sha256(content).digest()


@pytest.mark.needs("bodies over 1 MB")
async def test_a_big_copy(storage: StorageBackend) -> None:
    content = b"".join(block(number) for number in range(12))
    headers = ContentHeaders("gzip", "de", "inline", "no-cache")
    await storage.write_stream("big", stream([content]), metadata={"kept": "yes"}, headers=headers)
    copied = await storage.copy("big", "copy of big")
    assert copied.size == len(content)
    assert hashlib.sha256(await storage.read("copy of big")).digest() == hashlib.sha256(content).digest()
    described = await storage.stat("copy of big")
    assert (dict(described.metadata or {}), described.headers) == ({"kept": "yes"}, headers)


@pytest.mark.needs("bodies over 1 MB")
@pytest.mark.parametrize("known", [True, False], ids=["size known", "size unknown"])
@pytest.mark.parametrize(
    "sizes",
    [[], [0], [1], [1, 0, 1], [7, 1_000_003, 0, 13], [5_000_000], [5_242_880, 1], [999_983] * 13],
    ids=["none", "empty", "one", "gap", "odd", "chunk_size", "part and one", "13 odd"],
)
async def test_chunks_of_any_size(storage: StorageBackend, sizes: list[int], known: bool) -> None:
    chunks = [block(number, size) for number, size in enumerate(sizes)]
    whole = b"".join(chunks)
    written = await storage.write_stream("a", stream(chunks), size=len(whole) if known else None)
    assert written.size == len(whole)
    assert await storage.read("a") == whole


@pytest.mark.parametrize("announced", [0, 9, 11, 20 * MIB])
async def test_a_stream_of_another_length_writes_nothing(storage: StorageBackend, announced: int) -> None:
    with pytest.raises(VerificationError):
        await storage.write_stream("a", stream([b"01234", b"56789"]), size=announced)
    assert await listed(storage) == []


@pytest.mark.parametrize("announced", [12 * MIB - 1, 12 * MIB + 1])
async def test_a_big_stream_of_another_length_writes_nothing(storage: StorageBackend, announced: int) -> None:
    await storage.write("a", b"old")
    with pytest.raises(VerificationError):
        await storage.write_stream("a", stream(block(number) for number in range(12)), size=announced)
    assert await storage.read("a") == b"old"


async def breaking(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield block(number)
    raise StreamBrokeError


@pytest.mark.parametrize("count", [0, 1, 14])
async def test_a_stream_that_fails_leaves_nothing(storage: StorageBackend, count: int) -> None:
    with pytest.raises(StreamBrokeError):
        await storage.write_stream("folder/a", breaking(count))
    assert not await storage.exists("folder/a")
    assert await listed(storage) == []


@pytest.mark.parametrize("count", [1, 14])
async def test_a_stream_that_fails_leaves_what_was_there(storage: StorageBackend, count: int) -> None:
    old = await storage.write("a", b"old", metadata={"old": "yes"})
    with pytest.raises(StreamBrokeError):
        await storage.write_stream("a", breaking(count), size=20 * MIB, metadata={"new": "yes"})
    assert await storage.read("a") == b"old"
    described = await storage.stat("a")
    assert described.version == old.version
    assert dict(described.metadata or {}) == {"old": "yes"}


@pytest.mark.parametrize("count", [1, 14])
async def test_a_cancelled_stream_leaves_nothing(storage: StorageBackend, count: int) -> None:
    await storage.write("kept", b"old")
    hanging = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for number in range(count):
            yield block(number)
        hanging.set()
        await asyncio.Event().wait()

    for path in ("new", "kept"):
        hanging.clear()
        task = asyncio.create_task(storage.write_stream(path, endless()))
        await asyncio.wait_for(hanging.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await storage.read("kept") == b"old"
    assert await listed(storage) == ["kept"]


@pytest.mark.needs("bodies over 1 MB")
async def test_an_object_is_not_visible_before_its_stream_ends(storage: StorageBackend) -> None:
    seen: list[bool] = []

    async def looking() -> AsyncIterator[bytes]:
        for number in range(12):
            yield block(number)
            seen.append(await storage.exists("a") or await listed(storage) != [])

    await storage.write_stream("a", looking())
    assert not any(seen)
    assert await storage.exists("a")


@pytest.mark.needs("bodies over 1 MB")
async def test_a_reader_is_not_mixed_with_a_writer(storage: StorageBackend) -> None:
    """A read that has begun either goes on with its version or fails; it never yields two versions as one."""
    old, new = block(1) * 8, block(2) * 8
    await storage.write("a", old)
    download = await storage.open("a")
    chunks = aiter(download)
    content = await anext(chunks)
    await storage.write("a", new)
    try:
        async for chunk in chunks:
            content += chunk
    except ConflictError:
        pass
    else:
        assert content == old
    await download.close()
    assert await storage.read("a") == new


@pytest.mark.needs("bodies over 1 MB")
async def test_a_download_is_closed_early_and_twice(storage: StorageBackend) -> None:
    await storage.write("a", block(1) * 8)
    download = await storage.open("a")
    async for _ in download:
        break
    await download.close()
    await download.close()
    unread = await storage.open("a")
    await unread.close()
    assert len(await storage.read("a")) == 8 * MIB


@pytest.mark.needs("bodies over 1 MB")
async def test_many_streams_at_once(storage: StorageBackend) -> None:
    await asyncio.gather(
        *(storage.write_stream(f"s/{number}", stream([block(number), b"%d" % number])) for number in range(12))
    )
    contents = await asyncio.gather(*(storage.read(f"s/{number}") for number in range(12)))
    assert contents == [block(number) + b"%d" % number for number in range(12)]
