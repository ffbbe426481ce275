"""Every command while the provider is out: it works, or it fails soon and says why."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest

from persona.cli import app
from persona.config.schema import StorageSettings
from persona.storage.stack import open_storage
from tests.campaigns.command import Command, Ran
from tests.outage.conftest import Office
from tests.outage.gates import Stoppable, hole

RESEARCH = Path(__file__).parents[2] / "examples" / "research"
SOON = 10.0
"""Seconds that a process may take here, with all that runs beside it; alone it takes 0.2 to 1.7."""
FLAGS = {
    "PERSONA_STORAGE__CACHE__ENABLED": "true",
    "PERSONA_STORAGE__OFFLINE__WRITES": "outbox",
    "PERSONA_STORAGE__PERFORMANCE__RETRY_DELAY": "20s",  # so that whoever waits for retries is late
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
        sys.stderr.write(f"{took:5.2f} s  {ran.code}  {' '.join(arguments)[:90]}\n")
        assert ran.code == code, (arguments, ran.out[-1000:], ran.err[-2000:])
        assert took < SOON or code != 7, (arguments, took)
        if code:
            assert "Error: " in ran.err or "status" in arguments or "stats" in arguments or "test" in arguments
        return ran


@pytest.fixture
def user(office: Office, tmp_path: Path) -> User:
    return User(tmp_path / "user", office.settings)


def everything(user: User, tmp_path: Path, persona: str) -> None:
    """Run every command of the specification that may need the provider, and see how it ends."""
    user.soon("list", "./personas/", "--json", code=0)
    user.soon("show", f"personas/{persona}", code=0)
    user.soon("export", "./personas/", "--format", "yaml", code=0)
    user.soon("generate", str(RESEARCH), "--output", "./more/", code=0)
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
    user.soon("storage", "cache", "warm", "./personas/", code=7)
    user.soon("storage", "cache", "stats", code=0)
    user.soon("storage", "cache", "clear", "--older-than", "7d", code=0)
    user.soon("list", "./personas/", "--fresh", code=7)
    user.soon("storage", "outbox", "list", code=0)
    user.soon("workspace", "list", code=0)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Personas, by their paths, made once."""
    folder = tmp_path_factory.mktemp("library")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONA_HOME", str(folder))
        patch.chdir(folder)
        assert app.run(["generate", str(RESEARCH), "--output", "./personas/", "--quiet"]) == 0
    return {f"personas/{file.name}": file.read_bytes() for file in (folder / "data" / "personas").glob("*.yaml")}


def made(user: User, settings: StorageSettings, library: dict[str, bytes]) -> list[str]:
    """Have personas in the place, and all that is needed of them in an outage in the cache; return their ids."""
    asyncio.run(_put(settings, library))
    user.run("export", "./personas/")
    user.run("storage", "list")
    return [each["id"] for each in user.run("list", "./personas/", "--json").json["personas"]]


def test_the_cached_part_of_a_library_is_not_the_library(user: User, office: Office, library: dict[str, bytes]) -> None:
    asyncio.run(_put(office.direct, library))
    user.run("show", min(library))
    office.door.shut()
    for command in (["export", "--format", "json"], ["list"]):
        assert "Incomplete: only the personas that are cached" in user.run(*command, good=(1,)).err
    assert user.run("export", "--json", good=(1,)).json["whole"] is False


def test_writes_may_be_told_to_fail(user: User, office: Office, tmp_path: Path, library: dict[str, bytes]) -> None:
    made(user, office.direct, library)
    office.door.shut()
    user.soon("generate", str(RESEARCH), "--output", "./more/", code=7, PERSONA_STORAGE__OFFLINE__WRITES="fail")
    assert user.soon("storage", "outbox", "list", "--json", code=0).json == {"entries": []}
    user.soon("storage", "outbox", "flush", code=0)  # there is nothing to send


