"""What killed processes and earlier builds of SQLite left of a respondent goes with an erasure, and before it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import StorageSettings
from persona.errors import PersonaError
from persona.storage.backend import PastVersion, RefusedName, StorageBackend
from persona.storage.backends.local import LocalBackend
from persona.storage.layers.below import Below
from persona.storage.layers.breaker import Breaker
from persona.storage.layers.cache import Cache
from persona.storage.layers.fallback import Fallback
from persona.storage.layers.informing import Informing
from persona.storage.layers.resident import Resident
from persona.storage.outbox import Outbox
from persona.storage.private import sweep_drafts, write_durably
from persona.storage.sqlite import connect
from persona.transfer.journal import Journal
from persona.transfer.model import Row, State
from tests.cli.conftest import Configure, Run, changed, files_below
from tests.erasure.conftest import put
from tests.erasure.test_erase import ERASE, Place
from tests.faults import FaultProxy
from tests.quirks import VERSIONS, versions_without_markers

SAID = b"I live at 12 Elm Street."
_WRITER = """
import os, sys, time
from pathlib import Path
from typing import Any
from persona.storage.backends.local_draft import Draft
from persona.storage.backends.local_files import Disk
from persona.locks import claim
from persona.storage.outbox import Outbox
from persona.storage.private import private
folder, outbox = Path(sys.argv[1]), Path(sys.argv[2])
draft = Draft(Disk(folder), "research/E08.md")
draft.append(b"I live at 12 Elm Street." * 1000)
waiting = Outbox(outbox, "place").draft()
waiting.write(b"I live at 12 Elm Street." * 1000)
waiting.complete()
small = private(outbox / f".sent.json.{os.getpid()}-1.tmp")
claim(small.fileno())
small.write(b"I live at 12 Elm Street.")
small.flush()
print("ready", flush=True)
time.sleep(60)
"""


class Writer:
    """Another process that is in the middle of a write to a folder, and of one to an outbox."""

    def __init__(self, folder: Path, outbox: Path) -> None:
        arguments = [sys.executable, "-c", _WRITER, str(folder), str(outbox)]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def holding(*folders: Path) -> list[str]:
    """Return the files in which the respondent's words are."""
    return [name for folder in folders for name, data in files_below(folder).items() if SAID in data]


async def test_the_next_write_removes_what_a_killed_one_left_and_nothing_that_lives(tmp_path: Path) -> None:
    folder, box = tmp_path / "data", tmp_path / "outbox"
    writer = Writer(folder, box)
    try:
        await LocalBackend(folder).write("research/other.md", b"x")
        Outbox(box, "place").draft().discard()
        write_durably(box / "sent.json", b"{}")
        assert len(holding(folder, box)) == 3
    finally:
        writer.kill()
    await LocalBackend(folder).write("elsewhere.md", b"x")
    assert len(holding(folder)) == 1  # it is looked for where something is written
    await LocalBackend(folder).write("research/other.md", b"y")
    Outbox(box, "place").draft().discard()
    write_durably(box / "sent.json", b"{}")
    assert holding(folder, box) == []
    assert [found.path for found in await LocalBackend(folder).list()] == ["elsewhere.md", "research/other.md"]


def test_an_erasure_removes_what_a_killed_process_left(
    place: Place, configure: Configure, persona: Run, home: Path
) -> None:
    settings = place("local")
    root = settings.local.path
    assert root is not None
    put(settings, {"research/E08.md": b"E08: " + SAID + b"\n", "other.csv": b"Respondent,Answer\nE09,yes\n"})
    configure(settings)
    Writer(root, home / "outbox").kill()
    kept = root / ".persona" / "meta" / "00"
    kept.mkdir(parents=True)
    (kept / f"{'0' * 64}.1.json").write_bytes(b'{"path": "research/E08.md", "metadata": {"x": "%s"}}' % SAID)
    assert len(holding(root, home)) == 5
    ran = persona(*ERASE, "--yes", "--json")
    assert ran.code == 0, ran.out
    assert holding(root, home) == []


def test_a_lock_is_asked_and_not_the_age(tmp_path: Path) -> None:
    """A write that takes long is not removed, however old its file looks."""
    writer = Writer(tmp_path / "data", tmp_path / "outbox")
    try:
        for file in [*(tmp_path / "data").rglob("%~tmp-*"), *(tmp_path / "outbox").iterdir()]:
            os.utime(file, (0, 0))
        put(StorageSettings(local=_local(tmp_path / "data")), {"research/x": b""})
        Outbox(tmp_path / "outbox", "place").draft().discard()
        sweep_drafts(tmp_path)
        assert len(holding(tmp_path)) == 3
    finally:
        writer.kill()


def test_nothing_stays_in_the_pages_of_a_database(tmp_path: Path) -> None:
    """What is deleted is overwritten from the first write on, whatever SQLite was built with."""
    file = tmp_path / "x.db"
    db = connect(file)
    assert db.execute("PRAGMA secure_delete").fetchone() == (1,)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE objects (path TEXT)")
    db.executemany("INSERT INTO objects VALUES (?)", [(f"{SAID.decode()} {number}",) for number in range(500)])
    db.execute("DELETE FROM objects")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert SAID not in file.read_bytes()


