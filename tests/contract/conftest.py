"""Makes each case of the suite for each place that has what the case needs."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.places import Place, lacks, live_settings, local_settings, places, server_settings
from tests.serving import Server

_MEASURED = ("local", "cached")
"""Elsewhere the lines are those that ``tests/cloud`` runs, and measuring coverage takes as long as the cases do."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test at each place, except where it needs what the place lacks."""
    if "place" not in metafunc.fixturenames:
        return
    needs = {name for mark in metafunc.definition.iter_markers("needs") for name in mark.args}
    chosen = [name for name in places() if not needs & lacks(name).keys()]
    marks = {name: [] if name in _MEASURED else [pytest.mark.no_cover] for name in chosen}
    metafunc.parametrize("place", [pytest.param(name, marks=marks[name]) for name in chosen], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, running: Callable[[str], Server]) -> Iterator[Place]:
    """A place of the test's own: a folder, or a random prefix, which is cleared if it is live."""
    name: str = request.param
    prefix = f"contract/{secrets.token_hex(6)}"
    if name == "local":
        yield Place(name, local_settings(str(tmp_path / "root")))
    elif name == "below":
        yield Place(name, local_settings(str(tmp_path / "root")), folder="a folder/below")
    elif name == "cached":
        yield Place(name, local_settings(str(tmp_path / "root")), cache=str(tmp_path / "cache"))
    elif name.startswith("live-"):
        found = Place(name, live_settings(name, prefix))
        yield found
        asyncio.run(clear(found))
    else:
        server = running(name)
        yield Place(name, server_settings(server, "contract", prefix), server)


@pytest.fixture
def storage(place: Place) -> Place:
    """The storage under test; a coroutine gets it opened, as a `StorageBackend`."""
    return place


async def clear(place: Place) -> None:
    """Remove what a test left in a live bucket."""
    storage = place.open()
    try:
        await storage.delete_many([found.path for found in await storage.list()])
    finally:
        await storage.close()
