"""Answers that leave out what they should tell, or write it otherwise: each service has its own."""

from __future__ import annotations

import dataclasses
import gzip
import json
import logging
import time
from collections.abc import Callable

import pytest

from persona.errors import AlreadyExistsError, ConflictError, PersonaError, UnreachableError
from persona.storage.backend import IfAbsent, IfVersion, StorageBackend
from persona.storage.backends.faults import MalformedResponseError
from tests.cloud.conftest import Faulty
from tests.contract.helpers import MIB, block, received, stream
from tests.faults import Act, Answer, Seen, answer, changed
from tests.quirks import (
    empty_etags,
    framed,
    no_etags,
    unquoted_etags,
    weak_etags,
    white_space_first,
    without,
)

Behind = Callable[[str], Faulty]
S3: dict[str, tuple[str, Act]] = {
    "a GET in chunks": ("GET", framed("chunked")),
    "a GET until the connection closes": ("GET", framed("close")),
    "a HEAD without a length": ("HEAD", framed("none")),
    "no time": ("GET HEAD", without("last-modified")),
    "no ETag to PUT": ("PUT", without("etag")),
    "no ETag to GET": ("GET", without("etag")),
    "no ETag to HEAD": ("HEAD", without("etag")),
    "an empty ETag": ("GET HEAD PUT", empty_etags),
    "a weak ETag": ("GET HEAD PUT", weak_etags),
    "an unquoted ETag": ("GET HEAD PUT", unquoted_etags),
    "white space": ("GET POST", white_space_first),
    "no ETag to the end of an upload": ("POST", no_etags),
}


