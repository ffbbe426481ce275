"""What is answered, and what is kept for later, while the provider does not answer."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from persona.config.schema import OfflineSettings
from persona.errors import (
    AlreadyExistsError,
    ConflictError,
    NameRefusedError,
    NotFoundError,
    StorageFullError,
    ThrottledError,
    UnreachableError,
    VerificationError,
)
from persona.personas import library
from persona.storage.backend import Download, IfAbsent, IfVersion, Listing, StorageObject
from persona.storage.layers.fallback import Fallback
from persona.storage.outbox import Outbox
from persona.storage.outbox_files import Draft
from persona.storage.paths import is_below
from tests.outage.provider import DOWN, Provider

NOW = 1_737_383_520.0


@dataclass
class Remembered:
    """An object in memory."""

    object: StorageObject
    data: bytes
    confirmed: float = NOW - 7200
    damaged: bool = False

    def download(self, start: int = 0, length: int | None = None) -> Download:
        if self.damaged:
            raise VerificationError("It is damaged.")
        return _Read(self.object, self.data[start:][:length])


class Head:
    """A memory in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, Remembered] = {}
        self.listed = False

    def learn(self, provider: Provider, *, listed: bool = True) -> None:
        for path, (data, version, kind) in provider.objects.items():
            found = StorageObject(path, len(data), datetime.fromtimestamp(NOW, UTC), str(version), None, kind)
            self.objects[path] = Remembered(found, data)
        self.listed = listed

    def kept(self, path: str) -> Remembered | None:
        return self.objects.get(path)

    def described(self, path: str) -> tuple[StorageObject, float] | None:
        found = self.objects.get(path)
        return None if found is None else (found.object, found.confirmed)

    def listing(self, prefix: str, after: str | None = None) -> Listing | None:
        found = [self.objects[p].object for p in sorted(self.objects) if is_below(p, prefix) and p > (after or "")]
        if not found and not self.listed:
            return None
        return Listing(found, as_of=datetime.fromtimestamp(NOW - 3600, UTC), whole=self.listed)


class _Read(Download):
    def __init__(self, found: StorageObject, data: bytes) -> None:
        self.object = found
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data

    async def close(self) -> None:
        """Do nothing."""


class Desk:
    """A storage with a fallback, and all that is around it."""

    def __init__(self, folder: Path) -> None:
        self.provider = Provider()
        self.head = Head()
        self.outbox = Outbox(folder, "here", clock=lambda: self.now)
        self.now = NOW
        self.provider.put("a/x", b"content", "text/plain")
        self.provider.put("a/y", b"more")

    def open(
        self, *, reads: str = "cache", writes: str = "outbox", fresh: bool = False, memory: bool = True
    ) -> Fallback:
        offline = OfflineSettings(reads=reads, writes=writes)
        head = self.head if memory else None
        return Fallback(self.provider, head, self.outbox, offline, fresh=fresh, clock=lambda: self.now)

    def down(self, *, listed: bool = True) -> None:
        self.head.learn(self.provider, listed=listed)
        self.provider.error = DOWN


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "outbox")


async def content(storage: Fallback, path: str, start: int = 0, length: int | None = None) -> bytes:
    download = await storage.open(path, start=start, length=length)
    return b"".join([chunk async for chunk in download])


async def test_while_the_provider_answers_nothing_is_different(desk: Desk) -> None:
    storage = desk.open()
    desk.head.learn(Provider())
    assert await storage.read("a/x") == b"content"
    assert await content(storage, "a/x") == b"content"
    assert (await storage.stat("a/x")).version == "1"
    assert await storage.exists("a/x")
    assert not await storage.exists("a/z")
    assert [found.path for found in await storage.list("a")] == ["a/x", "a/y"]
    assert (await storage.write("a/z", b"1", condition=IfAbsent())).version == "3"
    await storage.delete("a/z")
    assert await storage.delete_many(["a/y"]) == {}
    assert not storage.defers_writes
    assert len(desk.outbox) == 0
    with pytest.raises(NotFoundError):
        await storage.read("a/z")


