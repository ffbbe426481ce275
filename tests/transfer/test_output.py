"""What a job prints: one document, or a text, or events, or a screen; and never two of them in one place."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from persona.cli import transfer_view
from persona.cli.transfer_view import eta_words, progress_line
from persona.errors import PersonaError
from persona.storage.backend import StorageBackend
from persona.transfer.model import Phase
from persona.transfer.progress import Progress
from persona.transfer.work import Worker
from tests.faults import answer
from tests.transfer.conftest import Bucket, Run, Side

CONTENTS = {f"personas/{i:02}.yaml": b"x" * (i + 1) for i in range(30)}
KEYS = {
    "id": str,
    "state": str,
    "phase": str,
    "source": str,
    "destination": str,
    "objects": dict,
    "bytes": dict,
    "evidence": dict,
    "failures": list,
    "elapsed_seconds": float,
}


@pytest.fixture
def ends(local: Side, folder: Side) -> tuple[str, ...]:
    local.fill(CONTENTS)
    return ("--from", "local", "--to", folder.name)


def check(document: Any) -> None:
    """Check the keys of the contract, and that the counts go together."""
    for key, kind in KEYS.items():
        assert isinstance(document[key], kind), key
    assert {"total", "copied", "skipped", "verified", "failed"} <= document["objects"].keys()
    assert {"total", "copied"} <= document["bytes"].keys()
    assert {"digest", "reread"} <= document["evidence"].keys()
    objects = document["objects"]
    assert objects["verified"] == document["evidence"]["digest"] + document["evidence"]["reread"]
    assert objects["copied"] + objects["skipped"] + objects["gone"] <= objects["total"]
    assert all(failure.keys() == {"path", "error"} for failure in document["failures"])


def test_one_document_whatever_happens(migrate: Run, ends: Any, local: Side, folder: Side, tmp_path: Path) -> None:
    check(migrate(*ends, "--dry-run").done())
    run = migrate(*ends).done()
    check(run)
    for command in (("status",), ("status", run["id"]), ("report", run["id"])):
        shown = migrate(*command).done()
        assert {key: shown[key] for key in run} == run
    (tmp_path / "library" / "bad\nname").write_bytes(b"x")
    folder.put("personas/01.yaml", b"other")
    check(migrate(*ends).done(1))
    for wrong in ((), ("--from", "local"), ("--wrong",), ("nothing",), ("resume", "x"), ("report",), ("rollback",)):
        ran = migrate(*wrong)
        assert ran.code in (2, 5)
        assert ran.json["error"]["message"]


def test_an_error_that_pauses_gives_the_job_s_document(migrate: Run, ends: Any, s3: Bucket) -> None:
    s3.proxy.on("PUT", r"\d\d\.yaml", answer(400, "<Error><Code>ExpiredToken</Code></Error>"), skip=3)
    document = migrate("--from", "local", "--to", "s3").done(4)
    check(document)
    assert document["error"]


def test_a_report_names_each_object(migrate: Run, ends: Any) -> None:
    import hashlib

    job = migrate(*ends).done()["id"]
    items = migrate("report", job).done()["items"]
    assert {item["path"]: item["sha256"] for item in items} == {
        path: hashlib.sha256(data).hexdigest() for path, data in CONTENTS.items()
    }
    assert {item["evidence"] for item in items} == {"reread"}


def test_many_failures_are_cut_in_the_document_and_not_in_the_report(
    migrate: Run, persona: Run, ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persona.transfer.report.SHOWN", 5)

    async def refuse(self: Worker, row: Any) -> None:
        raise PersonaError("No.")

    monkeypatch.setattr(Worker, "copy", refuse)
    document = migrate(*ends).done(1)
    assert (document["objects"]["failed"], len(document["failures"])) == (30, 5)
    assert len(migrate("report", document["id"]).done()["failures"]) == 30
    text = persona("storage", "migrate", "report", document["id"]).out
    assert text.count("No.") in (5, 30)
    assert "… and" in text or text.count("No.") == 30


def test_the_text_has_the_phases_of_the_specification(persona: Run, ends: Any) -> None:
    ran = persona("storage", "migrate", *ends)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("Storage Migration: local → file://")
    assert set(lines[1]) == {"═"}
    for line in ("Phase 1: Inventory", "Phase 2: Migration", "Phase 3: Verification"):
        assert line in lines
    assert "✅ Complete" in ran.out
    assert "Objects" in ran.out or "objects" in ran.out


def test_quiet_says_only_errors_beside_the_result(persona: Run, ends: Any, local: Side) -> None:
    ran = persona("storage", "migrate", "--quiet", *ends)
    assert ran.code == 0
    assert ran.err == ""
    failed = persona("storage", "migrate", "--quiet", "resume")
    assert failed.err.startswith("Error: ")


def test_quiet_says_what_is_not_done(persona: Run, ends: Any, local: Side, folder: Side) -> None:
    folder.put(next(iter(local.all)), b"other content")
    ran = persona("storage", "migrate", "--quiet", *ends)
    assert ran.code == 1
    first, *rest = ran.err.splitlines()
    assert first.startswith("Error: Storage Migration 2")
    assert first.endswith(f" is incomplete: {local.do(url)} → {folder.do(url)}")
    assert rest[0] == "Not done:"
    assert "The destination has other content under this name" in rest[1]
    assert rest[-1].startswith("  → persona storage migrate report 2")
    assert persona("storage", "migrate", *ends).err == ""  # the result says it


async def url(storage: StorageBackend) -> str:
    return storage.url()


def test_lines_without_a_terminal(persona: Run, ends: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_view, "LINE_SECONDS", 0.0)
    ran = persona("storage", "migrate", "--progress", *ends)
    assert "Inventory: 30 objects" in ran.err
    assert "\x1b" not in ran.err + ran.out
    assert persona("storage", "migrate", "--no-progress", *ends).err == ""


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def check_events(events: list[dict[str, Any]]) -> None:
    assert all(event["time"] and event["event"] for event in events)
    phases = [event["phase"] for event in events if event["event"] == "phase"]
    assert phases == ["inventory", "migration", "verification", "done"]
    copied = {event["path"] for event in events if event["event"] == "object" and event["step"] == "copied"}
    assert copied == CONTENTS.keys()
    verified = [event["path"] for event in events if event["event"] == "object" and event["step"] == "verified"]
    assert sorted(verified) == sorted(CONTENTS)
    assert events[-1]["event"] == "end"
    assert events[-1]["objects"]["verified"] == 30
    check(events[-1])


def test_events_on_stdout_are_alone_there(persona: Run, ends: Any) -> None:
    ran = persona("storage", "migrate", *ends, "--events", "-")
    assert ran.code == 0
    check_events(events_of(ran.out))


def test_events_in_a_file_are_added(migrate: Run, ends: Any, project: Path) -> None:
    check(migrate(*ends, "--events", "log").done())
    check_events(events_of((project / "log").read_text("utf-8")))
    migrate(*ends, "--events", "log").done()
    assert [event["event"] for event in events_of((project / "log").read_text("utf-8"))].count("end") == 2


def test_events_and_json_do_not_share_stdout(migrate: Run, ends: Any, project: Path) -> None:
    assert "--events" in migrate(*ends, "--events", "-").failed(2)
    migrate(*ends, "--events", ".").failed(2)
    migrate(*ends, "--events", "no/such/folder").failed(2)


def test_events_end_where_their_reader_does_and_the_job_goes_on(ends: Any, folder: Side, project: Path) -> None:
    command = [sys.executable, "-m", "persona", "storage", "migrate", *ends, "--events", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=project) as process:
        assert process.stdout
        process.stdout.close()
        err = process.stderr.read().decode() if process.stderr else ""
    assert "Traceback" not in err
    assert process.returncode == 0
    assert folder.all == CONTENTS


def test_events_that_cannot_be_written_do_not_end_the_job(
    migrate: Run, ends: Any, folder: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.FileIO):
        """A file on a disk that is full, until its descriptor leads elsewhere."""

        def write(self, data: Any, /) -> int:
            if os.path.samestat(os.fstat(self.fileno()), Path("log").stat()):
                raise OSError(28, "No space left on device")
            return super().write(data)

    opened = Path.open

    def full(self: Path, *how: Any, **more: Any) -> Any:
        return (
            io.TextIOWrapper(io.BufferedWriter(Full("log", "w"))) if self.name == "log" else opened(self, *how, **more)
        )

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        ran = migrate(*ends, "--events", "log")
    assert ran.done()["state"] == "complete"
    assert ran.err.count("log takes no more events: No space left on device") == 1
    assert folder.all == CONTENTS


def on_terminal(arguments: list[str], cwd: Path, **environment: str) -> str:
    """Run a command line with stdout and stderr on a terminal, and return all that came there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "persona", *arguments]
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"} | environment
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=env) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the last one has closed the terminal
                break
            if not part:
                break
            parts.append(part)
    os.close(ours)
    assert process.returncode == 0, b"".join(parts)
    return b"".join(parts).decode()


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_the_screen_on_a_terminal(ends: Any, project: Path, environment: dict[str, str]) -> None:
    text = on_terminal(["storage", "migrate", *ends], project, **environment)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "Storage Migration: local → " in plain
    assert "Complete" in plain
    if environment.get("TERM") != "dumb":
        assert "Press Ctrl+C to pause migration." in plain
        assert "Pending..." in plain
        assert re.search(r"Local objects: +30", plain), plain
    assert plain.rstrip().splitlines()[-1].endswith(re.search(r"Job: (\S+)", plain)[1])  # type: ignore[index]
    if "NO_COLOR" in environment:
        assert not re.search(r"\x1b\[[0-9;]*[1-9][0-9;]*m", text)
    assert "Traceback" not in plain


