"""A transfer from or to a place that returns damaged content, of the right length: the object fails, by name."""

from __future__ import annotations

import os

from tests.quirks import flipped
from tests.transfer.conftest import Bucket, Run, Side

LARGE = os.urandom(12_000_000)


def test_what_arrives_damaged_from_the_source_fails_alone(migrate: Run, local: Side, folder: Side, s3: Bucket) -> None:
    good = {f"{number:02}.yaml": b"good" for number in range(30)}
    bad = {f"bad-{number:02}.yaml": b"bad" for number in range(26)}  # more than make an outage
    s3.fill(good | bad | {"large": LARGE})
    s3.proxy.always("GET", r"/(bad-.*|large)$", flipped)
    document = migrate("--from", "s3", "--to", folder.name).done(8)
    assert document["state"] == "incomplete"
    assert {failure["path"] for failure in document["failures"]} == {*bad, "large"}
    assert all("arrives damaged" in failure["error"] for failure in document["failures"])
    assert folder.all == good
    assert len(s3.proxy.requests("GET", r"/bad-00\.yaml$")) == 2
    assert len(s3.proxy.requests("GET", r"/large$")) == 2
    s3.proxy.faults.clear()
    assert migrate("resume", document["id"]).done()["objects"]["verified"] == 57
    assert folder.all == good | bad | {"large": LARGE}


def test_what_arrives_damaged_once_is_read_again(migrate: Run, local: Side, folder: Side, s3: Bucket) -> None:
    s3.fill({"small": b"small", "large": LARGE})
    for name in ("small", "large"):
        s3.proxy.on("GET", f"/{name}$", flipped)
    migrate("--from", "s3", "--to", folder.name).done()
    assert folder.all == {"small": b"small", "large": LARGE}


def test_a_destination_that_returns_it_damaged_has_not_passed_verification(
    migrate: Run, local: Side, s3: Bucket
) -> None:
    local.fill({"a.yaml": b"a", "b.yaml": b"b"})
    s3.proxy.always("GET", r"/a\.yaml$", flipped)
    document = migrate("--from", "local", "--to", "s3", "--verify", "reread").done(8)
    assert [failure["path"] for failure in document["failures"]] == ["a.yaml"]
    assert document["objects"]["verified"] == 1
