"""Verified means proved by content, and the report says how."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.errors import PersonaError
from persona.storage.backends.local import LocalBackend
from persona.transfer.engine import Engine
from persona.transfer.model import State
from persona.transfer.work import Worker
from tests.transfer.conftest import Bucket, Rig, Run, Side

MakeRig = Callable[..., Rig]
PARTS = b"0123456789abcdef" * (11 << 16)


class Damaging(LocalBackend):
    """A folder on a disk that changes bytes that were written, a number of times, and gives them out as they are.

    Args:
        root: the folder.
        times: how often.
    """

    def __init__(self, root: Path, times: int) -> None:
        super().__init__(root)
        self.times = times

    async def _copied(self, other: LocalBackend, source: str, target: str, *how: Any) -> Any:
        written = await super()._copied(other, source, target, *how)
        if target != "bad.yaml" or self.times == 0:
            return written
        self.times -= 1
        damaged = await self.write(target, b"X" * written.size)
        return dataclasses.replace(written, version=damaged.version)


@pytest.fixture
def after_copy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """A function that lets something happen once, between the copies and their verification."""

    def set_up(work: Callable[[], Any]) -> None:
        copied = Engine._copy_all
        left = [work]

        async def copy_all(self: Engine) -> None:
            await copied(self)
            while left:
                left.pop()()

        monkeypatch.setattr(Engine, "_copy_all", copy_all)

    return set_up


def test_a_local_destination_is_read_back(migrate: Run, local: Side, folder: Side) -> None:
    local.fill({f"{i}.yaml": b"x" * i for i in range(7)})
    document = migrate("--from", "local", "--to", folder.name).done()
    assert document["evidence"] == {"digest": 0, "reread": 7, "unchanged": 0}
    assert document["objects"]["verified"] == 7
    assert migrate("--from", "local", "--to", folder.name).done()["evidence"]["reread"] == 7


def test_a_bucket_proves_by_digest_whole_and_in_parts(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill({f"{i}.yaml": b"x" * i for i in range(7)})
    local.put("large", PARTS)
    document = migrate("--from", "local", "--to", "s3").done()
    assert document["evidence"] == {"digest": 8, "reread": 0, "unchanged": 0}
    assert not [seen for seen in s3.proxy.requests("GET") if "?" not in seen.target]  # nothing was read back


def test_all_is_read_back_where_that_is_asked_for(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill({f"{i}.yaml": b"x" * i for i in range(3)})
    local.put("large", PARTS)
    for copied in (4, 0):
        s3.proxy.seen.clear()
        document = migrate("--from", "local", "--to", "s3", "--verify", "reread").done()
        assert document["evidence"] == {"digest": 0, "reread": 4, "unchanged": 0}
        assert document["objects"]["copied"] == copied
        read = {seen.target.rpartition("/")[2] for seen in s3.proxy.requests("GET") if "?" not in seen.target}
        assert read == {"0.yaml", "1.yaml", "2.yaml", "large"}


@pytest.mark.parametrize("verify", ["auto", "reread"])
def test_what_is_written_over_after_the_copy_is_found_and_left(
    migrate: Run, local: Side, s3: Bucket, after_copy: Any, verify: str
) -> None:
    local.fill({"a.yaml": b"ours", "b.yaml": b"b"})
    after_copy(lambda: _in_thread(lambda: s3.put("a.yaml", b"them")))
    document = migrate("--from", "local", "--to", "s3", "--verify", verify).done(1)
    assert [failure["path"] for failure in document["failures"]] == ["a.yaml"]
    assert "Someone else" in document["failures"][0]["error"]
    assert document["objects"]["verified"] == 1
    assert sum(document["evidence"].values()) == 1
    assert s3.get("a.yaml") == b"them"


@pytest.mark.parametrize("verify", ["auto", "reread"])
def test_what_is_deleted_after_the_copy_is_copied_again(
    migrate: Run, local: Side, s3: Bucket, after_copy: Any, verify: str
) -> None:
    local.fill({"a.yaml": b"ours", "b.yaml": b"b"})
    after_copy(lambda: _in_thread(lambda: s3.drop("a.yaml")))
    document = migrate("--from", "local", "--to", "s3", "--verify", verify).done()
    assert document["objects"]["copied"] == document["objects"]["verified"] == 2
    assert s3.all == {"a.yaml": b"ours", "b.yaml": b"b"}


def test_a_skipped_object_that_is_not_equal_when_it_is_read_is_a_conflict(
    migrate: Run, local: Side, s3: Bucket, after_copy: Any
) -> None:
    local.fill({"a.yaml": b"ours", "b.yaml": b"b"})
    migrate("--from", "local", "--to", "s3").done()
    after_copy(lambda: _in_thread(lambda: s3.put("a.yaml", b"them")))
    document = migrate("--from", "local", "--to", "s3", "--verify", "reread").done(1)
    assert [failure["path"] for failure in document["failures"]] == ["a.yaml"]
    assert document["evidence"] == {"digest": 0, "reread": 1, "unchanged": 0}
    assert s3.get("a.yaml") == b"them"


async def test_damage_is_copied_again_and_then_well(rig: MakeRig, tmp_path: Path) -> None:
    source, target = LocalBackend(tmp_path / "from"), Damaging(tmp_path / "to", 1)
    await source.write("bad.yaml", b"content")
    await source.write("good.yaml", b"good")
    job = rig(source, target).begin()
    assert await job.run() is State.COMPLETE
    assert await target.read("bad.yaml") == b"content"
    assert job.row("bad.yaml").mismatches == 1
    assert job.report["objects"]["verified"] == 2
    assert job.report["evidence"]["reread"] == 2
    assert not await target.list(".persona-backup")


async def test_damage_that_stays_is_a_failure(rig: MakeRig, tmp_path: Path) -> None:
    source, target = LocalBackend(tmp_path / "from"), Damaging(tmp_path / "to", -1)
    await source.write("bad.yaml", b"content")
    await source.write("good.yaml", b"good")
    job = rig(source, target).begin()
    assert await job.run() is State.INCOMPLETE
    assert [failure["path"] for failure in job.report["failures"]] == ["bad.yaml"]
    assert job.report["evidence"] == {"digest": 0, "reread": 1, "unchanged": 0}
    assert job.report["objects"]["copied"] == job.report["objects"]["verified"] == 1


def test_damage_that_stays_ends_with_eight(
    migrate: Run, local: Side, folder: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = LocalBackend._copied

    async def damage(self: LocalBackend, other: LocalBackend, source: str, target: str, *how: Any) -> Any:
        written = await copied(self, other, source, target, *how)
        if target != "bad.yaml":
            return written
        damaged = await self.write(target, b"X" * written.size)
        return dataclasses.replace(written, version=damaged.version)

    local.fill({"bad.yaml": b"content", "good.yaml": b"good"})
    with monkeypatch.context() as patch:
        patch.setattr(LocalBackend, "_copied", damage)
        document = migrate("--from", "local", "--to", folder.name).done(8)
    assert document["state"] == "incomplete"
    assert document["phase"] == "done"
    resumed = migrate("resume", document["id"]).done()  # on a disk that is well again
    assert resumed["objects"]["verified"] == 2
    assert folder.all == {"bad.yaml": b"content", "good.yaml": b"good"}


async def test_a_copy_that_fails_for_good_is_no_evidence(
    rig: MakeRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = LocalBackend(tmp_path / "from"), LocalBackend(tmp_path / "to")
    await source.write("a.yaml", b"a")
    await source.write("b.yaml", b"b")
    copy = Worker.copy

    async def refuse(self: Worker, row: Any) -> None:
        if row.path == "a.yaml":
            raise PersonaError("No.")
        await copy(self, row)

    monkeypatch.setattr(Worker, "copy", refuse)
    job = rig(source, target).begin()
    assert await job.run() is State.INCOMPLETE
    report = job.report
    assert report["failures"] == [{"path": "a.yaml", "error": "No."}]
    assert (report["objects"]["copied"], report["objects"]["verified"], report["objects"]["failed"]) == (1, 1, 1)
    assert report["bytes"]["copied"] == 1


def _in_thread(work: Callable[[], Any]) -> None:
    """Do something that has an event loop of its own, from within one."""
    import threading

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
