"""What ``persona inspect`` shows and writes, and ``persona generate`` obeys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from persona.cli.app import run
from tests.personas.conftest import RESEARCH
from tests.personas.memory import MemoryBackend
from tests.personas.test_cli import storage as storage

SURVEY = str(RESEARCH / "survey.csv")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERSONA_HOME", str(tmp_path / "home"))


def test_inspect_shows_what_each_question_is_used_for_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", SURVEY]) == 0
    out = capsys.readouterr().out
    assert "Read: 52 respondents\nQuestions: " in out
    block = out.split("\n\n")[[each.split("\n")[0] for each in out.split("\n\n")].index("Which features do you use?")]
    why = "several choices in a cell, with a semicolon between them"
    assert block.splitlines()[1:3] == ["  multiple, 45 answers", f"  Use: drive ({why})"]
    assert block.splitlines()[3].startswith("  Options: Live cost | Budget alerts | ")


def test_inspect_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", SURVEY, "--json", "--write", "c.yaml"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {"input", "respondents", "rows", "weighted", "questions", "notes", "written"}
    features = next(each for each in shown["questions"] if each["question"] == "Which features do you use?")
    assert set(features) == {
        "question", "label", "kind", "options", "answers", "missing", "columns", "section", "sensitive", "use", "why",
    }  # fmt: skip
    assert (features["kind"], features["use"], features["answers"]) == ("multiple", "drive", 45)
    assert any("order" in each for each in shown["questions"])


def test_a_codebook_is_never_written_over_another_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["inspect", SURVEY, "--write", "c.yaml"]) == 0
    written = Path("c.yaml").read_bytes()
    Path("c.yaml").write_text("mine")
    assert run(["inspect", SURVEY, "--write", "c.yaml"]) == 6
    assert "--overwrite" in capsys.readouterr().err
    assert Path("c.yaml").read_text() == "mine"
    Path("dangling").symlink_to("nowhere")
    assert run(["inspect", SURVEY, "--write", "dangling"]) == 6
    assert run(["inspect", SURVEY, "--write", "c.yaml", "--overwrite"]) == 0
    assert Path("c.yaml").read_bytes() == written
    assert sorted(each.name for each in tmp_path.iterdir() if not each.is_dir()) == ["c.yaml", "dangling"]
    assert run(["inspect", SURVEY, "--write", "missing/c.yaml"]) == 5
    assert run(["inspect", SURVEY, "--overwrite"]) == 2
    capsys.readouterr()
    assert run(["inspect", SURVEY, "--write", "-"]) == 0
    assert capsys.readouterr().out.encode() == written


def test_generate_obeys_the_codebook_and_an_unchanged_one_changes_nothing(
    storage: MemoryBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", SURVEY, "--write", "c.yaml"]) == 0
    assert run(["generate", SURVEY, "--output", "one"]) == 0
    assert run(["generate", SURVEY, "--output", "two", "--codebook", "c.yaml"]) == 0
    personas = {path: data for path, (data, _, _) in storage.objects.items() if not path.endswith("run.yaml")}
    assert {path.removeprefix("one/"): data for path, data in personas.items() if path.startswith("one/")} == {
        path.removeprefix("two/"): data for path, data in personas.items() if path.startswith("two/")
    }
    Path("c.yaml").write_text("codebook: 1\nquestions:\n- {question: Which features do you use?, use: ignore}\n")
    capsys.readouterr()
    assert run(["generate", SURVEY, "--output", "three", "--codebook", "c.yaml", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "Changed by the codebook: “Which features do you use?” (use)." in shown["notes"]
    made = {path: data for path, (data, *_) in storage.objects.items() if path.startswith("three/")}
    three = b"".join(data for path, data in made.items() if path != "three/run.yaml")
    assert three
    assert b"Which features do you use?" not in three


@pytest.mark.parametrize("command", ["inspect", "generate"])
def test_a_wrong_codebook_is_refused_before_anything_is_written(
    storage: MemoryBackend, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.yaml").write_text("codebook: 1\nquestions:\n- {question: Age, kind: scal}\n- {question: Aeg}\n")
    assert run([command, SURVEY, "--codebook", "c.yaml"]) == 2
    said = capsys.readouterr().err
    assert "c.yaml:3: kind of “Age”: found “scal”, allowed" in said
    assert "c.yaml:4: question: found “Aeg”, allowed a question of the input; did you mean “Age”?" in said
    assert run([command, SURVEY, "--codebook", "nowhere.yaml"]) == 2
    assert run([command, SURVEY, "--codebook", "."]) == 2
    assert storage.objects == {}


def test_a_codebook_that_others_may_write_is_obeyed_only_when_it_is_approved(
    storage: MemoryBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", SURVEY, "--write", "c.yaml"]) == 0
    Path("c.yaml").chmod(0o666)
    assert run(["inspect", SURVEY, "--codebook", "c.yaml"]) == 3
    assert "persona trust" in capsys.readouterr().err
    assert run(["trust", "c.yaml"]) == 2  # there is no terminal to ask on
    assert "it is a codebook" in capsys.readouterr().err
    assert run(["trust", "c.yaml", "--yes"]) == 0
    assert run(["inspect", SURVEY, "--codebook", "c.yaml"]) == 0
    Path("c.yaml").write_bytes(Path("c.yaml").read_bytes() + b"# changed\n")
    assert run(["generate", SURVEY, "--codebook", "c.yaml"]) == 3
    assert storage.objects == {}


def test_an_unknown_field_of_by_offers_what_is_like_it(
    storage: MemoryBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", SURVEY, "--by", "Agee"]) == 2
    said = capsys.readouterr().err
    assert "no question “Agee”" in said
    assert "Did you mean “Age”?" in said
    assert run(["generate", SURVEY, "--by", "Age", "--count", "3"]) == 2
    assert storage.objects == {}