def test_the_screen_is_the_specification_s() -> None:
    from unittest.mock import Mock

    facts = {"kind": "migrate", "source": {"name": "local"}, "destination": {"name": "s3"}}
    view = transfer_view.ScreenView(facts, result=True, live=Mock())
    view.inventory(1247, 45_300_000)
    view.phase(Phase.MIGRATION)
    view.progress(
        Progress(Phase.MIGRATION, 835, 1247, 30_351_000, 45_300_000, "personas/customer-sarah.yaml", 2_300_000.0, 120.0)
    )
    assert [line.rstrip() for line in view.text().splitlines()] == [
        "Storage Migration: local → s3",
        "═" * 65,
        "",
        "Phase 1: Inventory",
        "  Local objects: 1,247",
        "  Total size: 45.3 MB",
        "",
        "Phase 2: Migration",
        "  [████████████████████░░░░░░░░░░] 67% (835/1,247)",
        "  Current: personas/customer-sarah.yaml",
        "  Speed: 2.3 MB/s",
        "  ETA: 2 minutes",
        "",
        "Phase 3: Verification",
        "  Pending...",
        "",
        "Press Ctrl+C to pause migration.",
    ]


def test_a_name_cannot_take_the_terminal_over(persona: Run, ends: Any, tmp_path: Path) -> None:
    (tmp_path / "library" / "evil\x1b]0;title\x07\x1b[2J").write_bytes(b"x")
    ran = persona("storage", "migrate", *ends)
    assert ran.code == 1
    assert "\x1b" not in ran.out + ran.err
    assert "evil" in ran.out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0.0, "0 seconds"),
        (1.2, "1 second"),
        (59.4, "59 seconds"),
        (59.9, "1 minute"),
        (60.0, "1 minute"),
        (120.0, "2 minutes"),
        (3599.0, "1 hour"),
        (3600.0, "1 hour"),
        (86_399.0, "1 day"),
        (200_000.0, "2 days"),
    ],
)
def test_times_to_go_as_people_say_them(seconds: float | None, words: str) -> None:
    assert eta_words(seconds) == words


def test_a_line_of_progress() -> None:
    line = progress_line(Progress(Phase.MIGRATION, 1, 3, 10, 30, "a", 5.0, 4.0))
    assert line == "Migration: 33% (1/3), 5 B/s, ETA 4 seconds"
