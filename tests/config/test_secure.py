"""Secrets that stand in a file: said, refused if git has them, and moved into the keyring."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest

from persona.config import exposure, fetch
from persona.workspace import resolve
from tests.config.keyrings import Forgetful, JsonKeyring, Locked

Write = Callable[[Path, str], Path]
CANARY = "CANARY-7f3a-secret"
AZURE = f"""# ours
storage:
  backend: azure
  azure:
    container: personas  # the team's
    account: acc
    account_key: {CANARY}  # of the old account
"""


@pytest.fixture(autouse=True)
def entries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """A keyring of the test's own; returns what is in it."""
    file = tmp_path / "keyring.json"
    monkeypatch.setenv("PERSONA_TEST_KEYRING", str(file))
    monkeypatch.setattr(fetch, "_found", {})
    before = keyring.get_keyring()
    use(JsonKeyring)
    yield lambda: json.loads(file.read_text()) if file.exists() else {}
    keyring.set_keyring(before)


def use(backend: type[JsonKeyring]) -> None:
    keyring.set_keyring(backend())


def git(folder: Path, *arguments: str) -> None:
    program = shutil.which("git")
    assert program
    subprocess.run([program, *arguments], cwd=folder, check=True, capture_output=True)


def test_one_warning_names_the_keys_and_the_way_out(persona: Any, home: Path, write: Write) -> None:
    write(home / "persona.yaml", AZURE).chmod(0o600)
    ran = persona("storage", "outbox", "list")
    assert ran.code == 0
    assert ran.err.count("Warning") == 1
    assert "storage.azure.account_key stands in" in ran.err
    assert "“persona storage config secure --scope user”" in ran.err
    assert CANARY not in ran.err
    assert persona("storage", "outbox", "list", "--quiet").err == ""
    assert persona("config", "show").err == ""


def test_no_warning_of_variables_and_references(
    persona: Any, home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / "persona.yaml", AZURE.replace(CANARY, "env:KEY"))
    monkeypatch.setenv("PERSONA_STORAGE__AZURE__SAS_TOKEN", f"sig={CANARY}")
    assert persona("storage", "outbox", "list").err == ""


def test_others_who_may_read_it_are_mentioned(persona: Any, project: Path, write: Write) -> None:
    file = write(project / "persona.yaml", AZURE)
    file.chmod(0o644)
    said = persona("storage", "outbox", "list").err
    assert "others on this machine may read" in said
    assert f"chmod 600 {file}" in said
    assert "--scope project" in said


def test_a_file_that_git_tracks_is_refused(persona: Any, project: Path, write: Write) -> None:
    file = write(project / "persona.yaml", AZURE)
    git(project, "init", "-q")
    assert persona("storage", "outbox", "list").code == 0
    git(project, "add", "persona.yaml")
    ran = persona("storage", "outbox", "list")
    assert ran.code == 3
    for words in (str(file), "git tracks it", "git rm --cached", "config secure --scope project", "revoked"):
        assert words in ran.err
    assert CANARY not in ran.err
    assert persona("config", "secure", "--scope", "project").code == 0
    assert persona("storage", "outbox", "list").err == ""


def test_git_runs_nothing_of_the_repository(project: Path, write: Write, tmp_path: Path) -> None:
    write(project / "persona.yaml", AZURE)
    git(project, "init", "-q")
    git(project, "add", "persona.yaml")
    hook = write(tmp_path / "hook", f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o700)
    git(project, "config", "core.fsmonitor", str(hook))
    git(project, "status")
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    with pytest.raises(Exception, match="git tracks it"):
        resolve()
    assert not (tmp_path / "ran").exists()


