"""The codebook that ``persona inspect`` writes: what was understood of an input, to be corrected by hand."""

from __future__ import annotations

import json
import re

from persona.neutral import line
from persona.personas.survey.codebook import ABOUT, KEYS, SECTIONS, VERSION
from persona.personas.survey.questions import CLOSED, Kind, Question
from persona.personas.survey.survey import Survey

_PLAIN = re.compile(r"[^\W\d_][\w ./+()-]*(?<! )")
_KEYWORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_RAW = re.compile("[ -~\xa1-\ud7ff\uf900-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_HEAD = f"""\
# The codebook of {{input}}: {{questions}}, {{answers}}.
# Correct what is wrong, and delete what you do not want to state: it is then guessed.
#   persona generate INPUT --codebook FILE
#
# kind     scale, choice, multiple, number, text; weight, id, date, metadata, empty, constant are not compared
# order    of a scale: its answers from low to high
# options  of choice and multiple: the answers that are counted
# missing  the answers that stand for no answer
# use      drive (makes the groups), describe (describes them only), ignore
# section  {", ".join(SECTIONS)}, or a heading of your own
# weight: true if it holds survey weights; id: true if it holds the ids of respondents
codebook: {VERSION}
questions:
"""


def codebook_text(survey: Survey, name: str) -> str:
    """Return the codebook of a survey as YAML with comments; the same survey gives the same text.

    Args:
        survey: as it was understood.
        name: what the input is called.
    """
    respondents, questions = len(survey.respondents), len(survey.questions)
    head = _HEAD.format(
        input=line(" ".join(name.split())),
        questions=f"{questions:,} question{'' if questions == 1 else 's'}",
        answers=f"{respondents:,} respondent{'' if respondents == 1 else 's'}",
    )
    return (
        head + "".join(_entry(survey, question) for question in survey.questions) if questions else head[:-1] + " []\n"
    )


def _entry(survey: Survey, question: Question) -> str:
    """Return one question, below a comment that says how it was understood."""
    answers = sum(answer is not None for answer in survey.answers(question))
    why = f"; {line(question.why)}" if question.why else ""
    rows = [f"# {answers:,} answer{'' if answers == 1 else 's'}{why}"]
    stated = _stated(question) | ({"id": "true"} if _is_id(survey, question) else {})
    rows += [f"{key}: {stated[key]}" for key in KEYS if key in stated]
    first, *rest = rows[1:]
    return "".join([f"\n{rows[0]}\n- {first}\n", *(f"  {row}\n" for row in rest)])


def _is_id(survey: Survey, question: Question) -> bool:
    """Say whether the answers to a question are the ids of all respondents in the files that have it."""
    if question.kind is not Kind.ID:
        return False
    files = {each.file for each in survey.respondents if question.name in each.fields}
    asked = [each for each in survey.respondents if each.file in files]
    return bool(asked) and all(each.fields.get(question.name) == each.id for each in asked)


def _stated(question: Question) -> dict[str, str]:
    """Return the keys of a question with their values as YAML."""
    found = {"question": scalar(question.name), "label": scalar(question.label), "kind": question.kind.value}
    if question.kind in CLOSED and question.categories:
        found["order" if question.kind is Kind.SCALE else "options"] = _list(question.categories)
    found |= {"missing": _list(question.missing), "use": question.use.value}
    found |= {"section": ABOUT if question.about else scalar(question.section)}
    found |= {"weight": "true"} if question.kind is Kind.WEIGHT else {}
    return {key: value for key, value in found.items() if value and value not in ('""', "[]")}


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(scalar, texts))}]"


def scalar(text: str) -> str:
    """Return a text as YAML on one line, in quotes wherever it could be read as something else."""
    if _PLAIN.fullmatch(text) and text.isascii() and text.lower() not in _KEYWORDS:
        return text
    return "".join(c if _RAW.fullmatch(c) else _escaped(c) for c in json.dumps(text, ensure_ascii=False))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
