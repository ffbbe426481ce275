"""A codebook is read with all its mistakes at once, obeyed, and changes nothing where it states what was guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from persona.errors import InputError
from persona.personas import document
from persona.personas.generate.provider import Options, generate
from persona.personas.sources.read import read_files, read_path
from persona.personas.sources.records import Dataset
from persona.personas.survey.codebook import parse
from persona.personas.survey.codebook_text import codebook_text, scalar
from persona.personas.survey.lookup import find_question
from persona.personas.survey.questions import Kind, Use
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand
from tests.personas.conftest import INPUTS, RESEARCH

TABLE = """\
Kennung,How often?,Mood,Gadgets,Points,Factor
k1,Never,1,"Phone, Lap, top",7,0.5
k2,Always,2,Phone,k.A.,1.5
k3,Often,-9,"Lap, top",12,1
k4,Never,3,"Phone, Watch",3,1
k5,Always,99,Watch,8,1
k6,Rather not,2,,9,1
"""


def table(text: str = TABLE) -> Dataset:
    return read_files([("t.csv", text.encode())])


def stated(*entries: str, dataset: Dataset | None = None) -> Survey:
    """Return a survey as a codebook with these questions has it."""
    text = "codebook: 1\nquestions:\n" + "".join(f"- {{{entry}}}\n" for entry in entries)
    return understand(dataset or table(), parse("c.yaml", text.encode()))


def answers(survey: Survey, name: str) -> list[object]:
    return list(survey.answers(find_question(survey, name)))


def problems(text: str | Sequence[str]) -> list[str]:
    """Return what is wrong with a codebook, a line each, without the head."""
    with pytest.raises(InputError) as caught:
        if isinstance(text, str):
            understand(table(), parse("c.yaml", text.encode()))
        else:
            stated(*text)
    return [line.strip() for line in str(caught.value).split("\n")[1:]]


def test_all_that_is_wrong_is_named_at_once_with_file_line_key_and_what_is_allowed() -> None:
    found = problems(
        "codebook: 2\n"
        "questions:\n"
        "- question: Mood\n"
        "  kind: scal\n"
        "  order: [1, 2, 2]\n"
        "  colour: red\n"
        "- question: Moood\n"
        "- question: Mood\n"
        "- kind: text\n"
        "- question: Points\n"
        "  kind: id\n"
        "  use: drive\n"
    )
    assert [line.split(" ")[0] for line in found] == [f"c.yaml:{n}:" for n in (1, 4, 5, 6, 7, 8, 9, 12)]
    shown = "\n".join(found)
    for part in (
        "codebook: found “2”, allowed 1",
        "kind of “Mood”: found “scal”, allowed empty, constant,",
        "did you mean “scale”?",
        "order of “Mood”: found “2” twice",
        "colour: found an unknown key, allowed question, label,",
        "found “Moood”, allowed a question of the input; did you mean “Mood”?",
        "found “Mood” a second time, allowed once (line 3)",
        "question: found nothing, allowed its name",
        "use of “Points”: found drive with kind id, allowed ignore",
    ):
        assert part in shown


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "allowed a section with the keys codebook, questions"),
        ("- a\n", "found a list, allowed a section"),
        ("codebook: 1\nquestions: 3\n", "found “3”, allowed a list of questions"),
        ("codebook: 1\nquestions:\n- [a]\n", "a question: found a list"),
        ("codebook: 1\nquestions:\n- &a {question: Mood}\n- *a\n", "found an anchor, an alias or a tag"),
        ("codebook: 1\nquestions:\n- {question: Mood, missing: &m [*m]}\n", "found an anchor"),
        ("codebook: 1\nquestions:\n- {question: !!python/name:os.system x}\n", "allowed its name"),
        ("codebook: 1\nquestions:\n- {question: Mood, missing: [~]}\n", "allowed a list of answers"),
        ("codebook: 1\nquestions:\n- {question: Mood, weight: maybe}\n", "allowed true or false"),
        ("codebook: 1\nquestions: [\n", "not valid YAML"),
        ("codebook: 1\nquestions:\n- question: " + "[" * 3000, "nested too deeply"),
        ("#" * (1 << 20) + "\ncodebook: 1\n", "larger than 1 MiB"),
    ],
)
def test_what_is_no_codebook_is_refused_by_its_line(text: str, part: str) -> None:
    assert part in "\n".join(problems(text))


@pytest.mark.parametrize(
    ("entries", "part"),
    [
        (["question: Gadgets, kind: scale"], "order of “Gadgets”: found nothing, allowed its answers"),
        (
            ["question: How often?, order: [Neverr, Often, Always]"],
            "“Neverr”, which nobody answered; did you mean “Never”",
        ),
        (["question: Mood, order: [1, 2], options: [1]"], "options of “Mood”: found with order"),
        (["question: Mood, order: [1, 2], kind: choice"], "order of “Mood”: found with kind choice"),
        (["question: Points, weight: true"], "weight of “Points”: found no answer"),
        (["question: Factor, weight: true", "question: Mood, weight: true"], "found a second, allowed one"),
        (["question: Gadgets, id: true"], "id of “Gadgets”: found 1 respondents without an answer"),
        (["question: Mood, id: true"], "found “2” more than once"),
    ],
)
def test_what_does_not_fit_the_input_is_refused(entries: list[str], part: str) -> None:
    assert part in "\n".join(problems(entries))


def test_what_is_stated_wins_and_is_counted_anew_from_the_raw_answers() -> None:
    survey = stated(
        "question: How often?, order: [Never, Rather not, Often, Always], section: behaviours",
        "question: Mood, missing: [-9, 99], label: How do you feel?",
        "question: Gadgets, kind: multiple, options: [Phone, 'Lap, top', Watch]",
        "question: Points, kind: number, use: describe",
        "question: Factor, weight: true, section: 'Our weights: 2024'",
    )
    again = codebook_text(survey, "x")
    assert 'section: "Our weights: 2024"' in again
    assert understand(table(), parse("c", again.encode())).questions[-1].section == "Our weights: 2024"
    often, mood, gadgets, points, factor = (
        find_question(survey, name) for name in ("how often?", "How do you feel?", "Gadgets", "Points", "Factor")
    )
    assert (often.kind, often.categories) == (Kind.SCALE, ("Never", "Rather not", "Often", "Always"))
    assert (often.section, often.about) == ("behaviours", False)
    assert (mood.name, mood.categories, mood.missing) == ("Mood", ("1", "2", "3"), ("-9", "99"))
    assert answers(survey, "Mood") == ["1", "2", None, "3", None, "2"]
    assert gadgets.kind is Kind.MULTIPLE
    assert answers(survey, "Gadgets")[:3] == [("Phone", "Lap, top"), ("Phone",), ("Lap, top",)]
    assert (points.kind, points.use) == (Kind.NUMBER, Use.DESCRIBE)
    assert answers(survey, "Points") == ["7", None, "12", "3", "8", "9"]
    assert (factor.kind, factor.use) == (Kind.WEIGHT, Use.IGNORE)
    assert survey.weights == (0.5, 1.5, 1.0, 1.0, 1.0, 1.0)
    noted = " ".join(survey.notes)
    assert "1 answer to “Points” are no numbers" in noted or "k.A." in noted
    assert "“How often?”" in noted


def test_no_missing_code_brings_the_answers_back() -> None:
    without = stated("question: Mood, missing: [2, 99]")
    assert answers(without, "Mood") == ["1", None, "-9", "3", None, None]
    again = stated("question: Mood, missing: []", dataset=table())
    assert answers(again, "Mood") == ["1", "2", "-9", "3", "99", "2"]


def test_the_ids_of_a_question_name_the_respondents() -> None:
    survey = stated("question: Kennung, id: true")
    assert [each.id for each in survey.respondents] == ["k1", "k2", "k3", "k4", "k5", "k6"]
    assert any("storage erase" in note and "“Kennung”" in note for note in survey.notes)


@pytest.mark.parametrize("name", INPUTS)
def test_the_codebook_that_is_written_changes_nothing(name: str) -> None:
    dataset = read_path(INPUTS[name])
    guessed = understand(dataset)
    text = codebook_text(guessed, "the input")
    assert text == codebook_text(understand(read_path(INPUTS[name])), "the input")
    codebook = parse("c.yaml", text.encode())
    assert [entry.question for entry in codebook.entries] == [question.name for question in guessed.questions]
    assert understand(dataset, codebook) == guessed


def test_an_unchanged_codebook_gives_the_same_bytes(examples: object) -> None:
    dataset = read_path(RESEARCH)
    survey = understand(dataset, parse("c", codebook_text(understand(dataset), "x").encode()))
    with_it = [document.write(each) for each in generate(survey, Options()).personas]
    assert with_it == [document.write(each) for each in generate(understand(dataset), Options()).personas]


ODD = [
    *"~1[é😀%`",
    "no",
    "a: b",
    "- a",
    "#x",
    "a #b",
    "",
    " a",
    "it's",
    'say "x"',
    "\ufeff",
    "\u2028",
    "&a",
    "*a",
    "!x",
]
ODD += ["\x7f", "a\\b", "true", "0x1F", "2024-01-01", "@a", "a,b", "{}", "\ud7ff", "\uffff"]


def test_any_text_is_written_so_that_it_is_read_back() -> None:
    from ruamel.yaml import YAML

    for text in ODD:
        assert YAML(typ="safe", pure=True).load(f"a: [{scalar(text)}, {scalar(text)}]\n") == {"a": [text, text]}


def test_a_question_is_found_by_its_name_and_what_is_like_it_is_offered(tmp_path: Path) -> None:
    survey = understand(table())
    assert find_question(survey, "gadgets").name == "Gadgets"
    with pytest.raises(InputError, match="no question “Moods”") as caught:
        find_question(survey, "Moods")
    assert "Did you mean “Mood”?" in caught.value.hint
    with pytest.raises(InputError) as caught:
        find_question(survey, "zzzzzz")
    assert "persona inspect" in caught.value.hint
