"""``persona list`` reads only what no note tells, and shows the same as when it reads everything."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from persona.errors import NotFoundError, UnreachableError
from persona.personas import document
from persona.personas.generate.provider import Generated
from persona.personas.library import Refused, load
from persona.personas.model import SCHEMA_VERSION
from persona.personas.summaries import NOTES, Summaries, summaries
from persona.storage.backend import Download, Listing, Notes, RefusedName, StorageBackend, StorageObject
from persona.storage.backends.local import LocalBackend
from persona.storage.layers.layer import Layer
from tests.personas.memory import MemoryBackend

WHEN = datetime(2025, 1, 20, 14, 32, tzinfo=UTC)


class Slips(Notes):
    """Notes in a dictionary, by path."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str]] = {}

    def of(self, objects: Iterable[StorageObject]) -> dict[str, str]:
        found = {each.path: self.kept.get(each.path) for each in objects}
        versions = {each.path: each.version for each in objects}
        return {path: slip[1] for path, slip in found.items() if slip and slip[0] == versions[path]}

    def keep(self, texts: Iterable[tuple[StorageObject, str]]) -> None:
        self.kept |= {found.path: (found.version, text) for found, text in texts}


class Noting(Layer):
    """Keeps notes, and counts what is asked of the storage."""

    def __init__(self, inner: StorageBackend) -> None:
        super().__init__(inner)
        self.slips = Slips()
        self.asked: list[tuple[str, ...]] = []
        self.as_of: datetime | None = None
        self.whole = True
        self.away = False

    def notes(self, kind: str) -> Notes | None:
        assert kind == NOTES
        return self.slips

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        self.asked.append(("read", path))
        if self.away:
            raise UnreachableError(f"Nobody answers for {path}.")
        return await self.inner.open(path, start=start, length=length, version=version)

    async def exists(self, path: str) -> bool:
        self.asked.append(("exists", path))
        if self.away:
            raise UnreachableError(f"Nobody answers for {path}.")
        return await self.inner.exists(path)

    async def stat(self, path: str) -> StorageObject:
        self.asked.append(("stat", path))
        return await self.inner.stat(path)

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        self.asked.append(("scan", prefix, str(after)))
        async for page in self.inner.scan(prefix, after=after):
            yield Listing(page, page.refused, as_of=self.as_of, whole=self.whole)


@pytest.fixture
def disk(tmp_path: Path) -> Noting:
    return Noting(LocalBackend(tmp_path / "root"))


def run(storage: StorageBackend, folder: str = "personas") -> Summaries:
    return asyncio.run(summaries(storage, folder))


def fill(storage: Noting, examples: Generated, folder: str = "personas") -> list[str]:
    """Write a library, and return the paths of its personas."""
    paths = [f"{folder}/{persona.id}.yaml" for persona in examples.personas]

    async def write() -> None:
        for path, persona in zip(paths, examples.personas, strict=True):
            await storage.inner.write(path, document.write(persona))
        await storage.inner.write(f"{folder}/notes.txt", b"text")
        await storage.inner.write(f"{folder}/broken.yaml", b"a: [")
        await storage.inner.write(f"{folder}/other.yml", b"a: 1")
        await storage.inner.write(f"{folder}-old/x.yaml", b"a: 1")

    asyncio.run(write())
    return sorted(paths)


def test_it_shows_what_reading_everything_shows(disk: Noting, examples: Generated) -> None:
    paths = fill(disk, examples)
    first, second = run(disk), run(disk)
    read = asyncio.run(load(disk.inner, "personas"))
    assert [tuple(each) for each in first.personas] == [(p.id, p.name, p.title, path) for path, p in read.personas]
    assert [each.path for each in first.personas] == paths
    assert first.refused == read.refused
    assert [item.path for item in first.refused] == ["personas/broken.yaml", "personas/other.yml"]
    assert second == first
    assert run(Layer(disk.inner)) == first
    assert Layer(disk.inner).notes(NOTES) is None


def test_a_library_that_was_read_takes_one_listing(disk: Noting, examples: Generated) -> None:
    fill(disk, examples)
    run(disk)
    assert sorted(disk.slips.kept) == sorted(path for kind, path, *_ in disk.asked if kind == "read")
    disk.asked.clear()
    run(disk, "./personas/")
    assert disk.asked == [("scan", "personas", "personas")]
    disk.asked.clear()
    run(disk, "/")
    assert disk.asked[0] == ("scan", "", "None")


def test_only_what_has_changed_is_read(disk: Noting, examples: Generated) -> None:
    path = fill(disk, examples)[1]
    run(disk)
    persona = document.read(path, asyncio.run(disk.inner.read(path)))
    changed = persona.model_copy(update={"title": "Another title"})
    asyncio.run(disk.inner.write(path, document.write(changed)))
    asyncio.run(disk.inner.write("personas/broken.yaml", b"b: 1"))
    asyncio.run(disk.inner.delete("personas/other.yml"))
    disk.asked.clear()
    found = run(disk)
    assert sorted(disk.asked[1:]) == sorted([("read", path), ("read", "personas/broken.yaml")])
    assert [each.title for each in found.personas if each.path == path] == ["Another title"]
    assert [item.path for item in found.refused] == ["personas/broken.yaml"]
    assert "no schema_version" in found.refused[0].reason


