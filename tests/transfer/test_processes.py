"""Jobs in processes of their own: paused by signals and by each other, never two at one job."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import Act, Seen, forward, stall
from tests.transfer.conftest import Bucket, Run, Side, configure

CONTENTS = {f"{i:02}.yaml": b"x" * i for i in range(12)}
Process = subprocess.Popen[str]


def slow(seconds: float) -> Act:
    """Pass a request on after a while."""

    def act(handler: Any, seen: Seen) -> None:
        handler.proxy.ended.wait(seconds)
        forward(handler, seen)

    return act


@pytest.fixture
def running_job(
    local: Side, s3: Bucket, home: Path, project: Path, request: pytest.FixtureRequest
) -> Iterator[Process]:
    """A migration in a process of its own, that waits for a server which has taken four objects and then does this."""
    local.fill(CONTENTS)
    configure(home, local, s3.through, timeout="60s")
    s3.proxy.on("PUT", r"\d\d\.yaml", request.param, skip=4)
    command = [sys.executable, "-m", "persona", "storage", "migrate", "--json", "--from", "local", "--to", "s3"]
    command += ["--concurrency", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=project) as process:
        deadline = time.monotonic() + 30
        while len(s3.proxy.requests("PUT", r"\d\d\.yaml")) < 5:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        time.sleep(0.5)  # until the journal has it
        yield process
        process.kill()


def finish(migrate: Run, s3: Bucket, *, sent: int) -> None:
    """Resume the job, and check that it needed no more than so many requests in all."""
    document = migrate("resume").done()
    assert document["objects"]["verified"] == 12
    assert s3.all == CONTENTS
    assert len(s3.proxy.requests("PUT", r"\d\d\.yaml")) == sent


@pytest.mark.parametrize("running_job", [slow(1.0)], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_pauses(running_job: Process, migrate: Run, s3: Bucket, number: signal.Signals) -> None:
    running_job.send_signal(number)
    begun = time.monotonic()
    out, err = running_job.communicate(timeout=15)
    assert time.monotonic() - begun < 5
    assert running_job.returncode == 130
    document = json.loads(out)
    assert document["state"] == "paused"
    assert document["objects"]["copied"] == 5  # what was in flight arrives
    assert f"persona storage migrate resume {document['id']}" in err
    finish(migrate, s3, sent=12)


@pytest.mark.parametrize("running_job", [stall], indirect=True)
def test_a_second_signal_leaves_at_once(running_job: Process, migrate: Run, s3: Bucket) -> None:
    running_job.send_signal(signal.SIGINT)
    time.sleep(0.5)
    running_job.send_signal(signal.SIGINT)
    begun = time.monotonic()
    running_job.communicate(timeout=15)
    assert time.monotonic() - begun < 2
    assert running_job.returncode == 130
    finish(migrate, s3, sent=13)  # what was in flight is sent again


@pytest.mark.parametrize("running_job", [slow(7.0)], indirect=True)
def test_another_terminal_pauses_and_cannot_run_it_as_well(running_job: Process, migrate: Run, s3: Bucket) -> None:
    (job,) = migrate("list").done()["jobs"]
    assert (job["state"], job["running"]) == ("running", True)
    assert migrate("status").done()["objects"]["copied"] == 4
    migrate("resume", job["id"]).failed(6)
    migrate("prune", job["id"]).failed(6)
    assert migrate("prune").done()["removed"] == []
    assert job["id"] in migrate("--from", "local", "--to", "s3").failed(6)
    assert migrate("pause").done()["state"] == "paused"
    out, _ = running_job.communicate(timeout=5)
    assert running_job.returncode == 130
    assert json.loads(out)["state"] == "paused"
    finish(migrate, s3, sent=12)
