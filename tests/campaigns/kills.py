"""Migrations that are killed at random moments and resumed until they are done, and what must hold then."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.campaigns.command import Command, Ran, ended
from tests.campaigns.traffic import Passed, Traffic

ANSWER_ON_ITS_WAY_SECONDS = 0.05
"""How long before a kill an answer may have left the proxy, and the client still not have read it."""

AIMS = ("first request", "traffic", "parts", "time", "reading back", "traffic", "parts", "time")
"""How the moment of each kill of a job is drawn: a time after the start, or an event of the traffic. So every phase is
hit, and the migration several times, also among the parts of a large object, before verification comes into reach."""

_NAME = re.compile(rb'"name": *"([^"]+)"')
"""The object's name in an upload to Google Cloud Storage, which stands in the body."""

_PART = re.compile(r"[?&](partNumber=|upload_id=|comp=block(&|$))")
_UPLOAD = re.compile(r"[?&](?:uploadId|upload_id)=([^&]*)")

RUNS_AT_MOST = 500
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Kill:
    """A kill that hit a running process.

    Args:
        time: when, by `time.monotonic`.
        aim: how its moment was chosen.
        phase: what the job was at, by ``migrate status``; ``start`` before there was a job.
    """

    time: float
    aim: str
    phase: str


@dataclass(frozen=True)
class Whole:
    """A run that nobody disturbed, from which the moments of kills are drawn.

    Args:
        seconds: how long it took.
        requests: how many requests it made.
        parts: how many of them sent a part of a large object.
    """

    seconds: float
    requests: int
    parts: int


class Attack:
    """One migration, killed again and again until it has come to its end.

    Args:
        command: whose command line.
        start: the arguments that begin the migration.
        traffic: the proxy before one of the places.
        whole: an undisturbed run of the same.
        dice: draws the moments.
    """

    def __init__(
        self, command: Command, start: Sequence[str], traffic: Traffic, whole: Whole, dice: random.Random
    ) -> None:
        self.command = command
        self.start = tuple(start)
        self.traffic = traffic
        self.whole = whole
        self.dice = dice
        self.kills: list[Kill] = []
        self.job: str | None = None
        self._first_request = len(traffic.passed)
        self._others = set(_jobs(command))

    @property
    def passed(self) -> list[Passed]:
        """The requests since the attack began."""
        return self.traffic.passed[self._first_request :]

    def run(self, kills: int) -> Any:
        """Kill so many times at most, then let it end, and return what it reports."""
        for _ in range(RUNS_AT_MOST):
            arguments = ("storage", "migrate", "resume", self.job, "--json") if self.job else self.start
            if len(self.kills) >= kills:
                return self.command.run(*arguments).json
            ran = self._attacked(arguments)
            if ran.code != KILLED:
                return ran.json
        raise AssertionError(f"not done after {RUNS_AT_MOST} runs and {len(self.kills)} kills")

    def _attacked(self, arguments: tuple[str, ...]) -> Ran:
        """Run a command that is killed at a moment drawn, unless it ends before."""
        aim = AIMS[len(self.kills) % len(AIMS)]
        struck: list[float] = []
        process = self.command.start(*arguments)
        strike = partial(_strike, process, struck)
        timer = threading.Timer(self.dice.uniform(0, 0.7 * self.whole.seconds), strike)
        if aim == "time":
            timer.start()
        else:
            self.traffic.on_event = self._listener(aim, strike)
        try:
            ran = ended(process, arguments, (0, KILLED))
        finally:
            timer.cancel()
            self.traffic.on_event = None
        if ran.code == KILLED:
            self.kills.append(Kill(struck[0], aim, self._phase()))
        return ran

    def _listener(self, aim: str, strike: Callable[[], None]) -> Callable[[str, Passed], None]:
        """Return what strikes at the event of the traffic that is drawn; each request has three."""
        if aim == "first request":
            return _after_events(1, strike, lambda passed: True)
        if aim == "reading back":
            return _after_events(self.dice.randint(1, 3), strike, self._reads_back)
        if aim == "parts" and self.whole.parts:
            return _after_events(self.dice.randint(1, 2 * self.whole.parts), strike, is_part)
        return _after_events(self.dice.randint(1, self.whole.requests), strike, lambda passed: True)

    def _reads_back(self, passed: Passed) -> bool:
        """Say whether a request reads from a place that something was uploaded to, as verification does."""
        return passed.method == "GET" and any(each.done and uploaded(each) for each in self.passed)

    def _phase(self) -> str:
        """Find the job, if there is one yet, and say what it was at when it was killed."""
        if self.job is None:
            found = set(_jobs(self.command)) - self._others
            assert len(found) <= 1, found
            if not found:
                return "start"
            (self.job,) = found
        status = self.command.run("storage", "migrate", "status", self.job, "--json").json
        assert status["state"] in ("paused", "complete"), status
        return str(status["phase"])


