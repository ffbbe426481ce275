"""What the test servers have in common: started on free ports, shared, and ended with their last user."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from persona.config.schema import StorageSettings

START_SECONDS = 60.0
PORT_ATTEMPTS = 5


class ServerFailedError(Exception):
    """A test server did not start."""


class Server(ABC):
    """One server process, shared by all that start it with the same folder.

    Args:
        folder: where its data, its log and its state go; made if need be.
    """

    name: ClassVar[str]
    port_count: ClassVar[int] = 1
    start_seconds: ClassVar[float] = START_SECONDS

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.ports: list[int] = []
        self._users: int | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line, for the chosen ports."""

    @abstractmethod
    def make_bucket(self, name: str) -> str:
        """Create a bucket or container, if it is not there, and return its name."""

    @abstractmethod
    def settings(self, bucket: str, prefix: str = "") -> StorageSettings:
        """Return the settings that open a bucket or container of this server."""

    def leftovers(self) -> list[str]:
        """Return the files that the server leaves outside its folder."""
        return []

    def environment(self) -> dict[str, str]:
        """Return what the server finds in its environment: nothing of the user's own configuration."""
        return {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def ready(self) -> bool:
        """Say whether the server does its work, not only whether it listens."""
        self.make_bucket("ready")
        return True

    @property
    def address(self) -> str:
        """The host and port that clients talk to."""
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def endpoint(self) -> str:
        """The address as a URL."""
        return f"http://{self.address}"

    def start(self) -> Self:
        """Start the server, or join the one that runs in this folder, and wait until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._users = os.open(self.folder / "users", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._users, fcntl.LOCK_SH)  # also waits for a server that is just being ended
        with (self.folder / "start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            state = self.folder / "state.json"
            with suppress(FileNotFoundError):
                self.ports = json.loads(state.read_text())["ports"]
                return self
            self._launch()
            state.write_text(json.dumps({"ports": self.ports}))
        return self

    def stop(self, *, wait: bool = True) -> None:
        """Leave the server; the last to leave ends it, and waits for that unless told not to."""
        if self._users is None:
            return
        os.close(self._users)
        self._users = None
        deadline = time.monotonic() + 10
        while wait and (self.folder / "state.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def tail(self, lines: int = 40) -> str:
        """Return the end of the log."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self) -> None:
        """Start on free ports; again on others if somebody took one in between."""
        for _ in range(PORT_ATTEMPTS):
            shutil.rmtree(self.data, ignore_errors=True)
            self.data.mkdir(parents=True)
            (self.folder / "ended").unlink(missing_ok=True)
            self.ports = free_ports(self.port_count)
            (self.folder / "leftovers").write_text("\n".join(self.leftovers()))
            keeper = [sys.executable, "-S", str(Path(__file__).with_name("keeper.py")), str(self.folder)]
            with self.log.open("ab") as log:
                subprocess.run(
                    [*keeper, *self.command()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self.environment(),
                    check=True,
                )
            if self._wait():
                return
        raise ServerFailedError(f"{self.name} did not start. The end of {self.log}:\n{self.tail()}")

    def _wait(self) -> bool:
        """Poll until the server is ready; False if it ended."""
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            if (self.folder / "ended").exists():
                return False
            with suppress(OSError, http.client.HTTPException, ServerFailedError):
                if self.ready():
                    return True
            time.sleep(0.05)
        raise ServerFailedError(f"{self.name} was not ready in {self.start_seconds} s:\n{self.tail()}")

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        good: str = "2",
    ) -> bytes:
        """Make one request and return the body; a status that starts with none of `good` raises."""
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if not str(response.status).startswith(tuple(good.split())):
            raise ServerFailedError(f"{self.name}: {method} {path} gave {response.status}: {content[:500]!r}")
        return content


def tool(name: str) -> str:
    """Return the path of a program: of this Python's environment first, then of the machine."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = shutil.which(name, path=places)
    if not found:
        raise ServerFailedError(f"The program {name} is not installed.")
    return found


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago; all are held at once, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
