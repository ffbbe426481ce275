"""One request for an object that may have changed: its content if it has, and nothing if not."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from persona.errors import BucketNotFoundError, CredentialsError, NameRefusedError, NotFoundError, UnreachableError
from persona.storage.backend import Download, StorageBackend
from tests.contract.helpers import MIB, block, stream
from tests.contract.places import Place

NOT_VERSIONS = ["", "0", "1", "no such version", "0" * 32, "9" * 40, '"', "*", "naïve", "two\nlines"]
"""What is no version of any object, the tokens of other backends and broken ones among it."""


async def content(download: Download | None) -> bytes:
    """Return what a read yields that must have begun."""
    assert download is not None, "it counts as unchanged"
    return b"".join([chunk async for chunk in download])


async def test_unchanged_is_not_read(storage: StorageBackend) -> None:
    written = await storage.write("personas/a é.yaml", b"content")
    assert await storage.open_changed("personas/a é.yaml", written.version) is None
    assert await storage.open_changed("./personas/a é.yaml", written.version) is None
    assert await storage.read("personas/a é.yaml") == b"content"


@pytest.mark.parametrize("source", ["stat", "list", "open", "open_changed"])
async def test_a_version_from_anywhere_is_the_same(storage: StorageBackend, source: str) -> None:
    await storage.write("a", b"content")
    if source == "stat":
        version = (await storage.stat("a")).version
    elif source == "list":
        version = (await storage.list())[0].version
    else:
        download = await (storage.open("a") if source == "open" else storage.open_changed("a", "0"))
        assert download is not None
        version = download.object.version
        await download.close()
    assert await storage.open_changed("a", version) is None


async def test_changed_is_read_and_described(storage: StorageBackend) -> None:
    old = await storage.write("a", b"old")
    new = await storage.write("a", b"new content", content_type="image/png")
    download = await storage.open_changed("a", old.version)
    assert download is not None
    found = download.object
    assert (found.path, found.size, found.version, found.content_type) == ("a", 11, new.version, "image/png")
    assert await content(download) == b"new content"
    assert await storage.open_changed("a", new.version) is None


@pytest.mark.needs("version per write")
async def test_the_same_bytes_again_are_a_change(storage: StorageBackend) -> None:
    old = await storage.write("a", b"content")
    await storage.write("a", b"content")
    assert await content(await storage.open_changed("a", old.version)) == b"content"


async def test_written_again_after_deletion(storage: StorageBackend) -> None:
    old = await storage.write("a", b"old")
    await storage.delete("a")
    await storage.write("a", b"new")
    assert await content(await storage.open_changed("a", old.version)) == b"new"


async def test_gone_is_not_found(storage: StorageBackend) -> None:
    old = await storage.write("a", b"old")
    await storage.write("a/below", b"x")
    await storage.delete("a")
    for path in ("a", "never", "no folder/never"):
        with pytest.raises(NotFoundError) as caught:
            await storage.open_changed(path, old.version)
        assert not isinstance(caught.value, BucketNotFoundError)
        assert path in caught.value.message


async def test_a_version_of_another_object_says_nothing(storage: StorageBackend) -> None:
    await storage.write("a", b"one")
    other = await storage.write("b", b"two")
    assert await content(await storage.open_changed("a", other.version)) == b"one"


@pytest.mark.parametrize("version", NOT_VERSIONS)
async def test_what_is_no_version_says_nothing(storage: StorageBackend, version: str) -> None:
    await storage.write("a", b"content")
    assert await content(await storage.open_changed("a", version)) == b"content"
    with pytest.raises(NotFoundError):
        await storage.open_changed("b", version)


async def test_an_empty_object(storage: StorageBackend) -> None:
    old = await storage.write("a", b"full")
    empty = await storage.write("a", b"")
    assert await content(await storage.open_changed("a", old.version)) == b""
    assert await storage.open_changed("a", empty.version) is None


@pytest.mark.needs("bodies over 1 MB")
async def test_an_object_that_came_in_parts(storage: StorageBackend) -> None:
    blocks = [block(number) for number in range(12)]
    written = await storage.write_stream("a", stream(blocks), size=12 * MIB)
    assert await storage.open_changed("a", written.version) is None
    assert await content(await storage.open_changed("a", "0")) == b"".join(blocks)


@pytest.mark.needs("bodies over 1 MB")
async def test_a_change_is_closed_early_and_twice(storage: StorageBackend) -> None:
    await storage.write("a", block(1) * 8)
    for _ in range(20):
        download = await storage.open_changed("a", "0")
        assert download is not None
        await download.close()
        await download.close()
    assert len(await storage.read("a")) == 8 * MIB


async def test_a_name_that_is_none(storage: StorageBackend) -> None:
    for path in ("", "../a", "a//b", "a\x00b"):
        with pytest.raises(NameRefusedError):
            await storage.open_changed(path, "0")


@pytest.mark.needs("endpoint")
async def test_the_address_is_where_requests_go(place: Place) -> None:
    storage = place.open()
    try:
        if place.server is not None:
            assert storage.address() == ("127.0.0.1", place.server.ports[0])
        else:
            host, port = storage.address() or ("", 0)
            assert "." in host
            given = urlsplit(getattr(place.settings, place.settings.backend).endpoint_url or "https://its.own")
            assert port == (given.port or 443)
    finally:
        await storage.close()


@pytest.mark.needs("bucket")
async def test_a_missing_bucket(place: Place) -> None:
    await _fails(place.without_bucket(), BucketNotFoundError)


@pytest.mark.needs("credentials")
async def test_wrong_credentials(place: Place) -> None:
    await _fails(place.with_wrong_key(), CredentialsError)


@pytest.mark.needs("endpoint")
async def test_nothing_listens(place: Place) -> None:
    await _fails(place.unreachable(), UnreachableError)


async def _fails(place: Place, expected: type[Exception]) -> None:
    storage = place.open()
    try:
        with pytest.raises(expected):
            await storage.open_changed("a", "0")
    finally:
        await storage.close()
