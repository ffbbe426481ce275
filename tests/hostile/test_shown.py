"""What comes from others is shown and exported so that no terminal, spreadsheet or reader of Markdown obeys it."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given, settings
from hypothesis import strategies as st

from persona import neutral
from persona.cli import app
from persona.personas import document
from persona.personas.export import export
from persona.personas.generate.provider import Options as Asked
from persona.personas.generate.provider import generate
from persona.personas.model import Persona
from persona.personas.sources.read import read_files
from persona.personas.survey.understand import understand

OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
EVIL = "=HYPERLINK(1)\x1b[2J\x9b31m\u202egpj.exe\u2066 [a](http://x.org) <img src=x onerror=y> | a@x.org\nLocation: no"
SURVEY = b"id,q,r\n" + b"".join(b"%d,%s,The bus is late\n" % (n, b"yes" if n % 2 else b"no") for n in range(12))


@pytest.fixture
def evil() -> Persona:
    made = generate(understand(read_files([("a.csv", SURVEY)])), Asked(count=1)).personas[0]
    found = made.statements()[0].evidence[0].model_copy(update={"quote": EVIL, "record": EVIL, "file": EVIL})
    return made.model_copy(update={"name": EVIL, "title": EVIL, "summary": EVIL, "quotes": [found]})


@pytest.fixture
def library(tmp_path: Path, home: Path, evil: Persona, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "project"
    (folder / "data" / "personas").mkdir(parents=True)
    (folder / "persona.yaml").write_text("storage: {backend: local, local: {path: data}}")
    (folder / "data" / "personas" / "evil.yaml").write_bytes(document.write(evil))
    (folder / "data" / "personas" / "broken.yaml").write_bytes(b'schema_version: "\\e[2J\xe2\x80\xae"\n"\\e[31m": 1\n')
    monkeypatch.chdir(folder)
    return "personas"


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("list", "--json"),
        ("show", "personas", "evil"),
        ("show", "personas", "evil", "--json"),
        ("show", "personas", "broken"),
        ("export", "--format", "markdown"),
        ("export", "--format", "csv"),
        ("export", "--format", "json"),
        ("storage", "list"),
        ("generate", "\x1b[2J\u202e.csv"),
        ("show", "personas", "\x1b[2J"),
    ],
)
def test_a_terminal_obeys_nothing(
    library: str, arguments: tuple[str, ...], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    code = app.run(arguments)
    shown = b"".join(capsysbinary.readouterr()).decode()
    assert code in (0, 1, 2, 5)
    assert shown
    assert not OBEYED.search(shown.replace("\r\n", "\n"))
    if arguments[0] != "export" and "--json" not in arguments:
        assert not re.search(r"^Location: no", shown, re.MULTILINE), "no line of somebody else's"


def test_json_means_the_same(library: str, evil: Persona, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert app.run(("export", "--format", "json", "--quiet")) == 1
    found = json.loads(capsysbinary.readouterr().out)["personas"]
    assert found == [document.plain(evil)]


@given(st.text())
def test_json_of_any_text_means_the_same(text: str) -> None:
    escaped = neutral.json_text(json.dumps(text, ensure_ascii=False))
    assert json.loads(escaped) == text
    assert not OBEYED.search(escaped)


@given(st.text(alphabet=st.sampled_from("=+-@'＝＋－＠a ,;\"")))
def test_a_cell_is_no_formula_and_comes_back(text: str) -> None:
    shown = neutral.cell(text)
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert (shown[1:] if shown.startswith("'") else shown) == text


def test_a_table_of_evil_is_a_table(evil: Persona) -> None:
    rows = list(csv.reader(io.StringIO(export([("a", evil)], "csv").decode(), newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in rows for cell in row)


PIECES = [
    *(
        "http://",
        "https://x.org",
        "www.",
        "www.x.org",
        "a@x.org",
        "mailto:",
        "xmpp:",
        "ftp://",
        "x.org",
        "//x.org",
        "<",
        ">",
    ),
    *(
        "[",
        "]",
        "(",
        ")",
        "!",
        "`",
        "*",
        "_",
        "~",
        "#",
        "|",
        "-",
        "+",
        "=",
        "1.",
        "\\",
        "&lt;",
        "&#60;",
        "\n",
        "\r",
        " ",
        ":",
    ),
    *(
        "<b>",
        "<!--",
        "-->",
        "<script>",
        "![x](y)",
        "[x]: y",
        "[^1]",
        "***",
        "---",
        "===",
        "```",
        "$",
        "{",
        "a",
        ".",
        "@",
    ),
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_markdown_makes_only_text(text: str) -> None:
    shown = neutral.inline(text)
    assert "\n" not in shown
    html = cmarkgfm.github_flavored_markdown_to_html(f"x {shown}", options=Options.CMARK_OPT_UNSAFE)
    tags = set(re.findall(r"<(/?\w+)", html))
    assert tags <= {"p", "/p"}, (text, shown, html)
    said = re.sub(r"<!-- -->|</?p>", "", html)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        said = said.replace(entity, character)
    assert said.strip() == f"x {' '.join(text.split())}".strip()


def test_a_persona_of_evil_is_only_text(evil: Persona) -> None:
    html = cmarkgfm.github_flavored_markdown_to_html(
        export([("a", evil)], "markdown").decode(), options=Options.CMARK_OPT_UNSAFE
    )
    assert set(re.findall(r"<(\w+)", html)) <= {"h1", "h2", "p", "ul", "li", "br", "blockquote"}
