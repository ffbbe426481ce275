"""Many processes read and write through one small cache, and are killed again and again: what must hold then.

``python -m tests.cache.siege`` with a `Plan` as JSON on stdin runs a siege and says what it has shown as JSON. It is a
process of its own since its workers are forks of it, which start at once: it must have no threads.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from persona.storage.cache.house import stats
from tests import unmeasured
from tests.cache.siege_workers import Complaints, Counters, Plan, Worker, fill, write_as_another_machine
from tests.cache.watcher import Measured

WORKERS = 8
OPERATION_SECONDS = 30.0
"""No operation takes longer, and no worker is longer without one that ends."""


@dataclass
class Shown:
    """What a siege has shown.

    Args:
        reads: how many reads were right.
        writes: how many writes ended.
        lists: how many listings ended.
        foreign: how many writes another machine made.
        kills: how many processes were killed.
        longest: the longest operation, in seconds.
        wrong: in words, what was wrong.
        looks: as in `Measured`.
        highest: as in `Measured`.
        apparent: as in `Measured`.
        what: as in `Measured`.
        figures: what the cache says of itself at the end.
        left: files in ``drafts`` and ``owners`` after one more process has come and gone.
    """

    reads: int = 0
    writes: int = 0
    lists: int = 0
    foreign: int = 0
    kills: int = 0
    longest: float = 0.0
    wrong: list[str] = field(default_factory=list)
    looks: int = 0
    highest: int = 0
    apparent: int = 0
    what: str = ""
    figures: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.reads} reads, {self.writes} writes, {self.foreign} foreign writes, {self.lists} listings, "
            f"{self.kills} kills, {len(self.wrong)} wrong; the longest operation took {self.longest:.2f} s; "
            f"{self.figures.get('hits')} hits, {self.figures.get('evictions')} evictions, "
            f"{self.figures.get('damaged')} damaged; the folder took {self.highest:,} of {self.figures['max_bytes']:,} "
            f"bytes at most in {self.looks} looks ({self.apparent:,} at first sight)"
        )


class Siege:
    """A siege.

    Args:
        plan: what it is to be.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counters = Counters(WORKERS + 1)
        self.shown = Shown()
        self._workers: dict[int, int] = {}
        self._complaints = Path(plan.folder) / "complaints"

    def run(self) -> Shown:
        """Run it, and return what it has shown."""
        self._complaints.mkdir()
        self._wait_for(self._fork(lambda: asyncio.run(fill(self.plan))))
        watcher = self._fork(self._watch)
        others = self._fork(lambda: asyncio.run(write_as_another_machine(self.plan, self.counters, WORKERS)))
        self._workers = {seat: self._start(seat) for seat in range(WORKERS)}
        self._kill_until_the_end()
        self.counters.stop()
        for child in (*self._workers.values(), others, watcher):
            self._wait_for(child)
        self._count()
        self._wait_for(self._fork(self._look_after))
        self._read_notes()
        return self.shown

    def _fork(self, work: Callable[[], object]) -> int:
        """Do something in a process of its own; whatever it raises is a complaint."""
        child = os.fork()
        if child == 0:
            self._be(work)
        return child

    def _be(self, work: Callable[[], object]) -> NoReturn:
        logging.getLogger("persona").addHandler(Complaints(logging.WARNING))
        try:
            work()
        except BaseException as error:
            (self._complaints / str(os.getpid())).write_text("".join(traceback.format_exception(error))[-2500:])
            os._exit(1)
        os._exit(0)

    def _start(self, seat: int) -> int:
        self.counters.set(seat, "last_us", time.monotonic_ns() // 1000)
        return self._fork(lambda: asyncio.run(Worker(self.plan, self.counters, seat).run()))

    def _watch(self) -> None:
        seen = Measured().watch(str(self.plan.cache), lambda: self.counters.stopped)
        (Path(self.plan.folder) / "measured").write_text(json.dumps(seen))

    def _kill_until_the_end(self) -> None:
        dice, end = random.Random(self.plan.seed), time.monotonic() + self.plan.seconds
        while time.monotonic() < end and not any(self._complaints.iterdir()):
            time.sleep(self.plan.kill_seconds)
            self._find_the_stuck()
            seat = dice.randrange(WORKERS)
            os.kill(self._workers[seat], signal.SIGKILL)
            _, status = os.waitpid(self._workers[seat], 0)
            self.shown.kills += os.WIFSIGNALED(status)
            self._workers[seat] = self._start(seat)

    def _find_the_stuck(self) -> None:
        now = time.monotonic_ns() // 1000
        for seat in range(WORKERS):
            if now - self.counters.get(seat, "last_us") > OPERATION_SECONDS * 1e6:
                self.shown.wrong.append(f"worker {seat} is stuck")

    def _wait_for(self, child: int) -> None:
        """Wait for the end of a process, which has to come in time."""
        end = time.monotonic() + OPERATION_SECONDS
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                self.shown.wrong.append("a process did not end")
                return
            time.sleep(0.01)

    def _count(self) -> None:
        shown, counters = self.shown, self.counters
        shown.foreign = counters.get(WORKERS, "writes")
        shown.reads, shown.lists = counters.total("reads"), counters.total("lists")
        shown.writes = counters.total("writes") - shown.foreign
        shown.longest = counters.most("longest_us") / 1e6

    def _look_after(self) -> None:
        """Open the cache once more, and see that all is in order."""
        for file in (self.plan.cache / "owners").iterdir():
            os.utime(file, (0, 0))  # one that is young is left alone
        store = self.plan.store()
        store.sweep()
        figures = stats(store)._asdict()
        files = [file for file in (self.plan.cache / "objects").rglob("*") if file.is_file()]
        entries = store.index.between(store.scope, "", None)
        wrong = [] if store.index.sound() else ["the index is damaged"]
        if sorted(entry.file for entry in entries) != sorted(file.name for file in files):
            wrong.append(f"{len(entries)} entries and {len(files)} files")
        if figures["bytes"] != sum(file.stat().st_size for file in files):
            wrong.append("the sum of the entries is not that of the files")
        if figures["bytes"] - store.index.limits.content != store.index.surplus():
            wrong.append("the index does not know its own sum")
        wrong += [f"{entry.path} is damaged" for entry in entries if store.content(entry) is None]
        store.close()
        left = [file.name for name in ("drafts", "owners") for file in (self.plan.cache / name).iterdir()]
        found = {"figures": figures, "left": left, "wrong": wrong}
        (Path(self.plan.folder) / "after").write_text(json.dumps(found))

    def _read_notes(self) -> None:
        folder, shown = Path(self.plan.folder), self.shown
        shown.wrong += [file.read_text() for file in self._complaints.iterdir()]
        for name in ("measured", "after"):
            if (folder / name).exists():
                found: dict[str, Any] = json.loads((folder / name).read_text())
                shown.wrong += found.pop("wrong", [])
                self.shown = shown = replace(shown, **found)
        if shown.highest > self.plan.max_size:
            shown.wrong.append(f"the folder took {shown.highest:,} of {self.plan.max_size:,} bytes: {shown.what}")


def besiege(plan: Plan) -> Shown:
    """Run a siege in a process of its own."""
    root = Path(__file__).parents[2]
    environment = unmeasured.environment()
    environment["PYTHONPATH"] = f"{root / 'src'}{os.pathsep}{root}"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.cache.siege"],
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        env=environment,
        timeout=plan.seconds + 120,
    )
    if ran.returncode:
        raise AssertionError(f"the siege ended with {ran.returncode}: {ran.stderr[-4000:]}")
    return Shown(**json.loads(ran.stdout))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(Siege(Plan(**json.load(sys.stdin))).run())))
