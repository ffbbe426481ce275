"""The listing of a local folder: in key order whatever the names, with strangers reported, and lazily."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona.errors import PersonaError
from persona.locks import claim
from persona.storage.backends import local_leftovers, local_scan
from persona.storage.backends.local import LocalBackend
from persona.storage.backends.local_files import Disk
from persona.storage.backends.local_folder import Folder
from persona.storage.backends.local_runs import Entry
from persona.storage.paths import temporary
from tests.storage.local_helpers import files, paths_of, refused_by

names = st.sampled_from(
    [
        "a",
        "b",
        "a-b",
        "a0",
        "a.",
        "A",
        "é",
        "e\u0301",
        "%",
        "n" * 249,
        "n" * 252,
        "n" * 256,
        "n" * 280,
        "n" * 249 + "!" * 7,
    ]
)
keys = st.lists(st.lists(names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12, unique=True)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=keys, data=st.data())
def test_the_order_is_that_of_the_keys(keys: list[str], data: st.DataObject) -> None:
    after = data.draw(st.sampled_from([*keys, "a", "n" * 249, "n" * 252, "b/b"]))
    prefix = data.draw(st.sampled_from(["", *keys, "a", "n" * 256]))

    async def work(root: Path) -> None:
        storage = LocalBackend(root)
        for key in keys:
            await storage.write(key, b"x")
        expected = sorted(keys, key=str.encode)
        assert await paths_of(storage) == expected
        assert await paths_of(storage, after=after) == [key for key in expected if key.encode() > after.encode()]
        below = [key for key in expected if not prefix or key == prefix or key.startswith(prefix + "/")]
        assert await paths_of(storage, prefix) == below
        assert await paths_of(storage, prefix, after) == [key for key in below if key.encode() > after.encode()]
        assert (await storage.list()).refused == []
        await storage.delete_many(keys)
        assert files(root) == []

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder)))


async def test_a_root_that_is_not_there_is_empty(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path / "no" / "root")
    assert await storage.list() == []
    assert await paths_of(storage, "a", "a/b") == []
    assert not await storage.exists("a")
    await storage.delete("a")
    assert await storage.delete_many(["a", "b/c"]) == {}
    assert list(tmp_path.iterdir()) == [], "reading makes nothing"


async def test_what_people_put_there_is_listed(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "Interview 1.md").write_text("# Kim")
    (tmp_path / "empty folder").mkdir()
    storage = LocalBackend(tmp_path)
    assert await paths_of(storage) == ["notes/Interview 1.md"]
    assert await storage.read("notes/Interview 1.md") == b"# Kim"


async def test_strangers_are_reported_and_stop_nothing(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("good", b"x")
    strangers = ["a\nb", "n" * 249 + "%~-", os.fsdecode(b"latin-\xe9.txt")]
    for name in strangers:
        (tmp_path / name).write_text("x")
    for folder in ("folder\x7f", "x%~="):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    refused = await refused_by(storage)
    assert refused.keys() == {*strangers, "folder\x7f/", "x%~=/", "pipe"}
    assert "regular" in refused["pipe"]
    assert "UTF-8" in refused[os.fsdecode(b"latin-\xe9.txt")]
    assert "control character" in refused["a\nb"]
    assert all(refused.values())
    assert await paths_of(storage) == ["good"]


async def test_a_name_too_long_for_a_path_is_reported(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["n" * 150] * 6)
    deep.mkdir(parents=True)
    (deep / ("x" * 200)).write_text("x")
    assert len(await refused_by(LocalBackend(tmp_path))) == 1


async def test_two_files_of_one_object(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("first")
    (tmp_path / "x%~=").write_text("second")
    storage = LocalBackend(tmp_path)
    assert await paths_of(storage) == ["x"]
    assert await storage.read("x") == b"first"
    assert list(await refused_by(storage)) == ["x%~="]


async def test_the_control_folder_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a", b"x", metadata={"of": "it"})
    await storage.write(".persona/mine", b"x")
    (tmp_path / ".PERSONA").mkdir()
    (tmp_path / ".PERSONA" / "theirs").write_text("x")
    assert (tmp_path / ".persona").is_dir()
    assert await paths_of(storage) == [".PERSONA/theirs", ".persona/mine", "a"]
    assert await refused_by(storage) == {}
    (tmp_path / ".persona" / "notes.txt").write_text("x")  # not dropped without a word
    assert list(await refused_by(storage)) == [".persona/notes.txt"]
    monkeypatch.setenv("PERSONA_HOME", str(tmp_path / ".persona"))
    assert await refused_by(LocalBackend(tmp_path)) == {}, "what the program keeps for itself is no part of a home"


async def test_a_file_of_the_name_of_the_control_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".persona").write_text("x")
    storage = LocalBackend(tmp_path)
    assert list(await refused_by(storage)) == [".persona"]
    with pytest.raises(PersonaError, match="persona"):
        await storage.write("a", b"x")


@pytest.mark.parametrize("locks", [True, False], ids=["with locks", "without"])
async def test_only_abandoned_temporary_files_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    """By their locks; where the file system has none, by their age."""
    old, young, written = (tmp_path / temporary() for _ in range(3))
    users = tmp_path / "%~tmp-0123456789abcdef"  # which only looks like one
    for file in (old, young, written, users):
        file.write_text("x")
    yesterday = young.stat().st_mtime - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    held = os.open(written, os.O_RDWR)
    claim(held)
    if not locks:
        monkeypatch.setattr(local_leftovers, "claim", lambda _: None)
    storage = LocalBackend(tmp_path)
    assert [found.path for found in await storage.list()] == [users.name]
    await storage.write("new", b"x")
    assert await storage.read(users.name) == b"x"
    assert await refused_by(storage) == {}
    assert [file.exists() for file in (old, young, written)] == [False, not locks, True]
    os.close(held)


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by each folder that is entered."""
    entered: list[str] = []
    walk = Disk.walk

    def watched(self: Disk, names: Sequence[str]) -> Folder:
        entered.append("/".join(names))
        return walk(self, names)

    monkeypatch.setattr(Disk, "walk", watched)
    return entered


