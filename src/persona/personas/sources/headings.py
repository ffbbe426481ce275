"""The headings of a table, out of one row or of several, and what they say beside a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from persona.personas.sources.records import Hint

_ANSWER = re.compile(
    r"(?:open-ended )?responses?|antwort|offene antwort|réponse(?: ouverte)?|respuesta(?: abierta)?|resposta"
    r"|risposta(?: aperta)?|antwoord|回答",
    re.IGNORECASE,
)
_MOST_NOTES = 10
_LONGEST_LABEL = 1_000


@dataclass(frozen=True)
class Heading:
    """The heading of one column.

    Args:
        name: as the table has it; "" if there is none. Several columns may have the same.
        hint: what the table says of the column beside it.
    """

    name: str
    hint: Hint = Hint()


def is_answer_heading(text: str) -> bool:
    """Say whether a cell is what SurveyMonkey writes below a question that has no options: “Response”."""
    return _ANSWER.fullmatch(text) is not None


def shortened(wording: str) -> str:
    """Return a question's wording, without what is behind its first thousand characters, such as whole instructions."""
    return wording if len(wording) <= _LONGEST_LABEL else f"{wording[: _LONGEST_LABEL - 1]}…"


def of_names(row: Sequence[str]) -> list[Heading]:
    """Return the headings of a single row."""
    return [Heading(name) for name in row]


def of_wordings(names: Sequence[str], wordings: Sequence[str]) -> list[Heading]:
    """Return the headings of a row of names with a row of wordings below it, as Qualtrics writes them.

    Source: “Understanding Your Dataset”, https://www.qualtrics.com/support/survey-platform/data-and-analysis-module/
    data/download-data/understanding-your-dataset/.
    """
    return [
        Heading(name, Hint(label=shortened(wording) if wording != name else ""))
        for name, wording in zip(names, wordings, strict=True)
    ]


def over_options(questions: Sequence[str], options: Sequence[str]) -> list[Heading]:
    """Return the headings of a row of questions, each over its first option only, and a row of options below it.

    So SurveyMonkey writes them, where a question without options has “Response” below it.
    """
    headings: list[Heading] = []
    question = ""
    for asked, option in zip(questions, options, strict=True):
        question = asked or (question if option else "")
        if not option or is_answer_heading(option):
            headings.append(Heading(question))
        elif not question:
            headings.append(Heading(option))
        else:
            headings.append(Heading(f"{question} - {option}", Hint(question=question, option=option)))
    return headings


def in_sections(sections: Sequence[str], questions: Sequence[str]) -> list[Heading]:
    """Return the headings of a row of questions, with a row of sections above it, each over its first question only."""
    headings: list[Heading] = []
    section = ""
    for above, asked in zip(sections, questions, strict=True):
        section = above or section
        headings.append(Heading(asked, Hint(question=section, option=asked) if section else Hint()))
    return headings


def distinct(name: str, headings: Sequence[Heading]) -> tuple[list[str], list[str]]:
    """Return a name for each column, all different, and notes on those that were made up.

    Args:
        name: the table's name, for the notes.
        headings: as the table has them.
    """
    notes: list[str] = []
    taken: dict[str, None] = {}
    seen: Counter[str] = Counter()
    for number, each in enumerate(headings, start=1):
        heading = each.name
        if not heading:
            notes.append(f"{name}: column {number} has no heading.")
            heading = f"column {number}"
        unique = heading
        while unique in taken:
            seen[heading] += 1
            unique = f"{heading} ({seen[heading] + 1})"
        if unique != heading:
            notes.append(f"{name}: the heading “{heading}” is there twice; column {number} is called “{unique}”.")
        taken[unique] = None
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = [f"{name}: {len(notes) - _MOST_NOTES:,} more columns have no heading of their own."]
    return list(taken), notes
