"""Interviews as they are exported: subtitles, transcription services, Word documents; read and erased by one rule."""

from __future__ import annotations

import io
import zipfile

import pytest

from persona.personas.sources.read import read_files
from persona.personas.sources.turns import read_interview
from persona.personas.subjects import ids_of, look

FIRST = "I look at the chart before breakfast, and then I turn the heating down."
SECOND = "The alerts come far too late in the evening, when I am asleep already."
ASKED = ("How do you use the app in the morning?", "What annoys you about it?")


def turns(form: str, *, asks: str = "Interviewer", answers: str = "Ana Ruiz") -> str:
    """Return the interview of these sentences, each turn in a form with ``{who}``, ``{said}``, and ``{n}`` for time."""
    said = [(asks, ASKED[0]), (answers, FIRST), (asks, ASKED[1]), (answers, SECOND)]
    return "".join(form.format(who=who, said=text, n=n) for n, (who, text) in enumerate(said, start=1))


CUE = "{n}\n00:00:0{n}.120 --> 00:00:0{n}.900"
FORMS = {
    "teams": ("a.vtt", "WEBVTT\n\n" + turns(CUE + "\n<v {who}>{said}</v>\n\n")),
    "teams without closing tags": ("a.vtt", "WEBVTT\n\n" + turns(CUE + "\n<v.loud.first {who}>{said}\n\n")),
    "zoom": ("a.vtt", "\ufeffWEBVTT\r\n\r\n" + turns(CUE + "\r\n{who}: {said}\r\n\r\n")),
    "webvtt in a .txt": ("a.txt", "WEBVTT\n\n" + turns(CUE + "\n{who}: {said}\n\n")),
    "settings and comments": (
        "a.vtt",
        "WEBVTT - Interview: one\nKind: captions\nLanguage: en\n\nSTYLE\n::cue { color: red }\n\nREGION\nid: fred\n\n"
        "NOTE\nName: not: a speaker\nstill a note\n\n"
        + turns("{n}-x\n00:0{n}.120 --> 00:0{n}.900 align:start position:0%\n<v {who}><i>{said}</i></v>\n\n"),
    ),
    "srt": ("a.srt", turns("{n}\n00:00:0{n},120 --> 00:00:0{n},900\n{who}: {said}\n\n")),
    "srt without blank lines": ("a.srt", turns("{n}\n00:00:0{n},120 --> 00:00:0{n},900\n{who}: {said}\n")),
    "otter": ("a.txt", turns("{who}  0:0{n}\n{said}\n\n")),
    "zoom text": ("a.txt", turns("[{who}] 10:05:0{n}\n{said}\n\n")),
    "rev": ("a.txt", turns("{who} (00:0{n}):\n{said}\n\n")),
    "name and time in brackets": ("a.txt", turns("{who} (00:0{n})\n{said}\n\n")),
    "time first": ("a.txt", turns("00:00:0{n} {who}\n{said}\n\n")),
    "time in brackets first": ("a.txt", turns("[00:00:0{n}] {who}\n{said}\n\n")),
    "time and name in one line": ("a.txt", turns("[00:0{n}] {who}: {said}\n")),
    "name, time in one line": ("a.txt", turns("{who} [00:0{n}]: {said}\n")),
    "chat": ("a.txt", turns("10:05:0{n} From {who} to Everyone: {said}\n")),
    "messages": ("a.txt", turns("12/05/24, 10:0{n} - {who}: {said}\n")),
    "markdown": ("a.md", "# One\n\n" + turns("**{who}:** \\[0{n}:12\\] {said}\n\n")),
    "markdown with names alone": ("a.md", turns("**{who}** 0:0{n}\n\n{said}\n\n")),
    "name and time in columns": ("a.txt", turns("{who}\t00:0{n}\t{said}\n")),
    "marked-up names": ("a.srt", turns(CUE + "\n<font color='red'><b>{who}:</b> {said}</font>\n\n")),
    "Meet": (
        "a.txt",
        "Attendees\n\n" + turns("00:0{n}:00\n\n{who}: {said}\n\n") + "Transcription ended after 00:06:00",
    ),
    "old Teams": ("a.vtt", turns("0:0:0{n}.0 --> 0:0:0{n}.940\n{who}\n{said}\n")),
    "roles alone": ("a.txt", turns("{who}\n{said}\n\n", answers="Participant 3")),
    "html entities": ("a.vtt", "WEBVTT\n\n" + turns(CUE + "\n<v {who}>{said}</v>\n\n").replace("I am", "I&nbsp;am")),
    "wide colons": ("a.txt", turns("{who}：{said}\n", answers="田中")),
}
"""Exports of the same interview, by what makes them."""


