"""Copies on the provider's side: whose version they have, and what an answer that is odd comes to."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from persona.errors import ConflictError, PersonaError, UnreachableError, VerificationError
from persona.storage.backend import IfAbsent, IfVersion
from persona.storage.backends import azure
from persona.storage.layers.below import Below
from persona.storage.stack import open_storage
from persona.transfer.model import State
from tests.cloud.conftest import Faulty
from tests.contract.helpers import MIB, block, stream
from tests.faults import Act, Answer, Seen, _Handler, changed
from tests.quirks import COMPLETIONS, complete_error_200, copy_error_200, with_body, written_after
from tests.transfer.conftest import Rig

Behind = Callable[[str], Faulty]
COPY = {"s3": ("PUT", r"/b$"), "moto": ("PUT", r"/b$"), "gcs": ("POST", "/rewriteTo/"), "azure": ("PUT", r"/b$")}
"""The one request of each protocol that copies an object to ``b``."""


async def _write(faulty: Faulty, path: str, data: bytes, metadata: dict[str, str] | None = None) -> None:
    storage = open_storage(faulty.server.settings(faulty.bucket, faulty.prefix))
    await storage.write(path, data, metadata=metadata)
    await storage.close()


def meddling(faulty: Faulty, path: str, data: bytes) -> Act:
    """Let someone else write to an object between the provider's work and its answer."""
    return written_after(lambda: asyncio.run(_write(faulty, path, data)))


@pytest.mark.parametrize("name", COPY)
async def test_the_version_of_a_copy_is_that_of_its_own_answer(behind: Behind, name: str) -> None:
    faulty = behind(name)
    storage = faulty.open()
    source = await storage.write("a", b"ours")
    faulty.proxy.on(*COPY[name], meddling(faulty, "b", b"theirs"), times=2)
    for copied in (
        await storage.copy("a", "b"),
        await storage.copy_from(storage, "a", "b", version=source.version),
    ):
        assert copied is not None
        assert await storage.read("b") == b"theirs"
        with pytest.raises(ConflictError):
            await storage.write("b", b"ours again", condition=IfVersion(copied.version))
        assert await storage.read("b") == b"theirs"


@pytest.mark.parametrize("name", ["moto", "gcs", "azure"])
async def test_a_migration_leaves_what_someone_wrote_after_its_copy(behind: Behind, name: str, home: Path) -> None:
    """Between two folders of a bucket, so that the provider copies; ``--overwrite`` was not given."""
    faulty = behind(name)
    storage = faulty.open()
    await storage.write("from/b", b"ours")
    faulty.proxy.on(*COPY[name], meddling(faulty, "to/b", b"theirs"))
    job = Rig(home, Below(storage, "from"), Below(storage, "to")).begin()
    assert await job.run() is State.INCOMPLETE
    assert await storage.read("to/b") == b"theirs"
    assert "Someone else wrote" in job.report["failures"][0]["error"]
    assert [found.path for found in await storage.list()] == ["from/b", "to/b"]
    job.close()


async def test_an_error_with_status_200_is_no_copy(behind: Behind) -> None:
    faulty = behind("moto")
    storage = faulty.open(retry_attempts=1)
    await storage.write("a", b"ours")
    faulty.proxy.always("PUT", "", copy_error_200)
    faulty.proxy.always("POST", COMPLETIONS, complete_error_200)
    for work in (
        storage.copy("a", "b"),
        storage.copy_from(storage, "a", "b"),
        storage.write_stream("b", stream([block(1, 6 * MIB)])),
    ):
        with pytest.raises(UnreachableError, match="500"):
            await work
    assert not await storage.exists("b")


