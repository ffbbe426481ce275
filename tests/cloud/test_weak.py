"""Endpoints that keep less than they promise: conditions, ranges and deletion in bulk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from persona.config.schema import PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import AlreadyExistsError, ConflictError, PersonaError
from persona.storage.backend import IfAbsent, IfVersion
from persona.storage.capabilities import HONOURED, NOT_HONOURED
from persona.storage.stack import open_storage
from tests.cloud.conftest import Faulty
from tests.contract.helpers import MIB, block, received, stream
from tests.faults import Act, answer, html, truncate

Behind = Callable[[str], Faulty]


async def test_an_endpoint_that_ignores_conditions(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    storage = behind("rclone").open()
    assert (await storage.capabilities()).writes == NOT_HONOURED
    first = await storage.write("a", b"1", condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        await storage.write("a", b"2", condition=IfAbsent())
    second = await storage.write("a", b"22", condition=IfVersion(first.version))
    with pytest.raises(ConflictError):
        await storage.write("a", b"3", condition=IfVersion(first.version))
    with pytest.raises(ConflictError):
        await storage.write("b", b"3", condition=IfVersion(first.version))
    with pytest.raises(AlreadyExistsError):
        await storage.write_stream("a", stream([block(1, 6 * MIB)]), condition=IfAbsent())
    assert (await storage.stat("a")).version == second.version
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "does not honour preconditions on writes" in warnings[0]
    assert [found.path for found in await storage.list()] == ["a"]


async def test_an_endpoint_that_sends_the_whole(behind: Behind) -> None:
    storage = behind("rclone").open()
    content = block(7) + block(8)
    version = (await storage.write("a", content)).version
    assert await received(storage, "a", 3, 10) == content[3:13]
    assert await received(storage, "a", MIB - 1, 2) == content[MIB - 1 : MIB + 1]
    assert await received(storage, "a", MIB + 5) == content[MIB + 5 :]
    assert await received(storage, "a", 2 * MIB) == b""
    assert await received(storage, "a", 2 * MIB - 1, 99) == content[-1:]
    download = await storage.open("a", version=version)
    assert b"".join([chunk async for chunk in download]) == content
    with pytest.raises(ConflictError):
        await storage.open("a", start=1, version="0" * 32)
    await storage.write("a", b"another")
    with pytest.raises(ConflictError):
        await storage.open("a", version=version)


@pytest.mark.parametrize("name", ["moto", "fake-gcs"])
async def test_an_endpoint_that_ignores_conditions_on_parts(
    behind: Behind, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    storage = behind(name).open()
    blocks = [block(number) for number in range(6)]
    assert (await storage.capabilities()).writes == HONOURED
    first = await storage.write_stream("big", stream(blocks), condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        await storage.write_stream("big", stream(blocks[::-1]), condition=IfAbsent())
    await storage.write_stream("big", stream(blocks[::-1]), condition=IfVersion(first.version))
    with pytest.raises(ConflictError):
        await storage.write_stream("big", stream(blocks), condition=IfVersion(first.version))
    assert await received(storage, "big") == b"".join(blocks[::-1])
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "on uploads in parts" in warnings[0]


@pytest.mark.parametrize("name", ["s3", "azure"])
async def test_an_endpoint_that_keeps_conditions(behind: Behind, caplog: pytest.LogCaptureFixture, name: str) -> None:
    storage = behind(name).open()
    assert (await storage.capabilities()).writes == HONOURED
    blocks = [block(number) for number in range(6)]
    await storage.write_stream("big", stream(blocks), condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        await storage.write_stream("big", stream(blocks), condition=IfAbsent())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [found.path for found in await storage.list()] == ["big"]


async def test_conditions_are_tried_once(behind: Behind) -> None:
    faulty = behind("s3")
    storage = faulty.open()
    await asyncio.gather(*(storage.write(f"{number}", b"x", condition=IfAbsent()) for number in range(8)))
    assert len(faulty.proxy.requests("PUT", "persona-probe")) == 5


async def test_the_providers_own_endpoint_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening makes no request, and its conditions are known to be kept."""

    def refuse(*_: object) -> None:
        raise AssertionError("a request")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("urllib3.HTTPSConnectionPool.urlopen", refuse)
    keys = S3Settings(bucket="bucket", access_key_id="key", secret_access_key=Secret("secret"))
    storage = open_storage(StorageSettings(backend="s3", s3=keys, performance=PerformanceSettings()))
    assert (await storage.capabilities()).writes == HONOURED
    assert storage.describe().provider == "AWS S3"
    await storage.close()


NOT_IMPLEMENTED = answer(501, "<Error><Code>NotImplemented</Code></Error>")
MALFORMED = answer(400, "<Error><Code>MalformedXML</Code></Error>")


@pytest.mark.parametrize("act", [NOT_IMPLEMENTED, MALFORMED, truncate, html()], ids=["501", "400", "cut", "page"])
@pytest.mark.parametrize(("name", "pattern"), [("s3", r"\?delete"), ("azure", "comp=batch"), ("fake-gcs", "/batch/")])
async def test_deletion_in_bulk_that_is_broken(behind: Behind, name: str, pattern: str, act: Act) -> None:
    faulty = behind(name)
    storage = faulty.open(retry_attempts=0)
    paths = [f"folder/{number} é" for number in range(12)]
    for path in paths:
        await storage.write(path, b"x")
    await storage.write("kept", b"x")
    faulty.proxy.on("POST", pattern, act, times=1)
    assert await storage.delete_many([*paths, "never was"]) == {}
    assert [found.path for found in await storage.list()] == ["kept"]
    if act is not truncate:
        assert len(faulty.proxy.requests("DELETE")) >= 13


async def test_what_cannot_be_deleted_is_named(behind: Behind) -> None:
    faulty = behind("s3")
    storage = faulty.open()
    for path in ("a", "b", "c"):
        await storage.write(path, b"x")
    faulty.proxy.on("POST", r"\?delete", NOT_IMPLEMENTED)
    faulty.proxy.on("DELETE", "/b$", answer(403))
    failures = await storage.delete_many(["a", "b", "c"])
    assert list(failures) == ["b"]
    assert [found.path for found in await storage.list()] == ["b"]


@pytest.mark.parametrize(
    ("code", "times", "ok"), [("InternalError", 1, True), ("InternalError", 3, False), ("InvalidPart", 1, False)]
)
async def test_an_error_with_status_200(behind: Behind, code: str, times: int, ok: bool) -> None:
    """Completing an upload and copying may answer 200 first, and fail then (Amazon S3 API Reference)."""
    faulty = behind("moto")
    storage = faulty.open(retry_attempts=times - 1 if times > 1 else 2)
    late = answer(200, f"<?xml version='1.0'?>\n<Error><Code>{code}</Code></Error>")
    await storage.write("a", b"x")
    faulty.proxy.on("POST", "uploadId", late, times=times)
    faulty.proxy.on("PUT", "/copy", late, times=times)
    big = storage.write_stream("big", stream([block(1, 6 * MIB)]))
    for work in (big, storage.copy("a", "copy")):
        if ok:
            assert (await work).size
        else:
            with pytest.raises(PersonaError, match="500" if times > 1 else code):
                await work


async def test_a_folder_in_the_way_of_a_create_is_looked_at_and_told(
    behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    """SeaweedFS takes the folder ``a`` of an object ``a/b`` for an object ``a``."""
    storage = behind("seaweedfs").open()
    await storage.write("a/b", b"below")
    await storage.write("a", b"object", condition=IfAbsent())
    assert await storage.read("a") == b"object"
    assert "a folder may have that name" in caplog.text
