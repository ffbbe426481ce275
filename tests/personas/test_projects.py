"""Projects of qualitative analysis: codes as topics of the words that were coded, cases as respondents."""

from __future__ import annotations

from typing import Any

import pytest

from persona.errors import InputError
from persona.personas.sources import limits, projects
from persona.personas.sources.read import read_files, read_path
from persona.personas.sources.records import Dataset
from tests.personas.projects import ANNA, BEN, CODED, qdpx, qualcoder, taguette
from tests.personas.workbooks import zipped

TEXTS = {"a": ANNA, "b": BEN}
SAID = [
    ("Anna", "How do you travel?", "By bus.", set()),
    ("Anna", "How do you travel?", "It is late, and it is dear.", {"Punctuality", "Cost", "Complaint"}),
    ("Anna", "Why?", "I have no car.", set()),
    ("Ben", "How do you travel?", "By bike.", set()),
    ("Ben", "How do you travel?", "Über die Brücke 🚲, it is quick.", {"Speed"}),
    ("Ben", "It is late?", "Yes.", set()),
]
CASES = (
    '<Case guid="k1" name="P1"><VariableValue><VariableRef targetGUID="V1"/><IntegerValue>34</IntegerValue>'
    '</VariableValue><SourceRef targetGUID="{A}"/></Case><Case guid="k2" name="P2"/>'
    '<Case guid="k3" name="P3"><SelectionRef targetGUID="b-72-11"/></Case>'
)
MAKERS: dict[str, Any] = {"s.qdpx": qdpx, "s.sqlite3": taguette, "data.qda": qualcoder}


def read(name: str, data: bytes) -> Dataset:
    return read_files([(name, data)])


def said(dataset: Dataset) -> list[tuple[str, str, str, set[str]]]:
    return [
        (record.id, each.field, each.text, set(each.topics)) for record in dataset.records for each in record.passages
    ]


