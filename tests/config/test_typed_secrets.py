"""Secrets at a terminal: never shown as they are typed, and not asked for in vain; the ids of keys kept elsewhere."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest

from persona.config import fetch, trust
from persona.credentials import aws
from persona.errors import CredentialsError
from persona.redaction import redacted
from persona.workspace import resolve
from tests.config.keyrings import JsonKeyring, Locked

Write = Callable[[Path, str], Path]
CANARY = "CANARY-9b2e-typed"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def entries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """A keyring of the test's own, also for processes; returns what is in it."""
    file = tmp_path / "keyring.json"
    monkeypatch.setenv("PERSONA_TEST_KEYRING", str(file))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.config.keyrings.JsonKeyring")
    monkeypatch.setattr(fetch, "_found", {})
    before = keyring.get_keyring()
    keyring.set_keyring(JsonKeyring())  # type: ignore[no-untyped-call]
    yield lambda: json.loads(file.read_text()) if file.exists() else {}
    keyring.set_keyring(before)


def at_terminal(*line: str, typed: str) -> tuple[int, str]:
    """Run a command at a terminal of its own, type a line when it asks, and return its exit code and all it shows."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        os.execve(sys.executable, [sys.executable, "-m", "persona", *line], os.environ | {"PYTHONPATH": path})
    shown, asked = b"", False
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            data = b""
        if not data:
            break
        shown += data
        if b"not shown" in shown and not asked:
            asked = True
            os.write(terminal, f"{typed}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal of POSIX")
def test_what_is_typed_is_not_shown(home: Path, entries: Callable[[], dict[str, str]]) -> None:
    for number, line in enumerate((["s3.secret_access_key"], ["azure.account_key", "-"])):
        code, shown = at_terminal("storage", "config", "set", *line, typed=f"{CANARY}-{number}")
        assert code == 0, shown
        assert f"storage.{line[0]} (not shown)" in shown
        assert CANARY not in shown
        assert entries()[f"persona/default/{line[0]}"] == f"{CANARY}-{number}"
        assert f"keyring:default/{line[0]}" in (home / "persona.yaml").read_text()
    line = ["--backend", "s3", "--set", "s3.bucket=b-b", "--set", "s3.session_token=-"]
    code, shown = at_terminal("workspace", "create", "team", *line, typed=CANARY)
    assert code == 0, shown
    assert CANARY not in shown
    assert entries()["persona/team/s3.session_token"] == CANARY


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal of POSIX")
def test_nothing_is_asked_that_could_not_be_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.config.keyrings.Locked")
    for line in (["s3.secret_access_key"], ["s3.secret_access_key", "-"]):
        code, shown = at_terminal("storage", "config", "set", *line, typed=CANARY)
        assert code == 3
        assert "not shown" not in shown
        assert "There is no keyring to keep storage.s3.secret_access_key in" in shown
    assert not (home / "persona.yaml").exists()
    code, shown = at_terminal("storage", "config", "set", "s3.secret_access_key", "--plain", typed=CANARY)
    assert code == 0
    assert CANARY not in shown
    assert CANARY in (home / "persona.yaml").read_text()


def test_what_the_keyring_has_is_not_asked_for(
    persona: Any, home: Path, write: Write, entries: Callable[[], dict[str, str]]
) -> None:
    keyring.set_password("persona", "default/s3.secret_access_key", CANARY)
    ran = persona("config", "set", "s3.secret_access_key")
    assert ran.code == 0, ran.err
    assert "the secret is in the keyring, as “default/s3.secret_access_key”" in ran.out
    assert "keyring:default/s3.secret_access_key" in (home / "persona.yaml").read_text()
    again = persona("config", "set", "s3.secret_access_key")  # the file says so already: another one is meant
    assert again.code == 2
    assert "no terminal to ask on" in again.err
    assert entries() == {"persona/default/s3.secret_access_key": CANARY}


def test_no_value_and_no_secret(persona: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (["backend"], ["azure.account_key"]):
        ran = persona("config", "set", *line)
        assert ran.code == 2
        assert f"There is no value for storage.{line[0]}" in ran.err
    keyring.set_keyring(Locked())  # type: ignore[no-untyped-call]
    assert persona("config", "set", "azure.account_key").code == 3
    monkeypatch.setattr(sys, "stdin", io.StringIO("gcs\n"))
    assert persona("config", "set", "backend", "-").code == 0


# The ids of keys


def keys_of(home: Path, write: Write, reference: str) -> aws.AWSKeys:
    text = f"storage: {{s3: {{access_key_id: '{reference}', secret_access_key: {CANARY}, region: eu-west-2}}}}"
    write(home / "persona.yaml", text).chmod(0o600)
    found = aws.find(resolve().settings.storage.s3)
    assert found is not None
    return found.current()


def test_an_access_key_id_is_kept_elsewhere(
    persona: Any, home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY_ID", "AKIAENVIRONMENT0")
    keyring.set_password("persona", "id", "AKIAKEYRING00000")
    write(home / "id.txt", "AKIAFILE00000000\n")
    write(home / "give.py", "print('AKIAPROGRAM00000')\n")
    expected = {
        "env:MY_KEY_ID": "AKIAENVIRONMENT0",
        "keyring:id": "AKIAKEYRING00000",
        "file:id.txt": "AKIAFILE00000000",
        f"command:{sys.executable} {home}/give.py": "AKIAPROGRAM00000",
        "AKIALITERAL00000": "AKIALITERAL00000",
    }
    for reference, value in expected.items():
        assert keys_of(home, write, reference).access_key_id == value
        shown = persona("config", "show", "--json").json["values"]["storage.s3.access_key_id"]["value"]
        assert shown.startswith(reference.partition(":")[0])
        assert shown in persona("config", "show").out
        assert redacted(f"access key {value}") == f"access key {value}"  # no secret: `config test` names it
    with pytest.raises(CredentialsError, match="The variable NOT_THERE"):
        keys_of(home, write, "env:NOT_THERE")
    assert "what is meant after env:" in persona("config", "set", "s3.access_key_id", "env:").err


def test_a_projects_reference_for_an_id_needs_approval(
    persona: Any, project: Path, write: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reference, words in {"command:/bin/false": "run the program", "file:../id": "read the file"}.items():
        write(project / "persona.yaml", json.dumps({"storage": {"s3": {"access_key_id": reference}}}))
        ran = persona("storage", "outbox", "list")
        assert ran.code == 3
        assert words in ran.err
    s3 = {"access_key_id": "env:ID", "secret_access_key": CANARY, "endpoint_url": "https://e.example"}
    write(project / "persona.yaml", json.dumps({"storage": {"s3": s3}}))
    assert "send your credentials" in persona("storage", "outbox", "list").err
    assert trust.trusted(home) == {}


def test_a_relative_file_means_the_current_folder(persona: Any, project: Path, home: Path) -> None:
    assert persona("config", "set", "s3.access_key_id", "file:id.txt", "--scope", "user").code == 0
    assert f"file:{project}/id.txt" in (home / "persona.yaml").read_text()
