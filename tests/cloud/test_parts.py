"""How a stream is cut into parts, and how much of all streams is held."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona.storage.backends.primitives import Part
from persona.storage.backends.uploads import HELD_BYTES, Budget, Parts
from tests import unmeasured
from tests.contract.helpers import stream
from tests.described import PRELUDE, described
from tests.serving import Server


async def cut(chunks: list[bytes], part_bytes: int, size: int | None = None, limit: int = 1 << 20) -> list[Part]:
    budget = Budget(limit)
    parts = Parts(stream(chunks), part_bytes, size, budget)
    found: list[Part] = []
    whole = await parts.whole()
    if whole is not None:
        found.append(whole)
    else:
        while (part := await parts.next()) is not None:
            found.append(part)
            parts.passed_on()
    parts.close()
    assert budget._held == 0
    return found


@given(chunks=st.lists(st.binary(max_size=9), max_size=12), part_bytes=st.integers(1, 12), known=st.booleans())
@settings(max_examples=300)
def test_parts_are_the_stream(chunks: list[bytes], part_bytes: int, known: bool) -> None:
    content = b"".join(chunks)
    parts = asyncio.run(cut(chunks, part_bytes, len(content) if known else None))
    assert b"".join(parts) == content
    assert [len(part) for part in parts[:-1]] == [part_bytes] * (len(parts) - 1)
    assert len(parts[-1]) <= part_bytes


async def test_a_small_object_is_not_copied() -> None:
    content = bytes(36_000)
    assert (await cut([content], 5 << 20, 36_000))[0] is content


async def test_memory_is_handed_out_in_turn() -> None:
    budget = Budget(10)
    await budget.take(6)
    order: list[int] = []

    async def want(number: int, count: int) -> None:
        await budget.take(count)
        order.append(number)

    tasks = [asyncio.create_task(want(number, count)) for number, count in enumerate((5, 1, 4))]
    await asyncio.sleep(0.01)
    assert order == []  # 1 would fit, but it is not its turn
    budget.give(6)
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]


async def test_two_parts_are_always_allowed() -> None:
    budget = Budget(10)
    await budget.take(100)
    await budget.take(100)
    third = asyncio.create_task(budget.take(100))
    await asyncio.sleep(0.01)
    assert not third.done()
    budget.give(100)
    await third


async def test_memory_is_not_lost_with_those_who_wait_for_it() -> None:
    budget = Budget(10)
    chance = random.Random(5)

    async def use() -> None:
        count = chance.randint(1, 10)
        await budget.take(count)
        try:
            await asyncio.sleep(0)
        finally:
            budget.give(count)

    for _ in range(200):
        tasks = [asyncio.create_task(use()) for _ in range(6)]
        for _ in range(chance.randint(0, 4)):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert budget._held == 0
    assert not budget._waiting


async def test_streams_that_share_little_memory_do_not_block_each_other() -> None:
    budget = Budget(20)

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(9):
            await asyncio.sleep(0.001)
            yield b"x" * 7

    async def read() -> int:
        parts = Parts(slow(), 10, None, budget)
        count = 0
        assert await parts.whole() is None
        while (part := await parts.next()) is not None:
            count += len(part)
            await asyncio.sleep(0)
            parts.passed_on()
        return count

    assert await asyncio.wait_for(asyncio.gather(*(read() for _ in range(16))), 20) == [63] * 16


MANY = (
    PRELUDE
    + """
import dataclasses
from persona.config.schema import PerformanceSettings

async def chunks():
    for number in range(24):
        yield number.to_bytes(4, "big") * (MIB // 4)

async def main():
    storage = open_storage(dataclasses.replace(settings, performance=PerformanceSettings(concurrent_uploads=16)))
    await asyncio.gather(*(storage.write_stream(f"big/{number}", chunks(), size=24 * MIB) for number in range(16)))
    await storage.close()

asyncio.run(main())
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""
)


@pytest.mark.parametrize("name", ["seaweedfs", "fake-gcs"])
def test_sixteen_large_objects_at_once_take_little_memory(
    running: Callable[[str], Server], tmp_path: Path, name: str
) -> None:
    """16 objects with up to 16 parts on their way each would be 1.3 GB."""
    server = running(name)
    command = [sys.executable, "-c", MANY, described(server.settings(server.make_bucket("memory")))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=unmeasured.environment())
    assert done.returncode == 0, done.stderr
    assert HELD_BYTES < int(done.stdout) < 150_000_000
