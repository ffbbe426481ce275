"""proxy.py as the proxy of the tests, in a process of its own."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import ClassVar

from persona.config.schema import StorageSettings
from tests.serving import Server

ROOT = Path(__file__).parents[2]


class HTTPProxy(Server):
    """A proxy that lets everybody through, to names that are known to it alone."""

    name = "proxy"
    users: ClassVar[str] = ""
    """User and password that it asks for, as they are, or "" if it asks for none."""

    def command(self) -> list[str]:
        line = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", str(self.ports[0])]
        line += ["--num-workers", "1", "--num-acceptors", "1", "--plugins", "tests.proxies.names.Names"]
        return [*line, "--basic-auth", self.users] if self.users else line

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PYTHONPATH": str(ROOT), "PERSONA_TEST_ASKED": str(self._asked)}

    def ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=5):
            return True

    def make_bucket(self, name: str) -> str:
        raise NotImplementedError("a proxy has no buckets")

    def settings(self, bucket: str, prefix: str = "") -> StorageSettings:
        raise NotImplementedError("a proxy has no buckets")

    @property
    def _asked(self) -> Path:
        return self.folder / "asked"

    def asked(self, host: str) -> list[str]:
        """Return the methods of what it was asked for a host, as far as it looked: once a connection."""
        lines = self._asked.read_text().splitlines() if self._asked.exists() else []
        return [method for method, _, name in (line.partition(" ") for line in lines) if name == host]

    def url(self, user: str = "") -> str:
        """Return its address, with what stands before the host."""
        return f"http://{user}{'@' if user else ''}{self.address}"


class AskingProxy(HTTPProxy):
    """A proxy that asks for user and password, with characters in them that an address cannot have."""

    name = "asking proxy"
    users = "someone:CANARY8 p@ss/word:#%ü"
