"""Many processes that read and write through one small cache, and are killed, are never given anything wrong."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from persona.storage.stack import Keeping, identity
from tests.cache.siege import besiege
from tests.cache.siege_workers import Plan, s3_settings
from tests.campaigns.command import Command
from tests.servers import S3Server
from tests.serving import Server

COUNTS = ("entries", "bytes", "hits", "misses", "evictions", "bytes_saved", "max_bytes")


def plan(folder: Path, server: Server, **more: object) -> Plan:
    """Return a siege of a bucket on a server."""
    assert isinstance(server, S3Server)
    settings = {
        "bucket": server.make_bucket("campaigns"),
        "prefix": secrets.token_hex(6),
        "region": server.region,
        "endpoint_url": server.endpoint,
        "access_key_id": server.access_key,
        "secret_access_key": server.secret_key,
    }
    keeping = Keeping(workspace="default", folder=folder)
    place = identity(s3_settings(settings), keeping)
    return Plan(folder=str(folder), settings=settings, identity=place, **more)  # type: ignore[arg-type]


def figures(plan: Plan) -> Any:
    """Return what the command line says of the cache."""
    command = Command(Path(plan.folder) / "user", s3_settings(plan.settings))
    options = {"enabled": "true", "path": str(plan.cache), "max_size": str(plan.max_size), "strategy": plan.strategy}
    environment = {f"PERSONA_STORAGE__CACHE__{name.upper()}": text for name, text in options.items()}
    environment["PERSONA_STORAGE__BACKEND"] = "s3"
    ran = command.run("storage", "cache", "stats", "--json", good=(0,), **environment)
    assert ran.err == "", ran.err
    return ran.json


def test_kills_of_readers_and_writers(tmp_path: Path, seaweedfs: Server) -> None:
    """The short form of ``make torture``."""
    siege = plan(tmp_path, seaweedfs, seconds=6.0, kill_seconds=0.4, ttl=0.7)
    shown = besiege(siege)
    assert not shown.wrong, "\n".join(shown.wrong)
    assert not shown.left, shown.left
    assert shown.kills >= 8, str(shown)
    assert min(shown.reads, shown.writes, shown.foreign, shown.figures["hits"], shown.figures["evictions"]) > 5, str(
        shown
    )
    said = figures(siege)
    assert {name: said[name] for name in COUNTS} == {name: shown.figures[name] for name in COUNTS}
