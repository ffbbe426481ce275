"""Every upload carries a checksum that the provider checks, and what its answer says of the content is compared."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Callable
from hashlib import md5
from pathlib import Path

import pytest

from persona.config.places import Place
from persona.errors import VerificationError
from persona.storage.backends import bucket
from persona.storage.backends.local import LocalBackend
from persona.transfer.model import State
from tests.cloud.conftest import Faulty
from tests.contract.helpers import MIB, block, received, stream
from tests.faults import Act, Answer, Seen, asked, changed
from tests.quirks import COMPLETIONS, object_lock, with_headers
from tests.transfer.conftest import Rig

Behind = Callable[[str], Faulty]
BIG = [block(number) for number in range(11)]
"""Two parts and a rest at the least."""


def digest(content: bytes) -> str:
    """Return an MD5 as providers' headers have it."""
    return base64.b64encode(md5(content, usedforsecurity=False).digest()).decode()


def stated(seen: Seen) -> tuple[str | None, bytes]:
    """Return the MD5 that an upload carries, and its content."""
    if "uploadType=multipart" not in seen.target:
        return seen.headers["content-md5"], seen.body
    boundary = b"\r\n--" + seen.headers["content-type"].partition("boundary=")[2].encode()
    description, content = (b"\r\n" + seen.body).split(boundary)[1:3]
    return json.loads(description.partition(b"\r\n\r\n")[2])["md5Hash"], content.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("name", "uploads"),
    [("s3", ("PUT", "")), ("azure", ("PUT", r"/small|comp=block&")), ("gcs", ("POST", "uploadType=multipart"))],
)
async def test_every_upload_carries_its_md5(behind: Behind, name: str, uploads: tuple[str, str]) -> None:
    faulty = behind(name)
    storage = faulty.open(chunk_size=5 * MIB)
    await storage.write("small", b"content" * 9)
    await storage.write_stream("big", stream(BIG))
    found = faulty.proxy.requests(*uploads)
    assert len(found) == (1 if name == "gcs" else 4)  # a resumable upload of GCS is checked by its answer
    for seen in found:
        told, content = stated(seen)
        assert told == digest(content)


async def test_a_bucket_with_object_lock_takes_everything(behind: Behind) -> None:
    faulty = behind("moto")
    storage = faulty.open()
    faulty.proxy.always("PUT", "", object_lock)
    await storage.write("small", b"content")
    await storage.write_stream("one part", stream([b"content"]))
    await storage.write_stream("big", stream(BIG), size=11 * MIB)
    await storage.copy("big", "copy")
    assert await received(storage, "copy") == b"".join(BIG)
    assert (await storage.capabilities()).writes is not None  # the probe's own objects, too


def damaged(seen: Seen) -> Seen:
    """Damage the content, and not the framing of GCS."""
    return dataclasses.replace(seen, body=seen.body.replace(b"payload", b"paylaod", 1))


@pytest.mark.parametrize(
    ("name", "method", "pattern"), [("s3", "PUT", "/a$"), ("azure", "PUT", "/a$"), ("gcs", "POST", "uploadType")]
)
async def test_what_is_damaged_on_its_way_is_refused(behind: Behind, name: str, method: str, pattern: str) -> None:
    faulty = behind(name)
    storage = faulty.open()
    faulty.proxy.on(method, pattern, asked(damaged))
    with pytest.raises(VerificationError, match="damaged"):
        await storage.write("a", b"a payload")
    assert not await storage.exists("a")


def other_etag(name: str, text: str) -> tuple[str, str]:
    """Give another ETag that looks like an MD5."""
    return (name, text[::-1]) if name.lower() == "etag" and len(text) == 34 else (name, text)


async def test_an_answer_with_another_md5_is_damage(behind: Behind) -> None:
    faulty = behind("moto")
    storage = faulty.open()
    faulty.proxy.on("PUT", "/a$", with_headers(other_etag))
    with pytest.raises(VerificationError, match="arrived damaged"):
        await storage.write("a", b"content")
    faulty.proxy.on("PUT", "partNumber=2", with_headers(other_etag))
    with pytest.raises(VerificationError, match="Part 2"):
        await storage.write_stream("b", stream(BIG))
    assert not await storage.exists("b")


async def test_etags_that_only_look_like_md5s_are_no_damage(behind: Behind) -> None:
    def given_back(seen: Seen) -> Seen:
        return dataclasses.replace(seen, body=re.sub(rb'"[0-9a-f]{32}"', lambda etag: etag[0][::-1], seen.body))

    faulty = behind("moto")
    storage = faulty.open()
    faulty.proxy.always("PUT", "", with_headers(other_etag))
    faulty.proxy.on("POST", COMPLETIONS, asked(given_back))
    for path in ("a", "b"):
        written = await storage.write(path, b"content")
        assert written.digest is None
    await storage.write_stream("big", stream(BIG))
    assert await received(storage, "big") == b"".join(BIG)


def _described(change: Callable[[dict[str, str]], dict[str, str]]) -> Act:
    def changed_body(_: Seen, given: Answer) -> Answer:
        return dataclasses.replace(given, body=json.dumps(change(json.loads(given.body))).encode())

    return changed(changed_body)


@pytest.mark.parametrize("kind", ["multipart", "resumable"])
async def test_an_object_of_gcs_with_another_md5_is_deleted(behind: Behind, kind: str) -> None:
    faulty = behind("gcs")
    storage = faulty.open()
    other = _described(lambda found: found | {"md5Hash": digest(b"another")})
    content = [b"content"] if kind == "multipart" else BIG
    if kind == "multipart":
        faulty.proxy.on("POST", "uploadType=multipart", other)
    else:
        faulty.proxy.on("PUT", "upload_id", other, skip=3)
    with pytest.raises(VerificationError, match="arrived damaged"):
        await storage.write_stream("a", stream(content))
    assert not await storage.exists("a")


async def test_a_migration_hashes_once(
    behind: Behind, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(_: bytes) -> None:
        raise AssertionError("hashed again")

    faulty = behind("moto")
    source = LocalBackend(tmp_path / "from")
    await source.write("a", b"content")
    storage = faulty.open()
    await storage.capabilities()  # whose probe hashes its own objects
    rig = Rig(home, source, storage)
    rig.target = dataclasses.replace(rig.target, place=Place("s3://faults", "faults", ""))
    job = rig.begin()
    monkeypatch.setattr(bucket, "md5_of", again)
    assert await job.run() is State.COMPLETE
    (seen,) = faulty.proxy.requests("PUT", "/a$")
    assert seen.headers["content-md5"] == digest(b"content")
    job.close()
