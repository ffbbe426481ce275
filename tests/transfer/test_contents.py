"""Everything that an object is arrives: its bytes, its name, its type, its metadata."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tests.servers import Moto
from tests.serving import Server
from tests.transfer.conftest import Bucket, Run, Side, configure

ODD = [
    "plain.yaml",
    "with space.yaml",
    "ünï/cödé/日本語.yaml",
    "emoji 🎭.yaml",
    "a+b=c&d;e,f.yaml",
    "100% sure?.yaml",
    "quote'\"`.yaml",
    "CON",
    "aux.txt",
    "trailing dot.",
    "trailing space ",
    "col:on",
    "#hash",
    "~tilde",
    ".hidden",
    "UPPER.yaml",
    "upper.yaml",
    "deep/" * 20 + "end",
    "n" * 200,
    "%2e%2e",
    "[x]*{y}",
    "<b>&amp;</b>",
    "-rf",
    "x-1",
    "x.yaml",
]


def test_odd_names_arrive_and_come_back(migrate: Run, local: Side, s3: Bucket, folder: Side) -> None:
    local.fill({name: name.encode() for name in ODD})
    document = migrate("--from", "local", "--to", "s3").done()
    assert document["objects"]["copied"] == document["objects"]["verified"] == len(ODD)
    assert s3.all == {name: name.encode() for name in ODD}
    migrate("--from", "s3", "--to", folder.name).done()
    assert folder.all == {name: name.encode() for name in ODD}
    assert migrate("--from", "s3", "--to", folder.name).done()["objects"]["skipped"] == len(ODD)


def test_type_and_metadata_arrive_and_come_back(migrate: Run, local: Side, s3: Bucket, folder: Side) -> None:
    how = {
        "content_type": "text/x-persona; charset=utf-8",
        "metadata": {"author": "Zoë", "Note": "a b=c; d\t", "e": ""},
    }
    local.put("a.yaml", b"a", **how)
    local.put("big", os.urandom(6_000_000), **how)
    local.put("none.json", b"{}")
    migrate("--from", "local", "--to", "s3").done()
    migrate("--from", "s3", "--to", folder.name).done()
    for side in (local, s3, folder):
        for path in ("a.yaml", "big"):
            found = side.stat(path)
            assert found.content_type == how["content_type"], (side.name, path)
            assert {k.lower(): v.rstrip() for k, v in (found.metadata or {}).items()} == {
                "author": "Zoë",
                "note": "a b=c; d",
                "e": "",
            }
        assert side.stat("none.json").content_type == "application/json"


def test_metadata_of_a_replaced_object_is_the_source_s(migrate: Run, local: Side, s3: Bucket) -> None:
    local.put("a.yaml", b"new", metadata={"of": "source"})
    s3.put("a.yaml", b"old", metadata={"of": "target", "more": "x"})
    migrate("--from", "local", "--to", "s3", "--overwrite").done()
    assert s3.stat("a.yaml").metadata == {"of": "source"}


def test_empty_objects_arrive(migrate: Run, local: Side, s3: Bucket, folder: Side) -> None:
    local.fill({"empty": b"", "also/empty.yaml": b""})
    document = migrate("--from", "local", "--to", "s3").done()
    assert document["evidence"] == {"digest": 2, "reread": 0, "unchanged": 0}
    assert document["bytes"] == {"total": 0, "copied": 0}
    migrate("--from", "s3", "--to", folder.name).done()
    assert folder.all == {"empty": b"", "also/empty.yaml": b""}


def test_an_empty_library_is_moved_at_once(migrate: Run, local: Side, s3: Bucket, folder: Side) -> None:
    (local.settings.local.path or Path()).mkdir()
    document = migrate("--from", "local", "--to", "s3").done()
    assert document["state"] == "complete"
    assert document["objects"]["total"] == 0
    assert s3.written() == []


def test_foreign_names_on_disk_are_listed_and_the_others_arrive(
    migrate: Run, local: Side, folder: Side, tmp_path: Path
) -> None:
    local.fill({"a.yaml": b"a", "z/b.yaml": b"b"})
    root = os.fsencode(tmp_path / "library")
    for name in (b"line\nbreak", b"not\xffutf8", "cafe\u0301".encode()):  # the last is a name as any other
        Path(os.fsdecode(root + b"/z/" + name)).write_bytes(b"x")
    document = migrate("--from", "local", "--to", folder.name).done(1)
    assert document["state"] == "incomplete"
    assert document["objects"]["failed"] == len(document["failures"]) == 2
    assert all(failure["error"] for failure in document["failures"])
    assert document["objects"]["copied"] == document["objects"]["verified"] == 3
    assert folder.all == {"a.yaml": b"a", "z/b.yaml": b"b", "z/cafe\u0301": b"x"}


def test_foreign_names_in_a_bucket_are_listed_and_the_others_arrive(
    migrate: Run, local: Side, home: Path, moto: Server, folder: Side
) -> None:
    """On moto, since SeaweedFS itself changes most of these names."""
    assert isinstance(moto, Moto)
    bucket = moto.make_bucket(f"foreign-{secrets.token_hex(4)}")
    for key in ("a//b", "dot/../x", "x%01y", "e%CC%81", "tail/", "good.yaml"):
        moto.request("PUT", f"/{bucket}/{key}", headers={"content-length": "1"}, body=b"x")
    s3 = moto.settings(bucket)
    configure(home, local, s3)
    document = migrate("--from", "s3", "--to", folder.name).done(1)
    assert document["state"] == "incomplete"
    assert folder.all == {"good.yaml": b"x", "e\u0301": b"x"}
    assert {failure["path"] for failure in document["failures"]} >= {"a//b", "x\x01y"}
    assert document["objects"]["failed"] == len(document["failures"])


def test_an_object_that_is_a_folder_too_arrives_as_both(migrate: Run, s3: Bucket, folder: Side, local: Side) -> None:
    """One at a time: SeaweedFS takes “x/y” after “x”, but no “x” under a condition after “x/y”."""
    contents = {"x": b"the object", "x/y": b"below it", "x/z/w": b"deeper"}
    local.fill(contents)
    migrate("--from", "local", "--to", "s3", "--concurrency", "1").done()
    migrate("--from", "s3", "--to", folder.name).done()
    assert folder.all == contents


def test_reserved_names_take_no_part_and_are_counted(persona: Run, migrate: Run, local: Side, folder: Side) -> None:
    """At any depth; a name that Persona does not make itself may be the user's, and is told even with --quiet."""
    own = {".persona-backup/20260101-000000-0000/a": b"old", "t/.persona-probe-1": b"p", "t/.persona-conflicts/x": b""}
    local.fill({"a.yaml": b"a", "t.persona-x": b"b", **own, "t/.persona-notes.yaml": b"mine"})
    document = migrate("--from", "local", "--to", folder.name).done()
    assert folder.all == {"a.yaml": b"a", "t.persona-x": b"b"}
    assert document["objects"]["total"] == 2
    assert document["reserved"] == {"objects": 4, "bytes": 8, "names": ["t/.persona-notes.yaml"]}
    again = persona("--quiet", "storage", "migrate", "--from", "local", "--to", folder.name)
    assert "Reserved for Persona, left out: 4 (8 B)" in again.out
    assert again.err.splitlines() == [
        "Warning: Left out: t/.persona-notes.yaml. Names that begin with “.persona-” are reserved for Persona."
    ]


