"""A respondent in each kind of place: what is surely theirs goes, the rest is named, and all else stays to the byte.

The expected files are written out here, line by line; nothing of the product makes them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from persona.config.schema import PerformanceSettings, StorageSettings
from persona.personas import document
from persona.personas.subjects import look
from persona.storage.backend import StorageBackend
from persona.storage.content_headers import ContentHeaders
from tests.cli.conftest import Configure, Run, changed, files_below
from tests.erasure.conftest import contents, file_with, on, put
from tests.faults import FaultProxy, answer
from tests.serving import Server

WHO = "P9"
SECRET = "12 Elm Street"
TURNS = ["P1: hello I like it\n", "P9: I live at 12 Elm Street too.\n", "P1: Ça va.\n"]
WITHOUT = [TURNS[0], TURNS[2]]


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def office(part: str, xml: str, **more: str) -> bytes:
    parts = {"[Content_Types].xml": "<Types/>", part: xml, **more}
    return zipped({name: text.encode() for name, text in parts.items()})


def mail() -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Notes"
    message.set_content("What P9 said: ünder the bridge", cte="base64")
    return message.as_bytes()


def docx(text: str) -> bytes:
    return office("word/document.xml", f"<w:document><w:p><w:r>{text}</w:r></w:p></w:document>")


def pdf(text: str) -> bytes:
    stream = zlib.compress(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode())
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(data)
    return data + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer


def text(encoding: str, *lines: str, mark: bytes = b"") -> bytes:
    return mark + "".join(lines).encode(encoding)


CUT: dict[str, tuple[bytes, bytes | None]] = {
    "two-lines.txt": (text("utf-8", *TURNS[:2]), text("utf-8", TURNS[0])),
    "no-ending": (text("utf-8", *TURNS), text("utf-8", *WITHOUT)),
    "crlf.md": (b"P1: a\r\nP9: 12 Elm Street\r\nmore\r\nP1: b\r\n", b"P1: a\r\nP1: b\r\n"),
    "bold.md": (b"**Moderator:** Hi?\n\n**P9:** Yes.\n\n**P1:** No.\n", b"**Moderator:** Hi?\n\n**P1:** No.\n"),
    "chat.log": (
        b"[03/05/2024, 12:03:11] P9: 12 Elm Street\n[03/05/2024, 12:04:00] P1: ok\n",
        b"[03/05/2024, 12:04:00] P1: ok\n",
    ),
    "utf8-mark.txt": (
        text("utf-8", *TURNS, mark=b"\xef\xbb\xbf"),
        text("utf-8", *WITHOUT, mark=b"\xef\xbb\xbf"),
    ),
    "utf16-mark.txt": (text("utf-16-le", *TURNS, mark=b"\xff\xfe"), text("utf-16-le", *WITHOUT, mark=b"\xff\xfe")),
    "utf16-le.txt": (text("utf-16-le", *TURNS), text("utf-16-le", *WITHOUT)),
    "utf16-be.txt": (text("utf-16-be", *TURNS), text("utf-16-be", *WITHOUT)),
    "utf32.txt": (
        text("utf-32-be", *TURNS, mark=b"\0\0\xfe\xff"),
        text("utf-32-be", *WITHOUT, mark=b"\0\0\xfe\xff"),
    ),
    "utf32-le.txt": (text("utf-32-le", *TURNS), text("utf-32-le", *WITHOUT)),
    "latin.txt": (text("latin-1", *TURNS), text("latin-1", *WITHOUT)),
    "greek.txt": (text("cp1253", "P1: Καλημέρα\n", TURNS[1]), text("cp1253", "P1: Καλημέρα\n")),
    "sjis.csv": (
        text("cp932", "id,答え\n", "P1,表ソ能―\n", "P9,十二番\n", 'P2,"ポ,ル"\n'),
        text("cp932", "id,答え\n", "P1,表ソ能―\n", 'P2,"ポ,ル"\n'),
    ),
    "gb.txt": (text("gb18030", "P1: 我喜欢它\n", "P9: 榆树街\n"), text("gb18030", "P1: 我喜欢它\n")),
    "damaged.txt": (b"P1: caf\xc3\xa9 \xff\nP9: x\nP1: na\xc3\xafve\n", b"P1: caf\xc3\xa9 \xff\nP1: na\xc3\xafve\n"),
    "talk.vtt": (
        b"WEBVTT\n\n1\n00:01.000 --> 00:02.000\n<v P1>hello\n\n2\n00:03.000 --> 00:04.000\n<v P9>12 Elm Street\n\n"
        b"3\n00:05.000 --> 00:06.000\n<v P1>bye\n",
        b"WEBVTT\n\n1\n00:01.000 --> 00:02.000\n<v P1>hello\n\n3\n00:05.000 --> 00:06.000\n<v P1>bye\n",
    ),
    "talk.srt": (
        b"1\n00:00:01,000 --> 00:00:02,000\n- P1: hello\n- P9: 12 Elm Street\n\n"
        b"2\n00:00:03,000 --> 00:00:04,000\nP9: again\n\n3\n00:00:05,000 --> 00:00:06,000\nP1: bye\n",
        b"1\n00:00:01,000 --> 00:00:02,000\n- P1: hello\n\n3\n00:00:05,000 --> 00:00:06,000\nP1: bye\n",
    ),
    "family.txt": (
        b"Participant: P9\nAge: 41\n\nInterviewer: Why?\nP9: Because.\nHusband: I was there.\nHusband: Indeed.\n",
        b"\nInterviewer: Why?\nHusband: I was there.\nHusband: Indeed.\n",
    ),
    "sections.txt": (
        b"Participant: P1\n\nQ: Why?\nA: Because.\n\nParticipant: P9\n\nQ: Where?\nA: 12 Elm Street.\n",
        b"Participant: P1\n\nQ: Why?\nA: Because.\n\n\nQ: Where?\n",
    ),
    "front.md": (b"---\nparticipant: P9\nage: 41\n---\n\nInterviewer: Why?\nAnn: So.\nAnn: No.\n", None),
    "aside.txt": (b"P9 (female, 41): yes\nP1: no\n", b"P1: no\n"),
    "one.md": (b"# Talk\n\nName: Ann\nAge: 41\n\nInterviewer: Why?\nP9: 12 Elm Street.\n", None),
    "rows.csv": (b'\xef\xbb\xbfid;A\r\nP1;"x\r\ny"\r\n"P9";"12 Elm\r\nStreet"\r\nP2;"z ""q"""\r\n',) * 1
    + (b'\xef\xbb\xbfid;A\r\nP1;"x\r\ny"\r\nP2;"z ""q"""\r\n',),
    "speakers.csv": (
        b"participant,speaker,text\nP1,P1,a\nP1,P9,12 Elm Street\nP1,Kim,b\n",
        b"participant,speaker,text\nP1,P1,a\nP1,Kim,b\n",
    ),
    "table.txt": (b"Respondent\tCity\nP9\tLeeds\nP1\tHull\n", b"Respondent\tCity\nP1\tHull\n"),
    "numbers.json": (
        b'{"rows":\r\n [ {"id":"P1","x":1e400, "x":0.10000000000000000001 },\r\n'
        b'   {"id":"P9","x":"12 Elm Street"},\r\n   {"id":"P2","x":[1.50,-0]}]\r\n}\r\n',
        b'{"rows":\r\n [ {"id":"P1","x":1e400, "x":0.10000000000000000001 },\r\n   {"id":"P2","x":[1.50,-0]}]\r\n}\r\n',
    ),
    "last.json": (
        b'[{"participant": {"id": "P1"}, "n": 1.0}, {"participant": {"id": "P9"}}]',
        b'[{"participant": {"id": "P1"}, "n": 1.0}]',
    ),
    "members.json": (b'{"participants": ["P1", "P9" , "P2"], "n": 3}', b'{"participants": ["P1", "P2"], "n": 3}'),
    "family.json": (
        b'{"id": "P9", "age": 41, "turns": [{"speaker": "P9", "said": "a"}, {"speaker": "Husband", "said": "b"}]}',
        b'{"turns": [{"speaker": "Husband", "said": "b"}]}',
    ),
    "escaped.json": (b'[{"id": "\\u00509", "a": 1}, {"id": "P1", "a": "\\u00e9"}]', b'[{"id": "P1", "a": "\\u00e9"}]'),
    "lines.jsonl": (
        '{"id":"P1","t":"a\u2028b"}\n{"id":"P9"}\n\nnot json\n'.encode(),
        '{"id":"P1","t":"a\u2028b"}\n\nnot json\n'.encode(),
    ),
    "notes.yaml": (
        b"# study\nrows:\n- participant: P1 # first\n  said: 'a: b'\n"
        b"- participant: P9\n  said: |\n    12 Elm\n    Street\n"
        b"# last\n- {participant: P2, said: x}\nend: 1.50\n",
        b"# study\nrows:\n- participant: P1 # first\n  said: 'a: b'\n# last\n- {participant: P2, said: x}\nend: 1.50\n",
    ),
    "P9.mp3": (b"\0\1", None),
    "P9/free.txt": (b"I live at 12 Elm Street.\n", None),
}
NAMED: dict[str, bytes] = {
    "quotes.txt": b"P1: Even P9 had to laugh.\nP1: Yes.\n",
    "quotes.csv": b"id,A\nP1,as P9 said\n",
    "page.html": b"<p>What <b>P</b>9 said</p>",
    "page.xhtml": b"<p>What &#80;9 said</p>",
    "data.xml": b"<r><id>P9</id><x>1</x></r>",
    "rich.rtf": b"{\\rtf1 What \\b P\\b0 9 said}",
    "mail.eml": mail(),
    "report.docx": docx("<w:t>What P</w:t></w:r><w:r><w:t>9 said</w:t>"),
    "table.xlsx": office("xl/sharedStrings.xml", "<sst><si><t>P9</t></si></sst>"),
    "talk.pptx": office("ppt/slides/slide1.xml", "<a:p><a:t>P9</a:t></a:p>"),
    "text.odt": zipped({"mimetype": b"x", "content.xml": b"<text:p>P9</text:p>"}),
    "all.zip": zipped({"inner/deep.zip": zipped({"a.txt": b"about P9 only"})}),
    "all.tar": tarred({"a.txt": b"about P9 only"}),
    "all.tar.gz": gzip.compress(tarred({"a.txt": b"about P9 only"})),
    "a.txt.bz2": bz2.compress(b"about P9 only"),
    "a.txt.xz": lzma.compress(b"about P9 only"),
    "jis.txt": "P9は彼です\nP9: はい\nP1: いいえ\n".encode("iso2022_jp"),
    "report.pdf": pdf("What P9 said"),
    "interview P9 and P1.txt": b"Interviewer: Why?\nAnn: So.\nBob: No.\n",
    "P9/pair.txt": b"Ann: So.\nBob: No.\nAnn: So.\nBob: No.\n",
    "codebook.yaml": b"codes:\n- name: home\n  example: P9 at home\n",
    "embedded.json": b'[{"study": 1, "text": "P1: hi\\nP9: 12 Elm Street"}]',
    "alias.yaml": b"a: &x\n  id: P9\nb: *x\n",
    "study.txt": b"Study 4\n\nParticipant: P9\nHe was ill.\n\nAll are fine here and there.\n",
    "broken.json": b'{"id": "P9", ',
}
OPAQUE: dict[str, bytes] = {
    "a.mp3": b"ID3\4\0\0\0\0\1\2",
    "b.mp3": b"\xff\xfb\x90\0\0\1",
    "secret.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
    "bomb.gz": gzip.compress(b"0" * (17 << 20)),
    "cut.zip": zipped({"a.txt": b"x"})[:30],
}
CLEAN: dict[str, bytes] = {
    "other.csv": b"id,A\r\nP1,1e400\r\n",
    "other.docx": docx("<w:t>nothing</w:t>"),
    "other.pdf": pdf("nothing"),
    "P99.txt": b"P99: I am somebody else.\n",
    "empty": b"",
}


