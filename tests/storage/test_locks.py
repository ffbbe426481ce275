"""A lock is of the file that has its name now, also where its holder removes that file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from persona.locks import LockTimeoutError, locked


def test_who_waited_for_a_file_that_was_removed_holds_the_one_of_this_name(tmp_path: Path) -> None:
    file = tmp_path / "job.lock"
    waits, holds, done = threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        waits.set()
        with locked(file, 30):
            holds.set()
            done.wait(30)

    other = threading.Thread(target=wait)
    with locked(file, 0):
        other.start()
        waits.wait(30)
        with pytest.raises(LockTimeoutError), locked(file, 0.05):
            pass
        file.unlink()
    assert holds.wait(30)
    with pytest.raises(LockTimeoutError), locked(file, 0):
        pass
    done.set()
    other.join()
    with locked(file, 0):
        pass