def test_nothing_is_written_below_a_reserved_name(sync: Run, local: Side, folder: Side) -> None:
    folder.put("a.yaml")
    said = sync(folder.settings.local.path, ".persona-mine/x").failed(2)
    assert "“.persona-mine/x”: names that begin with “.persona-” are reserved" in said
    assert local.all == {}


def test_what_was_kept_in_a_nested_library_can_be_brought_back(sync: Run, local: Side) -> None:
    local.put("team/.persona-backup/20260101-000000-0000/a.yaml", b"old")
    sync("team/.persona-backup/20260101-000000-0000", "team").done()
    assert local.get("team/a.yaml") == b"old"


def test_names_too_long_for_the_destination_are_failures_of_their_own(migrate: Run, local: Side, s3: Bucket) -> None:
    long = "/".join(["d" * 99] * 10) + "/" + "e" * 20  # 1,020 bytes; the prefix adds more than is left
    local.fill({long: b"long", "a.yaml": b"a"})
    dry = migrate("--from", "local", "--to", "s3", "--dry-run").done()
    document = migrate("--from", "local", "--to", "s3").done(1)
    assert [failure["path"] for failure in document["failures"]] == [long]
    assert dry["plan"]["refuse"] == document["plan"]["refuse"] == {"objects": 1, "bytes": 4}
    assert s3.all == {"a.yaml": b"a"}
