"""Answers that never end, each byte of which comes in time: every wait has a limit. A slow line is no stall."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from persona.config.schema import PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import UnreachableError
from persona.storage.backend import StorageBackend
from persona.storage.backends import deadlines
from persona.storage.stack import open_storage
from tests.faults import Act, FaultProxy, Seen, _Handler

HEAD = b"HTTP/1.1 200 OK\r\n"
ABOUT = b'etag: "e"\r\nlast-modified: Mon, 20 Jan 2025 14:32:00 GMT\r\n'
TIMEOUT = 0.2


def raw(*pieces: bytes, again: Callable[[], Iterator[bytes]] | None = None, pause: float = 0.0) -> Act:
    """Answer with bytes as they are, then with others until the client goes."""

    def act(handler: _Handler, seen: Seen) -> None:
        handler.close_connection = True
        with suppress(OSError):
            for piece in pieces:
                handler.wfile.write(piece)
                handler.wfile.flush()
                time.sleep(pause)
            for piece in again() if again else ():
                handler.wfile.write(piece)
                handler.wfile.flush()
                if handler.proxy.ended.wait(pause):
                    return

    return act


def endless(piece: bytes) -> Callable[[], Iterator[bytes]]:
    def repeated() -> Iterator[bytes]:
        while True:
            yield piece

    return repeated


def opened(proxy: FaultProxy, timeout: float = TIMEOUT) -> StorageBackend:
    s3 = S3Settings(bucket="b", endpoint_url=proxy.url, access_key_id="key", secret_access_key=Secret("secret"))
    performance = PerformanceSettings(retry_attempts=0, timeout=timeout)
    return open_storage(StorageSettings(backend="s3", s3=s3, performance=performance))


SLOW = TIMEOUT / 10
ENDLESS: dict[str, Act] = {
    "interim answers, slowly": raw(again=endless(b"HTTP/1.1 100 Continue\r\n\r\n"), pause=SLOW),
    "interim answers": raw(again=endless(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)),
    "early hints": raw(again=endless(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"), pause=SLOW),
    "a status line": raw(b"HTTP/1.1 200 ", again=endless(b"x"), pause=SLOW),
    "a header": raw(HEAD + b"x-a: ", again=endless(b"x"), pause=SLOW),
    "headers": raw(HEAD, again=endless(b"x-a: y\r\n"), pause=SLOW),
    "a body": raw(HEAD + ABOUT + b"content-length: 1000000\r\n\r\n", again=endless(b"x"), pause=SLOW),
    "a chunked body": raw(
        HEAD + ABOUT + b"transfer-encoding: chunked\r\n\r\n", again=endless(b"1\r\nx\r\n"), pause=SLOW
    ),
    "chunk sizes": raw(HEAD + ABOUT + b"transfer-encoding: chunked\r\n\r\n", again=endless(b"0"), pause=SLOW),
    "trailers": raw(HEAD + ABOUT + b"transfer-encoding: chunked\r\n\r\n0\r\n", again=endless(b"x-a: y\r\n" * 1000)),
    "a refusal": raw(b"HTTP/1.1 500 Oh\r\n" + b"content-length: 1000000\r\n\r\n", again=endless(b"x"), pause=SLOW),
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_an_answer_without_an_end_is_given_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "BODY_TIMES", 4)
    with FaultProxy() as proxy:
        for method in ("GET", "HEAD"):
            proxy.faults.append(_always(proxy, method, ENDLESS[kind]))
        storage = opened(proxy)
        for operation in (storage.read("a"), storage.list()):
            with pytest.raises(UnreachableError):
                await operation
        await storage.close()


def _always(proxy: FaultProxy, method: str, act: Act):  # type: ignore[no-untyped-def]
    proxy.always(method, "", act)
    fault = proxy.faults.pop()
    fault.least = 0
    return fault


async def test_interim_answers_are_read_past() -> None:
    about = HEAD + ABOUT + b"content-length: 7\r\n\r\ncontent"
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n"
    with FaultProxy() as proxy:
        proxy.always("GET", "", raw(interim, about))
        storage = opened(proxy)
        assert await storage.read("a") == b"content"
        await storage.close()


async def test_a_slow_line_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body may take longer than the timeout, many times, as long as enough comes."""
    monkeypatch.setattr(deadlines, "BODY_BYTES", 1000)
    monkeypatch.setattr(deadlines, "BODY_TIMES", 1)
    pieces = [bytes([number]) * 1000 for number in range(20)]
    with FaultProxy() as proxy:
        proxy.always("GET", "", raw(HEAD + ABOUT + b"content-length: 20000\r\n\r\n", *pieces, pause=0.05))
        storage = opened(proxy, 0.4)
        assert await storage.read("a") == b"".join(pieces)
        await storage.close()
