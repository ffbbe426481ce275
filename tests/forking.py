"""Commands in processes of their own that need not import anything: forked from one that has imported the program.

Importing is most of what a short command does, and all but a fifth of what ``persona generate`` does. A forked command
is a process like any other: its own memory, environment, folder and streams. What a test asserts of start-up, of memory
or of a kill needs a process that was started as users start it.

::

    test ──(argv, folder, environment; three files and a socket)──► server
                                                                      └─ fork: waiter ──(exit status)──► test
                                                                           └─ fork: the command

The waiter spares the server threads, with which no process should fork.
"""

from __future__ import annotations

import atexit
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tests import unmeasured

ROOT = Path(__file__).parents[1]
REQUEST_BYTES = 1 << 17
STATUS_BYTES = 8
_LIBRARIES = (
    "numpy",
    "urllib3",
)


@dataclass(frozen=True)
class Ended:
    """What a command came to: its exit code, negative for a signal, and what it wrote."""

    code: int
    out: str
    err: str


class _Server:
    """The process that forks commands; it ends with this one."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forking", str(theirs.fileno())],
            cwd=ROOT,
            env=unmeasured.environment() | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self.close)

    def close(self) -> None:
        """End the server."""
        self.socket.close()
        self._process.wait()


_server: _Server | None = None


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *, one_stream: bool = False, seconds: float
) -> Ended:
    """Run ``persona`` with arguments in a process of its own, and wait for its end.

    Args:
        arguments: what follows ``persona``.
        folder: the current folder.
        environment: all variables.
        one_stream: whether what it writes to stderr goes to stdout, in the order in which it is written.
        seconds: how long it may take.

    Raises:
        TimeoutError: it took longer, and was killed.
    """
    global _server
    _server = _server or _Server()
    ours, theirs = socket.socketpair()
    request = json.dumps([list(arguments), str(folder), dict(environment)]).encode()
    with (
        ours,
        theirs,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        Path(os.devnull).open() as none,
    ):
        streams = [none, out, out if one_stream else err]
        socket.send_fds(_server.socket, [request], [*(stream.fileno() for stream in streams), theirs.fileno()])
        theirs.close()
        pid = int.from_bytes(ours.recv(STATUS_BYTES, socket.MSG_WAITALL), "big")
        ours.settimeout(seconds)
        try:
            status = ours.recv(STATUS_BYTES, socket.MSG_WAITALL)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise
        code = os.waitstatus_to_exitcode(int.from_bytes(status, "big"))
        return Ended(code, _text(out), _text(err))


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").replace("\r\n", "\n")


def _serve(link: socket.socket) -> None:
    """Import everything, and fork a command for each request, until whoever asks is gone."""
    import persona

    for module in pkgutil.walk_packages(persona.__path__, "persona."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for library in _LIBRARIES:
        importlib.import_module(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the waiters
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl+C is for whoever runs the tests
    while True:
        request, files, _, _ = socket.recv_fds(link, REQUEST_BYTES, 4)
        if not request:
            return
        if os.fork() == 0:
            link.close()
            _wait_for_command(json.loads(request), files[:3], socket.socket(fileno=files[3]))
        for file in files:
            os.close(file)


def _wait_for_command(request: list[Any], streams: list[int], answers: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pid = os.fork()
    if pid == 0:
        answers.close()
        try:
            _become(request, streams)
        finally:
            os._exit(70)  # the command ends its process by itself
    with suppress(OSError):
        answers.sendall(pid.to_bytes(STATUS_BYTES, "big"))
        answers.sendall(os.waitpid(pid, 0)[1].to_bytes(STATUS_BYTES, "big"))
    os._exit(0)


def _become(request: list[Any], streams: list[int]) -> None:
    """Run a command in this process, and end it."""
    arguments, folder, environment = request
    for number, file in enumerate(streams):
        os.dup2(file, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    encoding = environment.get("PYTHONIOENCODING") or "utf-8"
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding)
    sys.stdout = _writer(1, encoding, "strict", at_once="PYTHONUNBUFFERED" in environment)
    sys.stderr = _writer(2, encoding, "backslashreplace", at_once=True)
    sys.argv = ["persona", *arguments]
    from persona.cli import main

    main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _writer(number: int, encoding: str, errors: str, *, at_once: bool) -> io.TextIOWrapper:
    """Return a stream as Python makes it at its start."""
    raw = io.FileIO(number, "w", closefd=False)
    if at_once:
        return io.TextIOWrapper(raw, encoding, errors, write_through=True)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
