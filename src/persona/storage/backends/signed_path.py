"""Signatures behind a reverse proxy that serves a store below a path of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class SignedPath:
    """What of the path of each request is signed.

    A reverse proxy that serves a store below a path strips that path before the store checks the signature, and passes
    on the Host that was signed. So where an endpoint has a path, it is found out by one request, or two, whether it is
    signed as well.

    Args:
        prefix: the path of the endpoint, "" for none.
        refused: signs for a path and asks; says whether the signature is refused. Called in the thread of a request.
    """

    def __init__(self, prefix: str, refused: Callable[[Callable[[str], str]], bool]) -> None:
        self._prefix = prefix
        self._refused = refused
        self._lock = Lock()
        self._stripped: bool | None = None if prefix else False

    def of(self, path: str) -> str:
        """Return what is signed for a path."""
        if self._stripped is None:
            with self._lock:
                if self._stripped is None:
                    self._stripped = self._refused(lambda whole: whole) and not self._refused(self._without)
        return self._without(path) if self._stripped else path

    def _without(self, path: str) -> str:
        return path.removeprefix(self._prefix) or "/"
