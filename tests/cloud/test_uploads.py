"""Uploads in parts: aborted if anything fails, sized to the provider's limits, in little memory."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from persona.errors import PersonaError
from persona.storage.backends.answers import parse_xml
from persona.storage.backends.s3 import S3Backend
from persona.storage.stack import open_storage
from tests import unmeasured
from tests.described import PRELUDE, described
from tests.servers import S3Server
from tests.serving import Server

MIB = 1 << 20


class BrokenStreamError(Exception):
    """What a stream of these tests raises."""


@pytest.fixture
def bucket() -> str:
    """A bucket of the test's own: servers are shared by tests that run at the same time."""
    return f"uploads-{uuid.uuid4().hex}"


async def breaking(blocks: int) -> AsyncIterator[bytes]:
    for _ in range(blocks):
        yield b"x" * MIB
    raise BrokenStreamError


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * MIB
        await asyncio.sleep(0)


def s3(server: S3Server, bucket: str, **performance: int) -> S3Backend:
    settings = server.settings(server.make_bucket(bucket))
    tuned = dataclasses.replace(settings.performance, retry_delay=0.01, **performance)
    opened = open_storage(dataclasses.replace(settings, performance=tuned))
    assert isinstance(opened, S3Backend)
    return opened


async def unfinished(server: S3Server, bucket: str) -> int:
    """Return how many uploads the server still keeps parts of."""
    storage = s3(server, bucket)
    try:
        reply = await storage._rest.send("GET", "/", query={"uploads": ""})
    finally:
        await storage.close()
    return sum(1 for _ in parse_xml(reply.body, "ListMultipartUploadsResult").iter("Upload"))


async def test_a_broken_stream_leaves_no_parts(moto: S3Server, bucket: str) -> None:
    storage = s3(moto, bucket)
    try:
        with pytest.raises(BrokenStreamError):
            await storage.write_stream("big", breaking(20))
        assert not await storage.exists("big")
    finally:
        await storage.close()
    assert await unfinished(moto, bucket) == 0


async def test_a_cancelled_upload_leaves_no_parts(moto: S3Server, bucket: str) -> None:
    storage = s3(moto, bucket)
    task = asyncio.create_task(storage.write_stream("big", endless()))
    for _ in range(500):
        await asyncio.sleep(0.01)
        if await unfinished(moto, bucket):
            break
    assert await unfinished(moto, bucket) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await storage.close()
    assert await unfinished(moto, bucket) == 0


async def test_parts_grow_with_the_object(moto: S3Server, bucket: str) -> None:
    """S3 takes 10,000 parts at most, of 5 MiB at least (Amazon S3 User Guide, "Multipart upload limits")."""
    storage = s3(moto, bucket, chunk_size=5_000_000)
    try:
        assert storage._part_bytes(None) == 5 * MIB
        assert storage._part_bytes(1 << 30) == 5 * MIB
        large = 5 * (1 << 40)
        assert -(-large // storage._part_bytes(large)) <= 10_000
    finally:
        await storage.close()


async def test_a_copy_above_the_limit_goes_in_parts(
    moto: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(S3Backend, "copy_limit", 6 * MIB)
    monkeypatch.setattr(S3Backend, "copy_part_bytes", 5 * MIB)
    storage = s3(moto, bucket)

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(12):
            yield bytes([number]) * MIB

    try:
        await storage.write_stream("from", chunks(), content_type="text/x-odd", metadata={"Who": "é"})
        copied = await storage.copy("from", "to")
        assert (copied.size, copied.content_type, copied.metadata) == (12 * MIB, "text/x-odd", {"Who": "é"})
        assert await storage.read("to") == await storage.read("from")
    finally:
        await storage.close()


STREAMER = (
    PRELUDE
    + """
import hashlib

BLOCKS = int(sys.argv[2])

async def chunks(digest):
    for number in range(BLOCKS):
        block = number.to_bytes(4, "big") * (MIB // 4)
        digest.update(block)
        yield block

async def main():
    storage = open_storage(settings)
    up, down = hashlib.sha256(), hashlib.sha256()
    written = await storage.write_stream("big", chunks(up), size=BLOCKS * MIB)
    assert written.size == BLOCKS * MIB
    async for chunk in await storage.open("big"):
        down.update(chunk)
    assert up.digest() == down.digest()
    await storage.delete("big")
    await storage.close()

asyncio.run(main())
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""
)


@pytest.mark.parametrize(("name", "mebibytes"), [("seaweedfs", 256), ("fake-gcs", 128), ("azurite", 128)])
def test_a_large_object_goes_through_little_memory(
    running: Callable[[str], Server], tmp_path: Path, name: str, mebibytes: int
) -> None:
    """More than the bound, where the server does not keep all of it in memory; no more is held for more."""
    server = running(name)
    settings = server.settings(server.make_bucket("memory"), "one")
    command = [sys.executable, "-c", STREAMER, described(settings), str(mebibytes)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=unmeasured.environment())
    assert done.returncode == 0, done.stderr
    assert 20_000_000 < int(done.stdout) < 150_000_000


async def test_a_failed_part_is_the_error(moto: S3Server, bucket: str) -> None:
    storage = s3(moto, bucket)
    real = storage._rest.send

    async def send(method: str, path: str, **arguments: object) -> object:
        if "partNumber" in (arguments.get("query") or {}):  # type: ignore[operator]
            raise PersonaError("this part cannot be sent")
        return await real(method, path, **arguments)  # type: ignore[arg-type]

    storage._rest.send = send  # type: ignore[method-assign, assignment]
    try:
        with pytest.raises(PersonaError, match="this part"):
            await storage.write_stream("big", endless())
    finally:
        await storage.close()
    assert await unfinished(moto, bucket) == 0
