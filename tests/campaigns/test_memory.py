"""The memory of a migration does not grow with the number of objects.

``make bench`` shows it with 20,000 and 200,000. Here the smaller number is one that fills the caches of a few MB: those
of SQLite, of a page of a listing, of a batch of rows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.campaigns.command import Command
from tests.campaigns.corpus import many_small
from tests.campaigns.cost import cost
from tests.campaigns.sites import folder

MIGRATE = [sys.executable, "-m", "persona", "storage", "migrate", "--from", "local", "--to"]


@pytest.mark.parametrize(
    ("counts", "flags"), [((4_000, 8_000), []), ((20_000, 40_000), ["--dry-run"])], ids=["moved", "planned"]
)
def test_more_objects_take_the_same_memory(counts: tuple[int, int], flags: list[str], tmp_path: Path) -> None:
    """All in one folder, which is harder than nested folders."""
    peaks = []
    for count in counts:
        place = tmp_path / str(count)
        many_small(place / "source", count, flat=True)
        command = Command(place, folder(place / "source"), concurrent_uploads=16)
        to = f"file://{place / 'target'}"
        peaks.append(cost([*MIGRATE, to, *flags], environment=command.environment).peak)
    assert peaks[1] < 1.1 * peaks[0], peaks
    assert peaks[1] < 200e6, peaks
