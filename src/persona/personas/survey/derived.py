"""Columns that follow from another one, such as age groups from ages and recodes: they count once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from persona.personas.sources.records import Answer
from persona.personas.survey import scales
from persona.personas.survey.draft import Draft
from persona.personas.survey.questions import CLOSED, Kind, Question, Use

_MOST_COLUMNS = 400
_LEAST_ROWS = 20
_MANY = 4
_SHORT = 4
_LEAST_EACH = 3
"""How many respondents an answer needs, on average, before it may be said that another one follows from it."""

Answers = Sequence[Answer | None]


def derived(draft: Draft) -> None:
    """Ignore each column that follows from another one.

    Of two that say the same the first stays; else the finer one, from which the other follows: ages rather than age
    groups, a scale rather than its two halves.
    """
    names = [name for name in draft.columns if _is_candidate(draft.decided[name])][:_MOST_COLUMNS]
    sizes = {name: len({a for a in draft.columns[name] if a is not None}) for name in names}
    finer = sorted(names, key=lambda name: (-sizes[name], names.index(name)))
    gone: dict[str, str] = {}
    for place, name in enumerate(finer):
        if name in gone:
            continue
        for coarser in finer[place + 1 :]:
            if coarser in gone or not _may_follow(draft, name, coarser, sizes):
                continue
            if follows(draft.columns[name], draft.columns[coarser], numbers=_is_number(draft, name)):
                gone[coarser] = name
    for name, source in gone.items():
        question = draft.decided[name]
        draft.decided[name] = replace(question, use=Use.IGNORE, why=f"follows from “{source}”, which is compared")
    if gone:
        shown = ", ".join(f"“{name}” from “{source}”" for name, source in sorted(gone.items())[:5])
        more = f" and {len(gone) - 5:,} more" if len(gone) > 5 else ""
        draft.notes.append(f"Counted once: {shown}{more}.")


def _is_candidate(question: Question) -> bool:
    return question.kind in CLOSED and question.kind is not Kind.MULTIPLE and question.use is not Use.IGNORE


def _is_number(draft: Draft, name: str) -> bool:
    return draft.decided[name].kind is Kind.NUMBER


def _may_follow(draft: Draft, finer: str, coarser: str, sizes: Mapping[str, int]) -> bool:
    """Say whether one may be derived of the other by what they are.

    In small data two questions may agree by chance, and both are worth saying. So their headings are alike, as those of
    a recode are, or numbers are cut into ranges, or there are many answers, as of states and their regions.
    """
    a, b = draft.decided[finer], draft.decided[coarser]
    if a.of and a.of == b.of:
        return False
    ranges = a.kind is Kind.NUMBER and b.kind in (Kind.SCALE, Kind.CHOICE)
    many = sizes[coarser] >= _MANY and sizes[finer] > sizes[coarser]
    return ranges or many or _alike(finer, coarser) or _alike(a.wording, b.wording)


def _alike(one: str, other: str) -> bool:
    """Say whether two headings begin alike (``age``, ``age_group``), or are nearly the same."""
    first, second = (re.findall(r"[^\W_]+", text.casefold()) for text in (one, other))
    if not first or not second:
        return False
    short = len(first) <= _SHORT and len(second) <= _SHORT
    begins = len(first[0]) >= 3 and (
        second[0].startswith(first[0]) or (len(second[0]) >= 3 and first[0].startswith(second[0]))
    )
    return (short and begins) or SequenceMatcher(None, first, second).ratio() >= 0.8


def follows(source: Answers, target: Answers, *, numbers: bool = False) -> bool:
    """Say whether each answer of one column gives the answer of another, where both are given.

    Args:
        source: the answers to one question.
        target: those of the same respondents to another.
        numbers: whether the first are numbers, which ranges cut into pieces without overlap.
    """
    known: dict[Answer, Answer] = {}
    for a, b in zip(source, target, strict=True):
        if a is not None and b is not None and known.setdefault(a, b) != b:
            return False
    both = sum(a is not None and b is not None for a, b in zip(source, target, strict=True))
    either = max(sum(a is not None for a in source), sum(b is not None for b in target))
    counts = Counter(b for a, b in zip(source, target, strict=True) if a is not None and b is not None)
    if both < _LEAST_ROWS or both < 0.9 * either or len(counts) < 2:
        return False
    if counts.most_common(1)[0][1] > 0.95 * both:
        return False
    if numbers:
        return _are_ranges(known)
    return both >= _LEAST_EACH * len(known)


def _are_ranges(known: dict[Answer, Answer]) -> bool:
    """Say whether numbers, in their order, come to each other answer once only, as the ages of an age group do."""
    order = sorted(known, key=lambda answer: scales.number(str(answer)) or 0.0)
    changes = [known[a] for n, a in enumerate(order) if n == 0 or known[a] != known[order[n - 1]]]
    return len(changes) == len(set(changes)) and len(known) >= 2 * len(changes)
