"""The cache: what it gains, against none and against those that others use, and what it costs."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.campaigns.command import Command
from tests.campaigns.cost import Cost, cost
from tests.campaigns.sites import fresh, through
from tests.campaigns.traffic import Traffic
from tests.servers import SeaweedFS

from bench.peers import Reading, peers
from persona.config.schema import StorageSettings
from persona.storage.backend import StorageBackend
from persona.storage.stack import Keeping, open_layers, open_storage

ROUNDS = 21
RUNS = 7
READS = 200
SIZE = 36_000
PERSONAS = 10_000
AT_ONCE = 16
BARE = "S3 on loopback, no cache"
CACHED = {"PERSONA_STORAGE__BACKEND": "s3", "PERSONA_STORAGE__CACHE__ENABLED": "true"}
PERSONA = [sys.executable, "-m", "persona"]
RESEARCH = Path(__file__).parents[1] / "examples" / "research"


def caching(folder: Path) -> None:
    """Print all figures of this part."""
    with SeaweedFS(folder / "seaweedfs") as server:
        asyncio.run(reads(folder / "reads", fresh(server)))
        library(folder / "library", server)
        memory(folder / "memory", server)


async def reads(folder: Path, settings: StorageSettings) -> None:
    """Read the same objects in turn by all ways, one after another in one event loop."""
    objects = {f"objects/{number:04}": os.urandom(SIZE) for number in range(READS)}
    bare = open_storage(settings)
    await put(bare, objects)
    cached = layers(settings, folder / "cache")
    others = {BARE: of_storage(bare, objects)} | peers(folder, objects, settings.s3)
    print(f"A warm read of {SIZE / 1000:.0f} KB from the cache, {READS} objects in turn")
    own = of_storage(cached, objects)
    for name, read in others.items():
        theirs, ours = await in_turn(read, own)
        ratio, bar = ratios(theirs, ours), 10 if name == BARE else 1
        holds = ratio >= bar if name == BARE else ratio > bar
        limit = f"({'at least' if name == BARE else 'above'} {bar}: {told(holds)})"
        print(f"{row(name, theirs)}, ours {micro(ours)}: {ratio:5.1f} ×  {limit}")
    await cached.close()
    await misses(folder, settings, bare, objects)
    await bare.close()


async def misses(folder: Path, settings: StorageSettings, bare: StorageBackend, objects: Mapping[str, bytes]) -> None:
    """Read everything for the first time, into a new cache each round, in turn with reads without a cache."""
    stored, plain = [], []
    for number in range(RUNS):
        cached = layers(settings, folder / f"cache-{number}")
        stored.append(await seconds(of_storage(cached, objects)))
        plain.append(await seconds(of_storage(bare, objects)))
        await cached.close()
    print("A read that misses, and whose content is stored")
    print(f"{row(BARE, plain)}, ours {micro(stored)}: {ratios(stored, plain):5.2f} × as long")


def library(folder: Path, server: SeaweedFS) -> None:
    """List a large library that is in the cache already, by whole processes."""
    print(f"persona list, {PERSONAS:,} personas on S3, listed before")
    place = fresh(server)
    with Traffic(server.address) as traffic:
        command = Command(folder, through(place, traffic))
        environment = command.environment | CACHED
        contents = copies(one_persona(command), PERSONAS)
        asyncio.run(fill(place, contents))
        asyncio.run(fill(place, {"one/persona.yaml": next(iter(contents.values()))}))
        runs = {
            "list": [*PERSONA, "list", "personas/", "--json"],
            "list one": [*PERSONA, "list", "one/", "--json"],
            "version": [*PERSONA, "--version"],
        }
        first = cost(runs["list"], environment=environment)
        cost(runs["list one"], environment=environment)
        print(f"  listed for the first time, which reads each, in {first.wall:.1f} s")
        turns = [{name: cost(run, environment=environment) for name, run in runs.items()} for _ in range(RUNS)]
        traffic.passed.clear()
        cost(runs["list"], environment=environment)
        pages = [each for each in traffic.passed if "list-type=2" in each.target]
    beyond(turns)
    others = len(traffic.passed) - len(pages)
    print(f"  {len(pages)} requests for the pages of the listing, {others} others (none: {told(not others)})")


def beyond(turns: Sequence[Mapping[str, Cost]]) -> None:
    """Print what a list takes beyond what a process takes to start."""
    wall, cpu = (statistics.median(getattr(turn["list"], what) for turn in turns) for what in ("wall", "cpu"))
    print(f"  {wall:.2f} s in all, {cpu:.2f} s of CPU, {max(turn['list'].peak for turn in turns) / 1e6:.0f} MB")
    for name, base, bar in (
        ("beyond the start of persona --version", "version", 1.0),
        ("beyond persona list of one persona", "list one", None),
    ):
        more = statistics.median(turn["list"].wall - turn[base].wall for turn in turns)
        print(f"  {more:.2f} s {name}" + (f" (under {bar:.0f}: {told(more < bar)})" if bar else ""))


def memory(folder: Path, server: SeaweedFS) -> None:
    """Warm the cache with a tenth and with all of many objects."""
    print(f"Memory of persona storage cache warm, objects of {SIZE / 1000:.0f} KB")
    place = fresh(server)
    peaks = []
    for number in (READS, 10 * READS):
        asyncio.run(fill(place, {f"{number}/{each:05}": os.urandom(SIZE) for each in range(number)}))
        command = Command(folder / str(number), place)
        warm = cost([*PERSONA, "storage", "cache", "warm", f"{number}/"], environment=command.environment | CACHED)
        peaks.append(warm.peak)
        print(f"  {number:,} objects: {warm.peak / 1e6:.0f} MB, {warm.wall:.1f} s")
    print(f"  ratio {peaks[1] / peaks[0]:.2f} (at most 1.1: {told(peaks[1] <= 1.1 * peaks[0])})")


def one_persona(command: Command) -> str:
    """Generate a persona of the example data on local disk, and return its file."""
    command.run("generate", str(RESEARCH), "--output", "sample/", "--count", "1")
    (file,) = (command.home / "data" / "sample").glob("*.yaml")
    return file.read_text("utf-8")


def copies(sample: str, count: int) -> dict[str, bytes]:
    """Return a persona again and again under other ids and names, by path."""
    lines = sample.splitlines(keepends=True)
    places = [next(n for n, line in enumerate(lines) if line.startswith(key)) for key in ("id: ", "name: ")]
    made = {}
    for number in range(count):
        lines[places[0]] = f"id: persona-{number:05}\n"
        lines[places[1]] = f"name: Persona {number}\n"
        made[f"personas/persona-{number:05}.yaml"] = "".join(lines).encode()
    return made


async def fill(settings: StorageSettings, objects: Mapping[str, bytes]) -> None:
    """Write objects to a place."""
    storage = open_storage(settings)
    await put(storage, objects)
    await storage.close()


def layers(settings: StorageSettings, cache: Path) -> StorageBackend:
    """Open a storage with all layers, and a cache folder of its own."""
    cached = replace(settings, cache=replace(settings.cache, enabled=True, path=cache))
    return open_layers(cached, Keeping(workspace="bench", folder=cache.parent / "kept"))


async def put(storage: StorageBackend, objects: Mapping[str, bytes]) -> None:
    """Write objects, some at once."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(path: str, content: bytes) -> None:
        async with slots:
            await storage.write(path, content)

    await asyncio.gather(*(one(path, content) for path, content in objects.items()))


