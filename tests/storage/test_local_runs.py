"""Folders with more entries than are held in memory."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from persona.storage.backends import local_runs
from persona.storage.backends.local import LocalBackend
from tests import unmeasured
from tests.storage.local_helpers import paths_of, refused_by


@pytest.fixture(params=[3, 7, 10_000], ids=["runs of 3", "runs of 7", "in memory"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many entries are held."""
    monkeypatch.setattr(local_runs, "RUN_ENTRIES", request.param)
    monkeypatch.setattr(local_runs, "_BATCH_ENTRIES", 2)
    return int(request.param)


def names() -> list[str]:
    """Return names whose order on disk, as text and in bytes differ."""
    odd = [
        "a",
        "a/b",
        "a-b",
        "a.b",
        "a/b/c",
        "é",
        "e",
        "\U0001f600",
        "\uffee",
        "x" * 300,
        "x" * 300 + "/y",
        "x" * 300 + "z",
    ]
    odd += [f"{number}/{number}" for number in range(25)] + [f"{number:03}" for number in range(40)]
    random.Random(7).shuffle(odd)
    return odd


async def test_a_folder_in_runs_is_in_order(tmp_path: Path, held: int) -> None:
    storage = LocalBackend(tmp_path)
    for name in names():
        await storage.write(name, b"x")
    expected = sorted(names(), key=str.encode)
    assert await paths_of(storage) == expected
    for after in expected:
        assert await paths_of(storage, after=after) == expected[expected.index(after) + 1 :]


async def test_refusals_in_runs_come_once(tmp_path: Path, held: int) -> None:
    storage = LocalBackend(tmp_path)
    for number in range(20):
        (tmp_path / f"{number:02}").write_bytes(b"")
        (tmp_path / f"{number:02}%~=").write_bytes(b"")
        (tmp_path / f"bad\n{number}").write_bytes(b"")
    assert await paths_of(storage) == [f"{number:02}" for number in range(20)]
    assert len(await refused_by(storage)) == len((await storage.list()).refused) == 40


async def test_a_scan_in_runs_that_stops_early_leaves_no_file_open(tmp_path: Path, held: int) -> None:
    storage = LocalBackend(tmp_path)
    for number in range(30):
        await storage.write(f"a/{number:02}", b"x")
    before = len(list(Path("/dev/fd").iterdir()))
    scan = storage.scan()
    await anext(scan)
    await scan.aclose()  # type: ignore[attr-defined]
    assert len(list(Path("/dev/fd").iterdir())) == before


async def test_without_room_for_a_temporary_file_it_goes_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(local_runs, "RUN_ENTRIES", 3)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    storage = LocalBackend(tmp_path)
    for number in range(10):
        await storage.write(str(number), b"x")
    assert await paths_of(storage) == [str(number) for number in range(10)]


SCANNER = """
import asyncio, sys
from pathlib import Path
from persona.storage.backends.local import LocalBackend

async def main():
    print(sum([len(page) async for page in LocalBackend(Path(sys.argv[1])).scan()]))
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

asyncio.run(main())
"""


def test_memory_does_not_grow_with_a_flat_folder(tmp_path: Path) -> None:
    peaks = []
    for count in (12_000, 60_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"interview-{number * 7919 % count:07}.json").touch()
        command = [sys.executable, "-c", SCANNER, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=unmeasured.environment())
        found, peak = map(int, done.stdout.split())
        assert found == count
        peaks.append(peak)
    assert peaks[1] < 1.1 * peaks[0]