async def test_a_copy_without_a_version_in_its_answer_is_only_what_is_proved_to_be_it(
    behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    def bare(handler: _Handler, seen: Seen) -> None:
        handler.reply(dataclasses.replace(handler.ask(seen), body=b"<CopyObjectResult></CopyObjectResult>"))

    def meddled(handler: _Handler, seen: Seen) -> None:
        given = handler.ask(seen)
        asyncio.run(_write(faulty, "c", b"their"))
        handler.reply(dataclasses.replace(given, body=b"<CopyObjectResult></CopyObjectResult>"))

    faulty = behind("moto")
    storage = faulty.open()
    source = await storage.write("a", b"ours!", metadata={"by": "me"})
    faulty.proxy.on("PUT", "/b$", bare)
    faulty.proxy.on("PUT", "/c$", meddled)
    copied = await storage.copy("a", "b")
    assert (copied.version, copied.metadata) == (source.version, {"by": "me"})
    assert await storage.copy_from(storage, "a", "c") is None
    assert await storage.copy_from(storage, "a", "d") is None
    assert "does not say which version" in caplog.text
    assert (await storage.copy("a", "d")).metadata == {"by": "me"}  # through this machine


@pytest.mark.parametrize("body", [b"", b"<html><p>Log in</p></html>", b"<Other/>"])
async def test_a_copy_that_is_answered_with_something_else_failed(behind: Behind, body: bytes) -> None:
    faulty = behind("moto")
    storage = faulty.open()
    await storage.write("a", b"ours")
    faulty.proxy.on("PUT", "/b$", with_body(lambda _: body))
    with pytest.raises(PersonaError):
        await storage.copy("a", "b")


@pytest.mark.parametrize("name", ["moto", "azure"])
async def test_a_source_that_changes_is_copied_as_it_is_then(behind: Behind, name: str) -> None:
    """Without a version any will do, but description and content are of one; moto ignores the condition on it."""
    faulty = behind(name)
    storage = faulty.open()
    await storage.write("a", b"1", metadata={"v": "1"})
    faulty.proxy.on("HEAD", "/a$", written_after(lambda: asyncio.run(_write(faulty, "a", b"22", {"v": "2"}))))
    copied = await storage.copy("a", "b")
    assert (copied.size, copied.metadata) == (2, {"v": "2"})
    assert await storage.read("b") == b"22"


def _status(status: str, **more: str) -> Act:
    def change(_: object, given: Answer) -> Answer:
        headers = {name.lower(): text for name, text in given.headers} | {"x-ms-copy-status": status, **more}
        return dataclasses.replace(given, headers=[*headers.items()])

    return changed(change)


async def test_a_pending_copy_is_followed_by_its_number(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(azure, "_PENDING_POLLS", 3)
    faulty = behind("azure")
    storage = faulty.open()
    await storage.write("a", b"ours")
    faulty.proxy.on("PUT", "/b$", _status("pending", etag='"0x8D0000000000001"'), times=4)
    faulty.proxy.on("HEAD", "/b$", _status("pending"), times=2)
    copied = await storage.copy("a", "b")
    assert copied.version == (await storage.stat("b")).version

    faulty.proxy.on("HEAD", "/b$", _status("failed"))
    with pytest.raises(UnreachableError, match="failed"):
        await storage.copy("a", "b")
    faulty.proxy.on("HEAD", "/b$", _status("success", **{"x-ms-copy-id": "another"}))
    with pytest.raises(ConflictError):
        await storage.copy("a", "b")
    faulty.proxy.on("HEAD", "/b$", _status("pending"), times=4)
    with pytest.raises(UnreachableError, match="pending"):
        await storage.copy("a", "b")


async def test_a_copy_with_another_digest_is_damaged(behind: Behind) -> None:
    faulty = behind("gcs")
    storage = faulty.open()
    await storage.write("a", b"ours")
    md5 = b"kAFQmDzST7DWlj99KOF/cg=="
    faulty.proxy.on("POST", "/rewriteTo/", with_body(lambda body: body.replace(_md5_in(body), md5)))
    with pytest.raises(VerificationError):
        await storage.copy("a", "b", condition=None)
    assert await storage.copy("a", "c", condition=IfAbsent())


def _md5_in(body: bytes) -> bytes:
    return body.partition(b'"md5Hash":"')[2].partition(b'"')[0]
