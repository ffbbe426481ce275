"""What a read through the cache promises: fresh within the ttl, own writes at once, absence never kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from persona.config.secret import Secret
from persona.errors import BucketNotFoundError, ConflictError, NotFoundError
from persona.storage.backend import Digest, IfVersion
from persona.storage.cache.cipher import Cipher
from persona.storage.cache.house import clear, stats
from persona.storage.cache.recall import Recall
from persona.storage.cache.sealing import Plain, Sealing
from persona.storage.content_headers import ContentHeaders
from persona.storage.layers.cache import SMALL_BYTES
from persona.storage.layers.informing import Informing
from tests.cache.machine import MIB, Clock, Machine, folder_bytes
from tests.cache.memory import Memory
from tests.contract.helpers import block, received, stream

KEY = Secret("07" * 32)


@pytest.fixture(params=["plain", "encrypted"])
def sealing(request: pytest.FixtureRequest) -> Sealing:
    return Cipher(KEY) if request.param == "encrypted" else Plain()


async def test_a_read_within_the_ttl_makes_no_request(machine: Machine, memory: Memory, clock: Clock) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    assert await cache.read("a") == b"one"
    assert memory.asked() == ["open a"]
    clock.wait(machine.ttl - 1)
    assert await cache.read("a") == b"one"
    assert await received(cache, "a", 1, 1) == b"n"
    assert memory.asked() == []


async def test_after_the_ttl_one_request_without_a_body(machine: Machine, memory: Memory, clock: Clock) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    await cache.read("a")
    transferred = memory.transferred
    clock.wait(machine.ttl)
    memory.asked()
    assert await cache.read("a") == b"one"
    assert await cache.read("a") == b"one"
    assert memory.asked() == ["changed a"]
    assert memory.transferred == transferred


async def test_a_change_of_others_is_seen_after_the_ttl(machine: Machine, memory: Memory, clock: Clock) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    await cache.read("a")
    memory.put("a", b"two")
    assert await cache.read("a") == b"one"
    clock.wait(machine.ttl)
    memory.asked()
    assert await cache.read("a") == b"two"
    assert await cache.read("a") == b"two"
    assert memory.asked() == ["changed a"]
    assert len(machine.files("objects")) == 1


async def test_gone_is_gone(machine: Machine, memory: Memory, clock: Clock) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    await cache.read("a")
    del memory.objects["a"]
    clock.wait(machine.ttl)
    with pytest.raises(NotFoundError):
        await cache.read("a")
    assert machine.files("objects") == []


async def test_a_bucket_that_is_gone_says_nothing_of_its_objects(
    machine: Machine, memory: Memory, clock: Clock
) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    await cache.read("a")

    async def no_bucket(request: str) -> None:
        raise BucketNotFoundError("There is no such bucket.")

    memory.before = no_bucket
    clock.wait(machine.ttl)
    for ask in (cache.read, cache.stat):
        with pytest.raises(BucketNotFoundError):
            await ask("a")
    assert len(machine.files("objects")) == 1


async def test_absence_is_never_kept(machine: Machine, memory: Memory) -> None:
    cache = machine.cache()
    for _ in range(2):
        with pytest.raises(NotFoundError):
            await cache.read("a")
        assert await cache.exists("a") is False
    assert memory.asked() == ["open a", "exists a"] * 2
    memory.put("a", b"one")
    assert await cache.read("a") == b"one"


@pytest.mark.parametrize("ask", ["stat", "exists", "scan"])
async def test_whatever_shows_that_an_object_is_gone_removes_it(ask: str, machine: Machine, memory: Memory) -> None:
    for path in ("a", "z/1", "z/2"):
        memory.put(path, b"one")
    cache = machine.cache()
    for path in ("a", "z/1", "z/2"):
        await cache.read(path)
    del memory.objects["z/2"]
    if ask == "stat":
        with pytest.raises(NotFoundError):
            await cache.stat("z/2")
    elif ask == "exists":
        assert await cache.exists("z/2") is False
    else:
        await cache.list()
    with pytest.raises(NotFoundError):
        await cache.read("z/2")
    assert len(machine.files("objects")) == 2


@pytest.mark.parametrize("prefix", ["", "z", "z/2"])
async def test_a_listing_shows_what_is_gone_wherever_it_was(prefix: str, machine: Machine, memory: Memory) -> None:
    for path in ("a", "z", "z/1", "z/2", "z/2/x", "zz"):
        memory.put(path, b"one")
    cache = machine.cache()
    for path in list(memory.objects):
        await cache.read(path)
    await cache.list()
    memory.objects = {path: each for path, each in memory.objects.items() if not f"{path}/".startswith(f"{prefix}/")}
    if not prefix:
        memory.objects.clear()
    assert await cache.list(prefix) == []
    store = machine.stores[0]
    assert [entry.path for entry in store.index.between(store.scope, "", None)] == sorted(memory.objects)
    known = Recall(store).listing("")
    assert known is not None
    assert [found.path for found in known] == sorted(memory.objects)


async def test_a_listing_that_shows_another_version_makes_the_old_one_stale(machine: Machine, memory: Memory) -> None:
    for path in ("a", "b", "z"):
        memory.put(path, b"one")
    cache = machine.cache()
    for path in ("a", "b", "z"):
        await cache.read(path)
    memory.put("z", b"two")
    await cache.list()
    memory.asked()
    assert await cache.read("z") == b"two"
    assert await cache.read("a") == b"one"
    assert memory.asked() == ["changed z"]


async def test_a_listing_keeps_what_is_the_same_fresh(machine: Machine, memory: Memory, clock: Clock) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    await cache.read("a")
    clock.wait(machine.ttl + 1)
    await cache.list()
    memory.asked()
    assert await cache.read("a") == b"one"
    assert memory.asked() == []


async def test_own_writes_are_kept_and_seen_by_every_process(machine: Machine, memory: Memory) -> None:
    mine, others = machine.cache(), machine.cache()
    memory.put("a", b"one")
    assert await others.read("a") == b"one"
    written = await mine.write("a", b"two")
    memory.asked()
    assert await others.read("a") == b"two"
    assert await mine.read("a") == b"two"
    assert memory.asked() == []
    assert (await others.open("a")).object.version == written.version
    await mine.delete("a")
    with pytest.raises(NotFoundError):
        await others.read("a")


@pytest.mark.parametrize("how", ["write_stream", "copy", "delete_many", "past"])
async def test_other_writes_are_seen_at_once(how: str, machine: Machine, memory: Memory) -> None:
    memory.put("a", b"one")
    memory.put("b", b"two")
    mine, others = machine.cache(), machine.cache()
    assert await others.read("a") == b"one"
    if how == "write_stream":
        await mine.write_stream("a", stream([b"t", b"wo"]))
    elif how == "copy":
        await mine.copy("b", "a")
    elif how == "past":  # a transfer works on the bare storage, and tells the cache
        await Informing(memory, [(machine.stores[0], lambda path: path.removeprefix("x/"))]).write("a", b"two")
    else:
        assert (await mine.delete_many(["a", "a/../b"])).keys() == {"a/../b"}
        with pytest.raises(NotFoundError):
            await others.read("a")
        return
    assert await others.read("a") == b"two"


async def test_a_write_that_fails_is_asked_for(machine: Machine, memory: Memory) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    await cache.read("a")
    with pytest.raises(ConflictError):
        await cache.write("a", b"two", condition=IfVersion("other"))
    memory.asked()
    assert await cache.read("a") == b"one"
    assert memory.asked() == ["changed a"]


async def test_a_write_whose_answer_is_lost_is_asked_for(machine: Machine, memory: Memory) -> None:
    memory.put("a", b"one")
    cache, other = machine.cache(), machine.cache()
    await cache.read("a")

    async def lose(request: str) -> None:
        if request == "write a":
            raise OSError("reset")

    memory.after = lose
    with pytest.raises(OSError, match="reset"):
        await cache.write("a", b"two")
    assert await other.read("a") == b"two"


async def test_what_is_never_kept(machine: Machine, memory: Memory) -> None:
    cache = machine.cache(machine.store(never=lambda path: path.startswith("transcripts/")))
    memory.put("transcripts/a", b"one")
    for _ in range(2):
        assert await cache.read("transcripts/a") == b"one"
    await cache.write("transcripts/b", b"two")
    notes = cache.notes("summary")
    assert notes
    notes.keep([(memory.objects["transcripts/a"][1], "text")])
    assert notes.of([memory.objects["transcripts/a"][1]]) == {}
    assert memory.asked() == ["open transcripts/a"] * 2 + ["write transcripts/b"]
    assert machine.files("objects") == []


async def test_fresh_goes_past_the_ttl(machine: Machine, memory: Memory, clock: Clock) -> None:
    memory.put("a", b"one")
    await machine.cache().read("a")
    memory.put("a", b"two")
    clock.wait(1)
    fresh = machine.cache(machine.store(since=clock()))
    assert await fresh.read("a") == b"two"
    memory.asked()
    assert await fresh.read("a") == b"two"
    assert await machine.cache().read("a") == b"two"
    assert memory.asked() == []


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, SMALL_BYTES, SMALL_BYTES + 1, 2 * SMALL_BYTES])
async def test_contents_of_every_size(size: int, sealing: Sealing, machine: Machine, memory: Memory) -> None:
    machine.max_size = 32 * MIB
    content = block(size, size) if size >= MIB else bytes(size)
    memory.put("a", content[:size])
    store = machine.store(sealing=sealing)
    cache = machine.cache(store)
    assert await cache.read("a") == content[:size]
    assert await cache.read("a") == content[:size]
    for start, length in ((0, 1), (1, None), (MIB - 1, 2), (size // 2, size), (size, 1), (size + 5, None), (3, 0)):
        until = None if length is None else start + length
        assert await received(cache, "a", start, length) == content[:size][start:until]
    assert memory.asked() == ["open a"]
    assert memory.open_downloads == 0
    stopped = await cache.open("a")
    async for _ in stopped:
        break
    await stopped.close()
    assert folder_bytes(machine.folder) <= machine.max_size
    if sealing.key_id and size > 100:
        assert not any(content[:100] in file.read_bytes() for file in machine.files())


async def test_a_description_is_kept_with_the_content(machine: Machine, memory: Memory) -> None:
    moment = datetime(2024, 2, 29, 1, 2, 3, 456789, UTC)
    digest = Digest("md5", "00" * 16, vouched=False)
    goes = {
        "metadata": {"ü": "ß\n"},
        "content_type": "x/y",
        "headers": ContentHeaders("gzip", cache_control="no-cache"),
    }
    found = memory.put("a", b"one", last_modified=moment, digest=digest, **goes)
    cache = machine.cache()
    await cache.read("a")
    again = (await cache.open("a")).object
    assert again == found
    assert again.digest
    assert again.digest.vouched is False


async def test_a_read_of_a_version(machine: Machine, memory: Memory) -> None:
    first = memory.put("a", b"one")
    cache = machine.cache()
    await cache.read("a")
    second = memory.put("a", b"two")
    assert b"".join([piece async for piece in await cache.open("a", version=first.version)]) == b"one"
    assert b"".join([piece async for piece in await cache.open("a", version=second.version)]) == b"two"
    memory.asked()
    with pytest.raises(ConflictError):
        await cache.open("a", version="other")
    assert memory.asked() == ["open a"]


async def test_a_clock_set_back_makes_nothing_fresh_that_is_old(machine: Machine, memory: Memory, clock: Clock) -> None:
    memory.put("a", b"one")
    cache = machine.cache()
    clock.wait(86_400)
    await cache.read("a")
    clock.wait(-86_400)
    memory.asked()
    assert await cache.read("a") == b"one"
    assert memory.asked() == ["changed a"]
    memory.put("a", b"two")
    clock.wait(machine.ttl)
    assert await cache.read("a") == b"two"
    memory.put("a", b"three")
    clock.wait(86_400 - machine.ttl)
    assert await cache.read("a") == b"three"


@pytest.mark.parametrize("strategy", ["lru", "lfu", "fifo"])
async def test_two_workspaces_share_nothing(strategy: str, machine: Machine, memory: Memory, clock: Clock) -> None:
    first, second = machine.store("one\nmemory\n"), machine.store("two\nmemory\n", strategy=strategy)
    memory.put("a", b"one")
    assert await machine.cache(first).read("a") == b"one"
    memory.put("a", b"two")
    assert await machine.cache(second).read("a") == b"two"
    assert await machine.cache(first).read("a") == b"one"
    assert memory.asked() == ["open a"] * 2
    clear(second)
    assert await machine.cache(first).read("a") == b"one"
    assert (stats(first).entries, stats(second).entries) == (1, 0)
    assert memory.asked() == []


async def test_clear_older_than(machine: Machine, memory: Memory, clock: Clock) -> None:
    store = machine.store()
    cache = machine.cache(store)
    for path in ("a", "b", "c"):
        memory.put(path, b"12345")
        await cache.read(path)
        clock.wait(10)
    assert clear(store, older_than=15) == (2, 10)
    assert clear(store, older_than=15) == (0, 0)
    assert stats(store)[:2] == (1, 5)
    assert clear(store) == (1, 5)
    assert machine.files("objects") == []


async def test_the_figures(machine: Machine, memory: Memory, clock: Clock) -> None:
    store = machine.store()
    cache = machine.cache(store)
    memory.put("a", b"12345")
    await cache.read("a")
    await cache.read("a")
    await received(cache, "a", 1, 2)
    clock.wait(machine.ttl)
    await cache.read("a")
    with pytest.raises(NotFoundError):
        await cache.read("b")
    found = stats(store)
    assert (found.entries, found.bytes, found.max_bytes, found.evictions, found.damaged) == (1, 5, 4 * MIB, 0, 0)
    assert (found.hits, found.bytes_saved) == (3, 12)
    assert found.misses >= 1
    assert found.folder_bytes == folder_bytes(machine.folder)
