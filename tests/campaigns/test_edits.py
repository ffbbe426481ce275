"""An edit that keeps size and modification time is found by content, and is never called verified without it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import StorageSettings
from tests.campaigns.command import Command
from tests.campaigns.corpus import Item, corpus
from tests.campaigns.sites import assert_holds, folder, fresh, look, put, url_of
from tests.serving import Server

Scene = tuple[Command, StorageSettings, StorageSettings, list[Item]]
TARGETS = ["seaweedfs", "fake-gcs", "azurite", "local"]


@pytest.fixture(params=TARGETS)
def scene(request: pytest.FixtureRequest, tmp_path: Path, running: Any) -> Scene:
    """A folder of 20 objects, and an empty place of each kind."""
    items = corpus(20, odd=())
    source = folder(tmp_path / "source")
    server: Server | None = None if request.param == "local" else running(request.param)
    target = fresh(server, "research") if server else folder(tmp_path / "target")
    put(source, items)
    return Command(tmp_path, source) if server is None else Command(tmp_path, source, target), source, target, items


def edit(source: StorageSettings, items: list[Item]) -> list[Item]:
    """Give one object another content of the same size, and its old modification time; return what is there now."""
    changed = items[5].edited()
    assert source.local.path
    file = source.local.path / changed.path
    before = file.stat()
    file.write_bytes(b"".join(changed.blocks()))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    return [changed if item.path == changed.path else item for item in items]


def proved(report: Any) -> int:
    """Return how many objects are verified, or at the versions that the first migration verified."""
    verified: int = report["objects"]["verified"]
    unchanged: int = report["evidence"]["unchanged"]
    return verified + unchanged


def test_a_second_migration_finds_it(scene: Scene) -> None:
    command, source, target, items = scene
    migrate = ("storage", "migrate", "--from", "local", "--to", url_of(target), "--json")
    command.run(*migrate)
    assert_holds(target, items)
    now = edit(source, items)

    refused = command.run(*migrate, good=(1,)).json
    assert refused["state"] == "incomplete"
    assert proved(refused) == len(items) - 1
    assert_holds(target, items)

    report = command.run(*migrate, "--overwrite").json
    assert (report["state"], proved(report)) == ("complete", len(items))
    assert report["objects"]["copied"] == 1
    assert_holds(target, now)
    old = next(item for item in items if item not in now)
    kept = look(target, lambda storage: storage.read(f".persona-backup/{report['id']}/{old.path}"))
    assert kept == b"".join(old.blocks())


def test_a_sync_by_content_finds_it(scene: Scene) -> None:
    command, source, target, items = scene
    sync = ("storage", "sync", "--from", str(source.local.path), "--to", url_of(target), "--json")
    command.run(*sync)
    assert_holds(target, items)
    now = edit(source, items)

    plain = command.run(*sync, good=(0, 1)).json
    assert plain["objects"]["copied"] == 1 or plain["objects"]["verified"] < len(items), plain

    command.run(*sync, "--checksum")
    assert_holds(target, now)
