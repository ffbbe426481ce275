from __future__ import annotations

import csv
import errno
import io
import json
import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from persona import neutral
from persona.errors import AccessDeniedError, InputError, NotFoundError, PersonaError, StorageFullError
from persona.personas import document
from persona.personas.export import CSV_COLUMNS, Entry, export
from persona.personas.generate.provider import Generated
from persona.personas.local_file import write_file


@pytest.fixture
def entries(examples: Generated) -> list[Entry]:
    return [(f"personas/{persona.id}.yaml", persona) for persona in examples.personas]


def test_yaml_is_a_stream_of_personas_by_path(entries: list[Entry]) -> None:
    documents = list(YAML(typ="safe").load_all(export(entries, "yaml")))
    assert [found["id"] for found in documents] == sorted(persona.id for _, persona in entries)
    assert document.read("p", export(entries[:1], "yaml").removeprefix(b"---\n")) == entries[0][1]


def test_json_holds_the_whole_persona(entries: list[Entry]) -> None:
    found = json.loads(export(entries, "json"))
    assert found["personas"][0] == document.plain(sorted(entries)[0][1])
    assert json.loads(export([], "json")) == {"personas": []}


def test_csv_has_a_row_a_statement(entries: list[Entry]) -> None:
    rows = list(csv.reader(io.StringIO(export(entries, "csv").decode(), newline="")))
    assert rows[0] == list(CSV_COLUMNS)
    answers = sum(len(each.shares) for _, p in entries for each in p.demographics)
    assert len(rows) == 1 + answers + sum(len(p.statements()) + len(p.quotes) for _, p in entries)
    assert {len(row) for row in rows} == {len(CSV_COLUMNS)}
    assert {row[5] for row in rows[1:]} >= {
        "pain_points",
        "behaviours",
        "sets_apart",
        "themes",
        "demographics",
        "quotes",
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_cells_are_no_formulas(entries: list[Entry], start: str) -> None:
    assert neutral.cell(f"{start}1+1") == f"'{start}1+1".replace("\r", "\\r")
    assert neutral.cell("a=1") == "a=1"
    path, persona = entries[0]
    evil = persona.model_copy(update={"title": f"{start}HYPERLINK()"})
    for row in csv.reader(io.StringIO(export([(path, evil)], "csv").decode(), newline="")):
        assert row[2] in ("title", f"'{start}HYPERLINK()".replace("\r", "\\r"))


def test_markdown_shows_markup_as_it_is(entries: list[Entry]) -> None:
    path, persona = entries[0]
    quote = persona.quotes[0].model_copy(update={"quote": "<script>*x*</script> [a](b) | `c`\n# d"})
    text = export([(path, persona.model_copy(update={"quotes": [quote]}))], "markdown").decode()
    assert "> \\<script\\>\\*x\\*\\</script\\> \\[a\\](b) \\| \\`c\\` \\# d" in text
    assert text.startswith(f"# {persona.name}: ")
    for heading in (
        "Behaviours",
        "What sets them apart",
        "In their own words",
        "Who they are",
        "Quotes",
        "Coverage",
    ):
        assert f"\n## {heading}\n" in text
    assert neutral.inline("- a") == "\\- a"
    assert neutral.inline("1. a") == "1\\. a"


def test_unknown_format(entries: list[Entry]) -> None:
    with pytest.raises(InputError, match="no format “xml”"):
        export(entries, "xml")


def test_write_file_replaces_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.md"
    write_file(target, b"one")
    write_file(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]


def test_write_file_refuses_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        write_file(tmp_path, b"x")
    with pytest.raises(NotFoundError, match="There is no folder"):
        write_file(tmp_path / "missing" / "out.md", b"x")


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StorageFullError), (errno.EACCES, AccessDeniedError), (errno.EIO, InputError)],
)
def test_write_file_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[PersonaError]
) -> None:
    target = tmp_path / "out.md"
    target.write_bytes(b"before")

    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind, match="cannot be written"):
        write_file(target, b"after")
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]
