"""The cache against a plain model: after every step the same entries, which leave in the same order, and no more space.

``PERSONA_MODEL_EXAMPLES`` sets how many runs each strategy gets, and so how thorough it is.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from persona.errors import NotFoundError
from persona.storage.cache.database import MIN_INDEX_BYTES
from persona.storage.cache.house import clear, stats
from persona.storage.layers.cache import Cache
from tests.cache.machine import Clock, Machine, abandon, folder_bytes, order
from tests.cache.memory import Memory

pytestmark = pytest.mark.no_cover  # other cases run the same lines, and measuring them takes time

EXAMPLES = int(os.environ.get("PERSONA_MODEL_EXAMPLES", "25"))
STEPS = 40
TTL = 60.0
SPACE = 1000
"""What the contents may take, in bytes."""

paths = st.sampled_from(["a", "a/1", "a/2", "b", "b/1", "c", "d"])
sizes = st.sampled_from([0, 1, 50, 100, 150, 200, 250, 300, 400, SPACE - 1, SPACE, SPACE + 1])
waits = st.sampled_from([17.0, 61.0])
"""No sum of them comes near to the ttl, or to what `clear` is asked for."""
processes = st.integers(0, 1)


@dataclass
class Kept:
    """An entry, as the model has it.

    Args:
        data: its content.
        version: its version.
        number: when it came, as a number.
        used: when it was last used, as a number.
        confirmed: when it was confirmed, or minus infinity if it is in doubt.
        stored: when it came.
        reads: how often it was read.
        damaged: whether its file has been damaged.
    """

    data: bytes
    version: str
    number: int
    used: int
    confirmed: float
    stored: float
    reads: int = 0
    damaged: bool = False


class Model:
    """What a cache should do, without files, processes and time."""

    def __init__(self, strategy: str, clock: Clock) -> None:
        self.strategy = strategy
        self.clock = clock
        self.entries: dict[str, Kept] = {}
        self.evictions = 0
        self._number = 0

    def next(self) -> int:
        self._number += 1
        return self._number

    def order(self) -> list[str]:
        """Return what leaves first, and so on."""
        return sorted(self.entries, key=lambda path: self._rank(self.entries[path]))

    def _rank(self, kept: Kept) -> tuple[int, ...]:
        if self.strategy == "lru":
            return (kept.used,)
        return (kept.number,) if self.strategy == "fifo" else (kept.reads, kept.number)

    def is_fresh(self, kept: Kept, ahead: float = 0.0) -> bool:
        return self.clock.now + ahead - kept.confirmed < TTL

    def used(self, kept: Kept) -> None:
        kept.reads += 1
        kept.used = self.next()

    def reserve(self, path: str, size: int) -> bool:
        """Make space for an object; nothing leaves if that is not enough."""
        kept = sum(len(each.data) for each in self.entries.values())
        missing = kept + size - SPACE
        if missing > kept or size > SPACE:
            return False
        if missing > 0 and path in self.entries:
            missing -= len(self.entries.pop(path).data)
        while missing > 0:
            missing -= len(self.entries.pop(self.order()[0]).data)
            self.evictions += 1
        return True

    def keep(self, path: str, data: bytes, version: str) -> bool:
        """Take an object in, if there is space for it."""
        if not self.reserve(path, len(data)):
            return False
        number, now = self.next(), self.clock.now
        self.entries[path] = Kept(data, version, number, number, now, now)
        return True

    def read(self, path: str, provider: Memory) -> bytes:
        """Return what a read gives."""
        kept = self.entries.get(path)
        if kept and kept.damaged:
            del self.entries[path]
            kept = None
        if kept and self.is_fresh(kept):
            self.used(kept)
            return kept.data
        if path not in provider.objects:
            self.entries.pop(path, None)
            raise NotFoundError(path)
        data, found = provider.objects[path]
        if kept and kept.version == found.version:
            kept.confirmed = self.clock.now
            self.used(kept)
        else:
            self.keep(path, data, found.version)
        return data

    def shown(self, path: str, version: str | None, *, listed: bool) -> None:
        """Learn what the provider has."""
        kept = self.entries.get(path)
        if kept is None:
            return
        if version is None:
            del self.entries[path]
        elif version != kept.version:
            kept.confirmed = float("-inf")
        elif not listed or not self.is_fresh(kept, TTL / 2):
            kept.confirmed = self.clock.now


class CacheMachine(RuleBasedStateMachine):
    """Two processes on one machine, and another machine that writes to the same place."""

    strategy: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(mock.patch("os.fsync"))  # the disk itself is no part of this
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.provider = Memory(page=2)
        self.clock = Clock()
        self.machine = Machine(folder / "cache", self.provider, self.clock, max_size=MIN_INDEX_BYTES + SPACE, ttl=TTL)
        self.stack.callback(self.machine.close)
        self.model = Model(self.strategy, self.clock)
        self.open()

    def open(self) -> None:
        self.machine.strategy = self.model.strategy
        self.caches = [Cache(self.provider, self.machine.store()) for _ in range(2)]

    def teardown(self) -> None:
        self.stack.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something, and write down at once what was read."""
        try:
            return self.runner.run(work)
        finally:
            for store in self.machine.stores:
                store.flush()

    @initialize(size=sizes)
    def begin(self, size: int) -> None:
        for path in ("a", "a/1", "b"):
            self.provider.put(path, bytes(size))
        self.provider.put("c", b"c")
        self.provider.put("d", b"d")

    @rule(path=paths, process=processes, streaming=st.booleans())
    def read(self, path: str, process: int, streaming: bool) -> None:
        try:
            expected = self.model.read(path, self.provider)
        except NotFoundError:
            with pytest.raises(NotFoundError):
                self.run(self.caches[process].read(path))
            return
        if streaming:
            download = self.run(self.caches[process].open(path))
            assert self.run(_received(download)) == expected
        else:
            assert self.run(self.caches[process].read(path)) == expected

    @rule(chosen=st.lists(paths, min_size=2, max_size=8), process=processes)
    def read_some(self, chosen: list[str], process: int) -> None:
        for path in chosen:
            self.read(path, process, streaming=False)

    @rule(path=paths, size=sizes, process=processes)
    def write(self, path: str, size: int, process: int) -> None:
        data = os.urandom(8)[:size].ljust(size, b"x")
        found = self.run(self.caches[process].write(path, data))
        if not self.model.keep(path, data, found.version):
            self.model.entries.pop(path, None)

    @rule(path=paths, process=processes)
    def delete(self, path: str, process: int) -> None:
        self.run(self.caches[process].delete(path))
        self.model.entries.pop(path, None)

    @rule(prefix=st.sampled_from(["", "a", "b", "c"]), process=processes)
    def list(self, prefix: str, process: int) -> None:
        listed = {found.path: found.version for found in self.run(self.caches[process].list(prefix))}
        below = {path for path in self.model.entries if not prefix or f"{path}/".startswith(f"{prefix}/")}
        for path in below:
            # one object, listed by its own name, is as good as described
            self.model.shown(path, listed.get(path), listed=path != prefix)

    @rule(path=paths, process=processes, exists=st.booleans())
    def describe(self, path: str, process: int, exists: bool) -> None:
        there = self.provider.objects.get(path)
        if exists:
            assert self.run(self.caches[process].exists(path)) == (there is not None)
        elif there:
            assert self.run(self.caches[process].stat(path)) == there[1]
            self.model.shown(path, there[1].version, listed=False)
        else:
            with pytest.raises(NotFoundError):
                self.run(self.caches[process].stat(path))
        if not there:
            self.model.shown(path, None, listed=False)

    @rule(path=paths, size=sizes)
    def another_machine_writes(self, path: str, size: int) -> None:
        self.provider.put(path, os.urandom(8)[:size].ljust(size, b"y"))

    @rule(path=paths)
    def another_machine_deletes(self, path: str) -> None:
        self.provider.objects.pop(path, None)

    @rule(seconds=waits)
    def wait(self, seconds: float) -> None:
        self.clock.wait(seconds)

    @rule(older=st.sampled_from([None, 30.0]), process=processes)
    def clear(self, older: float | None, process: int) -> None:
        for path in list(self.model.entries):
            if older is None or self.clock.now - self.model.entries[path].stored > older:
                del self.model.entries[path]
        clear(self.machine.stores[process], older)

    @rule(strategy=st.sampled_from(["lru", "lfu", "fifo"]))
    def reopen(self, strategy: str) -> None:
        self.machine.close()
        self.model.strategy = strategy
        self.open()

    @rule(path=paths, size=sizes, process=processes, writes=st.booleans(), drafted=st.booleans())
    def kill(self, path: str, size: int, process: int, writes: bool, drafted: bool) -> None:
        """Kill a process on its way, and start another in its place."""
        store = self.machine.stores.pop(process)
        flight = store.begin(path, writes=writes)
        assert flight
        if writes and path in self.model.entries:
            self.model.entries[path].confirmed = float("-inf")
        reserved = store.reserve(flight, size)
        assert reserved == self.model.reserve(path, size)
        if reserved and drafted:
            draft = store.draft(flight)
            assert draft
            draft.append(bytes(size))
            draft.close()
            assert folder_bytes(self.machine.folder) <= self.machine.max_size
        abandon(store)
        self.caches[process] = Cache(self.provider, self.machine.store())
        self.machine.stores.insert(process, self.machine.stores.pop())

    @rule(path=paths, how=st.sampled_from(["flipped", "longer", "gone"]))
    def damage(self, path: str, how: str) -> None:
        kept = self.model.entries.get(path)
        if kept is None or kept.damaged or (how == "flipped" and not kept.data):
            return
        store = self.machine.stores[0]
        entry = store.kept(path)
        assert entry
        file = Path(store.file(entry))
        if how == "gone":
            file.unlink()
        else:
            data = file.read_bytes()
            file.write_bytes(bytes([data[0] ^ 1]) + data[1:] if how == "flipped" else data)
            if how == "longer" and folder_bytes(self.machine.folder) < self.machine.max_size:
                file.write_bytes(data + b"x")
            elif how == "longer":
                return
        kept.damaged = True

    @invariant()
    def agrees(self) -> None:
        store = self.machine.stores[0]
        assert order(store) == self.model.order()
        for entry in store.index.between(store.scope, "", None):
            kept = self.model.entries[entry.path]
            assert entry.version == kept.version
            assert store.is_fresh(entry) == self.model.is_fresh(kept)
        figures = stats(store)
        assert figures.evictions == self.model.evictions
        assert figures.bytes == sum(len(kept.data) for kept in self.model.entries.values()) <= SPACE

    @invariant()
    def stays_within_its_size(self) -> None:
        assert folder_bytes(self.machine.folder) <= self.machine.max_size
        there = sum(not kept.damaged for kept in self.model.entries.values())
        assert there <= len(self.machine.files("objects")) <= len(self.model.entries)
        assert self.machine.files("drafts") == []


async def _received(download: Any) -> bytes:
    return b"".join([piece async for piece in download])


@pytest.mark.parametrize("strategy", ["lru", "lfu", "fifo"])
def test_the_cache_does_what_the_model_does(strategy: str) -> None:
    machine = type(f"CacheMachine_{strategy}", (CacheMachine,), {"strategy": strategy})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
