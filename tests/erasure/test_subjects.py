"""What a content holds of a respondent, and the content without it."""

from __future__ import annotations

import pytest

from persona.errors import UsageError
from persona.personas import document
from persona.personas.model import Section
from persona.personas.named import evidence_of, named_in
from persona.personas.subjects import ERASED, ids_of, subject_of, trace

TABLES = {
    "commas": (b"Respondent,A\r\nP1,x\r\nP2,y\r\n", b"Respondent,A\r\nP2,y\r\n"),
    "semicolons": (b"Respondent;A, or B\nP1;x\nP2;y\n", b"Respondent;A, or B\nP2;y\n"),
    "a cell of two lines": (b'id,A\nP1,"x\ny"\n"P2","z\nz"\n', b'id,A\n"P2","z\nz"\n'),
    "a byte order mark": (b"\xef\xbb\xbfid,A\nP1,x\nP2,y\n", b"\xef\xbb\xbfid,A\nP2,y\n"),
    "Windows-1252": (b"id,A\nP1,x\nP2,caf\xe9\n", b"id,A\nP2,caf\xe9\n"),
    "one respondent in many rows": (b"Participant,A\nP1,x\nP2,y\nP1,z\n", b"Participant,A\nP2,y\n"),
    "nobody else": (b"id,A\nP1,x\n", None),
    "three heading rows": (
        b'ResponseId,Q1\nResponse ID,"How\nis it?"\n"{""ImportId"":""_r""}","{""ImportId"":""Q""}"\nP1,x\nP2,y\n',
        b'ResponseId,Q1\nResponse ID,"How\nis it?"\n"{""ImportId"":""_r""}","{""ImportId"":""Q""}"\nP2,y\n',
    ),
    "questions over options": (
        b"Respondent ID,Q,,\n,A,B,C\nP1,A,,C\nP2,,B,\nP3,A,,\n",
        b"Respondent ID,Q,,\n,A,B,C\nP2,,B,\nP3,A,,\n",
    ),
    "a title above and a source below": (
        b"sep=;\nA survey;;\nid;A;B\nP1;x;y\nP2;y;z\nSource: ours;;\n",
        b"sep=;\nA survey;;\nid;A;B\nP2;y;z\nSource: ours;;\n",
    ),
    "an id that others share, and a gap": (
        b"id,A\nP1,x\nP2,y\nP1,z\nP3,a\nP4,a\n,b\n",
        b"id,A\nP2,y\nP3,a\nP4,a\n,b\n",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_loses_the_rows_and_keeps_the_other_bytes(name: str) -> None:
    before, after = TABLES[name]
    found = trace("a.csv", before, "P1")
    assert found is not None
    assert found.certain
    assert found.left == after


def test_a_table_in_utf_16_stays_one() -> None:
    for encoding, bom in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        found = trace("a.csv", bom + "id,A\nP1,x\nP2,é\n".encode(encoding), "P1")
        assert found is not None
        assert found.left == bom + "id,A\nP2,é\n".encode(encoding)


def test_an_answer_that_looks_like_an_id_is_a_mention_only() -> None:
    found = trace("a.csv", b"id,Who?\nP1,P2\nP3,me\n", "P2")
    assert found is not None
    assert not found.certain


def test_json_loses_the_records_wherever_they_are() -> None:
    data = b'{"study": {"rows": [{"id": 7, "a": 7}, {"id": 8, "a": 7}]}, "by": {"7": "x", "8": "y"}}'
    found = trace("a.json", data, "7")
    assert found is not None
    assert found.left is not None
    assert b'"id": 8' in found.left
    assert b'"a": 7' in found.left
    assert b'"id": 7' not in found.left
    assert b'"x"' not in found.left


def test_a_json_file_of_one_respondent_goes() -> None:
    found = trace("a.json", b'{"participant": "P1", "turns": [{"text": "x"}]}', "P1")
    assert found is not None
    assert found.left is None


def test_json_lines_keep_the_other_lines_to_the_byte() -> None:
    found = trace("a.jsonl", b'{"id":"P1","x":1}\n\n{ "id":"P2", "x":1.50}\n', "P1")
    assert found is not None
    assert found.left == b'\n{ "id":"P2", "x":1.50}\n'


def test_an_interview_loses_the_turns_of_one_speaker() -> None:
    text = b"Interviewer: Why?\nAnn: Because.\nand more\nBob: No.\nAnn: Yes.\nBob: Never.\n"
    found = trace("talk.txt", text, "Ann")
    assert found is not None
    assert found.what == ("2 turns",)
    assert found.left == b"Interviewer: Why?\nBob: No.\nBob: Never.\n"


@pytest.mark.parametrize(
    "text",
    [b"Participant: P3\n\nInterviewer: Why?\nAnn: Because.\nAnn: Yes.\n", b"Interviewer: Why?\nP3: Because.\n"],
)
def test_an_interview_with_one_respondent_goes(text: bytes) -> None:
    found = trace("talk.md", text, "P3")
    assert found is not None
    assert found.left is None


@pytest.mark.parametrize("path", ["calls/P3.mp3", "P3/consent.pdf", "P3.txt"])
def test_what_bears_the_name_goes(path: str) -> None:
    found = trace(path, b"text" if path.endswith("txt") else None, "P3")
    assert found is not None
    assert found.left is None
    assert trace(path.replace("P3", "P33"), None, "P3") is None


def test_a_broken_file_is_searched_by_its_words() -> None:
    found = trace("a.json", b'{"id": "P1", ', "P1")
    assert found is not None
    assert not found.certain
    assert "P1" in ids_of("a.json", b'{"id": "P1", ')


def test_a_persona_loses_all_of_a_respondent_and_nothing_else(personas: dict[str, bytes]) -> None:
    tried = 0
    for path, data in [*personas.items()][:4]:
        before = document.read(path, data)
        for subject in sorted(named_in(before))[:8]:
            found = trace(path, data, subject)
            assert found is not None
            if found.left is None:
                continue
            after = document.read(path, found.left)
            assert subject not in named_in(after)
            assert named_in(before) - named_in(after) == {subject}
            assert after.respondents == before.respondents
            assert trace(path, found.left, subject) is None
            own = {item.quote for item in evidence_of(before) if item.record == subject}
            others = {item.quote for item in evidence_of(before) if item.record != subject}
            told = {answer for each in before.statements() for answer in each.basis.answers}
            for quote in own:
                if len(quote) > 30 and quote not in told and not any(quote in other for other in others):
                    assert quote.encode() not in found.left, (path, subject)
            tried += 1
    assert tried > 20


def test_words_in_title_and_summary_are_hidden(personas: dict[str, bytes]) -> None:
    path, data = next(iter(personas.items()))
    persona = document.read(path, data)
    quote = "words of one person alone"
    item = next(evidence_of(persona)).model_copy(update={"record": "Z1", "quote": quote})
    spoken = persona.model_copy(update={"quotes": [*persona.quotes, item], "summary": f"So: {quote}."})
    found = trace(path, document.write(spoken), "Z1")
    assert found is not None
    assert found.left is not None
    assert document.read(path, found.left).summary == f"So: {ERASED}."


@pytest.mark.parametrize("text", ["", "   ", "row 12"])
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        subject_of(text)


def test_each_row_of_an_id_that_several_share_is_found(personas: dict[str, bytes]) -> None:
    """Two rows of P7 are “P7 (row 2)” and “P7 (row 4)” in a persona."""
    name, data = next((name, data) for name, data in personas.items() if b"record: E08" in data)
    shared = data.replace(b"record: E08", b"record: E08 (row 2)").replace(b"- E08\n", b"- E08 (row 2)\n")
    assert shared != data
    found = trace(name, shared, "E08")
    assert found is not None
    assert found.left is not None
    assert b"E08" not in found.left


def test_a_section_of_a_codebook_loses_a_respondent_too(personas: dict[str, bytes]) -> None:
    path, data = next(iter(personas.items()))
    persona = document.read(path, data)
    one = persona.statements()[0]
    item = one.evidence[0].model_copy(update={"record": "Z1"})
    alone = one.model_copy(update={"evidence": [item]})
    both = one.model_copy(update={"evidence": [item, one.evidence[0]]})
    sections = [Section(heading="Comfort", statements=[alone, both])]
    found = trace(path, document.write(persona.model_copy(update={"sections": sections})), "Z1")
    assert found is not None
    assert found.left is not None
    (left,) = document.read(path, found.left).sections
    assert [statement.evidence for statement in left.statements] == [[one.evidence[0]]]
