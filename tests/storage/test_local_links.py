"""Links: followed inside the root, refused where they lead out of it, and never a way to write elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from persona.errors import NameRefusedError, NotFoundError, PersonaError
from persona.storage.backends import local_folder
from persona.storage.backends.local import LocalBackend
from persona.storage.backends.local_folder import Folder
from tests.storage.local_helpers import paths_of, refused_by


@pytest.fixture(params=["openat", "by path"])
def by_fd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With `openat`, and without, as on Windows."""
    monkeypatch.setattr(local_folder, "_BY_FD", request.param == "openat")
    return bool(request.param == "openat")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "a").write_text("content")
    return folder


@pytest.mark.usefixtures("by_fd")
async def test_a_link_to_a_file_outside_is_refused(root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside / "secret")
    storage = LocalBackend(root)
    for call in (storage.read, storage.open, storage.stat, storage.exists):
        with pytest.raises(NameRefusedError):
            await call("link")
    with pytest.raises(NameRefusedError):
        await storage.write("link", b"x")
    with pytest.raises(NameRefusedError):
        await storage.copy("link", "copy")
    assert list(await refused_by(storage)) == ["link"]
    assert await paths_of(storage) == ["real/a"]
    assert (outside / "secret").read_text() == "secret"


@pytest.mark.usefixtures("by_fd")
async def test_a_link_to_a_folder_outside_is_refused(root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside, target_is_directory=True)
    storage = LocalBackend(root)
    with pytest.raises(NameRefusedError):
        await storage.read("link/secret")
    with pytest.raises(NameRefusedError):
        await storage.write("link/new", b"x")
    with pytest.raises(NameRefusedError):
        await storage.write("link/new/deep", b"x")
    with pytest.raises(NameRefusedError):
        await storage.delete("link/secret")
    assert list(await refused_by(storage)) == ["link"]
    assert [file.name for file in outside.iterdir()] == ["secret"]


@pytest.mark.usefixtures("by_fd")
async def test_links_inside_the_root_are_followed(root: Path) -> None:
    (root / "file").symlink_to("real/a")
    (root / "folder").symlink_to("real", target_is_directory=True)
    storage = LocalBackend(root)
    assert await paths_of(storage) == ["file", "folder/a", "real/a"]
    assert await storage.read("file") == b"content"
    assert await storage.read("folder/a") == b"content"
    assert (await storage.stat("file")).size == 7
    await storage.write("folder/b/c", b"new")
    assert (root / "real" / "b" / "c").read_bytes() == b"new"
    await storage.delete("folder/b/c")
    assert not (root / "real" / "b").exists()


async def test_a_write_replaces_a_link_and_not_its_target(root: Path) -> None:
    (root / "file").symlink_to("real/a")
    storage = LocalBackend(root)
    await storage.write("file", b"new")
    assert not (root / "file").is_symlink()
    assert await storage.read("real/a") == b"content"
    (root / "again").symlink_to("real/a")
    await storage.delete("again")
    assert await storage.read("real/a") == b"content"


async def test_an_object_beside_a_linked_folder(root: Path) -> None:
    (root / "folder").symlink_to("real", target_is_directory=True)
    storage = LocalBackend(root)
    await storage.write("folder", b"object")
    assert (root / "folder").is_symlink()
    assert await storage.read("folder") == b"object"
    assert await paths_of(storage, "folder") == ["folder", "folder/a"]
    await storage.delete("folder")
    assert await storage.read("folder/a") == b"content"


async def test_links_that_lead_nowhere(root: Path) -> None:
    (root / "gone").symlink_to("missing")
    (root / "self").symlink_to("self")
    storage = LocalBackend(root)
    with pytest.raises(NotFoundError):
        await storage.read("gone")
    with pytest.raises(NameRefusedError):
        await storage.read("self")
    assert "nowhere" in (await refused_by(storage))["gone"]
    assert "loop" in (await refused_by(storage))["self"]
    with pytest.raises(PersonaError):
        await storage.write("gone/below", b"x")
    await storage.write("gone", b"now there")
    assert await storage.read("gone") == b"now there"


async def test_loops_of_folders_end(root: Path) -> None:
    (root / "real" / "up").symlink_to("..", target_is_directory=True)
    (root / "one").mkdir()
    (root / "two").mkdir()
    (root / "one" / "to-two").symlink_to("../two", target_is_directory=True)
    (root / "two" / "to-one").symlink_to("../one", target_is_directory=True)
    storage = LocalBackend(root)
    assert await paths_of(storage) == ["real/a"]
    assert {"real/up/", "one/to-two/to-one/", "two/to-one/to-two/"} == (await refused_by(storage)).keys()


async def test_the_control_folder_is_not_reached_by_a_link(root: Path) -> None:
    storage = LocalBackend(root)
    await storage.write("x", b"x", metadata={"of": "it"})
    (root / "link").symlink_to(".persona", target_is_directory=True)
    with pytest.raises(NameRefusedError):
        await storage.write("link/locks/00.lock", b"x")
    assert list(await refused_by(storage)) == ["link"]


async def test_a_control_folder_that_is_a_link_is_refused(root: Path, outside: Path) -> None:
    (root / ".persona").symlink_to(outside, target_is_directory=True)
    with pytest.raises(NameRefusedError):
        await LocalBackend(root).write("a", b"x")


async def test_a_root_that_is_a_link_is_what_the_user_says(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root, target_is_directory=True)
    storage = LocalBackend(tmp_path / "alias")
    await storage.write("b", b"x")
    (root / "inside").symlink_to(root / "real", target_is_directory=True)
    assert await paths_of(storage) == ["b", "inside/a", "real/a"]


async def test_a_folder_swapped_for_a_link_meanwhile(
    root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is swapped after it was opened: the write goes to the folder that was checked."""
    storage = LocalBackend(root)
    create = Folder.create

    def swap(self: Folder, name: str, mode: int) -> int:
        (root / "real").rename(root / "moved")
        (root / "real").symlink_to(outside, target_is_directory=True)
        monkeypatch.undo()
        return create(self, name, mode)

    monkeypatch.setattr(Folder, "create", swap)
    await storage.write("real/new", b"x")
    assert [file.name for file in outside.iterdir()] == ["secret"]
    assert (root / "moved" / "new").exists()


async def test_a_link_that_comes_while_a_link_is_resolved(
    root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "link").symlink_to("real", target_is_directory=True)
    storage = LocalBackend(root)
    resolve = storage._disk.resolve

    def swap(path: str) -> list[str]:
        found = resolve(path)
        (root / "real").rename(root / "moved")
        (root / "real").symlink_to(outside, target_is_directory=True)
        return found

    monkeypatch.setattr(storage._disk, "resolve", swap)
    with pytest.raises(NameRefusedError, match="became a link"):
        await storage.read("link/secret")
