"""What the tests of the cloud backends share: prefixes of their own, and servers behind a proxy with faults."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from persona.config.schema import PerformanceSettings, StorageSettings
from persona.storage.backend import StorageBackend
from persona.storage.stack import open_storage
from tests.faults import FaultProxy
from tests.serving import Server

NAMES = {"s3": "seaweedfs", "gcs": "fake-gcs", "azure": "azurite"}
"""The main server of each protocol."""


class Faulty:
    """A real server, reached through a proxy with faults, with a prefix of the test's own.

    Args:
        server: the server.
        proxy: the proxy before it.
    """

    def __init__(self, server: Server, proxy: FaultProxy) -> None:
        self.server = server
        self.proxy = proxy
        self.bucket = server.make_bucket("faults")  # one for all: each takes seven volumes of SeaweedFS
        self.prefix = secrets.token_hex(6)
        self.opened: list[StorageBackend] = []

    def settings(self, **performance: Any) -> StorageSettings:
        """Return the settings that go through the proxy, with short pauses between tries."""
        settings = self.server.settings(self.bucket, self.prefix)
        provider = getattr(settings, settings.backend)
        through = dataclasses.replace(
            provider, endpoint_url=provider.endpoint_url.replace(self.server.address, self.proxy.address)
        )
        tuned = PerformanceSettings(**{"retry_attempts": 3, "retry_delay": 0.01, "timeout": 10.0} | performance)
        return dataclasses.replace(settings, performance=tuned, **{settings.backend: through})

    def open(self, **performance: Any) -> StorageBackend:
        """Open the bucket through the proxy."""
        self.opened.append(open_storage(self.settings(**performance)))
        return self.opened[-1]

    def direct(self) -> StorageBackend:
        """Open the bucket without the proxy."""
        self.opened.append(open_storage(self.server.settings(self.bucket, self.prefix)))
        return self.opened[-1]


@pytest.fixture
def behind(running: Callable[[str], Server]) -> Iterator[Callable[[str], Faulty]]:
    """A function that puts a proxy before a server; the test fails if a fault of its script was not met."""
    made: list[Faulty] = []
    with ExitStack() as stack:

        def put_before(name: str) -> Faulty:
            server = running(NAMES.get(name, name))
            made.append(Faulty(server, stack.enter_context(FaultProxy(server.address))))
            return made[-1]

        yield put_before
        for storage in [storage for each in made for storage in each.opened]:
            asyncio.run(storage.close())