@pytest.mark.parametrize("endpoint", ["hole", "http://no.such.host.invalid:8333"])
def test_a_network_that_swallows_everything_and_a_name_that_is_not_known(
    user: User, office: Office, tmp_path: Path, endpoint: str
) -> None:
    with hole() as (host, port):
        there = f"http://{host}:{port}" if endpoint == "hole" else endpoint
        environment = {"PERSONA_STORAGE__S3__ENDPOINT_URL": there, "PERSONA_STORAGE__S3__ALLOW_INSECURE": "true"}
        for arguments in (
            ("list",),
            ("storage", "list"),
            ("storage", "status"),
            ("storage", "config", "test"),
            ("generate", "s3://outages/nothing.csv"),
            ("generate", str(RESEARCH)),
            ("storage", "sync", "--from", "personas", "--to", str(tmp_path / "copy")),
        ):
            environment["PERSONA_STORAGE__OFFLINE__WRITES"] = "fail"
            user.soon(*arguments, code=7, **environment)


def test_a_server_that_is_silent_is_asked_once(user: User, office: Office, library: dict[str, bytes]) -> None:
    ids = made(user, office.direct, library)
    office.door.freeze()
    impatient = {"PERSONA_STORAGE__PERFORMANCE__TIMEOUT": "1s", "PERSONA_STORAGE__PERFORMANCE__RETRY_ATTEMPTS": "0"}
    assert user.run("storage", "list", good=(0,), **impatient).code == 0  # what is known, after the timeout
    asked = len(office.door.passed)
    for arguments in (("list", "./personas/"), ("show", f"personas/{ids[0]}"), ("storage", "list")):
        assert user.soon(*arguments, code=0).err.count("Warning: ") <= 1  # none if the cache is fresh
    user.soon("show", "personas/nobody", code=7)
    assert len(office.door.passed) <= asked + 3  # tries, when they are due
    office.door.freeze(False)
    assert user.run("storage", "status").code == 0  # it always asks
    assert user.run("list", "./personas/").err == ""


def test_what_is_known_is_marked_with_its_time(user: User, office: Office, library: dict[str, bytes]) -> None:
    made(user, office.direct, library)
    office.door.shut()
    status = user.soon("storage", "status", "--json", code=7)
    known = status.json
    assert known["objects"] == 5
    assert known["total_bytes"] > 1000
    assert known["whole"]
    assert known["as_of"].endswith("Z")
    assert known["health"] == {"ok": False, "latency_ms": None, "error": known["health"]["error"]}
    assert "Nothing answers" in known["health"]["error"]
    assert known["breaker"]["state"] == "open"
    assert known["breaker"]["failures"] >= 1
    assert known["breaker"]["since"] < known["breaker"]["retry_at"]
    assert known["outbox"] == {"waiting": 0, "conflicts": 0, "bytes": 0}
    text = user.soon("storage", "status", code=7)
    assert "Statistics, as known of 20" in text.out
    assert "Objects: 5" in text.out
    assert "Health: ❌ Nothing answers" in text.out
    assert "Breaker: open since 20" in text.out
    listed = user.soon("storage", "list", "--json", code=0)
    assert listed.json["as_of"] == known["as_of"]
    assert listed.json["whole"]
    assert len(listed.json["objects"]) == 5
    assert listed.err.count("Warning: ") == 1
    assert "5 objects came from what is kept here, the oldest as it was" in listed.err
    assert "5 objects, as known of 20" in user.soon("storage", "list", code=0).out
    user.soon("storage", "list", "elsewhere", code=7)  # absence is never certain
    office.door.open()
    back = user.run("storage", "status", "--json")
    assert back.json["health"]["ok"]
    assert back.json["breaker"] == {"state": "closed", "since": None, "retry_at": None, "failures": 0}
    assert "as_of" not in back.json
    assert "as_of" not in user.run("storage", "list", "--json").json