async def lifecycle(storage: StorageBackend) -> None:
    """Write, look, list, read, replace under a condition, and refuse to under a wrong one."""
    first = await storage.write("a", b"first", condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        await storage.write("a", b"another", condition=IfAbsent())
    second = await storage.write("a", b"second", condition=IfVersion(first.version))
    with pytest.raises(ConflictError):
        await storage.write("a", b"third", condition=IfVersion(first.version))
    described, (listed,) = await storage.stat("a"), await storage.list("a")
    download = await storage.open("a", version=second.version)
    assert {described.version, listed.version, download.object.version} == {second.version}
    assert {described.size, listed.size, download.object.size} == {6}
    assert await download.whole() == b"second"
    assert await received(storage, "a", 2, 3) == b"con"
    assert abs((described.last_modified - second.last_modified).total_seconds()) < 60
    await storage.delete("a", condition=IfVersion(second.version))
    assert not await storage.exists("a")


@pytest.mark.parametrize("quirk", S3)
async def test_s3_as_services_give_it(behind: Behind, quirk: str) -> None:
    faulty = behind("moto")
    methods, act = S3[quirk]
    for method in methods.split():
        faulty.proxy.faults.append(_optional(faulty, method, act))
    storage = faulty.open(chunk_size=5 * MIB)
    await lifecycle(storage)
    if "POST" in methods:
        content = block(1) * 6
        written = await storage.write_stream("big", stream([content]), size=len(content))
        assert written.version == (await faulty.direct().stat("big")).version
    assert any(fault.met for fault in faulty.proxy.faults)


def _optional(faulty: Faulty, method: str, act: Act):  # type: ignore[no-untyped-def]
    faulty.proxy.always(method, "", act)
    fault = faulty.proxy.faults.pop()
    fault.least = 0  # not every quirk meets every method
    return fault


GATEWAYS: dict[str, tuple[str, Act]] = {
    "chunked": ("GET", framed("chunked")),
    "close": ("GET", framed("close")),
    "no time": ("GET HEAD", without("last-modified")),
    "no version": ("GET HEAD PUT", without("etag", "x-goog-generation", "x-goog-hash")),
    "no length of HEAD": ("HEAD", framed("none")),
}


@pytest.mark.parametrize(
    ("name", "quirk"),
    [(name, quirk) for name in ("gcs", "azure") for quirk in GATEWAYS if (name, quirk) != ("gcs", "no length of HEAD")],
)
async def test_gcs_and_azure_as_gateways_pass_them_on(behind: Behind, name: str, quirk: str) -> None:
    faulty = behind(name)
    methods, act = GATEWAYS[quirk]
    for method in methods.split():
        faulty.proxy.faults.append(_optional(faulty, method, act))
    await lifecycle(faulty.open())
    assert any(fault.met for fault in faulty.proxy.faults)


async def test_a_service_without_etags_is_used_and_named(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    faulty = behind("moto")
    for method in ("GET", "HEAD", "PUT", "POST"):
        faulty.proxy.always(method, "", no_etags)
    storage = faulty.open(chunk_size=5 * MIB)
    with caplog.at_level(logging.WARNING):
        written = await storage.write("a", b"first")
        assert [found.version for found in await storage.list()] == [written.version]
        assert (await storage.stat("a")).version == written.version
        assert await (await storage.open("a", version=written.version)).whole() == b"first"
        again = await storage.write("a", b"second", condition=IfVersion(written.version))
        with pytest.raises(ConflictError):
            await storage.write("a", b"third", condition=IfVersion(written.version))
        with pytest.raises(ConflictError):
            await storage.delete("a", condition=IfVersion(written.version))
        assert await storage.copy_from(storage, "a", "b", version=again.version) is None  # whose it is nobody can tell
        assert (await storage.copy("a", "b")).size == 6
        big = await storage.write_stream("big", stream([block(1) * 6]))
        assert big.version == (await storage.stat("big")).version
    now = time.time()
    assert storage.may_change_unseen(big.version, now)
    assert not storage.may_change_unseen(big.version, now + 10)
    assert storage.may_change_unseen("no-etag:when", now)
    assert not storage.may_change_unseen("d41d8cd98f00b204e9800998ecf8427e", now)
    said = [record.message for record in caplog.records if "gives no ETags" in record.message]
    assert len(said) == 1
    assert await faulty.direct().read("a") == b"second"


# One object's answer is that object's failure.


def odd_time(part: str) -> Act:
    """Spoil the time of one object: in the rows of listings, and in headers."""

    def change(seen: Seen, given: Answer) -> Answer:
        body = given.body
        for field in (b"LastModified", b"Last-Modified"):
            start, mark, rest = body.partition(part.encode())
            before, opened, after = rest.partition(b"<" + field + b">")
            if mark and opened:
                body = start + mark + before + opened + b"never" + after[after.index(b"<") :]
        if b'"items"' in body:
            document = json.loads(body)
            for item in document["items"]:
                if part in item["name"]:
                    item["updated"] = "never"
            body = json.dumps(document).encode()
        headers = [
            (name, text) for name, text in given.headers if name.lower() != "last-modified" or part not in seen.target
        ]
        return dataclasses.replace(given, headers=headers, body=body)

    return changed(change)


@pytest.mark.parametrize("name", ["moto", "gcs", "azure"])
async def test_one_odd_row_does_not_end_a_listing(behind: Behind, name: str) -> None:
    faulty = behind(name)
    for path in ("a", "odd", "z"):
        await faulty.direct().write(path, b"content")
    storage = faulty.open()
    faulty.proxy.always("GET", r"list-type|comp=list|maxResults", odd_time("/odd"))
    listing = await storage.list()
    assert [found.path for found in listing] == ["a", "z"]
    (refused,) = listing.refused
    assert refused.key.endswith("/odd")
    assert "never" in refused.reason


@pytest.mark.parametrize("text", ['{"error": {"code": 503, "message": "Backend Error"}}', "{}"])
async def test_an_answer_that_is_no_listing_is_no_empty_one(behind: Behind, text: str) -> None:
    """A gateway that answers 200 with an error, or with what it made of nothing; also for earlier versions."""
    faulty = behind("gcs")
    await faulty.direct().write("a", b"content")
    storage = faulty.open(retry_attempts=0)
    faulty.proxy.always("GET", r"/o\?", answer(200, text, content_type="application/json"))
    with pytest.raises(UnreachableError):
        await storage.list()
    with pytest.raises(UnreachableError):
        [page async for page in storage.past()]


@pytest.mark.parametrize("name", ["moto", "azure"])
async def test_an_object_of_which_nothing_tells_is_an_error_of_its_own(behind: Behind, name: str) -> None:
    faulty = behind(name)
    for path in ("a", "odd"):
        await faulty.direct().write(path, b"content")
    storage = faulty.open()
    for method in ("GET", "HEAD"):
        faulty.proxy.always(method, "", odd_time("/odd"))
    for calling in (storage.read("odd"), storage.stat("odd")):
        with pytest.raises(MalformedResponseError, match="/odd") as caught:
            await calling
        assert not isinstance(caught.value, UnreachableError)
    assert await storage.read("a") == b"content"


@pytest.mark.parametrize("name", ["moto", "gcs", "azure"])
async def test_what_is_about_another_object_is_not_taken(behind: Behind, name: str) -> None:
    """A cache that mixes up answers: another size than HEAD tells, where the length is not told with the content."""
    faulty = behind(name)
    await faulty.direct().write("a", b"content")
    storage = faulty.open()
    other = changed(lambda _, given: dataclasses.replace(given, body=b"another content", framing="chunked"))
    faulty.proxy.always("GET", r"/a$|a\?alt=media", other)
    with pytest.raises(PersonaError) as caught:
        await storage.read("a")
    assert caught.value.exit_code == 8


async def test_gzip_is_read_as_it_is_stored(behind: Behind) -> None:
    """Google unpacks an object with contentEncoding gzip for who does not accept gzip, and then tells no length."""
    faulty = behind("gcs")
    packed = gzip.compress(b"content " * 1000)
    await faulty.direct().write("a", packed, content_type="text/plain")

    def transcoding(seen: Seen, given: Answer) -> Answer:
        if "gzip" in seen.headers.get("accept-encoding", ""):
            return dataclasses.replace(given, headers=[*given.headers, ("content-encoding", "gzip")])
        return dataclasses.replace(given, body=gzip.decompress(given.body), framing="chunked")

    faulty.proxy.always("GET", "alt=media", changed(transcoding))
    assert await faulty.open().read("a") == packed


@pytest.mark.parametrize("status", [400, 403, 405])
async def test_parts_that_cannot_be_listed_are_sent_anew(behind: Behind, status: int) -> None:
    class Left:
        token: str | None = None

        async def save(self, token: str | None) -> None:
            self.token = token

    faulty, checkpoint = behind("moto"), Left()
    storage = faulty.open(chunk_size=5 * MIB, retry_attempts=0)
    faulty.proxy.on("PUT", "partNumber=2", answer(500))
    blocks = [block(number) for number in range(11)]
    with pytest.raises(UnreachableError):
        await storage.write_stream("a", stream(blocks), checkpoint=checkpoint)
    assert checkpoint.token
    faulty.proxy.on("GET", "uploadId=", answer(status, "<Error><Code>NotImplemented</Code></Error>"))
    await storage.write_stream("a", stream(blocks), checkpoint=checkpoint)
    assert await storage.read("a") == b"".join(blocks)


@pytest.mark.parametrize("name", ["moto", "gcs", "azure"])
async def test_an_error_of_our_own_is_not_blamed_on_the_provider(
    behind: Behind, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = behind(name)
    storage = faulty.open()
    await storage.write("a", b"content")
    for module in ("facts", "gcs", "azure", "s3_listing"):
        monkeypatch.setattr(f"persona.storage.backends.{module}.size_in", lambda text: {}[text])
    for calling in (storage.stat("a"), storage.list()):
        with pytest.raises(KeyError):
            await calling


@pytest.mark.parametrize("status", [413, 502, 503, 504, 429])
async def test_a_page_of_a_gateway_is_judged_by_its_status(behind: Behind, status: int) -> None:
    faulty = behind("moto")
    storage = faulty.open(retry_attempts=0)
    page = f"<html><head><title>{status}</title></head><body>nginx</body></html>"
    faulty.proxy.on("PUT", r"/a$", answer(status, page, content_type="text/html"))
    with pytest.raises(PersonaError, match=r"413|502|503|504|fewer") as caught:
        await storage.write("a", b"content")
    assert "login" not in caught.value.hint
    assert isinstance(caught.value, UnreachableError) == (status != 413)
    if status == 413:
        assert "client_max_body_size" in caught.value.hint
