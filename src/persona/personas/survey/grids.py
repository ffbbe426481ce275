"""Grids: questions that share a heading and its answers, one column a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from persona.personas.survey.draft import Draft
from persona.personas.survey.questions import Kind, Question
from persona.personas.survey.stems import by_stem

_LEAST_SHARED = 0.5
"""The share of a grid's answers that each of its rows has, at least."""


def grids(draft: Draft) -> None:
    """Say of each row which grid it is of, and give all rows of a grid the scale that most of them have."""
    closed = [
        n for n in draft.columns if draft.decided[n].kind in (Kind.SCALE, Kind.CHOICE) and not draft.decided[n].of
    ]
    for stem, parts in by_stem(draft, closed).items():
        rows = [draft.decided[part.name] for part in parts]
        allowed = set[str]().union(*(row.categories for row in rows))
        common = set(rows[0].categories).intersection(*(row.categories for row in rows))
        shared = bool(common) and all(len(row.categories) >= _LEAST_SHARED * len(allowed) for row in rows)
        if shared and not any(part.numbered for part in parts) and not any(row.of for row in rows):
            _make(draft, stem, rows)


def _make(draft: Draft, stem: str, rows: Sequence[Question]) -> None:
    scales = Counter(row.categories for row in rows if row.kind is Kind.SCALE)
    usual, count = scales.most_common(1)[0] if scales else ((), 0)
    for row in rows:
        made = replace(row, of=stem)
        if row.kind is Kind.CHOICE and count >= len(rows) / 2:
            counts = draft.counts(row.name)
            if sum(counts[answer] for answer in usual) >= _LEAST_SHARED * counts.total():
                made = replace(made, kind=Kind.SCALE, categories=usual, why="a scale, as in the other rows of its grid")
        draft.decided[row.name] = made
