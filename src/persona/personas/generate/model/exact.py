"""The exact hypergeometric test, over arrays."""

from __future__ import annotations

from functools import lru_cache
from math import lgamma

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MOST_TERMS = 1 << 22


def hypergeometric_tail(count: ArrayLike, total: ArrayLike, of: ArrayLike, out_of: ArrayLike) -> NDArray[np.float64]:
    """Return the chance that a group drawn at random holds at least this many: one-sided, exact.

    The group has ``total`` of ``out_of`` people, for ``of`` of whom something holds. Small p-values keep their digits:
    each term is a product of binomial coefficients in logarithms, and the terms of the tail are added.

    Args:
        count: for how many of the group it holds.
        total: how many of the group answered.
        of: for how many of everybody it holds.
        out_of: how many of everybody answered.

    All four broadcast against one another; the result has their common shape. Counts that cannot be (more than
    ``total`` or ``of``) have the chance 0.
    """
    arrays = np.broadcast_arrays(*(np.asarray(each, dtype=np.int64) for each in (count, total, of, out_of)))
    shape = arrays[0].shape
    low, drawn, marked, size = (each.ravel() for each in arrays)
    high = np.minimum(drawn, marked)
    low = np.maximum(low, np.maximum(0, drawn + marked - size))
    terms = np.maximum(high - low + 1, 0)
    result = np.zeros(len(low))
    for start, end in _chunks(terms):
        result[start:end] = _tails(
            low[start:end], terms[start:end], drawn[start:end], marked[start:end], size[start:end]
        )
    sure = low <= np.maximum(0, drawn + marked - size)
    return np.where(sure & (terms > 0), 1.0, np.clip(result, 0.0, 1.0)).reshape(shape)


def _chunks(terms: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return ranges of tests whose terms fit into memory together."""
    bounds, start, held = [], 0, 0
    for end, each in enumerate(terms.tolist()):
        if held and held + each > _MOST_TERMS:
            bounds.append((start, end))
            start, held = end, 0
        held += each
    return [*bounds, (start, len(terms))] if len(terms) else []


def _tails(
    low: NDArray[np.int64],
    terms: NDArray[np.int64],
    drawn: NDArray[np.int64],
    marked: NDArray[np.int64],
    size: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the sum of the terms of each test."""
    test = np.repeat(np.arange(len(terms)), terms)
    held = low[test] + np.arange(len(test)) - np.repeat(np.cumsum(terms) - terms, terms)
    logs = _log_factorials(int(size.max(initial=0)))

    def choose(n: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(logs[n] - logs[k] - logs[n - k])

    all_draws = choose(size, drawn)
    log_terms = choose(marked[test], held) + choose((size - marked)[test], drawn[test] - held) - all_draws[test]
    return np.bincount(test, weights=np.exp(log_terms), minlength=len(terms)).astype(np.float64)


def _log_factorials(most: int) -> NDArray[np.float64]:
    """Return the logarithms of 0!, 1!, …, ``most``!."""
    return _table(1 << max(10, most.bit_length()))[: most + 1]


@lru_cache(maxsize=4)
def _table(length: int) -> NDArray[np.float64]:
    return np.fromiter(map(lgamma, range(1, length + 1)), dtype=np.float64, count=length)
