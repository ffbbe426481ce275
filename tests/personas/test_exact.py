from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from persona.personas.generate.model.exact import hypergeometric_tail


def by_fractions(count: int, total: int, of: int, out_of: int) -> float:
    ways = sum(comb(of, k) * comb(out_of - of, total - k) for k in range(max(count, 0), min(total, of) + 1))
    return float(Fraction(ways, comb(out_of, total)))


def test_every_table_of_ten_people_is_exact() -> None:
    tables = [(k, n, m, 10) for n in range(11) for m in range(11) for k in range(12)]
    found = hypergeometric_tail(*np.array(tables).T)
    assert found == pytest.approx([by_fractions(*table) for table in tables], rel=1e-12)


def test_small_chances_keep_their_digits_and_arrays_broadcast() -> None:
    found = hypergeometric_tail([[250], [120]], 250, [700, 300], 2_000)
    wanted = [[by_fractions(k, 250, m, 2_000) for m in (700, 300)] for k in (250, 120)]
    assert found.shape == (2, 2)
    assert found == pytest.approx(np.array(wanted), rel=1e-9)
    assert 0 < found[0, 1] < 1e-250
    assert hypergeometric_tail([], 1, 1, 1).shape == (0,)
