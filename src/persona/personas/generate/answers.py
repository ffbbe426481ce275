"""The answers to closed questions as arrays: for whom a claim holds, without a look at each respondent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from persona.personas.generate.claims import Claim
from persona.personas.survey import scales
from persona.personas.survey.survey import Column

Flags = NDArray[np.bool_]
"""One truth value a respondent."""


class Answers:
    """Closed questions, each coded once.

    Args:
        columns: the questions.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = {column.question.name: column for column in columns}
        self._coded: dict[str, _Coded] = {}

    def verdict(self, claim: Claim) -> tuple[Flags, Flags]:
        """Return for whom a claim holds, and who answered its question."""
        coded = self._of(claim.field)
        return coded.any_of(claim.answers) if claim.answers else coded.between(claim.at_least, claim.at_most)

    def _of(self, name: str) -> _Coded:
        if name not in self._coded:
            self._coded[name] = _Coded(self._columns[name])
        return self._coded[name]


class _Coded:
    """One question: which different answers there are, and the number of the one that each respondent gave."""

    def __init__(self, column: Column) -> None:
        different = list(dict.fromkeys(column.answers))
        place = {answer: i for i, answer in enumerate(different)}
        self._different = different
        self._codes = np.fromiter(map(place.__getitem__, column.answers), np.int64, len(column.answers))
        self._given = np.array([answer is not None for answer in different], dtype=np.bool_)[self._codes]
        self._numbers: NDArray[np.float64] | None = None

    def any_of(self, answers: Sequence[str]) -> tuple[Flags, Flags]:
        wanted = set(answers)
        hit = [
            given is not None and (given in wanted if isinstance(given, str) else not wanted.isdisjoint(given))
            for given in self._different
        ]
        return np.array(hit, dtype=np.bool_)[self._codes], self._given

    def between(self, at_least: float | None, at_most: float | None) -> tuple[Flags, Flags]:
        if self._numbers is None:
            found = [None if given is None else scales.number(str(given)) for given in self._different]
            plain = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
            self._numbers = plain[self._codes]
        low = -np.inf if at_least is None else at_least
        high = np.inf if at_most is None else at_most
        return (self._numbers >= low) & (self._numbers <= high), ~np.isnan(self._numbers)