@pytest.mark.parametrize("name", MAKERS)
def test_codes_are_topics_of_the_sentences_that_were_coded(name: str) -> None:
    dataset = read(name, MAKERS[name](TEXTS, CODED))
    assert said(dataset) == SAID
    assert [record.file for record in dataset.records] == [f"{name}/a", f"{name}/b"]
    assert dataset.notes[1:] == [
        f"{name}: topics that researchers coded: 4, in 4 places.",
        f"{name}: left out, being no words of a respondent: 1 of 5 coded places.",
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_ends_of_lines_count_as_the_selections_have_them(ends: str) -> None:
    assert said(read("s.qdpx", qdpx(TEXTS, CODED, ends="\r\n", counted=ends))) == SAID


def test_cases_of_a_refi_project_are_respondents() -> None:
    dataset = read("s.qdpx", qdpx(TEXTS, CODED, cases=CASES.replace("b-72-11", f"b-{BEN.index('it is quick')}-11")))
    assert [(record.id, dict(record.fields)) for record in dataset.records] == [
        ("P1", {"Age": "34"}),
        ("P3", {}),
        ("Ben", {}),
    ]
    assert [each[2] for each in said(dataset)] == [
        *("By bus.", "It is late, and it is dear.", "I have no car."),
        *("Über die Brücke 🚲, it is quick.", "By bike.", "Yes."),
    ]
    assert "s.qdpx: the respondents are the cases of the project (2)." in dataset.notes


def test_a_group_is_parted_by_the_names_of_its_cases() -> None:
    text = (
        "Moderator: Well?\nAnna: I like it.\nBen: I do not.\nCleo: So so.\n"
        "Moderator: Is that all?\nAnna: Yes.\nBen: It is.\nCleo: Hm.\n"
    )
    cases = "".join(f'<Case guid="{name}" name="{name}"><SourceRef targetGUID="g"/></Case>' for name in ("Anna", "Ben"))
    dataset = read("s.qdpx", qdpx({"g": text}, [("g", "do not", "No")], cases=cases))
    assert said(dataset) == [
        ("Anna", "Well?", "I like it.", set()),
        ("Anna", "Is that all?", "Yes.", set()),
        ("Ben", "Well?", "I do not.", {"No"}),
        ("Ben", "Is that all?", "It is.", set()),
        ("Cleo", "Well?", "So so.", set()),
        ("Cleo", "Is that all?", "Hm.", set()),
    ]


def test_transcripts_of_recordings_and_texts_of_pdf_files() -> None:
    extra = (
        '<PDFSource guid="p" name="Letter" path="internal://p.pdf"><Representation guid="pr" name="x">'
        "<PlainTextContent>I wait. I hate it.</PlainTextContent><PlainTextSelection guid='s' startPosition='8' "
        'endPosition="18"><Coding guid="g"><CodeRef targetGUID="c0"/></Coding></PlainTextSelection></Representation>'
        '</PDFSource><AudioSource guid="r" name="Call"><Transcript guid="t" name="t"><PlainTextContent>'
        "Interviewer: And?\nDana: All is well.\nDana: Really.</PlainTextContent>"
        "<SyncPoint guid='y1' position='18' timeStamp='0'/>"
        '<TranscriptSelection guid="ts" fromSyncPoint="y1"><Coding guid="g"><CodeRef targetGUID="c0"/></Coding>'
        '</TranscriptSelection></Transcript></AudioSource><PictureSource guid="i" name="Photo" path="internal://i.png"/>'
    )
    dataset = read("s.qdpx", qdpx({"a": ANNA}, [("a", "I have no car", "Lack")], extra=extra))
    assert said(dataset)[-3:] == [
        ("Letter", "paragraph 1", "I wait.", set()),
        ("Letter", "paragraph 1", "I hate it.", {"Lack"}),
        ("Dana", "And?", "All is well. Really.", {"Lack"}),
    ]
    assert "s.qdpx: not read, having no plain text in the project: Photo." in dataset.notes


def test_cases_and_attributes_of_qualcoder() -> None:
    data = qualcoder(
        TEXTS,
        CODED,
        "INSERT INTO cases (caseid, name) VALUES (1, 'P1'), (2, 'P1')",
        f"INSERT INTO case_text (caseid, fid, pos0, pos1) VALUES (1, 1, 0, {len(ANNA)}), (1, 99, 0, 5)",
        "INSERT INTO attribute (name, attr_type, value, id) VALUES ('Age', 'case', '34', 1), ('Age', 'case', '40', 2),"
        " ('Town', 'file', 'Bern', 2), ('None', 'case', NULL, 1)",
    )
    dataset = read("data.qda", data)
    assert [(record.file, record.id, dict(record.fields)) for record in dataset.records] == [
        ("data.qda", "P1", {"Age": "34"}),
        ("data.qda", "P1 (2)", {"Age": "40"}),
        ("data.qda/b", "Ben", {"Town": "Bern"}),
    ]


def test_a_folder_of_qualcoder_is_read_once(tmp_path: Any) -> None:
    """The documents beside the database are those whose texts it holds."""
    home = tmp_path / "study.qda"
    (home / "documents").mkdir(parents=True)
    (home / "data.qda").write_bytes(qualcoder(TEXTS, CODED))
    (home / "documents" / "a.txt").write_text(ANNA)
    for root, prefix in ((home, ""), (tmp_path, "study.qda/")):
        dataset = read_path(root)
        assert [record.id for record in dataset.records] == ["Anna", "Ben"]
        assert any(f"{prefix}documents/a.txt" in note and "project" in note for note in dataset.notes)


def test_a_database_runs_nothing_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views, virtual tables and triggers are not run; queries end; broken pages are said."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i, i FROM n"
    good = taguette(TEXTS, CODED)
    viewed = taguette(TEXTS, CODED, "DROP TABLE tags", f"CREATE VIEW tags AS {endless}")
    with pytest.raises(InputError, match="no project of Taguette or QualCoder"):
        read("s.sqlite3", viewed)
    triggered = taguette(TEXTS, CODED, "CREATE TRIGGER t AFTER INSERT ON tags BEGIN DELETE FROM documents; END")
    assert said(read("s.sqlite3", triggered)) == SAID
    logged = good[:18] + b"\2\2" + good[20:]
    assert said(read("s.sqlite3", logged)) == SAID
    for data in (good[:4096], good[:2000], good[:4096] + b"\xff" * (len(good) - 4096), good[:100] + b"\0" * 5000):
        with pytest.raises(InputError, match=r"damaged|no project"):
            read("s.sqlite3", data)
    monkeypatch.setattr(projects, "_STEPS", 0)
    monkeypatch.setattr(projects, "_STRIDE", 1)
    with pytest.raises(InputError, match="damaged: interrupted"):
        read("s.sqlite3", good)


def test_limits_of_projects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_TEXT", 100)
    for name, make in MAKERS.items():
        with pytest.raises(InputError, match=r"too much text|too big"):
            read(name, make(TEXTS, CODED))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("s.qdpx", zipped({"project.qde": "<Project>"}), "is damaged"),
        ("s.qdpx", zipped({"project.qde": "<Project/>"}), "no text of a respondent"),
        ("s.qdpx", zipped({"project.qde": '<!DOCTYPE x [<!ENTITY a "b">]><Project>&a;</Project>'}), "document type"),
        (
            "s.qdpx",
            zipped({"project.qde": "<Project>" + "<a/>" * 400_001 + "</Project>"}),
            "more than 400,000 elements",
        ),
        ("s.sqlite3", b"SQLite format 3\0", "damaged"),
        ("s.sqlite3", b"no database", "damaged, or no .sqlite3 file"),
    ],
)
def test_unusable_projects(name: str, data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(name, data)
