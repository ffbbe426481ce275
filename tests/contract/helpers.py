"""What the cases share: streams, digests and pages."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import pytest

from persona.storage.backend import Digest, Listing, StorageBackend

MIB = 1024 * 1024


class StreamBrokeError(Exception):
    """What a test's own stream raises."""


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield chunks."""
    for chunk in chunks:
        yield chunk


def block(number: int, size: int = MIB) -> bytes:
    """Return bytes that differ from block to block and compress badly."""
    seed = hashlib.sha256(str(number).encode()).digest()
    return (hashlib.shake_256(seed).digest(4096) * (size // 4096 + 1))[:size]


async def received(storage: StorageBackend, path: str, start: int = 0, length: int | None = None) -> bytes:
    """Return what a streaming read yields."""
    return b"".join([chunk async for chunk in await storage.open(path, start=start, length=length)])


async def pages(storage: StorageBackend, prefix: str = "", after: str | None = None) -> list[Listing]:
    """Return the pages of a scan."""
    return [page async for page in storage.scan(prefix, after=after)]


async def scanned(storage: StorageBackend, prefix: str = "", after: str | None = None) -> list[str]:
    """Return the paths of a scan."""
    return [found.path for page in await pages(storage, prefix, after) for found in page]


async def listed(storage: StorageBackend, prefix: str = "") -> list[str]:
    """Return the paths of a listing."""
    return [found.path for found in await storage.list(prefix)]


def digest_of(algorithm: str, content: bytes) -> Digest:
    """Return the digest that a provider should have given."""
    if algorithm == "crc32c":
        return Digest(algorithm, f"{_crc32c(content):08x}")
    return Digest(algorithm, hashlib.new(algorithm, content, usedforsecurity=False).hexdigest())


def _crc32c(content: bytes) -> int:
    """Return the CRC-32C (Castagnoli), bit by bit."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


class Notebook:
    """A checkpoint in memory, which knows all that was saved in it."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.saved: list[str | None] = []

    async def save(self, token: str | None) -> None:
        self.token = token
        self.saved.append(token)


async def leave(
    storage: StorageBackend,
    notebook: Notebook,
    chunks: Sequence[bytes],
    size: int,
    *,
    settled: Callable[[], bool] = lambda: True,
    **options: Any,
) -> None:
    """Begin an upload of the object ``big``, and cancel it when some chunks were read, sent and settled."""
    hanging = asyncio.Event()

    async def some() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        hanging.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(storage.write_stream("big", some(), size=size, checkpoint=notebook, **options))
    await asyncio.wait_for(hanging.wait(), 30)
    for _ in range(100):
        await asyncio.sleep(0.4)  # parts that are on their way arrive
        if settled():
            break
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
