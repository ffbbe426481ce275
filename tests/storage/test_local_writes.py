"""The writes of the local backend: tokens, metadata, modes, and what the system refuses."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigError,
    ConflictError,
    InputError,
    NameRefusedError,
    NotFoundError,
    PersonaError,
    StorageFullError,
    UnreachableError,
    VerificationError,
)
from persona.storage.backend import IfAbsent, IfVersion
from persona.storage.backends import local_draft, local_files, local_folder
from persona.storage.backends.local import LocalBackend
from persona.storage.backends.local_files import Disk
from persona.storage.backends.local_folder import Folder
from tests.contract.helpers import block, stream
from tests.storage.local_helpers import files, kept, paths_of


async def test_a_clock_that_stands_still_repeats_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    storage = LocalBackend(tmp_path)
    found = [await storage.write("a", b"same") for _ in range(50)]
    assert len({each.version for each in found}) == 50
    times = [int(each.version.split("-")[2], 16) for each in found]
    assert times == sorted(set(times))


async def test_a_coarse_file_system_repeats_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utime, second = os.utime, 1_000_000_000

    def coarse(file: int, *, ns: tuple[int, int]) -> None:
        utime(file, ns=(ns[0] // second * second, ns[1] // second * second))

    monkeypatch.setattr(os, "utime", coarse)
    monkeypatch.setattr(os, "supports_fd", {*os.supports_fd, coarse})
    storage = LocalBackend(tmp_path)
    found = [await storage.write("a", b"same") for _ in range(5)]
    assert len({each.version.split("-")[2] for each in found}) == 5


async def test_an_edit_by_hand_is_a_new_version_without_metadata(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    written = await storage.write("a.yaml", b"one", metadata={"by": "Kim"}, content_type="text/x")
    (tmp_path / "a.yaml").write_bytes(b"two")
    described = await storage.stat("a.yaml")
    assert described.version != written.version
    assert (described.content_type, described.metadata) == ("application/yaml", {})
    with pytest.raises(ConflictError):
        await storage.write("a.yaml", b"three", condition=IfVersion(written.version))
    assert await storage.read("a.yaml") == b"two"


async def test_metadata_is_kept_only_where_needed_and_as_long(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a.yaml", b"1", content_type="application/yaml", metadata={})
    assert kept(tmp_path) == []
    for number in range(3):
        await storage.write("a.yaml", b"1", metadata={"n": str(number)})
        assert len(kept(tmp_path)) == 1
    assert json.loads(kept(tmp_path)[0].read_text())["path"] == "a.yaml"
    await storage.copy("a.yaml", "b.yaml")
    assert len(kept(tmp_path)) == 2
    await storage.write("a.yaml", b"2")
    assert len(kept(tmp_path)) == 1
    await storage.delete("b.yaml")
    assert kept(tmp_path) == []


async def test_damaged_metadata_is_said(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a", b"1", metadata={"by": "Kim"})
    kept(tmp_path)[0].write_text("{")
    with pytest.raises(VerificationError, match="damaged"):
        await storage.stat("a")
    await storage.write("a", b"2", metadata={"by": "Lee"})
    assert (await storage.stat("a")).metadata == {"by": "Lee"}


async def test_metadata_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        await LocalBackend(tmp_path).write("a", b"1", metadata={"number": 5})  # type: ignore[dict-item]


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
    os.seteuid(65534)
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
                storage.list(),
            ):
                with pytest.raises(AccessDeniedError) as caught:
                    await call
                assert caught.value.hint
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


async def test_modes_under_the_home(tmp_path: Path, home: Path) -> None:
    old = os.umask(0o022)
    try:
        private, common = LocalBackend(home / "data"), LocalBackend(tmp_path / "shared")
        for storage in (private, common):
            await storage.write("folder/a", b"x", metadata={"of": "it"})
    finally:
        os.umask(old)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [home, *home.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert stat.S_IMODE((tmp_path / "shared" / "folder" / "a").stat().st_mode) == 0o644


async def test_an_empty_folder_goes_with_its_last_object(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a/b/c/d", b"x")
    await storage.write("a/e", b"x")
    await storage.delete("a/b/c/d")
    assert files(tmp_path) == ["a/", "a/e"]
    await storage.delete("a/e")
    assert files(tmp_path) == []
    assert tmp_path.exists()


async def test_a_root_that_was_removed_is_made_again(tmp_path: Path) -> None:
    import shutil

    storage = LocalBackend(tmp_path / "root")
    await storage.write("a", b"1")
    shutil.rmtree(tmp_path / "root")
    await storage.write("a", b"2")
    assert await storage.read("a") == b"2"


async def test_writers_and_deleters_of_one_folder(tmp_path: Path) -> None:
    """A folder is removed as empty and made again, all the time; no write fails and none is lost."""
    storage, other = LocalBackend(tmp_path), LocalBackend(tmp_path)

    async def churn(number: int) -> None:
        for _ in range(40):
            await storage.write(f"a/b/{number}", b"x")
            await other.delete(f"a/b/{number}")
        await other.write(f"a/b/{number}", b"last")

    await asyncio.gather(*(churn(number) for number in range(6)))
    assert await paths_of(storage) == [f"a/b/{number}" for number in range(6)]


async def test_an_object_and_its_folder_change_at_once(tmp_path: Path) -> None:
    """``x`` is always there for its readers, while a folder of its name comes and goes."""
    storage, other = LocalBackend(tmp_path), LocalBackend(tmp_path)
    await storage.write("x", b"0")

    async def folder() -> None:
        for _ in range(60):
            await other.write("x/y", b"below")
            await other.delete("x/y")

    async def overwrite() -> None:
        for number in range(60):
            await storage.write("x", b"%d" % number, metadata={"n": str(number)})

    writers = asyncio.gather(folder(), overwrite())
    while not writers.done():
        assert await storage.exists("x")
        described = await storage.stat("x")
        assert described.size in (1, 2)
        download = await other.open("x")
        content = b"".join([chunk async for chunk in download])
        assert download.object.metadata in ({}, {"n": content.decode()})
        assert "x" in await paths_of(other)
    await writers
    assert await storage.read("x") == b"59"


async def test_create_only_once_beside_a_folder_that_comes_and_goes(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    for round_ in range(15):
        path = f"x{round_}"
        outcomes = await asyncio.gather(
            *(storage.write(path, b"%d" % number, condition=IfAbsent()) for number in range(6)),
            *(storage.write(f"{path}/{number}", b"below") for number in range(6)),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, AlreadyExistsError) for outcome in outcomes) == 5
        assert await paths_of(storage, path) == [path, *(f"{path}/{number}" for number in range(6))]


async def test_a_cancelled_write_does_not_become_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    storage = LocalBackend(tmp_path)
    await storage.write("a", b"old")
    reached, go = threading.Event(), threading.Event()
    locate = Disk.locate

    def slow(self: Disk, folder: Folder, leaf: str) -> tuple[str, os.stat_result] | None:
        reached.set()
        go.wait(10)
        return locate(self, folder, leaf)

    monkeypatch.setattr(Disk, "locate", slow)
    task = asyncio.create_task(storage.write("a", b"new"))
    await asyncio.to_thread(reached.wait, 10)
    task.cancel()
    await asyncio.sleep(0.05)
    task.cancel()  # impatience changes nothing
    await asyncio.sleep(0.05)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await storage.read("a") == b"old"
    assert files(tmp_path) == ["a"]


async def test_a_lock_that_is_never_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "LOCK_SECONDS", 0.05)
    storage = LocalBackend(tmp_path)
    await storage.write("a", b"1")
    with storage._disk.locked("a"):
        with pytest.raises(UnreachableError, match="locked"):
            await storage.write("a", b"2")
        assert await storage.read("a") == b"1"
    assert files(tmp_path) == ["a"]


async def test_names_that_differ_in_case_alone_where_that_is_one_file(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("Team/Sarah.yaml", b"x")
    assert not storage._disk.ignores_case
    storage._disk.ignores_case = True
    await storage.write("Team/Sarah.yaml", b"y")
    for path, both in (("Team/sarah.yaml", "Sarah.yaml"), ("team/Kim.yaml", "Team")):
        with pytest.raises(NameRefusedError, match=both):
            await storage.write(path, b"x")
    assert await paths_of(storage) == ["Team/Sarah.yaml"]


async def test_everything_works_without_openat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_folder, "_BY_FD", False)
    monkeypatch.setattr(os, "supports_fd", set())
    storage = LocalBackend(tmp_path)
    first = await storage.write("a/b", b"1", metadata={"of": "it"})
    await storage.write("a/b/c", b"2")
    with pytest.raises(AlreadyExistsError):
        await storage.write("a/b", b"3", condition=IfAbsent())
    assert await storage.read("a/b") == b"1"
    assert (await storage.stat("a/b")).metadata == {"of": "it"}
    copied = await storage.copy("a/b/c", "d", condition=IfAbsent())
    assert copied.size == first.size
    assert await paths_of(storage) == ["a/b", "a/b/c", "d"]
    assert await paths_of(storage, "a", "a/b") == ["a/b/c"]
    with pytest.raises(NotFoundError):
        await storage.read("d/e")
    assert await storage.delete_many(["a/b", "a/b/c", "d"]) == {}
    assert files(tmp_path) == []


async def test_an_edit_while_it_is_read(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a", block(1) * 3)
    download = await storage.open("a")
    chunks = aiter(download)
    await anext(chunks)
    with (tmp_path / "a").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(UnreachableError, match="edited"):
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
    (tmp_path / "x%=").write_text("2")
    storage = LocalBackend(tmp_path)
    with pytest.raises(NameRefusedError, match="regular"):
        await storage.write("pipe/a", b"x")
    with pytest.raises(NameRefusedError, match="regular"):
        await storage.read("pipe")
    with pytest.raises(NameRefusedError, match="twice"):
        await storage.write("x/a", b"x")
    assert (tmp_path / "x").read_text() == "1"


async def test_a_network_file_system_that_syncs_no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def picky(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", picky)
    storage = LocalBackend(tmp_path)
    await storage.write_stream("a/b", stream([b"x"]))
    assert await storage.read("a/b") == b"x"


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


def test_the_temporary_file_has_no_name_of_an_object() -> None:
    draft = local_draft.Draft(Disk(Path("/nowhere")), "a")
    assert draft._name.startswith("%tmp-")
    draft.discard()
