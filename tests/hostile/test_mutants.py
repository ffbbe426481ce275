"""Mutated configurations and inputs: always an exit code of the contract, never a traceback, never over 500 MB.

Some hundreds of each here, thousands with ``make torture``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.torment import MOST_MB, torment


@pytest.mark.parametrize("what", ["config", "input"])
def test_whatever_is_mutated(what: str, tmp_path: Path) -> None:
    shown = torment(what, 200, 154, tmp_path / "project")
    assert shown["cases"] == 200
    assert shown["peak_mb"] < MOST_MB
    assert len(shown["codes"]) > 1, "some are still right, and some are not"
