"""A slow line is no outage: what counts is that bytes move, not how long all of them take."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from persona.config.schema import PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import UnreachableError
from persona.storage.stack import open_storage

TIMEOUT = 2.0
BYTES = 16 << 20
RATE = 5 << 20


@pytest.fixture
def slow() -> Iterator[str]:
    """The address of a server that takes a request's content at `RATE` bytes a second, then answers."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        server.bind(("127.0.0.1", 0))
        server.listen()
        thread = threading.Thread(target=_serve, args=(server,), daemon=True)
        thread.start()
        yield "http://{}:{}".format(*server.getsockname())
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # the test is over
            return
        with connection:
            _take(connection)


def _take(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1 << 16)
    head, _, body = head.partition(b"\r\n\r\n")
    left = int(re.findall(rb"(?i)content-length: (\d+)", head)[0]) - len(body)
    started, taken = time.monotonic(), 0
    while left > taken and (piece := connection.recv(1 << 16)):
        taken += len(piece)
        time.sleep(max(0.0, started + taken / RATE - time.monotonic()))
    if left == taken:
        connection.sendall(b'HTTP/1.1 200 OK\r\netag: "e"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')


def storage_at(address: str) -> StorageSettings:
    return StorageSettings(
        backend="s3",
        s3=S3Settings(bucket="b", endpoint_url=address, access_key_id="key", secret_access_key=Secret("secret")),
        performance=PerformanceSettings(retry_attempts=0, timeout=TIMEOUT),
    )


async def test_a_large_body_takes_the_time_that_it_takes(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(storage_at(slow))
    backend, _ = storage.beneath("a")
    monkeypatch.setattr(backend, "_bucket_seen", True)  # this server knows nothing but PUT
    started = time.monotonic()
    assert (await storage.write("a", bytes(BYTES))).version == "e"
    assert time.monotonic() - started > TIMEOUT
    await storage.close()


async def test_a_server_that_takes_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        storage = open_storage(storage_at("http://{}:{}".format(*server.getsockname())))
        backend, _ = storage.beneath("a")
        backend._bucket_seen = True  # type: ignore[attr-defined]
        started = time.monotonic()
        with pytest.raises(UnreachableError):
            await storage.write("a", bytes(BYTES))
        assert time.monotonic() - started < 5 * TIMEOUT
        await storage.close()
