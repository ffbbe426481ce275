"""A proxy on 127.0.0.1 between a client and a real server, which does to single requests what a script says.

Requests go on as they came, their Host header with them, since it is signed. What a script foresees has to happen:
leaving the proxy raises if one of its faults was not met. Without a server behind it, it answers by script alone.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Seen:
    """A request that came, and when."""

    method: str
    target: str
    headers: Message
    body: bytes
    time: float = field(default_factory=time.monotonic)
    answered: bool = False
    status: int | None = None


@dataclass
class Answer:
    """An answer, from the server behind or from the script.

    Args:
        status: the status.
        headers: its headers, without those of the framing.
        body: its body.
        length: the Content-Length to state, if not that of the body.
        framing: how the body's end is told: ``length``, ``chunked``, ``close`` (of the connection), or, of an answer
            to HEAD, ``none``.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    length: int | None = None
    framing: str = "length"


Act = Callable[["_Handler", Seen], None]


@dataclass
class Fault:
    """What happens to the requests that match, from the one after `skip` on, as often as `times` says."""

    method: str
    pattern: re.Pattern[str]
    act: Act
    times: int
    skip: int
    least: int
    met: int = 0

    def takes(self, seen: Seen) -> bool:
        if seen.method != self.method or not self.pattern.search(seen.target) or self.met >= self.skip + self.times:
            return False
        self.met += 1
        return self.met > self.skip


class FaultsNotMetError(AssertionError):
    """A fault of the script did not happen, so that the test has shown nothing."""


class FaultProxy:
    """The proxy; use it in a ``with``.

    Args:
        upstream: the server behind it, as ``host:port``, or None.
    """

    def __init__(self, upstream: str | None = None) -> None:
        self.upstream = upstream
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.proxy = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def on(self, method: str, pattern: str, act: Act, *, times: int = 1, skip: int = 0) -> None:
        """Let something happen to requests whose path and query match a pattern."""
        self.faults.append(Fault(method, re.compile(pattern), act, times, skip, skip + times))

    def always(self, method: str, pattern: str, act: Act) -> None:
        """Let something happen to each request whose path and query match a pattern: one at the least."""
        self.faults.append(Fault(method, re.compile(pattern), act, sys.maxsize, 0, 1))

    def requests(self, method: str, pattern: str = "") -> list[Seen]:
        """Return the requests that came, of a method and with a matching path and query."""
        return [seen for seen in self.seen if seen.method == method and re.search(pattern, seen.target)]

    def taken(self, method: str, pattern: str = "") -> list[Seen]:
        """Return the requests that came and were not refused; a client sends again what was."""
        return [seen for seen in self.requests(method, pattern) if seen.status is not None and seen.status < 300]

    def settled(self) -> bool:
        """Say whether all requests that came have been answered."""
        return all(seen.answered for seen in self.seen)

    def act_on(self, seen: Seen) -> Act:
        with self.lock:
            self.seen.append(seen)
            return next((fault.act for fault in self.faults if fault.takes(seen)), forward)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        missed = [fault for fault in self.faults if fault.met < fault.least]
        if kind is None and missed:
            raise FaultsNotMetError(f"not met: {missed}")


def forward(handler: _Handler, seen: Seen) -> None:
    """Pass the request on, and its answer back."""
    handler.reply(handler.ask(seen))


def answer(status: int, body: bytes | str = b"", **headers: str) -> Act:
    """Answer without asking the server; ``_`` in the names of headers stands for ``-``."""
    content = body.encode() if isinstance(body, str) else body
    pairs = [(name.replace("_", "-"), text) for name, text in headers.items()]
    return lambda handler, seen: handler.reply(Answer(status, pairs, content))


def changed(change: Callable[[Seen, Answer], Answer]) -> Act:
    """Pass the request on, and a changed answer back."""
    return lambda handler, seen: handler.reply(change(seen, handler.ask(seen)))


def asked(change: Callable[[Seen], Seen]) -> Act:
    """Pass a changed request on, and its answer back."""
    return lambda handler, seen: handler.reply(handler.ask(change(seen)))


def html(status: int = 200) -> Act:
    """Answer with a page, as captive portals and wrong addresses do; it is well-formed XML besides."""
    return answer(status, "<html><body><p>Please log in</p></body></html>", content_type="text/html")


def reset(handler: _Handler, seen: Seen) -> None:
    """Reset the connection instead of an answer; the server hears nothing of the request."""
    handler.reset()


def lose_answer(handler: _Handler, seen: Seen) -> None:
    """Let the server do it, and reset the connection instead of passing on its answer."""
    handler.ask(seen)
    handler.reset()


def truncate(handler: _Handler, seen: Seen) -> None:
    """Pass on half of the answer's body."""
    whole = handler.ask(seen)
    handler.reply(Answer(whole.status, whole.headers, whole.body[: len(whole.body) // 2], len(whole.body)))


def stall(handler: _Handler, seen: Seen) -> None:
    """Answer nothing until the proxy ends."""
    handler.proxy.ended.wait(60)
    handler.reset()


def _chunked(body: bytes) -> bytes:
    pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def proxy(self) -> FaultProxy:
        proxy: FaultProxy = self.server.proxy  # type: ignore[attr-defined]
        return proxy

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):  # the client is gone, or the script has closed the connection
            self.close_connection = True

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        seen = Seen(self.command, self.path, self.headers, body)
        self._seen = seen
        self.proxy.act_on(seen)(self, seen)
        seen.answered = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815  (the names that http.server calls)

    def ask(self, seen: Seen) -> Answer:
        if self.proxy.upstream is None:
            return Answer(418, [], b"no such script")
        connection = http.client.HTTPConnection(self.proxy.upstream, timeout=30)
        try:
            connection.putrequest(seen.method, seen.target, skip_host=True, skip_accept_encoding=True)
            for name, text in seen.headers.items():
                connection.putheader(name, text)
            connection.endheaders(seen.body or None)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        ours = (self.proxy.upstream, self.proxy.address)
        headers = [(name, text.replace(*ours)) for name, text in response.getheaders() if name.lower() not in _HOP]
        length = response.getheader("content-length") if seen.method == "HEAD" else None
        return Answer(response.status, headers, content, int(length) if length else None)

    def reply(self, given: Answer) -> None:
        self._seen.status = given.status
        self.send_response_only(given.status)
        for name, text in given.headers:
            self.send_header(name, text)
        if given.status not in (204, 304) and given.framing == "length":
            self.send_header("content-length", str(len(given.body) if given.length is None else given.length))
        if given.framing == "chunked":
            self.send_header("transfer-encoding", "chunked")
        if given.framing == "close":
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(_chunked(given.body) if given.framing == "chunked" else given.body)
            self.wfile.flush()
            if given.length is not None and given.length != len(given.body):
                self.close_connection = True

    def reset(self) -> None:
        """Close the connection with RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def finish(self) -> None:
        if not self.wfile.closed:
            super().finish()

    def log_message(self, *_: object) -> None:
        """Keep silent."""
