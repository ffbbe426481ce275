"""Campaigns of `tests.hostile.mutants`, each in a process of its own, so that its memory can be measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import unmeasured

MOST_MB = 500
"""What no case may take, in MB; the interpreter and the libraries included."""


def torment(what: str, count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Run commands on so many mutated files, and return what was shown.

    Args:
        what: ``config`` or ``input``.
        count: how many.
        seed: draws them.
        folder: where; it must not be there.
    """
    command = [sys.executable, "-m", "tests.hostile.mutants", what, str(count), str(seed), str(folder)]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=unmeasured.environment()
    )
    assert ran.returncode == 0, ran.stderr[-6000:]
    shown: dict[str, Any] = json.loads(ran.stdout)
    return shown
