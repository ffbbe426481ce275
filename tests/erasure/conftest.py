"""A library with its research data, in any place, with a respondent in it who is to be erased."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from persona.config.schema import StorageSettings
from persona.personas import document
from persona.personas.generate.provider import Options, generate
from persona.personas.sources.read import read_path
from persona.personas.survey.understand import understand
from persona.storage.backend import StorageBackend
from persona.storage.stack import open_storage
from tests.cli.conftest import RESEARCH, configure, persona, place, process, project

__all__ = ["configure", "persona", "place", "process", "project"]
T = TypeVar("T")
SUBJECT = "E08"
OTHER = "E09"
SAID = "a sentence that only this respondent ever wrote"


def on(settings: StorageSettings, work: Callable[[StorageBackend], Coroutine[Any, Any, T]]) -> T:
    """Do something with the bare storage of a place."""

    async def run() -> T:
        storage = open_storage(settings)
        try:
            return await work(storage)
        finally:
            await storage.close()

    return asyncio.run(run())


def put(settings: StorageSettings, contents: Mapping[str, bytes]) -> None:
    """Write objects."""

    async def work(storage: StorageBackend) -> None:
        for path, data in contents.items():
            await storage.write(path, data)

    on(settings, work)


def contents(settings: StorageSettings) -> dict[str, bytes]:
    """Return all objects with their content."""

    async def work(storage: StorageBackend) -> dict[str, bytes]:
        return {found.path: await storage.read(found.path) for found in await storage.list("")}

    return on(settings, work)


@pytest.fixture(scope="session")
def personas() -> dict[str, bytes]:
    """The personas of the examples, as a library has them."""
    made = generate(understand(read_path(RESEARCH)), Options(seed=7))
    return {f"personas/{each.id}.yaml": document.write(each) for each in made.personas}


@pytest.fixture
def library(personas: dict[str, bytes]) -> dict[str, bytes]:
    """A library, its research data in all kinds, and an old copy that a migration has kept."""
    table = (RESEARCH / "survey.csv").read_bytes()
    return {
        **personas,
        "research/survey.csv": table,
        "research/diary.jsonl": b'{"id": "E08", "said": "%s"}\n{"id": "E09", "said": "x"}\n' % SAID.encode(),
        "research/calls.json": b'[{"participant": {"id": "E08"}, "notes": "n"}, {"participant": {"id": "E09"}}]',
        "research/pair.md": b"Interviewer: Why?\nE08: Because I am not the other.\nE09: I disagree.\n",
        "research/E08.mp3": b"\x00\x01",
        ".persona-backup/20260101-000000-abcd/research/survey.csv": table,
        "research/untouched.csv": b"Respondent,Answer\nE09,yes\n",
    }


def file_with(folder: Path, name: str, data: bytes) -> Path:
    """Write a file of this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name
