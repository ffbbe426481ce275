"""Columns that follow from another one, such as age groups from ages and recodes: they count once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise

from persona.personas.sources.records import Answer
from persona.personas.survey import scales
from persona.personas.survey.draft import Draft
from persona.personas.survey.questions import CLOSED, Kind, Question, Use

_MOST_COLUMNS = 400
_LEAST_ROWS = 20
_MANY = 4
_SHORT = 4
_ASKING = frozenset(
    {"how", "what", "which", "who", "where", "when", "why", "the", "you", "your", "for", "are", "does", "have", "was"}
    | {"wie", "welche", "que", "quel", "como", "come", "hoe", "wat"}
)
_LEAST_EACH = 3
"""How many respondents an answer needs, on average, before it may be said that another one follows from it."""

Answers = Sequence[Answer | None]


def derived(draft: Draft) -> None:
    """Ignore each column that follows from another one.

    Of two that say the same the one with the shorter heading stays; else the finer one, from which the other follows:
    ages rather than age groups, a scale rather than its two halves. But words stay rather than codes for them.
    """
    names = [name for name in draft.columns if _is_candidate(draft.decided[name])][:_MOST_COLUMNS]
    sizes = {name: len({a for a in draft.columns[name] if a is not None}) for name in names}
    finer = sorted(names, key=lambda name: (-sizes[name], len(name), names.index(name)))
    gone: dict[str, str] = {}
    for place, name in enumerate(finer):
        if name in gone:
            continue
        for coarser in finer[place + 1 :]:
            if coarser in gone or not _may_follow(draft, name, coarser, sizes):
                continue
            if follows(draft.columns[name], draft.columns[coarser], numbers=_is_number(draft, name)):
                gone[coarser] = name
    said = []
    for name, source in gone.items():
        kept, lost = (name, source) if _in_codes(draft, source) and not _in_codes(draft, name) else (source, name)
        if Use.IGNORE not in (draft.decided[kept].use, draft.decided[lost].use):
            why = f"follows from “{kept}”, which is compared"
            draft.decided[lost] = replace(draft.decided[lost], use=Use.IGNORE, why=why)
            said.append(f"“{lost}” from “{kept}”")
    if said:
        more = f" and {len(said) - 5:,} more" if len(said) > 5 else ""
        draft.notes.append(f"Counted once: {', '.join(sorted(said)[:5])}{more}.")


def _is_candidate(question: Question) -> bool:
    return question.kind in CLOSED and question.kind is not Kind.MULTIPLE and question.use is not Use.IGNORE


def _in_codes(draft: Draft, name: str) -> bool:
    """Say whether a choice is given in numbers, so that words for it say more."""
    question = draft.decided[name]
    return question.kind is Kind.CHOICE and all(scales.number(answer) is not None for answer in question.categories)


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
    ranges = a.kind is Kind.NUMBER and b.kind in (Kind.SCALE, Kind.CHOICE) and sizes[finer] >= 3 * sizes[coarser]
    many = a.kind is Kind.CHOICE and sizes[coarser] >= _MANY and sizes[finer] > sizes[coarser]
    both = a.kind is Kind.NUMBER and b.kind is Kind.NUMBER
    return ranges or many or both or _alike(finer, coarser) or _alike(a.wording, b.wording)


def _alike(one: str, other: str) -> bool:
    """Say whether two headings begin alike (``age``, ``age_group``), or are nearly the same."""
    first, second = (re.findall(r"[^\W_]+", text.casefold()) for text in (one, other))
    if not first or not second:
        return False
    one_first, other_first = first[0], second[0]
    named = not one.endswith("?") and not other.endswith("?") and {one_first, other_first}.isdisjoint(_ASKING)
    short = named and len(first) <= _SHORT and len(second) <= _SHORT and min(len(one_first), len(other_first)) >= 3
    begins = other_first.startswith(one_first) or one_first.startswith(other_first)
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
    if numbers and (_are_ranges(known) or _rise(known)):
        return True
    return not numbers and both >= _LEAST_EACH * len(known)


def _rise(known: Mapping[Answer, Answer]) -> bool:
    """Say whether numbers rise or fall all the way with others, as squares and logarithms do."""
    values = [(scales.number(str(a)), scales.number(str(b))) for a, b in known.items()]
    pairs = sorted((a, b) for a, b in values if a is not None and b is not None)
    steps = [later[1] - earlier[1] for earlier, later in pairwise(pairs)]
    return len(pairs) == len(known) >= _LEAST_ROWS / 2 and (all(s > 0 for s in steps) or all(s < 0 for s in steps))


def _are_ranges(known: dict[Answer, Answer]) -> bool:
    """Say whether numbers, in their order, come to each other answer once only, as the ages of an age group do."""
    order = sorted(known, key=lambda answer: scales.number(str(answer)) or 0.0)
    changes = [known[a] for n, a in enumerate(order) if n == 0 or known[a] != known[order[n - 1]]]
    return len(changes) == len(set(changes)) and len(known) >= 2 * len(changes)
