"""The source goes on living while it is copied: what arrives is always one whole version of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from persona.storage.backends.local import LocalBackend
from persona.storage.backends.local_read import LocalDownload, copy_bytes
from persona.transfer.engine import Engine
from persona.transfer.model import Kind, State
from persona.transfer.plan import Planner
from persona.transfer.work import Worker
from tests.transfer.conftest import Bucket, Rig, Run, Side

MakeRig = Callable[..., Rig]


@pytest.fixture
def source(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "from")


@pytest.fixture
def target(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "to")


@pytest.fixture
def after_plan(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Awaitable[Any]]], None]:
    """A function that lets something happen once, between the inventory and the copies."""

    def set_up(work: Callable[[], Awaitable[Any]]) -> None:
        plan = Engine._plan
        left = [work]

        async def planned(self: Engine) -> None:
            await plan(self)
            while left:
                await left.pop()()

        monkeypatch.setattr(Engine, "_plan", planned)

    return set_up


@pytest.mark.parametrize("content", [b"changed, and longer", b"Content", b""])
async def test_what_changes_after_the_inventory_arrives_as_it_is_then(
    rig: MakeRig, source: LocalBackend, target: LocalBackend, after_plan: Any, content: bytes
) -> None:
    await source.write("a.yaml", b"content")
    await source.write("b.yaml", b"b")
    after_plan(lambda: source.write("a.yaml", content, metadata={"now": "new"}))
    job = rig(source, target).begin()
    assert await job.run() is State.COMPLETE
    assert await target.read("a.yaml") == content
    assert (await target.stat("a.yaml")).metadata == {"now": "new"}
    assert job.report["bytes"] == {"total": len(content) + 1, "copied": len(content) + 1}
    assert job.report["changed"] == {"a.yaml": "changed"}


async def test_what_is_deleted_after_the_inventory_is_reported_and_no_failure(
    rig: MakeRig, source: LocalBackend, target: LocalBackend, after_plan: Any
) -> None:
    await source.write("a.yaml", b"content")
    await source.write("b.yaml", b"b")
    after_plan(lambda: source.delete("a.yaml"))
    job = rig(source, target).begin()
    assert await job.run() is State.COMPLETE
    assert [item.path for item in await target.list()] == ["b.yaml"]
    assert job.report["objects"]["gone"] == 1
    assert job.report["objects"]["copied"] == 1
    assert job.report["changed"] == {"a.yaml": "deleted"}


async def test_what_is_deleted_and_made_again_arrives(
    rig: MakeRig, source: LocalBackend, target: LocalBackend, after_plan: Any
) -> None:
    await source.write("a.yaml", b"content")

    async def again() -> None:
        await source.delete("a.yaml")
        await source.write("a.yaml", b"content again")

    after_plan(again)
    job = rig(source, target).begin()
    assert await job.run() is State.COMPLETE
    assert await target.read("a.yaml") == b"content again"


async def test_what_changes_while_it_is_compared_is_compared_again(
    rig: MakeRig, source: LocalBackend, target: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await source.write("a.yaml", b"aaaa")
    await target.write("a.yaml", b"bbbb")
    compared = Planner.compare_listings

    async def late(self: Planner) -> None:
        await compared(self)
        await source.write("a.yaml", b"bbbb")

    monkeypatch.setattr(Planner, "compare_listings", late)
    job = rig(source, target).begin()
    assert await job.run() is State.COMPLETE
    assert job.row("a.yaml").action == "skip"


async def test_what_is_deleted_while_it_is_compared_is_gone(
    rig: MakeRig, source: LocalBackend, target: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await source.write("a.yaml", b"aaaa")
    await target.write("a.yaml", b"bbbb")
    compared = Planner.compare_listings

    async def late(self: Planner) -> None:
        await compared(self)
        await source.delete("a.yaml")

    monkeypatch.setattr(Planner, "compare_listings", late)
    job = rig(source, target).begin()
    assert await job.run() is State.COMPLETE
    assert job.row("a.yaml").step == "gone"
    assert await target.read("a.yaml") == b"bbbb"


async def test_what_changes_without_end_ends_the_object_not_the_job(
    rig: MakeRig, source: LocalBackend, target: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await source.write("a.yaml", b"0")
    await source.write("b.yaml", b"b")
    stat = source.stat
    count = 0

    async def restless(path: str) -> Any:
        nonlocal count
        found = await stat(path)
        if path == "a.yaml":
            count += 1
            await source.write(path, b"%d" % count)
        return found

    monkeypatch.setattr(source, "stat", restless)
    await_change = source.write("a.yaml", b"first")
    job = rig(source, target).begin()
    engine = job.engine()
    plan = engine._plan

    async def planned() -> None:
        await plan()
        await await_change

    monkeypatch.setattr(engine, "_plan", planned)
    assert await engine.run() is State.INCOMPLETE
    assert [failure["path"] for failure in job.report["failures"]] == ["a.yaml"]
    assert await target.read("b.yaml") == b"b"


def test_an_edit_of_one_size_with_the_old_time_set_back_is_found(
    migrate: Run, local: Side, s3: Bucket, tmp_path: Path
) -> None:
    local.put("a.yaml", b"one way")
    migrate("--from", "local", "--to", "s3").done()
    file = tmp_path / "library" / "a.yaml"
    before = file.stat()
    with file.open("r+b") as out:
        out.write(b"another")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    document = migrate("--from", "local", "--to", "s3").done(1)
    assert [failure["path"] for failure in document["failures"]] == ["a.yaml"]
    assert migrate("--from", "local", "--to", "s3", "--overwrite").done()["objects"]["copied"] == 1
    assert s3.get("a.yaml") == b"another"


@pytest.mark.parametrize("checksum", [True, False])
def test_a_sync_finds_such_an_edit(sync: Run, local: Side, folder: Side, tmp_path: Path, checksum: bool) -> None:
    local.put("a.yaml", b"one way")
    paths = local.settings.local.path, folder.settings.local.path
    sync(*paths).done()
    file = tmp_path / "library" / "a.yaml"
    before = file.stat()
    with file.open("r+b") as out:
        out.write(b"another")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    document = sync(*paths, *(["--checksum"] if checksum else [])).done()
    assert document["objects"]["copied"] == 1
    assert folder.get("a.yaml") == b"another"


def test_such_an_edit_at_the_destination_is_found(sync: Run, local: Side, folder: Side, tmp_path: Path) -> None:
    local.put("a.yaml", b"one way")
    paths = local.settings.local.path, folder.settings.local.path
    sync(*paths).done()
    file = tmp_path / "elsewhere" / "a.yaml"
    before = file.stat()
    with file.open("r+b") as out:
        out.write(b"another")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sync(*paths, "--checksum").done()["objects"]["copied"] == 1
    assert folder.get("a.yaml") == b"one way"


async def test_the_source_is_only_read(rig: MakeRig, source: LocalBackend, target: LocalBackend) -> None:
    for number in range(5):
        await source.write(f"{number}.yaml", b"x" * number)
    before = await source.list()
    job = rig(source, target).begin(Kind.MIGRATE, overwrite=True)
    await job.run()
    assert await source.list() == before


@pytest.mark.parametrize("edited", [b"x" * 3_000_000, b"y" * 2_500_000, b"z" * 3_500_000, b""])
async def test_a_file_that_is_edited_in_place_while_it_is_copied_arrives_whole(
    rig: MakeRig,
    source: LocalBackend,
    target: LocalBackend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    edited: bytes,
) -> None:
    await source.write("a.bin", b"-" * 3_000_000)
    left = [edited]

    def meddle(*how: Any) -> None:
        if left:
            (tmp_path / "from" / "a.bin").write_bytes(left.pop())
        copy_bytes(*how)

    monkeypatch.setattr("persona.storage.backends.local.copy_bytes", meddle)
    job = rig(source, target).begin()
    assert await job.run() is State.COMPLETE
    assert not left
    assert await target.read("a.bin") == edited
    assert job.row("a.bin").evidence == "reread"
    assert job.report["bytes"] == {"total": len(edited), "copied": len(edited)}


@pytest.mark.parametrize("edited", [b"x" * 3_000_000, b"y" * 2_500_000, b"z" * 3_500_000])
def test_a_file_that_is_edited_in_place_while_it_is_sent_arrives_whole(
    migrate: Run, local: Side, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: bytes
) -> None:
    local.put("a.bin", b"-" * 3_000_000)
    read = LocalDownload._read
    reads = 0

    def meddle(self: LocalDownload) -> bytes:
        nonlocal reads
        reads += 1
        if reads == 2:
            (tmp_path / "library" / "a.bin").write_bytes(edited)
        return read(self)

    monkeypatch.setattr(LocalDownload, "_read", meddle)
    document = migrate("--from", "local", "--to", "s3").done()
    assert reads > 2
    assert s3.get("a.bin") == edited
    assert document["bytes"] == {"total": len(edited), "copied": len(edited)}


async def test_what_changes_before_every_verification_ends_the_object_not_the_job(
    rig: MakeRig, source: LocalBackend, target: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await source.write("a.log", b"0")
    await source.write("b.yaml", b"b")
    verify = Worker.verify
    count = 0

    async def restless(self: Worker, row: Any) -> None:
        nonlocal count
        if row.path == "a.log":
            count += 1
            await source.write("a.log", b"%d" % count)
        await verify(self, row)

    monkeypatch.setattr(Worker, "verify", restless)
    job = rig(source, target).begin()
    assert await asyncio.wait_for(job.run(), 10) is State.INCOMPLETE
    assert [failure["path"] for failure in job.report["failures"]] == ["a.log"]
    assert job.report["objects"]["verified"] == 1
