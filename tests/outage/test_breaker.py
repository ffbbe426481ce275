"""The breaker: a provider that is down is found out once, fast, and found back soon."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from persona.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    NotFoundError,
    PersonaError,
    RequestFailedError,
    ThrottledError,
    UnreachableError,
)
from persona.storage.backend import Download, StorageObject
from persona.storage.capabilities import HONOURED
from persona.storage.layers.breaker import Breaker
from persona.storage.outage import FIRST_PAUSE, LONGEST_PAUSE, PROBE, OutageState, knock, require
from persona.storage.stack import open_storage
from tests.outage.conftest import Office
from tests.outage.gates import hole
from tests.personas.memory import MemoryBackend

DOWN = UnreachableError("Nothing answers at example.", hint="Check the network.")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Sulking(MemoryBackend):
    """A provider that can be slow or down, at an address where somebody is there or not."""

    def __init__(self, address: tuple[str, int] | None = None) -> None:
        super().__init__()
        self.where = address
        self.error: PersonaError | None = None
        self.slowness = 0.0
        self.asked: list[str] = []
        self.put("a", b"content")

    def address(self) -> tuple[str, int] | None:
        return self.where

    async def exists(self, path: str) -> bool:
        await self._answer(path)
        return await super().exists(path)

    async def read(self, path: str) -> bytes:
        await self._answer(path)
        return await super().read(path)

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        return Slow(await self.stat(path), self)

    async def delete_many(self, paths: object, *, conditions: object = None) -> dict[str, PersonaError]:
        return {"a": self.error} if self.error else {}

    async def _answer(self, path: str) -> None:
        self.asked.append(path)
        await asyncio.sleep(self.slowness)
        if self.error:
            raise self.error


class OneBad(Sulking):
    """A provider that responds to everything but one object."""

    async def _answer(self, path: str) -> None:
        self.asked.append(path)
        if path == "a":
            raise DOWN

    async def delete_many(self, paths: object, *, conditions: object = None) -> dict[str, PersonaError]:
        return {"a": DOWN, "b": AccessDeniedError("No.")}


class Slowest(Sulking):
    """A provider that answers light requests, and takes long for others."""

    async def read(self, path: str) -> bytes:
        await asyncio.sleep(1.6)
        return await super().read(path)


class Slow(Download):
    """A download of two pieces, the second of which comes as its provider is."""

    def __init__(self, found: StorageObject, provider: Sulking) -> None:
        self.object = found
        self.provider = provider

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"first"
        await self.provider._answer("second")
        yield b"second"

    async def close(self) -> None:
        self.provider.asked.append("closed")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def somebody() -> Iterator[tuple[str, int]]:
    """The address of somebody who accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()


