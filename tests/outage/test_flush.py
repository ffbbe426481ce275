"""Sending the outbox: once, in order, and nothing over what others wrote; whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from persona.errors import AccessDeniedError, UnreachableError
from persona.storage import flush as module
from persona.storage.backend import IfAbsent, IfVersion
from persona.storage.backends.local import LocalBackend
from persona.storage.content_headers import ContentHeaders
from persona.storage.flush import WHOLE_BYTES, Flushed, flush
from persona.storage.outbox import Outbox
from persona.storage.outbox_entry import Entry, Standing
from tests.campaigns.command import section
from tests.outage.conftest import PLACE, Office
from tests.outage.provider import DOWN, Provider
from tests.outage.test_outbox import put

ROOT = Path(__file__).parents[2]
KILLED = """
import asyncio, json, os, signal, sys
from pathlib import Path
from persona.storage.flush import flush
from persona.storage.layers.layer import Layer
from persona.storage.outbox import Outbox
from persona.config.schema import S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.storage.stack import open_storage

section = json.loads(os.environ["SECTION"])
section["secret_access_key"] = Secret(section["secret_access_key"])
left = int(sys.argv[1])

def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name):
    plain = getattr(owner, name)
    def call(*args, **more):
        step()
        result = plain(*args, **more)
        step()
        return result
    setattr(owner, name, call)

class Watched(Layer):
    async def write(self, *args, **more):
        step()
        result = await self.inner.write(*args, **more)
        step()
        return result

    async def delete(self, path, **more):
        step()
        await self.inner.delete(path, **more)
        step()

for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "replace")):
    around(owner, name)

async def main():
    storage = Watched(open_storage(StorageSettings(backend="s3", s3=S3Settings(**section))))
    await flush(Outbox(Path(sys.argv[2]), sys.argv[3]), storage)
    await storage.close()

