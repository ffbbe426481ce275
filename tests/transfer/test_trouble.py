"""A provider that refuses, is gone or is slow pauses a job with a message, and the job goes on later."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import FaultProxy, answer, html, reset
from tests.serving import Server
from tests.transfer.conftest import Bucket, Run, Side, configure, journals

CONTENTS = {f"{i:02}.yaml": b"x" * (i + 1) for i in range(12)}


def refusal(code: str) -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>The token is refused.</Message></Error>"


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "TokenRefreshRequired"])
def test_credentials_that_expire_pause_the_job(migrate: Run, local: Side, s3: Bucket, code: str) -> None:
    local.fill(CONTENTS)
    status = 400 if code == "ExpiredToken" else 403
    s3.proxy.on("PUT", r"\d\d\.yaml", answer(status, refusal(code)), skip=4)
    ran = migrate("--from", "local", "--to", "s3", "--concurrency", "1")
    document = ran.done(4)
    assert document["state"] == "paused"
    assert document["phase"] == "migration"
    assert document["objects"]["copied"] == 4
    assert document["objects"]["failed"] == 0
    assert document["error"]
    assert f"resume {document['id']}" in ran.err
    assert migrate("resume").done()["objects"]["verified"] == 12
    assert s3.all == CONTENTS


def test_credentials_that_expire_during_verification_pause_the_job(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill(CONTENTS)
    s3.proxy.on("GET", "list-type=2(?!.*(probe|tombstone))", answer(400, refusal("ExpiredToken")), skip=1)
    ran = migrate("--from", "local", "--to", "s3")
    assert ran.done(4)["phase"] == "verification"
    document = migrate("resume").done()
    assert document["objects"]["copied"] == document["objects"]["verified"] == 12


def test_credentials_that_expire_during_the_inventory_keep_it(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill(CONTENTS)
    s3.proxy.on("GET", "list-type=2", answer(400, refusal("ExpiredToken")))
    document = migrate("--from", "local", "--to", "s3").done(4)
    assert (document["state"], document["phase"], document["objects"]["total"]) == ("paused", "inventory", 12)
    migrate("resume").done()
    assert s3.all == CONTENTS


def test_an_object_that_may_not_be_read_fails_alone(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill(CONTENTS)
    s3.proxy.on("PUT", r"05\.yaml", answer(403, refusal("AccessDenied")))
    document = migrate("--from", "local", "--to", "s3").done(1)
    assert [failure["path"] for failure in document["failures"]] == ["05.yaml"]
    assert document["objects"]["verified"] == 11
    assert migrate("resume", document["id"]).done()["objects"]["verified"] == 12


def test_a_dead_server_ends_soon_and_the_job_can_be_resumed(migrate: Run, local: Side, s3: Bucket, home: Path) -> None:
    local.fill(CONTENTS)
    s3.proxy.on("PUT", r"\d\d\.yaml", reset, skip=3, times=1)
    with FaultProxy() as nobody:
        gone = nobody.url
    configure(home, local, s3.through)
    dead = dataclasses.replace(s3.through, s3=dataclasses.replace(s3.through.s3, endpoint_url=gone))
    configure(home, local, dead)
    begun = time.monotonic()
    ran = migrate("--from", "local", "--to", "s3")
    assert ran.code == 7
    assert time.monotonic() - begun < 20
    assert ran.json
    configure(home, local, s3.through)
    migrate("--from", "local", "--to", "s3").done()
    assert s3.all == CONTENTS


def test_a_server_that_dies_on_the_way_pauses_the_job(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill(CONTENTS | {f"more/{i:02}.yaml": b"y" for i in range(30)})
    s3.proxy.on("PUT", r"\.yaml", answer(503, "down"), skip=5, times=100_000)
    begun = time.monotonic()
    ran = migrate("--from", "local", "--to", "s3")
    document = ran.done(7)
    assert time.monotonic() - begun < 20
    assert document["state"] == "paused"
    assert document["objects"]["copied"] == 5
    assert document["objects"]["failed"] == 0
    assert f"resume {document['id']}" in ran.err
    s3.proxy.faults.clear()
    assert migrate("resume").done()["objects"]["verified"] == 42


@pytest.mark.parametrize("what", [answer(200, "no xml"), html(), answer(500)])
def test_a_listing_that_is_none_is_no_empty_source(
    migrate: Run, local: Side, s3: Bucket, folder: Side, home: Path, what: Callable[..., None]
) -> None:
    s3.fill(CONTENTS)
    s3.proxy.on("GET", "list-type=2", what, times=1000)
    ran = migrate("--from", "s3", "--to", folder.name)
    assert ran.code in (1, 7), ran
    assert "Traceback" not in ran.err
    s3.proxy.faults.clear()
    migrate("--from", "s3", "--to", folder.name).done()
    assert folder.all == CONTENTS


@pytest.mark.parametrize("way", ["from", "to"])
def test_a_bucket_that_is_not_there_is_not_found_and_leaves_no_job(
    migrate: Run, local: Side, folder: Side, s3: Bucket, home: Path, way: str
) -> None:
    local.fill(CONTENTS)
    nowhere = dataclasses.replace(s3.through.s3, bucket="not-there")
    configure(home, local, dataclasses.replace(s3.through, s3=nowhere))
    ends = ("s3", folder.name) if way == "from" else ("local", "s3")
    migrate("--from", ends[0], "--to", ends[1]).failed(5)
    assert journals(home) == []
    assert folder.all == {}


def test_a_workspace_that_is_not_there_is_told_of(migrate: Run, local: Side, folder: Side, home: Path) -> None:
    ran = migrate("--from", "workspace:nobody", "--to", folder.name)
    assert ran.code in (2, 3, 5)
    assert "nobody" in ran.failed(ran.code)
    assert journals(home) == []


@pytest.mark.parametrize(
    "ends",
    [
        ("local", "local"),
        ("local", "ftp://x/y"),
        ("nothing", "local"),
        ("", "local"),
        ("local", "s3"),
        ("local", "file:///"),
        ("gcs", "azure"),
        ("s3://", "local"),
        ("workspace:", "local"),
        ("local", "workspace:default"),
        ("local", "\x00"),
        ("s3://user:secret@bucket/x", "local"),
    ],
)
def test_places_that_are_none_or_one_are_refused(migrate: Run, local: Side, home: Path, ends: tuple[str, str]) -> None:
    local.fill(CONTENTS)
    ran = migrate("--from", ends[0], "--to", ends[1])
    assert ran.code in (2, 3, 4, 5), ran
    assert "Traceback" not in ran.err
    assert ran.json["error"]
    assert journals(home) == []
    assert local.all == CONTENTS


def test_a_target_folder_that_is_a_file_is_told_of(migrate: Run, local: Side, tmp_path: Path) -> None:
    local.fill(CONTENTS)
    (tmp_path / "file").write_text("x")
    ran = migrate("--from", "local", "--to", f"file://{tmp_path}/file")
    assert ran.code not in (0, 130)
    assert "Traceback" not in ran.err
    migrate("--from", f"file://{tmp_path}/file", "--to", f"file://{tmp_path}/elsewhere").failed(5)


def test_a_source_folder_that_is_not_there_is_no_empty_one(
    migrate: Run, local: Side, folder: Side, tmp_path: Path
) -> None:
    migrate("--from", f"file://{tmp_path}/nowhere", "--to", folder.name).failed(5)


def test_throttling_is_no_failure(migrate: Run, local: Side, s3: Bucket) -> None:
    local.fill(CONTENTS)
    s3.proxy.on("PUT", r"\.yaml", answer(429, "slow", retry_after="1"), skip=2, times=2)
    s3.proxy.on("GET", "list-type", answer(503, refusal("SlowDown"), retry_after="1"))
    assert migrate("--from", "local", "--to", "s3").done()["objects"]["verified"] == 12


def test_the_same_server_twice(migrate: Run, local: Side, s3: Bucket, running: Callable[[str], Server]) -> None:
    """A bucket to itself, and to a folder in it, is refused; to a folder beside it, it is not."""
    s3.fill(CONTENTS)
    bucket, prefix = s3.settings.s3.bucket, s3.settings.s3.prefix
    migrate("--from", "s3", "--to", f"s3://{bucket}/{prefix}").failed(2)
    migrate("--from", "s3", "--to", f"s3://{bucket}/{prefix}/below").failed(2)
    migrate("--from", f"s3://{bucket}", "--to", "s3").failed(2)
    document = migrate("--from", "s3", "--to", f"s3://{bucket}/{prefix}-beside").done()
    assert document["objects"]["verified"] == 12
    assert document["evidence"]["digest"] == 12
    bodies = [seen for seen in s3.proxy.requests("PUT", r"beside/\d") if seen.body]
    assert bodies == []  # the server copied, and nothing went through this machine