async def test_reads_come_from_memory_with_one_warning(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.down()
    storage = desk.open()
    assert await storage.read("a/x") == b"content"
    assert await content(storage, "a/x", 1, 3) == b"ont"
    assert (await storage.stat("./a/x")).content_type == "text/plain"
    assert await storage.exists("a/x")
    listing = await storage.list("a")
    assert [found.path for found in listing] == ["a/x", "a/y"]
    assert listing.as_of == datetime.fromtimestamp(NOW - 3600, UTC)
    assert listing.whole
    await storage.close()
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "6 objects came from what is kept here, the oldest as it was 2 hours ago: Nothing answers at example."
    ]


async def test_what_is_not_known_fails(desk: Desk) -> None:
    desk.down(listed=False)
    storage = desk.open()
    for ask in (storage.read, storage.open, storage.stat, storage.exists):
        with pytest.raises(UnreachableError, match="And b is not in the cache"):
            await ask("b")
    with pytest.raises(UnreachableError):
        await storage.list("b")
    with pytest.raises(UnreachableError):
        await storage.open("a/x", version="another")
    with pytest.raises(UnreachableError):
        await storage.open_changed("b", "1")
    with pytest.raises(NameRefusedError):
        await storage.read("../b")
    assert not (await storage.list("a")).whole


async def test_a_write_that_is_cancelled_while_it_is_kept_is_kept_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.down()
    storage = desk.open()
    begun, go_on = threading.Event(), threading.Event()
    finish = Draft.finish

    def slowly(draft: Draft, description: bytes) -> None:
        begun.set()
        go_on.wait(30)
        finish(draft, description)

    monkeypatch.setattr(Draft, "finish", slowly)
    write = asyncio.create_task(storage.write("a/z", b"precious"))
    await asyncio.to_thread(begun.wait, 30)
    write.cancel()
    await asyncio.sleep(0)
    write.cancel()  # again, while it waits for the thread
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await write
    (entry,) = desk.outbox.entries()
    assert b"".join(desk.outbox.content(entry)) == b"precious"
    assert not list(desk.outbox.folder.glob(".draft-*"))


async def test_known_absence_is_not_certain(desk: Desk) -> None:
    desk.down(listed=True)
    with pytest.raises(UnreachableError):
        await desk.open().list("b")


async def test_what_is_damaged_is_not_there(desk: Desk) -> None:
    desk.down()
    desk.head.objects["a/x"].damaged = True
    for ask in (desk.open().read, desk.open().open):
        with pytest.raises(UnreachableError, match="not in the cache"):
            await ask("a/x")


async def test_a_change_as_far_as_is_known(desk: Desk) -> None:
    desk.down()
    storage = desk.open()
    assert await storage.open_changed("a/x", "1") is None
    changed = await storage.open_changed("a/x", "0")
    assert changed
    assert changed.object.version == "1"
    desk.provider.error = None
    assert await desk.open().open_changed("a/x", "1") is None


@pytest.mark.parametrize("how", [{"reads": "fail"}, {"fresh": True}, {"memory": False}])
async def test_answers_from_memory_may_not_be_wanted(desk: Desk, how: dict[str, object]) -> None:
    desk.down()
    storage = desk.open(**how)  # type: ignore[arg-type]
    await storage.write("own", b"1")
    for ask in (storage.read, storage.stat, storage.exists):
        with pytest.raises(UnreachableError, match=r"^Nothing answers at example\.$"):
            await ask("a/x")
    with pytest.raises(UnreachableError):
        await storage.list("a")
    if "memory" not in how:
        with pytest.raises(UnreachableError):
            await storage.read("own")


async def test_a_demand_for_fewer_requests_is_no_outage(desk: Desk) -> None:
    desk.down()
    desk.provider.error = ThrottledError("Slowly.")
    storage = desk.open()
    for ask in (storage.read, storage.stat, storage.delete, storage.list):
        with pytest.raises(ThrottledError):
            await ask("a/x")
    with pytest.raises(ThrottledError):
        await storage.write("a/x", b"1")
    assert not storage.defers_writes
    assert len(desk.outbox) == 0


