"""Titles that say how groups differ, all different; and the summary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from persona.personas.generate.wording import lower_first
from persona.personas.generate.words import stems_of
from persona.personas.model import percent

if TYPE_CHECKING:
    from persona.personas.generate.describe import Candidate
    from persona.personas.model import Count, Statement

LONGEST = 130
"""The longest title, in characters."""
_ALIKE = 0.5


def common_endings(questions: Sequence[str]) -> list[str]:
    """Return the last words that many questions share, as “on a plane”: a title can do without them."""
    tails = Counter(
        " ".join(words[-n:])
        for question in questions
        if len(words := question.rstrip("?. ").split()) > 4
        for n in (2, 3, 4)
    )
    return sorted((tail for tail, count in tails.items() if count >= 3), key=lambda tail: (-len(tail), tail))


def titles(groups: Sequence[Sequence[Candidate]], themes: Sequence[str] = (), endings: Sequence[str] = ()) -> list[str]:
    """Return a title for each group.

    Args:
        groups: what each answered, the most telling first.
        themes: what each speaks of, for those whose answers do not set them apart; "" if nothing does.
        endings: what titles leave out at the end of a statement; see `common_endings`.
    """
    taken: list[str] = []
    for candidates, theme in zip(groups, themes or [""] * len(groups), strict=True):
        options = _options([_shortened(candidate, endings) for candidate in candidates], theme)
        title = next((option for option in options if option not in taken), options[0])
        number = 1
        while title in taken:  # nothing tells these groups apart in words
            number += 1
            title = f"{options[0]} ({'I' * number})"
        taken.append(title)
    return taken


def _options(candidates: Sequence[Candidate], theme: str) -> list[str]:
    """Return possible titles, the best first: two statements joined, one alone, and a last resort."""
    distinct = [c for c in candidates if c.statement.distinct]
    if theme and not distinct:
        return [theme, "Answers like most respondents"]
    telling = distinct or list(candidates)
    short = [c for c in telling if len(c.wording.text) <= 100]
    options = []
    for first in short[:1]:
        options += [joined for other in short[1:6] if (joined := _join(first, other))]
    options += [c.wording.text for c in short[:6]]
    options += [_cut(c.wording.text) for c in telling[:3]]
    return [*options, "Answers like most respondents"]


def _shortened(candidate: Candidate, endings: Sequence[str]) -> Candidate:
    """Return a candidate whose wording lacks a common ending."""
    text, rest = candidate.wording.text, candidate.wording.rest
    ending = next((f" {ending}" for ending in endings if text.endswith(f" {ending}")), "")
    wording = replace(candidate.wording, text=text.removesuffix(ending), rest=rest.removesuffix(ending))
    return replace(candidate, wording=wording)


def _join(first: Candidate, second: Candidate) -> str:
    """Return two statements as one, their common lead said once.

    It is "" if they say nearly the same or get too long.
    """
    one, two = first.wording, second.wording
    if _overlap(one.rest or one.text, two.rest or two.text) >= _ALIKE:
        return ""
    if one.lead and one.lead == two.lead:
        text = f"{one.text} and {two.rest}"
    else:
        labelled = ": " in two.text.split("“")[0]
        text = f"{one.text}, and {two.text if labelled else lower_first(two.text)}"
    return text if len(text) <= LONGEST else ""


def _overlap(one: str, two: str) -> float:
    a, b = stems_of(one), stems_of(two)
    return len(a & b) / len(a | b) if a and b else 0.0


def _cut(text: str) -> str:
    """Return a text of at most the length of a title, cut between words."""
    if len(text) <= LONGEST:
        return text
    # The digits of a number that was cut would be another number.
    return re.sub(r"\d+$", "", text[: LONGEST - 1].rsplit(" ", 1)[0]) + "…"


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
    group, everyone = percent(statement.group.share), percent(statement.everyone.share)
    return f"{statement.text} ({group} against {everyone} of everybody)"
