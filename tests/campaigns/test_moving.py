"""A migration of a folder that moves all the time ends, and misses only what it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.moving import WAYS, migrate_while_it_moves
from tests.campaigns.sites import folder, fresh
from tests.serving import Server


@pytest.mark.parametrize("seed", range(4))
def test_a_source_that_moves(tmp_path: Path, moto: Server, seed: int) -> None:
    """The short form of ``make torture``."""
    target = folder(tmp_path / "target") if seed else fresh(moto)
    outcome = migrate_while_it_moves(tmp_path, target, seed)
    assert not (outcome.missing or outcome.wrong), outcome
    assert outcome.changes.keys() == WAYS.keys(), outcome
    assert outcome.state == "incomplete", outcome
