"""Titles: one or two answers that set a group apart, no two alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from persona.personas.evidence import LONGEST_TITLE
from persona.personas.generate.describe import LEAST_SHARE, Finding
from persona.personas.generate.wording import Wording, lower_first
from persona.personas.generate.words import stems_of

NOTHING = "No single answer stands out"
EVERYBODY = "Everybody"
NO_GROUPS = "Everybody: no groups found"
_ALIKE = 0.5
_AGREES = re.compile(r"(?:\w+ )?(?:dis)?agrees: ", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """What a title is chosen from.

    Args:
        name: the persona's name, for a last resort.
        findings: its statements.
        together: returns the share of the group for whom two findings hold at once.
        first: the field whose answer the title begins with; "" if none does.
    """

    name: str
    findings: Sequence[Finding]
    together: Callable[[Finding, Finding], float]
    first: str = ""


def common_endings(questions: Sequence[str]) -> list[str]:
    """Return the last words that many questions share, as “on a plane”: a title can do without them."""
    tails = Counter(
        " ".join(words[-n:])
        for question in questions
        if len(words := question.rstrip("?. ").split()) > 4
        for n in (2, 3, 4)
    )
    return sorted((tail for tail, count in tails.items() if count >= 3), key=lambda tail: (-len(tail), tail))


def titles(groups: Sequence[Group], endings: Sequence[str] = (), mark: str = "") -> list[str]:
    """Return a title for each group.

    Args:
        groups: what each has.
        endings: what titles leave out at the end of a statement; see `common_endings`.
        mark: what stands at the end of each title, as “(exploratory)”.
    """
    taken: list[str] = []
    used: set[str] = set()
    tail = f" {mark}" if mark else ""
    room = LONGEST_TITLE - len(tail)
    for group in groups:
        options = [(text, parts) for text, parts in _options(group, endings, room) if f"{text}{tail}" not in taken]
        fresh = [each for each in options if used.isdisjoint(each[1])]
        last = (_shortened(f"{group.name}: {lower_first(NOTHING)}", room), frozenset[str]())
        text, parts = [*fresh, *options, last][0]
        taken.append(f"{text}{tail}")
        used |= parts
    return taken


def _options(group: Group, endings: Sequence[str], room: int) -> list[tuple[str, frozenset[str]]]:
    """Return possible titles, the best first: two statements joined, one alone, a last resort."""
    telling = [each for each in group.findings if each.statement.kind != "shared" and not each.sensitive]
    telling.sort(
        key=lambda each: (each.claim.field != group.first or not group.first, not each.claim.field, -each.score)
    )
    pool = [each for each in telling if not each.negative or (group.first and each.claim.field == group.first)]
    words = {id(each): _text(each, endings) for each in telling}
    texts = {key: each.text for key, each in words.items()}
    options: list[tuple[str, frozenset[str]]] = []
    for first in pool[:3]:
        for second in pool:
            joined = _join(words[id(first)], words[id(second)])
            if first is not second and joined and len(joined) <= room and group.together(first, second) >= LEAST_SHARE:
                options.append((joined, frozenset({texts[id(first)], texts[id(second)]})))
        options += _alone(texts[id(first)], room)
    options += [option for each in pool[3:] for option in _alone(texts[id(each)], room)]
    options += [(_shortened(texts[id(each)], room), frozenset({texts[id(each)]})) for each in pool[:3]]
    negative = [each for each in telling if each.negative]
    options += [option for each in negative for option in _alone(texts[id(each)], room)]
    options += [(_shortened(texts[id(each)], room), frozenset({texts[id(each)]})) for each in negative[:3]]
    return [*options, (NOTHING, frozenset())]


def _alone(text: str, room: int) -> list[tuple[str, frozenset[str]]]:
    return [(text, frozenset({text}))] if len(text) <= room else []


def _text(finding: Finding, endings: Sequence[str]) -> Wording:
    """Return how a finding reads without a common ending."""
    wording = finding.wording
    if wording.short:
        return replace(wording, text=wording.short, lead="", rest="")
    ending = next((f" {ending}" for ending in endings if wording.text.endswith(f" {ending}")), "")
    text, rest = (each.removesuffix(ending) for each in (wording.text, wording.rest))
    if finding.claim.said:  # the other form of a word and the sentence are for the statement to tell
        text, rest = (re.sub(r" \(or “[^”]*”\)| in one sentence$", "", each) for each in (text, rest))
    return replace(wording, text=text, rest=rest)


def _join(one: Wording, two: Wording) -> str:
    """Return two statements as one, what both begin with said once; "" if they say nearly the same."""
    if _overlap(one.rest or one.text, two.rest or two.text) >= _ALIKE:
        return ""
    if one.lead and one.lead == two.lead:
        return f"{one.text}; {two.rest}"
    labelled = ": " in two.text.split("“")[0] and not _AGREES.match(two.text)
    return f"{one.text}; {two.text if labelled else lower_first(two.text)}"


def _overlap(one: str, two: str) -> float:
    a, b = stems_of(one), stems_of(two)
    return len(a & b) / len(a | b) if a and b else 0.0


def _shortened(text: str, room: int) -> str:
    """Return a text that fits: its question is cut between words, its answer kept if there is room."""
    if len(text) <= room:
        return text
    question, mark, answer = text.rpartition(": ")
    left = room - len(answer) - len(mark) - 1
    if mark and left >= 20:
        return f"{_cut(question, left)}…{mark}{answer}"
    return f"{_cut(text, room - 1)}…"


def _cut(text: str, room: int) -> str:
    """Return the beginning of a text, cut between words; a number is not cut, since it would be another one."""
    return re.sub(r"\W*\d*$", "", text[: room + 1].rsplit(" ", 1)[0])[:room]
