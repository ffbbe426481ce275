from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.errors import AccessDeniedError, InputError, NotFoundError
from persona.personas.sources import limits, read, remote
from persona.personas.sources.read import read_files, read_path
from persona.personas.sources.records import Passage, tidy
from persona.storage.backends import local_folder
from tests.personas.memory import MemoryBackend


def one(name: str, text: str | bytes) -> list[tuple[str, dict[str, str]]]:
    data = text.encode() if isinstance(text, str) else text
    return [(record.id, {k: str(v) for k, v in record.fields.items()}) for record in read_files([(name, data)]).records]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_of_every_delimiter(delimiter: str) -> None:
    text = delimiter.join(["ID", "Q"]) + "\n" + delimiter.join(["p1", "yes"]) + "\n" + delimiter.join(["p2", ""])
    assert one("s.csv", text) == [("p1", {"ID": "p1", "Q": "yes"}), ("p2", {"ID": "p2"})]


def test_csv_with_bom_quotes_newlines_and_gaps() -> None:
    text = b'\xef\xbb\xbfName;"What, if anything?"\r\n"A";"one\r\n  two; ""three"""\r\n;N/A\r\nB;four\r\n\r\n'
    assert one("s.csv", text) == [
        ("row 1", {"Name": "A", "What, if anything?": 'one two; "three"'}),
        ("row 3", {"Name": "B", "What, if anything?": "four"}),
    ]


def test_csv_headings_twice_missing_and_too_few() -> None:
    dataset = read_files([("s.csv", b"Q,Q,,Q\na,b,c,d,e\nf\n")])
    assert dict(dataset.records[0].fields) == {
        "Q": "a",
        "Q (2)": "b",
        "column 3": "c",
        "Q (3)": "d",
        "column 5": "e",
    }
    assert dict(dataset.records[1].fields) == {"Q": "f"}
    assert len(dataset.notes) == 4
    assert "the heading “Q” is there twice" in dataset.notes[0]


def test_ids_that_repeat_are_rows() -> None:
    assert [key for key, _ in one("s.csv", "ID,Q\n1,a\n1,b\n")] == ["row 1", "row 2"]


def test_windows_1252_is_read_with_a_note() -> None:
    dataset = read_files([("s.csv", "Q,R\ncafé,“quoted”\n".encode("cp1252"))])
    assert dataset.records[0].fields == {"Q": "café", "R": "“quoted”"}
    assert dataset.notes == ["s.csv is not UTF-8 (byte 8); it was read as Windows-1252."]


