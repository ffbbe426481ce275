"""Exports of survey platforms: their own columns are no questions, and not every row is a response."""

from __future__ import annotations

import pytest

from persona.personas.sources.platforms import platform_of
from persona.personas.sources.tables import read_csv, table
from persona.personas.survey.questions import Kind, Use
from persona.personas.survey.understand import understand

QUALTRICS = ["StartDate", "Status", "Finished", "ResponseId", "UserLanguage", "Q1_Page Submit", "Q1_DO", "Q1", "Q2"]


def qualtrics(*states: tuple[str, str]) -> list[list[str]]:
    return [
        QUALTRICS,
        *(["2026-03-01", status, done, f"R_{n}", "EN", "3.5", "a|b", "abc"[n % 3], "xyzw"[n % 4]]
          for n, (status, done) in enumerate(states)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("usual", "states"),
    [
        (("IP Address", "True"), [("Survey Preview", "True"), ("Survey Test", "True"), ("Spam", "True")]),
        (("0", "1"), [("1", "1"), ("2", "1"), ("8", "1")]),
    ],
)
def test_qualtrics_previews_tests_and_unfinished(usual: tuple[str, str], states: list[tuple[str, str]]) -> None:
    unfinished = (usual[0], "False" if usual[1] == "True" else "0")
    data = table("s.csv", qualtrics(*[usual] * 9, *states, unfinished, unfinished))
    assert len(data.records) == 9
    assert data.left_out == {"previews": 1, "tests": 1, "spam": 1, "unfinished": 2}
    assert data.notes == [
        "s.csv: an export of Qualtrics; 7 columns of its own hold no answers.",
        "s.csv: responses left out: 1 previews, 1 spam, 1 tests, 2 unfinished.",
    ]
    survey = understand(data)
    assert survey.read == 14
    assert [each.name for each in survey.questions if each.use is not Use.IGNORE] == ["Q1", "Q2"]


def test_where_nobody_finished_everybody_counts() -> None:
    data = table("s.csv", qualtrics(*[("IP Address", "False")] * 6))
    assert len(data.records) == 6
    assert not data.left_out


EXPORTS = {
    "Typeform": (
        ["#", "How was it?", "Charts", "Alerts", "Response Type", "Start Date (UTC)", "Submit Date (UTC)", "Tags"],
        [
            ["a1", "Good", "Charts", "", "completed", "2026-03-01", "2026-03-01", "n1"],
            ["a2", "Bad", "Charts", "Alerts", "completed", "2026-03-01", "2026-03-01", "n2"],
            ["a3", "Bad", "", "Alerts", "partial", "2026-03-01", "", "n3"],
        ],
        {"unfinished": 1},
        ["How was it?", "Ticked: Charts, Alerts"],
    ),
    "Microsoft Forms": (
        ["ID", "Start time", "Completion time", "Email", "Name", "Which tools?", "How was it?"],
        [
            ["1", "3/1/26 10:00", "3/1/26 10:05", "anonymous", "", "Bus;Bike;", "Good"],
            ["2", "3/1/26 11:00", "3/1/26 11:05", "anonymous", "", "Bus;", "Bad"],
            ["3", "3/2/26 11:00", "3/2/26 11:05", "anonymous", "", "Bike;", "Good"],
        ],
        {},
        ["Which tools?", "How was it?"],
    ),
    "LimeSurvey": (
        ["id", "submitdate", "lastpage", "startlanguage", "Tools? [Bus]", "Tools? [Bike]", "Tools? [Other]", "How?"],
        [
            ["1", "2026-03-01 10:00:00", "3", "en", "Yes", "No", "", "Good"],
            ["2", "2026-03-01 10:00:00", "3", "en", "Yes", "Yes", "On foot, mostly", "Bad"],
            ["3", "", "1", "en", "No", "No", "", "Bad"],
            ["4", "2026-03-01 10:00:00", "3", "en", "No", "No", "By sea", "Bad"],
            ["5", "2026-03-01 10:00:00", "3", "en", "No", "No", "In a cab", "Good"],
        ],
        {"unfinished": 1},
        ["Tools?", "Tools? [Other]", "How?"],
    ),
    "KoBoToolbox": (
        ["start", "end", "tools", "tools/bus", "tools/bike", "how", "_id", "_uuid", "_submission_time"],
        [
            ["2026-03-01T10:00", "2026-03-01T10:05", "bus bike", "1", "1", "good", "11", "u1", "2026-03-01T10:05"],
            ["2026-03-01T10:00", "2026-03-01T10:05", "bus", "1", "0", "bad", "12", "u2", "2026-03-01T10:05"],
            ["2026-03-01T10:00", "2026-03-01T10:05", "bike", "0", "1", "bad", "13", "u3", "2026-03-01T10:05"],
            ["2026-03-01T10:00", "2026-03-01T10:05", "bike", "0", "1", "good", "14", "u4", "2026-03-01T10:05"],
            ["2026-03-01T10:00", "2026-03-01T10:05", "bus bike", "1", "1", "bad", "15", "u5", "2026-03-01T10:05"],
        ],
        {},
        ["tools (ticked)", "how"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_exports(name: str) -> None:
    head, rows, left_out, asked = EXPORTS[name]
    data = table("s.csv", [head, *rows])
    assert data.left_out == left_out
    assert f"an export of {name}" in data.notes[0]
    survey = understand(data)
    assert [each.name for each in survey.questions if each.use is not Use.IGNORE] == asked


def test_limesurvey_with_codes_and_wordings() -> None:
    head, rows, left_out, asked = EXPORTS["LimeSurvey"]
    coded = ["id. Response ID", "submitdate. Date submitted", "lastpage. Last page", "startlanguage. Start language"]
    coded += [f"Q1[SQ00{n}]. {each}" for n, each in enumerate(head[4:7])] + ["G01Q02. How?"]
    data = table("s.csv", [coded, *rows])
    assert data.left_out == left_out
    assert [record.id for record in data.records] == ["1", "2", "4", "5"]
    survey = understand(data)
    assert [each.wording for each in survey.questions if each.use is not Use.IGNORE] == asked
    assert survey.questions[-1].name == "G01Q02. How?"  # as the file has it: evidence names it


def test_google_forms() -> None:
    text = (
        "Timestamp,Email Address,Which tools?,Rate [Bus],Rate [Bike],Why?\n"
        '2026/03/01 10:00:00 AM GMT+1,a@b.org,"Bus, Bike",Good,Bad,I go by bus whenever it rains on me\n'
        '2026/03/01 10:01:00 AM GMT+1,b@b.org,Bus,Good,Good,It is near to where I live and work\n'
        '2026/03/01 10:02:00 AM GMT+1,c@b.org,Bike,Bad,Good,Because of the rain in spring I think\n'
        '2026/03/01 10:02:00 AM GMT+1,d@b.org,"Bus, Bike",Bad,Good,Since my car is old and wants to rest\n'
    )  # fmt: skip
    survey = understand(read_csv("s.csv", text))
    kinds = {each.name: each.kind for each in survey.questions}
    assert kinds == {
        "Timestamp": Kind.DATE,
        "Email Address": Kind.ID,
        "Which tools?": Kind.MULTIPLE,
        "Rate [Bus]": Kind.SCALE,
        "Rate [Bike]": Kind.SCALE,
        "Why?": Kind.TEXT,
    }
    assert {each.of for each in survey.questions} == {"", "Rate"}


def test_a_table_with_a_few_such_headings_is_no_export() -> None:
    assert not platform_of(["id", "name", "email", "language", "status", "start", "end"]).name
    assert not platform_of(["what_do_you_do", "Response ID", "Status"]).columns
