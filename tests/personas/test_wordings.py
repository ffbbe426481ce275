"""Wordings of public questionnaires, and what becomes of them: rather quoted than rewritten wrongly."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from persona.personas.generate.rewriting import RULES
from persona.personas.generate.wording import items, label, word
from persona.personas.survey.questions import Kind, Question, Use

ROWS = [
    (row["question"], row["answers"].split(" | "), row["statement"])
    for row in csv.DictReader(
        (
            line
            for line in (Path(__file__).parent / "wordings.tsv").read_text(encoding="utf-8").splitlines()
            if not line.startswith("# ")
        ),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
]
BEGINS = re.compile(
    r"(?:did|would|will|can|could|cannot|found|never|always|usually|often|at least|sometimes|rarely|hardly|regularly"
    r"|still|personally|if |assuming|(?:strongly|somewhat) (?:dis)?agrees"
    r"|[a-z-]+s\b)",
    re.IGNORECASE,
)


def test_there_are_300_different_wordings() -> None:
    assert len({question for question, _, _ in ROWS}) >= 300


def test_every_wording_becomes_its_statement() -> None:
    made = [(question, word(question, given).text) for question, given, _ in ROWS]
    assert made == [(question, says) for question, _, says in ROWS]


def test_every_rule_is_tried() -> None:
    for rule in RULES:
        assert any(rule(question.rstrip("?. "), given) for question, given, _ in ROWS), rule.__name__


def test_what_is_rewritten_is_a_sentence_about_them() -> None:
    rewritten = [(q, says) for q, _, says in ROWS if not says.startswith(f"{label(q)}: ")]
    assert len(rewritten) >= 150
    for question, says in rewritten:
        plain = re.sub(r"“[^”]*”", "", says)
        assert not re.search(r"\b(?:[Yy]ou|[Yy]our|[Yy]ours|I|me|my)\b", plain), (question, says)
        assert not re.search(r"\b(\w+) \1\b", plain, re.IGNORECASE), (question, says)
        assert not re.search(r"[?;]|\s\s|\s,|\b(?:any|ever)$", plain), (question, says)
        assert not re.search(r"\bthey (?:is|has|does|was)\b|\b(?:is|has|does) they\b|\bto they\b|\bthem are\b", plain)
        assert BEGINS.match(plain) or ": " in plain, (question, says)


def test_what_is_not_rewritten_stands_as_it_is() -> None:
    for question, given, says in ROWS:
        if says.startswith(f"{label(question)}: ") and len(given) == 1:
            assert says.endswith(f": {given[0]}")
            assert "?:" not in says


@pytest.mark.parametrize("answer", ["Perhaps", "Yes, sometimes", "Ja", "5", "Don't know"])
def test_an_answer_that_is_no_yes_or_no_is_told_as_it_is(answer: str) -> None:
    for question in ("Do you own a car?", "Have you ever flown?", "Are you married?", "Would you move?"):
        assert word(question, [answer]).text == f"{label(question)}: {answer}"


def test_items_of_a_grid_are_known_by_their_common_beginning() -> None:
    def asked(name: str, wording: str) -> Question:
        return Question(name, Kind.SCALE, Use.DRIVE, label=wording)

    grid = [asked("a", "How do you view them? - Han Solo"), asked("b", "How do you view them? - Yoda")]
    assert items([*grid, asked("c", "How old are you - in years?")]) == {"a": "Han Solo", "b": "Yoda"}
    assert items(grid[:1]) == {}
