"""A body of the right length that is not the object: no read takes it for the content, and no reader gets all of it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import logging
import secrets
import zlib
from collections.abc import Callable

import pytest

from persona.errors import UnreachableError, VerificationError
from persona.storage.checksums import Crc, hasher_of
from tests.cloud.conftest import Faulty
from tests.contract.helpers import MIB, block, received
from tests.faults import Act, Answer, Seen, changed, truncate
from tests.quirks import flipped, with_headers

Behind = Callable[[str], Faulty]
READS = {"moto": r"/a(\?|$)", "gcs": r"%2Fa\?alt=media", "azure": r"/a(\?|$)"}
"""The requests for the content of the object ``a``."""


@pytest.mark.parametrize("name", READS)
async def test_a_damaged_body_is_read_again(behind: Behind, name: str) -> None:
    faulty = behind(name)
    await faulty.direct().write("a", b"content")
    storage = faulty.open()
    faulty.proxy.on("GET", READS[name], flipped)
    assert await storage.read("a") == b"content"
    faulty.proxy.on("GET", READS[name], flipped)
    assert await (await storage.open("a")).whole() == b"content"


@pytest.mark.parametrize("name", READS)
async def test_a_body_that_stays_damaged_is_refused_by_name(behind: Behind, name: str) -> None:
    faulty = behind(name)
    written = await faulty.direct().write("a", b"content")
    storage = faulty.open()
    faulty.proxy.always("GET", READS[name], flipped)
    for reading in (
        storage.read("a"),
        (await storage.open("a", version=written.version)).whole(),
        received(storage, "a"),
    ):
        with pytest.raises(VerificationError, match="“a” arrives damaged") as caught:
            await reading
        assert caught.value.exit_code == 8
    assert await storage.open_changed("a", written.version) is None


@pytest.mark.parametrize("name", READS)
async def test_a_stream_ends_before_its_last_chunk_if_it_is_damaged(behind: Behind, name: str) -> None:
    faulty = behind(name)
    content = b"".join(map(block, range(3)))
    direct = faulty.direct()
    await direct.write("a", content)
    storage = faulty.open(chunk_size=64 * MIB)
    faulty.proxy.always("GET", READS[name], flipped)
    size = 0
    with pytest.raises(VerificationError):
        async for chunk in await storage.open("a"):
            size += len(chunk)
    assert 0 < size < len(content)
    with pytest.raises(VerificationError):
        await storage.write_stream("b", await storage.open("a"), size=len(content))
    assert [found.path for found in await direct.list()] == ["a"]


@pytest.mark.parametrize("name", READS)
async def test_a_body_that_breaks_off_is_read_on_at_the_same_version(behind: Behind, name: str) -> None:
    faulty = behind(name)
    content = b"".join(map(block, range(4)))
    await faulty.direct().write("a", content)
    storage = faulty.open()
    faulty.proxy.on("GET", READS[name], truncate, times=4)  # halves of what is left, each time
    assert await storage.read("a") == content
    ranges = [seen.headers.get("range") for seen in faulty.proxy.requests("GET", READS[name])]
    assert ranges[0] is None
    assert all(ranges[1:])
    faulty.proxy.on("GET", READS[name], truncate, times=2)
    assert await received(storage, "a", 100, 3 * MIB) == content[100 : 100 + 3 * MIB]


async def test_what_breaks_off_without_going_on_is_given_up(behind: Behind) -> None:
    faulty = behind("moto")
    await faulty.direct().write("a", b"content")
    storage = faulty.open(retry_attempts=2)
    faulty.proxy.always("GET", READS["moto"], changed(_cut))
    with pytest.raises(UnreachableError):
        await storage.read("a")
    assert len(faulty.proxy.requests("GET", READS["moto"])) == 3


def _cut(_: Seen, given: Answer) -> Answer:
    """Break off before the first byte."""
    return dataclasses.replace(given, body=b"", length=len(given.body))


async def test_a_version_that_is_replaced_while_it_breaks_off_is_not_mixed(behind: Behind) -> None:
    faulty = behind("moto")
    direct = faulty.direct()
    await direct.write("a", block(1) + block(2))
    storage = faulty.open()
    faulty.proxy.on("GET", READS["moto"], truncate)
    download = await storage.open("a")
    await direct.write("a", block(3) + block(4))
    with pytest.raises(Exception, match="changed by someone else"):
        async for _ in download:
            pass


# Digests that are none of the content's.


@pytest.mark.parametrize("name", ["md5", "sha256", "crc32", "crc32c", "crc64nvme"])
async def test_checksums_beside_the_etag_are_compared(behind: Behind, name: str) -> None:
    """As AWS gives them of objects encrypted by KMS, or uploaded in parts."""
    content = secrets.token_bytes(300_001)
    hasher = hasher_of(name)
    assert hasher
    for start in (0, 1, 70_000):
        hasher.update(content[start : {0: 1, 1: 70_000}.get(start)])
    text = base64.b64encode(bytes.fromhex(hasher.hexdigest())).decode()
    if name == "md5":
        assert hasher.hexdigest() == hashlib.md5(content).hexdigest()
        return
    faulty = behind("moto")
    await faulty.direct().write("a", content)
    storage = faulty.open()

    def sealed(_: Seen, given: Answer) -> Answer:
        extra = [("x-amz-server-side-encryption", "aws:kms"), (f"x-amz-checksum-{name}", text)]
        return dataclasses.replace(given, headers=[*given.headers, *extra])

    faulty.proxy.on("GET", READS["moto"], changed(sealed))
    assert await storage.read("a") == content
    faulty.proxy.on("GET", READS["moto"], _both(changed(sealed)), times=2)
    with pytest.raises(VerificationError, match=name.upper()):
        await storage.read("a")


def _both(sealed: Act) -> Act:
    """Answer with these headers, and a damaged body."""

    def act(handler, seen) -> None:  # type: ignore[no-untyped-def]
        reply = handler.reply
        handler.reply = lambda given: reply(dataclasses.replace(given, body=b"?" + given.body[1:]))
        try:
            sealed(handler, seen)
        finally:
            del handler.reply

    return act


def test_a_crc_is_that_of_the_library() -> None:
    ours, theirs = Crc(0xEDB88320, 32), 0  # the polynomial of zlib's, which Python has
    for size in (0, 1, 9, 63, 64, 65, 4096, 100_000):
        piece = secrets.token_bytes(size)
        ours.update(piece)
        theirs = zlib.crc32(piece, theirs)
    assert ours.hexdigest() == f"{theirs:08x}"
    for name, check in (("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")):
        hasher = hasher_of(name)
        assert hasher
        hasher.update(b"123456789")
        assert hasher.hexdigest() == check


async def test_etags_that_are_no_md5_do_not_make_every_read_fail(
    behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = behind("moto")
    await faulty.direct().write("a", b"content")
    storage = faulty.open()
    random = with_headers(lambda name, text: (name, f'"{"ab" * 16}"') if name.lower() == "etag" else (name, text))
    for method in ("GET", "PUT", "HEAD"):
        faulty.proxy.always(method, r"/(a|\.persona-probe.*)$", random)
    with caplog.at_level(logging.WARNING):
        assert await storage.read("a") == b"content"
        assert await storage.read("a") == b"content"
        assert await storage.exists("a")
    assert [record.message for record in caplog.records] == [
        f"{faulty.proxy.address} gives ETags that are no MD5s: what is read there cannot be verified."
    ]
    assert len(faulty.proxy.requests("PUT")) == 1
    assert [found.path for found in await faulty.direct().list()] == ["a"]  # the probe is gone


@pytest.mark.parametrize("size", [1, 100, 5 * MIB])
async def test_an_md5_that_its_writer_claimed_wrongly_is_found_out(
    behind: Behind, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Azure keeps whatever MD5 comes with a list of blocks."""
    faulty = behind("azure")
    content = (block(1) * 5)[:size]
    storage = faulty.open()

    lying = with_headers(
        lambda name, text: (
            (name, base64.b64encode(b"0" * 16).decode()) if name.lower() == "content-md5" and text else (name, text)
        )
    )
    await faulty.direct().write("a", content)
    faulty.proxy.on("GET", READS["azure"], lying)
    with caplog.at_level(logging.WARNING):
        assert await received(storage, "a") == content
    assert "does not have the MD5 that its writer stated" in caplog.text