@pytest.fixture
def nobody() -> tuple[str, int]:
    """An address where nobody is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return ("127.0.0.1", int(server.getsockname()[1]))


Make = Callable[..., Breaker]


@pytest.fixture
def breaker(tmp_path: Path, clock: Clock) -> Make:
    """A function that puts a breaker around a provider; all know the same state, as processes do."""
    state = OutageState(tmp_path / "kept" / "outage", "p")
    return lambda inner, **more: Breaker(inner, state, clock=clock, **more)


async def test_a_knock_says_whether_somebody_is_there(somebody: tuple[str, int], nobody: tuple[str, int]) -> None:
    assert await knock(somebody, 0.5)
    begun = time.monotonic()
    assert not await knock(nobody, 0.5)
    assert time.monotonic() - begun < 0.4
    assert not await knock(("a.name.that.is.not.known.invalid", 443), 0.5)
    assert not await knock(("x" * 300, 443), 0.5)  # which cannot be a name
    assert time.monotonic() - begun < 2.5


async def test_a_knock_ends_in_time_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    with hole() as address:
        assert not await knock(address, 0.3)

    def unanswered(*_: object, **__: object) -> None:
        time.sleep(2)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unanswered)
    assert not await knock(("example.org", 443), 0.3)
    assert time.monotonic() - begun < 2.5


async def test_a_check_at_the_beginning(somebody: tuple[str, int], nobody: tuple[str, int]) -> None:
    await require(None)
    await require(somebody)
    with pytest.raises(UnreachableError, match=r"Nothing answers at 127\.0\.0\.1"):
        await require(nobody)


async def test_what_succeeds_leaves_no_trace(breaker: Make, tmp_path: Path) -> None:
    storage = breaker(Sulking())
    assert await storage.read("a") == b"content"
    with pytest.raises(NotFoundError):
        await storage.read("b")
    assert not list(tmp_path.glob("**/*.json"))


async def test_after_a_failure_every_process_fails_at_once(breaker: Make, clock: Clock, tmp_path: Path) -> None:
    inner = Sulking()
    inner.error = DOWN
    with pytest.raises(UnreachableError, match="Nothing answers at example"):
        await breaker(inner).read("a")
    inner.asked.clear()
    inner.where = ("127.0.0.1", 1)
    with pytest.raises(UnreachableError, match=r"has not answered since 1970-01-12 .*Nothing answers") as caught:
        await breaker(inner).read("a")
    assert inner.asked == []
    assert "storage status" in caught.value.hint
    (file,) = (tmp_path / "kept" / "outage").glob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.parent.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(file.read_text())["failures"] == 1


async def test_a_refusal_of_the_provider_is_no_outage(breaker: Make) -> None:
    inner = Sulking()
    for error in (AccessDeniedError("No."), ThrottledError("Slowly."), BucketNotFoundError("None.")):
        inner.error = error
        storage = breaker(inner)
        with pytest.raises(type(error)):
            await storage.read("a")
        assert storage.state.load() is None


async def test_one_request_that_fails_is_no_outage(breaker: Make, somebody: tuple[str, int]) -> None:
    inner = OneBad(somebody)
    storage = breaker(inner)
    results = await asyncio.gather(*(storage.read("a") for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in results] == [RequestFailedError] * 5
    assert (str(results[0]), results[0].hint) == (str(DOWN), DOWN.hint)  # type: ignore[union-attr]
    assert inner.asked.count(PROBE) == 1  # which answers for all that failed together
    failures = await storage.delete_many(["a", "b"])
    assert [type(each) for each in failures.values()] == [RequestFailedError, AccessDeniedError]
    assert storage.state.load() is None


async def test_a_slow_provider_is_waited_for(breaker: Make, somebody: tuple[str, int]) -> None:
    inner = Sulking(somebody)
    inner.slowness = 1.2
    assert await breaker(inner).read("a") == b"content"


async def test_nobody_is_not_waited_for(breaker: Make, nobody: tuple[str, int]) -> None:
    inner = Sulking(nobody)
    inner.slowness = 30
    begun = time.monotonic()
    storage = breaker(inner)
    with pytest.raises(UnreachableError, match=f"Nothing answers at 127.0.0.1:{nobody[1]}"):
        await storage.read("a")
    assert time.monotonic() - begun < 3
    outage = storage.state.load()
    assert outage and not outage.accepts


async def test_a_hole_in_the_network_is_found_out(breaker: Make) -> None:
    with hole() as address:
        inner = Sulking(address)
        inner.slowness = 30
        begun = time.monotonic()
        with pytest.raises(UnreachableError):
            await breaker(inner).read("a")
        assert time.monotonic() - begun < 3
        begun = time.monotonic()
        with pytest.raises(UnreachableError):
            await breaker(inner).read("a")
        assert time.monotonic() - begun < 1


async def test_a_line_that_is_full_is_no_outage(breaker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being sent may fill the line, so that not even a connection is to be had for a while."""
    monkeypatch.setattr("persona.storage.layers.breaker.KNOCK_AGAIN", 0.1)
    monkeypatch.setattr("persona.storage.layers.breaker.KNOCK", 0.2)
    with hole() as address:
        inner = Sulking(address)
        storage = breaker(inner)
        assert await storage.read("a") == b"content"
        inner.slowness = 1.2
        assert await storage.read("a") == b"content"
        inner.slowness = 30
        with pytest.raises(UnreachableError, match="Nothing answers"):
            await storage.read("a")


