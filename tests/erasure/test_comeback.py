"""A respondent who is erased while a migration runs, is paused, or was killed does not stand at its destination."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from persona.cli.erased import ErasedGuard, joined
from persona.personas import erasure
from persona.personas.subjects import named_by
from persona.storage import tombstones
from persona.storage.backend import Download, Listing, StorageBackend, StorageObject
from persona.storage.backends.local import LocalBackend
from persona.storage.layers.layer import Layer
from persona.storage.outbox_entry import Entry
from persona.storage.stack import Keeping, open_outbox
from persona.transfer.engine import Engine
from persona.transfer.model import State
from persona.workspace import resolve
from tests.cli.conftest import Configure, Run, changed, files_below
from tests.erasure.conftest import SUBJECT, contents, file_with, on, put
from tests.erasure.test_erase import Place, holding
from tests.faults import FaultProxy, reset
from tests.transfer.conftest import Rig, rig

__all__ = ["rig"]
ERASE = ("storage", "erase", "--subject", SUBJECT, "--yes")
OTHERS = {f"others/{number}.csv": b"Respondent,Answer\nE%d,yes\n" % (20 + number) for number in range(6)}
DATA = OTHERS | {
    "interviews/E08.md": b"E08: I live at 12 Elm Street.\n",
    "interviews/pair.md": b"E08: I disagree.\nE09: I agree.\n",
    "research/survey.csv": b"Respondent,Answer\nE08,no\nE09,yes\n",
    "research/E08.mp3": b"\x00\x01",
}
OLD = b"Respondent,Answer\nE08,of before\nE09,of before\n"
MOMENTS = 50


class Moments:
    """Counts the operations on two storages, and does something before one of them.

    Args:
        at: before which one.
        work: what.
    """

    def __init__(self, at: int, work: Callable[[], Awaitable[None]]) -> None:
        self.at = at
        self.work = work
        self.names: list[str] = []

    async def tick(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.at:
            await self.work()


class Watched(Layer):
    """A storage whose operations are counted."""

    def __init__(self, inner: StorageBackend, moments: Moments, side: str) -> None:
        super().__init__(inner)
        self.moments = moments
        self.side = side

    async def open(self, path: str, **how: Any) -> Download:
        await self.moments.tick(f"{self.side} open")
        return await super().open(path, **how)

    async def write(self, path: str, data: bytes, **how: Any) -> StorageObject:
        await self.moments.tick(f"{self.side} write")
        return await super().write(path, data, **how)

    async def write_stream(self, path: str, chunks: AsyncIterable[bytes], **how: Any) -> StorageObject:
        await self.moments.tick(f"{self.side} write")
        return await super().write_stream(path, chunks, **how)

    async def stat(self, path: str) -> StorageObject:
        await self.moments.tick(f"{self.side} stat")
        return await super().stat(path)

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        await self.moments.tick(f"{self.side} scan {prefix}")
        async for page in super().scan(prefix, after=after):
            yield page

    async def copy_from(self, *_: Any, **__: Any) -> None:
        """Copy through this machine, so that there are moments between."""


async def erase_from(storage: StorageBackend) -> None:
    """Erase as the command does, without a machine's cache and outbox."""
    await tombstones.lay(storage, SUBJECT)
    search = erasure.Search(storage, None, SUBJECT)
    await erasure.erase(storage, search, SUBJECT, await search.all(), past=False)


