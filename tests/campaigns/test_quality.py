"""The short form of ``make quality``, and that a gate can fail."""

from __future__ import annotations

import numpy as np
import pytest

from persona.personas.generate.model.structure import adjusted_rand
from tests.campaigns import planted, quality


def test_every_gate_is_kept_in_short() -> None:
    rows = quality.everything(full=False)
    assert len(rows) >= 6
    assert [row for row in rows if not row.kept] == []


def test_a_gate_that_is_not_kept_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = quality.known("noise", lambda seed: planted.classes(seed, size=60), 1, 1.01, True)
    monkeypatch.setattr(quality, "everything", lambda full: rows)
    assert quality.main() == 1
    assert capsys.readouterr().out.startswith("FAIL  noise")


def test_agreement_of_two_groupings_is_beyond_chance() -> None:
    one = np.array([0, 0, 0, 1, 1, 1])
    assert adjusted_rand(one, 1 - one) == 1.0
    assert adjusted_rand(one, np.array([0, 0, 1, 1, 2, 2])) == pytest.approx(0.2424, abs=1e-4)
    assert adjusted_rand(one, np.zeros(6, dtype=np.intp)) == 0.0
