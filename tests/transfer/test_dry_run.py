"""A dry run makes the plan that the run makes, writes nothing, and leaves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from persona.cli import transfers
from persona.transfer.jobs import Jobs
from persona.transfer.plan import Planner
from tests.transfer.conftest import Bucket, Run, Side, journals

COUNTS = ("copy", "replace", "skip", "conflict", "remove", "refuse")


class _Killed(Exception):  # noqa: N818  (stands for the end of a process)
    """The process is gone."""


async def _killed(*_: object) -> None:
    raise _Killed


def prepare(source: Side, target: Side) -> None:
    """Put something of every case on the two sides."""
    source.fill({f"new/{i}.yaml": b"new %d" % i for i in range(5)})
    source.fill({"same.yaml": b"equal", "size.yaml": b"longer than there", "edit.yaml": b"aaaa", "empty": b""})
    target.fill({"same.yaml": b"equal", "size.yaml": b"short", "edit.yaml": b"bbbb", "empty": b"", "extra.yaml": b"x"})


def counted(document: Any) -> dict[str, int]:
    """Return how many objects a plan has by what is to be done."""
    return {key: document["plan"][key]["objects"] for key in COUNTS}


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_the_plan_of_a_dry_run_is_that_of_the_run(migrate: Run, s3: Bucket, local: Side, overwrite: tuple[str]) -> None:
    prepare(local, s3)
    there = s3.all
    dry = migrate("--from", "local", "--to", "s3", "--dry-run", *overwrite).done()
    assert s3.written() == []
    assert s3.all == there
    run = migrate("--from", "local", "--to", "s3", *overwrite).done(0 if overwrite else 1)
    replaced = 2 if overwrite else 0
    expected = {"copy": 5, "replace": replaced, "skip": 2, "conflict": 2 - replaced, "remove": 0, "refuse": 0}
    assert counted(dry) == counted(run) == expected
    assert dry["state"] == "planned"
    assert dry["plan"]["copy"]["bytes"] == run["plan"]["copy"]["bytes"] == 25


def test_a_dry_sync_with_removals_is_that_of_the_run(sync: Run, s3: Bucket, local: Side) -> None:
    prepare(local, s3)
    there = s3.all
    target = f"s3://{s3.settings.s3.bucket}/{s3.settings.s3.prefix}"
    dry = sync(local.settings.local.path, target, "--delete", "--dry-run").done()
    assert s3.written() == []
    assert s3.all == there
    run = sync(local.settings.local.path, target, "--delete").done()
    assert counted(dry) == counted(run) == {"copy": 5, "replace": 2, "skip": 2, "conflict": 0, "remove": 1, "refuse": 0}
    assert "extra.yaml" not in s3.all


def test_the_requests_that_a_dry_run_foretells_are_those_of_the_run(migrate: Run, s3: Bucket, local: Side) -> None:
    local.fill({f"new/{i}.yaml": b"new %d" % i for i in range(40)})
    dry = migrate("--from", "local", "--to", "s3", "--dry-run").done()
    begun = len(s3.proxy.seen)
    migrate("--from", "local", "--to", "s3").done()
    requests = dry["plan"]["requests"]["destination"]
    assert requests["write"] == 40
    puts = [seen for seen in s3.proxy.seen[begun:] if seen.method == "PUT" and "/new/" in seen.target]
    assert len(puts) == requests["write"]
    listings = [seen for seen in s3.proxy.seen[begun:] if "list-type" in seen.target and "probe" not in seen.target]
    assert len(listings) == requests["list"]


def test_a_copy_of_the_providers_own_reads_nothing(migrate: Run, s3: Bucket) -> None:
    s3.fill({f"{i}.yaml": b"%d" % i for i in range(20)})
    ends = ("--from", "s3", "--to", f"s3://{s3.settings.s3.bucket}/{s3.settings.s3.prefix}-copy")
    plan = migrate(*ends, "--dry-run").done()["plan"]["requests"]
    begun = len(s3.proxy.seen)
    assert migrate(*ends).done()["evidence"]["digest"] == 20
    seen = [each for each in s3.proxy.seen[begun:] if "probe" not in each.target and "list-type" not in each.target]
    copies = [each for each in seen if each.method == "PUT" and "x-amz-copy-source" in each.headers]
    assert plan["source"]["read"] == plan["destination"]["read"] == sum(each.method == "GET" for each in seen) == 0
    assert plan["destination"]["copy"] == len(copies) == 20
    assert plan["destination"]["write"] == 0


def test_refused_names_stand_in_the_plan(migrate: Run, folder: Side, local: Side, tmp_path: Path) -> None:
    local.put("good.yaml")
    (tmp_path / "library" / "bad\nname").write_bytes(b"x")
    dry = migrate("--from", "local", "--to", folder.name, "--dry-run").done()
    assert counted(dry)["refuse"] == 1
    assert dry["objects"]["failed"] == 1
    assert "bad" in dry["failures"][0]["path"]
    assert counted(migrate("--from", "local", "--to", folder.name).done(1)) == counted(dry)


def test_a_dry_run_leaves_no_journal(migrate: Run, folder: Side, local: Side, home: Path) -> None:
    local.put("a.yaml")
    migrate("--from", "local", "--to", folder.name, "--dry-run").done()
    assert journals(home) == []
    assert not (folder.settings.local.path or Path()).exists()
    assert migrate("list").done() == {"jobs": []}


def test_the_text_says_that_nothing_was_written(persona: Run, folder: Side, local: Side) -> None:
    prepare(local, folder)
    ran = persona("storage", "migrate", "--from", "local", "--to", folder.name, "--dry-run")
    assert ran.code == 0
    assert "Plan (nothing was written)" in ran.out
    assert "To copy" in ran.out
    assert "Other content there, left alone: 2 (21 B)" in ran.out


def test_a_dry_run_that_was_interrupted_is_not_resumed_as_a_run(
    migrate: Run, folder: Side, local: Side, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.fill({f"{i}.yaml": b"x" for i in range(3)})
    with monkeypatch.context() as patch:
        patch.setattr(transfers, "_on_signals", lambda engine, session: engine.pause())
        document = migrate("--from", "local", "--to", folder.name, "--dry-run").done(130)
    assert document["error"]["exit_code"] == 130
    assert journals(home) == []


def test_a_dry_run_that_was_killed_is_not_resumed_as_a_run(
    migrate: Run, folder: Side, local: Side, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.fill({f"{i}.yaml": b"x" for i in range(3)})
    with monkeypatch.context() as patch:
        patch.setattr(Planner, "compare_listings", _killed)
        patch.setattr(Jobs, "remove", lambda self, job: 0)
        with pytest.raises(_Killed):
            migrate("--from", "local", "--to", folder.name, "--dry-run")
    assert len(journals(home)) == 1
    assert migrate("resume").done()["state"] == "planned"
    assert folder.all == {}
    assert journals(home) == []