async def test_what_comes_before_a_key_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalBackend(tmp_path)
    for folder in "abcdef":
        await storage.write(f"{folder}/x/y", b"")
    entered = watch(monkeypatch)
    assert await paths_of(storage, after="d/x/y") == ["e/x/y", "f/x/y"]
    assert not {"a", "b", "c"} & set(entered)


async def test_the_first_page_needs_no_other_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalBackend(tmp_path)
    for number in range(5):
        for other in range(3):
            await storage.write(f"{number}/{other}", b"")
    monkeypatch.setattr("persona.storage.backends.local.PAGE_OBJECTS", 3)
    entered = watch(monkeypatch)
    scan = storage.scan()
    assert [found.path for found in await anext(scan)] == ["0/0", "0/1", "0/2"]
    assert not {"2", "3", "4"} & set(entered)


async def test_a_scan_that_is_dropped_leaves_nothing_open(tmp_path: Path) -> None:
    storage = LocalBackend(tmp_path)
    await asyncio.gather(*(storage.write(f"a/{number}", b"") for number in range(1100)))
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        scan = storage.scan()
        await anext(scan)
        await scan.aclose()  # type: ignore[attr-defined]
        del scan
    assert len(list(Path("/dev/fd").iterdir())) <= before


async def test_a_file_that_vanishes_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalBackend(tmp_path)
    for name in ("a", "b", "c"):
        await storage.write(name, b"x")
    read = local_scan.Walk._read

    def vanishing(self: local_scan.Walk, place: tuple[str, ...], key: str) -> Iterator[Entry]:
        entries = read(self, place, key)
        (tmp_path / "b").unlink(missing_ok=True)
        return entries

    monkeypatch.setattr(local_scan.Walk, "_read", vanishing)
    assert await paths_of(storage) == ["a", "c"]


async def test_a_file_that_moves_beside_a_folder_meanwhile_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalBackend(tmp_path)
    await storage.write("a", b"xyz")
    read = local_scan.Walk._read

    def moving(self: local_scan.Walk, place: tuple[str, ...], key: str) -> Iterator[Entry]:
        entries = read(self, place, key)
        if (tmp_path / "a").is_file():
            (tmp_path / "a").rename(tmp_path / "a%~=")
            (tmp_path / "a").mkdir()
        return entries

    monkeypatch.setattr(local_scan.Walk, "_read", moving)
    assert [(found.path, found.size) for found in await storage.list()] == [("a", 3)]
