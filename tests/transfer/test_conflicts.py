"""What stands at the destination is never lost: left alone, or kept before it is replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.errors import ConflictError
from persona.storage.backend import IfVersion, StorageObject
from persona.storage.backends.local import LocalBackend
from persona.transfer.model import State
from persona.transfer.work import Worker
from tests.faults import lose_answer
from tests.transfer.conftest import Bucket, Rig, Run, Side

MakeRig = Callable[..., Rig]


def backups(side: Side, job: str) -> dict[str, bytes]:
    """Return what a job kept at a destination."""
    prefix = f".persona-backup/{job}/"
    return {path.removeprefix(prefix): data for path, data in side.all.items() if path.startswith(prefix)}


class Meddled(LocalBackend):
    """A folder in which someone else does something just before a write, a copy or a delete.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before: list[Callable[[str], Any]] = []
        self.before_delete: list[Callable[[str], Any]] = []

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        if self.before_delete:
            await self.before_delete.pop(0)(path)
        await super().delete(path, condition=condition)

    async def _copied(self, other: LocalBackend, source: str, target: str, *how: Any) -> StorageObject:
        if self.before and other is not self:
            await self.before.pop(0)(target)
        return await super()._copied(other, source, target, *how)


@pytest.fixture
def source(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "from")


@pytest.fixture
def target(tmp_path: Path) -> Meddled:
    return Meddled(tmp_path / "to")


@pytest.fixture
def aside(tmp_path: Path) -> LocalBackend:
    """The destination, for somebody else."""
    return LocalBackend(tmp_path / "to")


@pytest.mark.parametrize("theirs", [b"other", b"longer than ours"])
def test_other_content_is_left_alone(migrate: Run, local: Side, s3: Bucket, theirs: bytes) -> None:
    local.fill({"a.yaml": b"ours!", "b.yaml": b"b"})
    s3.put("a.yaml", theirs)
    document = migrate("--from", "local", "--to", "s3").done(1)
    assert document["state"] == "incomplete"
    assert [failure["path"] for failure in document["failures"]] == ["a.yaml"]
    assert "--overwrite" in document["failures"][0]["error"]
    assert document["backup"] is None
    assert s3.all == {"a.yaml": theirs, "b.yaml": b"b"}


@pytest.mark.parametrize("theirs", [b"other", b"longer than ours"])
def test_what_is_replaced_is_kept_where_the_report_says(migrate: Run, local: Side, s3: Bucket, theirs: bytes) -> None:
    local.fill({"team/a.yaml": b"ours!", "b.yaml": b"b"})
    s3.put("team/a.yaml", theirs, content_type="text/x-theirs", metadata={"by": "them"})
    document = migrate("--from", "local", "--to", "s3", "--overwrite").done()
    kept = f".persona-backup/{document['id']}/team/a.yaml"
    assert document["backup"].endswith(f"/.persona-backup/{document['id']}/")
    assert s3.all == {"team/a.yaml": b"ours!", "b.yaml": b"b", kept: theirs}
    found = s3.stat(kept)
    assert (found.content_type, found.metadata) == ("text/x-theirs", {"by": "them"})


def test_nothing_is_kept_of_what_is_equal(migrate: Run, local: Side, folder: Side) -> None:
    local.fill({"a.yaml": b"same", "b.yaml": b"new"})
    folder.put("a.yaml", b"same")
    document = migrate("--from", "local", "--to", folder.name, "--overwrite").done()
    assert document["backup"] is None
    assert folder.all == {"a.yaml": b"same", "b.yaml": b"new"}
    assert document["objects"]["skipped"] == 1


async def test_a_write_between_plan_and_copy_is_not_overwritten(
    rig: MakeRig, source: LocalBackend, target: Meddled, aside: LocalBackend
) -> None:
    await source.write("a.yaml", b"ours")
    target.before = [lambda path: aside.write(path, b"theirs")]
    job = rig(source, target).begin()
    assert await job.run() is State.INCOMPLETE
    assert await aside.read("a.yaml") == b"theirs"
    assert job.report["objects"]["failed"] == 1
    assert job.report["objects"]["copied"] == 0


async def test_the_same_write_between_plan_and_copy_is_fine(
    rig: MakeRig, source: LocalBackend, target: Meddled, aside: LocalBackend
) -> None:
    await source.write("a.yaml", b"ours")
    target.before = [lambda path: aside.write(path, b"ours")]
    job = rig(source, target).begin()
    assert await job.run() is State.COMPLETE
    assert job.row("a.yaml").evidence == "reread"


async def test_every_content_that_is_replaced_is_kept(
    rig: MakeRig, source: LocalBackend, target: Meddled, aside: LocalBackend
) -> None:
    """Someone writes between the backup and the write, twice: all three old contents can be found afterwards."""
    await source.write("a.yaml", b"ours")
    await aside.write("a.yaml", b"first")
    target.before = [
        lambda path: aside.write(path, b"second"),
        lambda path: aside.write(path, b"third"),
    ]
    job = rig(source, target).begin(overwrite=True)
    assert await job.run() is State.COMPLETE
    assert await aside.read("a.yaml") == b"ours"
    kept = [await aside.read(item.path) for item in await aside.list(".persona-backup")]
    assert sorted(kept) == [b"first", b"second", b"third"]