def test_reads_may_be_told_to_fail(user: User, office: Office, library: dict[str, bytes]) -> None:
    made(user, office.direct, library)
    office.door.shut()
    user.soon("storage", "list", code=7, PERSONA_STORAGE__OFFLINE__READS="fail")
    user.soon("storage", "list", code=7, PERSONA_STORAGE__CACHE__ENABLED="false")
    ran = user.soon("storage", "status", "--json", code=7, PERSONA_STORAGE__CACHE__ENABLED="false")
    assert ran.json["objects"] is None


def test_writes_wait_are_seen_and_arrive_once_and_in_order(user: User, office: Office, tmp_path: Path) -> None:
    user.run("storage", "list")
    office.door.shut()
    waits = user.soon("generate", str(RESEARCH), "--output", "./personas/", code=0)
    assert waits.err.count("is in the outbox as") == 5
    ids = [each["id"] for each in user.soon("list", "./personas/", "--json", code=0).json["personas"]]
    assert len(ids) == 4
    user.soon("show", f"personas/{ids[0]}", code=0)
    refused = user.soon("generate", str(RESEARCH), "--output", "./personas/", code=6)  # they are there
    assert "there already" in refused.err
    user.soon("generate", str(RESEARCH), "--output", "./personas/", "--overwrite", code=0)
    entries = user.soon("storage", "outbox", "list", "--json", code=0).json["entries"]
    assert [entry["condition"] for entry in entries] == ["absent"] * 5 + [
        f"version outbox:00000{n}" for n in range(1, 6)
    ]
    assert {entry["state"] for entry in entries} == {"waiting"}
    assert user.soon("storage", "status", "--json", code=7).json["outbox"]["waiting"] == 10
    moved = user.soon("storage", "sync", "--from", "personas", "--to", str(tmp_path / "copy"), code=7)
    assert moved.code == 7
    office.door.open()
    before = len(office.door.writes())
    first = user.run("list", "./personas/", "--json")
    assert "10 writes from the outbox arrived." in first.err
    assert [each["id"] for each in first.json["personas"]] == ids
    sent = [each for each in office.door.writes()[before:] if "persona-probe" not in each]
    assert sent == [f"PUT {entry['path'].rpartition('/')[2]}" for entry in entries]
    assert user.run("storage", "outbox", "list", "--json").json == {"entries": []}
    assert user.run("list", "./personas/").err == ""


def test_a_move_says_what_waits(user: User, office: Office, tmp_path: Path, library: dict[str, bytes]) -> None:
    made(user, office.direct, library)
    office.door.shut()
    user.soon("generate", str(RESEARCH), "--output", "./personas/", "--overwrite", code=0)
    office.door.open()
    moved = user.run("storage", "sync", "--from", "personas", "--to", str(tmp_path / "copy"))
    assert "5 writes to " in moved.err
    assert "wait in the outbox" in moved.err
    elsewhere = user.run("storage", "sync", "--from", str(tmp_path / "copy"), "--to", str(tmp_path / "other"))
    assert "outbox" not in elsewhere.err


