"""A storage in memory, and a machine with a cache around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cache.machine import Clock, Machine
from tests.cache.memory import Memory


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machine(tmp_path: Path, memory: Memory, clock: Clock) -> Iterator[Machine]:
    made = Machine(tmp_path / "cache", memory, clock)
    yield made
    made.close()
