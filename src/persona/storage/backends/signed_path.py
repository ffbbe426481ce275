"""Signatures behind a reverse proxy that serves a store below a path of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class SignedPath:
    """What of the path of each request is signed.

    A reverse proxy that serves a store below a path strips that path before the store checks the signature, and passes
    on the Host that was signed. So where an endpoint has a path, it is found out by one request, or two, whether it is
    signed as well. SeaweedFS, told the path by ``X-Forwarded-Prefix``, accepts both; then what it sees is signed: the
    path without it.

    Args:
        prefix: the path of the endpoint, "" for none.
        accepted: signs for a path and asks; says whether the signature is accepted, or None if that is not told.
            Called in the thread of a request.
    """

    def __init__(self, prefix: str, accepted: Callable[[Callable[[str], str]], bool | None]) -> None:
        self._prefix = prefix
        self._accepted = accepted
        self._lock = Lock()
        self._stripped: bool | None = None if prefix else False

    def of(self, path: str) -> str:
        """Return what is signed for a path."""
        if self._stripped is None:
            with self._lock:
                if self._stripped is None:
                    self._stripped = self._is_stripped()
        return self._without(path) if self._stripped else path

    def _is_stripped(self) -> bool:
        without = self._accepted(self._without)
        if without is None:  # then the other has to be refused
            return self._accepted(lambda whole: whole) is False
        return without

    def _without(self, path: str) -> str:
        return path.removeprefix(self._prefix) or "/"
