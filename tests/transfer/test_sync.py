"""A sync brings one folder to the state of another, with as few requests as that takes, and removes with care."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.transfer.conftest import Bucket, Run, Side, configure, journals

CONTENTS = {"a.yaml": b"a", "b/c.yaml": b"bc", "b/d.txt": b"text", "e.json": b"{}"}


@pytest.fixture
def here(local: Side) -> str:
    """The library as a folder of this machine."""
    return str(local.settings.local.path)


@pytest.fixture
def there(folder: Side) -> str:
    """The other folder."""
    return str(folder.settings.local.path)


def kept(side: Side, job: str) -> dict[str, bytes]:
    """Return what a job kept."""
    prefix = f".persona-backup/{job}/"
    return {path.removeprefix(prefix): data for path, data in side.all.items() if path.startswith(prefix)}


def live(side: Side) -> dict[str, bytes]:
    """Return what is no backup."""
    return {path: data for path, data in side.all.items() if not path.startswith(".persona-")}


def bucket_url(s3: Bucket, below: str = "") -> str:
    return f"s3://{s3.settings.s3.bucket}/{s3.settings.s3.prefix}{below}"


def test_new_and_changed_objects_are_copied(sync: Run, local: Side, folder: Side, here: str, there: str) -> None:
    local.fill(CONTENTS)
    folder.fill({"a.yaml": b"older", "extra": b"x"})
    document = sync(here, there).done()
    assert document["kind"] == "sync"
    assert live(folder) == CONTENTS | {"extra": b"x"}
    assert kept(folder, document["id"]) == {"a.yaml": b"older"}
    assert document["objects"]["copied"] == 4


def test_every_spelling_of_a_path(
    sync: Run, local: Side, s3: Bucket, project: Path, tmp_path: Path, home: Path
) -> None:
    local.fill({"team/a.yaml": b"a"})
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "b.yaml").write_bytes(b"b")
    sync("team", "../one").done()
    sync("storage:team/", "~/two").done()
    sync("team", f"file://{tmp_path}/three").done()
    sync("team", bucket_url(s3, "/four")).done()
    sync("workspace:default/team", tmp_path / "five").done()
    sync(bucket_url(s3, "/four"), "copied/from/s3").done()
    sync("../beside", "team/beside").done()
    for name in ("one", "two", "three", "five"):
        assert (tmp_path / name / "a.yaml").read_bytes() == b"a", name
    assert s3.all == {"four/a.yaml": b"a"}
    assert local.all == {"team/a.yaml": b"a", "copied/from/s3/a.yaml": b"a", "team/beside/b.yaml": b"b"}


def test_a_source_that_is_not_there_is_no_empty_source(
    sync: Run, local: Side, folder: Side, there: str, tmp_path: Path
) -> None:
    folder.fill(CONTENTS)
    for source in (tmp_path / "nowhere", "../nowhere", "~/nowhere", "nowhere", f"file://{tmp_path}/nowhere"):
        for more in ((), ("--delete",), ("--delete", "--delete-limit", "100%")):
            if source == "nowhere" and "--delete-limit" in more:
                continue
            sync(source, there, *more).failed(5)
    (tmp_path / "file").write_text("x")
    sync(tmp_path / "file", there, "--delete").failed(5)
    assert folder.all == CONTENTS


def test_an_empty_source_does_not_empty_the_destination(
    sync: Run, local: Side, folder: Side, there: str, tmp_path: Path
) -> None:
    folder.fill(CONTENTS)
    (tmp_path / "empty").mkdir()
    assert "empty" in sync(tmp_path / "empty", there, "--delete").failed(2)
    assert folder.all == CONTENTS
    sync(tmp_path / "empty", there, "--delete", "--delete-limit", "3").failed(2)
    assert folder.all == CONTENTS
    document = sync(tmp_path / "empty", there, "--delete", "--delete-limit", "4").done()
    assert live(folder) == {}
    assert kept(folder, document["id"]) == CONTENTS


@pytest.mark.parametrize(
    ("limit", "left", "code"),
    [
        ("", 5, 0),
        ("", 4, 2),
        ("6", 4, 0),
        ("5", 4, 2),
        ("60%", 4, 0),
        ("59%", 4, 2),
        ("100%", 1, 0),
        ("0", 9, 2),
        ("0", 10, 0),
    ],
)
def test_the_limit_of_removals(
    sync: Run, local: Side, folder: Side, here: str, there: str, limit: str, left: int, code: int, home: Path
) -> None:
    folder.fill({f"{i}": b"%d" % i for i in range(10)})
    local.fill({f"{i}": b"%d" % i for i in range(left)})
    before = folder.all
    more = ["--delete-limit", limit] if limit else []
    ran = sync(here, there, "--delete", *more)
    if code:
        assert f"{10 - left}" in ran.failed(code)
        assert folder.all == before
        assert journals(home) == []
    else:
        assert ran.done()["objects"]["removed"] == 10 - left
        assert live(folder) == local.all


@pytest.mark.parametrize("limit", ["-1", "x", "101%", "5%%", "%", "1.5", "50 %", "1e3", "²"])
def test_a_limit_that_is_none_is_refused(sync: Run, local: Side, here: str, there: str, limit: str) -> None:
    local.fill(CONTENTS)
    sync(here, there, "--delete", "--delete-limit", limit).failed(2)


def test_removals_are_kept_unless_nobody_wants_that(
    sync: Run, local: Side, folder: Side, here: str, there: str
) -> None:
    local.fill(CONTENTS)
    folder.fill({"a.yaml": b"old", "x/extra": b"x"})
    document = sync(here, there, "--delete").done()
    assert kept(folder, document["id"]) == {"a.yaml": b"old", "x/extra": b"x"}
    assert document["backup"].endswith(f".persona-backup/{document['id']}/")
    folder.put("more", b"m")
    second = sync(here, there, "--delete", "--no-backup").done()
    assert second["backup"] is None
    assert second["objects"]["removed"] == 1
    assert live(folder) == CONTENTS
    assert kept(folder, second["id"]) == {}
    assert kept(folder, document["id"]) == {"a.yaml": b"old", "x/extra": b"x"}  # later syncs leave it alone


def test_nothing_is_removed_if_a_copy_failed(
    sync: Run, local: Side, folder: Side, here: str, there: str, tmp_path: Path
) -> None:
    local.fill(CONTENTS)
    folder.fill({"extra": b"x"})
    (tmp_path / "library" / "bad\nname").write_bytes(b"x")
    document = sync(here, there, "--delete", "--delete-limit", "100%").done(1)
    assert document["state"] == "incomplete"
    assert document["objects"]["removed"] == 0
    assert live(folder) == CONTENTS | {"extra": b"x"}


def test_patterns_choose_on_both_sides(sync: Run, local: Side, folder: Side, here: str, there: str) -> None:
    local.fill(CONTENTS)
    extra = {"x.txt": b"x", "b/y.txt": b"y", "z.yaml": b"z"}
    folder.fill(extra)
    document = sync(here, there, "--exclude", "*.txt", "--exclude", "/e.json", "--delete", "--delete-limit", "1").done()
    assert document["objects"]["total"] == 2
    assert live(folder) == {"a.yaml": b"a", "b/c.yaml": b"bc", "x.txt": b"x", "b/y.txt": b"y"}
    sync(here, there, "--include", "b/", "--exclude", "*.yaml", "--delete", "--delete-limit", "1").done()
    assert live(folder) == {"a.yaml": b"a", "b/c.yaml": b"bc", "b/d.txt": b"text", "x.txt": b"x"}


@pytest.mark.parametrize("pattern", ["!", "[", "", " ", "\\", "***", "/", "#", "a" * 5000, "[z-a]", "\x00"])
def test_odd_patterns_are_no_traceback(sync: Run, local: Side, here: str, there: str, pattern: str) -> None:
    local.fill(CONTENTS)
    for option in ("--include", "--exclude"):
        ran = sync(here, there, option, pattern)
        assert ran.code in (0, 2), ran
        assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("team", "team"),
        ("team", "team/below"),
        ("team/below", "team"),
        ("", "team"),
        ("team", ""),
        ("workspace:default", "team"),
    ],
)
def test_places_within_each_other_are_refused(sync: Run, local: Side, source: str, target: str, home: Path) -> None:
    local.fill({"team/below/a": b"a"})
    sync(source, target).failed(2)
    assert journals(home) == []


def test_a_link_to_the_same_folder_is_the_same(sync: Run, local: Side, here: str, tmp_path: Path) -> None:
    local.fill(CONTENTS)
    (tmp_path / "link").symlink_to(here)
    sync(here, tmp_path / "link").failed(2)
    sync(here, tmp_path / "link" / "below").failed(2)


def test_a_sync_with_nothing_to_do_lists_each_side_once(sync: Run, local: Side, s3: Bucket, here: str) -> None:
    local.fill(CONTENTS)
    local.put("large", os.urandom(6_000_000))
    sync(here, bucket_url(s3)).done()
    for more in ((), ("--delete",)):
        s3.proxy.seen.clear()
        document = sync(here, bucket_url(s3), *more).done()
        assert [(seen.method, "list-type=2" in seen.target) for seen in s3.proxy.seen] == [("GET", True)]
        assert document["objects"]["copied"] == 0
        assert document["objects"]["skipped"] == 5


def test_what_was_seen_equal_counts_as_unchanged_and_not_as_verified(
    sync: Run, local: Side, folder: Side, here: str, there: str
) -> None:
    local.fill(CONTENTS)
    assert sync(here, there).done()["evidence"] == {"digest": 0, "reread": 4, "unchanged": 0}
    second = sync(here, there).done()
    assert second["evidence"] == {"digest": 0, "reread": 0, "unchanged": 4}
    assert (second["objects"]["skipped"], second["objects"]["verified"]) == (4, 0)
    third = sync(here, there, "--checksum").done()
    assert third["evidence"] == {"digest": 0, "reread": 4, "unchanged": 0}
    fourth = sync(here, there).done()
    assert fourth["evidence"]["unchanged"] == 4


def test_memory_holds_for_one_pair_and_forgets_what_is_gone(
    sync: Run, local: Side, folder: Side, here: str, there: str, tmp_path: Path
) -> None:
    local.fill(CONTENTS)
    sync(here, there).done()
    assert sync(here, tmp_path / "third").done()["objects"]["copied"] == 4
    local.drop("a.yaml")
    sync(here, there).done()
    local.put("a.yaml", b"A")
    assert sync(here, there).done()["objects"]["copied"] == 1
    assert folder.get("a.yaml") == b"A"


def test_a_change_on_either_side_is_seen(sync: Run, local: Side, folder: Side, here: str, there: str) -> None:
    local.fill(CONTENTS)
    sync(here, there).done()
    folder.put("a.yaml", b"z")
    local.put("b/c.yaml", b"zz")
    document = sync(here, there).done()
    assert document["objects"]["copied"] == 2
    assert live(folder) == CONTENTS | {"b/c.yaml": b"zz"}
    assert kept(folder, document["id"]) == {"a.yaml": b"z", "b/c.yaml": b"bc"}


def test_a_memory_that_is_damaged_only_costs_time(
    sync: Run, local: Side, folder: Side, here: str, there: str, home: Path
) -> None:
    local.fill(CONTENTS)
    sync(here, there).done()
    (memory,) = (home / "transfers" / "default").glob("pair-*")
    for content in (b"", b"nonsense" * 1000, os.urandom(9000), memory.read_bytes()[:5000]):
        memory.write_bytes(content)
        assert sync(here, there).done()["objects"]["copied"] == 0
    assert sync(here, there).done()["evidence"]["unchanged"] == 4


def test_a_sync_out_of_the_bucket_and_back(sync: Run, local: Side, s3: Bucket, folder: Side, there: str) -> None:
    s3.fill(CONTENTS)
    sync(bucket_url(s3), there).done()
    assert live(folder) == CONTENTS
    folder.put("new", b"new")
    document = sync(there, bucket_url(s3)).done()
    assert document["objects"]["copied"] == 1
    assert s3.all == CONTENTS | {"new": b"new"}


def test_an_old_sync_gives_its_journal_up_to_the_next(
    sync: Run, migrate: Run, local: Side, here: str, there: str, home: Path
) -> None:
    local.fill(CONTENTS)
    first = sync(here, there).done()["id"]
    second = sync(here, there).done()["id"]
    assert [file.stem for file in journals(home)] == [second]
    assert first != second
    assert migrate("report", second).done()["kind"] == "sync"


def test_a_sync_that_was_paused_is_resumed_by_its_id(
    sync: Run, migrate: Run, local: Side, folder: Side, here: str, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from persona.cli import transfers

    local.fill(CONTENTS)
    with monkeypatch.context() as patch:
        patch.setattr(transfers, "_on_signals", lambda engine, session: engine.pause())
        document = sync(here, there, "--include", "*.yaml").done(130)
    migrate("resume").failed(5)  # which without an ID means migrations
    resumed = migrate("resume", document["id"]).done()
    assert live(folder) == {"a.yaml": b"a", "b/c.yaml": b"bc"}
    assert resumed["objects"]["copied"] == 2


def test_a_sync_needs_both_ends(persona: Run, local: Side) -> None:
    persona("storage", "sync", "--from", "a").failed(2)
    persona("storage", "sync").failed(2)


def test_symbolic_links_out_of_the_source_are_not_followed(
    sync: Run, local: Side, folder: Side, here: str, there: str, tmp_path: Path
) -> None:
    local.fill(CONTENTS)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "library" / "link.yaml").symlink_to(tmp_path / "secret")
    ran = sync(here, there)
    assert ran.code in (0, 1)
    assert b"secret" not in folder.all.values()


def test_a_destination_below_a_file_is_told_of(sync: Run, local: Side, here: str, tmp_path: Path, home: Path) -> None:
    local.fill(CONTENTS)
    (tmp_path / "file").write_text("x")
    ran = sync(here, tmp_path / "file" / "below")
    assert ran.code not in (0, 130)
    assert "Traceback" not in ran.err
    assert (tmp_path / "file").read_text() == "x"
    configure(home, local)


def test_a_url_of_a_folder_is_absolute(sync: Run, migrate: Run, local: Side, project: Path, here: str) -> None:
    local.fill(CONTENTS)
    for wrong in ("file://host/x", "file://x", "file://", "file://../x"):
        sync(here, wrong).failed(2)
        sync(wrong, "copied").failed(2)
        migrate("--from", "local", "--to", wrong).failed(2)
        migrate("--from", wrong, "--to", "local").failed(2)
    assert [*project.iterdir()] == []
    sync(here, f"file://{project}/odd%20name%23").done()
    assert (project / "odd name#" / "a.yaml").read_bytes() == b"a"
