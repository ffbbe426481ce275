"""``storage config`` and ``workspace`` as a user meets them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from persona.config import reference
from persona.config.schema import keys

from .conftest import Ran

Run = Callable[..., Ran]
Write = Callable[[Path, str], Path]
SECRET = "hunter2-Zk9"


def test_show_lists_every_value_and_its_source(
    persona: Run, home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(home / "persona.yaml", f"storage:\n  azure:\n    account_key: {SECRET}\n")
    monkeypatch.setenv("PERSONA_STORAGE__CACHE__MAX_SIZE", "64MiB")
    ran = persona("config", "show")
    assert ran.code == 0
    assert ran.out.startswith("Storage Configuration\n═")
    rows = {parts[0]: parts[1:] for line in ran.out.splitlines() if (parts := line.split())}
    assert set(keys()) <= set(rows)
    assert rows["storage.cache.max_size"] == ["64MiB", "environment", "PERSONA_STORAGE__CACHE__MAX_SIZE"]
    assert rows["storage.azure.account_key"] == ["••••", "(set)", f"{file}:3"]
    assert rows["storage.azure.sas_token"] == ["–", "default"]
    document = persona("config", "show", "--json")
    assert document.json["values"]["storage.cache.max_size"]["value"] == 64 * 2**20
    assert document.json["values"]["storage.azure.account_key"] == {"value": "••••", "source": f"{file}:3"}
    assert document.json["values"]["storage.local.path"] == {"value": str(home / "data"), "source": "default"}
    assert (document.json["workspace"], document.json["home"]) == ("default", str(home))
    assert document.json["files"] == [str(file)]
    assert SECRET not in ran.out + ran.err + document.out + document.err


def test_a_broken_file_is_one_clear_error(persona: Run, project: Path, write: Write) -> None:
    write(project / "persona.yaml", "storage: {backend: s4}")
    ran = persona("config", "show", "--json")
    assert ran.code == 3
    assert "found “s4”" in ran.json["error"]["message"]
    assert "Traceback" not in ran.err


def test_set_chooses_the_file(persona: Run, home: Path, project: Path) -> None:
    assert persona("config", "set", "backend", "s3").out == f"Set storage.backend in {home / 'persona.yaml'}\n"
    assert persona("workspace", "create", "team", "--set", "s3.bucket=b").code == 0
    own = home / "workspaces/team/persona.yaml"
    ran = persona("--workspace", "team", "config", "set", "s3.region", "eu", "--json")
    assert ran.json == {
        "key": "storage.s3.region",
        "file": str(own),
        "effective": True,
        "overridden_by": None,
        "keyring": None,
    }
    assert persona("config", "set", "cache.ttl", "5m", "--scope", "project").code == 0
    file = project / "persona.yaml"
    assert file.read_text() == "storage:\n  cache:\n    ttl: 5m\n"
    assert f"in {file}" in persona("--workspace", "team", "config", "set", "cache.ttl", "6m").out
    ran = persona("config", "set", "cache.ttl", "7m", "--scope", "user")
    assert f"storage.cache.ttl stays as it was here: {file}:3 stands above" in ran.err
    ran = persona("--workspace", "team", "config", "set", "s3.region", "us", "--scope", "workspace")
    assert f"in {own}" in ran.out
    ran = persona("config", "set", "s3.region", "us", "--scope", "workspace")
    assert ran.code == 2
    assert "--scope user" in ran.err
    assert persona("--config", str(project / "no.yaml"), "config", "set", "backend", "s3").code == 3


def test_set_warns_of_a_variable_above(persona: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_STORAGE__BACKEND", "gcs")
    ran = persona("config", "set", "backend", "s3", "--json")
    assert ran.json["overridden_by"] == "environment PERSONA_STORAGE__BACKEND"
    assert not ran.json["effective"]
    assert "PERSONA_STORAGE__BACKEND stands above" in ran.err


@pytest.mark.parametrize(("key", "value"), [("backend", "s4"), ("bakend", "s3"), ("cache.ttl", "1")])
def test_set_refuses_what_is_wrong(persona: Run, home: Path, key: str, value: str) -> None:
    ran = persona("config", "set", key, value)
    assert ran.code == 3
    assert "found" in ran.err
    assert not (home / "persona.yaml").exists()


def test_secrets_from_stdin_and_in_sight(
    persona: Run, home: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\r\n"))
    ran = persona("config", "set", "azure.account_key", "-", "--plain")
    assert (ran.code, ran.err) == (0, "")
    assert SECRET in (home / "persona.yaml").read_text()
    ran = persona("config", "set", "azure.sas_token", SECRET, "--scope", "project", "--plain")
    assert "typed in sight" in ran.err
    assert "may be shared" in ran.err
    assert SECRET not in ran.out + ran.err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), "utf-8"))
    assert persona("config", "set", "azure.account_key", "-").code == 2


def test_set_warns_when_places_meet(persona: Run, home: Path) -> None:
    persona("workspace", "create", "team", "--backend", "s3", "--set", "s3.bucket=b")
    persona("config", "set", "backend", "s3")
    ran = persona("config", "set", "s3.bucket", "b")
    assert ran.code == 0
    assert "“default” and “team” would share" in ran.err
    assert "would share" in persona("config", "show").err
    assert persona("config", "set", "s3.prefix", "d").err == ""


def test_a_path_means_what_it_means_where_it_is_typed(persona: Run, home: Path, project: Path) -> None:
    persona("config", "set", "local.path", "data")
    shown = persona("config", "show", "--json").json["values"]["storage.local.path"]
    assert shown["value"] == str(project / "data")


def test_the_life_of_a_workspace(persona: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = home / "workspaces/team/data"
    made = persona("workspace", "create", "team", "--json")
    file = str(home / "workspaces/team/persona.yaml")
    row = {"name": "team", "file": file, "backend": "local", "location": str(data), "error": None}
    assert made.json == {**row, "current": False}
    assert persona("workspace", "create", "team").code == 6
    assert persona("workspace", "current").out == "default\n"
    assert persona("workspace", "use", "team", "--json").json == {"name": "team"}
    assert persona("workspace", "current", "--json").json == {
        **row,
        "current": True,
        "chosen_by": "workspace use",
    }
    rows = persona("workspace", "list", "--json").json["workspaces"]
    assert [(r["name"], r["current"]) for r in rows] == [("default", False), ("team", True)]
    listed = persona("workspace", "list").out.splitlines()
    assert listed[-1].split() == ["*", "team", "local", str(data)]
    monkeypatch.setenv("PERSONA_WORKSPACE", "team")
    assert "PERSONA_WORKSPACE is set" in persona("workspace", "use", "default").err
    assert persona("workspace", "current", "--json").json["chosen_by"] == "PERSONA_WORKSPACE"
    assert persona("--workspace", "default", "workspace", "current").out == "default\n"
    monkeypatch.delenv("PERSONA_WORKSPACE")
    refused = persona("workspace", "delete", "team")
    assert refused.code == 2
    assert "--yes" in refused.err
    data.mkdir()
    (data / "kept").write_text("")
    gone = persona("workspace", "delete", "team", "--yes", "--json")
    assert gone.json == {"deleted": "team", "location": str(data), "current": "default"}
    assert persona("workspace", "delete", "team", "--yes").code == 5
    assert persona("workspace", "delete", "default", "--yes").code == 2
    again = persona("workspace", "create", "team")
    assert "already holds files" in again.err
    assert "Created the workspace “team” on local" in again.out


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130)])
def test_delete_asks_on_a_terminal(persona: Run, monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    persona("workspace", "create", "team", "--backend", "s3")
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    ran = persona("workspace", "delete", "team")
    assert ran.code == code
    assert ("did not say where its objects are" in ran.out) == (code == 0)


def test_create_refuses_what_is_wrong(persona: Run) -> None:
    assert persona("workspace", "create", "a", "--set", "s3.bucket").code == 2
    assert persona("workspace", "create", "a", "--set", "s3.buket=x").code == 3
    assert persona("workspace", "create", "a", "--backend", "ftp").code == 2
    assert persona("workspace", "create", "A").code == 2
    ran = persona("workspace", "create", "a", "--set", f"s3.secret_access_key={SECRET}")
    assert ran.code == 3  # there is no keyring
    assert "no keyring" in ran.err
    assert "typed in sight" in ran.err
    assert SECRET not in ran.out + ran.err


def test_list_shows_a_broken_workspace(persona: Run, home: Path, write: Write) -> None:
    write(home / "workspaces/bad/persona.yaml", "storage: [")
    ran = persona("workspace", "list")
    assert ran.code == 0
    assert "not valid YAML" in ran.out
    assert persona("workspace", "current", "--workspace", "nope").code == 5


def test_use_warns_where_a_project_pins_the_place(persona: Run, project: Path, write: Write, tmp_path: Path) -> None:
    persona("workspace", "create", "team")
    write(project / "persona.yaml", f"storage: {{local: {{path: {tmp_path}/pinned}}}}")
    ran = persona("workspace", "use", "team")
    assert ran.code == 0
    assert "would share their objects" in ran.err


def test_the_reference_is_up_to_date(tmp_path: Path) -> None:
    document = Path(__file__).parents[2] / "docs/configuration.md"
    text = document.read_text("utf-8")
    assert reference.filled(text) == text, "run python -m persona.config.reference"
    for key in keys():
        assert f"`{key.rpartition('.')[2]}`" in text
    copy = tmp_path / "copy.md"
    copy.write_text(f"a {reference.BEGIN} old {reference.END} b", "utf-8")
    reference.main([str(copy)])
    assert copy.read_text("utf-8").startswith(f"a {reference.BEGIN}\n\n### `storage`")
    with pytest.raises(ValueError, match="no markers"):
        reference.filled("nothing")
