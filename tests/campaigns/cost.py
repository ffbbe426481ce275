"""What a whole process costs: wall time, CPU, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAUNCHER = """
import json, os, sys, time
begun = time.perf_counter()
quiet = os.open(os.devnull, os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, quiet, 0), (os.POSIX_SPAWN_DUP2, quiet, 1)]
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
_, status, used = os.wait4(pid, 0)
wall = time.perf_counter() - begun
print(json.dumps([os.waitstatus_to_exitcode(status), wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))
"""
"""A small process between, since a child's peak memory counts what its parent had when it was started."""


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Args:
        wall: seconds from start to end.
        cpu: seconds of CPU, user and system, of the process and all that it waited for.
        peak: the most memory that the process had resident, in bytes.
    """

    wall: float
    cpu: float
    peak: int


def cost(command: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None) -> Cost:
    """Run a command to its end, its stdout thrown away, and return what it took.

    Raises:
        AssertionError: it failed.
    """
    ran = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCHER, *command],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
        check=True,
    )
    code, wall, cpu, peak = json.loads(ran.stdout)
    assert code == 0, f"{command} ended with {code}: {ran.stderr[-2000:]}"
    return Cost(wall, cpu, peak)
