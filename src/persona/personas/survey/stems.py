"""What headings have in common: the question of a grid or of tick boxes, and the row or option of each column.

Forms write them as ``Question - Option`` (Qualtrics, SurveyMonkey), ``Question [Option]`` (Google Forms, LimeSurvey),
``question/option`` (KoBo, ODK), ``Question (choice=Option)`` and ``question___1`` (REDCap), ``Q3_1`` (SPSS).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from persona.personas.survey.draft import Draft

_TWICE = re.compile(r" \(\d+\)$")
_SELECTED = re.compile(r"\s+-\s+Selected Choice\b(?:\s+-\s+)?", re.IGNORECASE)
"""What Qualtrics writes between a question and its options."""
_ENCLOSED = re.compile(r"(.*\S)\s*(?:\[(?P<row>[^\[\]]+)\]|\((?:choice|option)\s*=\s*(?P<choice>.+)\))\s*")
_BETWEEN = re.compile(r"\s+[-–—|]\s+|:\s+|(?<=[?.!])(?:\s+|-(?=\w))|\s*/\s*|___|(?<=[\w\]])[_.](?=\w)")
_MOST_CUTS = 8
"""How many places of a heading, from its end, may part a question and its option."""
_NUMBERED = re.compile(r"(.*[^\W\d_])_?(\d{1,3})")


@dataclass(frozen=True)
class Part:
    """A column as a part of a question.

    Args:
        name: the column.
        stem: the question.
        option: the row or option that the column is.
        numbered: whether the option is only a number behind the question, so that the heading says little.
    """

    name: str
    stem: str
    option: str
    numbered: bool = False


def parts_of(draft: Draft, name: str) -> Iterator[Part]:
    """Yield each way to read a column as a part of a question, the shortest question first."""
    hint = draft.hint(name)
    if hint.question:
        yield Part(name, hint.question, hint.option)
        return
    seen = set[str]()
    for text in dict.fromkeys((hint.label, name)):
        asked, *options = _SELECTED.split(_TWICE.sub("", text), maxsplit=1)
        for stem, option in [(asked, options[0])] if any(options) else _cuts(asked):
            if stem not in seen:
                seen.add(stem)
                yield Part(name, stem, option, option.isdigit())


def _cuts(text: str) -> Iterator[tuple[str, str]]:
    if enclosed := _ENCLOSED.fullmatch(text):
        yield enclosed[1], (enclosed["row"] or enclosed["choice"]).strip()
        return
    for between in deque(_BETWEEN.finditer(text), _MOST_CUTS):
        stem, option = text[: between.start()].strip(), text[between.end() :].strip()
        if stem and option:
            yield stem, option
    if numbered := _NUMBERED.fullmatch(text):
        yield numbered[1], numbered[2]


def by_stem(draft: Draft, names: Sequence[str]) -> Mapping[str, list[Part]]:
    """Return the columns that share a question, two or more, by the question."""
    groups: dict[str, list[Part]] = {}
    for name in names:
        for part in parts_of(draft, name):
            groups.setdefault(part.stem, []).append(part)
    return {stem: parts for stem, parts in groups.items() if len({part.option for part in parts}) > 1}


def last_option(draft: Draft, name: str) -> str:
    """Return what a heading ends with, behind its question; the whole heading if it has no parts."""
    options = [part.option for part in parts_of(draft, name)]
    return min(options, key=len) if options else _TWICE.sub("", draft.wording(name))
