"""A job that was paused, killed or refused goes on where it was, and in no other place."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.cli import transfers
from persona.transfer import engine as engines
from persona.transfer.engine import Engine
from persona.transfer.jobs import Jobs
from persona.transfer.journal import Journal
from persona.transfer.work import Worker
from tests.faults import stall
from tests.transfer.conftest import Bucket, Run, Side, configure, journals

CONTENTS = {f"{i}.yaml": b"x" * i for i in range(1, 11)}
PauseAfter = Callable[[int], Any]


@pytest.fixture
def pause_after(monkeypatch: pytest.MonkeyPatch) -> PauseAfter:
    """A function that makes the next job pause by itself after so many objects, and later ones not."""

    def set_up(count: int) -> Any:
        patch = pytest.MonkeyPatch()
        copy, copied = Worker.copy, 0
        running: list[Engine] = []

        async def counting(self: Worker, row: Any) -> None:
            nonlocal copied
            await copy(self, row)
            copied += 1
            if copied == count:
                running[0].pause()

        patch.setattr(Worker, "copy", counting)
        patch.setattr(transfers, "_on_signals", lambda engine, session: running.append(engine))
        return patch

    return set_up


@pytest.fixture
def paused(migrate: Run, local: Side, folder: Side, pause_after: PauseAfter) -> str:
    """The id of a job that was paused after four of ten objects."""
    local.fill(CONTENTS)
    patch = pause_after(4)
    try:
        document = migrate("--from", "local", "--to", folder.name, "--concurrency", "1").done(130)
    finally:
        patch.undo()
    assert document["state"] == "paused"
    assert document["objects"]["copied"] == 4
    job: str = document["id"]
    return job


def damage(home: Path, content: bytes, at: int) -> None:
    """Write over a part of the only journal."""
    (file,) = journals(home)
    with file.open("r+b") as out:
        out.seek(at)
        out.write(content)


def test_a_resumed_job_goes_on_with_its_counters(migrate: Run, paused: str, folder: Side) -> None:
    before = migrate("status").done()
    document = migrate("resume").done()
    assert document["id"] == before["id"] == paused
    assert document["objects"]["copied"] == document["objects"]["verified"] == document["objects"]["total"] == 10
    assert document["bytes"] == {"total": 55, "copied": 55}
    assert document["elapsed_seconds"] > before["elapsed_seconds"] > 0
    assert folder.all == CONTENTS


def test_what_was_copied_is_not_copied_again(migrate: Run, paused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    copy = Worker.copy

    async def noting(self: Worker, row: Any) -> None:
        copied.append(row.path)
        await copy(self, row)

    monkeypatch.setattr(Worker, "copy", noting)
    migrate("resume", paused).done()
    assert len(copied) == len(set(copied)) == 6


def test_a_paused_job_is_shown_as_one(migrate: Run, persona: Run, paused: str) -> None:
    (job,) = migrate("list").done()["jobs"]
    assert (job["id"], job["state"], job["running"], job["kind"]) == (paused, "paused", False, "migrate")
    assert persona("storage", "migrate", "status").out.rstrip().endswith(f"Job: {paused}")
    assert paused in persona("storage", "migrate", "list").out


def test_a_second_job_of_the_pair_says_that_one_is_paused(migrate: Run, paused: str, folder: Side) -> None:
    ran = migrate("--from", "local", "--to", folder.name)
    ran.done()
    assert paused in ran.err


def test_an_id_that_is_none_is_not_found(migrate: Run, paused: str) -> None:
    wrong = ("20260101-000000-0000", "x", "..", "../default/x", "20260101-000000-0000.db", "a\x00b", "💥" * 300)
    for command in ("resume", "status", "report", "pause", "prune", "rollback"):
        for job in wrong:
            migrate(command, job).failed(5)


def test_there_may_be_nothing_to_resume(migrate: Run, local: Side) -> None:
    for command in ("resume", "status", "pause"):
        migrate(command).failed(5)
    assert migrate("list").done() == {"jobs": []}
    assert migrate("prune").done() == {"removed": [], "bytes": 0}


def test_a_job_of_another_workspace_is_not_found(migrate: Run, persona: Run, paused: str) -> None:
    assert persona("workspace", "create", "other").code == 0
    migrate("resume", paused, "--workspace", "other").failed(5)
    assert migrate("list", "--workspace", "other").done() == {"jobs": []}


def test_a_finished_job_is_not_resumed(migrate: Run, paused: str) -> None:
    migrate("resume").done()
    assert "complete" in migrate("resume", paused).failed(2)
    migrate("resume").failed(5)


def test_several_paused_jobs_want_an_id(
    migrate: Run, paused: str, local: Side, pause_after: PauseAfter, tmp_path: Path
) -> None:
    patch = pause_after(2)
    try:
        other = migrate("--from", "local", "--to", f"file://{tmp_path}/third").done(130)["id"]
    finally:
        patch.undo()
    message = migrate("resume").failed(2)
    assert paused in message
    assert other in message
    assert migrate("resume", other).done()["id"] == other
    assert migrate("resume").done()["id"] == paused


def test_state_is_not_used_for_another_place(
    migrate: Run, paused: str, local: Side, folder: Side, home: Path, tmp_path: Path
) -> None:
    moved = Side(type(local.settings)(local=type(local.settings.local)(path=tmp_path / "another")), "local")
    moved.put("0.yaml", b"of another library")
    before = folder.all
    configure(home, moved)
    message = migrate("resume").failed(3)
    assert "belongs to" in message
    assert folder.all == before
    configure(home, local)
    migrate("resume").done()


def test_state_is_not_used_for_another_bucket(
    migrate: Run, local: Side, s3: Bucket, home: Path, pause_after: PauseAfter
) -> None:
    local.fill(CONTENTS)
    patch = pause_after(4)
    try:
        migrate("--from", "local", "--to", "s3", "--concurrency", "1").done(130)
    finally:
        patch.undo()
    import dataclasses

    elsewhere = dataclasses.replace(s3.through.s3, prefix=f"{s3.settings.s3.prefix}-other")
    configure(home, local, dataclasses.replace(s3.through, s3=elsewhere))
    s3.proxy.seen.clear()
    migrate("resume").failed(3)
    assert s3.proxy.seen == []
    configure(home, local, s3.through)
    migrate("resume").done()
    assert s3.all == CONTENTS


def test_a_job_that_runs_elsewhere_is_left_alone(migrate: Run, paused: str, home: Path) -> None:
    with Jobs(home, "default").locked(paused):
        for command in (("resume", paused), ("prune", paused)):
            assert "running in another process" in migrate(*command).failed(6)
    migrate("resume", paused).done()


def test_a_running_job_s_uploads_are_not_aborted_by_prune(
    migrate: Run, paused: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs(home, "default")
    journal = jobs.open(paused)
    journal.set(state="running")
    journal.save_upload("10.yaml", "token")
    journal.close()

    async def abort(*_: object) -> None:
        raise AssertionError("The upload of a running job was aborted.")

    monkeypatch.setattr(transfers, "_abandon", abort)
    with jobs.locked(paused):
        migrate("prune", paused).failed(6)


def test_a_second_process_does_not_begin_the_same_pair(migrate: Run, paused: str, home: Path, folder: Side) -> None:
    jobs = Jobs(home, "default")
    journal = jobs.open(paused)
    journal.set(state="running")
    journal.close()
    with jobs.locked(paused):
        assert paused in migrate("--from", "local", "--to", folder.name).failed(6)
    assert len(journals(home)) == 1


def test_a_job_that_does_not_run_is_not_paused(migrate: Run, paused: str) -> None:
    migrate("pause").failed(5)
    migrate("pause", paused).failed(6)
    migrate("resume", paused).done()


def test_a_request_to_pause_that_was_left_does_not_pause_the_next_run(migrate: Run, paused: str, home: Path) -> None:
    Jobs(home, "default").pause_request(paused).touch()
    migrate("resume").done()


def test_a_journal_of_another_format_is_refused(migrate: Run, paused: str, home: Path) -> None:
    (file,) = journals(home)
    with sqlite3.connect(file) as db:
        db.execute("UPDATE job SET value = '99' WHERE key = 'format'")
    db.close()
    for command in ("resume", "status", "report"):
        assert "format 99" in migrate(command, paused).failed(2)
    assert migrate("list").done() == {"jobs": []}
    migrate("resume").failed(5)


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + b"\x00" * 5000, os.urandom(20_000)])
def test_what_is_no_journal_is_refused(migrate: Run, paused: str, home: Path, content: bytes) -> None:
    (file,) = journals(home)
    file.write_bytes(content)
    for command in ("resume", "status", "report", "rollback"):
        migrate(command, paused).failed(2)
    migrate("list").done()
    migrate("prune").done()
    migrate("prune", paused).done()
    assert journals(home) == []


@pytest.mark.parametrize("at", [100, 2000, 4096, 5000, 8192, 9000, 12_288, 12_500, 16_500])
def test_a_damaged_journal_is_told_of_and_never_a_traceback(
    migrate: Run, local: Side, folder: Side, paused: str, home: Path, at: int
) -> None:
    (file,) = journals(home)
    damage(home, os.urandom(4000), min(at, max(file.stat().st_size - 4000, 0)))
    for command in (("status", paused), ("report", paused), ("list",), ("resume", paused), ("prune", paused)):
        ran = migrate(*command)
        assert ran.code in (0, 1, 2, 3, 5, 6, 8), ran
        assert "Traceback" not in ran.err
        assert ran.json


@pytest.mark.parametrize("facts", [[], ["id", "kind"], ["state"], ["options"], ["source"]])
def test_a_journal_without_its_facts_is_told_of(migrate: Run, paused: str, home: Path, facts: list[str]) -> None:
    """As of a process that was killed while it made the job."""
    (file,) = journals(home)
    with sqlite3.connect(file) as db:
        if facts:
            db.executemany("DELETE FROM job WHERE key = ?", [(fact,) for fact in facts])
        else:
            db.execute("DELETE FROM job WHERE key <> 'format'")
    db.close()
    for command in ("status", "report", "resume", "rollback"):
        migrate(command, paused).failed(2)
    migrate("list").done()
    migrate("resume").failed(5)
    migrate("prune", paused).done()


def test_a_full_disk_pauses_and_the_rest_follows(
    migrate: Run, local: Side, folder: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {f"{i:04}-{'long' * 20}.yaml": b"x" for i in range(300)}
    local.fill(contents)
    opened = Journal.__init__

    def small(self: Journal, *args: Any, **how: Any) -> None:
        opened(self, *args, **how)
        self._db.execute("PRAGMA max_page_count = 20")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "__init__", small)
        ran = migrate("--from", "local", "--to", folder.name)
        assert "full" in ran.failed(1)
        assert ran.json
    listed = migrate("list").done()["jobs"]
    if listed:
        migrate("resume").done()
    else:
        migrate("--from", "local", "--to", folder.name).done()
    assert folder.all == contents


@pytest.mark.parametrize("method", ["record", "set", "claim", "tally", "rows", "reopen"])
@pytest.mark.parametrize(
    "problem",
    ["database or disk is full", "disk I/O error", "attempt to write a readonly database", "database is locked"],
)
def test_a_journal_that_fails_on_the_way_is_told_of(
    migrate: Run, paused: str, folder: Side, monkeypatch: pytest.MonkeyPatch, method: str, problem: str
) -> None:
    def fail(self: Journal, *_: Any, **__: Any) -> None:
        raise sqlite3.OperationalError(problem)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, method, fail)
        ran = migrate("resume")
        assert ran.code in (1, 3), ran
        assert problem in ran.failed(ran.code)
        assert ran.json
    migrate("resume").done()
    assert folder.all == CONTENTS


def test_a_home_that_cannot_be_written_to_is_told_of(
    migrate: Run, local: Side, folder: Side, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.fill(CONTENTS)
    real = os.open

    def refuse(path: Any, flags: int, *more: Any, **how: Any) -> int:
        if str(path).startswith(str(home)) and flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *more, **how)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert str(home) in migrate("--from", "local", "--to", folder.name).failed(3)
    assert folder.all == {}
    (home / "transfers").rename(home / "aside") if (home / "transfers").exists() else None
    (home / "transfers").write_text("a file")
    assert "transfers" in migrate("--from", "local", "--to", folder.name).failed(3)
    migrate("list").done()


def test_a_copied_home_goes_on(migrate: Run, paused: str, home: Path, tmp_path: Path, folder: Side) -> None:
    shutil.copytree(home, tmp_path / "moved")
    shutil.rmtree(home)
    (tmp_path / "moved").rename(home)
    migrate("resume").done()
    assert folder.all == CONTENTS


@pytest.mark.parametrize("stalled", ["list-type", r"PUT"])
def test_a_server_that_does_not_answer_does_not_hold_a_pause_up(
    migrate: Run, local: Side, s3: Bucket, monkeypatch: pytest.MonkeyPatch, stalled: str, home: Path
) -> None:
    local.fill(CONTENTS)
    configure(home, local, s3.through, timeout="60s")
    monkeypatch.setattr(engines, "GRACE_SECONDS", 0.5)
    if stalled == "PUT":
        s3.proxy.on("PUT", r"\.yaml", stall, times=4)
    else:
        s3.proxy.on("GET", stalled, stall)

    def soon(engine: Engine, session: Any) -> None:
        asyncio.get_running_loop().call_later(0.7, engine.pause)

    with monkeypatch.context() as patch:
        patch.setattr(transfers, "_on_signals", soon)
        begun = time.monotonic()
        document = migrate("--from", "local", "--to", "s3").done(130)
        assert time.monotonic() - begun < 5
    assert document["state"] == "paused"
    migrate("resume").done()
    assert s3.all == CONTENTS
