"""What stands between a client and a server that is to be out: a door, a hole, a leash."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.campaigns.traffic import Passed, Traffic
from tests.servers import SeaweedFS
from tests.serving import free_ports

LEASH = """
import os, signal, subprocess, sys
server = subprocess.Popen(sys.argv[1:], start_new_session=True, stdin=subprocess.DEVNULL)
print(server.pid, flush=True)
sys.stdin.read()
os.killpg(server.pid, signal.SIGCONT)
os.killpg(server.pid, signal.SIGKILL)
"""


class Door:
    """A proxy before a server that can be shut: then nobody accepts a connection; and opened again on the same port.

    Args:
        upstream: the server, as ``host:port``.
    """

    def __init__(self, upstream: str) -> None:
        self.passed: list[Passed] = []
        self.upstream = upstream
        self.traffic: Traffic | None = None
        self._port = 0
        self.open()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def open(self) -> None:
        """Let connections pass."""
        if self.traffic:
            return
        traffic = Traffic(self.upstream)
        traffic.listen(self._port)
        self._port = int(traffic.address.rpartition(":")[2])
        traffic.passed = self.passed
        self.traffic = traffic.__enter__()

    def shut(self) -> None:
        """Break all connections, and refuse new ones."""
        if self.traffic:
            self.traffic.__exit__()
            self.traffic = None

    def freeze(self, frozen: bool = True) -> None:
        """Accept connections and answer nothing, or go on."""
        assert self.traffic
        self.traffic.frozen = frozen

    def writes(self) -> list[str]:
        """Return the names of what was written and deleted at the server, in order."""
        done = [each for each in self.passed if each.method in ("PUT", "POST", "DELETE") and each.done]
        return [f"{each.method} {each.target.partition('?')[0].rpartition('/')[2]}" for each in done]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()


@contextmanager
def hole() -> Iterator[tuple[str, int]]:
    """Yield an address that drops what is sent to it: a socket whose queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        try:
            for _ in range(8):
                plug = socket.socket()
                plug.setblocking(False)
                with suppress(BlockingIOError):
                    plug.connect(listening.getsockname())
                waiting.append(plug)
            time.sleep(0.05)
            yield listening.getsockname()
        finally:
            for plug in waiting:
                plug.close()


class Stoppable(SeaweedFS):
    """SeaweedFS that can be killed and started again, with the same data and ports; it ends with this process.

    Args:
        folder: where its data go.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data.mkdir(parents=True)
        self.ports = free_ports(self.port_count)
        self._leash: subprocess.Popen[str] | None = None
        self.pid = 0

    def begin(self) -> None:
        """Start it, and wait until it is ready."""
        with self.log.open("ab") as log:
            self._leash = subprocess.Popen(
                [sys.executable, "-c", LEASH, *self.command()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment(),
                text=True,
            )
        assert self._leash.stdout
        self.pid = int(self._leash.stdout.readline())
        self._wait()

    def signal(self, number: int) -> None:
        """Send it a signal, with all that it started."""
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it as a crash does, and wait until it is gone."""
        if self._leash is None:
            return
        assert self._leash.stdin
        self._leash.stdin.close()
        self._leash.wait()
        assert self._leash.stdout
        self._leash.stdout.close()
        self._leash = None
        while _alive(self.pid):
            time.sleep(0.01)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
