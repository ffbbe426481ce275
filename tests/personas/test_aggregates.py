"""A table of totals instead of respondents is refused as such, and a table of people never is."""

from __future__ import annotations

import pytest

from persona.errors import InputError
from persona.personas.sources.tables import table

TOTALS = {
    "a cross table with a row of totals": (
        [["How often?", "Women", "Men"], ["Daily", "12", "30"], ["Weekly", "20", "15"], ["Total", "32", "45"]],
        "the row “Total” is the sum",
    ),
    "a cross table with a column of totals": (
        [["Answer", "18-29", "30-44", "Total"], ["Yes", "12", "30", "42"], ["No", "20", "15", "35"]],
        "the column “Total” is the sum",
    ),
    "one count an answer": (
        [["Answer", "Responses", "Percent"], ["Yes", "40", "50 %"], ["No", "30", "37.5 %"], ["?", "10", "12.5 %"],
         ["Both", "3", "1 %"]],
        "the column “Responses” counts",
    ),
    "one count a combination": (
        [["Hair", "Sex", "Freq"], ["Red", "F", "12"], ["Red", "M", "9"], ["Black", "F", "7"], ["Black", "M", "11"]],
        "the column “Freq” counts how often each combination",
    ),
    "percentages": (
        [["Which tools?", "%"], ["Bus", "41.2"], ["Bike", "38.8"], ["Car", "20.0"]],
        "the column “%” holds percentages",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOTALS)
def test_a_table_of_totals_is_refused(name: str) -> None:
    rows, reason = TOTALS[name]
    with pytest.raises(InputError, match=r"s\.csv holds totals, not respondents: ") as caught:
        table("s.csv", rows)
    assert reason in caught.value.message
    assert "one row a respondent" in (caught.value.hint or "")


PEOPLE = {
    "with a total below": [["Participant", "A", "B"], ["P1", "3", "4"], ["P2", "1", "2"], ["Total", "4", "6"]],
    "ids without a heading": [["", "A", "B"], ["P1", "3", "4"], ["P2", "1", "2"], ["Total", "4", "6"]],
    "with a sum score": [["Name", "A", "B", "Total"], ["Al", "3", "4", "7"], ["Bo", "1", "2", "3"]],
    "answers that repeat": [["Sex", "Visits", "Count"], *[["F", "1", "2"], ["M", "2", "2"], ["F", "1", "3"]] * 3],
    "shares of each person": [["Team", "Share"], ["A", "50 %"], ["B", "10 %"], ["A", "90 %"], ["C", "70 %"]],
}  # fmt: skip


@pytest.mark.parametrize("name", PEOPLE)
def test_a_table_of_people_is_read(name: str) -> None:
    assert len(table("s.csv", PEOPLE[name]).records) >= 2
