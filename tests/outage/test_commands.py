"""Every command while the provider is out: it works, or it fails soon and says why."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from persona.config.schema import StorageSettings
from tests.campaigns.command import Command, Ran
from tests.outage.conftest import Office

RESEARCH = Path(__file__).parents[2] / "examples" / "research"
SOON = 4.0
"""Seconds that a process may take here, with all that runs beside it; alone it takes less than two."""
FLAGS = {
    "PERSONA_STORAGE__CACHE__ENABLED": "true",
    "PERSONA_STORAGE__OFFLINE__WRITES": "outbox",
    "PERSONA_STORAGE__PERFORMANCE__RETRY_DELAY": "1s",
}


class User(Command):
    """A user whose workspace is on a server.

    Args:
        folder: where the home and the project go.
        settings: the place.
        **environment: variables beside the usual ones.
    """

    def __init__(self, folder: Path, settings: StorageSettings, **environment: str) -> None:
        super().__init__(folder, settings)
        self.environment |= {"PERSONA_STORAGE__BACKEND": settings.backend} | FLAGS | environment
        self.took: dict[str, float] = {}

    def soon(self, *arguments: str, code: int, **environment: str) -> Ran:
        """Run a command that ends with this code: soon, unless it has something to do."""
        begun = time.monotonic()
        ran = self.run(*arguments, good=None, **environment)
        took = self.took[" ".join(arguments)] = time.monotonic() - begun
        print(f"{took:5.2f} s  {ran.code}  {' '.join(arguments)[:90]}")
        assert ran.code == code, (arguments, ran.out[-1000:], ran.err[-2000:])
        assert took < SOON or not code, (arguments, took)
        if code:
            assert "Error: " in ran.err or "status" in arguments or "stats" in arguments or "test" in arguments
        return ran


@pytest.fixture
def user(office: Office, tmp_path: Path) -> User:
    return User(tmp_path / "user", office.settings)


def everything(user: User, tmp_path: Path, persona: str, *, writes: int) -> None:
    """Run every command of the specification that may need the provider, and see how it ends."""
    url = json.loads(user.run("storage", "config", "show", "--json").out)
    assert url
    user.soon("list", "./personas/", "--json", code=0)
    user.soon("show", f"personas/{persona}", code=0)
    user.soon("export", "./personas/", "--format", "yaml", code=0)
    user.soon("generate", str(RESEARCH), "--output", "./more/", code=writes)
    user.soon("generate", "s3://outages/nothing.csv", "--output", "./more/", code=7)
    user.soon("show", "personas/nobody", code=7)
    user.soon("storage", "status", code=7)
    user.soon("storage", "stats", code=7)
    user.soon("storage", "stats", "--detailed", "--json", code=7)
    user.soon("storage", "list", code=0)
    user.soon("storage", "list", "personas", "--json", code=0)
    user.soon("storage", "config", "show", code=0)
    user.soon("storage", "config", "set", "cache.ttl", "2h", code=0)
    user.soon("storage", "config", "test", code=7)
    user.soon("storage", "sync", "--from", "personas", "--to", str(tmp_path / "copy"), code=7)
    user.soon("storage", "migrate", "--from", "s3", "--to", f"file://{tmp_path}/copy", code=7)
    user.soon("storage", "migrate", "--from", "s3", "--to", f"file://{tmp_path}/copy", "--dry-run", code=7)
    user.soon("storage", "migrate", "list", code=0)
    user.soon("storage", "migrate", "pause", code=5)
    user.soon("storage", "migrate", "resume", code=5)
    user.soon("storage", "outbox", "list", code=0)
    user.soon("workspace", "list", code=0)


def made(user: User) -> list[str]:
    """Make personas, and have all that is needed in an outage in the cache; return their ids."""
    user.run("generate", str(RESEARCH), "--output", "./personas/")
    user.run("export", "./personas/")
    user.run("storage", "list")
    return [each["id"] for each in user.run("list", "./personas/", "--json").json["personas"]]


@pytest.mark.parametrize("writes", ["fail", "outbox"])
def test_every_command_works_or_fails_soon_while_nobody_is_there(
    user: User, office: Office, tmp_path: Path, writes: str
) -> None:
    user.environment["PERSONA_STORAGE__OFFLINE__WRITES"] = writes
    ids = made(user)
    office.door.shut()
    everything(user, tmp_path, ids[0], writes=7 if writes == "fail" else 0)
    user.soon("storage", "outbox", "flush", code=0 if writes == "fail" else 7)