def test_each_kind_of_place(place: Callable[[str], StorageSettings], configure: Configure, persona: Run) -> None:
    settings = place("local")
    put(settings, {name: before for name, (before, _) in CUT.items()} | NAMED | OPAQUE | CLEAN)
    configure(settings)
    ran = persona("storage", "erase", "--subject", WHO, "--yes", "--json")
    assert ran.code == 1, ran.err
    after = {path: data for path, data in contents(settings).items() if not path.startswith(".persona-")}
    expected = {name: left for name, (_, left) in CUT.items() if left is not None} | NAMED | OPAQUE | CLEAN
    assert {path: after.get(path) for path in expected} == expected
    assert set(after) == set(expected)
    masked = {path.replace(WHO, "[subject]") for path in NAMED}
    assert {each["path"] for each in ran.json["left"]} == masked
    kinds = {(each["kind"], each["count"]): each["paths"] for each in ran.json["unsearched"]}
    assert {path for paths in kinds.values() for path in paths} == set(OPAQUE)
    assert kinds[".mp3", 2] == ["a.mp3", "b.mp3"]
    assert ran.json["complete"] is False
    assert SECRET not in ran.out
    assert not [path for path in expected if path not in NAMED and SECRET.encode() in expected[path]]


NAMES: dict[str, tuple[bytes, bytes]] = {
    "cp1251.txt": (text("cp1251", "P1: Да, это так.\n", "Алиса: Ёж\n"), text("cp1251", "P1: Да, это так.\n")),
    "utf8.csv": (text("utf-8", "Имя;x\n", "Алиса;1\n", "Борис;2\n"), text("utf-8", "Имя;x\n", "Борис;2\n")),
    "ascii.json": (
        json.dumps([{"name": "Алиса"}, {"name": "Борис"}]).encode(),
        json.dumps([{"name": "Борис"}]).encode(),
    ),
    "koi8.csv": (text("koi8_r", "name;x\n", "Алиса;1\n", "Борис;2\n"), text("koi8_r", "name;x\n", "Борис;2\n")),
}


