"""Keeps one test server alive for as long as anyone uses it, and ends it then, also when users were killed.

Run as ``python keeper.py FOLDER COMMAND…``. Whoever uses the server holds a shared `flock` on
``FOLDER/users``, which the kernel lets go of when that process dies, however it dies. The keeper waits for
the exclusive lock: once it has it, nobody is left. This needs no counting, works between the workers of
pytest-xdist, and leaves no server behind after ``kill -9`` of the test run (PDEATHSIG would be Linux only,
and would end a shared server with its first user).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path


def keep(folder: Path, command: list[str]) -> None:
    """Start the server, and return when it has ended by itself or nobody uses it any more."""
    (folder / "ended").unlink(missing_ok=True)
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    threading.Thread(target=_end_when_unused, args=(folder, server), daemon=True).start()
    server.wait()
    (folder / "state.json").unlink(missing_ok=True)
    (folder / "ended").touch()


def _end_when_unused(folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Wait until no user is left, then end the server with all that it started, and remove its data.

    The lock is held until this process ends, so that a newcomer starts afresh and never meets a dying server.
    """
    with (folder / "users").open("rb") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        (folder / "state.json").unlink(missing_ok=True)
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        shutil.rmtree(folder / "data", ignore_errors=True)
        for line in (folder / "leftovers").read_text().splitlines():
            Path(line).unlink(missing_ok=True)
        os._exit(0)


if __name__ == "__main__":
    if os.fork():  # the caller waits for this process only; the child is nobody's to wait for
        os._exit(0)
    os.setsid()
    keep(Path(sys.argv[1]), sys.argv[2:])