async def test_a_listing_that_breaks_off_goes_on_with_what_is_known(desk: Desk) -> None:
    for number in range(6):
        desk.provider.put(f"b/{number}", b"x")
    desk.head.learn(desk.provider)
    pages = 0

    class Breaking(Provider):
        async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
            nonlocal pages
            async for page in desk.provider.scan(prefix, after=after):
                if pages:
                    raise DOWN
                pages += 1
                yield page

    storage = Fallback(Breaking(), desk.head, desk.outbox, OfflineSettings(), clock=lambda: desk.now)
    listing = await storage.list("b")
    assert [found.path for found in listing] == [f"b/{number}" for number in range(6)]
    assert listing.as_of


async def test_own_writes_wait_and_are_seen(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.down()
    storage = desk.open()
    written = await storage.write("a/x", b"changed", condition=IfVersion("1"), metadata={"who": "I"})
    assert written.version == "outbox:000001"
    assert storage.defers_writes
    assert "The write of a/x is in the outbox as 000001" in caplog.text
    new = await storage.write("a/new", b"new one", condition=IfAbsent())
    await storage.delete("a/y")
    await storage.delete("a/y")  # which is to be deleted already
    assert await storage.read("a/x") == b"changed"
    assert await content(storage, "a/new", 4, 99) == b"one"
    assert (await storage.stat("a/x")).metadata == {"who": "I"}
    assert await storage.exists("a/new")
    assert not await storage.exists("a/y")
    for ask in (storage.read, storage.open, storage.stat):
        with pytest.raises(NotFoundError):
            await ask("a/y")
    listing = await storage.list("a")
    assert [(found.path, found.version) for found in listing] == [("a/new", new.version), ("a/x", written.version)]
    assert listing.as_of
    assert await storage.open_changed("a/x", written.version) is None
    with pytest.raises(ConflictError):
        await storage.open("a/x", version="1")
    with pytest.raises(ConflictError):
        await storage.write("a/x", b"2", condition=IfVersion("1"))
    with pytest.raises(AlreadyExistsError):
        await storage.write("a/new", b"2", condition=IfAbsent())
    assert [entry.op for entry in desk.outbox.entries()] == ["write", "write", "delete"]
    async for page in storage.scan("a", after="a/new"):
        assert [found.path for found in page] == ["a/x"]


async def test_own_writes_are_all_that_is_known(desk: Desk) -> None:
    desk.provider.error = DOWN
    storage = desk.open()
    await storage.write("n/1", b"1")
    listing = await storage.list("n")
    assert [found.path for found in listing] == ["n/1"]
    assert not listing.whole
    assert listing.as_of == datetime.fromtimestamp(NOW, UTC)


async def test_a_write_without_a_condition_replaces_what_was_known(desk: Desk) -> None:
    desk.down()
    storage = desk.open()
    await storage.write("a/x", b"1")
    await storage.write("unknown", b"1")
    assert [entry.condition for entry in desk.outbox.entries()] == [IfVersion("1"), None]


async def test_what_cannot_wait_fails(desk: Desk) -> None:
    desk.down()
    storage = desk.open()
    with pytest.raises(UnreachableError, match="Which version of b was to be deleted"):
        await storage.delete("b")
    with pytest.raises(UnreachableError):
        await storage.copy("a/x", "a/z")
    assert await storage.copy_from(desk.provider, "a/x", "a/z") is None
    failing = desk.open(writes="fail")
    for work in (failing.write("a/x", b"1"), failing.delete("a/x")):
        with pytest.raises(UnreachableError):
            await work
    assert not failing.defers_writes
    assert len(desk.outbox) == 0


async def test_bulk_deletions_wait_as_far_as_they_can(desk: Desk) -> None:
    desk.down()

    async def failing(paths: object, **_: object) -> dict[str, object]:
        raise DOWN

    desk.provider.delete_many = failing  # type: ignore[assignment]
    failures = await desk.open().delete_many(["a/x", "unknown"])
    assert [*failures] == ["unknown"]
    assert isinstance(failures["unknown"], UnreachableError)
    assert [(entry.op, entry.path) for entry in desk.outbox.entries()] == [("delete", "a/x")]
    with pytest.raises(UnreachableError):
        await desk.open(writes="fail").delete_many(["a/x"])


async def test_deletes_under_a_condition_wait_with_their_version(desk: Desk) -> None:
    desk.down()
    storage = desk.open()
    await storage.delete("never/seen", condition=IfVersion("7"))
    written = await storage.write("a/x", b"changed")
    with pytest.raises(ConflictError):
        await storage.delete("a/x", condition=IfVersion("1"))
    await storage.delete("a/x", condition=IfVersion(written.version))
    assert [(entry.op, entry.condition) for entry in desk.outbox.entries()] == [
        ("delete", IfVersion("7")),
        ("write", IfVersion("1")),
        ("delete", IfVersion(written.version)),
    ]
    desk.provider.error = None
    desk.provider.put("never/seen", b"written meanwhile")
    await desk.open().exists("a")
    assert sorted(desk.provider.objects) == ["a/y", "never/seen"]
    assert [(entry.path, entry.state) for entry in desk.outbox.entries()] == [("never/seen", "conflict")]


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_a_stream_is_kept_whole(desk: Desk) -> None:
    storage = desk.open()
    written = await storage.write_stream("s", chunks(b"one ", b"two"), size=7, condition=IfAbsent())
    assert desk.provider.objects["s"][0] == b"one two"
    desk.down()
    storage = desk.open()
    again = await storage.write_stream("s", chunks(b"three"), condition=IfVersion(written.version))
    assert again.version == "outbox:000001"
    assert await storage.read("s") == b"three"
    await storage.write_stream("s", chunks(b"four"), condition=IfVersion(again.version))
    with pytest.raises(VerificationError, match="3 bytes, and 4 came"):
        await storage.write_stream("t", chunks(b"four"), size=3)
    with pytest.raises(UnreachableError):
        await desk.open(writes="fail").write_stream("t", chunks(b"four"))
    assert len(desk.outbox.entries()) == 2
    assert not list(desk.outbox.folder.glob(".draft*"))


async def test_a_stream_that_fails_leaves_nothing(desk: Desk) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"one"
        raise StorageFullError("The source is full.")

    desk.down()
    with pytest.raises(StorageFullError):
        await desk.open().write_stream("s", breaking())
    assert not list(desk.outbox.folder.glob(".draft*"))


async def test_the_first_operation_sends_what_waits(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.down()
    storage = desk.open()
    first = await storage.write("a/x", b"1", condition=IfVersion("1"))
    await storage.write("b", b"1", condition=IfAbsent())
    await storage.close()
    desk.provider.error = None
    desk.provider.put("b", b"theirs")
    caplog.clear()
    storage = desk.open()
    assert await storage.read("a/x") == b"1"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [
        "1 write from the outbox arrived. 1 write met what others wrote meanwhile, and stayed in the outbox; nothing "
        "was overwritten. See “persona storage outbox list”."
    ]
    assert not storage.defers_writes
    assert (await storage.write("a/x", b"2", condition=IfVersion(first.version))).version == "5"


async def test_a_process_that_runs_on_sends_later(desk: Desk) -> None:
    desk.down()
    storage = desk.open()
    first = await storage.write("a/x", b"1")
    assert await storage.read("a/y") == b"more"
    desk.provider.error = None
    assert await storage.read("a/x") == b"1"  # what waits, until it is looked again
    await storage.write("a/x", b"2", condition=IfVersion(first.version))
    assert desk.provider.writes == []
    desk.now += 6
    assert (await storage.stat("a/x")).version == "4"
    assert desk.provider.writes == ["a/x", "a/x"]
    assert not storage.defers_writes


async def test_what_waits_is_sent_also_if_writes_may_not_wait_any_more(desk: Desk) -> None:
    desk.down()
    await desk.open().write("b", b"1")
    desk.provider.error = None
    assert await desk.open(writes="fail").read("b") == b"1"
    assert desk.provider.objects["b"][0] == b"1"


async def test_a_library_is_saved_without_looking_where_writes_wait(desk: Desk) -> None:
    desk.down()
    with pytest.raises(UnreachableError):
        await library.look(desk.open(writes="fail"), ["n"])
    assert await library.look(desk.open(), ["n"]) == {"n": None}
    (found,) = (await library.look(desk.open(), ["a/x"])).values()
    assert found
    assert found.version == "1"
