"""``make torture``: the campaigns at full length, on servers of their own. Takes about an hour."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from persona.config.schema import StorageSettings
from tests.cache.siege import besiege as besiege_cache
from tests.campaigns.chain import take_through
from tests.campaigns.command import Command
from tests.campaigns.corpus import MIB, corpus
from tests.campaigns.moving import migrate_while_it_moves
from tests.campaigns.siege import besiege
from tests.campaigns.sites import folder, fresh
from tests.campaigns.storms import weather_out
from tests.campaigns.test_cache_siege import figures
from tests.campaigns.test_cache_siege import plan as siege_plan
from tests.campaigns.twice import Migrate, migrate_twice
from tests.hostile.limits import FULL, generate_at_the_limit
from tests.hostile.torment import MOST_MB, torment
from tests.servers import SERVERS
from tests.serving import Server

SIEGES = (
    ("local", "seaweedfs", "auto", 2),
    ("local", "seaweedfs", "reread", 2),
    ("seaweedfs", "fake-gcs", "auto", 8),
    ("azurite", "local", "auto", 8),
)
"""From, to, how it is verified, and the part of all kills that goes to it."""

ROUTES = (
    ("local", "seaweedfs"),
    ("seaweedfs", "local"),
    ("local", "fake-gcs"),
    ("fake-gcs", "local"),
    ("local", "azurite"),
    ("azurite", "local"),
    ("seaweedfs", "fake-gcs"),
)

AGAIN = (("local", "seaweedfs"), ("local", "fake-gcs"), ("local", "azurite"), ("azurite", "fake-gcs"))
"""From and to, of migrations that are made twice."""

Open = Callable[[str, Path], StorageSettings]


def main() -> None:
    """Run what is asked for, and say what it has shown."""
    parser = argparse.ArgumentParser(
        description="Mutate all input; lie; kill readers of a cache; kill, disturb and chain migrations."
    )
    parser.add_argument("--kills", type=int, default=200, help="kills on local to S3; a quarter more on other pairs")
    parser.add_argument("--storms", type=int, default=3, help="rounds of faults on each route")
    parser.add_argument("--siege-seconds", type=float, default=60.0, help="how long each siege of a cache takes")
    parser.add_argument("--lies", type=int, default=1000, help="jobs of which one answer is a lie")
    parser.add_argument("--mutants", type=int, default=10_000, help="mutated configurations, and as many inputs")
    parser.add_argument("--moves", type=int, default=16, help="migrations of a folder that changes all the time")
    parser.add_argument("--answers", type=int, default=10_000, help="answers: half bad values, half mutated bytes")
    parser.add_argument("--seed", type=int, default=round(time.time()), help="draws the moments")
    given = parser.parse_args()
    say(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="persona-torture-") as name, ExitStack() as stack:
        base = Path(name)
        running: dict[str, Server] = {}

        def place(kind: str, disk: Path) -> StorageSettings:
            if kind == "local":
                return folder(disk)
            if kind not in running:
                running[kind] = stack.enter_context(SERVERS[kind](base / kind))
            return fresh(running[kind])

        cache_sieges(base / "cache", stack.enter_context(SERVERS["seaweedfs"](base / "cache-server")), given)
        limits(base / "limits")
        mutants(base / "mutants", given.mutants, given.seed)
        answers(given.answers, given.seed)
        lies(given.lies, given.seed)
        chain(base / "chain", place)
        twice(base / "twice", place)
        storms(base / "storms", place, given.storms, given.seed)
        moving(base / "moving", place, given.moves, given.seed)
        sieges(base / "sieges", place, given.kills, given.seed)


def cache_sieges(base: Path, server: Server, given: argparse.Namespace) -> None:
    """Kill one of eight processes on one cache every second, for each order of eviction."""
    for strategy in ("lru", "lfu", "fifo"):
        step = base / strategy
        step.mkdir(parents=True)
        plan = siege_plan(step, server, seconds=given.siege_seconds, strategy=strategy, seed=given.seed)
        shown = besiege_cache(plan)
        said = figures(plan)
        say(f"cache, {strategy}: {shown}")
        assert not (shown.wrong or shown.left), (shown.wrong, shown.left)
        assert said["entries"] == shown.figures["entries"], said


def limits(base: Path) -> None:
    """Make personas of the largest inputs."""
    for kind in FULL:
        found = generate_at_the_limit(kind, base / kind)
        say(f"{kind} at the limit: {found.wall:.0f} s, {found.peak / 1e6:.0f} MB")
        assert found.peak < MOST_MB * 1e6


def mutants(base: Path, count: int, seed: int) -> None:
    """Run commands on mutated configurations and inputs."""
    for what in ("config", "input"):
        shown = torment(what, count, seed, base / what)
        say(f"mutated {what}: {shown}")
        assert shown["peak_mb"] < MOST_MB


def answers(count: int, seed: int) -> None:
    """Put bad values into the fields of a provider's answers, and mutate as many whole answers in their bytes."""
    test = ["tests/hostile/test_values.py", "--no-cov", "--quiet"]
    environment = os.environ | {"PERSONA_SPOILED": str(count // 6 + 1), "PERSONA_SPOILED_SEED": str(seed)}
    subprocess.run([sys.executable, "-m", "pytest", *test], check=True, cwd=Path(__file__).parents[2], env=environment)
    say(f"mutated answers: {count:,}")


def lies(count: int, seed: int) -> None:
    """Let a provider lie in one answer of a job."""
    test = ["tests/campaigns/test_lies.py", "--no-cov", "--quiet", f"--hypothesis-seed={seed}"]
    environment = os.environ | {"PERSONA_LIES": str(count)}
    subprocess.run([sys.executable, "-m", "pytest", *test], check=True, cwd=Path(__file__).parents[2], env=environment)
    say(f"lies: {count:,} examples")


def chain(base: Path, place: Open) -> None:
    """Take the whole corpus and 300 MiB through every pair."""
    kinds = ("local", "seaweedfs", "seaweedfs", "fake-gcs", "azurite", "local")
    places = [place(kind, base / f"disk-{number}") for number, kind in enumerate(kinds)]
    take_through(base, places, corpus(large=(300 * MIB,)), say)


def twice(base: Path, place: Open) -> None:
    """Migrate 1,500 objects again, from a folder and between providers, with nothing to do."""
    items = corpus(1500, odd=(), large=(20 * MIB,))
    for source, target in AGAIN:
        step = base / f"{source}-{target}"
        sides = place(source, step / "source"), place(target, step / "target")

        def configured(*settings: StorageSettings, step: Path = step) -> Migrate:
            command = Command(step / "user", *settings, concurrent_uploads=16)
            return lambda *flags: command.run("storage", "migrate", "--json", *flags).json

        *_, second = migrate_twice(*sides, items, configured)
        say(f"{source} → {target}, again: {second.report['evidence']}, {second.asked}")
        assert second.report["objects"]["skipped"] == len(items)
        assert all(asked["read"] == asked["head"] == 0 for asked in second.asked.values()), second.asked


def storms(base: Path, place: Open, rounds: int, seed: int) -> None:
    """Let one request in five fail on every route."""
    items = corpus(400, large=(40 * MIB,))
    for number in range(rounds):
        for source, target in ROUTES:
            step = base / f"{number}-{source}-{target}"
            sides = place(source, step / "source"), place(target, step / "target")
            passage = weather_out(step, *sides, items, share=0.2, seed=seed + number)
            say(f"{source} → {target}: {passage}")


def moving(base: Path, place: Open, runs: int, seed: int) -> None:
    """Migrate a folder that another program changes all the time, in turn to each kind of place."""
    kinds = ("local", "seaweedfs", "fake-gcs", "azurite")
    for number in range(runs):
        step = base / str(number)
        outcome = migrate_while_it_moves(step, place(kinds[number % len(kinds)], step / "target"), seed + number)
        say(f"a source that moves: {outcome}")
        assert not (outcome.missing or outcome.wrong), outcome


def sieges(base: Path, place: Open, kills: int, seed: int) -> None:
    """Kill migrations; those to S3 need uploads in parts, and half of them read everything back."""
    phases: Counter[str] = Counter()
    for source, target, verify, part in SIEGES:
        items = corpus(300, large=(70 * MIB, 100 * MIB) if part == 2 else (20 * MIB,))
        step = base / f"{source}-{target}-{verify}"
        sides = place(source, step / "source"), place(target, step / "target")
        flags = ("--verify", verify)
        outcome = besiege(step, *sides, items, kills=kills // part, seed=seed, flags=flags, tell=say)
        say(f"{source} → {target}, --verify {verify}: {outcome}")
        phases += outcome.phases
    assert phases.keys() >= {"inventory", "migration", "verification"}, phases


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
