"""Many processes read and write through one small cache, and are killed again and again: what must hold then.

``python -m tests.cache.siege`` with a `Plan` as JSON on stdin runs a siege and says what it has shown as JSON. It is a
process of its own since its workers are forks of it, which start at once: it must have no threads.
"""

from __future__ import annotations

import asyncio
import json
import logging
import mmap
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from persona.config.schema import PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.storage.backend import StorageBackend
from persona.storage.cache import store as _preloaded_store
from persona.storage.cache.store import Store
from persona.storage.layers.cache import Cache
from persona.storage.stack import open_storage
from tests.cache.oracle import OBJECT_BYTES, Oracle, content, name_of
from tests.cache.watcher import Measured

assert _preloaded_store
WORKERS = 8
TASKS = 3
OPERATION_SECONDS = 30.0
"""No operation takes longer, and no worker is longer without one that ends."""
IDENTITY = "siege\ns3 bucket\n"
COUNTS = ("reads", "writes", "lists", "longest_us", "last_us")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a siege is to be.

    Args:
        folder: for the cache and what the processes share.
        settings: of the bucket: endpoint, access key, secret, bucket, prefix.
        seconds: how long it takes.
        kill_seconds: how long until the next kill.
        objects: how many there are.
        ttl: that of the cache, in seconds.
        strategy: that of the cache.
        seed: draws what the workers do, and who is killed.
    """

    folder: str
    settings: dict[str, str]
    seconds: float
    kill_seconds: float = 1.0
    objects: int = 500
    ttl: float = 1.5
    strategy: str = "lru"
    seed: int = 1

    @property
    def max_size(self) -> int:
        """A tenth of what all objects take."""
        return self.objects * OBJECT_BYTES // 10

    @property
    def cache(self) -> Path:
        return Path(self.folder) / "cache"

    def storage(self) -> StorageBackend:
        """Open the bare bucket."""
        given = dict(self.settings)
        secret = Secret(given.pop("secret_access_key"))
        s3 = replace(S3Settings(secret_access_key=secret), **given)  # type: ignore[arg-type]
        performance = PerformanceSettings(retry_attempts=2, retry_delay=0.1, timeout=20.0)
        return open_storage(StorageSettings(backend="s3", s3=s3, performance=performance))

    def store(self) -> Store:
        """Open what the cache holds."""
        return Store(self.cache, IDENTITY, max_size=self.max_size, strategy=self.strategy, ttl=self.ttl)

    def oracle(self) -> Oracle:
        """Open what all know of the versions."""
        return Oracle(Path(self.folder) / "versions", self.objects, self.ttl)


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


class Counters:
    """What the workers have done, in memory that all of them share."""

    def __init__(self, seats: int) -> None:
        self._map = mmap.mmap(-1, (seats * len(COUNTS) + 1) * 8)
        self._seats = seats

    def get(self, seat: int, name: str) -> int:
        return int(struct.unpack_from("<Q", self._map, (seat * len(COUNTS) + COUNTS.index(name)) * 8)[0])

    def set(self, seat: int, name: str, value: int) -> None:
        struct.pack_into("<Q", self._map, (seat * len(COUNTS) + COUNTS.index(name)) * 8, value)

    def total(self, name: str) -> int:
        return sum(self.get(seat, name) for seat in range(self._seats))

    def most(self, name: str) -> int:
        return max(self.get(seat, name) for seat in range(self._seats))

    @property
    def stopped(self) -> bool:
        return self._map[-8] != 0

    def stop(self) -> None:
        self._map[-8] = 1


class WrongError(Exception):
    """Something that must hold does not."""


class Complaints(logging.Handler):
    """Takes every warning of the cache for something wrong."""

    def emit(self, record: logging.LogRecord) -> None:
        raise WrongError(record.getMessage())

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name that logging calls)
        raise


class Worker:
    """A process that reads and writes.

    Args:
        plan: the siege.
        counters: where to note what was done.
        seat: its place among them.
    """

    def __init__(self, plan: Plan, counters: Counters, seat: int) -> None:
        self.plan = plan
        self.oracle = plan.oracle()
        self.counters = counters
        self.seat = seat
        self.dice = random.Random(plan.seed * 1_000_003 + os.getpid())

    async def run(self) -> None:
        """Work until told to stop."""
        self.note("last_us", time.monotonic_ns() // 1000)
        cache = Cache(self.plan.storage(), self.plan.store())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(TASKS):
                    group.create_task(self.work(cache))
        finally:
            await cache.close()

    def note(self, name: str, value: int) -> None:
        self.counters.set(self.seat, name, value)

    async def work(self, cache: Cache) -> None:
        """Do one thing after another."""
        while not self.counters.stopped:
            number = min(int(self.dice.paretovariate(0.6)) - 1, self.plan.objects - 1)
            roll, begun = self.dice.random(), time.monotonic_ns()
            if roll < 0.80:
                done = await self.read(cache, number, streaming=roll < 0.1)
            elif roll < 0.995:
                done = await self.write(cache, number)
            else:
                await cache.list()
                done = "lists"
            now = time.monotonic_ns()
            self.note("last_us", now // 1000)
            self.note("longest_us", max(self.counters.get(self.seat, "longest_us"), (now - begun) // 1000))
            if done:
                self.note(done, self.counters.get(self.seat, done) + 1)
            await asyncio.sleep(0)

    async def read(self, cache: Cache, number: int, *, streaming: bool) -> str:
        """Read an object, and judge what comes."""
        floor = self.oracle.floor(number)
        if streaming:
            data = b"".join([chunk async for chunk in await cache.open(name_of(number))])
        else:
            data = await cache.read(name_of(number))
        if wrong := self.oracle.verdict(number, data, floor):
            raise WrongError(wrong)
        return "reads"

    async def write(self, cache: Cache, number: int) -> str | None:
        """Write the next version of an object, if nobody else is writing it."""
        with self.oracle.writing(number) as version:
            if version is None:
                return None
            await cache.write(name_of(number), content(number, version))
        return "writes"


async def write_as_another_machine(plan: Plan, counters: Counters, seat: int) -> None:
    """Write past the cache, a few times a second."""
    storage, oracle, dice = plan.storage(), plan.oracle(), random.Random(plan.seed)
    while not counters.stopped:
        number = min(int(dice.paretovariate(0.6)) - 1, plan.objects - 1)
        with oracle.writing(number, foreign=True) as version:
            if version is not None:
                await storage.write(name_of(number), content(number, version))
                counters.set(seat, "writes", counters.get(seat, "writes") + 1)
        await asyncio.sleep(0.05)
    await storage.close()


async def fill(plan: Plan) -> None:
    """Write the first version of every object."""
    storage, oracle = plan.storage(), plan.oracle()
    await asyncio.gather(*(_first(storage, oracle, number) for number in range(plan.objects)))
    await storage.close()


async def _first(storage: StorageBackend, oracle: Oracle, number: int) -> None:
    with oracle.writing(number) as version:
        assert version == 1
        await storage.write(name_of(number), content(number, version))


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
            import traceback

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
        from persona.storage.cache.house import stats

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
    import subprocess

    root = Path(__file__).parents[2]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
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