def test_an_erasure_rewrites_databases_that_others_have_written(
    place: Place, configure: Configure, persona: Run, home: Path, tmp_path: Path
) -> None:
    """A journal, the memory of a pair and a cache's index of before: deleted rows are in their free pages."""
    settings = place("moto")
    put(settings, {"research/a.csv": b"Respondent,Answer\nE09,yes\n"})
    file = configure(settings)
    assert persona("storage", "config", "set", "cache.enabled", "true").code == 0
    assert persona("storage", "cache", "warm", "research/").code == 0
    assert persona("storage", "sync", "--from", "research/", "--to", str(tmp_path / "copy")).code == 0
    databases = [path for path in home.rglob("*") if path.is_file() and path.read_bytes()[:6] == b"SQLite"]
    assert {path.suffix for path in databases} == {".db", ".seen", ".sqlite3"}, file
    for path in databases:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("CREATE TABLE old (path TEXT)")
        db.executemany("INSERT INTO old VALUES (?)", [(f"{SAID.decode()} {number}",) for number in range(500)])
        db.execute("DROP TABLE old")
        db.close()
    assert len(holding(home)) == 3
    assert persona(*ERASE, "--yes").code == 0
    assert holding(home) == []


def test_free_texts_of_a_journal_lose_the_respondent(
    place: Place, configure: Configure, persona: Run, home: Path
) -> None:
    """Errors, a comparison's place, reserved names, metadata. A pattern that a paused job needs is named."""
    configure(place("local"))
    folder = home / "transfers" / "default"
    folder.mkdir(parents=True)
    ids = {State.COMPLETE: "20260101-000000-0001", State.PAUSED: "20260101-000000-0002", None: "20260101-000000-0003"}
    for state, job in ids.items():
        journal = Journal(folder / f"{job}.db", create=True)
        options = {"include": [], "exclude": ["calls/E08/*"] if state is not State.PAUSED else ["x"]}
        with journal.transaction():
            journal.set(
                id=job,
                state=state or State.PAUSED,
                options=options,
                error="calls/E08.mp3: The disk is full.",
                cursor=("calls/E08.mp3", 3),
                reserved={"objects": 1, "last": "calls/E08.mp3"},
                folder_markers=(1, "calls/E08"),
                destination={"name": "elsewhere", "url": "file:///x"},
            )
            row = Row("other.txt", 1, "v", step="failed", error="It is a link to calls/E08.mp3.")
            row.metadata = {"companion": "E08"}
            journal.add([row, Row("calls/E08.mp3", 1, "v")])
            journal.refuse("source", [RefusedName("bad\0name", "It has the same file as calls/E08.mp3.")])
        journal.close()
    ran = persona(*ERASE, "--yes", "--json")
    assert ran.code == 1
    assert [(each["path"], "prune" in each["reason"]) for each in ran.json["left"]] == [
        (f"the journal {ids[None]}", True)
    ]
    held = [name for name, data in files_below(folder).items() if b"E08" in data]
    assert held == [f"{ids[None]}.db"]
    journal = Journal(folder / f"{ids[State.PAUSED]}.db")
    assert [row.path for row in journal.rows()] == ["other.txt"]
    assert journal.get("options")["exclude"] == ["x"]
    journal.close()


def _local(path: Path):  # type: ignore[no-untyped-def]
    from persona.config.schema import LocalSettings

    return LocalSettings(path=path)


class Versioned(LocalBackend):
    """A storage that keeps two earlier versions."""

    async def past(self):  # type: ignore[no-untyped-def]
        yield [PastVersion("a/b", "1", 3), PastVersion("c", "2", 3)]

    async def read_past(self, version: PastVersion) -> bytes:
        return f"{version.path} {version.id}".encode()

    async def delete_past(self, version: PastVersion) -> None:
        raise PersonaError(f"asked to delete {version.path}")


@pytest.mark.parametrize("kind", [Breaker, Fallback, Informing, Resident, Below])
async def test_no_layer_says_that_there_are_no_earlier_versions(tmp_path: Path, kind: type[StorageBackend]) -> None:
    """A cache is an `Informing` too."""
    assert issubclass(Cache, Informing)
    inner = Versioned(tmp_path)
    arguments: dict[type[StorageBackend], tuple[Any, ...]] = {
        Fallback: (inner, None, None, StorageSettings().offline),
        Informing: (inner, []),
        Resident: (inner, StorageSettings().residency, None),
        Below: (inner, "a"),
    }
    layer = kind(*arguments.get(kind, (inner,)))
    found = [version async for page in layer.past() for version in page]
    paths = ["b"] if kind is Below else ["a/b", "c"]
    assert [version.path for version in found] == paths
    assert await layer.read_past(found[0]) == b"a/b 1"
    with pytest.raises(PersonaError, match="asked to delete a/b"):
        await layer.delete_past(found[0])


async def test_what_cannot_tell_of_earlier_versions_does_not_say_none(tmp_path: Path) -> None:
    class Mute(LocalBackend):
        past = StorageBackend.past

    with pytest.raises(PersonaError, match="not known"):
        [page async for page in Mute(tmp_path).past()]


def test_pages_of_versions_without_an_end_end(place: Place, configure: Configure, persona: Run) -> None:
    settings = place("moto")
    put(settings, {"research/a.csv": b"Respondent,Answer\nE08,no\nE09,yes\n"})
    upstream = (settings.s3.endpoint_url or "").removeprefix("http://")
    with FaultProxy(upstream) as proxy:
        configure(changed(settings, endpoint_url=proxy.url))
        proxy.always("GET", VERSIONS, versions_without_markers)
        ran = persona(*ERASE, "--yes", "--versions", "--json")
        assert len(proxy.requests("GET", VERSIONS)) < 20
    assert ran.code == 1
    assert ran.json["complete"] is False
    assert [each["path"] for each in ran.json["erased"]] == ["research/a.csv"]
    assert "did not return a complete listing" in ran.json["earlier_versions"]["unknown"]
