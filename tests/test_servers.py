"""The test servers themselves: they start, are shared, and do not outlive their users."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import SERVERS, FakeGCS, Moto, S3Server
from tests.serving import Server

STARTER = """
import sys, time
from pathlib import Path
from tests.servers import FakeGCS
server = FakeGCS(Path(sys.argv[1])).start()
print(server.ports[0], flush=True)
time.sleep(60)
"""


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def gone_within(port: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not listens(port):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("name", SERVERS)
def test_each_server_starts_and_makes_buckets(name: str, running: Callable[[str], Server]) -> None:
    server = running(name)
    assert listens(server.ports[0])
    assert server.make_bucket("of-the-test") == "of-the-test"
    assert server.make_bucket("of-the-test") == "of-the-test", "a second time is fine"


def test_a_signature_is_checked(seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(seaweedfs), "secret_key", "wrong")
    with pytest.raises(Exception, match="403"):
        seaweedfs.make_bucket("never")


def test_a_server_is_shared_and_ends_with_its_last_user(tmp_path: Path) -> None:
    first, second = FakeGCS(tmp_path / "s").start(), FakeGCS(tmp_path / "s").start()
    assert first.ports == second.ports
    first.stop(wait=False)
    second.make_bucket("still-there")
    second.stop()
    assert gone_within(second.ports[0], 5)


def test_a_server_does_not_outlive_a_killed_user(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    command = [sys.executable, "-c", STARTER, str(tmp_path / "s")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as user:
        assert user.stdout
        port = int(user.stdout.readline())
        assert listens(port)
        user.send_signal(signal.SIGKILL)
    assert gone_within(port, 5)


def test_a_lost_race_for_a_port_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests import serving

    choose = serving.free_ports
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        offers = [[taken.getsockname()[1]]]
        monkeypatch.setattr(serving, "free_ports", lambda count: offers.pop() if offers else choose(count))
        with FakeGCS(tmp_path / "s") as server:
            assert server.ports != [taken.getsockname()[1]]
            server.make_bucket("works")


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = [sys.executable, "-c", "print('no room at the inn')"]
    monkeypatch.setattr(Moto, "command", lambda self: program)
    with pytest.raises(Exception, match="no room at the inn"):
        Moto(tmp_path / "s").start()
