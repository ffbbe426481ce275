"""Real studies of other people: read as a researcher expects, and every number counted again from the raw file.

The recount shares no code with the product: the file is parsed by `csv`, what is missing is what the expectation says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from persona.errors import InputError
from persona.personas.evidence import check
from persona.personas.generate.provider import Generated, Options, generate
from persona.personas.model import Basis, Persona
from persona.personas.sources.read import read_path
from persona.personas.survey.questions import Question
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand
from tests.personas.studies import NO_RESPONDENTS, NO_STUDIES, STUDIES, Rows, Study, content_of, rows_of


@dataclass(frozen=True)
class Run:
    study: Study
    rows: Rows
    survey: Survey
    generated: Generated


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_a_study_is_read_as_a_researcher_expects_and_every_number_is_counted_again(
    study: Study, tmp_path: Path
) -> None:
    """One test a study, so that each is run once on however many workers."""
    content = content_of(study.file)
    if content is None:
        pytest.skip("the data are not kept here")
    path = tmp_path / Path(study.file).name
    path.write_bytes(content)
    survey = understand(read_path(path))
    run = Run(study, rows_of(study, content), survey, generate(survey, Options(by=study.by)))
    questions_are_used_as_a_researcher_expects(run)
    missing_codes_and_the_order_of_scales(run)
    groups_are_found_where_a_researcher_expects_them(run)
    nothing_is_said_that_one_would_be_ashamed_of(run)
    every_number_is_counted_again_from_the_raw_file(run)
    every_quote_stands_in_the_raw_file(run)


def begins(question: Question, names: Sequence[str]) -> bool:
    """Say whether a question is one of those named; a short name is all of the heading."""
    return any(question.name == name or (" " in name and question.name.startswith(name)) for name in names) or (
        " (" in question.name and question.name.split(" (")[0] in names
    )


def questions_are_used_as_a_researcher_expects(run: Run) -> None:
    study = run.study
    assert len(run.survey.respondents) == study.respondents == len(run.rows)
    expected: dict[str, Sequence[str]] = {"drive": study.drive, "describe": study.describe, "ignore": study.ignore}
    for question in run.survey.questions:
        if question.of and question.kind.value == "text":  # what “Other” is
            assert question.use.value == "describe"
            continue
        use = question.use.value
        assert begins(question, expected[use]), (question, study.because)


def missing_codes_and_the_order_of_scales(run: Run) -> None:
    for question in run.survey.questions:
        codes = next((c for name, c in run.study.missing.items() if question.name.startswith(name)), ())
        assert question.missing == codes, (question, run.study.because)
        order = next((o for name, o in run.study.order.items() if begins(question, (name,))), None)
        if order:
            assert " < ".join(question.categories) == order, run.study.because
    assert all(any(q.name.startswith(name) for q in run.survey.questions) for name in run.study.order)


def groups_are_found_where_a_researcher_expects_them(run: Run) -> None:
    structure = run.generated.grouping.structure
    if run.study.by:
        assert structure.kind == "by"
        asked = next(q for q in run.survey.questions if q.name == run.study.by)
        for persona in run.generated.personas:  # a persona of an answer is called by it
            assert any(answer[:20] in persona.title for answer in asked.categories) or asked.categories[:2] in (
                ("Yes", "No"),
                ("No", "Yes"),
            ), persona.title
    elif run.study.groups != "either":
        assert (structure.kind == "none") is (run.study.groups == "none"), structure
    titles = [persona.title for persona in run.generated.personas]
    assert titles and len(set(titles)) == len(titles)


def nothing_is_said_that_one_would_be_ashamed_of(run: Run) -> None:
    boxes = {question.name for question in run.survey.questions if question.kind.value == "multiple"}
    for persona in run.generated.personas:
        assert not any(shame in persona.title for shame in run.study.untitled), persona.title
        said = [persona.title, *(statement.text for statement in persona.statements())]
        for text in said:
            for shame in run.study.never:
                assert not re.search(shame, text), text
        for statement in persona.statements():
            if statement.basis.field in boxes:  # a box that is not ticked is no statement
                assert statement.basis.answers
            assert statement.group.total == 0 or statement.group.share >= 0.4
            if statement.kind != "shared":
                assert statement.group.share - statement.rest.share >= 0.15 - 1e-9


# The recount


def number(cell: str) -> float | None:
    """Return what a cell is worth, in inches where it is a height."""
    if feet := re.fullmatch(r"(\d)'(\d{1,2})\"", cell):
        return float(feet[1]) * 12 + float(feet[2])
    plain = cell.replace(",", "").lstrip("$")
    return float(plain) if re.fullmatch(r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?", plain, re.IGNORECASE) else None


def verdict(study: Study, row: dict[str, str], basis: Basis) -> bool | None:
    """Say whether a statement holds for a row; None if there is no answer."""
    name = basis.field or ""
    gaps = {*study.gaps, *next((codes for start, codes in study.missing.items() if name.startswith(start)), ())}
    if name not in row:
        return ticked(row, name, basis.answers)
    if row[name] in gaps:
        return None
    if basis.answers:
        return row[name] in basis.answers
    value = number(row[name])
    if value is None:
        return None
    low, high = basis.at_least, basis.at_most
    return (low is None or value >= low) and (high is None or value <= high)


def ticked(row: dict[str, str], name: str, answers: list[str]) -> bool | None:
    """Say whether a box is ticked, one column an option.

    Who ticked none answered if there is no box for “none”, and the questions before and after are answered.
    """
    headings = [*row]
    boxes = [place for place, heading in enumerate(headings) if heading.startswith(f"{name} - ")]
    options = {headings[place].removeprefix(f"{name} - ") for place in boxes if row[headings[place]]}
    beside = [headings[place] for place in (boxes[0] - 1, boxes[-1] + 1)]
    if not options and (f"{name} - None" in row or not all(row[heading] for heading in beside)):
        return None
    return not options.isdisjoint(answers)


def members_of(persona: Persona) -> set[str]:
    return {record for part in persona.members for record in part.records}


def every_number_is_counted_again_from_the_raw_file(run: Run) -> None:
    counted = 0
    for persona in run.generated.personas:
        members = members_of(persona)
        assert members <= run.rows.keys()
        claims = [(each.text, each.basis, each.group, each.rest) for each in persona.statements() if each.basis.field]
        for of in persona.demographics:
            for each in of.shares:
                if each.answers or each.at_least is not None or each.at_most is not None:
                    basis = Basis(field=of.field, answers=each.answers, at_least=each.at_least, at_most=each.at_most)
                    claims.append((f"{of.label}: {each.text}", basis, each.group, each.rest))
        for text, basis, group, rest in claims:
            verdicts = {key: verdict(run.study, row, basis) for key, row in run.rows.items()}
            for stated, inside in ((group, True), (rest, False)):
                given = [v for key, v in verdicts.items() if v is not None and (key in members) is inside]
                assert (stated.count, stated.total) == (sum(given), len(given)), (text, inside)
                assert stated.share == pytest.approx(sum(given) / len(given) if given else 0, abs=0.0001)
            counted += 1
    assert counted >= 2


def every_quote_stands_in_the_raw_file(run: Run) -> None:
    quotes = 0
    for persona in run.generated.personas:
        items = [item for statement in persona.statements() for item in statement.evidence] + persona.quotes
        for item in items:
            row = run.rows[item.record]
            cells = {row[item.field]} if item.field in row else {h for h in row if h.startswith(item.field) and row[h]}
            assert any(item.quote in cell for cell in cells), item
            assert item.record in members_of(persona)
            quotes += 1
    assert quotes >= 2


@pytest.mark.parametrize("file", NO_RESPONDENTS)
def test_a_table_without_a_row_a_respondent_is_refused(file: str, tmp_path: Path) -> None:
    content = content_of(file)
    assert content is not None
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=NO_RESPONDENTS[file]) as caught:
        understand(read_path(tmp_path / "t.csv"))
    assert caught.value.hint


@pytest.mark.parametrize("file", NO_STUDIES)
def test_tables_that_are_no_studies_break_nothing(file: str, tmp_path: Path) -> None:
    content = content_of(file)
    assert content is not None
    (tmp_path / "t.csv").write_bytes(content)
    survey = understand(read_path(tmp_path / "t.csv"))
    closed = [question for question in survey.questions if question.closed and 2 <= len(question.categories) <= 6]
    made = generate(survey, Options(by=closed[0].name))
    for persona in made.personas:
        check(persona, survey)
    assert made.personas
