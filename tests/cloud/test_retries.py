"""What passes is tried again, within bounds; what does not pass is not."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ConflictError,
    PersonaError,
    ThrottledError,
    UnreachableError,
)
from persona.storage.backend import IfAbsent, IfVersion, StorageBackend
from persona.storage.backends.azure import AzureBlobBackend
from persona.storage.backends.primitives import Attributes
from persona.storage.capabilities import HONOURED
from persona.storage.retry import RetryPolicy
from tests.cloud.conftest import Faulty
from tests.contract.helpers import MIB, block, received, stream
from tests.faults import answer, html, lose_answer, reset, stall, truncate

Behind = Callable[[str], Faulty]
Operation = Callable[[StorageBackend], Awaitable[Any]]

BUSY = answer(503, "<Error><Code>SlowDown</Code></Error>")


def put(storage: StorageBackend) -> Awaitable[Any]:
    return storage.write("a", b"new")


def get(storage: StorageBackend) -> Awaitable[Any]:
    return storage.read("a")


def stat(storage: StorageBackend) -> Awaitable[Any]:
    return storage.stat("a")


def scan(storage: StorageBackend) -> Awaitable[Any]:
    return storage.list()


def delete(storage: StorageBackend) -> Awaitable[Any]:
    return storage.delete("a")


REQUESTS = [
    ("s3", put, "PUT", r"/a$"),
    ("s3", get, "GET", r"/a$"),
    ("s3", stat, "HEAD", r"/a$"),
    ("s3", scan, "GET", r"max-keys=1000"),
    ("s3", delete, "DELETE", r"/a$"),
    ("gcs", put, "POST", r"uploadType=multipart"),
    ("gcs", get, "GET", r"a\?alt=media"),
    ("gcs", stat, "GET", r"a\?fields"),
    ("gcs", scan, "GET", r"maxResults=1000"),
    ("gcs", delete, "DELETE", r"a$"),
    ("azure", put, "PUT", r"/a$"),
    ("azure", get, "GET", r"/a$"),
    ("azure", stat, "HEAD", r"/a$"),
    ("azure", scan, "GET", r"maxresults=5000"),
    ("azure", delete, "DELETE", r"/a$"),
]
IDS = [f"{backend}-{operation.__name__}" for backend, operation, *_ in REQUESTS]


@pytest.mark.parametrize(("backend", "operation", "method", "pattern"), REQUESTS, ids=IDS)
async def test_busy_twice_then_done(
    behind: Behind, backend: str, operation: Operation, method: str, pattern: str
) -> None:
    faulty = behind(backend)
    storage = faulty.open()
    await storage.write("a", b"old")
    before = len(faulty.proxy.requests(method, pattern))
    faulty.proxy.on(method, pattern, BUSY, times=2)
    await operation(storage)
    assert len(faulty.proxy.requests(method, pattern)) - before == 3


@pytest.mark.parametrize(("backend", "operation", "method", "pattern"), REQUESTS, ids=IDS)
async def test_attempts_are_bounded(
    behind: Behind, backend: str, operation: Operation, method: str, pattern: str
) -> None:
    faulty = behind(backend)
    await faulty.direct().write("a", b"old")
    storage = faulty.open(retry_attempts=2)
    faulty.proxy.on(method, pattern, BUSY, times=3)
    with pytest.raises(UnreachableError) as caught:
        await operation(storage)
    assert caught.value.exit_code == 7
    assert caught.value.hint
    assert len(faulty.proxy.requests(method, pattern)) == 3


@pytest.mark.parametrize(("backend", "operation", "method", "pattern"), REQUESTS, ids=IDS)
async def test_a_refusal_is_final(
    behind: Behind, backend: str, operation: Operation, method: str, pattern: str
) -> None:
    faulty = behind(backend)
    await faulty.direct().write("a", b"old")
    storage = faulty.open()
    faulty.proxy.on(method, pattern, answer(403, "<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(AccessDeniedError) as caught:
        await operation(storage)
    assert caught.value.exit_code == 4
    assert len(faulty.proxy.requests(method, pattern)) == 1


@pytest.mark.parametrize(
    ("backend", "operation", "method", "pattern"), [case for case in REQUESTS if case[1] is not delete]
)
async def test_a_page_instead_of_an_answer_is_named(
    behind: Behind, backend: str, operation: Operation, method: str, pattern: str
) -> None:
    """A captive portal, or the address of something else: no traceback, and never an empty listing."""
    faulty = behind(backend)
    await faulty.direct().write("a", b"old")
    storage = faulty.open(retry_attempts=0)
    faulty.proxy.on(method, pattern, html())
    with pytest.raises(UnreachableError) as caught:
        await operation(storage)
    assert "127.0.0.1" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(("backend", "operation", "method", "pattern"), REQUESTS, ids=IDS)
async def test_a_stall_ends_after_the_timeout(
    behind: Behind, backend: str, operation: Operation, method: str, pattern: str
) -> None:
    faulty = behind(backend)
    await faulty.direct().write("a", b"old")
    storage = faulty.open(retry_attempts=0, timeout=0.5)
    faulty.proxy.on(method, pattern, stall)
    start = time.monotonic()
    with pytest.raises(UnreachableError, match="in time"):
        await operation(storage)
    assert 0.4 < time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("backend", "operation", "method", "pattern"),
    [case for case in REQUESTS if case[:2] in [("s3", stat), ("gcs", put), ("azure", scan)]],
)
async def test_the_pause_asked_for_is_kept(
    behind: Behind, backend: str, operation: Operation, method: str, pattern: str
) -> None:
    faulty = behind(backend)
    await faulty.direct().write("a", b"old")
    storage = faulty.open()
    faulty.proxy.on(method, pattern, answer(429, "", retry_after="1"))
    await operation(storage)
    first, second = faulty.proxy.requests(method, pattern)
    assert 1 <= second.time - first.time < 2


@pytest.mark.parametrize("backend", ["s3", "gcs", "azure"])
async def test_a_download_is_whole_or_an_error(behind: Behind, backend: str) -> None:
    """A body that breaks off is either read on or an error; it is never taken for the end."""
    faulty = behind(backend)
    content = block(1) + block(2) + block(3)
    await faulty.direct().write("big", content)
    storage = faulty.open(retry_attempts=2)
    faulty.proxy.on("GET", "big", truncate)
    try:
        assert await storage.read("big") == content
    except UnreachableError as error:
        assert "broke off" in str(error)


@pytest.mark.parametrize(
    ("backend", "method", "pattern"),
    [("s3", "PUT", "partNumber=2"), ("gcs", "PUT", "upload_id"), ("azure", "PUT", "comp=block&")],
)
async def test_a_reset_within_an_upload_in_parts(behind: Behind, backend: str, method: str, pattern: str) -> None:
    faulty = behind(backend)
    storage = faulty.open()
    faulty.proxy.on(method, pattern, reset)
    blocks = [block(number) for number in range(12)]
    written = await storage.write_stream("big", stream(blocks), condition=None)
    assert written.size == 12 * MIB
    assert await received(faulty.direct(), "big") == b"".join(blocks)


WRITES = {"s3": ("PUT", r"/a(\?|$)"), "gcs": ("POST", r"uploadType=multipart"), "azure": ("PUT", r"/a(\?|$)")}
ENDS = {"s3": ("POST", r"uploadId="), "gcs": ("PUT", r"%2Fa&.*upload_id="), "azure": ("PUT", r"comp=blocklist")}


@pytest.mark.parametrize("name", WRITES)
async def test_a_lost_answer_to_a_conditional_write_is_no_conflict(behind: Behind, name: str) -> None:
    faulty = behind(name)
    storage, direct = faulty.open(), faulty.direct()
    assert (await storage.capabilities()).writes == HONOURED
    faulty.proxy.on(*WRITES[name], lose_answer)
    created = await storage.write("a", b"first", condition=IfAbsent(), metadata={"by": "us"})
    assert created.version == (await direct.stat("a")).version
    faulty.proxy.on(*WRITES[name], lose_answer)
    updated = await storage.write("a", b"second", condition=IfVersion(created.version))
    assert updated.version == (await direct.stat("a")).version
    assert await direct.read("a") == b"second"


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("theirs", [b"theirs", b"ours"])
async def test_what_another_wrote_meanwhile_is_a_conflict(behind: Behind, name: str, theirs: bytes) -> None:
    """Also if it is as long as ours, or the same with other metadata."""
    faulty = behind(name)
    storage, direct = faulty.open(), faulty.direct()
    assert (await storage.capabilities()).writes == HONOURED
    await direct.write("a", theirs, metadata={"by": "them"})
    faulty.proxy.on(*WRITES[name], reset)
    with pytest.raises(AlreadyExistsError):
        await storage.write("a", b"ours", condition=IfAbsent(), metadata={"by": "us"})
    assert await direct.read("a") == theirs


async def test_who_may_not_look_hears_of_the_conflict(behind: Behind) -> None:
    faulty = behind("s3")
    storage = faulty.open()
    assert (await storage.capabilities()).writes == HONOURED
    faulty.proxy.on("PUT", r"/a$", lose_answer)
    faulty.proxy.on("HEAD", r"/a$", answer(403))
    with pytest.raises(ConflictError):
        await storage.write("a", b"ours", condition=IfVersion((await faulty.direct().write("a", b"old")).version))


@pytest.mark.parametrize(
    ("name", "other"), [("s3", False), ("gcs", False), ("azure", False), ("s3", True), ("azure", True)]
)
async def test_a_lost_answer_to_the_end_of_a_conditional_upload(behind: Behind, name: str, other: bool) -> None:
    faulty = behind(name)
    storage, direct = faulty.open(chunk_size=5 * MIB), faulty.direct()
    assert (await storage.capabilities()).writes == HONOURED
    blocks = [block(number) for number in range(7)]

    async def chunks() -> AsyncIterator[bytes]:
        for each in blocks:
            yield each
        if other:
            await direct.write("a", b"theirs")

    faulty.proxy.on(*ENDS[name], reset if other else lose_answer, skip=2 if name == "gcs" else 0)  # after two parts
    writing = storage.write_stream("a", chunks(), condition=IfAbsent())
    if other:
        with pytest.raises(AlreadyExistsError):
            await writing
        assert await direct.read("a") == b"theirs"
    else:
        assert (await writing).version == (await direct.stat("a")).version
        assert await received(direct, "a") == b"".join(blocks)


async def test_a_blob_that_only_claims_our_md5_is_not_ours(behind: Behind) -> None:
    """Azure keeps the MD5 that a writer states of a blob of blocks, and does not check it."""
    faulty = behind("azure")
    storage, direct = faulty.open(chunk_size=5 * MIB), faulty.direct()
    assert (await storage.capabilities()).writes == HONOURED
    assert isinstance(direct, AzureBlobBackend)
    blocks = [block(number) for number in range(7)]

    async def chunks() -> AsyncIterator[bytes]:
        for each in blocks:
            yield each
        theirs = direct._left(direct._key("a"), "", Attributes("text/plain", {}), None)
        await theirs.foresee(b"".join(blocks))  # which states our MD5
        await theirs.part(0, b"theirs")
        await theirs.finish()

    faulty.proxy.on(*ENDS["azure"], reset)
    with pytest.raises(AlreadyExistsError):
        await storage.write_stream("a", chunks(), condition=IfAbsent())
    assert await direct.read("a") == b"theirs"


async def test_a_lost_answer_to_the_end_of_an_upload(behind: Behind) -> None:
    """The next attempt is told that there is no such upload: it was completed."""
    faulty = behind("moto")
    storage = faulty.open()
    faulty.proxy.on("POST", "uploadId=", lose_answer)
    faulty.proxy.on("POST", "uploadId=", answer(404, "<Error><Code>NoSuchUpload</Code></Error>"))
    blocks = [block(number) for number in range(7)]
    await storage.write_stream("big", stream(blocks))
    assert await received(faulty.direct(), "big") == b"".join(blocks)


async def test_an_upload_that_another_ended(behind: Behind) -> None:
    """An object that is there, but not of these parts, does not make the upload a success."""
    faulty = behind("moto")
    await faulty.direct().write("big", b"another's")
    storage = faulty.open()
    faulty.proxy.on("POST", "uploadId=", answer(404, "<Error><Code>NoSuchUpload</Code></Error>"))
    with pytest.raises(PersonaError):
        await storage.write_stream("big", stream([block(number) for number in range(7)]))
    assert await received(faulty.direct(), "big") == b"another's"


class Clock:
    """A loop's clock that sleeping moves on, so that no test waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.loop = asyncio.new_event_loop()
        monkeypatch.setattr(self.loop, "time", lambda: self.now)

        async def sleep(pause: float) -> None:
            self.pauses.append(pause)
            self.now += pause

        monkeypatch.setattr(asyncio, "sleep", sleep)

    def run(self, policy: RetryPolicy, errors: list[PersonaError], takes: float = 0.0) -> Any:
        async def operation() -> str:
            self.now += takes
            if errors:
                raise errors.pop(0)
            return "done"

        try:
            return self.loop.run_until_complete(policy.run(operation))
        finally:
            self.loop.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that sleeping moves on."""
    return Clock(monkeypatch)


def test_pauses_double_up_to_the_longest(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    assert clock.run(RetryPolicy(attempts=6, delay=1, max_delay=10), [UnreachableError("x")] * 6) == "done"
    assert clock.pauses == [1, 2, 4, 8, 10, 10]


def test_no_attempt_starts_after_the_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    errors: list[PersonaError] = [UnreachableError(str(number)) for number in range(9)]
    with pytest.raises(UnreachableError, match="2"):
        clock.run(RetryPolicy(attempts=8, delay=1, max_time=25), errors, takes=10)
    assert clock.pauses == [1, 2]


def test_a_pause_beyond_the_time_is_not_begun(clock: Clock) -> None:
    with pytest.raises(ThrottledError):
        clock.run(RetryPolicy(attempts=8, max_time=60), [ThrottledError("x", retry_after=61)] * 2)
    assert clock.pauses == []


def test_what_was_asked_for_is_the_least(clock: Clock) -> None:
    clock.run(RetryPolicy(attempts=2, delay=0.5), [ThrottledError("x", retry_after=7)] * 2)
    assert clock.pauses == [7, 7]


def test_what_does_not_pass_is_raised_at_once(clock: Clock) -> None:
    with pytest.raises(ConflictError):
        clock.run(RetryPolicy(attempts=5), [ConflictError("x")])
    assert clock.pauses == []


def test_no_attempts_more_is_one(clock: Clock) -> None:
    with pytest.raises(UnreachableError):
        clock.run(RetryPolicy(attempts=0), [UnreachableError("x")])
    assert clock.pauses == []


@given(attempt=st.integers(0, 20), delay=st.floats(0, 60), longest=st.floats(0, 120))
def test_jitter_is_full_and_bounded(attempt: int, delay: float, longest: float) -> None:
    pause = RetryPolicy(delay=delay, max_delay=longest).pause(attempt, UnreachableError("x"))
    assert 0 <= pause <= min(delay * 2**attempt, longest)


def test_a_retry_is_told(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        clock.run(RetryPolicy(attempts=1, delay=0), [UnreachableError("host does not answer.")])
    assert caplog.messages == ["host does not answer. Trying again in 0.0 s."]
