"""Disks that take two names for one: both are named, none is read, replaced or removed in the other's place."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from persona.errors import NameRefusedError, NotFoundError
from persona.storage.backend import IfAbsent
from persona.storage.backends.local import LocalBackend
from persona.storage.backends.local_folder import Folder
from persona.storage.paths import fold
from tests.storage.local_helpers import files, paths_of

NFC, NFD = "Zo\u00eb", "Zoe\u0308"


@pytest.fixture
def folding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each folder take names for one that differ in case or Unicode form, as APFS does: at the calls to the system.

    A kernel that can do so is not to be had everywhere.
    """
    at = Folder.at

    def folded(self: Folder, name: str) -> str:
        with os.scandir(self.path if self.fd is None else self.fd) as found:
            entries = [entry.name for entry in found]
        return at(self, next((entry for entry in entries if fold(entry) == fold(name)), name))

    monkeypatch.setattr(Folder, "at", folded)


PAIRS = [("Team/Sarah.yaml", "Team/sarah.yaml"), ("Team/Sarah.yaml", "team/Kim.yaml"), (NFC, NFD), (NFD, f"{NFC}/x")]


@pytest.mark.usefixtures("folding")
@pytest.mark.parametrize(("there", "other"), PAIRS)
async def test_two_names_that_are_one_file(tmp_path: Path, there: str, other: str) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write(there, b"1")
    await storage.write(there, b"2", metadata={"of": "it"})
    differing = next((a, b) for a, b in zip(there.split("/"), other.split("/"), strict=False) if a != b)
    for condition in (None, IfAbsent()):
        with pytest.raises(NameRefusedError) as told:
            await storage.write(other, b"x", condition=condition)
        assert all(name in told.value.message for name in differing), "both are named"
    with pytest.raises(NameRefusedError):
        await storage.copy(there, other)
    assert not await storage.exists(other)
    for call in (storage.read, storage.stat, storage.open):
        with pytest.raises(NotFoundError):
            await call(other)
    await storage.delete(other)
    assert await storage.delete_many([other]) == {}
    assert await storage.read(there) == b"2"
    assert (await storage.stat(there)).metadata == {"of": "it"}
    assert await paths_of(storage) == [there]
    assert await paths_of(storage, other) == []
    assert files(tmp_path)[-1] == there, "nothing is left beside it"


@pytest.mark.usefixtures("folding")
async def test_an_object_beside_a_folder_is_not_replaced_by_its_lookalike(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("x", b"1")
    await storage.write("x/y", b"2")
    for path in ("X", "X/z", "x/Y"):
        with pytest.raises(NameRefusedError, match="case"):
            await storage.write(path, b"3")
    assert await storage.read("x") == b"1"
    assert await paths_of(storage) == ["x", "x/y"]


@pytest.mark.usefixtures("folding")
async def test_of_many_that_are_written_at_once_one_is_there(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a/b", b"x")
    names = [f"a/{file}{form}" for file in ("cd", "cD", "CD") for form in (NFC, NFD)]
    done = await asyncio.gather(*(storage.write(name, name.encode()) for name in names), return_exceptions=True)
    written = [found.path for found in done if not isinstance(found, BaseException)]
    assert all(isinstance(found, NameRefusedError) for found in done if isinstance(found, BaseException))
    assert await paths_of(storage) == ["a/b", *written]
    assert len(written) == 1
    assert await storage.read(written[0]) == written[0].encode()


async def test_a_disk_that_stores_another_form_is_no_place_for_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folding: None
) -> None:
    """HFS+ keeps every name decomposed: the object would be listed under another name than it was written."""
    replace = Folder.replace

    def decomposing(self: Folder, name: str, target: str) -> None:
        replace(self, name, NFD if fold(target) == fold(NFD) else target)

    monkeypatch.setattr(Folder, "replace", decomposing)
    storage = LocalBackend(tmp_path)
    with pytest.raises(NameRefusedError, match="Unicode form"):
        await storage.write(NFC, b"x", metadata={"of": "it"})
    assert files(tmp_path) == []
    await storage.write(NFD, b"x")
    assert await paths_of(storage) == [NFD]


async def test_a_disk_that_tells_names_apart_holds_them_all(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    names = sorted(["a", "A", "x/y", "X/y", "x/Y", NFC, NFD, f"{NFC}/x"], key=str.encode)
    names = [name for name in names if name != f"{NFC}/x"] + [f"f/{NFC}/x", f"f/{NFD}/x"]
    for name in names:
        await storage.write(name, name.encode())
    assert await paths_of(storage) == sorted(names, key=str.encode)
    for name in names:
        assert await storage.read(name) == name.encode()
    os.link(tmp_path / "a", tmp_path / "B")
    os.link(tmp_path / "a", tmp_path / "b")  # one file under two names is no lookalike
    assert await storage.read("b") == await storage.read("B") == b"a"


async def test_a_name_that_leaves_no_room_beside_a_folder(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    for length in (252, 253, 255):
        name = "n" * length
        await storage.write(name, b"x")
        if length == 252:
            await storage.write(f"{name}/y", b"y")
        else:
            with pytest.raises(NameRefusedError, match="too long"):
                await storage.write(f"{name}/y", b"y")
        assert await storage.read(name) == b"x"
        assert not await storage.exists("m" * length)
        await storage.delete("m" * length)
    await storage.write("k" * 255 + "/y", b"y")
    with pytest.raises(NameRefusedError):
        await storage.write("k" * 255, b"x")
    assert await storage.read("k" * 255 + "/y") == b"y"
