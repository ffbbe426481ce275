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
    """Start the server, wait until nobody uses it, then end it with all that it started, and its data.

    The lock is held until this process ends, so that a newcomer starts afresh and never meets a dying server.
    """
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    unused = threading.Event()
    threading.Thread(target=_end_with, args=(server, unused, folder), daemon=True).start()
    with (folder / "users").open("rb") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        unused.set()
        (folder / "state.json").unlink(missing_ok=True)
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        shutil.rmtree(folder / "data", ignore_errors=True)
        for line in (folder / "leftovers").read_text().splitlines():
            Path(line).unlink(missing_ok=True)


def _end_with(server: subprocess.Popen[bytes], unused: threading.Event, folder: Path) -> None:
    """End this process if the server ends by itself."""
    server.wait()
    if not unused.is_set():
        (folder / "state.json").unlink(missing_ok=True)
        (folder / "ended").touch()
        os._exit(1)


if __name__ == "__main__":
    if os.fork():  # the caller waits for this process only; the child is nobody's to wait for
        os._exit(0)
    os.setsid()
    keep(Path(sys.argv[1]), sys.argv[2:])
