"""A folder that other programs change while it is listed: each name is a failure of its own, and none ends it."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from persona.errors import AccessDeniedError, ConfigError, NameRefusedError, UnreachableError
from persona.storage.backend import RefusedName
from persona.storage.backends import local_folder
from persona.storage.backends.local import LocalBackend
from persona.storage.backends.local_folder import Folder
from persona.storage.backends.local_runs import Entry
from persona.storage.backends.local_scan import Walk
from tests.storage.test_local_faults import NOBODY, nobody

FILES = ("aa", "gone", "pipe", "loop", "out", "nowhere", "socket", "folder", "x/kept", "zz")
FOLDERS = ("d-gone", "d-file", "d-out", "d-loop", "d-pipe", "d-shut")


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        place = Path(name) / "root"
        for path in (*FILES, *(f"{folder}/inner" for folder in FOLDERS)):
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(path)
        (Path(name) / "secret").write_text("secret")
        yield place


def swap_all(root: Path) -> None:
    """Put something else in the place of what was listed."""
    outside = root.parent
    for path in ("gone", "pipe", "loop", "out", "nowhere", "socket", "folder"):
        (root / path).unlink()
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to(outside / "secret")
    (root / "nowhere").symlink_to("missing")
    (root / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(root)  # an address has 108 bytes at most
        made.bind("socket")
        os.chdir(before)
    for path in FOLDERS[:-1]:
        shutil.rmtree(root / path)
    (root / "d-file").write_text("a file")
    (root / "d-out").symlink_to(outside, target_is_directory=True)
    (root / "d-loop").symlink_to("d-loop")
    os.mkfifo(root / "d-pipe")
    (root / "d-shut").chmod(0)


@pytest.fixture
def after_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """A function that lets something happen once a folder was read, and before its names are looked at."""

    def set_up(work: Callable[[], None]) -> None:
        first = Walk._first_of_each
        left = [work]

        def then(self: Walk, entries: Iterator[Entry]) -> Iterator[Entry]:
            while left:
                left.pop()()
            return first(self, entries)

        monkeypatch.setattr(Walk, "_first_of_each", then)

    return set_up


@pytest.mark.parametrize("by_fd", [True, False])
async def test_names_that_become_something_else_are_named(
    root: Path, after_reading: Callable[[Callable[[], None]], None], monkeypatch: pytest.MonkeyPatch, by_fd: bool
) -> None:
    monkeypatch.setattr(local_folder, "_BY_FD", by_fd)
    is_root = not os.geteuid()

    def swap() -> None:
        if is_root:
            os.seteuid(0)
        swap_all(root)
        if is_root:
            os.seteuid(NOBODY)

    await LocalBackend(root).exists("aa")  # what is imported for it, the other user may not read
    after_reading(swap)
    with nobody():
        listing = await LocalBackend(root).list()
    (root / "d-shut").chmod(0o700)
    assert [item.path for item in listing] == ["aa", "x/kept", "zz"]
    assert {name.key for name in listing.refused} == {"pipe", "loop", "out", "socket", "d-out/", "d-loop/", "d-shut/"}
    assert all(name.reason for name in listing.refused)


@pytest.mark.parametrize("code", [errno.ESTALE, errno.ELOOP, errno.ENXIO, errno.EACCES, errno.ENOTDIR, errno.ENOENT])
async def test_a_folder_that_cannot_be_opened(root: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    fail_at(monkeypatch, "x", code)
    listing = await LocalBackend(root).list()
    assert "x/kept" not in [item.path for item in listing]
    assert "zz" in [item.path for item in listing]
    named = [] if code in (errno.ENOTDIR, errno.ENOENT) else [RefusedName("x/", os.strerror(code))]
    assert listing.refused == named


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE])
async def test_what_concerns_the_whole_disk_ends_the_listing(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    fail_at(monkeypatch, "x", code)
    with pytest.raises(UnreachableError, match=os.strerror(code)):
        await LocalBackend(root).list()


async def test_what_concerns_the_folder_asked_for_ends_the_listing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "out-of-it").symlink_to(root.parent, target_is_directory=True)
    with pytest.raises(NameRefusedError):
        await LocalBackend(root).list("out-of-it")
    with pytest.raises(ConfigError, match="not a folder"):
        await LocalBackend(root / "aa").list()
    fail_at(monkeypatch, "x", errno.EACCES)
    with pytest.raises(AccessDeniedError):
        await LocalBackend(root).list("x")


def fail_at(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """Let one folder fail whenever it is opened."""
    child = Folder.child

    def failing(self: Folder, asked: str) -> Folder:
        if asked == name:
            raise OSError(code, os.strerror(code))
        return child(self, asked)

    monkeypatch.setattr(Folder, "child", failing)