def test_a_name_beyond_ascii_is_found_in_any_encoding() -> None:
    for path, (before, after) in NAMES.items():
        found = look(path, before, "Алиса").trace
        assert found is not None, path
        if path == "utf8.csv":  # the heading says nothing to us, so it is a mention
            assert not found.certain
        else:
            assert (found.certain, found.left) == (True, after), path
    decomposed = "P1: a\nRene\u0301e: b\n".encode()
    assert look("a.txt", decomposed, "Renée").trace == (("1 turn",), b"P1: a\n", True, ())
    mention = json.dumps([{"id": "P1", "said": "Даже Алиса смеялась"}]).encode()
    found = look("a.json", mention, "Алиса").trace
    assert found is not None
    assert not found.certain


@pytest.mark.parametrize(
    ("subject", "data", "expected"),
    [
        ("e08", b"id,A\nE08,x\n", {"E08"}),
        ("E8", b"id,A\nE08,x\n", {"E08"}),
        ("E08", b"id,A\nE-08,x\n", {"E-08"}),
        ("8", b"id,A\nE08,x\n", {"E08"}),
        ("E08", b"id,A\n8,x\n", {"8"}),
        ("Alisa Brown", b"P1: Even Alisa had one.\n", {"Alisa"}),
        ("alisa", b"P1: Even Alisa had one.\n", {"Alisa"}),
        ("E08", b"P1: see interview_E08.\n", {"interview_E08"}),
        ("E08", b"id,A\nE80,x\nE081,y\n", set()),
    ],
)
def test_another_spelling_is_offered(subject: str, data: bytes, expected: set[str]) -> None:
    found = look("a.csv" if data.startswith(b"id") else "a.txt", data, subject)
    assert (found.similar, found.trace) == (expected, None)


