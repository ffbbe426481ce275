"""The processes of a siege: those that read and write through the cache, and another machine that writes past it."""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import random
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from persona.config.schema import PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.storage.backend import StorageBackend
from persona.storage.cache.store import Store
from persona.storage.layers.cache import Cache
from persona.storage.stack import open_storage
from tests.cache.oracle import OBJECT_BYTES, Oracle, content, name_of

TASKS = 3
COUNTS = ("reads", "writes", "lists", "longest_us", "last_us")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a siege is to be.

    Args:
        folder: for the cache and what the processes share.
        settings: of the bucket: endpoint, access key, secret, bucket, prefix.
        identity: of the place.
        seconds: how long it takes.
        kill_seconds: how long until the next kill.
        objects: how many there are.
        ttl: that of the cache, in seconds.
        strategy: that of the cache.
        seed: draws what the workers do, and who is killed.
    """

    folder: str
    settings: dict[str, str]
    identity: str
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
        return open_storage(s3_settings(self.settings))

    def store(self) -> Store:
        """Open what the cache holds."""
        return Store(self.cache, self.identity, max_size=self.max_size, strategy=self.strategy, ttl=self.ttl)

    def oracle(self) -> Oracle:
        """Open what all know of the versions."""
        return Oracle(Path(self.folder) / "versions", self.objects, self.ttl)


def s3_settings(given: Mapping[str, str]) -> StorageSettings:
    """Return the settings of a bucket, as a plan has them, with few tries."""
    plain = {name: text for name, text in given.items() if name != "secret_access_key"}
    s3 = replace(S3Settings(secret_access_key=Secret(given["secret_access_key"])), **plain)  # type: ignore[arg-type]
    performance = PerformanceSettings(retry_attempts=2, retry_delay=0.1, timeout=20.0)
    return StorageSettings(backend="s3", s3=s3, performance=performance)


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
                done: str | None = await self.read(cache, number, streaming=roll < 0.1)
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