asyncio.run(main())
"""


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox", PLACE)


@pytest.fixture
def provider() -> Provider:
    return Provider()


def said(result: Flushed) -> tuple[list[str], list[str], int]:
    return [entry.id for entry in result.sent], [entry.id for entry in result.conflicts], result.left


async def test_everything_arrives_in_order_and_once(outbox: Outbox, provider: Provider) -> None:
    old = provider.put("old", b"1")
    put(outbox, "b", b"one", IfAbsent())
    put(outbox, "a", b"two", IfAbsent())
    put(outbox, "b", b"three")
    put(outbox, "old", known=old.version, delete=True)
    put(outbox, "old", b"again", IfAbsent())
    assert said(await flush(outbox, provider)) == (["000001", "000002", "000003", "000004", "000005"], [], 0)
    assert provider.writes == ["b", "a", "b", "old"]
    assert [provider.objects[path][0] for path in ("a", "b", "old")] == [b"two", b"three", b"again"]
    assert said(await flush(outbox, provider)) == ([], [], 0)
    assert len(provider.writes) == 4


async def test_all_that_goes_with_the_content_arrives(outbox: Outbox, tmp_path: Path) -> None:
    headers = ContentHeaders("gzip", "de", "inline", "no-cache", "0")
    for path, size in (("small", 1), ("large", WHOLE_BYTES + 1)):
        draft = outbox.draft()
        draft.write(b"x" * size)
        given = Entry("", path=path, content_type="x/y", metadata={"a_b": "é"}, headers=headers)
        added = outbox.add(draft, given, IfAbsent(), known=None)
        assert next(each for each in outbox.entries() if each.id == added.id).object.headers == headers
    provider = LocalBackend(tmp_path / "provider")
    assert said(await flush(outbox, provider)) == (["000001", "000002"], [], 0)
    for path in ("small", "large"):
        found = await provider.stat(path)
        assert (found.content_type, found.metadata, found.headers) == ("x/y", {"a_b": "é"}, headers)


async def test_what_others_wrote_is_never_overwritten(outbox: Outbox, provider: Provider) -> None:
    known = provider.put("changed", b"1")
    provider.put("changed", b"theirs")
    there = provider.put("taken", b"theirs!")
    gone = provider.put("gone", b"1")
    await provider.delete("gone")
    provider.put("deleted", b"new")
    put(outbox, "changed", b"ours", IfVersion(known.version))
    put(outbox, "taken", b"ours", IfAbsent())
    put(outbox, "gone", b"ours", IfVersion(gone.version))
    put(outbox, "deleted", known="another", delete=True)
    put(outbox, "free", b"ours", IfAbsent())
    assert said(await flush(outbox, provider)) == (["000005"], ["000001", "000002", "000003", "000004"], 4)
    assert {path: found[0] for path, found in provider.objects.items()} == {
        "changed": b"theirs",
        "taken": b"theirs!",
        "deleted": b"new",
        "free": b"ours",
    }
    kept = {entry.path: entry for entry in outbox.entries()}
    assert kept["taken"].conflict == Standing(there.version, 7, there.last_modified.isoformat())
    assert kept["gone"].conflict == Standing()
    assert {entry.state for entry in kept.values()} == {"conflict"}
    assert b"".join(outbox.content(kept["changed"])) == b"ours"
    assert said(await flush(outbox, provider)) == ([], [], 4)  # not tried again unasked


async def test_a_write_in_the_moment_of_a_delete_stays(
    outbox: Outbox, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = provider.delete

    async def late(path: str, **how: Any) -> None:
        if path == "a":
            provider.put(path, b"theirs")
        else:
            await plain(path)  # someone else deletes it first
        await plain(path, **how)

    for path in ("a", "b"):
        put(outbox, path, known=provider.put(path, b"1").version, delete=True)
    monkeypatch.setattr(provider, "delete", late)
    assert said(await flush(outbox, provider)) == (["000002"], ["000001"], 1)
    assert provider.objects["a"][0] == b"theirs"
    assert outbox.entry("1").conflict == Standing("3", 6, provider._describe("a").last_modified.isoformat())


async def test_what_comes_upon_a_conflict_waits_behind_it(outbox: Outbox, provider: Provider) -> None:
    provider.put("a", b"theirs")
    first = put(outbox, "a", b"one", IfAbsent())
    put(outbox, "a", b"two", IfVersion(first.token))
    put(outbox, "b", b"three", IfAbsent())
    assert said(await flush(outbox, provider)) == (["000003"], ["000001", "000002"], 2)
    assert outbox.entry("2").conflict == outbox.entry("1").conflict
    await provider.delete("a")  # the user has decided for ours
    assert said(await flush(outbox, provider, again=True)) == (["000001", "000002"], [], 0)
    assert provider.objects["a"][0] == b"two"


async def test_dropping_what_is_in_conflict_frees_nothing_by_itself(outbox: Outbox, provider: Provider) -> None:
    provider.put("a", b"theirs")
    put(outbox, "a", b"one", IfAbsent())
    put(outbox, "a", b"two")
    await flush(outbox, provider)
    outbox.drop(outbox.entry("1"))
    assert said(await flush(outbox, provider, again=True)) == ([], ["000002"], 1)
    assert provider.objects["a"][0] == b"theirs"


async def test_equal_content_is_no_conflict(outbox: Outbox, provider: Provider) -> None:
    provider.put("a", b"same")
    provider.put("b", b"other")
    put(outbox, "a", b"same", IfAbsent())
    put(outbox, "b", b"othe!", IfAbsent())
    assert said(await flush(outbox, provider)) == (["000001"], ["000002"], 1)


async def test_an_answer_that_is_lost_leads_to_no_second_write(outbox: Outbox, provider: Provider) -> None:
    for condition in (IfAbsent(), None):
        path = f"p{condition}"
        entry = put(outbox, path, b"content", condition)
        put(outbox, path, b"more", IfVersion(entry.token))
        provider.loses_answers = True
        result = await flush(outbox, provider)
        assert isinstance(result.stopped, UnreachableError)
        assert outbox.entry(entry.id).state == "sending"
        assert len((await flush(outbox, provider)).sent) == 2
        assert provider.writes.count(path) == 2
        assert provider.objects[path][0] == b"more"


async def test_an_unconditional_write_that_may_have_arrived_overwrites_nothing(
    outbox: Outbox, provider: Provider
) -> None:
    put(outbox, "a", b"ours")
    provider.loses_answers = True
    await flush(outbox, provider)
    provider.put("a", b"theirs, upon ours")
    assert said(await flush(outbox, provider)) == ([], ["000001"], 1)
    assert provider.objects["a"][0] == b"theirs, upon ours"


async def test_it_stops_where_the_provider_stops(outbox: Outbox, provider: Provider) -> None:
    for number in range(5):
        put(outbox, f"p{number}", b"x", IfAbsent())
    provider.writes_left = 2
    result = await flush(outbox, provider)
    assert (result.stopped, result.left) == (DOWN, 3)
    provider.error, provider.writes_left = None, 100
    assert (await flush(outbox, provider)).left == 0
    assert provider.writes == [f"p{number}" for number in range(5)]


async def test_a_refusal_holds_up_its_own_path_only(outbox: Outbox, provider: Provider) -> None:
    put(outbox, "refused", b"x", IfAbsent())
    put(outbox, "refused", b"y")
    put(outbox, "free", b"x", IfAbsent())

    def refuse(path: str) -> None:
        if path == "refused":
            raise AccessDeniedError("No.")

    provider.before_write = refuse
    result = await flush(outbox, provider)
    assert said(result) == (["000003"], [], 2)
    assert [(entry.id, str(error)) for entry, error in result.failures] == [("000001", "No.")]


async def test_damaged_entries_are_not_sent(outbox: Outbox, provider: Provider) -> None:
    for path in ("broken", "rotten", "short", "fine"):
        put(outbox, path, b"x" * 9, IfAbsent())
    (outbox.folder / "000001" / "entry.json").write_text("{")
    (outbox.folder / "000002" / "content").write_bytes(b"y" * 9)
    (outbox.folder / "000003" / "content").write_bytes(b"x" * 4)
    result = await flush(outbox, provider)
    assert said(result) == (["000004"], [], 3)
    assert [entry.id for entry, _ in result.failures] == ["000002", "000003"]
    assert [*provider.objects] == ["fine"]


async def test_large_content_goes_as_a_stream(
    outbox: Outbox, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE_BYTES", 10)
    data = os.urandom(3 << 20)
    put(outbox, "large", data, IfAbsent())
    put(outbox, "rotten", data, IfAbsent())
    (outbox.folder / "000002" / "content").write_bytes(data[:-1])
    result = await flush(outbox, provider)
    assert said(result) == (["000001"], [], 1)
    assert provider.objects["large"][0] == data
    assert "rotten" not in provider.objects


async def test_entries_of_another_place_wait_for_it(outbox: Outbox, provider: Provider) -> None:
    other = Outbox(outbox.folder, "elsewhere")
    put(other, "a", b"x", IfAbsent())
    assert said(await flush(outbox, provider)) == ([], [], 0)
    assert provider.objects == {}
    assert said(await flush(other, provider)) == (["000001"], [], 0)


async def test_of_two_who_send_one_does(outbox: Outbox, provider: Provider) -> None:
    for number in range(20):
        put(outbox, f"p{number}", b"x", IfAbsent())
    results = await asyncio.gather(*(flush(Outbox(outbox.folder, PLACE), provider) for _ in range(4)))
    assert sum(len(result.sent) for result in results) == 20
    assert sorted(provider.writes) == sorted(f"p{number}" for number in range(20))
    with outbox.flushing():
        assert (await flush(outbox, provider)).busy


async def test_what_is_dropped_or_added_meanwhile(outbox: Outbox, provider: Provider) -> None:
    first = put(outbox, "a", b"one", IfAbsent())
    dropped = put(outbox, "b", b"two", IfAbsent())

    def meanwhile(path: str) -> None:
        provider.before_write = lambda path: None
        outbox.drop(dropped)
        put(outbox, "a", b"three", IfVersion(first.token))

    provider.before_write = meanwhile
    assert said(await flush(outbox, provider)) == (["000001"], [], 1)
    assert outbox.entry("3").condition == IfVersion("1")
    assert said(await flush(outbox, provider)) == (["000003"], [], 0)
    assert provider.objects["a"][0] == b"three"


async def test_killed_at_any_step_everything_arrives_once_and_in_order(office: Office, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "SECTION": json.dumps(section(office.settings))}
    storage = office.colleague()
    point, ended = 0, False
    while not ended:
        point += 5  # not every step: a run of the suite need not take all
        folder = tmp_path / f"outbox-{point}"
        outbox = Outbox(folder, PLACE)
        old = await storage.write(f"{point}/old", b"1")
        first = put(outbox, f"{point}/a", b"one", IfAbsent())
        put(outbox, f"{point}/a", b"two", IfVersion(first.token))
        put(outbox, f"{point}/b", b"three")
        put(outbox, f"{point}/old", known=old.version, delete=True)
        command = [sys.executable, "-c", KILLED, str(point), str(folder), PLACE]
        process = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, check=False
        )
        ended = process.returncode == 0
        assert ended or process.returncode == -signal.SIGKILL, process.stderr
        again = office.open()
        result = await flush(outbox, again)
        await again.close()
        assert (result.conflicts, result.failures, result.left) == ([], [], 0)
        assert [found.path for found in await storage.list(f"{point}")] == [f"{point}/a", f"{point}/b"]
        assert await storage.read(f"{point}/a") == b"two"
    sent = [each for each in office.door.writes() if "persona-probe" not in each]
    runs = point // 5
    assert runs > 5
    assert sent == ["PUT a", "PUT a", "PUT b", "DELETE old"] * runs
    await storage.close()