def test_an_id_that_is_spelt_otherwise_erases_nobody(
    place: Callable[[str], StorageSettings], configure: Configure, persona: Run
) -> None:
    settings = place("local")
    data = {"a.csv": b"id,A\nE08,x\nE09,y\n", "b.csv": b"id,A\nE10,y\n"}
    put(settings, data)
    configure(settings)
    for typed in ("e08", "E8"):
        looked = persona("storage", "erase", "--subject", typed)
        assert looked.code == 1
        assert "--subject 'E08'" in looked.out
        assert "add --yes" not in looked.out
        ran = persona("storage", "erase", "--subject", typed, "--yes")
        assert ran.code == 5
        assert "E08 (1 object)" in ran.err
        assert contents(settings) == data
    nobody = persona("storage", "erase", "--subject", "Zebedee")
    assert "add --yes" not in nobody.out
    exact = persona("storage", "erase", "--subject", "e08", "--exact", "--yes", "--json")
    assert (exact.code, exact.json["complete"]) == (0, True)
    both = persona("storage", "erase", "--subject", " E08 ", "--yes", "--json")
    assert both.code == 0
    assert contents(settings)["a.csv"] == b"id,A\nE09,y\n"


def test_similar_ids_that_are_left_make_it_incomplete(
    place: Callable[[str], StorageSettings], configure: Configure, persona: Run
) -> None:
    settings = place("local")
    put(settings, {"a.csv": b"id,A\nE08,x\nE09,y\n", "calls/e08.csv": b"id,A\nE10,y\n"})
    configure(settings)
    ran = persona("storage", "erase", "--subject", "E08", "--yes", "--json")
    assert (ran.code, ran.json["complete"]) == (1, False)
    assert ran.json["similar"] == ["calls/[subject].csv"]
    assert ran.json["not_searched"]
    assert persona("storage", "erase", "--subject", "E08", "--exact", "--yes").code == 0