def test_a_conflict_from_its_beginning_to_its_end(
    user: User, office: Office, tmp_path: Path, library: dict[str, bytes]
) -> None:
    ids = made(user, office.direct, library)
    office.door.shut()
    user.soon("generate", str(RESEARCH), "--output", "./personas/", "--overwrite", code=0)
    waiting = user.run("storage", "outbox", "list", "--json").json["entries"]
    first, second, third = (entry["path"] for entry in waiting[:3])
    asyncio.run(_put(office.direct, dict.fromkeys((first, second, third), b"theirs")))
    office.door.open()
    listed = user.run("storage", "list", "personas")
    assert "2 writes from the outbox arrived. 3 writes met what others wrote" in listed.err
    assert "persona storage outbox list" in listed.err
    status = user.run("storage", "status", "--json").json["outbox"]
    assert (status["waiting"], status["conflicts"]) == (0, 3)
    flushed = user.run("storage", "outbox", "flush", "--json", good=(6,))
    assert [entry["path"] for entry in flushed.json["conflicts"]] == [first, second, third]
    shown = user.run("storage", "outbox", "list").out
    assert "conflict" in shown
    assert "there are 6 B of 20" in shown
    entries = user.run("storage", "outbox", "list", "--json").json["entries"]
    assert entries[0]["conflict"]["size"] == 6
    ours = tmp_path / "ours.yaml"
    user.run("storage", "outbox", "export", entries[0]["id"], str(ours))
    assert Path(first).stem in ours.read_text()
    assert len(ids) == 4
    dropped = user.run("storage", "outbox", "drop", entries[0]["id"])
    assert f"Dropped {entries[0]['id']}: write of " in dropped.out
    asyncio.run(_gone(office, second, third))  # so that nothing stands in the way: but these had a version to replace
    assert user.run("storage", "outbox", "flush", good=(6,)).err.startswith("Error: 2 of what waits met")
    user.run("storage", "outbox", "drop", "2", "3", "99", good=(5,))
    assert len(user.run("storage", "outbox", "list", "--json").json["entries"]) == 2
    left = [entry["id"] for entry in entries[1:]]
    assert user.run("storage", "outbox", "drop", *left, "--json").json["dropped"][0]["path"] == second
    assert user.run("storage", "outbox", "flush").out == "Nothing waits.\n"
    user.run("storage", "outbox", "export", "1", str(ours), good=(5,))
    user.run("storage", "outbox", "drop", good=(2,))


async def _put(settings: StorageSettings, contents: dict[str, bytes]) -> None:
    storage = open_storage(settings)
    for path, data in contents.items():
        await storage.write(path, data)
    await storage.close()


async def _gone(office: Office, *paths: str) -> None:
    storage = office.colleague()
    for path in paths:
        await storage.delete(path)
    await storage.close()


def test_every_command_while_the_server_is_killed_and_started_again(tmp_path: Path, library: dict[str, bytes]) -> None:
    server = Stoppable(tmp_path / "server")
    try:
        server.begin()
        user = User(tmp_path / "user", server.settings(server.make_bucket("outages"), "team"))
        ids = made(user, server.settings("outages", "team"), library)
        server.kill()
        everything(user, tmp_path, ids[0])
        user.soon("storage", "outbox", "flush", code=7)
        server.begin()
        back = user.run("list", "./more/", "--json")
        assert "5 writes from the outbox arrived." in back.err
        assert [each["id"] for each in back.json["personas"]] == ids
        server.signal(signal.SIGSTOP)
        impatient = {"PERSONA_STORAGE__PERFORMANCE__TIMEOUT": "1s", "PERSONA_STORAGE__PERFORMANCE__RETRY_ATTEMPTS": "0"}
        user.run("storage", "list", good=(0,), **impatient)
        user.soon("show", f"personas/{ids[0]}", code=0)
        user.soon("show", "personas/nobody", code=7)
        server.signal(signal.SIGCONT)
        assert user.run("storage", "status").code == 0
        assert user.run("list", "./more/").err == ""
    finally:
        server.kill()


def test_deleting_a_workspace_speaks_of_what_it_has_not_sent(user: User, office: Office) -> None:
    s3 = office.settings.s3
    place = {"s3.bucket": s3.bucket, "s3.prefix": "elsewhere", "s3.endpoint_url": s3.endpoint_url}
    settings = [f"--set={name}={value}" for name, value in place.items()]
    user.run("workspace", "create", "second", "--backend", "s3", *settings)
    office.door.shut()
    user.run("--workspace", "second", "generate", str(RESEARCH))
    assert user.run("storage", "outbox", "list", "--json").json == {"entries": []}  # each has its own
    deleted = user.run("workspace", "delete", "second", "--yes")
    assert "5 writes wait that were never sent" in deleted.err