def of_storage(storage: StorageBackend, paths: Iterable[str]) -> Reading:
    """Read all through a storage."""

    async def read() -> int:
        total = 0
        for path in paths:
            total += len(await storage.read(path))
        return total

    return read


async def in_turn(one: Reading, other: Reading) -> tuple[list[float], list[float]]:
    """Let two read in turn, each once before it counts, and return the seconds that each read took, by round."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(ROUNDS + 1):
        times[0].append(await seconds(one))
        times[1].append(await seconds(other))
    return times[0][1:], times[1][1:]


async def seconds(read: Reading) -> float:
    """Return how long a read takes, on average over all objects."""
    begun = time.perf_counter()
    total = await read()
    taken = time.perf_counter() - begun
    assert total == READS * SIZE
    return taken / READS


def row(name: str, times: Sequence[float]) -> str:
    """Return a line with the median of the rounds."""
    return f"  {name:<32} {micro(times)}"


def micro(times: Sequence[float]) -> str:
    """Return the median in microseconds."""
    return f"{statistics.median(times) * 1e6:5,.0f} µs"


def ratios(times: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios, round by round."""
    return statistics.median(time / other for time, other in zip(times, others, strict=True))


def told(holds: bool) -> str:
    """Say whether a bar is met."""
    return "met" if holds else "MISSED"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="persona-bench-") as name:
        caching(Path(name))
