"""Many processes that read and write through one small cache, and are killed, are never given anything wrong."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.cache.siege import besiege
from tests.cache.siege_workers import Plan
from tests.servers import S3Server
from tests.serving import Server


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
    return Plan(folder=str(folder), settings=settings, **more)  # type: ignore[arg-type]


def test_kills_of_readers_and_writers(tmp_path: Path, seaweedfs: Server) -> None:
    """The short form of ``make torture``."""
    shown = besiege(plan(tmp_path, seaweedfs, seconds=6.0, kill_seconds=0.4, ttl=0.7))
    assert not shown.wrong, "\n".join(shown.wrong)
    assert not shown.left, shown.left
    assert shown.kills >= 8, str(shown)
    assert min(shown.reads, shown.writes, shown.foreign, shown.figures["hits"], shown.figures["evictions"]) > 5, str(
        shown
    )
