"""What is kept of jobs: readable by the user alone, free of secrets, and gone when it is pruned."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.cli import transfers
from persona.transfer.engine import Engine
from persona.transfer.jobs import Jobs
from persona.transfer.journal import Journal
from tests.faults import answer, forward
from tests.transfer.conftest import Bucket, Run, Side, configure, journals

CONTENTS = {"a.yaml": b"a", "b/c.yaml": b"bc"}
CANARY = "C4n4ry-s3cr3t"


@pytest.fixture
def pausing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], pytest.MonkeyPatch]:
    """A function that lets jobs pause at once, until its patch is undone."""

    def set_up() -> pytest.MonkeyPatch:
        patch = pytest.MonkeyPatch()
        patch.setattr(transfers, "_on_signals", lambda engine, session: engine.pause())
        return patch

    return set_up


def files_of(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_only_the_user_can_read_what_is_kept(
    migrate: Run, sync: Run, local: Side, folder: Side, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: set[tuple[str, int]] = set()
    verify = Engine._verify_all

    async def look(self: Engine) -> None:
        modes.update((path.suffix, path.stat().st_mode & 0o777) for path in files_of(home / "transfers"))
        await verify(self)

    monkeypatch.setattr(Engine, "_verify_all", look)
    local.fill(CONTENTS)
    before = os.umask(0)
    try:
        migrate("--from", "local", "--to", folder.name).done()
        sync(local.settings.local.path, tmp_path / "third").done()
    finally:
        os.umask(before)
    assert {suffix for suffix, _ in modes} >= {".db", ".db-wal", ".lock"}
    assert {mode for _, mode in modes} == {0o600}
    for path in (home / "transfers").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (home / "transfers").stat().st_mode & 0o777 == 0o700


def test_no_secret_is_kept_or_told(
    migrate: Run, persona: Run, local: Side, s3: Bucket, home: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / "persona.yaml"
    text = config.read_text("utf-8")
    config.unlink()
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{CANARY}-token")
    (project / "persona.yaml").write_text(text.replace("testsecret", f"{CANARY}-key"), "utf-8")
    assert persona("trust", "--yes").code == 0
    local.fill(CONTENTS)
    said = ""
    for more in (("--events", "log"), ("--dry-run", "--plan", "the.plan"), ("--verbose",)):
        ran = migrate("--from", "local", "--to", "s3", *more)  # refused, since the secret is another
        said += ran.out + ran.err
        assert ran.code in (0, 1, 4), ran
    (project / "persona.yaml").write_text(text, "utf-8")
    assert persona("trust", "--yes").code == 0
    s3.proxy.on("PUT", r"\.yaml", answer(403, f"<Error><Code>ExpiredToken</Code><Message>{CANARY}</Message></Error>"))
    kept = [*files_of(home), project / "log"]
    assert kept
    for path in kept:
        assert CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in said
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    migrate("--from", "local", "--to", "s3")
    s3.proxy.faults.clear()


def test_prune_removes_what_has_ended(migrate: Run, local: Side, folder: Side, home: Path, pausing: Any) -> None:
    local.fill(CONTENTS)
    patch = pausing()
    paused = migrate("--from", "local", "--to", folder.name).done(130)["id"]
    patch.undo()
    ended = [migrate("--from", "local", "--to", folder.name).done()["id"] for _ in range(2)]
    assert migrate("prune", "--older-than", "1h").done() == {"removed": [], "bytes": 0}
    pruned = migrate("prune").done()
    assert pruned["removed"] == ended
    assert pruned["bytes"] > 0
    assert [file.stem for file in journals(home)] == [paused]
    assert [job["id"] for job in migrate("list").done()["jobs"]] == [paused]
    assert migrate("prune", paused).done()["removed"] == [paused]
    assert {path.name.split(".")[0] for path in (home / "transfers" / "default").iterdir()} <= set()
    for wrong in ("x", "-1", "5 parsecs"):
        migrate("prune", "--older-than", wrong).failed(2)


def test_prune_gives_up_the_uploads_of_a_paused_job(
    migrate: Run, local: Side, s3: Bucket, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.put("large", os.urandom(16_000_000))
    seen: list[Engine] = []
    save = Journal.save_upload

    def saved(self: Any, path: str, token: str | None) -> None:
        save(self, path, token)
        seen[0].pause()

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "save_upload", saved)
        patch.setattr("persona.transfer.engine.GRACE_SECONDS", 0.0)
        patch.setattr(transfers, "_on_signals", lambda engine, session: seen.append(engine))
        job = migrate("--from", "local", "--to", "s3").done(130)["id"]
    journal = Jobs(home, "default").open(job)
    (row,) = journal.rows()
    journal.close()
    assert row.upload
    s3.proxy.seen.clear()
    migrate("prune", job).done()
    assert [seen.method for seen in s3.proxy.seen if "uploadId" in seen.target] == ["DELETE"]
    assert s3.all == {}


def test_an_upload_that_was_paused_goes_on(
    migrate: Run, local: Side, s3: Bucket, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    configure(home, local, s3.through, chunk_size="5MiB", concurrent_uploads=1)
    data = os.urandom(32_000_000)
    local.put("large", data)
    running: list[Engine] = []
    loops: list[asyncio.AbstractEventLoop] = []

    def begun(engine: Engine, _: object) -> None:
        running.append(engine)
        loops.append(asyncio.get_running_loop())

    with monkeypatch.context() as patch:
        patch.setattr("persona.transfer.engine.GRACE_SECONDS", 0.0)
        patch.setattr(transfers, "_on_signals", begun)

        def fourth(handler: Any, seen: Any) -> None:
            loops[0].call_soon_threadsafe(running[0].pause)
            forward(handler, seen)

        s3.proxy.on("PUT", "partNumber=4", fourth)
        migrate("--from", "local", "--to", "s3").done(130)
    before = {seen.target for seen in s3.proxy.requests("PUT", "large.partNumber")}
    s3.proxy.seen.clear()
    document = migrate("resume").done()
    after = {seen.target for seen in s3.proxy.requests("PUT", "large.partNumber")}
    assert len(before & after) <= 4  # the parts that were in flight
    assert after
    assert not {target for target in after if "partNumber=1&" in target}
    assert s3.get("large") == data
    assert document["evidence"] == {"digest": 1, "reread": 0, "unchanged": 0}


def test_a_list_for_people(persona: Run, migrate: Run, local: Side, folder: Side, pausing: Any) -> None:
    assert persona("storage", "migrate", "list").out == "There are no jobs.\n"
    local.fill(CONTENTS)
    patch = pausing()
    paused = migrate("--from", "local", "--to", folder.name).done(130)["id"]
    patch.undo()
    ended = migrate("--from", "local", "--to", folder.name).done()["id"]
    lines = persona("storage", "migrate", "list").out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("2")] == [paused, ended]
    assert "paused" in next(line for line in lines if line.startswith(paused))
    assert "complete" in next(line for line in lines if line.startswith(ended))


def test_a_job_that_was_killed_is_interrupted_and_can_be_resumed(
    migrate: Run, persona: Run, local: Side, folder: Side, home: Path, pausing: Any
) -> None:
    local.fill(CONTENTS)
    patch = pausing()
    job = migrate("--from", "local", "--to", folder.name).done(130)["id"]
    patch.undo()
    (file,) = journals(home)
    with sqlite3.connect(file) as db:
        db.execute("UPDATE job SET value = '\"running\"' WHERE key = 'state'")
    db.close()
    assert "interrupted" in persona("storage", "migrate", "list").out
    assert migrate("status").done()["state"] == "paused"
    migrate("pause").failed(5)
    assert migrate("resume").done()["id"] == job


def test_jobs_made_in_one_second_have_names_of_their_own(migrate: Run, local: Side, tmp_path: Path) -> None:
    local.fill(CONTENTS)
    ids = {migrate("--from", "local", "--to", f"file://{tmp_path}/to-{i}").done()["id"] for i in range(8)}
    assert len(ids) == 8


def test_a_journal_of_another_user_s_making_is_not_followed(
    migrate: Run, local: Side, folder: Side, home: Path, tmp_path: Path
) -> None:
    """Files with other names in the folder are nobody's jobs."""
    local.fill(CONTENTS)
    migrate("--from", "local", "--to", folder.name).done()
    kept = home / "transfers" / "default"
    for name in ("x.db", "20260101-000000-zzzz.db", "notes.txt", ".db", "20260101-000000-0000.db.bak"):
        (kept / name).write_text("not ours")
    (kept / "20260101-000000-0001.db").mkdir()
    assert len(migrate("list").done()["jobs"]) == 1
    assert migrate("status", "20260101-000000-0001").code in (2, 3)
    migrate("prune").done()
    assert (kept / "notes.txt").read_text() == "not ours"
