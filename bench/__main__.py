"""Start-up, memory and speed of whole processes; medians of runs taken in turn.

Nothing here fails: a machine's speed is no test. The bars stand beside the figures.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.described import described
from tests.servers import SeaweedFS

from bench.caching import caching
from bench.migration import migration
from bench.transfer import PROGRAM

RUNS = 11
PERSONA = [str(Path(sys.executable).with_name("persona"))]
BARE = [sys.executable, "-c", "pass"]
RESEARCH = Path(__file__).parents[1] / "examples" / "research"


def main() -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory(prefix="persona-bench-") as name:
        folder = Path(name)
        os.environ["PERSONA_HOME"] = str(folder / "home")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled already
        os.chdir(folder)
        startup()
        generation()
        transfer(folder)
        caching(folder / "caching")
        migration(folder / "migration")


def startup() -> None:
    """Compare the start of commands with that of Python itself."""
    print("Start-up, as a multiple of `python -c pass` in the same run")
    for command, bar in ((["--version"], 6), (["storage", "list"], 15), (["storage", "status"], None)):
        ratio, seconds = against_bare([*PERSONA, *command])
        limit = f"(at most {bar})" if bar else ""
        print(f"  persona {' '.join(command):<16} {ratio:5.1f} ×  {seconds * 1000:5.0f} ms  {limit}")


def generation() -> None:
    """Time the main job."""
    print("Generating personas of the 67 example respondents")
    command = [*PERSONA, "generate", str(RESEARCH), "--output", "personas/", "--overwrite", "--quiet"]
    times = [timed(command) for _ in range(3)]
    print(f"  {statistics.median(times):.2f} s")


def transfer(folder: Path) -> None:
    """Write and read 1 GiB, and list 5,000 objects, on a server on loopback."""
    print("S3 on loopback (SeaweedFS)")
    with SeaweedFS(folder / "seaweedfs") as server:
        settings = server.settings(server.make_bucket("bench"))
        command = [sys.executable, "-c", PROGRAM, described(settings)]
        figures = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    up, down, peak, listing = map(float, figures)
    print(f"  1 GiB up {up:.1f} s, down {down:.1f} s; the process at most {peak / 1e6:.0f} MB (bar: 150)")
    print(f"  5,000 objects listed in {listing * 1000:.0f} ms")


def against_bare(command: Sequence[str]) -> tuple[float, float]:
    """Return the median ratio of a command to Python's own start, pair by pair, and its median time in seconds."""
    timed(command)
    pairs = [(timed(command), timed(BARE)) for _ in range(RUNS)]
    return statistics.median(own / bare for own, bare in pairs), statistics.median(own for own, _ in pairs)


def timed(command: Sequence[str]) -> float:
    """Run a command and return its wall time in seconds."""
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


main()
