"""Listings whose pages do not say where the next one starts, or lead nowhere: all of it, or an error, never a part."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from persona.errors import UnreachableError
from persona.storage.backend import PastVersion, StorageBackend
from persona.storage.backends.azure import AzureBlobBackend
from persona.storage.backends.bucket import Bucket
from persona.storage.paths import sort_key
from tests import quirks
from tests.cloud.conftest import Faulty
from tests.faults import Act
from tests.servers import Azurite

Behind = Callable[[str], Faulty]
LISTING = {"s3": quirks.LISTINGS, "moto": quirks.LISTINGS, "gcs": r"/o\?", "azure": r"comp=list"}
SIZE = 3
KEYS = sorted(
    [*(f"a/{n}" for n in range(7)), "a/b/c", "a-b", "b c+d/e", *(f"e{n}/x" for n in range(5)), "f"], key=sort_key
)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few rows, so that a few objects take many."""
    monkeypatch.setattr(Bucket, "page_size", SIZE)
    monkeypatch.setattr(AzureBlobBackend, "page_size", SIZE)


async def filled(place: Faulty) -> StorageBackend:
    direct = place.direct()
    for key in KEYS:
        await direct.write(key, b"1")
    return place.open(retry_attempts=0)


@pytest.mark.parametrize(
    ("name", "quirk"),
    [
        *((name, quirk) for name in ("s3", "gcs", "azure") for quirk in (quirks.without_tokens, quirks.ended_early)),
        ("moto", quirks.version_1_listings),
        ("moto", quirks.plus_raw),
        ("s3", quirks.plus_raw),
    ],
)
async def test_all_is_listed(behind: Behind, name: str, quirk: Act) -> None:
    place = behind(name)
    storage = await filled(place)
    place.proxy.always("GET", LISTING[name], quirk)
    assert [each.path for each in await storage.list()] == KEYS
    assert [each.path for each in await storage.list("a")] == [key for key in KEYS if key.startswith("a/")]
    after = [each.path async for page in storage.scan(after="b c+d") for each in page]
    assert after == [key for key in KEYS if sort_key(key) > b"b c+d"]


@pytest.mark.parametrize("name", ["s3", "moto"])
async def test_spaces_and_plus_signs_are_told_apart(behind: Behind, name: str) -> None:
    """SeaweedFS encodes a space as ``+``: with plus signs left as they are, no encoded page tells what is meant."""
    place = behind(name)
    names = ["a b c", "a b+c", "a+b c", "x+y"]
    for each in names:
        await place.direct().write(each, each.encode())
    storage = place.open(retry_attempts=0)
    place.proxy.always("GET", r"list-type", quirks.plus_raw)
    assert [each.path for each in await storage.list()] == names
    assert [await storage.read(each) for each in names] == [each.encode() for each in names]


@pytest.mark.parametrize("name", ["s3", "gcs", "azure"])
async def test_a_page_that_comes_again_is_an_error(behind: Behind, name: str) -> None:
    place = behind(name)
    storage = await filled(place)
    place.proxy.always("GET", LISTING[name], quirks.page_again())
    with pytest.raises(UnreachableError, match="did not return a complete listing") as caught:
        await storage.list()
    assert caught.value.hint
    assert len(place.proxy.requests("GET", LISTING[name])) < 6


@pytest.mark.parametrize("name", ["s3", "gcs", "azure"])
async def test_a_key_outside_of_the_prefix_is_named(behind: Behind, name: str) -> None:
    place = behind(name)
    storage = await filled(place)
    stray = quirks.with_body(lambda body: body.replace(f"{place.prefix}/f".encode(), b"zealand/f"))
    place.proxy.always("GET", LISTING[name], stray)
    found = await storage.list()
    assert [each.path for each in found] == KEYS[:-1]
    assert [each.key for each in found.refused] == ["zealand/f"]


async def past(storage: StorageBackend) -> list[PastVersion]:
    return [each async for page in storage.past() for each in page]


def versioned(place: Faulty) -> None:
    """Let the server keep versions, in a bucket of the test's own."""
    place.bucket = place.server.make_bucket(f"kept-{place.prefix}")
    if place.server.name == "moto":
        authorization = "AWS4-HMAC-SHA256 Credential=testkey/20260101/us-east-1/s3/aws4_request"
        body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        place.server.request("PUT", f"/{place.bucket}?versioning", headers={"authorization": authorization}, body=body)
    elif place.server.name == "fake-gcs":
        path, body = f"/storage/v1/b/{place.bucket}", b'{"versioning": {"enabled": true}}'
        place.server.request("PATCH", path, headers={"Content-Type": "application/json"}, body=body)


async def with_versions(place: Faulty) -> StorageBackend:
    """Write each object twice; Azurite keeps the first content as a snapshot."""
    versioned(place)
    direct = place.direct()
    for number in range(5):
        await direct.write(f"v{number}", b"1")
        if isinstance(place.server, Azurite):
            place.server.signed("PUT", f"{place.bucket}/{place.prefix}/v{number}", {"comp": "snapshot"})
        await direct.write(f"v{number}", b"22")
    return place.open(retry_attempts=0)


VERSIONS = {"moto": quirks.VERSIONS, "gcs": r"versions=true", "azure": r"include=versions"}


@pytest.mark.parametrize("name", VERSIONS)
async def test_all_versions_are_listed(behind: Behind, name: str) -> None:
    place = behind(name)
    storage = await with_versions(place)
    place.proxy.always("GET", VERSIONS[name], quirks.without_tokens)
    assert [each.path for each in await past(storage)] == [f"v{number}" for number in range(5)]


@pytest.mark.parametrize("name", VERSIONS)
async def test_a_page_of_versions_that_comes_again_is_an_error(behind: Behind, name: str) -> None:
    place = behind(name)
    storage = await with_versions(place)
    quirk = quirks.versions_without_markers if name == "moto" else quirks.page_again()
    place.proxy.always("GET", VERSIONS[name], quirk)
    with pytest.raises(UnreachableError, match="did not return a complete listing"):
        await past(storage)
    assert len(place.proxy.requests("GET", VERSIONS[name])) < 8