@pytest.mark.parametrize(
    "who", ["Ana Ruiz (she/her)", "Smith, John", "P-3", "Mireille B. Reece, Psy.D", "J.P.", "Guest 12"]
)
def test_odd_names_are_read_and_erased_in_every_export(who: str) -> None:
    for name, text in [each for form, each in FORMS.items() if form not in ("roles alone", "wide colons")]:
        data = text.replace("Ana Ruiz", who).encode()
        (record,) = read_files([(name, data)]).records
        assert (record.id, [passage.text for passage in record.passages]) == (who, [FIRST, SECOND]), text
        found = look(name, data, who)
        assert found.trace is not None and found.trace.certain, text
        assert b"breakfast" not in (found.trace.left or b"") and b"alerts" not in (found.trace.left or b""), text


@pytest.mark.parametrize("form", FORMS)
def test_every_export_gives_the_same_interview_and_can_be_erased(form: str) -> None:
    name, text = FORMS[form]
    who = next((each for each in ("Participant 3", "田中") if each in text), "Ana Ruiz")
    (record,) = read_files([(name, text.encode())]).records
    assert record.id == who
    assert [passage.field for passage in record.passages] == [*ASKED]
    assert [passage.text for passage in record.passages] == [FIRST, SECOND]
    assert record.id in ids_of(name, text.encode())
    found = look(name, text.encode(), who)
    assert found.trace is not None and found.trace.certain
    left = (found.trace.left or b"").decode()
    assert "breakfast" not in left and "alerts" not in left and who not in left
    assert not found.trace.left or ASKED[0] in left