async def test_somebody_who_has_never_said_anything_is_not_waited_for_long(
    breaker: Make, somebody: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persona.storage.layers.breaker.FIRST_SECONDS", 0.3)
    inner = Sulking(somebody)
    inner.slowness = 30
    storage = breaker(inner)
    with pytest.raises(UnreachableError, match="accepts connections and does not answer"):
        await storage.read("a")
    outage = storage.state.load()
    assert outage and outage.accepts


async def test_a_light_answer_shows_that_the_rest_is_only_slow(
    breaker: Make, somebody: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persona.storage.layers.breaker.FIRST_SECONDS", 0.3)
    monkeypatch.setattr("persona.storage.layers.breaker.KNOCK_AGAIN", 0.1)
    inner = Slowest(somebody)
    assert await breaker(inner).read("a") == b"content"


async def test_every_piece_of_a_stream_is_accompanied(breaker: Make, nobody: tuple[str, int]) -> None:
    inner = Sulking(nobody)
    download = await breaker(inner).open("a")
    inner.slowness = 30
    seen = []
    with pytest.raises(UnreachableError):
        async for chunk in download:
            seen.append(chunk)
    await download.close()
    assert seen == [b"first"]
    assert inner.asked[-1] == "closed"


async def test_a_bulk_deletion_that_fails_for_an_outage_opens_it(breaker: Make) -> None:
    inner = Sulking()
    inner.error = DOWN
    storage = breaker(inner)
    assert await storage.delete_many(["a"]) == {"a": DOWN}
    assert storage.state.load()


async def test_the_pauses_double_up_to_a_limit(tmp_path: Path, clock: Clock) -> None:
    state = OutageState(tmp_path, "p")
    state.failed("down", clock.now, accepts=False)
    pauses = []
    for _ in range(9):
        outage = state.load()
        assert outage
        pauses.append(outage.retry_at - clock.now)
        assert not state.claim(clock.now)
        clock.now = outage.retry_at
        assert state.claim(clock.now)
        assert not state.claim(clock.now)  # one alone tries
    expected = [min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) for number in range(9)]
    assert all(0.75 * full <= pause <= full for pause, full in zip(pauses, expected, strict=True)), pauses
    clock.now -= 10 * LONGEST_PAUSE  # the clock is set back
    assert state.claim(clock.now)


async def test_when_it_is_due_one_light_request_finds_the_provider_back(breaker: Make, clock: Clock) -> None:
    inner = Sulking()
    inner.error = DOWN
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    clock.now += LONGEST_PAUSE
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    assert inner.asked == ["a", PROBE, PROBE]
    inner.error = None
    clock.now += LONGEST_PAUSE
    storage = breaker(inner)
    assert await asyncio.gather(*(storage.read("a") for _ in range(5))) == [b"content"] * 5
    assert inner.asked.count(PROBE) == 3
    assert storage.state.load() is None


@pytest.mark.parametrize("answer", [AccessDeniedError("No."), BucketNotFoundError("None."), ThrottledError("Slowly.")])
async def test_any_answer_is_an_answer(breaker: Make, clock: Clock, answer: PersonaError) -> None:
    inner = Sulking()
    inner.error = DOWN
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    inner.error = answer
    clock.now += LONGEST_PAUSE
    storage = breaker(inner)
    with pytest.raises(type(answer)):
        await storage.read("a")
    assert storage.state.load() is None


async def test_a_process_looks_once_whether_somebody_is_there_again(breaker: Make, nobody: tuple[str, int]) -> None:
    inner = Sulking(nobody)
    inner.error = DOWN
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    inner.error = None
    storage = breaker(inner)
    with pytest.raises(UnreachableError):
        await storage.read("a")
    with socket.create_server(nobody):
        with pytest.raises(UnreachableError):
            await storage.read("a")  # it has looked already
        assert await breaker(inner).read("a") == b"content"


async def test_who_accepts_and_is_silent_costs_one_try_and_not_every_command(
    breaker: Make, somebody: tuple[str, int], clock: Clock
) -> None:
    inner = Sulking(somebody)
    inner.error = DOWN
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    inner.error, inner.slowness = None, 30
    begun = time.monotonic()
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    assert time.monotonic() - begun < 1
    clock.now += LONGEST_PAUSE
    with pytest.raises(UnreachableError, match="accepts connections"):
        await breaker(inner).read("a")
    assert time.monotonic() - begun < 4


async def test_a_command_can_force_the_try(breaker: Make, somebody: tuple[str, int]) -> None:
    inner = Sulking(somebody)
    inner.error = DOWN
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    inner.error = None
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    inner.slowness = 2  # more than a try may take that nobody asked for
    assert await breaker(inner, force=True).read("a") == b"content"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"since": 1}', '{"since": "x", "failures": 1}'])