@pytest.mark.parametrize("text", ["", "{", '["a", "b"]', "1, 2", '"a", "b"', "null", "{}", "[]"])
def test_notes_that_are_damaged_are_written_anew(disk: Noting, examples: Generated, text: str) -> None:
    path = fill(disk, examples)[0]
    first = run(disk)
    disk.slips.kept[path] = (disk.slips.kept[path][0], text)
    assert run(disk) == first
    assert json.loads(disk.slips.kept[path][1])[0] == first.personas[0].id


def test_a_path_that_ends_as_a_file_is_looked_up(disk: Noting, examples: Generated) -> None:
    path = fill(disk, examples)[0]
    assert [each.path for each in run(disk, path).personas] == [path]
    assert disk.asked[0] == ("scan", path, "None")
    with pytest.raises(NotFoundError, match=r"There is nothing at .*none\.yaml"):
        run(disk, "none.yaml")


def test_what_holds_nothing_is_not_there(disk: Noting, examples: Generated) -> None:
    fill(disk, examples)
    with pytest.raises(NotFoundError, match=r"There is nothing at .*team") as caught:
        run(disk, "team")
    assert "persona generate" in caught.value.hint
    asyncio.run(disk.inner.write("lone", b"an object without an ending"))
    assert run(disk, "lone") == Summaries()
    assert run(Noting(LocalBackend(Path(disk.inner.url("").removeprefix("file://")) / "empty")), "/") == Summaries()


def test_foreign_names_and_large_files_are_named() -> None:
    storage = MemoryBackend()
    storage.put("team/large.yaml", b"x" * (document.MAX_BYTES + 1))
    storage.refused = [RefusedName("team//x.yaml", "empty segment")]
    reason = (
        f"team/large.yaml is too large for a persona: {document.MAX_BYTES + 1:,} bytes, and 8,388,608 is the limit."
    )
    assert run(storage, "team").refused == [
        Refused("team/large.yaml", reason),
        Refused("team//x.yaml", "empty segment"),
    ]
    del storage.objects["team/large.yaml"]
    assert run(storage, "team").refused == [Refused("team//x.yaml", "empty segment")]


def test_what_goes_meanwhile_is_left_out(examples: Generated) -> None:
    class Going(MemoryBackend):
        async def read(self, path: str) -> bytes:
            self.objects.pop("personas/b.yaml", None)
            return await super().read(path)

    storage = Noting(Going())
    for name in "ab":
        asyncio.run(storage.inner.write(f"personas/{name}.yaml", document.write(examples.personas[0])))
    assert [each.path for each in run(storage).personas] == ["personas/a.yaml"]
    assert [*storage.slips.kept] == ["personas/a.yaml"]


def test_an_outage_is_an_error_unless_it_is_known(disk: Noting, examples: Generated) -> None:
    paths = fill(disk, examples)
    run(disk)
    del disk.slips.kept[paths[0]]
    disk.away = True
    with pytest.raises(UnreachableError):
        run(disk)
    disk.as_of, disk.whole = WHEN, False
    found = run(disk)
    assert [each.path for each in found.personas] == paths[1:]
    assert Refused(paths[0], f"Nobody answers for {paths[0]}.") in found.refused
    assert (found.as_of, found.whole) == (WHEN, False)
    assert paths[0] not in disk.slips.kept


def test_the_kind_of_note_changes_with_the_schema() -> None:
    assert f"persona-{SCHEMA_VERSION}" == NOTES


def test_a_listing_of_before_is_shown_as_such(
    disk: Noting, examples: Generated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from persona.cli.app import run as command

    fill(disk, examples)
    monkeypatch.setattr("persona.storage.stack.open_storage", lambda *_, **__: disk)
    assert command(["list", "--json"]) == 1
    assert set(json.loads(capsys.readouterr().out)) == {"personas", "refused"}
    disk.as_of = WHEN
    assert command(["list", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["as_of"], shown["whole"]) == ("2025-01-20T14:32:00Z", True)
    assert command(["list"]) == 1
    assert "\nPersonas: 4\nAs of: 2025-01-20 14:32 UTC\n\nID" in capsys.readouterr().out
    disk.whole = False
    assert command(["list"]) == 1
    assert "As of: 2025-01-20 14:32 UTC; only what is kept on this machine\n" in capsys.readouterr().out


CODE = """
import asyncio, sys
from pathlib import Path
from persona.personas.summaries import summaries
from persona.storage.backends.local import LocalBackend
from persona.storage.cache.store import Store
from persona.storage.layers.cache import Cache

async def main():
    store = Store(Path(sys.argv[2]), "here", max_size=10**8)
    found = await summaries(Cache(LocalBackend(Path(sys.argv[1])), store), "personas")
    store.close()
    print(len(found.personas), len(found.refused), *sorted({"pydantic", "ruamel.yaml"} & set(sys.modules)))

asyncio.run(main())
"""


def test_what_is_noted_needs_no_library_that_is_slow_to_import(
    disk: Noting, examples: Generated, tmp_path: Path
) -> None:
    fill(disk, examples)

    def once() -> str:
        arguments = [sys.executable, "-c", CODE, str(tmp_path / "root"), str(tmp_path / "cache")]
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout

    assert once() == "4 2 pydantic ruamel.yaml\n"
    assert once() == "4 2\n"