@pytest.mark.parametrize(
    ("path", "data", "left"),
    [
        ("a.csv", b"participant,question no,A\nP1,3,x\nP1,4,y\nP3,1,z\n", None),
        ("a.json", b'[{"participant": "P1", "answers": {"3": "x", "4": "y"}}]', None),
        ("a.json", b'{"participant": "P1", "turns": [{"id": 3, "text": "x"}]}', None),
        ("a.csv", b"id,A\n3,x\n4,3\n", b"id,A\n4,3\n"),
    ],
)
def test_a_number_that_numbers_something_else_is_nobody(path: str, data: bytes, left: bytes | None) -> None:
    found = look(path, data, "3").trace
    assert (found and found.left) == left


def test_a_number_in_an_office_table_is_found_by_its_column() -> None:
    sheet = (
        '<worksheet><sheetData><row><c r="A1" t="s"><v>0</v></c><c r="B1"><v>7</v></c></row>'
        '<row><c r="A2"><v>17</v></c><c r="B2"><v>18</v></c></row></sheetData></worksheet>'
    )
    strings = {"xl/sharedStrings.xml": "<sst><si><t>Participant</t></si></sst>"}
    book = office("xl/worksheets/sheet1.xml", sheet, **strings)
    assert look("a.xlsx", book, "17").trace is not None
    assert look("a.xlsx", book, "18").trace is None


def test_a_compressed_file_is_compressed_again() -> None:
    found = look("a.csv.gz", gzip.compress(b"id,A\nP9,x\nP1,y\n"), WHO).trace
    assert found is not None
    assert found.certain
    assert gzip.decompress(found.left or b"") == b"id,A\nP1,y\n"


def test_what_is_not_clear_stays_and_is_named() -> None:
    """Whose the lines are, only a person can say: they stay in the file, and in the receipt."""
    for data, left in (
        (b"Ann: hi there\nP9: 12 Elm Street\n", b"Ann: hi there\n"),
        (b"P9: I agree.\nInterviewer: Why?\nParticipant: So.\n", b"Interviewer: Why?\nParticipant: So.\n"),
        (b"participant,A\nP1,a\n,b\nP9,c\n,12 Elm Street\n", b"participant,A\nP1,a\n,b\n,12 Elm Street\n"),
        (b'[{"id": "P9", "a": [{"id": "P10", "b": 1}, {"c": 2}]}]', b'[{"a": [{"id": "P10", "b": 1}]}]'),
        (b"P1: a\nP9: my week\nNote: I paid the rent on Monday and on Tuesday\nP1: b\n", None),
        (b"Participant: P9\n\nAnn: So.\nBob: No.\nAnn: So.\nBob: No.\n", b"\nAnn: So.\nBob: No.\nAnn: So.\nBob: No.\n"),
    ):
        found = look("a", data, WHO).trace
        assert found is not None, data
        assert found.doubts, data
        assert left is None or found.left == left


def test_a_persona_that_was_edited_keeps_its_comments(personas: dict[str, bytes]) -> None:
    path, data = next(iter(personas.items()))
    before = document.read(path, data)
    one, two, *_ = max((part.records for part in before.members), key=len)
    edited = b"# ours\n" + data.replace(f"  - {two}\n".encode(), f"  - {two}  # a friend\n".encode(), 1)
    found = look(path, edited, one).trace
    assert found is not None
    assert found.left is not None
    lines, kept = edited.splitlines(), found.left.splitlines()
    assert kept[0] == b"# ours"
    assert f"  - {two}  # a friend".encode() in kept
    rest = iter(lines)
    changed = [line for line in kept if line not in rest]  # in order: each is looked for behind the one before
    assert len(changed) <= 2
    assert document.read(path, found.left).respondents == before.respondents


def test_a_name_in_a_persona_that_others_speak_is_named(personas: dict[str, bytes]) -> None:
    path, data = next(iter(personas.items()))
    name = document.read(path, data).name
    spoken = data.replace(f"name: {name}".encode(), f"name: {name}, as Zebedee said".encode(), 1)
    found = look(path, spoken, "Zebedee").trace
    assert found is not None
    assert (found.certain, found.left) == (False, spoken)


