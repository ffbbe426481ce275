"""Proxies in processes of their own, shared by all workers, and a command line in an empty project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.conftest import configure, persona, place, project
from tests.proxies.server import AskingProxy, HTTPProxy

__all__ = ["configure", "persona", "place", "project"]
Serving = Callable[[type[HTTPProxy]], HTTPProxy]


@pytest.fixture(scope="session")
def serving(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Callable[[type[HTTPProxy]], HTTPProxy]]:
    """A function that starts a proxy, or joins the one that another worker started."""
    base = tmp_path_factory.getbasetemp()
    folder = Path(base if worker_id == "master" else base.parent) / "servers"
    started: dict[str, HTTPProxy] = {}
    with ExitStack() as stack:

        def start(kind: type[HTTPProxy]) -> HTTPProxy:
            if kind.name not in started:
                started[kind.name] = stack.enter_context(kind(folder / kind.name))
            return started[kind.name]

        yield start


@pytest.fixture
def proxy(serving: Serving) -> HTTPProxy:
    """A proxy for everybody."""
    return serving(HTTPProxy)


@pytest.fixture
def asking(serving: Serving) -> HTTPProxy:
    """A proxy that asks for a user and a password."""
    return serving(AskingProxy)