def test_utf_16_is_read() -> None:
    assert one("s.csv", "Q,R\ncafé,日本\n".encode("utf-16")) == [("row 1", {"Q": "café", "R": "日本"})]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("s.csv", b"", "is empty"),
        ("s.csv", b" \n\n", "is empty"),
        ("s.csv", b"Q,R\n", "holds no records"),
        ("s.csv", b"Q,R\n-,NA\n", "holds no answers"),
        ("s.csv", b'Q,R\n"a,b\nc,d\n', "line 3: the table is broken"),
        ("s.csv", b"Q\0,R\n1,2\n", "not a text file"),
        ("s.csv", b"\xff\xfe\x00", "not a text file"),
        ("s.csv", b"\x81\x01\x02\x03,\n1,2", "not a text file"),
        ("s.csv", "a\0,b\n1,2".encode("utf-16"), "not a text file"),
        ("s.json", b'[{"a": 1},\n {"b": }]', "line 2, column 8: not JSON"),
        ("s.json", b"[]", "holds no records"),
        ("s.json", b'["a", "b"]', "holds no records"),
        ("s.json", b'{"a": 1}', "holds no records"),
        ("s.json", b'[{"a": null}]', "holds no records"),
        ("s.json", b"[" * 100_000, "nested too deeply"),
        ("s.jsonl", b'{"a": "b"}\n{"a": \n', "line 2, column 7: not JSON"),
        ("s.jsonl", b'{"a": "b"}\n\n[1]\n', "line 3: a record is an object"),
        ("s.txt", b"# Only a heading\n", "no text of a respondent"),
        ("s.txt", b"Interviewer: And?\nInterviewer: Nothing?\n", "no text of a respondent"),
        ("s.xlsx", b"PK", "damaged, or no .xlsx file"),
        ("s", b"text", "of no kind that Persona reads"),
    ],
)
def test_unusable_input(name: str, data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read_files([(name, data)])
    assert caught.value.exit_code == 2
    assert name in caught.value.message


def test_no_files_at_all() -> None:
    with pytest.raises(InputError, match="no records in the input"):
        read_files([])


def test_json_list_object_and_nesting() -> None:
    text = """{"meta": [{"x": 1}], "data": {"rows": [
        {"id": "p1", "profile": {"age": 34, "score": 1.50},
         "tools": ["bus", "bike"], "happy": true, "none": null},
        {"id": "p2", "notes": ["A long sentence about the bus, which is too long for a choice.", "b"]},
        "noise"]}}"""
    records = read_files([("s.json", text.encode())]).records
    assert dict(records[0].fields) == {
        "id": "p1",
        "profile.age": "34",
        "profile.score": "1.50",
        "tools": ("bus", "bike"),
        "happy": "true",
    }
    assert [passage.field for passage in records[1].passages] == ["notes", "notes"]
    assert [record.id for record in records] == ["p1", "p2"]


def test_json_interviews() -> None:
    text = """[{"participant": "P1", "transcript": "Interviewer: Why?\\nP1: Because."},
      {"participant": "P2", "turns": [{"speaker": "Interviewer", "text": "How?"},
       {"speaker": "P2", "text": "So."},
                                      {"question": "Where?", "answer": "Here."}, null]}]"""
    records = read_files([("s.json", text.encode())]).records
    assert records[0].passages == (Passage("Why?", "Because."),)
    assert records[1].passages == (Passage("How?", "So."), Passage("Where?", "Here."))


def test_json_lines() -> None:
    assert one("s.ndjson", '{"id": 1, "a": "x"}\n\n{"id": 2, "a": NaN}\n') == [
        ("1", {"id": "1", "a": "x"}),
        ("2", {"id": "2"}),
    ]


def test_transcript_in_markdown_with_facts_on_top() -> None:
    text = """# Interview

Participant: P7
- **Age:** 34
Role: n/a

**Interviewer:** Thank you. How do you
travel?

**P7:** By *bus*,
mostly.
## A heading in between
[00:01:12] Interviewer: Why?
P7 (00:01:20): It is cheap.
"""
    (record,) = read_files([("a/i.md", text.encode())]).records
    assert (record.id, record.file) == ("P7", "a/i.md")
    assert dict(record.fields) == {"Participant": "P7", "Age": "34"}
    assert record.passages == (
        Passage("How do you travel?", "By bus, mostly."),
        Passage("Why?", "It is cheap."),
    )


def test_transcript_of_two_people_is_two_respondents() -> None:
    text = "City: Leeds\n\nModerator: Well?\nAnna: I like it.\nBen: I do not.\nAnna: So there.\nBen: Indeed."
    dataset = read_files([("i.txt", text.encode())])
    assert [record.id for record in dataset.records] == ["Anna", "Ben"]
    assert [passage.text for passage in dataset.records[0].passages] == ["I like it.", "So there."]
    assert dict(dataset.records[0].fields) == {}
    assert dataset.notes == [
        "Interviewers, not respondents (by the label): Moderator.",
        "The lines above the interview were not used, since there are several respondents: i.txt.",
    ]


def test_of_two_unnamed_speakers_the_one_who_asks_is_the_interviewer() -> None:
    text = "Kim: How was it?\nLou: Good.\nKim: Really?\nLou: Yes, really."
    (record,) = read_files([("i.txt", text.encode())]).records
    assert record.id == "Lou"
    assert record.passages[1] == Passage("Really?", "Yes, really.")


def test_text_without_speakers_is_one_respondent() -> None:
    text = "# Notes\n\nI go by bus.\nEvery day.\n\n---\n\n- It is late.\n- It is full.\n"
    (record,) = read_files([("diary.txt", text.encode())]).records
    assert record.id == "diary"
    assert record.passages == (
        Passage("paragraph 1", "I go by bus. Every day."),
        Passage("paragraph 2", "It is late. It is full."),
    )


def test_control_characters_and_lone_surrogates_do_not_survive() -> None:
    assert tidy("a\x1b[31m\u2028b \ud800 c\x85") == "a [31m b ? c"


def test_folder_is_read_in_order_without_hidden_and_foreign_files(tmp_path: Path) -> None:
    for name, text in {
        "b.csv": "ID,Q\n2,x\n",
        "a/z.jsonl": '{"Q": "y"}\n',
        "a/.hidden.csv": "broken",
        ".git/x.csv": "broken",
        "README.md": "Not data.",
        "photo.png": "binary",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    dataset = read_path(tmp_path)
    assert [record.file for record in dataset.records] == ["a/z.jsonl", "b.csv"]
    assert dataset.notes == ["Not read, being of other kinds: README.md, photo.png."]


def test_folder_without_data(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"x")
    with pytest.raises(InputError, match="no research data"):
        read_path(tmp_path)


def test_missing_file() -> None:
    with pytest.raises(NotFoundError, match="no file or folder") as caught:
        read_path(Path("/nowhere/at/all.csv"))
    assert caught.value.exit_code == 5
    assert caught.value.hint


def test_file_as_folder_and_nul_in_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(NotFoundError):
        read_path(tmp_path / "a.csv" / "b.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_path(Path("a\0b.csv"))


def test_a_pipe_is_no_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        read_path(tmp_path / "pipe.csv")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("Q\nx\n")

    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AccessDeniedError, match="Permission denied") as caught:
        read_path(tmp_path / "a.csv")
    assert caught.value.exit_code == 4


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 1024 * 1024)
    (tmp_path / "a.csv").write_bytes(b"Q\n" + b"x" * 1024 * 1024)
    with pytest.raises(InputError, match=r"too large: 1\.0 MiB, and 1 MiB is the limit"):
        read_path(tmp_path / "a.csv")
    with pytest.raises(InputError, match="too large"):
        read_files([("a.csv", b"x" * (1024 * 1024 + 1))])


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILES", 1)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("Q\nx\n")
    with pytest.raises(InputError, match="more than 1 files, which is the limit"):
        read_path(tmp_path)


def test_storage_gives_the_same_as_disk(tmp_path: Path) -> None:
    storage = MemoryBackend()
    for name, text in {
        "b.csv": "ID,Q\n2,x\n",
        "a/z.jsonl": '{"Q": "y"}\n',
        "x.png": "",
        ".h": "",
        "README.md": "-",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        storage.put(f"study/{name}", text.encode())
    there = asyncio.run(remote.read_storage(storage, "study"))
    assert there == read_path(tmp_path)
    single = asyncio.run(remote.read_storage(storage, "study/b.csv"))
    assert [record.file for record in single.records] == ["b.csv"]


def test_storage_without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryBackend()
    with pytest.raises(NotFoundError, match="nothing at memory://study"):
        asyncio.run(remote.read_storage(storage, "study"))
    storage.put("study/x.png", b"x")
    with pytest.raises(InputError, match="no research data at"):
        asyncio.run(remote.read_storage(storage, "study"))
    storage.put("study/y.csv", b"Q\n" + b"x" * 100)
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 50)
    with pytest.raises(InputError, match="too large"):
        asyncio.run(remote.read_storage(storage, "study"))
    monkeypatch.setattr(limits, "MAX_FILES", 0)
    with pytest.raises(InputError, match="more than 0 files"):
        asyncio.run(remote.read_storage(storage, ""))
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 10)
    monkeypatch.setattr(limits, "MAX_FILES", 10)
    with pytest.raises(InputError, match="too large"):
        asyncio.run(remote.read_storage(storage, ""))


