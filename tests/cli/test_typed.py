"""Where a path lies that a user types, which Unicode form it means, and which format a file's name asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from persona.config.schema import LocalSettings, StorageSettings
from tests.cli.conftest import Configure, Run, files_below, small_input

NFC, NFD = "Zo\u00eb", "Zoe\u0308"


@pytest.fixture
def root(tmp_path: Path, configure: Configure) -> Path:
    """The storage: a folder of this machine, apart from the current one."""
    configure(StorageSettings(local=LocalSettings(path=tmp_path / "store")))
    return tmp_path / "store"


def objects(persona: Run, *prefix: str) -> list[str]:
    """Return the paths of the objects."""
    return [row["path"] for row in persona("storage", "list", "--json", *prefix).json["objects"]]


def test_a_path_of_the_storage_is_spelled_without_a_machine(persona: Run, root: Path, project: Path) -> None:
    small_input(project)
    for number, path in enumerate(("./team/", "team", "storage:team", "./~/team", "~$team")):
        ran = persona("generate", "./input.csv", "--output", path, "--overwrite")
        assert ran.code == 0, ran.err
        assert f"Location: file://{root}/{('team', 'team', 'team', '~/team', '~$team')[number]}\n" in ran.out
        listed = persona("list", path, "--json").json["personas"]
        assert listed
        shown = persona("show", path, listed[0]["id"])
        assert f"Location: file://{root}/{listed[0]['path']}" in shown.out
        ran = persona("export", path, "--output", "./out.json")
        assert f"from file://{root}/" in ran.err
    assert {path.split("/")[0] for path in files_below(root)} == {"team", "~", "~$team", ".persona"}
    assert {path.name for path in project.iterdir()} == {"input.csv", "out.json"}


@pytest.mark.parametrize("spelling", ["/home/other/work", "~/work", "~", "{home}/work", "{here}/work", "../work", ".."])
def test_a_path_of_this_machine_is_refused_with_both_spellings(
    persona: Run, root: Path, project: Path, tmp_path: Path, spelling: str
) -> None:
    path = spelling.format(home=tmp_path, here=project)  # a shell has expanded ~ in the first
    meant = {"/home/other/work": "home/other/work/", "~": "personas/", "..": "personas/"}.get(spelling, "work/")
    local = Path(path.replace("~", str(tmp_path)))
    local = (project / local).resolve()
    small_input(project)
    for words in (
        ["generate", "input.csv", "--output", path],
        ["list", path],
        ["show", path, "leslie"],
        ["show", f"{path}/leslie"],
        ["export", path],
        ["storage", "list", path],
        ["storage", "cache", "warm", path],
    ):
        ran = persona(*words)
        assert ran.code == 2, words
        assert path in ran.failed
        assert "In the storage: " in ran.failed
        assert "persona storage sync --" in ran.failed
        assert local.as_uri() in ran.failed
        assert "leslie" in ran.failed or f"In the storage: {meant}." in ran.failed
    assert not root.exists()


def test_urls_are_no_paths_of_the_storage(persona: Run, root: Path, project: Path) -> None:
    small_input(project)
    for words in (
        ["generate", "input.csv", "--output", "s3://b/x"],
        ["list", "file:///x"],
        ["storage", "list", "gs://b"],
    ):
        assert "storage URL" in persona(*words).failed
    assert not root.exists()


def test_where_a_path_of_sync_lies(persona: Run, root: Path, project: Path, tmp_path: Path) -> None:
    (project / "mine").mkdir()
    (project / "mine" / "a.txt").write_text("mine")
    (root / "mine").mkdir(parents=True)
    (root / "mine" / "a.txt").write_text("the storage's")
    targets = {
        "./1": project / "1",
        "../2": tmp_path / "2",
        "~/3": tmp_path / "3",
        f"{tmp_path}/4": tmp_path / "4",
        f"file://{tmp_path}/5": tmp_path / "5",
        "6/x": root / "6" / "x",
        "storage:7/x": root / "7" / "x",
        "storage:~/8": root / "~" / "8",
        "storage:": root,
    }
    for target, place in targets.items():
        ran = persona("storage", "sync", "--from", "./mine", "--to", target, "--json")
        assert ran.code == 0, (target, ran.err)
        assert (place / "a.txt").read_text() == "mine", target
        assert Path(ran.json["destination"].removeprefix("file://")) == place
    for source in ("storage:mine", "mine", "./mine"):
        assert persona("storage", "sync", "--from", source, "--to", "../from").code == 0
        assert (tmp_path / "from" / "a.txt").read_text() == ("mine" if source == "./mine" else "the storage's")
    (project / "~mine").mkdir()
    assert persona("storage", "sync", "--from", "./~mine", "--to", "storage:10").code == 0
    for target in ("storage:/x", "storage:../x", "", "s3:/bucket/x", "file:x", "FILE:/x"):
        assert persona("storage", "sync", "--from", "./mine", "--to", target).code == 2, target
    assert persona("storage", "sync", "--from", "./mine", "--to", "storage:s3:/x").code == 0
    assert "reserved" in persona("storage", "sync", "--from", "./mine", "--to", "storage:.persona-x").failed
    for source in ("./nowhere", "storage:nowhere", "nowhere", "~nobody-of-this-name/x"):
        ran = persona("storage", "sync", "--from", source, "--to", "./9")
        assert ran.code == 5, ran.err
        assert "./" in ran.failed or "storage:" in ran.failed
    assert not (project / "9").exists()


def test_a_home_that_nobody_has(persona: Run, root: Path) -> None:
    for words in (["generate", "~nobody-of-this-name/x.csv"], ["export", "--output", "~nobody-of-this-name/x"]):
        assert persona(*words).code == 2
        assert "unknown user" in persona(*words).failed


def test_a_name_is_taken_in_its_other_form_if_only_that_is_there(persona: Run, root: Path, project: Path) -> None:
    small_input(project)
    for stored, typed in ((NFD, NFC), (f"{NFC}/a", f"{NFD}/a")):
        assert persona("generate", "input.csv", "--output", stored).code == 0
        found = persona("list", stored, "--json")
        assert found.err == ""
        first = found.json["personas"][0]
        for words in (
            ["list", typed],
            ["export", typed],
            ["storage", "list", typed],
            ["show", typed, first["id"]],
            ["show", f"{typed}/{first['id']}.yaml"],
            ["show", f"{typed}/{first['id']}"],
        ):
            ran = persona(*words)
            assert ran.code == 0, (words, ran.err)
            assert ran.err.count("was taken as") == 1, words
            same = persona(*[word.replace(typed, stored) for word in words])
            assert (same.out, same.err) == (ran.out, "")
        ran = persona("storage", "sync", "--from", typed, "--to", f"../copy-{len(stored)}", "--json")
        assert ran.code == 0
        assert "was taken as" in ran.err
        assert ran.json["objects"]["copied"] == len(found.json["personas"]) + 1  # and the record
        assert persona("storage", "sync", "--from", f"{typed}/{NFD}", "--to", "../none").code == 5
    (root / NFC / "leslie.yaml").write_text("exactly this")  # what was typed comes first
    (root / NFD / "leslie.yaml").write_text("another")
    assert objects(persona, NFC)[-1] == f"{NFC}/leslie.yaml"
    assert objects(persona, NFD)[0].startswith(NFD)
    assert objects(persona, f"no-{NFC}") == []


def test_a_local_folder_is_taken_in_its_other_form(persona: Run, root: Path, project: Path) -> None:
    (project / NFD).mkdir()
    (project / NFD / "a").write_text("x")
    ran = persona("storage", "sync", "--from", f"./{NFC}", "--to", "in", "--json")
    assert ran.code == 0
    assert "was taken as" in ran.err
    assert objects(persona) == ["in/a"]


def test_a_pattern_matches_in_any_form(persona: Run, root: Path, project: Path) -> None:
    folder = project / "mixed"
    folder.mkdir()
    for name in (f"{NFC}.md", f"{NFD}.txt", "other.txt"):
        (folder / name).write_text("x")
    for number, form in enumerate((NFC, NFD)):
        assert persona("storage", "sync", "--from", "./mixed", "--to", f"{number}", "--include", f"{form}*").code == 0
        assert objects(persona, f"{number}") == [f"{number}/{NFD}.txt", f"{number}/{NFC}.md"]


def test_an_export_has_the_format_of_its_ending(persona: Run, root: Path, project: Path) -> None:
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    endings = {"yaml": "yaml", "yml": "yaml", "json": "json", "md": "markdown", "markdown": "markdown", "CSV": "csv"}
    for ending, name in endings.items():
        assert persona("export", "--output", f"out.{ending}").code == 0
        assert persona("export", "--output", "expected", "--format", name).code == 0
        assert (project / f"out.{ending}").read_bytes() == (project / "expected").read_bytes(), ending
    ran = persona("export", "--output", "out.xlsx")
    assert ran.code == 2
    for name in ("yaml", "json", "markdown", "csv"):
        assert name in ran.failed
    assert not (project / "out.xlsx").exists()
    assert persona("export", "--output", "out.xlsx", "--format", "csv").code == 0
    assert json.loads(persona("export", "--output", "out.md", "--format", "json", "--json").out)["format"] == "json"
    assert json.loads((project / "out.md").read_text())["personas"]
    assert persona("export", "--output", "no-ending").code == 0
    assert (project / "no-ending").read_bytes() == (project / "out.yaml").read_bytes() == persona("export").out.encode()
