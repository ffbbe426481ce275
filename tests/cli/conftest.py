"""A command line run in this process or in one of its own, in an empty project, on any of the places."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from persona.cli import app
from persona.config.schema import LocalSettings, StorageSettings
from persona.config.secret import Secret
from tests.serving import Server

ROOT = Path(__file__).parents[2]
RESEARCH = ROOT / "examples" / "research"
SURVEY = RESEARCH / "survey.csv"
_KEPT = "PERSONA_TEST_SECRET_"
HEADER = "Respondent,Age,What annoys you most?,What do you want?\n"


@dataclass(frozen=True)
class Ran:
    """What a command line gave: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def failed(self) -> str:
        """The message of an error that is told as it should be: once, with a hint, without a traceback."""
        assert self.code
        assert self.err.startswith("Error: "), self.err
        assert "\n  → " in self.err, self.err
        assert "Traceback" not in self.err
        return self.err


Run = Callable[..., Ran]
Configure = Callable[..., Path]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: an empty project. No credentials are found, nor looked for on the network."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    for name in [name for name in os.environ if name.startswith(_KEPT)]:
        del os.environ[name]


@pytest.fixture
def persona(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command line in this process."""

    def run(*arguments: str) -> Ran:
        code = app.run(arguments)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def process(project: Path) -> Callable[..., subprocess.Popen[str]]:
    """A function that starts a command line in a process of its own."""

    def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
        chosen: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": project} | options
        return subprocess.Popen([sys.executable, "-m", "persona", *arguments], text=True, **chosen)

    return start


@pytest.fixture
def configure(home: Path) -> Configure:
    """A function that writes settings as a persona.yaml, the user's unless told otherwise; secrets go beside it."""

    def write(settings: StorageSettings, file: Path | None = None) -> Path:
        file = file or home / "persona.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)
        file.write_text(json.dumps({"storage": written(settings)}), "utf-8")
        return file

    return write


def secrets_of(settings: StorageSettings) -> dict[str, str]:
    """Return the secrets of the section of the backend."""
    section = getattr(settings, settings.backend)
    values = {item.name: getattr(section, item.name) for item in fields(section)}
    return {name: value.reveal() for name, value in values.items() if isinstance(value, Secret)}


def variable(name: str, secret: str) -> str:
    """Return the variable that a test keeps a secret in."""
    return f"{_KEPT}{name.upper()}_{sha256(secret.encode()).hexdigest()[:8]}"


def written(settings: StorageSettings) -> dict[str, Any]:
    """Return settings as a file has them: the section of the backend, what is set in it, secrets in the environment."""
    section = getattr(settings, settings.backend)
    values = {item.name: getattr(section, item.name) for item in fields(section)}
    secrets = secrets_of(settings)
    kept = {name: f"env:{variable(name, secret)}" for name, secret in secrets.items()}
    os.environ.update({variable(name, secret): secret for name, secret in secrets.items()})
    plain = {name: kept.get(name, value) for name, value in values.items() if value}
    return {
        "backend": settings.backend,
        settings.backend: plain | {n: str(v) for n, v in plain.items() if isinstance(v, Path)},
    }


@pytest.fixture
def place(running: Callable[[str], Server], tmp_path: Path) -> Callable[[str], StorageSettings]:
    """A function that gives the settings of a fresh place on this disk or on a server."""

    def settings(name: str, prefix: str = "team/research") -> StorageSettings:
        if name == "local":
            return StorageSettings(local=LocalSettings(path=tmp_path / "root"))
        server = running(name)
        return server.settings(server.make_bucket(f"cli-{secrets.token_hex(6)}"), prefix)

    return settings


def changed(settings: StorageSettings, **changes: object) -> StorageSettings:
    """Return settings in which the section of the backend differs."""
    section = replace(getattr(settings, settings.backend), **changes)
    return replace(settings, **{settings.backend: section})


def small_input(folder: Path, name: str = "input.csv", people: int = 12) -> Path:
    """Write a small survey, and return it."""
    rows = [
        (
            f"P{i},25-34,The prices are too high for me,Lower prices"
            if i % 2
            else f"P{i},55-64,The text is small,Larger text"
        )
        for i in range(people)
    ]
    file = folder / name
    file.write_text(HEADER + "\n".join(rows) + "\n", "utf-8")
    return file


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, with its content."""
    return {
        str(Path(base, name).relative_to(folder)): Path(base, name).read_bytes()
        for base, _, names in os.walk(folder)
        for name in names
    }
