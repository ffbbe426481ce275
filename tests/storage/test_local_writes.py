"""The writes of the local backend: tokens, metadata, modes, folders that come and go."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from pathlib import Path

import pytest

from persona.errors import (
    AlreadyExistsError,
    ConflictError,
    InputError,
    NotFoundError,
    VerificationError,
)
from persona.locks import claim
from persona.storage.backend import IfAbsent, IfVersion
from persona.storage.backends import local_draft, local_folder
from persona.storage.backends.local import LocalBackend
from persona.storage.backends.local_files import Disk
from persona.storage.backends.local_folder import Folder
from persona.storage.paths import is_temporary
from tests.storage.local_helpers import files, kept, paths_of


async def test_a_clock_that_stands_still_repeats_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    storage = LocalBackend(tmp_path)
    found = [await storage.write("a", b"same") for _ in range(50)]
    assert len({each.version for each in found}) == 50
    times = [int(each.version.split("-")[2], 16) for each in found]
    assert times == sorted(set(times))


async def test_a_file_that_an_editor_puts_there_at_once_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Folder.replace

    def edited(self: Folder, name: str, target: str) -> None:
        replace(self, name, target)
        (tmp_path / ".edited").write_bytes(b"by hand")
        (tmp_path / ".edited").replace(tmp_path / "a")

    storage = LocalBackend(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "replace", edited)
        written = await storage.write("a", b"ours")
    with pytest.raises(ConflictError):
        await storage.write("a", b"ours, anew", condition=IfVersion(written.version))
    assert (tmp_path / "a").read_bytes() == b"by hand"


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


def test_the_temporary_file_has_no_name_of_an_object(tmp_path: Path) -> None:
    draft = local_draft.Draft(Disk(tmp_path), "a")
    draft.append(b"content")
    assert [is_temporary(file.name) for file in tmp_path.iterdir() if file.is_file()] == [True]
    draft.discard()


async def test_a_temporary_file_that_another_process_takes_for_a_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its creation and its lock, another process may lock it to remove it, and not have removed it yet."""
    create = Folder.create
    sweepers: list[int] = []

    def taken(self: Folder, name: str, mode: int) -> int:
        fd = create(self, name, mode)
        if not sweepers:
            sweepers.append(os.open(self.at(name), os.O_RDWR, dir_fd=self.fd))
            assert claim(sweepers[0])
        return fd

    monkeypatch.setattr(Folder, "create", taken)
    storage = LocalBackend(tmp_path)
    await storage.write("a.md", b"content")
    os.close(sweepers[0])
    assert await storage.read("a.md") == b"content"
