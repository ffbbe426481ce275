"""Limits on how long an answer may take: a timeout alone starts anew with each byte.

A slow line is no stall. So an answer's head, which is small, has twice the time of a silence, and its body ten times
that for each MiB: with the default of 30 seconds that is 3.5 KB a second, less than any line of today. Time in which
nobody reads does not count.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

HEAD_TIMES = 2
"""The head of an answer may take so many times as long as a silence."""
BODY_TIMES = 10
"""Each `BODY_BYTES` of a body may take so many times as long as a silence."""
BODY_BYTES = 1 << 20
HEAD_BYTES = 1 << 20
"""The most that a head, and all that comes before it, may have."""


class TimedResponse(http.client.HTTPResponse):
    """An answer that must come within limits; interim answers (RFC 9110, section 15.2) are read past."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw: io.RawIOBase = self.fp.detach()
        self._timed = _Timed(raw, sock)
        self.fp = io.BufferedReader(self._timed)

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        while 100 <= self.status < 200 and self.status != http.client.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first call
            super().begin()
        self._timed.end_head()

    def _read_and_discard_trailer(self) -> None:
        http.client.parse_headers(self.fp)  # which has a limit


class _Timed(io.RawIOBase):
    """The bytes of one answer as they come from a connection.

    Args:
        raw: where they come from.
        sock: the connection.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._silence = sock.gettimeout()
        self._head_ends = None if self._silence is None else time.monotonic() + HEAD_TIMES * self._silence
        self._waited = 0.0
        self._received = 0

    def end_head(self) -> None:
        """Note that the head is complete: from now on the limits of the body hold."""
        self._head_ends, self._received = None, 0

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what there is.

        Raises:
            TimeoutError: a limit is reached.
        """
        begun = time.monotonic()
        if self._silence is not None:
            limit = BODY_TIMES * self._silence - self._waited
            if self._head_ends is not None:
                limit = self._head_ends - begun
            if limit <= 0:
                raise TimeoutError("the answer does not end")
            self._sock.settimeout(min(self._silence, limit))
        count: int | None = self._raw.readinto(buffer)
        self._received += count or 0
        if self._head_ends is not None and self._received > HEAD_BYTES:
            raise http.client.HTTPException("the head of the answer does not end")
        self._waited += time.monotonic() - begun
        if self._head_ends is None and self._received >= BODY_BYTES:
            self._waited, self._received = 0.0, 0
        return count

    def close(self) -> None:
        """Let go of the connection."""
        self._raw.close()
        super().close()