async def test_a_broken_file_counts_as_closed(breaker: Make, tmp_path: Path, text: str) -> None:
    inner = Sulking()
    inner.error = DOWN
    with pytest.raises(UnreachableError):
        await breaker(inner).read("a")
    (file,) = (tmp_path / "kept" / "outage").glob("*.json")
    file.write_text(text)
    inner.error = None
    assert await breaker(inner).read("a") == b"content"


async def test_where_nothing_can_be_kept_it_is_known_in_the_process(tmp_path: Path, nobody: tuple[str, int]) -> None:
    (tmp_path / "file").touch()
    state = OutageState(tmp_path / "file" / "outage", "p")
    inner = Sulking(nobody)
    inner.error = DOWN
    storage = Breaker(inner, state)
    for _ in range(2):
        with pytest.raises(UnreachableError):
            await storage.read("a")
    assert inner.asked == ["a"]


@pytest.mark.parametrize("name", ["seaweedfs", "fake-gcs", "azurite"])
async def test_each_provider_is_found_out_and_found_back(office_of: Callable[[str], Office], name: str) -> None:
    office = office_of(name)
    storage = office.open(writes="fail")
    await storage.write("a/b", b"content")
    office.door.shut()
    begun = time.monotonic()
    with pytest.raises(UnreachableError):
        await storage.stat("a/c")
    assert time.monotonic() - begun < 3
    await storage.close()
    office.door.open()
    storage = office.open(writes="fail")
    assert (await storage.stat("a/b")).size == 7
    await storage.close()


async def test_everything_that_a_storage_does_passes_through(office: Office) -> None:
    storage = Breaker(open_storage(office.settings), office.state)
    other = Breaker(open_storage(office.settings), office.state)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"content"

    written = await storage.write_stream("p/a", chunks(), size=7)
    assert (await storage.copy("p/a", "p/b")).size == 7
    assert await storage.copy_from(other, "p/a", "p/c")
    assert await storage.open_changed("p/a", written.version) is None
    changed = await storage.open_changed("p/a", "0" * 32)
    assert changed and b"".join([chunk async for chunk in changed]) == b"content"
    assert await storage.exists("p/c")
    assert [found.path for found in await storage.list("p")] == ["p/a", "p/b", "p/c"]
    assert (await storage.capabilities()).writes == HONOURED
    await storage.abort_upload("p/a", "no token")
    await storage.delete("p/b")
    assert await storage.delete_many(["p/a", "p/c"]) == {}
    assert await storage.list("p") == []
    for each in (storage, other):
        await each.close()


async def test_a_listing_that_stops_answering_is_given_up(office: Office) -> None:
    storage = Breaker(open_storage(office.settings), office.state)
    await storage.write("p/a", b"1")
    begun = time.monotonic()
    office.door.shut()
    with pytest.raises(UnreachableError):
        await storage.list("p")
    assert time.monotonic() - begun < 3
    await storage.close()