def _jobs(command: Command) -> list[str]:
    return [job["id"] for job in command.run("storage", "migrate", "list", "--json").json["jobs"]]


def _strike(process: subprocess.Popen[str], struck: list[float]) -> None:
    struck.append(time.monotonic())
    process.send_signal(signal.SIGKILL)


def _after_events(
    count: int, strike: Callable[[], None], among: Callable[[Passed], bool]
) -> Callable[[str, Passed], None]:
    """Return a listener to the traffic that strikes at the so-manieth event: in the midst of a request, or after it."""
    left = count

    def listen(event: str, passed: Passed) -> None:
        nonlocal left
        if among(passed):
            left -= 1
            if not left:
                strike()

    return listen


def measured(command: Command, start: Sequence[str], traffic: Traffic) -> tuple[Whole, Any]:
    """Run a migration undisturbed, and return what it took and what it reports."""
    before, begun = len(traffic.passed), time.monotonic()
    report = command.run(*start).json
    passed = traffic.passed[before:]
    return Whole(time.monotonic() - begun, len(passed), sum(map(is_part, passed))), report


def repeated_uploads(passed: Iterable[Passed], kills: Sequence[Kill]) -> list[str]:
    """Return in words which objects and parts were uploaded more often than the kills account for.

    Allowed is one upload, and one more for each kill that hit one of that object's or part's in flight: begun, and
    its answer not yet with the client.
    """
    sent: dict[str, list[Passed]] = defaultdict(list)
    for each in passed:
        if name := uploaded(each):
            sent[name].append(each)
    lines = []
    for name, requests in sent.items():
        hits = sum(any(_in_flight(each, kill.time) for each in requests) for kill in kills)
        if (done := sum(each.done for each in requests)) > 1 + hits:
            lines.append(f"{name}: uploaded {done} times, with {hits} kills in flight")
    return lines


def _in_flight(passed: Passed, moment: float) -> bool:
    return passed.begun <= moment and (passed.ended is None or passed.ended >= moment - ANSWER_ON_ITS_WAY_SECONDS)


def is_part(passed: Passed) -> bool:
    """Say whether a request sends a part of a large object."""
    return passed.method == "PUT" and bool(_PART.search(passed.target))


def gone_on(passed: Iterable[Passed], kills: Sequence[Kill]) -> int:
    """Return how many uploads in parts went on after a kill: parts of one upload were sent before it and after it."""
    times: dict[str, list[float]] = defaultdict(list)
    for each in passed:
        if is_part(each):
            times[urlsplit(each.target).path + "".join(_UPLOAD.findall(each.target))].append(each.begun)
    return sum(any(min(found) < kill.time < max(found) for kill in kills) for found in times.values())


def uploaded(passed: Passed) -> str:
    """Return which object or part a request uploads, or "" if it uploads nothing.

    Probes of what an endpoint can do are no objects of the job. Of S3: a PUT of an object or of a part. Of Azure: Put
    Blob and Put Block. Of Google Cloud Storage: an upload in one request.
    """
    parts = urlsplit(passed.target)
    query = parse_qs(parts.query, keep_blank_values=True)
    path = unquote(parts.path)
    if "/.persona-probe" in path:
        return ""
    if path.startswith("/upload/storage/v1/b/"):
        if "upload_id" in query:
            return ""  # pieces are told apart by a header; the object appears with the last
        name = _NAME.search(passed.opening)
        if name is None or b".persona-probe" in name[1] or query["uploadType"] != ["multipart"]:
            return ""
        return f"{path} {name[1].decode()}"
    if passed.method != "PUT" or query.get("comp", ["block"]) != ["block"] or "restype" in query:
        return ""
    part = query.get("partNumber") or query.get("blockid") or [""]
    return f"{path} {part[0]}".rstrip()
