"""The global options, before and after every command; and errors as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from persona.cli import app
from persona.cli.streams import HANDLER, register
from persona.config.schema import LocalSettings, S3Settings, StorageSettings
from tests.cli.conftest import Configure, Run, small_input

OPTIONS = ("--json", "--verbose", "--quiet", "--workspace", "--config")
SHOWING = (
    ["storage", "status"],
    ["storage", "stats"],
    ["storage", "list"],
    ["storage", "config", "show"],
    ["storage", "config", "test"],
    ["workspace", "list"],
    ["workspace", "current"],
    ["list", "/"],
    ["export", "/"],
)


def commands(group: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield every command and group, by its words."""
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, *path, name)


def test_every_command_has_the_global_options_in_its_help(persona: Run) -> None:
    found = list(commands(app.cli))
    assert len(found) >= 18
    for path in found:
        ran = persona(*path, "--help")
        assert ran.code == 0
        for option in OPTIONS:
            assert option in ran.out, path
    assert "130  paused or interrupted" in persona("--help").out


@pytest.mark.parametrize("command", SHOWING, ids=" ".join)
def test_json_before_between_and_after(persona: Run, command: list[str]) -> None:
    documents = []
    for words in (["--json", *command], [*command, "--json"], [command[0], "--json", *command[1:]]):
        ran = persona(*words)
        assert (ran.code, ran.err) == (0, "")
        documents.append(set(ran.json))
    assert documents[0] == documents[1] == documents[2]


def test_workspace_and_config_before_and_after(
    persona: Run, project: Path, tmp_path: Path, configure: Configure
) -> None:
    assert persona("workspace", "create", "team").code == 0
    team = persona("--workspace", "team", "storage", "status", "--json").json["location"]
    assert team.endswith("/workspaces/team/data/")
    assert persona("storage", "status", "--json", "--workspace", "team").json["location"] == team
    assert persona("storage", "--workspace", "team", "status", "--json").json["location"] == team
    other = configure(StorageSettings(local=LocalSettings(path=tmp_path / "other")), project / "other.yaml")
    for words in (["--config", str(other), "storage", "status"], ["storage", "status", "--config", str(other)]):
        assert persona(*words, "--json").json["location"].endswith("/other/")


def test_quiet_and_verbose(persona: Run, project: Path) -> None:
    small_input(project)
    loud = persona("generate", "input.csv", "--verbose")
    assert loud.code == 0
    for words in (["--quiet", "export", "--output", "out"], ["export", "--output", "out", "--quiet"]):
        ran = persona(*words)
        assert (ran.code, ran.out, ran.err) == (0, "", "")
    missing = persona("--quiet", "storage", "list", "a//b")
    assert missing.code == 2
    assert missing.err.startswith("Error: ")
    assert re.fullmatch(
        r"Wrote \d personas? from file://\S+/personas to out\.\n", persona("export", "--output", "out").err
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["storage", "status", "--bogus"], 2),
        (["storage", "bogus"], 2),
        (["export", "--format", "xml"], 2),
        (["generate"], 2),
        (["generate", "nowhere.csv"], 5),
        (["list", "nothing"], 5),
        (["list", "../x"], 2),
        (["storage", "list", "../x"], 2),
        (["list", "\udcff"], 2),
        (["show", "no/such"], 5),
        (["storage", "status", "--workspace", "nope"], 5),
        (["storage", "status", "--config", "no.yaml"], 3),
        (["storage", "config", "set", "backend", "s4"], 3),
    ],
)
def test_an_error_is_one_document_too(persona: Run, arguments: list[str], code: int) -> None:
    for words in (["--json", *arguments], [*arguments, "--json"]):
        ran = persona(*words)
        assert ran.code == code
        assert set(ran.json) == {"error"}
        assert set(ran.json["error"]) == {"message", "hint", "exit_code"}
        assert ran.json["error"]["exit_code"] == code
        assert ran.json["error"]["message"] in ran.failed
    plain = persona(*arguments)
    assert (plain.code, plain.out) == (code, "")


@pytest.mark.parametrize("command", ["status", "stats", "config test"])
def test_quiet_says_why_the_exit_code_is_not_zero(
    persona: Run, configure: Configure, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret")
    configure(StorageSettings(backend="s3", s3=S3Settings(bucket="b", endpoint_url="http://127.0.0.1:9")))
    ran = persona("storage", *command.split(), "--quiet")
    assert ran.code == 7
    assert ran.err.startswith("Error: ")
    assert "127.0.0.1:9" in ran.err
    assert "Error" not in persona("storage", *command.split()).err


def test_what_an_encoding_lacks_is_written_in_ascii() -> None:
    register()
    text = "✅ “Zoë” → 2 ═ █░ … – 🙂\udcff"
    assert text.encode("ascii", HANDLER) == b'[ok] "Zo\\xeb" -> 2 = #. ... - \\U0001f642\\udcff'
    assert "ë “".encode("latin-1", HANDLER) == b'\xeb "'
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", HANDLER)