@pytest.mark.parametrize("name", ["moto", "fake-gcs", "azurite"])
def test_on_a_provider_one_object_that_cannot_be_read_stops_nothing(
    name: str,
    running: Callable[[str], Server],
    place: Callable[[str], StorageSettings],
    configure: Configure,
    persona: Run,
) -> None:
    settings, server = place(name), running(name)
    packed = ContentHeaders(content_encoding="gzip")
    kept = {path: CUT[path] for path in ("utf16-le.txt", "numbers.json", "talk.vtt")}

    async def fill(storage: StorageBackend) -> None:
        for path, (before, _) in kept.items():
            await storage.write(path, before)
        await storage.write("packed.csv", gzip.compress(b"id,A\nP9,x\nP1,y\n"), headers=packed)
        await storage.write("odd.txt", b"P1: hello\n")
        await storage.write("long.mp3", b"ID3\4\0\0\0\0" + bytes(2 << 20))

    on(settings, fill)
    with FaultProxy(server.address) as proxy:
        proxy.always("GET", r"odd\.txt", answer(500, "no"))
        url = (getattr(settings, settings.backend).endpoint_url or "").replace(server.address, proxy.address)
        configure(replace(changed(settings, endpoint_url=url), performance=PerformanceSettings(retry_attempts=0)))
        ran = persona("storage", "erase", "--subject", WHO, "--yes", "--json")
    assert ran.code == 1, ran.err
    assert {each["path"] for each in ran.json["erased"]} == {*kept, "packed.csv"}
    assert [each["path"] for each in ran.json["left"]] == ["odd.txt"]
    assert [(each["kind"], each["count"]) for each in ran.json["unsearched"]] == [(".mp3", 1)]
    after = contents(settings)
    assert {path: after[path] for path in kept} == {path: left for path, (_, left) in kept.items()}
    assert gzip.decompress(after["packed.csv"]) == b"id,A\nP1,y\n"
    headers = on(settings, lambda storage: storage.stat("packed.csv")).headers
    assert headers is not None
    assert headers.content_encoding == "gzip"


def test_a_migration_looks_into_every_kind_of_content(
    place: Callable[[str], StorageSettings], configure: Configure, persona: Run, tmp_path: Path
) -> None:
    settings = place("local")
    put(settings, {"a.csv": b"id,A\nP9,x\nP1,y\n"})
    configure(settings)
    assert persona("storage", "erase", "--subject", WHO, "--yes").code == 0
    mention = {path: NAMED[path] for path in ("quotes.txt", "quotes.csv", "codebook.yaml")}  # others' words
    held = {path: data for path, (data, _) in CUT.items()} | {p: d for p, d in NAMED.items() if p not in mention}
    free = {**CLEAN, **mention, "a.mp3": OPAQUE["a.mp3"], "long.mp3": b"ID3\4\0\0\0\0" + bytes(17 << 20)}
    large = {"large.log": b"nothing at all\n" * (18 << 16)}
    for path, data in {**held, **free, **large}.items():
        file_with((tmp_path / "old" / path).parent, Path(path).name, data)
    ran = persona("storage", "sync", "--from", str(tmp_path / "old"), "--to", "back/", "--json")
    assert ran.code == 1
    assert {each["path"] for each in ran.json["failures"]} == {*held, *large}
    arrived = {path.removeprefix("back/") for path in contents(settings) if path.startswith("back/")}
    assert arrived == set(free)


def test_journals_lose_the_names_that_mention_the_respondent(
    place: Callable[[str], StorageSettings], configure: Configure, persona: Run, tmp_path: Path, home: Path
) -> None:
    settings = place("local")
    put(settings, {"in/call_P9_2.wav": b"\0\1", "in/other.txt": b"x"})
    configure(settings)
    assert persona("storage", "sync", "--from", "in/", "--to", str(tmp_path / "copy")).code == 0
    ran = persona("storage", "erase", "--subject", WHO, "--yes", "--json")
    assert ran.code == 1
    assert {each["path"] for each in ran.json["left"]} == {"in/call_[subject]_2.wav"}
    assert not [name for name, data in files_below(home / "transfers").items() if b"call_P9" in data]


def test_without_its_reader_a_pdf_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    found = look("report.pdf", NAMED["report.pdf"], WHO)
    assert found.trace is None
    (left,) = found.opaque
    assert left.kind == ".pdf"
    assert "persona[pdf]" in left.reason


def test_a_pdf_that_keeps_its_reader_busy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persona.personas.content.pdf.MAX_SECONDS", 1e-6)
    found = look("report.pdf", NAMED["report.pdf"], WHO)
    assert [each.reason for each in found.opaque] == ["It takes longer than 1e-06 seconds to read."]
