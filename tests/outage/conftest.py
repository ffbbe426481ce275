"""A server behind a door, and storage composed around it as a workspace has it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from persona.config.schema import OfflineSettings, StorageSettings
from persona.storage.backend import StorageBackend
from persona.storage.cache.recall import Recall
from persona.storage.cache.store import Store
from persona.storage.layers.breaker import Breaker
from persona.storage.layers.cache import Cache
from persona.storage.layers.fallback import Fallback
from persona.storage.outage import OutageState
from persona.storage.outbox import Outbox
from persona.storage.stack import open_storage
from tests.campaigns.sites import through
from tests.outage.gates import Door
from tests.serving import Server

PLACE = "default|a place|"


class Office:
    """What one user has: a folder that outlives commands, and a place behind a door.

    Args:
        folder: the user's own.
        door: what the place is reached through.
        settings: of the place, through the door.
        direct: of the place itself, as a colleague has it.
    """

    def __init__(self, folder: Path, door: Door, settings: StorageSettings, direct: StorageSettings) -> None:
        self.folder = folder
        self.door = door
        self.settings = settings
        self.direct = direct

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.folder / "outbox", PLACE)

    @property
    def state(self) -> OutageState:
        return OutageState(self.folder / "outage", PLACE)

    def open(self, *, writes: str = "outbox", reads: str = "cache", fresh: bool = False) -> Fallback:
        """Open the storage as one command does."""
        breaker = Breaker(open_storage(self.settings), self.state)
        store = Store(self.folder / "cache", PLACE, max_size=10_000_000)
        return Fallback(
            Cache(breaker, store),
            Recall(store),
            self.outbox,
            OfflineSettings(reads=reads, writes=writes),
            provider=breaker,
            fresh=fresh,
        )

    def colleague(self) -> StorageBackend:
        """Open the place as somebody else has it, without a door."""
        return open_storage(self.direct)


@pytest.fixture
def office_of(running: Callable[[str], Server], tmp_path: Path) -> Iterator[Callable[[str], Office]]:
    """A function that gives a place of one's own on a server, behind a door."""
    doors: list[Door] = []

    def make(name: str) -> Office:
        server = running(name)
        doors.append(Door(server.address))
        direct = server.settings(server.make_bucket("outages"), secrets.token_hex(6))
        quick = replace(direct, performance=replace(direct.performance, retry_attempts=1, retry_delay=0.05))
        return Office(tmp_path / "keeping", doors[-1], through(quick, doors[-1]), direct)

    yield make
    for door in doors:
        door.shut()


@pytest.fixture
def office(office_of: Callable[[str], Office]) -> Office:
    """A place on SeaweedFS."""
    return office_of("seaweedfs")
