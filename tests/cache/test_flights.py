"""Reads and writes of one object at the same time: in one process, in several, and of processes that are gone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from persona.errors import NotFoundError, PersonaError, UnreachableError
from persona.storage.cache.house import clear, stats
from persona.storage.layers.cache import SMALL_BYTES
from tests.cache.machine import MIB, Clock, Machine, abandon
from tests.cache.memory import Memory, nothing


class Gate:
    """Holds back the requests of one kind until it is opened."""

    def __init__(self, request: str) -> None:
        self.request = request
        self.reached = asyncio.Event()
        self._open = asyncio.Event()

    async def __call__(self, request: str) -> None:
        if request == self.request:
            self.reached.set()
            await self._open.wait()

    def open(self) -> None:
        self._open.set()


Work = Coroutine[Any, Any, Any]


async def held_back(memory: Memory, where: str, request: str, work: Work) -> tuple[Gate, asyncio.Task[Any]]:
    """Begin something, and return when its request is held back: before the provider does it, or after."""
    gate = Gate(request)
    setattr(memory, where, gate)
    task = asyncio.create_task(work)
    await asyncio.wait_for(gate.reached.wait(), 5)
    setattr(memory, where, nothing)
    return gate, task


async def test_concurrent_misses_make_one_request(machine: Machine, memory: Memory) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    gate, first = await held_back(memory, "before", "open a", cache.read("a"))
    others = [asyncio.create_task(cache.read("a")) for _ in range(20)]
    opened = asyncio.create_task(cache.open("a"))
    await asyncio.sleep(0.01)
    gate.open()
    assert await asyncio.gather(first, *others) == [b"one"] * 21
    assert b"".join([piece async for piece in await opened]) == b"one"
    assert memory.asked() == ["open a"]


async def test_concurrent_reads_after_the_ttl_make_one_request(machine: Machine, memory: Memory, clock: Clock) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    await cache.read("a")
    clock.wait(machine.ttl)
    memory.asked()
    assert await asyncio.gather(*(cache.read("a") for _ in range(20))) == [b"one"] * 20
    assert memory.asked() == ["changed a"]


async def test_concurrent_misses_of_a_large_object_make_one_request(machine: Machine, memory: Memory) -> None:
    machine.max_size = 32 * MIB
    content = bytes(SMALL_BYTES + 1)
    memory.put("a", content)
    cache = machine.cache()
    assert await asyncio.gather(*(cache.read("a") for _ in range(5))) == [content] * 5
    assert memory.asked() == ["open a"]


async def test_an_error_is_shared_and_not_kept(machine: Machine, memory: Memory) -> None:
    cache = machine.cache()
    gate, first = await held_back(memory, "before", "open a", cache.read("a"))
    others = [asyncio.create_task(cache.read("a")) for _ in range(4)]
    await asyncio.sleep(0.01)
    gate.open()
    found = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(each) for each in found] == [NotFoundError] * 5
    assert memory.asked() == ["open a"]
    memory.put("a", b"one")
    assert await cache.read("a") == b"one"


async def test_who_waits_for_a_read_that_is_cancelled_reads_on(machine: Machine, memory: Memory) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    _, first = await held_back(memory, "before", "open a", cache.read("a"))
    others = [asyncio.create_task(cache.read("a")) for _ in range(10)]
    await asyncio.sleep(0.01)
    others.pop().cancel()
    first.cancel()
    assert await asyncio.gather(*others) == [b"one"] * 9
    assert memory.asked() == ["open a"] * 2
    with pytest.raises(asyncio.CancelledError):
        await first
    assert machine.files("drafts") == []


async def test_a_fetch_that_breaks_off_leaves_nothing(machine: Machine, memory: Memory) -> None:
    machine.max_size = 64 * MIB
    cache = machine.cache()

    async def break_off(request: str) -> None:
        if request.startswith("piece") and memory.transferred > MIB:
            raise UnreachableError("reset")

    for size in (2 * MIB, SMALL_BYTES + MIB):
        memory.put("a", bytes(size))
        memory.before, memory.transferred = break_off, 0
        with pytest.raises(UnreachableError):
            await cache.read("a")
        memory.before = nothing
        assert machine.files("objects") == machine.files("drafts") == []
        assert await cache.read("a") == bytes(size)
        await cache.delete("a")
    assert memory.open_downloads == 0


@pytest.mark.parametrize("body", [lambda data: data[:-1], lambda data: data + b"x" * 3 * MIB], ids=["short", "long"])
async def test_a_content_of_another_length_is_not_kept(
    body: Callable[[bytes], bytes], machine: Machine, memory: Memory
) -> None:
    machine.max_size = 8 * MIB
    cache = machine.cache()
    for size in (3, SMALL_BYTES + 1):
        content = bytes(size)
        memory.put("a", content)
        memory.body = body
        try:
            got = await cache.read("a")
        except PersonaError:
            got = body(content)
        assert got == body(content)
        memory.body = bytes
        assert await cache.read("a") == content
        await cache.delete("a")


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("held", ["before", "after"])
async def test_a_read_in_flight_does_not_undo_a_write(
    same_process: bool, held: str, machine: Machine, memory: Memory
) -> None:
    """A read begins, a write begins and ends, the read arrives: who reads then gets what was written."""
    memory.put("a", b"one")
    reader = machine.cache()
    writer = reader if same_process else machine.cache()
    gate, task = await held_back(memory, held, "open a", reader.read("a"))
    await writer.write("a", b"two")
    assert await reader.read("a") == b"two"
    gate.open()
    assert await task == (b"two" if held == "before" else b"one")
    assert await reader.read("a") == b"two"
    assert await writer.read("a") == b"two"


@pytest.mark.parametrize("same_process", [True, False])
async def test_a_check_in_flight_does_not_undo_a_write(
    same_process: bool, machine: Machine, memory: Memory, clock: Clock
) -> None:
    """An entry is found unchanged just before it changes: it does not come to be fresh again."""
    memory.put("a", b"one")
    reader = machine.cache()
    writer = reader if same_process else machine.cache(machine.store(never=lambda path: True))
    await reader.read("a")
    clock.wait(machine.ttl)
    gate, task = await held_back(memory, "after", "changed a", reader.read("a"))
    await writer.write("a", b"two")
    gate.open()
    assert await task == b"one"
    assert await reader.read("a") == b"two"


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("held", ["before", "after"])
@pytest.mark.parametrize("change", ["write", "delete"])
async def test_a_write_in_flight(change: str, held: str, same_process: bool, machine: Machine, memory: Memory) -> None:
    """While a write is in flight reads ask the provider, and nothing of it is kept that may be old."""
    memory.put("a", b"one")
    writer = machine.cache()
    reader = writer if same_process else machine.cache()
    await reader.read("a")
    done = held == "after"
    gate, task = await held_back(
        memory, held, f"{change} a", writer.write("a", b"two") if change == "write" else writer.delete("a")
    )
    memory.asked()
    for _ in range(2):
        if change == "delete" and done:
            with pytest.raises(NotFoundError):
                await reader.read("a")
        else:
            assert await reader.read("a") == (b"two" if done else b"one")
    assert len(memory.asked()) == 2
    gate.open()
    await task
    for cache in (reader, writer):
        if change == "delete":
            with pytest.raises(NotFoundError):
                await cache.read("a")
        else:
            assert await cache.read("a") == b"two"


async def test_a_read_begun_during_a_write_is_not_kept_after_it(machine: Machine, memory: Memory) -> None:
    """A read begins during a write, before the provider does it, and arrives after it."""
    memory.put("a", b"one")
    writer, reader = machine.cache(), machine.cache()
    write, writing = await held_back(memory, "before", "write a", writer.write("a", b"two"))
    read, reading = await held_back(memory, "after", "open a", reader.read("a"))
    write.open()
    await writing
    read.open()
    assert await reading == b"one"
    assert await reader.read("a") == b"two"


async def test_a_read_after_another_process_has_written_shares_no_older_one(machine: Machine, memory: Memory) -> None:
    """What somebody else in this process is fetching may be from before a write of another process."""
    memory.put("a", b"one")
    reader, writer = machine.cache(), machine.cache()
    gate, first = await held_back(memory, "after", "open a", reader.read("a"))
    await writer.delete("a")
    second = asyncio.create_task(reader.read("a"))
    await asyncio.sleep(0.01)
    gate.open()
    assert await first == b"one"
    with pytest.raises(NotFoundError):
        await second


@pytest.mark.parametrize("known", [False, True])
async def test_a_write_that_fails_spoils_what_was_asked_meanwhile(
    known: bool, machine: Machine, memory: Memory
) -> None:
    """A write whose answer is lost may have been done after a read that began during it."""
    memory.put("a", b"one")
    reader, writer = machine.cache(), machine.cache()
    if known:
        await reader.read("a")
    write, writing = await held_back(memory, "before", "write a", writer.write("a", b"two"))
    request = "changed a" if known else "open a"
    read, reading = await held_back(memory, "after", request, reader.read("a"))

    async def lose(request: str) -> None:
        if request == "write a":
            raise UnreachableError("reset")

    memory.after = lose
    write.open()
    with pytest.raises(UnreachableError):
        await writing
    read.open()
    assert await reading == b"one"
    assert await reader.read("a") == b"two"


async def test_two_writers(machine: Machine, memory: Memory) -> None:
    """Two processes write at once, and end in either order: reads give what the provider has."""
    for order in (0, 1):
        one, two = machine.cache(), machine.cache()
        first, first_task = await held_back(memory, "after", "write a", one.write("a", b"one"))
        second, second_task = await held_back(memory, "after", "write a", two.write("a", b"two"))
        for gate, task in ((first, first_task), (second, second_task))[:: 1 if order else -1]:
            gate.open()
            await task
        for cache in (one, two):
            assert await cache.read("a") == b"two"


async def test_a_listing_during_a_write(machine: Machine, memory: Memory) -> None:
    """A listing from before a write does not bring the old version back, nor a new object to vanish."""
    memory.put("a", b"one")
    lister, writer = machine.cache(), machine.cache()
    await lister.read("a")
    gate, listing = await held_back(memory, "after", "list", lister.list())
    await writer.write("a", b"two")
    await writer.write("b", b"two")
    gate.open()
    await listing
    assert await lister.read("a") == await lister.read("b") == b"two"


async def test_clearing_during_a_fetch(machine: Machine, memory: Memory) -> None:
    """What is on its way while the user clears the cache is not kept."""
    memory.put("a", b"one")
    store = machine.store()
    gate, task = await held_back(memory, "after", "open a", machine.cache(store).read("a"))
    clear(machine.store())
    gate.open()
    assert await task == b"one"
    assert machine.files("objects") == machine.files("drafts") == []
    assert stats(store).entries == 0


@pytest.mark.parametrize("step", ["announced", "reserved", "drafted", "filled", "named", "written"])
async def test_a_writer_that_is_killed(step: str, machine: Machine, memory: Memory) -> None:
    """At whatever step a process goes, others read what is there, and its draft is removed."""
    found = memory.put("a", b"one")
    await machine.cache().read("a")
    killed = machine.store()
    flight = killed.begin("a", writes=True)
    assert flight
    if step != "announced":
        assert killed.reserve(flight, 3)
    if step in ("drafted", "filled", "named", "written"):
        draft = killed.draft(flight)
        assert draft
        digest = draft.fill([b"two"]) if step != "drafted" else b""
        draft.close()
    if step == "named":
        assert draft
        target = Path(killed.index.content(flight.name))
        target.parent.mkdir(exist_ok=True)
        Path(draft.file).rename(target)
    if step == "written":
        assert draft
        found = memory.put("a", b"two")
        assert killed.keep(flight, found, draft, digest)
    abandon(killed)
    survivor = machine.cache()
    assert await survivor.read("a") == memory.objects["a"][0]
    memory.asked()
    assert await survivor.read("a") == memory.objects["a"][0]
    assert memory.asked() == []
    assert machine.files("drafts") == []
    assert len(machine.files("objects")) == stats(machine.stores[0]).entries == 1
    machine.close()
    for file in machine.files("owners"):
        os.utime(file, (0, 0))
    machine.store().close()
    assert machine.files("owners") == []


async def test_a_flight_of_somebody_alive_is_left_alone(machine: Machine, memory: Memory) -> None:
    alive = machine.store()
    flight = alive.begin("a")
    assert flight
    assert alive.reserve(flight, 3)
    draft = alive.draft(flight)
    assert draft
    machine.store().sweep()
    digest = draft.fill([b"one"])
    assert alive.keep(flight, memory.put("a", b"one"), draft, digest)
    assert await machine.cache().read("a") == b"one"


def test_opening_the_cache_again_does_not_let_go_of_its_locks(machine: Machine, memory: Memory) -> None:
    """To close any descriptor of a database takes away the locks that SQLite holds on it in this process.

    Then another process takes itself for the last one, and removes the log that is in use.
    Source: https://www.sqlite.org/howtocorrupt.html, 2.2.
    """
    memory.put("a", b"one")
    cache = machine.cache()
    asyncio.run(cache.read("a"))
    machine.store().close()
    other = f"""
import sqlite3
db = sqlite3.connect({str(machine.folder / "index.sqlite3")!r})
print(db.execute("SELECT count(*) FROM entries").fetchone()[0])
db.close()
"""
    ran = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "1"
    assert Path(machine.folder / "index.sqlite3-wal").exists()
