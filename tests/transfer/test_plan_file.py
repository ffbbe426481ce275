"""A saved plan is run exactly as it stands, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from persona.transfer.work import Worker
from tests.transfer.conftest import Bucket, Run, Side, configure, journals

FILE = "the.plan"
CONTENTS = {"a.yaml": b"a", "b/c.yaml": b"bc", "d.yaml": b"d" * 100}


@pytest.fixture
def plan(migrate: Run, local: Side, folder: Side, project: Path) -> Path:
    """A plan from the library to the other folder."""
    local.fill(CONTENTS)
    migrate("--from", "local", "--to", folder.name, "--dry-run", "--plan", FILE).done()
    return project / FILE


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def rewrite(file: Path, lines: list[Any]) -> None:
    """Write a plan as one does who knows the format, its sum included."""
    text = "".join(json.dumps(line) + "\n" for line in lines[:-1])
    tail = lines[-1] | {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    file.write_text(text + json.dumps(tail) + "\n", "utf-8")


def test_a_plan_is_run_as_it_stands(migrate: Run, plan: Path, folder: Side) -> None:
    assert migrate("--plan", FILE).done()["objects"]["copied"] == 3
    assert folder.all == CONTENTS


def test_only_its_owner_reads_a_plan(plan: Path) -> None:
    assert plan.stat().st_mode & 0o777 == 0o600


def test_a_plan_is_not_written_over(migrate: Run, plan: Path, folder: Side, home: Path) -> None:
    before = plan.read_bytes()
    migrate("--from", "local", "--to", folder.name, "--dry-run", "--plan", FILE).failed(2)
    assert plan.read_bytes() == before
    assert journals(home) == []


def test_a_plan_that_cannot_be_saved_leaves_no_job(migrate: Run, local: Side, folder: Side, home: Path) -> None:
    local.fill(CONTENTS)
    migrate("--from", "local", "--to", folder.name, "--dry-run", "--plan", "nowhere/the.plan").failed(2)
    assert journals(home) == []


@pytest.mark.parametrize("drift", ["new", "changed", "deleted"])
def test_a_source_that_drifted_stops_the_plan(
    migrate: Run, plan: Path, local: Side, folder: Side, drift: str, home: Path
) -> None:
    if drift == "deleted":
        local.drop("a.yaml")
    else:
        local.put("a.yaml" if drift == "changed" else "z.yaml", b"b")
    message = migrate("--plan", FILE).failed(6)
    assert drift in message
    assert folder.all == {}
    assert journals(home) == []


@pytest.mark.parametrize("drift", ["changed", "deleted"])
def test_a_source_that_drifts_during_the_run_stops_it(
    migrate: Run, plan: Path, local: Side, folder: Side, drift: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Worker.copy

    async def late(self: Worker, row: Any) -> None:
        file = (local.settings.local.path or Path()) / "d.yaml"
        if file.exists() and drift == "deleted":
            file.unlink()
        elif file.exists():
            file.write_bytes(b"e" * 100)
        await copy(self, row)

    monkeypatch.setattr(Worker, "copy", late)
    document = migrate("--plan", FILE, "--concurrency", "1").done(6)
    assert document["state"] == "incomplete"
    assert "d.yaml" in document["error"]
    assert "d.yaml" not in folder.all


def test_a_destination_that_changed_is_no_drift_but_a_conflict(
    migrate: Run, plan: Path, local: Side, folder: Side
) -> None:
    folder.put("a.yaml", b"another's")
    document = migrate("--plan", FILE).done(1)
    assert [failure["path"] for failure in document["failures"]] == ["a.yaml"]
    assert folder.get("a.yaml") == b"another's"


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4])
def test_a_plan_that_was_cut_short_is_refused(migrate: Run, plan: Path, folder: Side, kept: int, home: Path) -> None:
    lines = plan.read_text("utf-8").splitlines(keepends=True)
    plan.write_text("".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2], "utf-8")
    migrate("--plan", FILE).failed(2)
    assert folder.all == {}
    assert journals(home) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"d.yaml"', '"e.yaml"'),
        ('"size":100', '"size":101'),
        ('"copy"', '"skip"'),
        ('"overwrite":false', '"overwrite":true'),
    ],
)
def test_a_plan_that_was_edited_is_refused(migrate: Run, plan: Path, folder: Side, old: str, new: str) -> None:
    text = plan.read_text("utf-8")
    assert old in text
    plan.write_text(text.replace(old, new), "utf-8")
    migrate("--plan", FILE).failed(2)
    assert folder.all == {}


def test_a_plan_with_a_line_removed_is_refused(migrate: Run, plan: Path, folder: Side) -> None:
    lines = plan.read_text("utf-8").splitlines(keepends=True)
    plan.write_text("".join([*lines[:2], *lines[3:]]), "utf-8")
    migrate("--plan", FILE).failed(2)
    assert folder.all == {}


HOSTILE_ROWS: list[dict[str, Any]] = [
    {"path": "../outside"},
    {"path": "/abs"},
    {"path": "a\u0000b"},
    {"path": ""},
    {"path": "a/../b"},
    {"path": 5},
    {"path": None},
    {"path": ["a"]},
    {"path": "\ud800"},
    {"path": ".persona-backup/x"},
    {"size": -1},
    {"size": 10**30},
    {"size": "1"},
    {"size": 1.5},
    {"size": True},
    {"size": None},
    {"version": 5},
    {"version": None},
    {"version": "\ud800"},
    {"version": {}},
    {"digest": 5},
    {"digest": {"a": 1}},
    {"metadata": "[1]"},
    {"metadata": '{"a": 1}'},
    {"metadata": "{"},
    {"metadata": 5},
    {"headers": "[1]"},
    {"headers": '{"expires": 1}'},
    {"content_type": 5},
    {"content_type": ["x"]},
    {"action": "remove"},
    {"action": "erase"},
    {"action": ["copy"]},
    {"step": "verified"},
    {"step": "removed"},
    {"step": {}},
    {"target_version": 5},
    {"target_version": {}},
    {"target_digest": []},
    {"md5": 5},
    {"sha256": []},
    {"written": {}},
    {"proof": None},
    {"proof": "whole", "step": "copied"},
    {"evidence": 5},
    {"error": {}},
    {"upload": {}},
    {"attempts": "x"},
    {"attempts": 10**30},
    {"mismatches": None},
]


HOSTILE_HEADS: list[dict[str, Any]] = [
    {"format": "persona-plan-9"},
    {"kind": "sync"},
    {"kind": "theft"},
    {"kind": 5},
    {"kind": ["migrate"]},
    {"workspace": 5},
    {"workspace": {}},
    {"source": 5},
    {"source": {}},
    {"source": {"name": 5, "url": 5, "identity": 5}},
    {"source": {"name": "nothing", "url": "", "identity": ""}},
    {"destination": []},
    {"destination": None},
    {"options": 5},
    {"options": {"unknown": True}},
    {"options": {"overwrite": "yes"}},
    {"options": {"delete": True}},
    {"options": {"delete_limit": 5}},
    {"options": {"include": 5}},
    {"options": {"include": [5]}},
    {"options": {"exclude": ["!"]}},
    {"part_bytes": "big"},
    {"part_bytes": -5},
    {"part_bytes": 0},
    {"part_bytes": 10**30},
    {"part_bytes": True},
    {"target_objects": "x"},
    {"target_objects": -1},
    {"target_objects": 10**30},
    {"target_objects": None},
]


HOSTILE_TAILS: list[dict[str, Any]] = [
    {"objects": 2},
    {"objects": "3"},
    {"objects": None},
    {"refused": None},
    {"refused": 5},
    {"refused": [5]},
    {"refused": [["a"]]},
    {"refused": [["a", 5]]},
    {"refused": [["\ud800", {}]]},
]


@pytest.mark.parametrize(("line", "changes"), [(0, HOSTILE_HEADS), (2, HOSTILE_ROWS), (-1, HOSTILE_TAILS)])
def test_a_hostile_plan_ends_in_usage(
    migrate: Run, plan: Path, folder: Side, home: Path, line: int, changes: list[dict[str, Any]]
) -> None:
    good = lines_of(plan)
    for change in changes:
        rewrite(plan, [item | change if item is good[line] else item for item in good])
        ran = migrate("--plan", FILE)
        assert (ran.code, ran.json["error"]["exit_code"]) == (2, 2), (change, ran)
        assert "Traceback" not in ran.err
        assert folder.all == {}
        assert journals(home) == []
    rewrite(plan, good)
    migrate("--plan", FILE).done()


def test_what_is_no_plan_ends_in_usage(migrate: Run, local: Side, project: Path) -> None:
    deep, long = b"[" * 200_000, b"x" * 3_000_000
    for content in (
        b"",
        b"\n",
        b"\x00" * 99,
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"5\n",
        b"null\n",
        deep,
        b'{"a":' * 9999,
        long,
    ):
        (project / FILE).write_bytes(content)
        migrate("--plan", FILE).failed(2)


def test_a_plan_that_is_no_file_ends_in_usage(migrate: Run, local: Side, project: Path) -> None:
    migrate("--plan", "not-there").failed(2)
    migrate("--plan", ".").failed(2)
    os.mkfifo(project / "pipe")
    migrate("--plan", "pipe").failed(2)


def test_lines_in_another_order_or_twice_are_refused(migrate: Run, plan: Path, folder: Side) -> None:
    lines = lines_of(plan)
    rewrite(plan, [lines[0], lines[2], lines[1], lines[3], lines[4]])
    migrate("--plan", FILE).failed(2)
    rewrite(plan, [lines[0], lines[1], lines[1], lines[3], lines[4]])
    migrate("--plan", FILE).failed(2)
    assert folder.all == {}


def test_a_plan_of_another_workspace_is_refused(migrate: Run, plan: Path, folder: Side, persona: Run) -> None:
    assert persona("workspace", "create", "other").code == 0
    ran = persona("storage", "migrate", "--json", "--plan", FILE, "--workspace", "other")
    assert "default" in ran.failed(3)
    assert folder.all == {}


def test_a_plan_whose_places_are_others_now_is_refused(
    migrate: Run, plan: Path, folder: Side, local: Side, home: Path, tmp_path: Path
) -> None:
    moved = Side(local.settings, "local")
    moved.settings = type(local.settings)(local=type(local.settings.local)(path=tmp_path / "another"))
    configure(home, moved)
    assert "belongs to" in migrate("--plan", FILE).failed(3)
    assert folder.all == {}
    assert journals(home) == []


def test_a_plan_says_all_itself(migrate: Run, plan: Path) -> None:
    migrate("--plan", FILE, "--overwrite").failed(2)
    migrate("--plan", FILE, "--from", "local").failed(2)


def test_refused_names_of_a_plan_keep_the_run_incomplete(
    migrate: Run, local: Side, folder: Side, tmp_path: Path
) -> None:
    local.fill(CONTENTS)
    (tmp_path / "library" / "bad\nname").write_bytes(b"x")
    migrate("--from", "local", "--to", folder.name, "--dry-run", "--plan", FILE).done()
    document = migrate("--plan", FILE).done(1)
    assert document["state"] == "incomplete"
    assert folder.all == CONTENTS


def test_a_plan_to_a_bucket_is_run(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill(CONTENTS)
    migrate("--from", "local", "--to", "s3", "--dry-run", "--plan", FILE).done()
    assert s3.written() == []
    migrate("--plan", FILE).done()
    assert s3.all == CONTENTS


def test_what_a_plan_leaves_alone_is_verified_when_it_is_run(migrate: Run, local: Side, folder: Side) -> None:
    local.fill(CONTENTS)
    folder.put("a.yaml", b"a")
    folder.put("b/c.yaml", b"bc")
    migrate("--from", "local", "--to", folder.name, "--dry-run", "--plan", FILE).done()
    folder.put("b/c.yaml", b"xx")
    document = migrate("--plan", FILE).done(1)
    assert [failure["path"] for failure in document["failures"]] == ["b/c.yaml"]
    assert document["objects"] == {
        "total": 3,
        "copied": 1,
        "skipped": 1,
        "verified": 2,
        "failed": 1,
        "removed": 0,
        "gone": 0,
    }
    assert document["evidence"] == {"digest": 0, "reread": 2, "unchanged": 0}
    assert folder.get("b/c.yaml") == b"xx"