def test_one_interview_in_two_formats_is_read_once() -> None:
    files = [FORMS["teams"], FORMS["otter"]]
    dataset = read_files([(f"{n}{name}", text.encode()) for n, (name, text) in enumerate(files)])
    assert [(record.key, len(record.passages)) for record in dataset.records] == [(("0a.vtt", "Ana Ruiz"), 2)]
    assert "The same interview in another format, and read once: 1a.txt (as 0a.vtt)." in dataset.notes


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(body: str, **parts: str) -> bytes:
    """Return a Word document with a body and other parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>')
        for name, text in parts.items():
            archive.writestr(f"word/{name}.xml", text)
    return made.getvalue()


def paragraphs(text: str) -> str:
    """Return lines as paragraphs, each cut into two runs."""
    runs = "</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t xml:space='preserve'>"
    lines = [line for line in text.splitlines() if line]
    halves = [line[: len(line) // 2] + runs + line[len(line) // 2 :] for line in lines]
    return "".join(f"<w:p><w:r><w:t xml:space='preserve'>{each}</w:t></w:r></w:p>" for each in halves)


def rows(*cells: tuple[str, ...]) -> str:
    """Return a table."""
    made = ("".join(f"<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>" for text in row) for row in cells)
    return "<w:tbl>" + "".join(f"<w:tr>{each}</w:tr>" for each in made) + "</w:tbl>"


@pytest.mark.parametrize(
    "body",
    [
        paragraphs(turns("{who}: {said}\n")),
        paragraphs(turns("{who}  0:0{n}\n{said}\n")),
        paragraphs(turns("0:0:0{n}.0 --> 0:0:0{n}.940\n{who}\n{said}\n")),
        rows(("Speaker", "Text"), *(tuple(line.split("|")) for line in turns("{who}|{said}\n").splitlines())),
        rows(*(tuple(line.split("|")) for line in turns("0:0{n}|{who}:|{said}\n").splitlines())),
    ],
)
def test_word_documents_hold_the_same_interview(body: str) -> None:
    data = docx(body)
    (record,) = read_files([("a.docx", data)]).records
    assert (record.id, [passage.text for passage in record.passages]) == ("Ana Ruiz", [FIRST, SECOND])
    assert [passage.field for passage in record.passages] == [*ASKED]
    assert look("a.docx", data, "Ana Ruiz").trace is not None  # it is named, since Persona does not write documents


def test_what_was_deleted_or_commented_in_a_word_document_is_not_read() -> None:
    gone = "<w:del w:id='1'><w:r><w:delText>secret</w:delText></w:r></w:del>"
    new = "<w:ins w:id='2'><w:r><w:t>, and tea</w:t></w:r></w:ins>"
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
    body = (
        paragraphs("Interviewer: Why?\n")
        + f"<w:p><w:r><w:t>P1: I like toast</w:t></w:r>{gone}{new}{hidden}<w:r><w:t>.</w:t></w:r></w:p>"
    )
    dataset = read_files([("a.docx", docx(body, comments="<w:comments/>"))])
    assert [passage.text for passage in dataset.records[0].passages] == ["I like toast, and tea."]
    assert "a.docx: not read: tracked deletions (1), comments." in dataset.notes


@pytest.mark.parametrize("behind", [". ", "\t", "   "])
def test_depositions_have_letters_without_colons(behind: str) -> None:
    text = turns("{who}" + behind + "{said}\nand more of it.\n\n", asks="Q", answers="A")
    data = read_files([("a.txt", text.encode())])
    said = [f"{each} and more of it." for each in (FIRST, SECOND)]
    assert [(record.id, [passage.text for passage in record.passages]) for record in data.records] == [("A", said)]
    prose = "A. Smith wrote this.\nQ. Jones did not.\nA. Smith wrote that too, and at some length.\n"
    assert [record.id for record in read_files([("b.txt", prose.encode())]).records] == ["b"]


def test_questions_of_a_host_without_a_name_are_not_the_respondents_before() -> None:
    first, second = " ".join([FIRST] * 3), " ".join([SECOND] * 3)  # those who say little are left out
    who = ["", "Ana Ruiz", "", "", "Tom O’Neil", "Tom O’Neil", "", "Ana Ruiz"]
    said = [
        ASKED[0],
        first,
        "And what about it",
        "annoys you?",
        second,
        "So I turn them",
        "off. All of them.",
        "Me too.",
    ]
    cue = "00:00:0{n}.120 --> 00:00:0{n}.900\n{said}\n\n"
    lines = [f"{name}: {text}" if name else text for name, text in zip(who, said, strict=True)]
    file = ("a.vtt", ("WEBVTT\n\n" + "".join(cue.format(n=n, said=each) for n, each in enumerate(lines))).encode())
    data = read_files([file])
    assert [(record.id, [passage.text for passage in record.passages]) for record in data.records] == [
        ("Ana Ruiz", [first, "Me too."]),
        ("Tom O’Neil", [f"{second} So I turn them off. All of them."]),
    ]
    assert data.left_out["labels of no person"] == 1
    trace = look(*file, "Ana Ruiz").trace
    assert trace is not None
    assert trace.left is not None
    assert "annoys you?" in trace.left.decode()
    named = [f"Ana Ruiz: {first}", "Is it not?", f"Tom O’Neil: {second}", "Tom O’Neil: Yes.", "Ana Ruiz: No."]
    goes_on = read_interview("a.srt", "".join(cue.format(n=n, said=each) for n, each in enumerate(named)))
    assert goes_on.turns[0].said == f"{first} Is it not?"


@pytest.mark.parametrize("day", ["March 1, 2026", "1 March 2026", "Sunday, March 1st, 2026"])
def test_the_day_of_a_meeting_is_no_speaker(day: str) -> None:
    text = f"Weekly interview\n\n{day}, 10:00AM\n32m 10s\n\n" + turns("{who}   0:0{n}\n{said}\n\n")
    data = read_files([("a.txt", text.encode())])
    assert data.speakers == {"Ana Ruiz"}
    assert not data.left_out