def test_a_folder_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was removed meanwhile is named in a note; what became a pipe or a loop is named in the error."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("id,answer\n1,yes\n2,no\n")
    walk = read._walk

    def moved(root: Path) -> Any:
        found = walk(root)
        (root / "b.csv").unlink()
        return found

    monkeypatch.setattr(read, "_walk", moved)
    dataset = read_path(tmp_path)
    assert {record.file for record in dataset.records} == {"a.csv", "c.csv"}
    assert any("b.csv" in note for note in dataset.notes)
    monkeypatch.undo()
    (tmp_path / "b.csv").write_text("id,answer\n1,yes\n")
    monkeypatch.setattr(
        read, "_walk", _swapped(lambda root: (root / "b.csv").unlink(), lambda r: os.mkfifo(r / "b.csv"))
    )
    with pytest.raises(InputError, match=r"^b.csv .*neither"):
        read_path(tmp_path)


def _swapped(*steps: Callable[[Path], object]) -> Any:
    """Return a walk through a folder after which something changes in it."""
    walk = read._walk

    def swapped(root: Path) -> Any:
        found = walk(root)
        for step in steps:
            step(root)
        return found

    return swapped


@pytest.mark.parametrize("by_fd", [True, False])
@pytest.mark.parametrize("case", ["file", "folder", "link", "circle", "link in the folder"])
def test_a_file_that_is_swapped_for_a_link_out_of_its_folder_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, by_fd: bool
) -> None:
    monkeypatch.setattr(local_folder, "_BY_FD", by_fd)
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "deep", outside):
        folder.mkdir(parents=True)
        (folder / "b.csv").write_text("id,answer\n7,secret\n" if folder == outside else "id,answer\n1,yes\n")
    (root / "a.csv").write_text("id,answer\n2,no\n")
    (root / "l.csv").symlink_to("a.csv")

    def swap(_: Path) -> None:
        if case == "folder":
            (root / "deep").rename(root / "moved")
            (root / "deep").symlink_to(outside)
        else:
            file = root / "l.csv" if case == "link" else root / "deep" / "b.csv"
            file.unlink()
            inside = {"circle": file.name, "link in the folder": "../a.csv"}
            file.symlink_to(inside.get(case, str(outside / "b.csv")))

    monkeypatch.setattr(read, "_walk", _swapped(swap))
    dataset = read_path(root)
    assert "secret" not in str(dataset.records)
    name = "l.csv" if case == "link" else "deep/b.csv"
    read_it = case == "link in the folder"
    assert (name in {record.file for record in dataset.records}) is read_it
    assert any(
        note == f"Not read, being links to what is not in the folder: {name}." for note in dataset.notes
    ) is not (read_it)


