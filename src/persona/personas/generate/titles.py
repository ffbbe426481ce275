"""Titles that say how groups differ, all different; and the summary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from persona.personas.evidence import percent
from persona.personas.generate.wording import lower_first

if TYPE_CHECKING:
    from persona.personas.generate.describe import Candidate
    from persona.personas.model import Count, Statement

LONGEST = 130
"""The longest title, in characters."""
_STEM = re.compile(r"\W+")


def titles(groups: Sequence[Sequence[Candidate]]) -> list[str]:
    """Return a title for each group, out of what it can say about itself (the most telling first)."""
    taken: list[str] = []
    for candidates in groups:
        options = list(_options(candidates))
        title = next((option for option in options if option not in taken), options[0])
        number = 1
        while title in taken:  # nothing tells these groups apart in words
            number += 1
            title = f"{options[0]} ({'I' * number})"
        taken.append(title)
    return taken


def _options(candidates: Sequence[Candidate]) -> list[str]:
    """Return possible titles, the best first: two statements joined, one alone, and a last resort."""
    telling = [c for c in candidates if c.statement.distinct] or list(candidates)
    short = [c for c in telling if len(c.wording.text) <= 100]
    options = []
    for first in short[:1]:
        options += [joined for other in short[1:6] if (joined := _join(first, other))]
    options += [c.wording.text for c in short[:6]]
    options += [_cut(c.wording.text) for c in telling[:3]]
    return [*options, "Answers like most respondents"]


def _join(first: Candidate, second: Candidate) -> str:
    """Return two statements as one, their common lead said once; "" if they say nearly the same or get too long."""
    one, two = first.wording, second.wording
    if _overlap(one.rest or one.text, two.rest or two.text) > 0.5:
        return ""
    if one.lead and one.lead == two.lead:
        text = f"{one.text} and {two.rest}"
    else:
        text = f"{one.text}, and {lower_first(two.text)}"
    return text if len(text) <= LONGEST else ""


def _overlap(one: str, two: str) -> float:
    a, b = set(_STEM.split(one.lower())), set(_STEM.split(two.lower()))
    return len(a & b) / min(len(a), len(b))


def _cut(text: str) -> str:
    """Return a text of at most the length of a title, cut between words."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rsplit(" ", 1)[0] + "…"


def summary(name: str, respondents: Count, telling: Sequence[Candidate], about: Sequence[Statement]) -> str:
    """Return a few sentences about a group, every number in them out of its counts."""
    parts = [
        f"{name} stands for {respondents.count:,} of {respondents.total:,} respondents ({percent(respondents.share)})."
    ]
    distinct = [c for c in telling if c.statement.distinct][:3]
    if distinct:
        parts.append("What sets this group apart: " + "; ".join(_shares(c.statement) for c in distinct) + ".")
    elif telling:
        parts.append("Most of them say: " + "; ".join(_shares(c.statement) for c in telling[:3]) + ".")
    different = [statement for statement in about if statement.distinct]
    if different:
        parts.append("More often than others: " + "; ".join(_shares(statement) for statement in different[:3]) + ".")
    return " ".join(parts)


def _shares(statement: Statement) -> str:
    return f"{statement.text} ({percent(statement.group.share)} against {percent(statement.everyone.share)} of everybody)"
