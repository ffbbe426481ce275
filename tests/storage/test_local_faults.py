"""What the system refuses the local backend: each comes as one clear error, and nothing stays half-written."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from persona import disks
from persona.config.edit import set_value
from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigError,
    ConflictError,
    NameRefusedError,
    PersonaError,
    StorageFullError,
    UnreachableError,
)
from persona.storage.backend import IfAbsent, RefusedName
from persona.storage.backends import local_files
from persona.storage.backends.local import LocalBackend
from persona.storage.backends.local_folder import Folder
from persona.storage.private import write_durably
from tests.contract.helpers import block, stream
from tests.full import no_file_beyond
from tests.storage.local_helpers import files, kept


@pytest.mark.parametrize("step", ["replace", "lstat"])
async def test_a_failure_at_the_last_step_keeps_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    storage = LocalBackend(tmp_path)
    old = await storage.write("a", b"old", metadata={"of": "old"})
    with monkeypatch.context() as patch:
        patch.setattr(Folder, step, lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
        with pytest.raises(UnreachableError, match="I/O error"):
            await storage.write("a", b"new", metadata={"of": "new"})
    assert (await storage.stat("a")).version == old.version
    assert (await storage.stat("a")).metadata == {"of": "old"}
    assert files(tmp_path) == ["a"]
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize(("call", "code"), [("fsync", errno.ENOSPC), ("write", errno.ENOSPC), ("write", errno.EFBIG)])
async def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("kept", b"old")

    def full(*_: object) -> int:
        raise OSError(code, "No space left on device")

    for path in ("kept", "new/folder/object"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            with pytest.raises(StorageFullError) as caught:
                await storage.write(path, b"new", metadata={"of": "new"})
        assert caught.value.hint
    assert files(tmp_path) == ["kept"]
    assert await storage.read("kept") == b"old"
    assert kept(tmp_path) == []


DENIED = os.strerror(errno.EACCES)
NOBODY = 65534
LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from persona.errors import StorageFullError
from persona.storage.backends.local import LocalBackend
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
async def chunks():
    for _ in range(3):
        yield b"x" * 400_000
async def main():
    try:
        await LocalBackend(Path(sys.argv[1])).write_stream("big/object", chunks())
    except StorageFullError as error:
        print("full:", error.hint)
asyncio.run(main())
"""