@pytest.mark.parametrize(
    ("text", "ids", "says"),
    [
        (
            "ID,Q\nP1,a\nP7,b\nP3,c\nP7,d\nP5,e\n,f\n",
            ["P1", "P7 (row 2)", "P3", "P7 (row 4)", "P5", "row 6"],
            "s.csv: 2 rows share their id with others, as “P7 (row 2)”; 1 have no id, as “row 6”.",
        ),
        ("Participant,Q\nP1,a\nP1,b\n", ["P1 (row 1)", "P1 (row 2)"], "2 rows share their id"),
        ("ID,Q\n1,a\n1,b\n", ["row 1", "row 2"], ""),
        ("ID,Q\nrow 2,a\n,b\nP3,c\n", ["row 2", "row 2'", "P3"], "2 have no id"),
        (
            "ID,Q\ncafe\u0301,a\ncaf\u00e9,b\nP3,c\nP4,d\nP5,e\n",
            ["cafe\u0301 (row 1)", "caf\u00e9 (row 2)", "P3", "P4", "P5"],
            "2 rows share",
        ),
        ("code,Participant,Q\na,P1,x\na,P2,y\nb,P3,z\n", ["P1", "P2", "P3"], ""),
    ],
)
def test_ids_survive_where_a_few_rows_have_none_of_their_own(text: str, ids: list[str], says: str) -> None:
    dataset = read_files([("s.csv", text.encode())])
    assert [record.id for record in dataset.records] == ids
    assert says in " ".join(dataset.notes)
