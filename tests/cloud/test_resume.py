"""Uploads that go on: what of them is sent a second time, as the server sees it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from persona.errors import PersonaError, UnreachableError
from persona.storage.backend import StorageBackend
from persona.storage.backends.s3 import S3Backend
from tests.cloud.conftest import Faulty
from tests.contract.helpers import MIB, Notebook, block, leave, stream
from tests.faults import Seen, answer

CONTENT = [block(number) for number in range(24)]
PART = {"seaweedfs": r"partNumber=", "moto": r"partNumber=", "azurite": r"comp=block&"}
Behind = Callable[[str], Faulty]


async def write(storage: StorageBackend, notebook: Notebook, content: list[bytes] = CONTENT, **options: Any) -> Any:
    """Write 24 MiB with what was noted."""
    return await storage.write_stream("big", stream(content), size=24 * MIB, checkpoint=notebook, **options)


def patient(faulty: Faulty) -> StorageBackend:
    """Open the bucket with time enough that no part is sent again because the machine is busy."""
    return faulty.open(chunk_size=5 * MIB, timeout=60.0)


@pytest.mark.parametrize("name", ["seaweedfs", "moto", "azurite"])
@pytest.mark.parametrize("blocks", [6, 11, 21])
async def test_only_the_parts_that_lack_are_sent(behind: Behind, name: str, blocks: int) -> None:
    faulty, notebook = behind(name), Notebook()
    await leave(patient(faulty), notebook, CONTENT[:blocks], 24 * MIB, settled=faulty.proxy.settled)
    assert len(faulty.proxy.taken("PUT", PART[name])) == blocks // 5
    written = await write(patient(faulty), notebook)
    sent = [(seen.target, seen.status) for seen in faulty.proxy.requests("PUT", PART[name])]
    assert len(faulty.proxy.taken("PUT", PART[name])) == 5, sent
    assert await faulty.direct().read("big") == b"".join(CONTENT)
    assert written.digest is not None


@pytest.mark.parametrize("name", ["seaweedfs", "azurite"])
async def test_a_part_of_another_content_is_sent(behind: Behind, name: str) -> None:
    faulty, notebook = behind(name), Notebook()
    await leave(patient(faulty), notebook, CONTENT[:21], 24 * MIB, settled=faulty.proxy.settled)
    other = [*CONTENT]
    other[7] = block(99)
    await write(patient(faulty), notebook, other)
    assert len(faulty.proxy.taken("PUT", PART[name])) == 4 + 2
    assert await faulty.direct().read("big") == b"".join(other)


@pytest.mark.parametrize("name", ["seaweedfs", "moto"])
async def test_an_upload_in_parts_to_s3_returns_the_digest_of_its_parts(behind: Behind, name: str) -> None:
    storage = behind(name).open(chunk_size=5 * MIB)
    written = await write(storage, Notebook())
    content = b"".join(CONTENT)
    md5s = [hashlib.md5(content[start : start + 5 * MIB]).digest() for start in range(0, len(content), 5 * MIB)]
    assert (written.digest.algorithm, written.digest.vouched) == ("md5-parts", True)
    assert written.digest.value == f"{hashlib.md5(b''.join(md5s)).hexdigest()}-5"
    assert (await storage.stat("big")).digest is None


@pytest.mark.parametrize("size", [0, 7, 24 * MIB])
async def test_azure_vouches_only_for_what_it_was_seen_to_check(behind: Behind, size: int) -> None:
    """Put Blob and Put Block check the MD5 that comes with them; the one that is kept may be anything."""
    storage = behind("azure").open(chunk_size=5 * MIB)
    content = b"".join(CONTENT)[:size]
    written = await storage.write_stream("a", stream([content]))
    described, listed = await storage.stat("a"), (await storage.list())[0]
    for found, vouched in ((written, True), (described, False), (listed, False)):
        assert found.digest is not None
        assert (found.digest.value, found.digest.vouched) == (hashlib.md5(content).hexdigest(), vouched)


@pytest.mark.parametrize(("size", "pattern"), [(7, r"/a$"), (24 * MIB, r"comp=block&")])
async def test_azure_refuses_what_arrives_damaged(behind: Behind, size: int, pattern: str) -> None:
    def damage(handler: Any, seen: Seen) -> None:
        seen.body = b"?" + seen.body[1:]
        handler.reply(handler.ask(seen))

    faulty = behind("azure")
    faulty.proxy.on("PUT", pattern, damage)
    storage = faulty.open(chunk_size=5 * MIB)
    with pytest.raises(PersonaError, match="Md5Mismatch"):
        await storage.write_stream("a", stream([b"".join(CONTENT)[:size]]))
    assert not await storage.exists("a")


async def test_an_answer_of_another_digest_is_none(behind: Behind) -> None:
    def answer_otherwise(handler: Any, seen: Seen) -> None:
        given = handler.ask(seen)
        given.body = re.sub(rb"[0-9a-f]{32}-5", b"0" * 32 + b"-5", given.body)
        handler.reply(given)

    faulty = behind("seaweedfs")
    faulty.proxy.on("POST", "uploadId", answer_otherwise)
    assert (await write(faulty.open(chunk_size=5 * MIB), Notebook())).digest is None


async def uploads(storage: StorageBackend) -> int:
    """Return how many uploads the server keeps parts of."""
    assert isinstance(storage, S3Backend)
    reply = await storage._rest.send("GET", "/", query={"uploads": "", "prefix": storage._prefix})
    return reply.body.count(b"<UploadId>")


@pytest.mark.parametrize("name", ["seaweedfs", "moto"])
async def test_an_upload_that_is_given_up_leaves_no_parts(behind: Behind, name: str) -> None:
    storage, notebook = behind(name).open(chunk_size=5 * MIB), Notebook()
    await leave(storage, notebook, CONTENT[:11], 24 * MIB)
    assert await uploads(storage) == 1
    assert notebook.token
    await storage.abort_upload("big", notebook.token)
    assert await uploads(storage) == 0


@pytest.mark.parametrize("change", ["chunk_size", "small", "metadata"])
async def test_an_upload_that_cannot_go_on_leaves_no_parts(behind: Behind, change: str) -> None:
    faulty, notebook = behind("seaweedfs"), Notebook()
    await leave(faulty.open(chunk_size=5 * MIB), notebook, CONTENT[:11], 24 * MIB)
    storage = faulty.open(chunk_size=(6 if change == "chunk_size" else 5) * MIB)
    content = CONTENT[:1] if change == "small" else CONTENT
    metadata = {"other": "yes"} if change == "metadata" else None
    await storage.write_stream("big", stream(content), checkpoint=notebook, metadata=metadata)
    assert await uploads(storage) == 0
    assert await storage.read("big") == b"".join(content)


async def test_an_upload_that_expires_meanwhile_says_so(behind: Behind) -> None:
    faulty, notebook = behind("seaweedfs"), Notebook()
    faulty.proxy.on("PUT", "partNumber=3", answer(404, "<Error><Code>NoSuchUpload</Code></Error>"))
    storage = faulty.open(chunk_size=5 * MIB)
    with pytest.raises(UnreachableError, match="no longer knows the upload"):
        await write(storage, notebook)
    await write(storage, notebook)
    assert await storage.read("big") == b"".join(CONTENT)


async def test_a_failed_request_leaves_the_upload(behind: Behind) -> None:
    faulty, notebook = behind("seaweedfs"), Notebook()
    faulty.proxy.on("PUT", "partNumber=4", answer(403, "<Error><Code>AccessDenied</Code></Error>"))
    storage = faulty.open(chunk_size=5 * MIB)
    with pytest.raises(PersonaError):
        await write(storage, notebook)
    assert await uploads(storage) == 1
    await write(storage, notebook)
    assert await uploads(storage) == 0
    assert await storage.read("big") == b"".join(CONTENT)


@pytest.mark.parametrize("name", ["s3", "gcs", "azure"])
async def test_a_scan_of_all_makes_no_request_but_lists(behind: Behind, name: str) -> None:
    faulty = behind(name)
    await faulty.direct().write("a/b", b"x")
    assert [found.path for found in await faulty.open().list()] == ["a/b"]
    assert {seen.method for seen in faulty.proxy.seen} == {"GET"}
    assert all("prefix" in seen.target for seen in faulty.proxy.seen)
