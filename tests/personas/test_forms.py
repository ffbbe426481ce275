"""What form services' interfaces give: each answer under its question's wording, several choices as several answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from persona.personas.content.decoding import readings
from persona.personas.rawdata import ids
from persona.personas.sources.read import read_files
from persona.personas.sources.records import Answer, Dataset
from persona.personas.subjects import look

OFTEN, WHY, TOOLS = "How often?", "Why so?", "Which tools do you use?"
REASONS = ("It saves me a long walk to the office", "My team lead wants me to do it")


def read(document: Any, name: str = "s.json") -> Dataset:
    text = document if isinstance(document, str) else json.dumps(document)
    return read_files([(name, text.encode())])


def answers(dataset: Dataset) -> list[Mapping[str, Answer]]:
    """Return what is no metadata and no id."""
    hidden = {name for name, hint in dataset.hints.items() if hint.metadata}
    return [{k: v for k, v in each.fields.items() if k not in hidden and v != each.id} for each in dataset.records]


def expected(often: str = OFTEN, why: str = WHY, tools: str = TOOLS) -> list[Mapping[str, Answer]]:
    return [
        {often: "Daily", why: REASONS[0], tools: ("Charts",)},
        {often: "Rarely", why: REASONS[1], tools: ("Charts", "Export")},
    ]


def typeform(number: int) -> dict[str, Any]:
    return {
        "response_id": f"r{number}",
        "token": f"r{number}",
        "submitted_at": "2026-03-01T10:00:00Z",
        "metadata": {"browser": "touch"},
        "answers": [
            {"field": {"id": "f1", "ref": "a"}, "type": "choice", "choice": {"label": ("Daily", "Rarely")[number]}},
            {"field": {"id": "f2", "ref": "b"}, "type": "text", "text": REASONS[number]},
            {
                "field": {"id": "f3", "ref": "c"},
                "type": "choices",
                "choices": {"labels": ["Charts", "Export"][: number + 1]},
            },
        ],
    }


DEFINITION = {
    "fields": [
        {"id": "f1", "ref": "a", "title": OFTEN, "type": "multiple_choice", "properties": {}},
        {"id": "f2", "ref": "b", "title": WHY, "type": "long_text", "properties": {}},
        {"id": "f3", "ref": "c", "title": TOOLS, "type": "multiple_choice", "properties": {}},
        {"id": "f4", "ref": "d", "title": "Never asked", "type": "long_text", "properties": {}},
    ]
}


def test_typeform() -> None:
    items = [typeform(0), typeform(1)]
    assert answers(read({"total_items": 2, "items": items})) == expected("a", "b", "c")
    assert answers(read({"items": items, "definition": DEFINITION})) == expected()
    dataset = read({"total_items": 250, "page_count": 125, "items": items})
    assert dataset.notes == ["s.json holds 2 of 250 responses: fetch the other pages as well."]
    assert [record.id for record in dataset.records] == ["r0", "r1"]
    assert dataset.hints["metadata.browser"].metadata


def test_webhooks_of_typeform_a_line_each() -> None:
    events = [
        {"event_type": "form_response", "form_response": {"definition": DEFINITION, **typeform(number)}}
        for number in range(2)
    ]
    assert answers(read("\n".join(map(json.dumps, events)), "s.jsonl")) == expected()


def test_google_forms() -> None:
    def response(number: int) -> dict[str, Any]:
        given = ([("Daily", "Rarely")[number]], [REASONS[number]], ["Charts", "Export"][: number + 1])
        return {
            "responseId": f"g{number}",
            "createTime": "2026-03-01T10:00:00Z",
            "answers": {
                f"q{place}": {
                    "questionId": f"q{place}",
                    "textAnswers": {"answers": [{"value": each} for each in texts]},
                }
                for place, texts in enumerate(given)
            },
        }

    form = {
        "items": [
            {"itemId": f"i{n}", "title": title, "questionItem": {"question": {"questionId": f"q{n}"}}}
            for n, title in enumerate((OFTEN, WHY, TOOLS, "Never asked"))
        ]
    }
    responses = [response(0), response(1)]
    assert answers(read({"responses": responses})) == expected("q0", "q1", "q2")
    assert answers(read({"form": form, "responses": responses})) == expected()


def test_surveymonkey() -> None:
    def response(number: int) -> dict[str, Any]:
        boxes = [{"choice_id": each} for each in ("c3", "c4")[: number + 1]]
        questions = [
            {"id": "1", "answers": [{"choice_id": ("c1", "c2")[number], "choice_metadata": {"weight": 1}}]},
            {"id": "2", "answers": [{"text": REASONS[number]}]},
            {"id": "3", "answers": boxes},
            {"id": "4", "answers": [{"row_id": "w1", "choice_id": "c1"}, {"row_id": "w2", "choice_id": "c2"}]},
        ]
        return {
            "id": f"55{number}",
            "response_status": "completed",
            "ip_address": "192.0.2.1",
            "pages": [{"id": "p1", "questions": questions[:2]}, {"id": "p2", "questions": questions[2:]}],
        }

    def question(number: str, heading: str, choices: Mapping[str, str], rows: Mapping[str, str] = {}) -> dict[str, Any]:
        options = [{"id": key, "text": text} for key, text in choices.items()]
        return {
            "id": number,
            "headings": [{"heading": heading}],
            "family": "single_choice",
            "answers": {"choices": options, "rows": [{"id": key, "text": text} for key, text in rows.items()]},
        }

    details = {
        "pages": [
            {
                "id": "p1",
                "questions": [
                    question("1", OFTEN, {"c1": "Daily", "c2": "Rarely"}),
                    question("2", WHY, {}),
                    question("3", TOOLS, {"c3": "Charts", "c4": "Export"}),
                    question("4", "At work", {}, {"w1": "Mon", "w2": "Tue"}),
                ],
            }
        ]
    }
    grid = {"At work - Mon": "Daily", "At work - Tue": "Rarely"}
    document = {"survey": details, "responses": {"data": [response(0), response(1)], "total": 2}}
    assert answers(read(document)) == [{**each, **grid} for each in expected()]
    simple = json.loads(json.dumps(document).replace('"choice_id": "c1"', '"choice_id": "c1", "simple_text": "Daily"'))
    assert answers(read(simple)) == [{**each, **grid} for each in expected()]


def test_kobo() -> None:
    def response(number: int) -> dict[str, Any]:
        return {
            "_id": 100 + number,
            "formhub/uuid": "x",
            "__version__": "v",
            "_attachments": [],
            "_geolocation": [None, None],
            "work/often": ("daily", "rarely")[number % 2],
            "work/why": REASONS[number % 2],
            "tools": ("charts", "charts export")[number % 2],
            "trips": [{"trips/to": "Bern"}],
        }

    dataset = read({"count": 4, "next": None, "results": [response(number) for number in range(4)]})
    assert answers(dataset)[:2] == [
        {"work/often": "daily", "work/why": REASONS[0], "tools": ("charts",)},
        {"work/often": "rarely", "work/why": REASONS[1], "tools": ("charts", "export")},
    ]
    assert dataset.notes == ["s.json: not read, being lists of objects that are no answers: trips."]


def test_limesurvey() -> None:
    responses = [
        {str(n): {"id": str(n), "submitdate": "2026-03-01 10:00:00", "Q1": ("A", "B")[n], "Q2[SQ1]": "Y", "Q3": ""}}
        for n in range(2)
    ]
    assert answers(read({"responses": responses})) == [{"Q1": "A", "Q2[SQ1]": "Y"}, {"Q1": "B", "Q2[SQ1]": "Y"}]


def test_microsoft_forms() -> None:
    def response(number: int) -> dict[str, Any]:
        boxes = json.dumps(["Charts", "Export"][: number + 1])
        return {"id": number, "responder": f"m{number}@example.org", OFTEN: ("Daily", "Rarely")[number], TOOLS: boxes}

    found = answers(read([response(0), response(1)]))
    assert [each[TOOLS] for each in found] == [("Charts",), ("Charts", "Export")]
    light = [
        {
            "id": n,
            "submitDate": "2026-03-01T10:00:00Z",
            "answers": json.dumps(
                [
                    {"questionId": "r1", "answer1": ("Daily", "Rarely")[n], "originalAnswer1": None},
                    {"questionId": "r2", "answer1": REASONS[n]},
                    {"questionId": "r3", "answer1": json.dumps(["Charts", "Export"][: n + 1])},
                ]
            ),
        }
        for n in range(2)
    ]
    assert answers(read({"value": light})) == expected("r1", "r2", "r3")


def test_other_services_of_the_same_shape() -> None:
    for question, value in (("label", "value"), ("question", "answer"), ("name", "response"), ("title", "text")):
        rows = [
            {
                "id": f"x{n}",
                "fields": [
                    {question: OFTEN, value: ("Daily", "Rarely")[n]},
                    {question: WHY, value: REASONS[n]},
                    {question: TOOLS, value: ["Charts", "Export"][: n + 1]},
                ],
            }
            for n in range(2)
        ]
        assert answers(read(rows)) == expected(), (question, value)


@pytest.mark.parametrize("number", [0, 1])
def test_each_respondent_is_found_when_erased(number: int) -> None:
    for document, subject in (
        ({"items": [typeform(0), typeform(1)]}, f"r{number}"),
        ([{"event_id": "e", "form_response": typeform(n)} for n in range(2)], f"r{number}"),
        (
            {"responses": [{"responseId": f"g{n}", "answers": {"q": {"questionId": "q"}}} for n in range(2)]},
            f"g{number}",
        ),
        ({"data": [{"id": f"55{n}", "pages": [{"id": "1", "questions": []}]} for n in range(2)]}, f"55{number}"),
        ({"results": [{"_id": 100 + n, "__version__": "v", "q": "a"} for n in range(2)]}, f"10{number}"),
        ({"responses": [{str(n): {"id": f"7{n}", "Q1": "A"}} for n in range(2)]}, f"7{number}"),
    ):
        data = json.dumps(document).encode()
        assert subject in ids("s.json", readings(data)[0])
        trace = look("s.json", data, subject).trace
        assert trace is not None
        assert trace.certain
        assert trace.left is not None
        assert subject not in json.dumps(json.loads(trace.left))