async def test_old_content_is_kept_though_the_job_died_after_its_write_and_the_source_changed(
    rig: MakeRig, source: LocalBackend, target: Meddled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run finds the first run's own write in place of the old content, and must not keep that instead."""
    await source.write("a.yaml", b"ours")
    await target.write("a.yaml", b"precious")
    job = rig(source, target).begin(overwrite=True)

    class Killed(BaseException):
        """The process is gone."""

    copy = Worker.copy

    async def die(self: Worker, row: Any) -> None:
        await copy(self, row)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "copy", die)
        with pytest.raises(Killed):
            await job.run()
    assert await target.read("a.yaml") == b"ours"
    await source.write("a.yaml", b"ours, anew")
    assert await job.run() is State.COMPLETE
    assert await target.read("a.yaml") == b"ours, anew"
    kept = [await target.read(item.path) for item in await target.list(".persona-backup")]
    assert b"precious" in kept


async def test_a_removal_between_plan_and_copy_is_a_plain_copy(
    rig: MakeRig, source: LocalBackend, target: Meddled, aside: LocalBackend
) -> None:
    await source.write("a.yaml", b"ours")
    await aside.write("a.yaml", b"theirs")
    target.before = [lambda path: aside.delete(path)]
    job = rig(source, target).begin(overwrite=True)
    assert await job.run() is State.COMPLETE
    assert await aside.read("a.yaml") == b"ours"


async def test_a_destination_that_changes_all_the_time_ends_the_object_not_the_job(
    rig: MakeRig, source: LocalBackend, target: Meddled, aside: LocalBackend
) -> None:
    await source.write("a.yaml", b"ours")
    await source.write("b.yaml", b"b")
    await aside.write("a.yaml", b"theirs")

    async def meddle(path: str) -> None:
        if path == "a.yaml":
            meddle.count += 1  # type: ignore[attr-defined]
            await aside.write(path, b"theirs %d" % meddle.count)  # type: ignore[attr-defined]
        target.before = [meddle]

    meddle.count = 0  # type: ignore[attr-defined]
    target.before = [meddle]
    job = rig(source, target).begin(overwrite=True)
    assert await job.run() is State.INCOMPLETE
    assert [failure["path"] for failure in job.report["failures"]] == ["a.yaml"]
    assert (await aside.read("a.yaml")).startswith(b"theirs")
    assert await aside.read("b.yaml") == b"b"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_lost_answer_of_a_conditional_write_is_no_conflict(
    migrate: Run, local: Side, s3: Bucket, overwrite: bool
) -> None:
    local.put("a.yaml", b"ours")
    if overwrite:
        s3.put("a.yaml", b"theirs")
    s3.proxy.on("PUT", rf"{s3.settings.s3.prefix}/a\.yaml$", lose_answer)
    document = migrate("--from", "local", "--to", "s3", *(["--overwrite"] if overwrite else [])).done()
    assert document["objects"]["copied"] == 1
    assert document["objects"]["verified"] == 1
    assert s3.get("a.yaml") == b"ours"
    kept = backups(s3, document["id"])
    assert kept == ({"a.yaml": b"theirs"} if overwrite else {})


async def test_a_removed_object_that_was_written_meanwhile_is_left(
    rig: MakeRig, source: LocalBackend, target: Meddled, aside: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that removes without a backup must not remove what someone has just written."""
    await source.write("a.yaml", b"a")
    await aside.write("b.yaml", b"old")
    remove = Worker.remove

    async def late(self: Worker, row: Any) -> None:
        await aside.write("b.yaml", b"fresh")
        await remove(self, row)

    monkeypatch.setattr(Worker, "remove", late)
    job = rig(source, target).begin(overwrite=True, delete=True, backup=False, delete_limit="1")
    assert await job.run() is State.INCOMPLETE
    assert await aside.read("b.yaml") == b"fresh"
    assert job.report["objects"]["removed"] == 0


@pytest.mark.parametrize("backup", [True, False])
async def test_a_write_in_the_moment_of_a_removal_is_left(
    rig: MakeRig, source: LocalBackend, target: Meddled, aside: LocalBackend, backup: bool
) -> None:
    await source.write("a.yaml", b"a")
    await aside.write("b.yaml", b"old")
    target.before_delete = [lambda path: aside.write(path, b"fresh")]
    job = rig(source, target).begin(overwrite=True, delete=True, backup=backup, delete_limit="1")
    assert await job.run() is State.INCOMPLETE
    assert await aside.read("b.yaml") == b"fresh"
    assert [failure["path"] for failure in job.report["failures"]] == ["b.yaml"]


async def test_a_conflict_error_names_no_other_object(rig: MakeRig, source: LocalBackend, target: Meddled) -> None:
    await source.write("a.yaml", b"ours")
    await target.write("a.yaml", b"their")
    job = rig(source, target).begin()
    assert await job.run() is State.INCOMPLETE
    assert not isinstance(job.row("a.yaml").error, ConflictError)
    assert job.report["failures"] == [{"path": "a.yaml", "error": job.row("a.yaml").error}]
