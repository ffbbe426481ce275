"""Tasks whose caller is cancelled in the moment in which they fail: no traceback at the end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from persona.config.schema import LocalSettings, StorageSettings
from persona.errors import UnreachableError
from persona.storage.background import started
from persona.storage.layers.breaker import Breaker
from persona.storage.stack import open_storage


async def test_the_error_of_a_task_counts_as_seen(unseen: list[dict[str, Any]]) -> None:
    async def fail() -> None:
        raise UnreachableError("gone")

    task = started(fail())
    await asyncio.wait({task})
    del task
    gc.collect()
    assert not unseen


@pytest.mark.parametrize("moment", ["before", "with", "after"])
async def test_a_caller_that_is_cancelled_while_its_work_fails(
    unseen: list[dict[str, Any]], tmp_path: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    inner = open_storage(StorageSettings(local=LocalSettings(path=tmp_path)))
    go = asyncio.Event()

    async def fail(path: str) -> bytes:
        try:
            await go.wait()
        finally:
            raise UnreachableError("gone")

    monkeypatch.setattr(inner, "read", fail)
    caller = asyncio.ensure_future(Breaker(inner).read("a"))
    await asyncio.sleep(0.01)
    steps: dict[str, list[Callable[[], object]]] = {
        "before": [caller.cancel, go.set],
        "with": [go.set, caller.cancel],
        "after": [go.set],
    }
    for step in steps[moment]:
        step()
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait({caller})
    if not caller.cancelled():
        caller.exception()
    del caller, steps, step
    await asyncio.sleep(0.01)
    gc.collect()
    assert not unseen


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What event loops tell of errors that nobody has asked for."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(asyncio.BaseEventLoop, "call_exception_handler", lambda loop, context: told.append(context))
    return told
