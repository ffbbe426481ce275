"""What can happen to single requests: an answer lost, a body cut short, a server gone for good or for one object."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.errors import StorageFullError, ThrottledError
from persona.storage.backend import StorageObject
from persona.storage.backends.local import LocalBackend
from persona.transfer.model import Evidence, Row, State
from persona.transfer.work import Worker
from tests.faults import FaultProxy, answer, lose_answer, reset, truncate
from tests.transfer.conftest import Bucket, Rig, Run, Side, configure, journals

LARGE = os.urandom(12_000_000)


def test_a_lost_answer_to_the_end_of_an_upload_is_no_conflict(
    migrate: Run, local: Side, s3: Bucket, home: Path
) -> None:
    local.put("large", LARGE)
    s3.proxy.on("POST", r"large\?uploadId", lose_answer)
    document = migrate("--from", "local", "--to", "s3").done()
    assert document["objects"]["copied"] == document["objects"]["verified"] == 1
    assert s3.all == {"large": LARGE}


def test_a_lost_answer_to_a_copy_on_the_server_is_no_conflict(migrate: Run, local: Side, s3: Bucket) -> None:
    s3.fill({"a.yaml": b"a", "b.yaml": b"b"})
    s3.proxy.on("PUT", r"beside/a\.yaml$", lose_answer)
    bucket, prefix = s3.settings.s3.bucket, s3.settings.s3.prefix
    document = migrate("--from", "s3", "--to", f"s3://{bucket}/{prefix}-beside").done()
    assert document["objects"]["copied"] == document["objects"]["verified"] == 2


@pytest.mark.parametrize("fault", [truncate, reset, lose_answer])
def test_a_body_that_breaks_off_is_read_on(migrate: Run, local: Side, folder: Side, s3: Bucket, fault: Any) -> None:
    s3.fill({"large": LARGE, "small": b"small"})
    s3.proxy.on("GET", r"large$", fault, times=2)
    s3.proxy.on("GET", r"small$", fault, times=2)
    document = migrate("--from", "s3", "--to", folder.name).done()
    assert document["objects"]["verified"] == 2
    assert document["bytes"] == {"total": 12_000_005, "copied": 12_000_005}
    assert folder.all == {"large": LARGE, "small": b"small"}


@pytest.mark.parametrize("objects", [1, 3, 60])
def test_a_server_that_goes_after_the_inventory_pauses_a_job_of_any_size(
    migrate: Run, local: Side, s3: Bucket, objects: int
) -> None:
    local.fill({f"{i:02}.yaml": b"x" for i in range(objects)})
    for method in ("PUT", "HEAD"):
        s3.proxy.on(method, r"\.yaml", answer(503), times=100_000)
    ran = migrate("--from", "local", "--to", "s3")
    document = ran.done(7)
    assert document["state"] == "paused"
    assert document["objects"]["failed"] == 0
    s3.proxy.faults.clear()
    assert migrate("resume").done()["objects"]["verified"] == objects


def test_one_object_that_the_server_never_takes_fails_alone(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill({f"{i:02}.yaml": b"x" for i in range(6)})
    s3.proxy.on("PUT", r"03\.yaml", answer(500), times=100_000)
    document = migrate("--from", "local", "--to", "s3").done(1)
    assert [failure["path"] for failure in document["failures"]] == ["03.yaml"]
    assert document["objects"]["verified"] == 5
    s3.proxy.faults.clear()
    assert migrate("resume", document["id"]).done()["objects"]["verified"] == 6


def test_a_server_that_is_never_there_leaves_no_job(
    migrate: Run, local: Side, folder: Side, s3: Bucket, home: Path
) -> None:
    with FaultProxy() as nobody:
        gone = nobody.url
    configure(home, local, dataclasses.replace(s3.through, s3=dataclasses.replace(s3.through.s3, endpoint_url=gone)))
    for _ in range(2):
        migrate("--from", "s3", "--to", folder.name).failed(7)
    assert journals(home) == []


def test_a_full_destination_pauses(migrate: Run, local: Side, folder: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {f"{i:02}.yaml": b"x" for i in range(9)}
    local.fill(contents)
    copied, count = LocalBackend._copied, 0

    async def fill_up(self: LocalBackend, *how: Any) -> Any:
        nonlocal count
        count += 1
        if count > 4:
            raise StorageFullError("There is no space left.")
        return await copied(self, *how)

    with monkeypatch.context() as patch:
        patch.setattr(LocalBackend, "_copied", fill_up)
        document = migrate("--from", "local", "--to", folder.name).done(1)
    assert document["state"] == "paused"
    assert document["objects"]["copied"] == 4
    migrate("resume").done()
    assert folder.all == contents


@pytest.mark.parametrize("count", ["0", "-1", "257", "x", "1.5"])
def test_a_concurrency_that_is_none_is_refused(migrate: Run, local: Side, folder: Side, count: str) -> None:
    migrate("--from", "local", "--to", folder.name, "--concurrency", count).failed(2)


@pytest.mark.parametrize("count", ["1", "256"])
def test_any_concurrency_copies_each_object_once(migrate: Run, local: Side, s3: Bucket, count: str) -> None:
    contents = {f"{i:03}.yaml": b"%d" % i for i in range(100)}
    local.fill(contents)
    migrate("--from", "local", "--to", "s3", "--concurrency", count).done()
    puts = [seen.target for seen in s3.proxy.requests("PUT", r"\.yaml")]
    assert len(puts) == len(set(puts)) == 100
    assert s3.all == contents


def test_sizes_around_a_part(migrate: Run, local: Side, s3: Bucket, folder: Side, home: Path) -> None:
    part = 5 << 20
    configure(home, local, s3.through, chunk_size="5MiB")
    contents = {str(size): LARGE[:size] for size in (part - 1, part, part + 1, 2 * part, 2 * part + 1)}
    local.fill(contents)
    document = migrate("--from", "local", "--to", "s3").done()
    assert document["evidence"]["digest"] == 5
    assert migrate("--from", "s3", "--to", folder.name).done()["bytes"]["copied"] == sum(map(len, contents.values()))
    assert folder.all == contents


async def test_the_whole_job_waits_as_long_as_the_provider_asked(
    rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = LocalBackend(tmp_path / "from"), LocalBackend(tmp_path / "to")
    for number in range(6):
        await source.write(f"{number}.yaml", b"x")
    copy = Worker.copy
    begun: list[float] = []

    async def throttled(self: Worker, row: Row) -> None:
        begun.append(time.monotonic())
        if len(begun) == 2:
            raise ThrottledError("Slower, please.", retry_after=0.4)
        await copy(self, row)

    monkeypatch.setattr(Worker, "copy", throttled)
    job = rig(source, target).begin()
    assert await job.run(concurrency=1) is State.COMPLETE
    assert len(begun) == 7
    assert begun[2] - begun[1] >= 0.4
    assert job.report["objects"]["verified"] == 6
    assert job.row("1.yaml").error is None


async def test_a_pause_does_not_wait_for_the_provider(
    rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = LocalBackend(tmp_path / "from"), LocalBackend(tmp_path / "to")
    for number in range(6):
        await source.write(f"{number}.yaml", b"x")

    async def throttled(self: Worker, row: Row) -> None:
        raise ThrottledError("Slower, please.", retry_after=60.0)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "copy", throttled)
        job = rig(source, target).begin()
        engine = job.engine()
        asyncio.get_running_loop().call_later(0.3, engine.pause)
        assert await asyncio.wait_for(engine.run(), 5) is State.PAUSED
    assert await job.run() is State.COMPLETE


@pytest.mark.parametrize("side", ["from", "to"])
async def test_what_vanishes_in_the_middle_of_a_comparison_ends_no_job(
    rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    source, target = LocalBackend(tmp_path / "from"), LocalBackend(tmp_path / "to")
    for storage, letter in ((source, b"s"), (target, b"t")):
        await storage.write("a.yaml", letter)
        await storage.write("b.yaml", letter)
    equal = Worker._equal

    async def late(self: Worker, row: Row, found: StorageObject) -> Evidence | None:
        (tmp_path / side / "a.yaml").unlink(missing_ok=True)
        return await equal(self, row, found)

    monkeypatch.setattr(Worker, "_equal", late)
    job = rig(source, target).begin(overwrite=True)
    await job.run()
    assert await target.read("b.yaml") == b"s"
    if side == "to":
        assert job.report["state"] == "complete", job.report["failures"]
        assert await target.read("a.yaml") == b"s"
