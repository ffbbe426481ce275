"""Compare-and-swap: of many writers at once exactly one wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from persona.errors import AlreadyExistsError, ConflictError, PersonaError
from persona.storage.backend import Condition, IfAbsent, IfVersion, StorageBackend, StorageObject
from persona.storage.probe import examine
from tests.contract.helpers import MIB, block, received, stream
from tests.contract.places import Place

WRITERS = 20
BIG = [block(number) for number in range(12)]
"""Large enough to go in parts, which a provider may treat differently."""


async def race(
    storages: list[StorageBackend], attempt: Callable[[StorageBackend, int], Awaitable[StorageObject]]
) -> tuple[int, list[PersonaError]]:
    """Let all writers go at once, and return who won and what the others got; all else fails the test."""
    outcomes = await asyncio.gather(
        *(attempt(storages[number % len(storages)], number) for number in range(WRITERS)),
        return_exceptions=True,
    )
    winners = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, StorageObject)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, PersonaError)]
    assert len(winners) + len(losers) == WRITERS, outcomes
    assert len(winners) == 1, f"{len(winners)} won"
    return winners[0], losers


async def several(place: Place) -> list[StorageBackend]:
    """Open the storage several times, as several machines would."""
    return [place.open() for _ in range(4)]


def writing(path: str, condition: Condition, label: str) -> Callable[[StorageBackend, int], Awaitable[StorageObject]]:
    """Return an attempt to write who it was."""
    return lambda storage, number: storage.write(path, f"{label} {number}".encode(), condition=condition)


@pytest.mark.needs("atomic conditions")
async def test_of_many_creators_one_wins(place: Place) -> None:
    storages = await several(place)
    for path in ("personas/1.yaml", "personas/2.yaml"):
        winner, losers = await race(storages, writing(path, IfAbsent(), "by"))
        assert {type(loser) for loser in losers} == {AlreadyExistsError}
        assert await storages[0].read(path) == f"by {winner}".encode()
    for storage in storages:
        await storage.close()


@pytest.mark.needs("atomic conditions")
async def test_of_many_updaters_one_wins(place: Place) -> None:
    storages = await several(place)
    version = (await storages[0].write("a", b"start")).version
    for label in ("first", "second"):
        winner, losers = await race(storages, writing("a", IfVersion(version), label))
        assert {type(loser) for loser in losers} == {ConflictError}
        assert await storages[0].read("a") == f"{label} {winner}".encode()
        version = (await storages[0].stat("a")).version
    for storage in storages:
        await storage.close()


@pytest.mark.needs("atomic conditions")
async def test_of_many_streaming_creators_one_wins(place: Place) -> None:
    storages = await several(place)
    winner, losers = await race(
        storages,
        lambda storage, number: storage.write_stream("a", stream([b"by ", b"%d" % number]), condition=IfAbsent()),
    )
    assert {type(loser) for loser in losers} == {AlreadyExistsError}
    assert await storages[0].read("a") == b"by %d" % winner
    for storage in storages:
        await storage.close()


@pytest.mark.needs("atomic conditions")
async def test_no_update_is_lost(place: Place) -> None:
    """Each of ten writers counts up three times, by read, compare and swap.

    Each signs what it writes: a write that is repeated after an ambiguous answer is known as one's own by its bytes.
    """
    storages = await several(place)
    await storages[0].write("counter", b"0 by nobody")

    async def count(storage: StorageBackend, writer: int) -> None:
        done = 0
        while done < 3:
            download = await storage.open("counter")
            now = int(b"".join([chunk async for chunk in download]).split()[0])
            try:
                condition = IfVersion(download.object.version)
                await storage.write("counter", b"%d by %d" % (now + 1, writer), condition=condition)
                done += 1
            except ConflictError:
                continue

    await asyncio.gather(*(count(storages[number % 4], number) for number in range(10)))
    assert (await storages[0].read("counter")).split()[0] == b"30"
    for storage in storages:
        await storage.close()


@pytest.mark.needs("atomic conditions", "atomic deletes")
async def test_a_delete_never_takes_what_another_wrote(place: Place) -> None:
    """Of writers and deleters of one version, one writer wins, or the object is gone and no writer won."""
    storages = await several(place)
    for path in ("a", "b", "c"):
        condition = IfVersion((await storages[0].write(path, b"start")).version)
        writes = [storages[number % 4].write(path, b"%d" % number, condition=condition) for number in range(6)]
        deletes = [storages[number % 4].delete(path, condition=condition) for number in range(6)]
        work = [each for pair in zip(writes, deletes, strict=True) for each in pair]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert all(isinstance(each, ConflictError | StorageObject | None) for each in outcomes), outcomes
        winners = [each for each in outcomes if isinstance(each, StorageObject)]
        assert len(winners) == (1 if await storages[0].exists(path) else 0)
        assert [each.version for each in winners] == [found.version for found in await storages[0].list(path)]
    for storage in storages:
        await storage.close()


async def test_create_only_if_absent(storage: StorageBackend) -> None:
    await storage.write("a", b"first", condition=IfAbsent(), metadata={"by": "first"})
    with pytest.raises(AlreadyExistsError):
        await storage.write("a", b"second", condition=IfAbsent())
    assert await storage.read("a") == b"first"
    assert dict((await storage.stat("a")).metadata or {}) == {"by": "first"}


async def test_create_again_after_deletion(storage: StorageBackend) -> None:
    await storage.write("a", b"first", condition=IfAbsent())
    await storage.delete("a")
    await storage.write("a", b"second", condition=IfAbsent())
    assert await storage.read("a") == b"second"


@pytest.mark.needs("create beside a folder")
async def test_create_where_a_folder_has_the_name(storage: StorageBackend) -> None:
    await storage.write("a/b", b"below")
    await storage.write("a", b"object", condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        await storage.write("a", b"again", condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        await storage.write("a/b", b"again", condition=IfAbsent())


async def test_update_at_the_version_that_was_read(storage: StorageBackend) -> None:
    written = await storage.write("a", b"1")
    updated = await storage.write("a", b"2", condition=IfVersion(written.version))
    assert await storage.read("a") == b"2"
    await storage.write("a", b"3", condition=IfVersion(updated.version))
    assert await storage.read("a") == b"3"


@pytest.mark.parametrize("source", ["stat", "list", "open"])
async def test_a_version_from_anywhere_will_do(storage: StorageBackend, source: str) -> None:
    await storage.write("a", b"1")
    if source == "stat":
        version = (await storage.stat("a")).version
    elif source == "list":
        version = (await storage.list())[0].version
    else:
        download = await storage.open("a")
        version = download.object.version
        await download.close()
    await storage.write("a", b"2", condition=IfVersion(version))
    with pytest.raises(ConflictError):
        await storage.write("a", b"3", condition=IfVersion(version))
    assert await storage.read("a") == b"2"


async def test_a_stale_version_conflicts(storage: StorageBackend) -> None:
    old = await storage.write("a", b"1")
    await storage.write("a", b"2")
    with pytest.raises(ConflictError) as caught:
        await storage.write("a", b"3", condition=IfVersion(old.version))
    assert not isinstance(caught.value, AlreadyExistsError)
    assert await storage.read("a") == b"2"


async def test_an_update_of_what_is_missing_conflicts(storage: StorageBackend) -> None:
    written = await storage.write("a", b"1")
    await storage.delete("a")
    with pytest.raises(ConflictError):
        await storage.write("a", b"2", condition=IfVersion(written.version))
    with pytest.raises(ConflictError):
        await storage.write("never", b"2", condition=IfVersion(written.version))
    assert not await storage.exists("a")
    assert not await storage.exists("never")


async def test_a_version_of_another_object_conflicts(storage: StorageBackend) -> None:
    await storage.write("a", b"1")
    other = await storage.write("b", b"2")
    with pytest.raises(ConflictError):
        await storage.write("a", b"3", condition=IfVersion(other.version))
    assert await storage.read("a") == b"1"


@pytest.mark.needs("bodies over 1 MB")
@pytest.mark.parametrize("chunks", [[b"small"], BIG], ids=["small", "12 MiB"])
async def test_a_streamed_create_only_if_absent(storage: StorageBackend, chunks: list[bytes]) -> None:
    await storage.write_stream("a", stream(chunks), condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        await storage.write_stream("a", stream([b"other", *chunks]), condition=IfAbsent())
    assert await received(storage, "a") == b"".join(chunks)


@pytest.mark.needs("bodies over 1 MB")
@pytest.mark.parametrize("chunks", [[b"small"], BIG], ids=["small", "12 MiB"])
async def test_a_streamed_update(storage: StorageBackend, chunks: list[bytes]) -> None:
    first = await storage.write("a", b"1")
    second = await storage.write_stream("a", stream(chunks), condition=IfVersion(first.version))
    with pytest.raises(ConflictError):
        await storage.write_stream("a", stream([b"3", *chunks]), condition=IfVersion(first.version))
    assert await received(storage, "a") == b"".join(chunks)
    await storage.write_stream("a", stream([b"4"]), condition=IfVersion(second.version))
    assert await storage.read("a") == b"4"


@pytest.mark.needs("bodies over 1 MB")
async def test_an_object_that_came_in_parts_is_updated(storage: StorageBackend) -> None:
    written = await storage.write_stream("a", stream(BIG), size=12 * MIB)
    assert written.version == (await storage.stat("a")).version
    await storage.write("a", b"small now", condition=IfVersion(written.version))
    assert await storage.read("a") == b"small now"


async def test_a_conditional_copy(storage: StorageBackend) -> None:
    await storage.write("source", b"content")
    created = await storage.copy("source", "target", condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        await storage.copy("source", "target", condition=IfAbsent())
    await storage.write("source", b"new content")
    await storage.copy("source", "target", condition=IfVersion(created.version))
    assert await storage.read("target") == b"new content"
    with pytest.raises(ConflictError):
        await storage.copy("source", "target", condition=IfVersion(created.version))
    with pytest.raises(ConflictError):
        await storage.copy("source", "missing", condition=IfVersion(created.version))
    assert not await storage.exists("missing")


TRUTH: dict[str, dict[str, Any]] = {
    "ceph": {"if_match": "unquoted", "conditional_uploads": False, "conditional_deletes": False},
    "nginx": {"large_bodies": False},
    "moto": {"conditional_uploads": False, "checksums": False},
    "fake-gcs": {"conditional_uploads": False, "conditional_deletes": False, "checksums": False},
}
"""What the servers do otherwise than their protocols say."""


async def test_config_test_tells_what_the_place_does(storage: StorageBackend, place: Place) -> None:
    findings = await examine(storage)
    expected = TRUTH.get(place.name, {})
    assert {name: findings.capabilities[name] for name in expected} == expected
    others = {name: value for name, value in findings.capabilities.items() if name not in expected}
    assert False not in {name: value for name, value in others.items() if name != "probed"}.values(), others
    assert [check.name for check in findings.checks if not check.ok] == (
        ["large objects"] if place.name == "nginx" else []
    )
    assert await storage.list() == []


async def test_the_endpoint_keeps_conditions(storage: StorageBackend) -> None:
    writes = (await storage.capabilities()).writes
    assert writes is not None
    assert writes.complete
    assert [found.path for found in await storage.list()] == [], "the probe is removed"
