from __future__ import annotations

import pytest

from persona.errors import InputError
from persona.personas.sources.tables import table


def rows(heading: str, ids: list[str], beside: list[str]) -> list[list[str]]:
    return [
        [heading, "Gender", "Rating"],
        *([i, b, str(n % 5)] for n, (i, b) in enumerate(zip(ids, beside, strict=True))),
    ]


PEOPLE = [f"P{n}" for n in range(6) for _ in range(4)]
GENDER = ["f" if n % 2 else "m" for n in range(6) for _ in range(4)]


@pytest.mark.parametrize("heading", ["Participant", "subject", "User ID", "id", "Respondent no."])
def test_several_rows_of_each_person_are_refused(heading: str) -> None:
    with pytest.raises(InputError, match=r"several rows a respondent: “.*” has 6 ids in 24 rows") as caught:
        table("t.csv", rows(heading, PEOPLE, GENDER))
    assert "wide form" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("heading", "ids", "beside"),
    [
        ("id", PEOPLE, GENDER[1:] + GENDER[:1]),  # an interviewer's: respondents of both genders
        ("Subject", [each for each in ("Physics", "Latin", "Art") for _ in range(8)], GENDER),
        ("Participant", [f"P{n}" for n in range(12) for _ in range(2)], GENDER),  # two waves: read, with a note
        ("Participant", [*(f"P{n}" for n in range(20)), "P1", "P1", "P2", "P2"], GENDER),  # some twice
    ],
)
def test_other_columns_whose_values_come_back_are_read(heading: str, ids: list[str], beside: list[str]) -> None:
    assert len(table("t.csv", rows(heading, ids, beside)).records) == 24