@pytest.mark.parametrize("erased", ["source", "target"])
def test_an_erasure_at_any_moment_of_a_migration(
    rig: Callable[[StorageBackend, StorageBackend], Rig], tmp_path: Path, erased: str
) -> None:
    outcomes = [
        asyncio.run(_at_moment(rig, tmp_path / str(moment), 2 * moment, erased, paused=bool(moment % 2)))
        for moment in range(1, MOMENTS // 2 + 1)
    ]
    assert outcomes.count("late") <= 4, outcomes
    assert outcomes.count("removed") > MOMENTS // 5, outcomes


async def _at_moment(rig: Callable[..., Rig], folder: Path, at: int, erased: str, *, paused: bool) -> str:
    bare = {name: LocalBackend(folder / name) for name in ("source", "target")}
    for path, data in DATA.items():
        await bare["source"].write(path, data)
    await bare["target"].write("research/survey.csv", OLD)

    async def work() -> None:
        if paused:
            engine.pause()
        else:
            await erase_from(bare[erased])

    moments = Moments(at, work)
    source, target = (Watched(bare[name], moments, name) for name in bare)
    job = rig(source, target).begin(overwrite=True)

    async def guard() -> ErasedGuard | None:
        known = await joined(source, target)
        return ErasedGuard(known) if known else None

    engine = job.engine(guard=guard)
    states = [await engine.run()]
    if paused:
        await erase_from(bare[erased])
        job.jobs.forget(lambda path: named_by(path, SUBJECT))
    listed = [number for number, name in enumerate(moments.names, 1) if name == f"{erased} scan {tombstones.FOLDER}"]
    while states[-1] is not State.COMPLETE and len(states) < 4:
        states.append(await job.run(guard=guard))
    there = {found.path: await bare["target"].read(found.path) for found in await bare["target"].list("")}
    if not paused and at > max(listed):
        return "late"  # it was erased after the last look: as if after the job
    if paused and states[0] is State.COMPLETE:
        return "late"
    assert at <= len(moments.names)
    left = [path for path in holding(there) if not path.startswith(tombstones.FOLDER)]
    if states[-1] is State.COMPLETE:
        assert left == [], (at, states, moments.names[at - 1])
    else:
        named = " ".join(each["path"] for each in job.report["failures"])
        assert all(path in named for path in left), (at, left, job.report["failures"])
    assert {path: there[path] for path in OTHERS} == OTHERS
    return "removed" if State.INCOMPLETE in states else "clean"


def test_a_paused_migration_is_resumed_after_an_erasure(
    place: Place, configure: Configure, persona: Run, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command line: what was copied before is deleted, the job fails by name, and a second resume completes."""
    settings, target = place("local"), tmp_path / "target"
    put(settings, DATA)
    configure(settings)
    verify = Engine._verify_all
    paused: list[Engine] = []

    async def pausing(engine: Engine) -> None:
        if not paused:
            paused.append(engine)
            engine.pause()
            engine._check()
        await verify(engine)

    monkeypatch.setattr(Engine, "_verify_all", pausing)
    assert persona("storage", "migrate", "--from", "local", "--to", f"file://{target}").code == 130
    assert set(_objects(target)) == set(DATA)
    erased = persona(*ERASE, "--json")
    assert erased.json["journal_rows"] == 2
    assert erased.code == 1  # the copies are still at the destination
    assert [each["reason"].split(" before")[0] for each in erased.json["left"]] == [
        f"The job may have copied the respondent to file://{target}/"
    ]
    assert not [name for name, data in files_below(home).items() if b"E08.mp3" in data]
    resumed = persona("storage", "migrate", "resume", "--json")
    assert resumed.code == 1, resumed.err
    failures = {each["path"]: each["error"] for each in resumed.json["failures"]}
    assert [name.split()[0] for name in failures] == ["[erased]", "[erased]"]  # the others were copied anew
    assert all("was deleted" in error for error in failures.values())
    assert not [path for path in holding(_objects(target)) if not path.startswith(".persona-")]
    again = persona("storage", "migrate", "resume", resumed.json["id"], "--json")
    assert again.code == 0, again.out
    assert _objects(target) == contents(settings)
    assert persona(*ERASE, "--json").json["complete"]


def _objects(folder: Path) -> dict[str, bytes]:
    return {path: data for path, data in files_below(folder).items() if not path.startswith(".persona/")}


def test_in_an_outage_generate_holds_to_what_is_known_here(
    place: Place, configure: Configure, persona: Run, library: dict[str, bytes], tmp_path: Path, home: Path
) -> None:
    settings = place("moto")
    put(settings, library)
    source = file_with(tmp_path, "survey.csv", library["research/survey.csv"])
    upstream = (settings.s3.endpoint_url or "").removeprefix("http://")
    with FaultProxy(upstream) as proxy:
        configure(changed(settings, endpoint_url=proxy.url))
        assert persona("storage", "config", "set", "offline.writes", "outbox").code == 0
        assert persona(*ERASE).code == 0
        for method in ("GET", "HEAD", "PUT", "POST"):
            proxy.always(method, "", reset)
        for fault in proxy.faults:
            fault.least = 0  # which method comes first, and how many, is not of interest
        made = persona("generate", str(source), "--output", "more/", "--json")
        assert made.code == 0, made.err
        assert "Left out, having been erased: 1 respondent." in made.json["notes"]
        assert "did not respond" in made.err
        waiting = {name: data for name, data in files_below(home).items() if "outbox/" in name}
        assert waiting
        assert not [name for name, data in waiting.items() if SUBJECT.encode() in data]


def test_a_flush_sends_nothing_of_who_was_erased_meanwhile(
    place: Place, configure: Configure, persona: Run, library: dict[str, bytes]
) -> None:
    settings = place("moto")
    configure(settings)
    here = resolve(None)
    box = open_outbox(here.settings.storage, Keeping(workspace=here.name, folder=here.folder))
    for path in ("research/survey.csv", "research/untouched.csv"):
        draft = box.draft()
        draft.write(library[path])
        box.add(draft, Entry("", path=path))
    on(settings, lambda storage: tombstones.lay(storage, SUBJECT))  # on another machine
    ran = persona("storage", "outbox", "flush")
    assert ran.code == 1
    assert "000001 in the outbox was not sent: It holds a respondent who was erased" in ran.err
    assert "persona storage outbox drop 000001" in ran.err
    assert [entry.path for entry in box.everything()] == ["research/survey.csv"]
    there = contents(settings)
    assert "research/untouched.csv" in there
    assert "research/survey.csv" not in there
