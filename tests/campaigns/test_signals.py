"""A running migration pauses when it is asked to, in every way of asking, and goes on from there."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import StorageSettings
from tests.campaigns.command import Command, Ran, ended
from tests.campaigns.corpus import Item, corpus
from tests.campaigns.siege import check_report
from tests.campaigns.sites import address_of, assert_holds, folder, fresh, put, through
from tests.campaigns.traffic import Traffic
from tests.serving import Server

START = ("storage", "migrate", "--from", "local", "--to", "s3", "--json")
GRACE_SECONDS = 10.0


@dataclass
class Scene:
    """A migration that has begun, and whose server does not answer any more until it is let."""

    command: Command
    traffic: Traffic
    target: StorageSettings
    items: list[Item]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def begin(self) -> subprocess.Popen[str]:
        """Start the migration, and freeze the server when a part of the objects has arrived."""
        process = self.command.start(*START)
        self.processes.append(process)
        self.traffic.wait_for("PUT", "", 30)
        self.traffic.frozen = True
        return process

    def job(self) -> str:
        """Return the id of the one job."""
        (job,) = self.command.run("storage", "migrate", "list", "--json").json["jobs"]
        return str(job["id"])

    def status(self) -> Any:
        return self.command.run("storage", "migrate", "status", "--json").json

    def assert_paused(self, ran: Ran) -> str:
        """Check what a paused migration tells, and return its id."""
        assert ran.code == 130, (ran.code, ran.out, ran.err)
        found = re.search(r"persona storage migrate resume (\S+)", ran.err)
        assert found, ran.err
        assert ran.json["state"] == "paused", ran.out
        assert 0 < ran.json["objects"]["copied"] < len(self.items), ran.out
        assert found[1].rstrip(".") == self.job()
        return self.job()

    def assert_resumes(self, job: str) -> None:
        """Take the job to its end and check everything."""
        self.traffic.frozen = False
        before = self.status()["objects"]["copied"]
        report = self.command.run("storage", "migrate", "resume", job, "--json").json
        check_report(report, self.items)
        assert report["id"] == job
        assert report["objects"]["copied"] >= before
        assert_holds(self.target, self.items)


@pytest.fixture
def scene(tmp_path: Path, seaweedfs: Server) -> Iterator[Scene]:
    """A migration of 150 objects to S3, ready to begin."""
    items = corpus(150, odd=())
    source, target = folder(tmp_path / "source"), fresh(seaweedfs, "research")
    put(source, items)
    with Traffic(address_of(target)) as traffic:
        command = Command(tmp_path, source, through(target, traffic), concurrent_uploads=4)
        made = Scene(command, traffic, target, items)
        yield made
        traffic.frozen = False
        for process in made.processes:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_what_is_in_flight_end(scene: Scene, sent: signal.Signals) -> None:
    process = scene.begin()
    process.send_signal(sent)
    time.sleep(0.2)
    scene.traffic.frozen = False
    paused = ended(process, START, None)
    job = scene.assert_paused(paused)
    assert all(each.status for each in scene.traffic.requests("PUT")), "an upload was cut short for no reason"
    scene.assert_resumes(job)


def test_what_does_not_end_is_given_up_in_time(scene: Scene) -> None:
    process = scene.begin()
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    job = scene.assert_paused(ended(process, START, None))
    assert time.monotonic() - begun < GRACE_SECONDS + 1
    scene.assert_resumes(job)


def test_a_second_signal_leaves_at_once(scene: Scene) -> None:
    process = scene.begin()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    left = ended(process, START, None)
    assert time.monotonic() - begun < 2
    assert left.code == 130, (left.code, left.out, left.err)
    scene.assert_resumes(scene.job())


def test_another_process_pauses_it(scene: Scene) -> None:
    process = scene.begin()
    pause = scene.command.start("storage", "migrate", "pause")
    time.sleep(1)
    scene.traffic.frozen = False
    ended(pause, ("pause",))
    scene.assert_resumes(scene.assert_paused(ended(process, START, None)))


def test_two_processes_cannot_run_one_job(scene: Scene) -> None:
    process = scene.begin()
    job = scene.job()
    assert scene.status()["state"] == "running"
    second = scene.command.run("storage", "migrate", "resume", job, good=(6,))
    assert job in second.err
    scene.traffic.frozen = False
    check_report(ended(process, START).json, scene.items)
    assert_holds(scene.target, scene.items)
