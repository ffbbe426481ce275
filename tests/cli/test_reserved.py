"""What Persona keeps for itself is no persona, no export, no input and no statistic; copies of one id are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from persona.config.schema import StorageSettings
from tests.cli.conftest import Configure, Run, files_below, small_input

RESERVED = (".persona-backup/20260101-000000-0000/personas", "personas/.persona-conflicts", "personas/.persona-mine")


def first(root: Path) -> tuple[str, bytes]:
    """Return the file name of the library's first persona, and its content."""
    file = min((root / "personas").glob("*.yaml"))
    return file.name, file.read_bytes()


@pytest.fixture
def root(
    persona: Run, project: Path, configure: Configure, place: Callable[[str], StorageSettings], tmp_path: Path
) -> Path:
    """A library in a folder, copies of its first persona under reserved names, and the folder's root."""
    configure(place("local"))
    small_input(project)
    assert persona("generate", "input.csv", "--count", "2").code == 0
    root = tmp_path / "root"
    name, data = first(root)
    for folder in RESERVED:
        (root / folder).mkdir(parents=True)
        (root / folder / name).write_bytes(data)
    return root


def test_reserved_names_are_left_out_and_counted(persona: Run, root: Path) -> None:
    own = "Warning: Left out: personas/.persona-mine. Names that begin with “.persona-” are reserved for Persona.\n"
    listed = persona("list", "/", "--json")
    assert (listed.code, listed.err) == (0, own)
    assert [row["path"].count("/") for row in listed.json["personas"]] == [1, 1]
    exported = persona("--quiet", "export", "--json")
    assert (exported.code, exported.err, exported.json["personas"]) == (0, own, 2)
    assert set(exported.json) == {"format", "personas", "content"}

    size = sum(len(data) for name, data in files_below(root).items() if ".persona-" in name)
    for command in ("status", "stats"):
        counted = persona("storage", command, "--json")
        assert (counted.code, counted.err, counted.json["objects"]) == (0, own, 3)
        assert counted.json["reserved"] == {"objects": 3, "bytes": size, "names": ["personas/.persona-mine"]}
    assert "  Reserved for Persona, not counted: 3 (" in persona("storage", "stats").out
    detailed = persona("storage", "stats", "--detailed", "--json").json
    assert [row["name"] for row in detailed["by_prefix"]] == ["personas/"]

    rows = persona("storage", "list", "--json").json
    assert len(rows["objects"]) == 3  # and the record of the run
    assert rows["reserved"]["objects"] == 3
    assert "Not shown: 3 reserved for Persona. Name their folder: .persona-backup/\n" in persona("storage", "list").out


def test_a_reserved_folder_that_is_named_is_looked_at(persona: Run, root: Path) -> None:
    assert len(persona("storage", "list", ".persona-backup", "--json").json["objects"]) == 1
    (kept,) = persona("list", RESERVED[0], "--json").json["personas"]
    assert persona("show", kept["path"], "--json").json["id"] == kept["id"]
    assert persona("show", "personas", f".persona-mine/{kept['id']}").code == 5
    refused = persona("generate", "input.csv", "--output", "personas/.persona-mine")
    assert refused.code == 2
    assert "is no place for a library. Names that begin with “.persona-” are reserved" in refused.failed


def test_reserved_names_of_another_storage_are_no_input(persona: Run, root: Path, project: Path) -> None:
    study = project / "study"
    for folder in (study, study / ".persona-backup"):
        folder.mkdir()
        small_input(folder)
    made = persona("generate", study.as_uri(), "--output", "again", "--json")
    assert made.json["respondents"] == 12


def test_generate_keeps_what_it_replaces(persona: Run, root: Path) -> None:
    name, old = first(root)
    (root / "personas" / name).write_bytes(b"edited by hand")
    made = persona("generate", "input.csv", "--count", "2", "--overwrite", "--json").json
    backup = Path(made["backup"].removeprefix("file://"))
    assert backup.parent == root / ".persona-backup"
    assert files_below(backup) == {f"personas/{name}": b"edited by hand"}
    assert (root / "personas" / name).read_bytes() == old
    assert "backup" not in persona("generate", "input.csv", "--count", "2", "--overwrite", "--json").json
    (root / "personas" / name).write_bytes(b"edited again")
    assert "Old contents kept in: file://" in persona("generate", "input.csv", "--count", "2", "--overwrite").out


@pytest.mark.parametrize(
    "ending", [" (conflicted copy 2026-01-02)", ".sync-conflict-20260102-030405-ABCDEFG", "-LAPTOP"]
)
def test_several_files_of_one_id_are_told(persona: Run, root: Path, ending: str) -> None:
    name, data = first(root)
    key = name.removesuffix(".yaml")
    (root / "personas" / f"{key}{ending}.yaml").write_bytes(data)
    paths = sorted([f"personas/{key}.yaml", f"personas/{key}{ending}.yaml"])
    told = f"Warning: 2 files have the id “{key}”: {', '.join(paths)}\n  → Compare them and keep one.\n"
    for command in (["list"], ["export"]):
        ran = persona("--json", *command)
        assert ran.code == 0
        assert told in ran.err
        assert ran.json["duplicates"] == [{"id": key, "paths": paths}]
    shown = persona("--quiet", "show", "personas", key)
    assert shown.code == 0
    assert f"Warning: 2 files have the id “{key}”: personas/{key}.yaml, personas/{key}{ending}.yaml\n" in shown.err
