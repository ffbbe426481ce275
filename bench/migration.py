"""Migrations and syncs of whole processes, in turn with the tools that only copy: wall time, CPU and memory."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

from tests.campaigns.chain import remote
from tests.campaigns.command import Command
from tests.campaigns.corpus import MIB, Item, corpus, fill_folder, many_small
from tests.campaigns.cost import Cost, cost
from tests.campaigns.sites import folder as place_of
from tests.campaigns.sites import fresh, look, url_of, with_prefix
from tests.servers import SeaweedFS
from tests.serving import tool

from persona.config.schema import StorageSettings

PAIRS = 5
PERSONA = [sys.executable, "-m", "persona", "storage"]
AT_ONCE = "16"

Run = Callable[[], Cost]


def migration(folder: Path) -> None:
    """Print all figures of this part."""
    with SeaweedFS(folder / "seaweedfs") as server:
        many_objects(folder / "many", server)
        nothing_to_do(folder / "idle", server)
    one_large_object(folder / "large")
    growing_numbers(folder / "growing")


def many_objects(folder: Path, server: SeaweedFS) -> None:
    """Migrate 1,247 objects, journal and verification included, in turn with a bare copy."""
    items = [replace(item, content_type=None, metadata=()) for item in corpus(odd=())]
    print(f"{len(items):,} objects of {sum(item.size for item in items) / 1e6:.0f} MB to S3, at concurrency {AT_ONCE}")
    source, bucket, numbers = place_of(folder / "source"), fresh(server), count()
    fill_folder(folder / "source", items)

    def persona() -> Cost:
        number = next(numbers)
        command = Command(folder / f"run-{number}", source, with_prefix(bucket, f"persona-{number}"))
        migrate = ["migrate", "--from", "local", "--to", "s3", "--concurrency", AT_ONCE]
        return cost([*PERSONA, *migrate], environment=command.environment)

    def s5cmd() -> Cost:
        to = url_of(with_prefix(bucket, f"s5cmd-{next(numbers)}"))
        return s5(bucket, "--numworkers", AT_ONCE, "cp", f"{folder / 'source'}/", f"{to}/")

    compare("persona migrate", "s5cmd cp", persona, s5cmd, bars=(1.0, 1.0))
    for prefix in ("persona-0", "s5cmd-1"):
        found = look(with_prefix(bucket, prefix), lambda storage: storage.list())
        assert len(found) == len(items), f"{prefix}: {len(found)}"


def nothing_to_do(folder: Path, server: SeaweedFS) -> None:
    """Sync what is equal already, in turn with rclone."""
    items = [replace(item, content_type=None, metadata=()) for item in corpus(odd=())]
    print(f"Sync of {len(items):,} objects with nothing to do")
    source, bucket = folder / "source", fresh(server)
    fill_folder(source, items)
    command = Command(folder, bucket)
    sync = ["sync", "--from", str(source), "--to", url_of(with_prefix(bucket, "persona")), "--concurrency", AT_ONCE]
    variables = remote("S", bucket) | {"HOME": str(folder), "PATH": os.environ["PATH"]}
    rclone = [tool("rclone"), "sync", str(source), f"s:{bucket.s3.bucket}/rclone", "--config", os.devnull]
    rclone += ["--transfers", AT_ONCE, "--checkers", AT_ONCE]
    compare(
        "persona sync",
        "rclone sync",
        lambda: cost([*PERSONA, *sync], environment=command.environment),
        lambda: cost(rclone, environment=variables),
        bars=(1.0, None),
    )


def one_large_object(folder: Path) -> None:
    """Move 1 GiB up and down; a server of its own for each pair, so that no disk fills."""
    print("1 GiB to S3 and back")
    item = Item("session.bin", 1024 * MIB)
    fill_folder(folder / "source", [item])
    costs: dict[str, list[Cost]] = {name: [] for name in ("up", "s5cmd up", "down", "s5cmd down")}
    for number in range(PAIRS):
        with SeaweedFS(folder / "seaweedfs") as server:
            costs["up"].append(_persona_moves(folder / f"up-{number}", "local", "s3", folder / "source", server))
            costs["s5cmd up"].append(_s5cmd_moves(server, str(folder / "source" / item.path), None))
            costs["down"].append(_persona_moves(folder / f"down-{number}", "s3", "local", folder / "back", server))
            costs["s5cmd down"].append(_s5cmd_moves(server, None, str(folder / "back-by-s5cmd.bin")))
        assert (folder / "back" / item.path).stat().st_size == item.size
        (folder / "back" / item.path).unlink()
        (folder / "back-by-s5cmd.bin").unlink()
    for way in ("up", "down"):
        show(f"persona migrate, {way}", f"s5cmd cp, {way}", costs[way], costs[f"s5cmd {way}"], bars=(1.1, None))
        peak = max(each.peak for each in costs[way])
        print(f"  the process at most {peak / 1e6:.0f} MB (bar: 150)")


def _persona_moves(home: Path, source: str, target: str, disk: Path, server: SeaweedFS) -> Cost:
    bucket = server.settings(server.make_bucket("large"), "persona")
    command = Command(home, place_of(disk), bucket)
    migrate = ["migrate", "--from", source, "--to", target, "--concurrency", AT_ONCE]
    return cost([*PERSONA, *migrate], environment=command.environment)


def _s5cmd_moves(server: SeaweedFS, up: str | None, down: str | None) -> Cost:
    bucket = server.settings(server.make_bucket("large"))
    url = "s3://large/s5cmd/session.bin"
    return s5(bucket, "cp", "-c", AT_ONCE, up or url, down or url)


def growing_numbers(folder: Path) -> None:
    """Migrate 20,000 and 200,000 tiny objects from disk to disk."""
    print("Memory of a migration of tiny objects, local to local")
    for flat in (False, True):
        peaks = []
        for objects in (20_000, 200_000):
            place = folder / f"{'flat' if flat else 'nested'}-{objects}"
            many_small(place / "source", objects, flat=flat)
            command = Command(place, place_of(place / "source"))
            migrate = ["migrate", "--from", "local", "--to", f"file://{place / 'target'}", "--concurrency", AT_ONCE]
            peaks.append(cost([*PERSONA, *migrate], environment=command.environment).peak)
        shape = "in one folder" if flat else "in nested folders"
        figures = f"20,000: {peaks[0] / 1e6:.0f} MB, 200,000: {peaks[1] / 1e6:.0f} MB (bar: 200)"
        print(f"  {shape}: {figures}, ratio {peaks[1] / peaks[0]:.2f} (at most 1.1)")


def s5(settings: StorageSettings, *arguments: str) -> Cost:
    """Run s5cmd on the server of a bucket."""
    s3 = settings.s3
    assert s3.secret_access_key and isinstance(s3.access_key_id, str) and s3.endpoint_url
    variables = {"AWS_ACCESS_KEY_ID": s3.access_key_id, "AWS_SECRET_ACCESS_KEY": s3.secret_access_key.reveal()}
    command = [tool("s5cmd"), "--endpoint-url", s3.endpoint_url, *arguments]
    return cost(command, environment={**variables, "AWS_REGION": "us-east-1", "PATH": os.environ["PATH"]})


def compare(own: str, other: str, run: Run, run_other: Run, *, bars: tuple[float | None, float | None]) -> None:
    """Run two things in turn, each once before it counts, and print their medians and ratios."""
    run(), run_other()
    pairs = [(run(), run_other()) for _ in range(PAIRS)]
    show(own, other, [pair[0] for pair in pairs], [pair[1] for pair in pairs], bars=bars)


def show(
    own: str, other: str, costs: list[Cost], others: list[Cost], *, bars: tuple[float | None, float | None]
) -> None:
    """Print medians of wall and CPU seconds, and the median of the ratios pair by pair."""
    for what, bar in zip(("wall", "cpu"), bars, strict=True):
        values = [[getattr(each, what) for each in group] for group in (costs, others)]
        ratio = statistics.median(a / b for a, b in zip(*values, strict=True))
        seconds = " against ".join(f"{statistics.median(group):.2f} s" for group in values)
        limit = f"(at most {bar})" if bar else ""
        print(f"  {own}, {what}: {ratio:.2f} × {other}, {seconds}  {limit}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="persona-bench-") as name:
        migration(Path(name))
