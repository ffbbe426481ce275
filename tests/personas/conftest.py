from __future__ import annotations

import os
from pathlib import Path

import pytest

from persona.personas.generate.provider import Generated, Options, generate
from persona.personas.sources.read import read_path
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand

ROOT = Path(__file__).parents[2]
RESEARCH = ROOT / "examples" / "research"


def real_survey() -> Path:
    """A real survey where one is at hand; otherwise the example's, to which the same must apply."""
    named = os.environ.get("PERSONA_TEST_SURVEY")
    candidates = [Path(named)] if named else [ROOT.parent / "shared" / "data" / "flying-etiquette.csv"]
    return next((path for path in candidates if path.is_file()), RESEARCH / "survey.csv")


INPUTS = {
    "survey": real_survey(),
    "examples": RESEARCH,
    "example survey": RESEARCH / "survey.csv",
    "interviews": RESEARCH / "interviews",
}


@pytest.fixture(scope="session", params=list(INPUTS))
def made(request: pytest.FixtureRequest) -> tuple[str, Survey, Generated]:
    """Personas of each data set, made once."""
    survey = understand(read_path(INPUTS[request.param]))
    return request.param, survey, generate(survey, Options())


@pytest.fixture(scope="session")
def examples() -> Generated:
    return generate(understand(read_path(RESEARCH)), Options())
