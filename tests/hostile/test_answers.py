"""Answers that no provider gives, over the wire of each: one clear error, bounded memory, and no key goes elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from persona.config.schema import AzureSettings, GCSSettings, PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import PersonaError, UnreachableError
from persona.storage.backends.answers import MAX_ANSWER_BYTES, ListingError, time_in, xml_or_none
from persona.storage.backends.listing import MAX_EMPTY_PAGES, Page, as_listed, ascending, in_either_order, in_order
from persona.storage.backends.primitives import Entry
from persona.storage.paths import sort_key
from persona.storage.stack import open_storage
from tests.cloud.test_secrets import OPERATIONS
from tests.faults import Act, FaultProxy, Seen, _Handler, answer

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")
QUICK = PerformanceSettings(retry_attempts=0, retry_delay=0.01, timeout=5)
TOKEN = "the-session-token"


def s3(url: str) -> StorageSettings:
    keys = {"secret_access_key": Secret("secret"), "session_token": Secret(TOKEN)}
    s3 = S3Settings(bucket="bucket", endpoint_url=url, access_key_id="key", region="us-east-1", **keys)  # type: ignore[arg-type]
    return StorageSettings(backend="s3", s3=s3, performance=QUICK)


def gcs(url: str) -> StorageSettings:
    return StorageSettings(backend="gcs", gcs=GCSSettings(bucket="bucket", endpoint_url=url), performance=QUICK)


def azure(url: str) -> StorageSettings:
    string = Secret(f"AccountName=account;AccountKey=c2VjcmV0;BlobEndpoint={url}/account")
    return StorageSettings(
        backend="azure", azure=AzureSettings(container="bucket", connection_string=string), performance=QUICK
    )


Make = Callable[[str], StorageSettings]
MAKES: dict[str, Make] = {"s3": s3, "gcs": gcs, "azure": azure}

BOMB = "".join(
    [
        "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a0 'aaaaaaaaaa'>",
        *(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)),
        "]><ListBucketResult><Name>&a9;</Name></ListBucketResult>",
    ]
)


def flood(status: int) -> Act:
    """Answer with a body that has no end, up to what a careful client never takes."""

    def act(handler: _Handler, seen: Seen) -> None:
        handler.close_connection = True
        handler.send_response_only(status)
        handler.send_header("connection", "close")
        handler.end_headers()
        for _ in range(MAX_ANSWER_BYTES + (8 << 20) >> 16):
            handler.wfile.write(b"x" * (1 << 16))

    return act


def headers(handler: _Handler, seen: Seen) -> None:
    """Answer with megabytes of headers."""
    handler.close_connection = True
    handler.send_response_only(200)
    handler.wfile.write(b"".join(b"x-%d: %s\r\n" % (n, b"y" * 8000) for n in range(500)))


def as_json(document: object) -> Act:
    return answer(200, json.dumps(document), content_type="application/json")


def entry(**changes: object) -> dict[str, object]:
    item: dict[str, object] = {"name": "a", "size": "1", "updated": "2025-01-20T14:32:00Z", "generation": "5"}
    return item | changes


def s3_page(contents: str, rest: str = "<IsTruncated>false</IsTruncated>") -> Act:
    return answer(200, f"<ListBucketResult>{contents}{rest}</ListBucketResult>")


def s3_entry(key: str, size: str = "1", moment: str = "2025-01-20T14:32:00Z") -> str:
    return (
        f"<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{moment}</LastModified><ETag>e</ETag></Contents>"
    )


MORE = "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>"
ANSWERS: dict[str, Act] = {
    "entities": answer(200, BOMB),
    "entities in UTF-16": answer(200, BOMB.encode("utf-16")),
    "entities in an error": answer(400, BOMB),
    "endless": flood(200),
    "endless error": flood(500),
    "headers": headers,
    "gzip": answer(200, gzip.compress(b"x" * (64 << 20)), content_encoding="gzip", etag='"e"'),
    "many elements": answer(200, b"<ListBucketResult>" + b"<a/>" * 4_000_000 + b"</ListBucketResult>"),
    "deep JSON": answer(200, b"[" * 200_000),
    "wide JSON": answer(200, b'{"items": [' + b"[]," * 2_000_000 + b"[]]}"),
    "a list": as_json([1]),
    "items of text": as_json({"items": ["a", 1, None]}),
    "items in an object": as_json({"items": {"a": 1}}),
    "a key that is a number": as_json({"items": [entry(name=7)]} | entry(name=7)),
    "a negative size": as_json({"items": [entry(size="-1")]} | entry(size=-1)),
    "a size of a thousand digits": as_json({"items": [entry(size="9" * 5000)]} | entry(size="9" * 5000)),
    "a time without zone": as_json(
        {"items": [entry(updated="2025-01-20T14:32:00")]} | entry(updated="2025-01-20T14:32")
    ),
    "a time before time": as_json({"items": [entry(updated="0001-01-01T00:00:00+14:00")]}),
    "metadata of lists": as_json({"items": [entry(metadata=["a"])]} | entry(metadata={"a": ["b"]})),
    "a token that is an object": as_json({"items": [], "nextPageToken": {"a": 1}}),
    "folders that are numbers": as_json({"items": [], "prefixes": [1, 2]}),
    "the same token": s3_page(s3_entry("a"), MORE),
    "the same token in JSON": as_json({"items": [entry()], "nextPageToken": "again"}),
    "the same token of Azure": answer(
        200, "<EnumerationResults><Blobs/><NextMarker>again</NextMarker></EnumerationResults>"
    ),
    "the same key twice": s3_page(s3_entry("a") * 2),
    "a size of words": s3_page(s3_entry("a", "1_000")),
    "a time of S3 before time": s3_page(s3_entry("a", "1", "0001-01-01T00:00:00+14:00")),
    "a code of escapes": answer(418, "<Error><Code>\x9b2J\x85evil\u202e</Code></Error>"),
    "a code of a megabyte": answer(418, f"<Error><Code>{'x' * (1 << 20)}</Code></Error>", x_ms_error_code="y" * 5000),
    "a region that is a command": answer(400, "<Error><Region>eu; rm -rf ~</Region></Error>"),
    "wait for ever": answer(429, retry_after="9" * 400),
    "nonsense in headers": answer(
        200, "x", date="Mon, 99 Foo 99999", etag="", last_modified="never", content_range="x/y/z"
    ),
    "a date out of range": answer(
        200, "x", last_modified="Mon, 01 Jan 0001 00:00:00 +1400", etag='"e"', x_goog_generation="1"
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("name", MAKES)
async def test_nonsense_is_one_clear_error(name: str, kind: str) -> None:
    started = time.monotonic()
    with FaultProxy() as proxy:
        for method in METHODS:
            proxy.on(method, "", ANSWERS[kind], times=1 << 30)
        storage = open_storage(MAKES[name](proxy.url))
        calls = [operation(storage) for operation in OPERATIONS.values()]
        results = await asyncio.gather(*calls, return_exceptions=True)
        await storage.close()
        proxy.faults.clear()
    for result in results:
        if isinstance(result, BaseException):
            assert isinstance(result, PersonaError), repr(result)
            assert len(f"{result}{result.hint}") < 500
            assert "rm -rf" not in result.hint
    assert any(isinstance(result, PersonaError) for result in results)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("kind", ["endless", "endless error", "gzip", "entities", "many elements", "wide JSON"])
@pytest.mark.parametrize("operation", ["list", "read", "write"])
@pytest.mark.parametrize("name", MAKES)
async def test_no_answer_takes_much_memory(name: str, operation: str, kind: str) -> None:
    with FaultProxy() as proxy:
        for method in METHODS:
            proxy.on(method, "", ANSWERS[kind], times=1 << 30)
        storage = open_storage(MAKES[name](proxy.url))
        tracemalloc.start()
        try:
            try:
                await OPERATIONS[operation](storage)
            except PersonaError:
                refused = True
            else:
                refused = False
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        await storage.close()
        proxy.faults.clear()
    assert refused or (operation, kind) == ("write", "gzip")  # to a write, 200 and an ETag are all that counts
    assert peak < 3 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", MAKES)
async def test_no_redirect_is_followed(name: str, status: int) -> None:
    with FaultProxy() as other, FaultProxy() as proxy:
        there = answer(status, location=f"http://localhost:{other.address.rpartition(':')[2]}/bucket/a")
        for method in METHODS:
            proxy.on(method, "", there, times=1 << 30)
        storage = open_storage(MAKES[name](proxy.url))
        calls = [operation(storage) for operation in OPERATIONS.values()]
        results = await asyncio.gather(*calls, return_exceptions=True)
        await storage.close()
        proxy.faults.clear()
        assert all(isinstance(result, PersonaError) for result in results), results
        assert proxy.seen
        assert not other.seen


@pytest.mark.parametrize("length", [1, 3, 1 << 40])
@pytest.mark.parametrize("name", MAKES)
async def test_a_length_that_lies(name: str, length: int) -> None:
    about = {"etag": '"e"', "last_modified": "Mon, 20 Jan 2025 14:32:00 GMT", "x_goog_generation": "5"}

    def act(handler: _Handler, seen: Seen) -> None:
        answer(200, b"xx", **about)(handler, seen) if length == 2 else _lie(handler, about, length)

    with FaultProxy() as proxy:
        proxy.on("GET", "", act, times=1 << 30)
        storage = open_storage(MAKES[name](proxy.url))
        try:
            assert await storage.read("a") == b"xx"[:length]
            assert length == 1
        except UnreachableError:
            assert length > 2
        await storage.close()
        proxy.faults.clear()


def _lie(handler: _Handler, about: dict[str, str], length: int) -> None:
    handler.close_connection = True
    handler.send_response_only(200)
    for name, text in about.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.send_header("content-length", str(length))
    handler.end_headers()
    handler.wfile.write(b"xx")


# Listings that have no end, without a server.


def at(key: str) -> Entry:
    return Entry(key, 1, time_in("2025-01-20T14:32:00Z"), "v")


def pages(*given: Page[Entry]) -> Callable[[str, str | None, str | None, bool], AsyncIterator[Page[Entry]]]:
    """Return what fetches these pages, one after another and over again."""
    count = 0

    async def fetch(prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]:
        nonlocal count
        count += 1
        assert count < 5 * MAX_EMPTY_PAGES, "it does not end"
        return given[(count - 1) % len(given)]

    return fetch  # type: ignore[return-value]


ENDLESS: dict[str, Sequence[Page[Entry]]] = {
    "the same token": [Page([at("a")], [], "t")],
    "tokens in a circle": [Page([], [f"x{n}/"], f"t{n % 7}") for n in range(70)],
    "empty pages": [Page([], [], f"t{n}") for n in range(4000)],
    "the same keys": [Page([at("a"), at("b")], [], f"t{n}") for n in range(4000)],
    "keys that run backwards": [Page([at(f"{9 - n}")], [], f"t{n}") for n in range(9)],
    "the folder itself": [Page([], ["p/"], f"t{n}") for n in range(9)],
    "a folder elsewhere": [Page([], ["q/"], f"t{n}") for n in range(9)],
    "a folder that is none": [Page([], ["p/x"], f"t{n}") for n in range(9)],
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_an_endless_listing_ends(kind: str) -> None:
    for listing in (as_listed, in_order):
        if listing is in_order and kind == "keys that run backwards":
            continue  # which an endpoint that is not the provider's own may well do
        with pytest.raises(ListingError):
            async for _ in ascending(listing(pages(*ENDLESS[kind]), "p/" if "folder" in kind else "", None)):  # type: ignore[arg-type]
                pass


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_a_listing_in_either_order_of_characters_is_taken(size: int) -> None:
    """Azure does not say by which its listings are; they come in the order that all others have."""
    keys = ["a", "b\U0001f642", "b\U0001f643", "b\uffee", "c"]  # by UTF-16
    for given in (keys, sorted(keys, key=sort_key)):
        cut = [given[start : start + size] for start in range(0, len(given), size)]
        last = len(cut) - 1
        answers = [Page([at(key) for key in part], [], None if n == last else f"t{n}") for n, part in enumerate(cut)]
        found = [page async for page in ascending(in_either_order(pages(*answers), "", None))]  # type: ignore[arg-type]
        assert [each.key for page in found for each in page] == sorted(keys, key=sort_key)


async def test_a_listing_out_of_order_is_no_listing() -> None:
    """Who walks two listings at once would take what comes too late for missing, and remove it."""
    with pytest.raises(ListingError, match="does not come after"):
        async for _ in ascending(as_listed(pages(Page([at(key) for key in "acb"], [], None)), "", None)):  # type: ignore[arg-type]
            pass


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp037", "latin-1"])
def test_no_document_type_in_any_encoding(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?>".encode() + BOMB.partition("?>")[2].encode(encoding)
    assert xml_or_none(text) is None
