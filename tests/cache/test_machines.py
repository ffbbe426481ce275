"""Two machines, each with a cache, on one bucket of a real server: what the one writes, the other sees in time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from persona.config.schema import StorageSettings
from persona.errors import ConflictError, NotFoundError
from persona.storage.backend import IfVersion
from persona.storage.stack import open_storage
from tests.cache.machine import Clock, Machine
from tests.campaigns.sites import address_of, through
from tests.campaigns.traffic import Passed, Traffic
from tests.contract.places import server_settings
from tests.serving import Server

TTL = 60.0


class Pair:
    """Two machines on one bucket, and the requests of both.

    Args:
        folder: for their cache folders.
        settings: of the bucket.
        traffic: the proxy before it.
    """

    def __init__(self, folder: Path, settings: StorageSettings, traffic: Traffic) -> None:
        self.clock = Clock()
        self.traffic = traffic
        seen = through(settings, traffic)
        self.machines = [Machine(folder / f"{n}", open_storage(seen), self.clock, ttl=TTL) for n in range(2)]
        self.here, self.there = (machine.cache() for machine in self.machines)
        self._looked = 0
        self.unchanged = 200 if settings.backend == "gcs" else 304
        """What the server answers if an object is the same: 304 has no body. fake-gcs-server ignores the condition."""

    def requests(self) -> list[Passed]:
        """Return the requests since the last time."""
        found = self.traffic.passed[self._looked :]
        self._looked += len(found)
        return found

    async def close(self) -> None:
        await self.here.close()
        await self.there.close()
        for machine in self.machines:
            machine.close()


@pytest.fixture(params=["seaweedfs", "fake-gcs", "azurite"])
def site(request: pytest.FixtureRequest, running: Callable[[str], Server]) -> StorageSettings:
    name = f"machines/{secrets.token_hex(6)}"
    return server_settings(running(request.param), "contract", name)


@pytest.fixture
def traffic(site: StorageSettings) -> Iterator[Traffic]:
    with Traffic(address_of(site)) as made:
        yield made


async def test_two_machines_on_one_bucket(tmp_path: Path, site: StorageSettings, traffic: Traffic) -> None:
    """All of it in one test, since it is the same two machines that go on."""
    pair = Pair(tmp_path, site, traffic)
    try:
        await within_the_ttl_no_request_and_after_it_one(pair)
        await a_change_is_seen_after_the_ttl(pair)
        await with_fresh_it_is_seen_at_once(pair)
        await a_listing_shows_what_is_old(pair)
        await gone_is_gone(pair)
        await whoever_writes_under_a_condition_hears_of_the_other(pair)
    finally:
        await pair.close()


async def within_the_ttl_no_request_and_after_it_one(pair: Pair) -> None:
    content = secrets.token_bytes(36_000)
    await pair.there.write("a/b", content)
    assert await pair.here.read("a/b") == content
    pair.requests()
    for _ in range(3):
        assert await pair.here.read("a/b") == content
    assert pair.requests() == []
    pair.clock.wait(TTL)
    for _ in range(3):
        assert await pair.here.read("a/b") == content
    (asked,) = pair.requests()
    assert (asked.method, asked.status) == ("GET", pair.unchanged)


async def a_change_is_seen_after_the_ttl(pair: Pair) -> None:
    await pair.there.write("a/b", b"two")
    assert await pair.there.read("a/b") == b"two"
    pair.clock.wait(TTL)
    pair.requests()
    assert await pair.here.read("a/b") == b"two"
    (asked,) = pair.requests()
    assert (asked.method, asked.status) == ("GET", 200)
    assert await pair.here.read("a/b") == b"two"
    assert pair.requests() == []


async def with_fresh_it_is_seen_at_once(pair: Pair) -> None:
    machine = pair.machines[0]
    for content in (b"three", b"four"):
        await pair.there.write("a/b", content)
        fresh = machine.cache(machine.store(since=pair.clock()))
        assert await fresh.read("a/b") == content
        pair.requests()
        assert await fresh.read("a/b") == await pair.here.read("a/b") == content
        assert pair.requests() == []


async def a_listing_shows_what_is_old(pair: Pair) -> None:
    await pair.there.write("a/c", b"new")
    await pair.there.write("a/b", b"five")
    assert [found.path for found in await pair.here.list("a")] == ["a/b", "a/c"]
    assert await pair.here.read("a/b") == b"five"
    assert await pair.here.read("a/c") == b"new"
    pair.clock.wait(TTL)
    await pair.here.list()
    pair.requests()
    assert await pair.here.read("a/b") == b"five"  # the listing has said that it is still the same
    assert pair.requests() == []


async def gone_is_gone(pair: Pair) -> None:
    await pair.there.delete("a/c")
    pair.clock.wait(TTL)
    with pytest.raises(NotFoundError):
        await pair.here.read("a/c")
    await pair.there.delete("a/b")
    assert await pair.here.list("a") == []
    with pytest.raises(NotFoundError):
        await pair.here.read("a/b")
    with pytest.raises(NotFoundError):
        await pair.there.read("a/b")
    await pair.there.write("a/b", b"again")
    assert await pair.here.read("a/b") == b"again"  # absence is not kept


async def whoever_writes_under_a_condition_hears_of_the_other(pair: Pair) -> None:
    """What is kept is good for a compare-and-swap: an old version is refused."""
    old = (await pair.here.open("a/b")).object.version
    written = await pair.there.write("a/b", b"of the other")
    with pytest.raises(ConflictError):
        await pair.here.write("a/b", b"of this one", condition=IfVersion(old))
    assert await pair.here.read("a/b") == b"of the other"
    await pair.here.write("a/b", b"of this one", condition=IfVersion(written.version))
    assert await pair.here.read("a/b") == b"of this one"
