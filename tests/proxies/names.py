"""A plugin of proxy.py, for the proxy of the tests: names that only this proxy knows, and some that it does not let by.

Without the rest of the tests, since it is imported in the proxy's own processes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from proxy.http.exception import HttpRequestRejected
from proxy.http.proxy import HttpProxyBasePlugin

KNOWN = ".test"
"""The end of names that are this machine, if one asks the proxy (RFC 6761 keeps it for such)."""
FORBIDDEN = "forbidden.test"
BUSY = "busy.test"


class Names(HttpProxyBasePlugin):
    """Looks names up, and writes down whom it was asked for."""

    def before_upstream_connection(self, request: Any) -> Any:
        """Refuse as a company's proxy does."""
        host = request.host.decode()
        with Path(os.environ["PERSONA_TEST_ASKED"]).open("a") as asked:
            asked.write(f"{request.method.decode()} {host}\n")
        if host == FORBIDDEN:
            raise HttpRequestRejected(403, b"Forbidden", body=b"<html>Not from here</html>")
        if host == BUSY:
            raise HttpRequestRejected(503, b"Service Unavailable", body=b"<html>Later</html>")
        return request

    def handle_client_request(self, request: Any) -> Any:
        """Take the length away: proxy.py sends one of its own, and in small letters (as here) does not find ours."""
        if request.body:
            request.del_header(b"content-length")
        return request

    def resolve_dns(self, host: str, port: int) -> tuple[str | None, Any]:
        """Return the address of a name, or leave it to proxy.py, which finds none."""
        return ("127.0.0.1" if host.endswith(KNOWN) else None), None
