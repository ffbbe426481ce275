"""File systems that keep whole seconds: an edit of the same size within the second is copied by the next sync."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from persona.storage.backends import local, local_draft
from persona.storage.backends.local_draft import is_racy, version_of
from tests.transfer.conftest import Run, Side

NANOSECONDS = 10**9


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The second that all files were written in, as a disk with small inodes has it."""
    at = [int(time.time()) + 3600]  # it lasts for as long as the test

    def coarse(info: os.stat_result) -> str:
        stamp = f"{at[0] * NANOSECONDS:x}"
        return f"{info.st_ino:x}-{info.st_size:x}-{stamp}-{stamp}"

    for module in (local, local_draft):
        monkeypatch.setattr(module, "version_of", coarse)
    return at


def test_an_edit_within_the_second_is_copied_by_the_next_sync(
    sync: Run, local: Side, folder: Side, tmp_path: Path, second: list[int]
) -> None:
    local.fill({"a.yaml": b"first", "b.yaml": b"b"})
    source, target = f"file://{tmp_path}/library", folder.name
    sync(source, target).done()
    (tmp_path / "library" / "a.yaml").write_bytes(b"later")
    assert sync(source, target).done()["objects"]["copied"] == 1
    assert folder.all.items() >= {"a.yaml": b"later", "b.yaml": b"b"}.items()
    second[0] -= 7200  # the second is over: now the versions are remembered, and nothing is read again
    sync(source, target).done()
    assert sync(source, target).done()["evidence"]["unchanged"] == 2


def test_exact_times_are_trusted_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    now = time.time()
    stamp = int(now)
    coarse = "1-1-{0:x}-{0:x}".format(stamp * NANOSECONDS)
    assert not is_racy(f"1-1-{stamp * NANOSECONDS:x}-{stamp * NANOSECONDS + 1:x}", now), "only its time was set"
    assert is_racy(coarse, now)
    assert not is_racy(coarse, now + 3)
    info = (tmp_path / "a").stat()
    if info.st_ctime_ns % 10_000_000:
        assert not is_racy(version_of(info), now - 10)
