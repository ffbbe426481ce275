"""A home, a project folder and a clean environment for every test of the configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.cli import app


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return PERSONA_HOME, which is not made yet; the current folder is an empty project."""
    for name in list(os.environ):
        if name.startswith("PERSONA_") or name == "STORAGE_EMULATOR_HOST":
            monkeypatch.delenv(name)
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("PERSONA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the project's folder."""
    return tmp_path / "project"


@pytest.fixture
def write() -> Callable[[Path, str], Path]:
    """Return a function that writes a file, and the folders above it."""

    def write_file(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write_file


class Ran:
    """What a command line gave: its exit code, and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def persona(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Return a function that runs a command line; ``config`` stands for ``storage config``."""
    monkeypatch.setitem(app.cli.lazy, "config", ("persona.cli.storage_config:config", ""))

    def run(*arguments: str) -> Ran:
        code = app.run(arguments)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run
