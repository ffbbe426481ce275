from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from persona.cli.app import run
from persona.cli.session import Session
from persona.config.schema import LocalSettings, StorageSettings
from persona.personas.generate.provider import Generated
from persona.personas.library import save
from persona.personas.model import Persona
from persona.personas.sources.read import read_path
from persona.personas.survey.understand import understand
from tests.personas.conftest import RESEARCH, real_survey
from tests.personas.memory import MemoryBackend


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> MemoryBackend:
    """The workspace's storage, in memory."""
    backend = MemoryBackend()

    def with_storage(session: Session, work: Callable[[MemoryBackend], Awaitable[Any]]) -> Any:
        return asyncio.run(work(backend))  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "with_storage", with_storage)
    return backend


@pytest.fixture
def library(storage: MemoryBackend, examples: Generated) -> MemoryBackend:
    asyncio.run(save(storage, "personas", examples.personas))
    return storage


def test_generate_shows_where_who_and_what_was_left_out(
    storage: MemoryBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(RESEARCH), "--output", "./team/", "--name-prefix", "Customer"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Generated Personas\n═════")
    assert "Location: memory://team\n" in out
    assert "Coverage: 97 % (65 respondents are in a group)" in out
    assert "Read: 67 respondents\nQuestions: " in out
    assert out.index("\nGroups: 4, ") < out.index("\nName ")
    assert "Customer " in out
    assert "are in no group" in out
    assert {path for path in storage.objects if not path.startswith("team/customer-")} == {"team/run.yaml"}


def test_generate_json(storage: MemoryBackend, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "generate", str(RESEARCH), "--count", "4", "--seed", "3"]) == 0
    shown = json.loads(capsys.readouterr().out)
    names = {"personas", "respondents", "coverage", "rows", "questions", "structure", "warnings"}
    names |= {"notes", "location", "run"}
    assert set(shown) == names
    assert shown["rows"] == {"read": 67, "left_out": 0, "reasons": {}}
    assert set(shown["structure"]) == {"found", "kind", "z", "split_half"}
    assert sum(shown["questions"].values()) == len(understand(read_path(RESEARCH)).questions)
    assert len(shown["personas"]) == 4
    assert set(shown["personas"][0]) == {"id", "name", "title", "path", "respondents", "share"}
    assert shown["respondents"] == 67
    assert shown["location"] == "memory://personas"
    assert ["personas/run.yaml", *(found["path"] for found in shown["personas"])] == list(storage.objects)


def test_generate_twice_needs_overwrite(library: MemoryBackend, capsys: pytest.CaptureFixture[str]) -> None:
    before = dict(library.objects)
    assert run(["generate", str(RESEARCH)]) == 6
    assert "--overwrite" in capsys.readouterr().err
    assert library.objects == before
    assert run(["generate", str(RESEARCH), "--overwrite", "--quiet"]) == 0
    written = {path: data for path, (data, _, _) in library.objects.items() if path != "personas/run.yaml"}
    assert written == {path: data for path, (data, _, _) in before.items()}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["generate", "/nowhere.csv"], 5),
        (["generate", str(RESEARCH), "--count", "0"], 2),
        (["generate", str(RESEARCH), "--provider", "oracle"], 2),
        (["generate", str(RESEARCH), "--output", "a/../b"], 2),
        (["generate"], 2),
        (["export", "--format", "xml"], 2),
    ],
)
def test_wrong_use_opens_no_storage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    def refuse(session: Session, work: object) -> None:
        raise AssertionError("the storage was opened")

    monkeypatch.setattr(Session, "with_storage", refuse)
    assert run(arguments) == code
    assert capsys.readouterr().err.startswith("Error: ")


def test_more_personas_than_respondents_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", str(RESEARCH), "--count", "1000"]) == 2
    assert capsys.readouterr().err.startswith("Error: ")


