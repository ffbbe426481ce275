"""A library goes from place to place, and comes back as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.campaigns.chain import take_through
from tests.campaigns.corpus import FOLDER_NAMES, MIB, corpus
from tests.campaigns.sites import folder, fresh
from tests.serving import Server


def test_through_every_pair_and_back(tmp_path: Path, running: Callable[[str], Server]) -> None:
    """An eighth of the corpus; ``make torture`` takes all 1,247 objects through, and one of 300 MiB."""
    s3 = running("seaweedfs")
    places = [
        folder(tmp_path / "here"),
        fresh(s3, "research"),
        fresh(s3, "of another/team"),
        fresh(running("fake-gcs"), "research"),
        fresh(running("azurite"), "research"),
        folder(tmp_path / "there"),
    ]
    take_through(tmp_path, places, corpus(150, large=(70 * MIB,)))


def test_objects_beside_folders_of_their_name(tmp_path: Path, running: Callable[[str], Server]) -> None:
    """Not through SeaweedFS, which cannot hold them."""
    places = [
        folder(tmp_path / "here"),
        fresh(running("fake-gcs")),
        fresh(running("azurite")),
        folder(tmp_path / "there"),
    ]
    take_through(tmp_path, places, corpus(10, odd=FOLDER_NAMES))
