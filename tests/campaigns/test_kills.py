"""A migration that is killed again and again loses nothing, repeats next to nothing, and ends complete."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns.corpus import MIB, corpus
from tests.campaigns.siege import besiege
from tests.campaigns.sites import folder, fresh
from tests.serving import Server


def test_kills_at_random_moments(tmp_path: Path, seaweedfs: Server) -> None:
    """The short form of ``make torture``."""
    items = corpus(150, large=(70 * MIB,))
    source, target = folder(tmp_path / "source"), fresh(seaweedfs)
    outcome = besiege(tmp_path, source, target, items, kills=12, seed=2, flags=("--verify", "reread"))
    assert not outcome.strays, str(outcome)
    assert len(outcome.kills) >= 12, str(outcome)
    assert outcome.gone_on, str(outcome)
    assert outcome.phases.keys() >= {"inventory", "migration", "verification"}, str(outcome)
