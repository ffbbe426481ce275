"""Projects of qualitative analysis, in the shape that their programs write."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from tests.personas.workbooks import zipped

ANNA = (
    "Interviewer: How do you travel?\nAnna: By bus. It is late, and it is dear.\n"
    "Interviewer: Why?\nAnna: I have no car.\n"
)
BEN = (
    "Interviewer: How do you travel?\nBen: By bike. Über die Brücke 🚲, it is quick.\n"
    "Interviewer: It is late?\nBen: Yes.\n"
)
CODED = (("a", "It is late", "Punctuality"), ("a", "it is dear", "Cost"), ("a", "late, and it is dear", "Complaint"),
         ("b", "it is quick", "Speed"), ("b", "It is late?", "Punctuality"))  # fmt: skip


def qdpx(
    texts: Mapping[str, str],
    coded: Sequence[tuple[str, str, str]],
    *,
    cases: str = "",
    ends: str = "\n",
    counted: str = "\n",
    extra: str = "",
) -> bytes:
    """Return a REFI-QDA project (Project.xsd of version 1.5).

    Args:
        texts: its sources, by their names.
        coded: source, words and code; each code is of the name of its words' topic.
        cases: the cases, as XML, in which sources have the GUIDs ``{NAME}``.
        ends: how lines end in the files.
        counted: how the end of a line is counted.
        extra: more sources, as XML.
    """
    codes = {topic: f"c{number}" for number, topic in enumerate(dict.fromkeys(each[2] for each in coded))}
    tree = "".join(f'<Code guid="{{{key.upper()}}}" name={quoteattr(topic)}/>' for topic, key in codes.items())
    sources = ""
    for name, text in texts.items():
        seen = text.replace("\n", counted)
        selections = ""
        for source, words, topic in coded:
            if source == name:
                start = seen.index(words)
                selections += (
                    f'<PlainTextSelection guid="{name}-{start}-{len(words)}" name={quoteattr(words)} '
                    f'startPosition="{start}" endPosition="{start + len(words)}"><Coding guid="x">'
                    f'<CodeRef targetGUID="{codes[topic]}"/></Coding></PlainTextSelection>'
                )
        sources += (
            f'<TextSource guid="{name}" name="{name}" plainTextPath="internal://{name}.txt">{selections}</TextSource>'
        )
    project = (
        f'<?xml version="1.0" encoding="utf-8"?><Project xmlns="urn:QDA-XML:project:1.0" name="Study">'
        f'<CodeBook><Codes><Code guid="top" name="All" isCodable="false">{tree}</Code></Codes></CodeBook>'
        '<Variables><Variable guid="v1" name="Age" typeOfVariable="Integer"/></Variables>'
        f"<Cases>{cases}</Cases><Sources>{sources}{extra}</Sources></Project>"
    )
    files = {f"Sources/{name}.txt": text.replace("\n", ends).encode("utf-8-sig") for name, text in texts.items()}
    return zipped({"project.qde": project.encode(), **files})


def taguette(texts: Mapping[str, str], coded: Sequence[tuple[str, str, str]], *statements: str) -> bytes:
    """Return a project of Taguette's, with the tables of its ``models.py`` that hold data of a study.

    Texts become paragraphs of HTML, and offsets count the bytes of UTF-8 without mark-up.
    """
    base = sqlite3.connect(":memory:")
    base.executescript(
        "CREATE TABLE projects (id INTEGER PRIMARY KEY, name VARCHAR(200), description TEXT, created DATETIME);"
        "CREATE TABLE users (login VARCHAR(30) PRIMARY KEY, hashed_password VARCHAR(192), email VARCHAR(256));"
        "CREATE TABLE documents (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(200), description TEXT,"
        " filename VARCHAR(200), created DATETIME, project_id INTEGER, text_direction VARCHAR(13), contents TEXT);"
        "CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER, path VARCHAR(200),"
        " description TEXT);"
        "CREATE TABLE highlights (id INTEGER PRIMARY KEY AUTOINCREMENT, document_id INTEGER, start_offset INTEGER,"
        " end_offset INTEGER, snippet TEXT);"
        "CREATE TABLE highlight_tags (highlight_id INTEGER, tag_id INTEGER, PRIMARY KEY (highlight_id, tag_id));"
    )
    tags: dict[str, int] = {}
    for name, text in texts.items():
        html = "".join(f"<p>{escape(line).replace('late', '<b>late</b>')}</p>" for line in text.splitlines())
        row = (name, "", f"{name}.html", html)
        document = base.execute(
            "INSERT INTO documents (name, description, filename, contents) VALUES (?, ?, ?, ?)", row
        ).lastrowid
        flat = text.replace("\n", "")
        for source, words, topic in coded:
            if source != name:
                continue
            start = len(flat[: flat.index(words)].encode())
            place = (document, start, start + len(words.encode()), words)
            highlight = base.execute(
                "INSERT INTO highlights (document_id, start_offset, end_offset, snippet) VALUES (?, ?, ?, ?)", place
            ).lastrowid
            if topic not in tags:
                tags[topic] = base.execute("INSERT INTO tags (path) VALUES (?)", (topic,)).lastrowid or 0
            base.execute("INSERT INTO highlight_tags VALUES (?, ?)", (highlight, tags[topic]))
    return _saved(base, statements)


def qualcoder(texts: Mapping[str, str], coded: Sequence[tuple[str, str, str]], *statements: str) -> bytes:
    """Return the ``data.qda`` of a QualCoder project, of version 3's tables."""
    base = sqlite3.connect(":memory:")
    base.executescript(
        "CREATE TABLE project (databaseversion text, date text, memo text, about text);"
        "CREATE TABLE source (id integer primary key, name text, fulltext text, mediapath text, memo text, owner text,"
        " date text, av_text_id integer, risid integer, unique(name));"
        "CREATE TABLE code_cat (catid integer primary key, name text, owner text, date text, memo text,"
        " supercatid integer);"
        "CREATE TABLE code_name (cid integer primary key, name text, memo text, catid integer, owner text, date text,"
        " color text, unique(name));"
        "CREATE TABLE code_text (ctid integer primary key, cid integer, fid integer, seltext text, pos0 integer,"
        " pos1 integer, owner text, date text, memo text, avid integer, important integer);"
        "CREATE TABLE cases (caseid integer primary key, name text, memo text, owner text, date text);"
        "CREATE TABLE case_text (id integer primary key, caseid integer, fid integer, pos0 integer, pos1 integer,"
        " owner text, date text, memo text);"
        "CREATE TABLE attribute_type (name text primary key, date text, owner text, memo text, caseOrFile text,"
        " valuetype text);"
        "CREATE TABLE attribute (attrid integer primary key, name text, attr_type text, value text, id integer,"
        " date text, owner text);"
    )
    codes = {topic: number for number, topic in enumerate(dict.fromkeys(each[2] for each in coded), start=1)}
    base.executemany("INSERT INTO code_name (cid, name) VALUES (?, ?)", [(key, name) for name, key in codes.items()])
    for number, (name, text) in enumerate(texts.items(), start=1):
        base.execute("INSERT INTO source (id, name, fulltext) VALUES (?, ?, ?)", (number, name, text))
        for source, words, topic in coded:
            if source == name:
                start = text.index(words)
                place = (codes[topic], number, words, start, start + len(words))
                base.execute("INSERT INTO code_text (cid, fid, seltext, pos0, pos1) VALUES (?, ?, ?, ?, ?)", place)
    base.execute("INSERT INTO source (id, name, mediapath) VALUES (99, 'talk.mp3', '/audio/talk.mp3')")
    return _saved(base, statements)


def _saved(base: sqlite3.Connection, statements: Sequence[str]) -> bytes:
    for statement in statements:
        base.execute(statement)
    base.commit()
    data = base.serialize()
    base.close()
    return data
