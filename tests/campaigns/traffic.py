"""A proxy fast enough to stand in the way of a whole migration: it passes requests on as streams and counts them.

`tests.faults.FaultProxy` does what a script says to single requests. This one knows of each request whether the whole
of it reached the server, and what became of it, also when the client was killed meanwhile; and it can disturb any
request by chance (see `tests.campaigns.weather`).
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

PIECE = 256 * 1024
OPENING_BYTES = 2048
HEAD_BYTES = 64 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)


@dataclass
class Passed:
    """A request that came.

    Args:
        method: GET, PUT, …
        target: path and query, as they came.
        begun: when its head came, by `time.monotonic`.
        received: when all of it had reached the server, or None if it never did.
        status: what the server answered, or None.
        ended: when the answer was passed on, or the client was found to be gone.
        fault: what the proxy did to it, or "".
        opening: how its body begins.
    """

    method: str
    target: str
    begun: float = field(default_factory=time.monotonic)
    received: float | None = None
    status: int | None = None
    ended: float | None = None
    fault: str = ""
    opening: bytes = b""

    @property
    def done(self) -> bool:
        """Whether the server did what was asked."""
        return self.received is not None and self.status is not None and self.status < 300


class Line:
    """The two ends of one connection, for what is to happen to a request."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, upstream: str) -> None:
        self.reader = reader
        self.writer = writer
        self.host, _, port = upstream.partition(":")
        self.port = int(port)
        self.server: tuple[StreamReader, StreamWriter] | None = None

    async def behind(self) -> tuple[StreamReader, StreamWriter]:
        """Return the connection to the server, made anew if it was closed."""
        if self.server is None or self.server[0].at_eof() or self.server[1].is_closing():
            self.hang_up()
            self.server = await asyncio.open_connection(self.host, self.port, limit=HEAD_BYTES)
        return self.server

    def hang_up(self) -> None:
        """Break off the connection to the server; it takes what it got so far for an incomplete request."""
        if self.server:
            self.server[1].transport.abort()
            self.server = None

    def reset(self) -> None:
        """Close the client's connection with RST."""
        plug = self.writer.get_extra_info("socket")
        with suppress(OSError):
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class EndOfLineError(Exception):
    """A connection has ended, by either side or by a fault."""


class Traffic:
    """The proxy; use it in a ``with``.

    Args:
        upstream: the server behind it, as ``host:port``.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.passed: list[Passed] = []
        self.on_event: Callable[[str, Passed], None] | None = None
        """Called in the proxy's thread when a request has ``begun``, was ``received``, was ``answered``."""
        self.frozen = False
        """While this is true, no request is passed on, and none is answered."""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, port: int) -> None:
        """Listen at this port instead, before the proxy is started."""
        self._socket.close()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def requests(self, method: str, pattern: str = "") -> list[Passed]:
        """Return the requests that came, of a method and with a matching path and query."""
        return [each for each in self.passed if each.method == method and re.search(pattern, each.target)]

    def wait_for(self, method: str, pattern: str, count: int = 1, *, within: float = 60.0) -> None:
        """Wait until so many requests were answered with success."""
        deadline = time.monotonic() + within
        while sum(each.done for each in self.requests(method, pattern)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"no {count} of {method} {pattern} in {within} s: {self.passed[-20:]}")
            time.sleep(0.01)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._client, sock=self._socket, limit=HEAD_BYTES)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        line = Line(reader, writer, self.upstream)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head[: head.index(b"\r\n")].decode("latin-1").split(" ", 2)
                passed = Passed(method, target)
                self.passed.append(passed)
                self._tell("begun", passed)
                try:
                    await self._thawed(line)
                    await self.treat(line, passed, head)
                finally:
                    passed.ended = time.monotonic()
        except (EndOfLineError, OSError, EOFError, ValueError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # either side is gone, or the proxy ends
        finally:
            line.hang_up()
            writer.transport.abort()
            self._tasks.discard(task)

    async def _thawed(self, line: Line) -> None:
        while self.frozen:
            await asyncio.sleep(0.02)
            if line.reader.at_eof():
                raise EndOfLineError

    async def treat(self, line: Line, passed: Passed, head: bytes) -> None:
        """Do with a request what is to be done: here, pass it on, and its answer back."""
        await self.ask(line, passed, head)
        await self.answer(line, passed)

    async def ask(self, line: Line, passed: Passed, head: bytes) -> None:
        """Pass a request on to the server, as it comes.

        Raises:
            EndOfLineError: the client is gone before all of it came; the server gets an incomplete request.
        """
        _, server = await line.behind()
        server.write(head)
        if _EXPECTS.search(head):
            line.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async for piece in body(line.reader, head):
                passed.opening = passed.opening or piece[:OPENING_BYTES]
                server.write(piece)
                await server.drain()
            await server.drain()
        except (OSError, EOFError) as error:
            line.hang_up()
            raise EndOfLineError from error
        passed.received = time.monotonic()
        self._tell("received", passed)

    async def answer(self, line: Line, passed: Passed) -> None:
        """Pass the answer back; it is read to its end even if the client is gone, to know what the server did."""
        reader, _ = await line.behind()
        head = await answer_head(reader)
        passed.status = int(head[9:12])
        self._tell("answered", passed)
        bodiless = passed.method == "HEAD" or passed.status in (204, 304)
        line.writer.write(head.replace(self.upstream.encode(), self.address.encode()))
        if not bodiless:
            async for piece in body(reader, head, to_end=True):
                line.writer.write(piece)
                await line.writer.drain()
        await line.writer.drain()
        if _CLOSE.search(head) or line.writer.is_closing():
            raise EndOfLineError

    def _tell(self, event: str, passed: Passed) -> None:
        if self.on_event:
            self.on_event(event, passed)


async def answer_head(reader: StreamReader) -> bytes:
    """Read the head of the final answer; interim ones are passed over."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 1"):
            return head


async def body(reader: StreamReader, head: bytes, *, to_end: bool = False) -> AsyncIterator[bytes]:
    """Yield the body that follows a head, as it stands on the wire.

    Args:
        reader: where it comes from.
        head: says how it ends.
        to_end: whether a body of unknown length goes on until the connection ends, as that of an answer does.
    """
    if _CHUNKED.search(head):
        while True:
            start = await reader.readuntil(b"\r\n")
            size = int(start.split(b";")[0], 16)
            yield start
            yield await reader.readexactly(size + 2)
            if not size:
                return
    found = _LENGTH.search(head)
    left = int(found[1]) if found else -1 if to_end else 0
    while left:
        piece = await reader.read(PIECE if left < 0 else min(PIECE, left))
        if not piece:
            if left < 0:
                return
            raise EOFError("the connection ended inside a body")
        left -= len(piece) if left > 0 else 0
        yield piece
