"""A second migration of equal objects asks for listings alone, and a dry run says what it and the run ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.cli import app
from persona.config.schema import StorageSettings
from tests.campaigns.command import Command
from tests.campaigns.corpus import MIB, corpus
from tests.campaigns.sites import folder, fresh
from tests.campaigns.twice import Migrate, migrate_twice
from tests.serving import Server

Places = Callable[[str], StorageSettings]


@pytest.fixture
def places(tmp_path: Path, running: Callable[[str], Server]) -> Places:
    """A function that gives an empty place."""
    return lambda name: folder(tmp_path / "library") if name == "local" else fresh(running(name))


@pytest.fixture
def configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Migrate]:
    """A function that configures both sides, and returns what runs a migration in this process."""

    def configure(*sides: StorageSettings) -> Migrate:
        command = Command(tmp_path / "user", *sides, chunk_size="5MiB")
        for name, text in command.environment.items():
            monkeypatch.setenv(name, text)
        monkeypatch.chdir(command.project)

        def migrate(*arguments: str) -> Any:
            capsys.readouterr()
            code = app.run(["storage", "migrate", "--json", *arguments])
            out, err = capsys.readouterr()
            assert code == 0, f"{out}\n{err}"
            return json.loads(out)

        return migrate

    return configure


@pytest.mark.parametrize(
    ("source", "target", "digests"),
    [
        ("local", "moto", 100),  # an object in parts has no digest on S3
        ("local", "fake-gcs", 101),
        ("local", "azurite", 0),  # the provider does not vouch for its digests
        ("moto", "fake-gcs", 100),
        ("azurite", "moto", 0),
    ],
)
def test_a_second_migration_asks_for_nothing_but_listings(
    places: Places, configured: Callable[..., Migrate], source: str, target: str, digests: int
) -> None:
    """``make torture`` does so with 1,500 objects.

    Two kinds of questions no plan foretells: what came of metadata, and what an endpoint is asked that may ignore
    conditions.
    """
    items = corpus(100, odd=(), large=(6 * MIB,))
    dry, first, idle, second = migrate_twice(places(source), places(target), items, configured)
    assert first.report["objects"]["copied"] == 101
    assert second.report["objects"]["skipped"] == 101
    assert second.report["evidence"] == {"digest": digests, "reread": 0, "unchanged": 101 - digests}
    for asked in second.asked.values():
        assert (asked["read"], asked["head"]) == (0, 0)
    assert second.asked == idle.foretold
    assert idle.asked == idle.told
    assert dry.asked == dry.told
    for side, asked in first.asked.items():
        assert {"list": asked["list"], "read": asked["read"]}.items() <= dry.foretold[side].items()
        assert asked["head"] >= dry.foretold[side]["head"]
