"""Disks that are full, read-only, or lack a call: the right words, nothing half-made, and the job can be resumed."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from persona.errors import StorageFullError
from persona.storage.outbox import Outbox
from persona.storage.paths import is_temporary
from persona.transfer.jobs import Jobs
from tests.full import no_file_beyond
from tests.transfer.conftest import Run, Side

CONTENTS = {f"{number:03}-{'long' * 20}.yaml": b"x" for number in range(250)}


@pytest.mark.parametrize("size", [0, 3_000, 20_000, 60_000])
def test_a_full_home_is_called_full_and_the_work_follows(
    migrate: Run, local: Side, folder: Side, home: Path, size: int
) -> None:
    """From a limit at which no journal can be made to one at which it fills up on the way."""
    local.fill(CONTENTS)
    with no_file_beyond(size):
        message = migrate("--from", "local", "--to", folder.name).failed(1)
    assert "Free some space on the disk of PERSONA_HOME" in message
    assert "damaged" not in message
    jobs = Jobs(home, "default")
    assert len(jobs.infos()) == len([*jobs.folder.glob("*.db")]), "no journal is left that was never begun"
    if jobs.infos():
        migrate("resume").done()
    else:
        migrate("--from", "local", "--to", folder.name).done()
    assert folder.all == CONTENTS


@pytest.mark.parametrize("code", [errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_pauses_the_job(
    migrate: Run, local: Side, folder: Side, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """As after a remount: the first objects arrive, and then no file can be made any more."""
    local.fill(CONTENTS)
    opened, made = os.open, 0

    def fail(path: Any, flags: int, *how: Any, **more: Any) -> int:
        nonlocal made
        if flags & os.O_CREAT and is_temporary(Path(os.fsdecode(path)).name):
            made += 1
            if made > 5:
                raise OSError(code, os.strerror(code))
        return opened(path, flags, *how, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        ran = migrate("--from", "local", "--to", folder.name)
    assert os.strerror(code) in ran.failed({errno.EROFS: 4, errno.EIO: 7, errno.EDQUOT: 1}[code])
    assert (ran.json["state"], ran.json["objects"]["failed"]) == ("paused", 0)
    migrate("resume").done()
    assert folder.all == CONTENTS


def test_a_full_home_keeps_no_part_of_a_write(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", "here")
    for size in (0, 50_000):
        with no_file_beyond(size), pytest.raises(StorageFullError, match="outbox") as caught:
            outbox.filled(b"x" * 100_000)
        assert "PERSONA_HOME" in caught.value.hint
        assert [*outbox.folder.iterdir()] == []


def test_a_plan_that_finds_no_space_is_not_left_in_part(
    migrate: Run, local: Side, folder: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from persona.transfer import planfile

    local.fill(CONTENTS)
    plan = tmp_path / "plan.jsonl"
    save = planfile.save

    def full(*how: Any) -> None:
        with no_file_beyond(1000):
            save(*how)

    with monkeypatch.context() as patch:
        patch.setattr(planfile, "save", full)
        message = migrate("--from", "local", "--to", folder.name, "--dry-run", "--plan", str(plan)).failed(1)
    assert str(plan) in message
    assert not plan.exists()
    migrate("--from", "local", "--to", folder.name, "--dry-run", "--plan", str(plan)).done()


def test_a_second_equal_migration_is_told_while_the_first_begins(
    migrate: Run, local: Side, folder: Side, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """The second begins between the first one's look at other jobs and its own journal."""
    local.fill({"a.yaml": b"a"})
    create = Jobs.create
    second: list[Any] = []

    def late(self: Jobs, *how: Any) -> Any:
        if not second:
            begun = Thread(target=lambda: second.append(migrate("--from", "local", "--to", folder.name)))
            begun.start()  # in a thread, since a loop of events runs in this one
            begun.join()
        return create(self, *how)

    monkeypatch.setattr(Jobs, "create", late)
    migrate("--from", "local", "--to", folder.name).done()
    assert "starting a job between these two places" in second[0].failed(6)
    assert len(Jobs(home, "default").infos()) == 1
    assert folder.all == {"a.yaml": b"a"}
