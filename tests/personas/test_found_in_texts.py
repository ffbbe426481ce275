"""Whoever `generate` counts as a respondent of a text file is found in it by `persona storage erase`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from persona.personas.sources.read import read_files
from persona.personas.subjects import look
from persona.personas.survey.questions import Kind
from persona.personas.survey.understand import understand
from tests.personas.studies import STUDIES, Study, content_of

ODD = [
    *("=1+1", "a,b", 'say "x"', "é́", "O'Brien", "x;y", "007", "7", " p 8 ", "1e3", "1.0", "#12", "id", "row 3"),
    *("P1 (row 2)", "Ωmega", "<b>", "a\\b", "100%", "[x]", "a@b.org", "𝔸"),
]
LOST = "I mail them and then I lose them and have to look for them for hours every single week."
RENAMED = "Because everybody renames the attachment when it is sent on to the next ward in our hospital."


def odd_table(encoding: str) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["Participant", "Is it easy?", "How many times?"])
    for number, key in enumerate(ODD):
        if key.encode(encoding, "ignore").decode(encoding) == key:
            rows.writerow([key, ["yes", "no"][number % 2], number % 5])
    return text.getvalue().encode(encoding)


def turns(form: str, between: str, people: tuple[str, str]) -> bytes:
    said = ["How do you share files?", LOST, "Why do you lose them?", RENAMED]
    cues = [form.format(n=n, who=people[n % 2], said=text) for n, text in enumerate(said)]
    return between.join(cues).encode()


def typeform(number: int) -> dict[str, object]:
    answer = {"field": {"ref": "q1"}, "type": "choice", "choice": {"label": ["Often", "Never"][number % 2]}}
    return {"response_id": f"r{number}", "submitted_at": "2024-01-01T00:00:00Z", "answers": [answer]}


VTT = "00:0{n}:00.000 --> 00:0{n}:10.000\n<v {who}>{said}</v>"
TEXTS: dict[str, bytes] = {
    **{f"{encoding}.csv": odd_table(encoding) for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252")},
    "teams.vtt": b"WEBVTT\n\n" + turns(VTT, "\n\n", ("Zoë O’Brien-Smith", "Dr. Łukasz (Guest)")),
    "s.srt": turns("{n}\n00:0{n}:00,000 --> 00:0{n}:10,000\n{who}: {said}", "\n\n", ("Host", "P-07")),
    "otter.txt": turns("{who}  0:0{n}\n{said}", "\n\n", ("Speaker 1", "Maria Lopez")),
    "turns.txt": turns("{who}: {said}", "\n", ("Interviewer", "P01")),
    "lines.jsonl": "\n".join(json.dumps({"id": f"p{n}", "q": "ab"[n % 2]}) for n in range(9)).encode(),
    "kobo.json": json.dumps({"results": [{"_id": 500 + n, "_uuid": f"u-{n}", "q": n % 3} for n in range(9)]}).encode(),
    "typeform.json": json.dumps({"items": [typeform(n) for n in range(9)]}).encode(),
}


@pytest.mark.parametrize("name", TEXTS)
def test_each_respondent_of_each_text_is_found(name: str) -> None:
    respondents = [record.id for record in read_files([(name, TEXTS[name])]).records]
    assert respondents
    for subject in respondents:
        assert look(f"study/{name}", TEXTS[name], subject).trace is not None, subject
    assert look(f"study/{name}", TEXTS[name], "P-99 of nowhere").trace is None


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_respondents_of_real_studies_are_found(study: Study) -> None:
    content = content_of(study.file)
    if content is None:
        pytest.skip("the data are not kept here")
    name = Path(study.file).name
    respondents = [record.id for record in read_files([(name, content)]).records]
    for subject in (respondents[0], respondents[-1]):
        assert look(f"study/{name}", content, subject).trace is not None, subject


@pytest.mark.parametrize(
    "heading", ["Teilnehmer", "Proband:in", "Répondant", "Participante", "Deelnemer", "回答者番号", "Kürzel"]
)
def test_ids_under_headings_of_other_languages_are_the_respondents_and_no_answers(heading: str) -> None:
    who = ["José Núñez", "Zoë van der Meer", "Łukasz Żak", "Søren Ærø", "Nguyễn Văn A", "Seán O’Brien", "Ana", "Eva"]
    data = f"{heading};Note\n{''.join(f'{each};{n % 4}{chr(10)}' for n, each in enumerate(who))}".encode()
    survey = understand(read_files([("s.csv", data)]))
    assert [record.id for record in survey.respondents] == who
    assert survey.questions[0].kind is Kind.ID
    trace = look("study/s.csv", data, who[3]).trace
    assert trace is not None
    assert trace.certain
    assert trace.left == data.replace(f"{who[3]};3\n".encode(), b"")