def test_without_git_or_if_it_is_slow(
    persona: Any, project: Path, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "persona.yaml", AZURE)
    git(project, "init", "-q")
    git(project, "add", "persona.yaml")
    slow = write(tmp_path / "bin/git", "#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o700)
    monkeypatch.setattr(exposure, "GIT_SECONDS", 0.2)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{slow.parent}:/usr/bin:/bin")
        assert persona("storage", "outbox", "list").code == 0
        patched.setenv("PATH", str(tmp_path))
        assert persona("storage", "outbox", "list").code == 0


WRAPPED = "persona:\n" + "".join(f"  {line}\n" for line in AZURE.splitlines())


@pytest.mark.parametrize("text", [AZURE, WRAPPED], ids=["at the top", "below persona"])
def test_secure_moves_it_and_leaves_the_rest(
    persona: Any, home: Path, write: Write, entries: Callable[[], dict[str, str]], text: str
) -> None:
    file = write(home / "persona.yaml", text)
    ran = persona("config", "secure", "--json")
    name = "default/azure.account_key"
    assert ran.json == {"file": str(file), "moved": [{"key": "storage.azure.account_key", "keyring": name}]}
    assert file.read_text() == text.replace(CANARY, f"keyring:{name}")
    assert entries() == {f"persona/{name}": CANARY}
    key = resolve().settings.storage.azure.account_key
    assert key is not None
    assert key.reveal() == CANARY
    assert persona("storage", "outbox", "list").err == ""
    assert persona("config", "secure").out == f"No secret stands in {file}.\n"


def test_two_projects_of_one_workspace_have_entries_of_their_own(
    persona: Any, tmp_path: Path, write: Write, entries: Callable[[], dict[str, str]]
) -> None:
    for project in ("a", "b"):
        file = write(tmp_path / project / "persona.yaml", AZURE.replace(CANARY, f"{CANARY}-{project}"))
        assert persona("--config", str(file), "config", "secure").code == 0
        kept = resolve(config_file=file).settings.storage.azure.account_key
        assert kept is not None
        assert kept.reveal() == f"{CANARY}-{project}"
    assert len(entries()) == 2


@pytest.mark.parametrize(
    "string",
    [
        f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={CANARY};EndpointSuffix=core.windows.net",
        f"AccountName=acc;AccountKey={CANARY};EndpointSuffix=core.chinacloudapi.cn",
        f"AccountName=acc;AccountKey={CANARY};BlobEndpoint=http://127.0.0.1:10000/acc",
        f"BlobEndpoint=https://acc.blob.core.windows.net;SharedAccessSignature=sv=1&sig={CANARY}",
    ],
)
def test_a_connection_string_leaves_the_place_where_it_is(persona: Any, home: Path, write: Write, string: str) -> None:
    write(
        home / "persona.yaml", f"storage: {{backend: azure, azure: {{container: c, connection_string: '{string}'}}}}\n"
    )
    before = resolve().place
    assert persona("config", "secure").code == 0
    after = resolve()
    assert after.place == before
    assert CANARY not in (home / "persona.yaml").read_text()
    assert after.settings.storage.azure.connection_string is not None
    assert after.settings.storage.azure.connection_string.reveal() == string


@pytest.mark.parametrize("backend", [Locked, Forgetful, None])
def test_without_a_keyring_the_file_stays(
    persona: Any, home: Path, write: Write, backend: type[JsonKeyring] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend:
        use(backend)
    else:
        monkeypatch.setitem(sys.modules, "keyring", None)
    file = write(home / "persona.yaml", AZURE)
    ran = persona("config", "secure")
    assert ran.code == 3
    assert "keyring" in ran.err
    assert "CANARY" not in ran.err
    assert file.read_text() == AZURE


def test_set_puts_a_secret_into_the_keyring(
    persona: Any, home: Path, entries: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for secret in (CANARY, f"{CANARY}-new"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{secret}\n"))
        ran = persona("config", "set", "azure.account_key", "-")
        assert ran.code == 0
        assert "the secret is in the keyring, as “default/azure.account_key”" in ran.out
        assert entries() == {"persona/default/azure.account_key": secret}
    assert "account_key: keyring:default/azure.account_key\n" in (home / "persona.yaml").read_text()
    ran = persona("config", "set", "azure.account_key", "null", "--json")
    assert ran.json["keyring"] is None


def test_set_writes_a_reference_as_it_is(persona: Any, home: Path, project: Path) -> None:
    for given, written in (
        ("env:KEY", "env:KEY"),
        ("file:key.txt", f"file:{project}/key.txt"),
        ("file:~/k", "file:~/k"),
    ):
        ran = persona("config", "set", "azure.account_key", given)
        assert (ran.code, ran.err) == (0, "")
        assert f"account_key: {written}\n" in (home / "persona.yaml").read_text()


def test_set_without_a_keyring(persona: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    ran = persona("config", "set", "azure.account_key", CANARY)
    assert ran.code == 3
    assert "--plain" in ran.err
    assert not (home / "persona.yaml").exists()
    assert persona("config", "set", "azure.account_key", CANARY, "--plain").code == 0
    assert CANARY in (home / "persona.yaml").read_text()


def test_a_new_workspace_keeps_its_secret_there(
    persona: Any, home: Path, entries: Callable[[], dict[str, str]]
) -> None:
    assert persona("workspace", "create", "team", "--set", f"s3.secret_access_key={CANARY}").code == 0
    assert entries() == {"persona/team/s3.secret_access_key": CANARY}
    assert CANARY not in (home / "workspaces/team/persona.yaml").read_text()