def test_a_file_that_outgrows_the_limit(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("full: ")
    assert files(tmp_path) == []


@contextmanager
def nobody() -> Iterator[None]:
    """Work as a user whom permissions hold; root is held by none."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_folder_that_must_not_be_written() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        (root / "data" / "a").write_text("content")
        (root / "data" / "closed").mkdir(mode=0o700)
        for path, mode in ((root, 0o755), (root / "data" / "closed", 0o000), (root / "data", 0o555)):
            path.chmod(mode)
        storage = LocalBackend(root / "data")
        with nobody():
            assert await storage.read("a") == b"content"
            assert await storage.exists("a")
            for call in (
                storage.write("a", b"x"),
                storage.write("new/b", b"x"),
                storage.delete("a"),
                storage.copy("a", "b"),
                storage.read("closed/x"),
                storage.exists("closed/x"),
                storage.list("closed"),
            ):
                with pytest.raises(AccessDeniedError) as caught:
                    await call
                assert caught.value.hint
            listing = await storage.list()
            assert ([item.path for item in listing], listing.refused) == (["a"], [RefusedName("closed/", DENIED)])
            await storage.delete("missing")
            assert (await storage.delete_many(["a"])).keys() == {"a"}
            with pytest.raises(AccessDeniedError):
                await LocalBackend(root / "data" / "closed" / "root").write("a", b"x")
        (root / "data").chmod(0o755)
        (root / "data" / "closed").chmod(0o755)
        assert files(root / "data") == ["a", "closed/"]


async def test_a_file_as_root(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("x")
    for root in (tmp_path / "root", tmp_path / "root" / "below"):
        storage = LocalBackend(root)
        for call in (storage.read("a"), storage.write("a", b"x"), storage.stat("a/b"), storage.exists("a")):
            with pytest.raises(ConfigError, match="not a folder"):
                await call


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.EMFILE, UnreachableError),
        (errno.ENAMETOOLONG, NameRefusedError),
        (errno.EDQUOT, StorageFullError),
        (errno.EROFS, AccessDeniedError),
        (errno.ESTALE, UnreachableError),
    ],
)
async def test_errors_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: type[PersonaError]
) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a", b"x")

    def fail(*_: object) -> Folder:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Folder, "at_root", fail)
    for call in (storage.read("a"), storage.write("a", b"x"), storage.stat("a"), storage.list()):
        with pytest.raises(expected, match=os.strerror(code)):
            await call


async def test_a_lock_that_is_never_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "LOCK_SECONDS", 0.05)
    storage = LocalBackend(tmp_path)
    await storage.write("a", b"1")
    with storage._disk.locked("a"):
        with pytest.raises(UnreachableError, match="locked"):
            await storage.write("a", b"2")
        assert await storage.read("a") == b"1"
    assert files(tmp_path) == ["a"]


async def test_an_edit_while_it_is_read(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a", block(1) * 3)
    download = await storage.open("a")
    chunks = aiter(download)
    await anext(chunks)
    with (tmp_path / "a").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ConflictError, match="edited"):
        await anext(chunks)


async def test_a_copy_without_the_systems_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EXDEV, "other file system")

    monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    storage = LocalBackend(tmp_path)
    await storage.write("a", block(1) * 3 + b"x")
    await storage.copy("a", "b")
    assert await storage.read("b") == block(1) * 3 + b"x"


async def test_a_copy_whose_source_is_cut_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a", b"content")
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0, raising=False)
    fstat = os.fstat

    def cut(fd: int) -> os.stat_result:
        info = fstat(fd)
        os.truncate(tmp_path / "a", 3)
        return info

    monkeypatch.setattr("persona.storage.backends.local.os.fstat", cut)
    with pytest.raises(PersonaError):
        await storage.copy("a", "b")
    monkeypatch.undo()
    assert files(tmp_path) == ["a"]


async def test_an_object_that_changes_faster_than_it_is_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a", b"x")
    monkeypatch.setattr(LocalBackend, "_attributes", lambda *_: None)
    for call in (storage.stat("a"), storage.read("a")):
        with pytest.raises(UnreachableError, match="faster"):
            await call


async def test_something_odd_where_a_folder_should_be(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x").write_text("1")
    (tmp_path / "x%~=").write_text("2")
    storage = LocalBackend(tmp_path)
    with pytest.raises(NameRefusedError, match="regular"):
        await storage.write("pipe/a", b"x")
    with pytest.raises(NameRefusedError, match="regular"):
        await storage.read("pipe")
    with pytest.raises(NameRefusedError, match="twice"):
        await storage.write("x/a", b"x")
    assert (tmp_path / "x").read_text() == "1"


@pytest.mark.parametrize(
    ("sync", "lock"), [(errno.EINVAL, errno.ENOLCK), (errno.ENOTSUP, errno.ENOTSUP), (errno.ENOSYS, errno.ENOSYS)]
)
async def test_a_file_system_without_locks_that_syncs_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sync: int, lock: int
) -> None:
    """All works, with one warning for each; between the threads of one process writes still exclude each other."""
    fsync = os.fsync

    def picky(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(sync, os.strerror(sync))
        fsync(fd)

    def without(*_: object) -> None:
        raise OSError(lock, os.strerror(lock))

    monkeypatch.setattr(os, "fsync", picky)
    monkeypatch.setattr(fcntl, "flock", without)
    monkeypatch.setattr(disks, "_warned", set())
    storage = LocalBackend(tmp_path / "data")
    await storage.write_stream("a/b", stream([b"x"]))
    assert await storage.read("a/b") == b"x"
    results = await asyncio.gather(
        *(storage.write("once", b"%d" % number, condition=IfAbsent()) for number in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(result, AlreadyExistsError) for result in results) == 1
    file = tmp_path / "persona.yaml"
    set_value(file, "storage.backend", "local", locks=tmp_path)
    write_durably(tmp_path / "sequence", b"1")
    assert "local" in file.read_text()
    assert sorted(record.message.split(":")[0] for record in caplog.records) == [
        "This file system cannot sync folders",
        "This file system has no locks",
    ]


def test_a_change_is_not_denied_once_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration whose folder cannot be synced has changed: it is never called unchanged."""
    file = tmp_path / "persona.yaml"
    fsync = os.fsync

    def fail(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ConfigError, match="was written, but may be lost"):
        set_value(file, "storage.backend", "local", locks=tmp_path)
    assert "local" in file.read_text()
    monkeypatch.undo()
    before = file.read_bytes()
    with no_file_beyond(0), pytest.raises(StorageFullError) as caught:
        set_value(file, "storage.backend", "s3", locks=tmp_path)
    assert "not changed" in caught.value.hint
    assert file.read_bytes() == before
    assert not [*tmp_path.glob(".persona.yaml*")]


async def test_a_folder_that_never_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalBackend(tmp_path)

    def gone(*_: object) -> int:
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(Folder, "create", gone)
    with pytest.raises(UnreachableError):
        await storage.write("a/b", b"x")
    monkeypatch.undo()
    monkeypatch.setattr(Folder, "child", gone)
    with pytest.raises(NameRefusedError):
        await storage.write("a/b", b"x")
