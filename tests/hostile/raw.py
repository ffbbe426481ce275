"""Whole answers of real servers, mutated in their bytes: what no library that writes answers would send.

Each way stands for what happens on a line or in a gateway: a connection that is cut, memory that flips, two programs
that tell the end of a body in different ways, a proxy that adds headers without end.
"""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Callable

from tests.faults import Act, Answer, Seen, _Handler

Way = Callable[[random.Random, bytes, bytes], bytes]
"""Makes the bytes of an answer of its head, which ends with an empty line, and its body."""
NUMBERS = ("-1", "0", "1", "1e3", "0x10", "99999999999999999999", "+5", " 7", "7, 7", "7, 8", "٣", "", "1_0")


def _without_framing(head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith((b"content-length", b"transfer-enc")))


def _with(head: bytes, *lines: bytes) -> bytes:
    return head.removesuffix(b"\r\n") + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def _cut(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return (head + body)[: chance.randrange(len(head + body))]


def _cut_body(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return head + body[: chance.randrange(len(body) + 1)]


def _flipped(chance: random.Random, head: bytes, body: bytes) -> bytes:
    data = bytearray(head + body)
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _flipped_body(chance: random.Random, head: bytes, body: bytes) -> bytes:
    data = bytearray(body)
    for _ in range(chance.randint(1, 8) if data else 0):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return head + bytes(data)


def _dropped(chance: random.Random, head: bytes, body: bytes) -> bytes:
    data = head + body
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randint(1, 64) :]


def _doubled(chance: random.Random, head: bytes, body: bytes) -> bytes:
    data = head + body
    start = chance.randrange(len(data))
    end = start + chance.randint(1, 2000)
    return data[:end] + data[start:end] + data[end:]


def _line_lost(chance: random.Random, head: bytes, body: bytes) -> bytes:
    lines = head.split(b"\r\n")
    del lines[chance.randrange(len(lines))]
    return b"\r\n".join(lines) + body


def _length(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return _with(_without_framing(head), b"Content-Length: " + chance.choice(NUMBERS).encode()) + body


def _off_by_some(chance: random.Random, head: bytes, body: bytes) -> bytes:
    length = max(0, len(body) + chance.choice((-7, -1, 1, 100, 10**9)))
    return _with(_without_framing(head), b"Content-Length: %d" % length) + body


def _two_lengths(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return _with(head, b"Content-Length: %d" % chance.choice((0, 1, len(body) + 1))) + body


def _both_framings(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return _with(head, b"Transfer-Encoding: chunked") + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"


def _bad_chunks(chance: random.Random, head: bytes, body: bytes) -> bytes:
    size = chance.choice(
        (b"", b"zz", b"-1", b"ffffffffffffffff", b"1" * 70_000, b"5;" + b"x" * 9000, b"%x" % len(body))
    )
    end = chance.choice((b"", b"0\r\n", b"\r\n0\r\nX-Trailer: 1\r\n\r\n", b"\r\nnothing"))
    return _with(_without_framing(head), b"Transfer-Encoding: chunked") + size + b"\r\n" + body + end


def _encoding(chance: random.Random, head: bytes, body: bytes) -> bytes:
    name = chance.choice((b"gzip", b"br", b"deflate", b"zstd", b"nonsense", b"gzip, gzip", b"identity"))
    content = gzip.compress(body) if chance.random() < 0.5 else body
    length = b"Content-Length: %d" % len(content)
    return _with(_without_framing(head), b"Content-Encoding: " + name, length) + content


def _charset(chance: random.Random, head: bytes, body: bytes) -> bytes:
    name = chance.choice(("utf-16", "utf-32", "utf-7", "cp037", "latin-1", "utf-8-sig"))
    text = body.decode("latin-1").encode(name, "replace")
    lines = (b"Content-Type: application/xml; charset=" + name.encode(), b"Content-Length: %d" % len(text))
    return _with(_without_framing(head), *lines) + text


def _enormous(chance: random.Random, head: bytes, body: bytes) -> bytes:
    line = chance.choice(
        (
            b"X-Long: " + b"x" * 70_000,
            b"\r\n".join(b"X-%d: 1" % number for number in range(300)),
            b"ETag: " + b'"' + b"e" * 60_000 + b'"',
            b"x" * 70_000 + b": 1",
            b"Set-Cookie: " + b"a=b; " * 13_000,
        )
    )
    return _with(head, line) + body


def _odd_header(chance: random.Random, head: bytes, body: bytes) -> bytes:
    line = chance.choice(
        (
            b"no colon",
            b": no name",
            b" folded: line",
            b"X-Bytes: \xff\xfe\x00\x1b[31m",
            b"ETag: \xe4\xb8",
            b"Last-Modified: \xff",
            b"Content-Length : 3",
            b"Connection: \x00",
            b"\x00",
            b"Location: //[::1",
            b"Retry-After: " + b"9" * 5000,
        )
    )
    return _with(head, line) + body


def _status(chance: random.Random, head: bytes, body: bytes) -> bytes:
    line = chance.choice(
        (
            b"HTTP/1.1 999 Odd",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 -200 OK",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1",
            b"HTTP/0.9 200",
            b"HTTP/2 200",
            b"ICY 200 OK",
            b"",
            b"HTTP/1.1 200 " + b"x" * 70_000,
            b"HTTP/1.1 200 \xff\x00\x1b[2J",
            b"HTTP/1.1 304 Not Modified",
            b"HTTP/1.1 204 No Content",
            b"HTTP/1.1 206 Partial Content",
            b"HTTP/1.1 101 Switching Protocols",
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/",
            b"HTTP/1.1 500 Broken",
        )
    )
    return line + head[head.index(b"\r\n") :] + body


def _informed(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 100 Continue\r\n\r\n" * chance.choice((1, 5, 1000)) + head + body


def _garbage(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 100, 100_000)))


def _preceded(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return chance.choice((b"\r\n", b"\r\n" * 1000, b"\xef\xbb\xbf", b"\x00")) + head + body


def _twice(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return head + body + head + body


def _bare_newlines(chance: random.Random, head: bytes, body: bytes) -> bytes:
    return head.replace(b"\r\n", chance.choice((b"\n", b"\r"))) + body


WAYS: tuple[Way, ...] = (
    _cut,
    _cut_body,
    _flipped,
    _flipped_body,
    _dropped,
    _doubled,
    _line_lost,
    _length,
    _off_by_some,
    _two_lengths,
    _both_framings,
    _bad_chunks,
    _encoding,
    _charset,
    _enormous,
    _odd_header,
    _status,
    _informed,
    _garbage,
    _preceded,
    _twice,
    _bare_newlines,
)


class Mutilator:
    """Mutates every second answer, each time in the way that was taken the fewest times so far.

    Args:
        seed: draws the places.
    """

    def __init__(self, seed: int) -> None:
        self.answers = 0
        """How many answers came by."""
        self.taken: Counter[str] = Counter({way.__name__: 0 for way in WAYS})
        self._chance = random.Random(seed)

    def act(self) -> Act:
        """Return what passes requests on and mutates the answers."""
        return self._act

    def _act(self, handler: _Handler, seen: Seen) -> None:
        given = handler.ask(seen)
        self.answers += 1
        if self.answers % 2 == 0:  # the others arrive, so that commands come further than to their first request
            handler.reply(given)
            return
        way = min(WAYS, key=lambda each: self.taken[each.__name__])
        self.taken[way.__name__] += 1
        head, body = _bytes_of(given, seen)
        data = way(self._chance, head, body)
        seen.status = given.status
        handler.wfile.write(data)
        handler.wfile.flush()
        handler.close_connection = way is not _twice or seen.method == "HEAD"


def _bytes_of(given: Answer, seen: Seen) -> tuple[bytes, bytes]:
    """Return the head and the body of an answer as they go over the line."""
    body = b"" if seen.method == "HEAD" else given.body
    lines = [f"{name}: {text}".encode("latin-1") for name, text in given.headers]
    length = given.length if given.length is not None else len(body)
    head = b"\r\n".join([b"HTTP/1.1 %d Said" % given.status, *lines, b"Content-Length: %d" % length])
    return head + b"\r\n\r\n", body
