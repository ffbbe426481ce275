"""Secrets that are kept elsewhere: fetched when first needed, once, and never shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest

from persona.config import fetch
from persona.config.load import load
from persona.config.places import place_of
from persona.config.schema import AzureSettings, StorageSettings
from persona.config.secret import Reference, Secret
from persona.errors import ConfigError, CredentialsError, PersonaError
from tests.config.keyrings import Forgetful, JsonKeyring, Locked

Write = Callable[[Path, str], Path]
Use = Callable[[type[JsonKeyring]], None]
CANARY = "CANARY-7f3a-secret"


@pytest.fixture(autouse=True)
def nothing_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_found", {})


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Use]:
    monkeypatch.setenv("PERSONA_TEST_KEYRING", str(tmp_path / "keyring.json"))
    before = keyring.get_keyring()
    yield lambda backend: keyring.set_keyring(backend())
    keyring.set_keyring(before)


def program(folder: Path, text: str) -> str:
    """Write a program, and return the command line that runs it."""
    file = folder / "give secret.py"
    file.write_text(text)
    return f"'{sys.executable}' '{file}'"


def secret_of(text: str, folder: Path, write: Write) -> Secret:
    file = write(folder / "persona.yaml", f"storage:\n  azure:\n    account_key: {text}\n")
    found = load([file], environ={}).settings.storage.azure.account_key
    assert found is not None
    return found


def test_each_kind_gives_its_secret(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, use: Use) -> None:
    use(JsonKeyring)
    keyring.set_password("persona", "team/key", f"{CANARY}-1")
    monkeypatch.setenv("TEAM_KEY", f"{CANARY}-2")
    write(tmp_path / "conf/keys/team", f"{CANARY}-3\r\n")
    line = program(tmp_path, f"import sys\nprint('{CANARY}-4')\nprint('more')\nprint('noise', file=sys.stderr)")
    kinds = ("keyring:team/key", "env:TEAM_KEY", "file:keys/team", f'"command:{line}"')
    for number, text in enumerate(kinds, 1):
        found = secret_of(text, tmp_path / "conf", write)
        assert isinstance(found, Reference)
        assert found.reveal() == f"{CANARY}-{number}"
        assert CANARY not in f"{found}{found!r}"


def test_a_program_and_a_keyring_are_asked_once(tmp_path: Path, write: Write, use: Use) -> None:
    line = program(tmp_path, f"open('{tmp_path}/runs', 'a').write('x'); print('{CANARY}')")
    for _ in range(3):
        assert secret_of(f'"command:{line}"', tmp_path, write).reveal() == CANARY
    assert (tmp_path / "runs").read_text() == "x"
    use(JsonKeyring)
    keyring.set_password("persona", "a", CANARY)
    assert Reference("keyring", "a").reveal() == CANARY
    keyring.set_password("persona", "a", "another")
    assert Reference("keyring", "a").reveal() == CANARY


FAILURES: dict[str, tuple[str, str, type[PersonaError], str]] = {
    "env": ("env:NOT_THERE", "", CredentialsError, "NOT_THERE"),
    "no file": ("file:{folder}/none", "", ConfigError, "cannot be read: No such file"),
    "a folder": ("file:{folder}", "", ConfigError, "cannot be read: Is a directory"),
    "NUL": ("file:a\x00b", "", ConfigError, "no path"),
    "a large file": ("file:{folder}/large", "", ConfigError, "larger than 64 KiB"),
    "two lines": ("file:{folder}/lines", "", CredentialsError, "line break"),
    "an empty file": ("file:{folder}/empty", "", CredentialsError, "is empty"),
    "bytes": ("file:{folder}/bytes", "", ConfigError, "not UTF-8"),
    "a program that fails": ("", f"import sys; print('{CANARY}', file=sys.stderr); sys.exit(9)", ConfigError, "code 9"),
    "silent": ("", "", CredentialsError, "is empty"),
    "a program of bytes": ("", "import sys; sys.stdout.buffer.write(b'\\xff')", ConfigError, "not UTF-8"),
    "a slow program": ("", "import time; time.sleep(60)", ConfigError, "longer than 0.7 seconds"),
    "a slow grandchild": (
        "",
        "import subprocess; subprocess.Popen(['sleep', '3'])",
        ConfigError,
        "longer than 0.7 seconds",
    ),
    "endless": ("", f"print('{CANARY}' * 9000)\nwhile True: print('x' * 9000)", ConfigError, "failed with exit code"),
    "no program": ("command:/no/such/program", "", ConfigError, "cannot be run: No such file"),
    "quotes": ("command:echo 'a", "", ConfigError, "quotes do not match"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_names_the_place_and_not_the_content(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "COMMAND_SECONDS", 0.7)
    text, code, kind, words = FAILURES[case]
    (tmp_path / "large").write_text(CANARY * 9000)
    (tmp_path / "lines").write_text(f"{CANARY}\n{CANARY}\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(CANARY.encode() + b"\xff")
    text = text.format(folder=tmp_path) or f"command:{program(tmp_path, code)}"
    with pytest.raises(kind, match=words) as caught:
        Reference(*text.split(":", 1)).reveal()
    said = f"{caught.value}{caught.value.hint}"
    assert caught.value.hint
    assert text.partition(":")[2].split("\x00")[0][:10] in said
    if not code:
        assert CANARY not in said


@pytest.mark.parametrize(("backend", "words"), [(JsonKeyring, "has no “a” of"), (Locked, "be used .LookupError")])
def test_a_keyring_that_does_not_have_it(backend: type[JsonKeyring], words: str, use: Use) -> None:
    use(backend)
    with pytest.raises(PersonaError, match=words) as caught:
        Reference("keyring", "a").reveal()
    assert "CANARY" not in f"{caught.value}{caught.value.hint}"


def test_a_keyring_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="ModuleNotFoundError") as caught:
        Reference("keyring", "a").reveal()
    assert "persona[encrypt]" in caught.value.hint


@pytest.mark.parametrize("text", ['"env:"', "'command:'", '"file:  "'])
def test_a_reference_to_nothing_is_refused(text: str, tmp_path: Path, write: Write) -> None:
    with pytest.raises(ConfigError, match="what is meant after"):
        secret_of(text, tmp_path, write)


def test_what_only_looks_like_a_reference_is_a_secret(tmp_path: Path, write: Write) -> None:
    for text in ("'vault:x'", "AccountKey", "'environment:X'", "'a:env:X'"):
        assert type(secret_of(text, tmp_path, write)) is Secret


def test_show_names_it_and_fetches_nothing(persona: Any, home: Path, write: Write, tmp_path: Path) -> None:
    line = program(tmp_path, f"open('{tmp_path}/ran', 'w')")
    secrets = f'connection_string: "command:{line}", account_key: "keyring:k"'
    settings = f"azure: {{account: a, container: c, prefix: p/q, {secrets}}}"
    write(home / "persona.yaml", f"storage:\n  backend: azure\n  {settings}\n")
    ran = persona("config", "show")
    assert ran.code == 0
    assert "keyring:k " in ran.out
    assert persona("config", "show", "--json").json["values"]["storage.azure.account_key"]["value"] == "keyring:k"
    for command in ("create x", "list", "use x", "current"):
        assert persona("workspace", *command.split()).code == 0
    assert not (tmp_path / "ran").exists()


def test_a_place_does_not_depend_on_whether_its_secret_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRING", "AccountName=acc;AccountKey=abcd")
    string = Reference("env", "STRING")
    named = AzureSettings(container="c", account="acc", connection_string=string)
    plain = AzureSettings(container="c", connection_string=Secret("AccountName=acc;AccountKey=abcd"))
    unnamed = AzureSettings(container="c", connection_string=string)
    places = [place_of(StorageSettings(backend="azure", azure=azure), {}) for azure in (named, plain, unnamed)]
    assert places[0] == places[1] != places[2]
    string.reveal()
    assert place_of(StorageSettings(backend="azure", azure=unnamed), {}) == places[2]


def test_a_forgetful_keyring_is_found_out(use: Use) -> None:
    from persona.config import keyrings

    use(Forgetful)
    with pytest.raises(ConfigError, match="does not keep"):
        keyrings.keep("a", CANARY)
    use(JsonKeyring)
    names = [
        keyrings.keep("a", "one"),
        keyrings.keep("a", "one"),
        keyrings.keep("a", "two"),
        keyrings.keep("a", "3", "a"),
    ]
    assert names == ["a", "a", "a-2", "a"]
    assert keyring.get_password("persona", "a") == "3"
