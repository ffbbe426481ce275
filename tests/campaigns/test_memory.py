"""The memory of a migration does not grow with the number of objects."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.campaigns.command import Command
from tests.campaigns.corpus import many_small
from tests.campaigns.cost import cost
from tests.campaigns.sites import folder

MIGRATE = [sys.executable, "-m", "persona", "storage", "migrate", "--from", "local", "--to"]


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_ten_times_the_objects_take_the_same_memory(flat: bool, tmp_path: Path) -> None:
    """The plan of a migration; ``make bench`` copies 20,000 and 200,000."""
    peaks = []
    for count in (5_000, 20_000):
        place = tmp_path / str(count)
        source = folder(place / "source")
        many_small(place / "source", count, flat=flat)
        command = Command(place, source)
        peaks.append(cost([*MIGRATE, f"file://{place / 'target'}", "--dry-run"], environment=command.environment).peak)
    assert peaks[1] < 1.1 * peaks[0], peaks
    assert peaks[1] < 200e6, peaks