def test_generate_from_a_storage_url(
    storage: MemoryBackend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from persona.storage import stack

    source = MemoryBackend("s3://bucket/")
    source.put("study/survey.csv", (RESEARCH / "survey.csv").read_bytes())
    asked: list[str] = []

    def open_url(url: str, settings: object) -> tuple[MemoryBackend, str]:
        asked.append(url)
        return source, "study"

    class Nowhere:
        name = "default"
        folder = home = tmp_path

        class settings:  # noqa: N801 - stands for an attribute
            storage = StorageSettings(local=LocalSettings(path=tmp_path))

    monkeypatch.setattr(stack, "open_url", open_url, raising=False)
    monkeypatch.setattr(Session, "workspace", Nowhere)
    assert run(["generate", "s3://bucket/study", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["respondents"] == 52
    assert asked == ["s3://bucket/study"]
    assert source.closed


def test_list(library: MemoryBackend, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {"personas"}
    assert [set(found) for found in shown["personas"]] == [{"id", "name", "title", "path"}] * 4
    assert run(["list", "./personas/"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Personas\n═════")
    assert "Location: memory://personas\nPersonas: 4\n\nID" in out


def test_list_of_an_incomplete_library(library: MemoryBackend, capsys: pytest.CaptureFixture[str]) -> None:
    library.put("personas/other.yaml", b"a: 1")
    assert run(["list", "--json"]) == 1
    captured = capsys.readouterr()
    shown = json.loads(captured.out)
    assert len(shown["personas"]) == 4
    assert shown["refused"] == [
        {
            "path": "personas/other.yaml",
            "reason": "personas/other.yaml is not a persona: it has no schema_version.",
        }
    ]
    assert "Not read: personas/other.yaml" in captured.err


def test_list_of_an_empty_storage(storage: MemoryBackend, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "/", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"personas": []}
    assert run(["list", "/"]) == 0
    assert "Personas: 0" in capsys.readouterr().out
    assert run(["list", "team"]) == 5


def test_show(library: MemoryBackend, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(iter(library.objects))
    assert run(["show", path]) == 0
    by_path = capsys.readouterr().out
    assert run(["show", "personas", path.split("/")[1].removesuffix(".yaml")]) == 0
    assert capsys.readouterr().out == by_path
    assert f"Location: memory://{path}\n" in by_path
    for heading in ("Behaviours:", "What sets them apart:", "In their own words:", "Who they are:", "Quotes:"):
        assert f"\n{heading}\n" in by_path
    assert "; rest " in by_path
    assert "; defining)" in by_path
    assert run(["show", path, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("path") == path
    assert Persona.model_validate(shown).id == shown["id"]
    assert run(["show", "personas/nobody"]) == 5


def test_export_to_stdout_and_to_a_file(
    library: MemoryBackend, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    for format_name in ("yaml", "json", "markdown", "csv"):
        assert run(["export", "./personas/", "--format", format_name]) == 0
        shown = capsysbinary.readouterr().out
        target = tmp_path / f"out.{format_name}"
        assert run(["export", "--format", format_name, "--output", str(target)]) == 0
        captured = capsysbinary.readouterr()
        assert captured.out == b""
        assert b"Wrote 4 personas" in captured.err
        assert target.read_bytes() == shown
    assert run(["export", "--output", str(tmp_path / "missing" / "x")]) == 5


def test_export_json_is_one_document(
    library: MemoryBackend, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["export", "--format", "csv", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["personas"] == 4
    assert len(list(csv.reader(io.StringIO(shown["content"], newline="")))) > 40
    assert run(["export", "--json", "--output", str(tmp_path / "x")]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == str(tmp_path / "x")
    library.put("personas/other.yaml", b"a: 1")
    assert run(["export", "--output", str(tmp_path / "y"), "--quiet"]) == 1


def test_a_real_survey_gives_personas(storage: MemoryBackend, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", str(real_survey()), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert 1 <= len(shown["personas"]) <= 8
    assert all(found["share"] >= 0.04 for found in shown["personas"])


def test_answers_of_which_nothing_can_be_said(
    library: MemoryBackend, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """No answer is that of a half of the respondents: an empty run takes nothing of an earlier one away."""
    table = "id,a,b\n" + "".join(f"P{i},{'klmnop'[i % 6]},{'uvwxyz'[i // 6 % 6]}\n" for i in range(36))
    (tmp_path / "a.csv").write_text(table)
    before = dict(library.objects)
    assert run(["generate", str(tmp_path / "a.csv"), "--replace"]) == 2
    assert "No persona can be made of these 36 respondents" in capsys.readouterr().err
    assert library.objects == before
