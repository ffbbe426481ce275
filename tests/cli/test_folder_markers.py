"""What a console's “Create folder” leaves behind is no object and no failure: it is counted, and said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from persona.config.schema import StorageSettings
from persona.errors import NotFoundError
from persona.storage.backends.cloud import CloudBackend
from persona.storage.backends.primitives import Attributes
from persona.storage.stack import open_storage
from tests.cli.conftest import Configure, Run

PREFIX = "team"


def put(settings: StorageSettings, contents: Mapping[str, tuple[bytes, Mapping[str, str]]]) -> None:
    """Put objects under any key, past this project's gate, with their metadata."""

    async def work() -> None:
        storage = open_storage(settings)
        assert isinstance(storage, CloudBackend)
        try:
            for key, (data, metadata) in contents.items():
                await storage._put(f"{PREFIX}/{key}", data, Attributes("application/x-directory", metadata), None)
        finally:
            await storage.close()

    asyncio.run(work())


@pytest.fixture(params=["moto", "fake-gcs", "azurite"])
def settings(
    request: pytest.FixtureRequest, place: Callable[..., StorageSettings], configure: Configure
) -> StorageSettings:
    """A workspace whose folders were made in a console: the library is empty, and there is one object."""
    settings = place(request.param, prefix=PREFIX)
    markers: dict[str, tuple[bytes, Mapping[str, str]]] = {
        name: (b"", {}) for name in ("", "personas/", "research/", "research/old/")
    }
    if settings.backend == "azure":
        markers |= {"directory": (b"", {"hdi_isfolder": "true"}), "research": (b"", {"hdi_isfolder": "True"})}
    put(settings, {**markers, "research/a.csv": (b"Respondent,Answer\nE09,yes\n", {}), "research/empty.txt": (b"", {})})
    configure(settings)
    return settings


def test_folders_are_counted_and_no_failure(settings: StorageSettings, persona: Run, tmp_path: Path) -> None:
    count = 6 if settings.backend == "azure" else 4
    status = persona("storage", "status", "--json")
    assert (status.code, status.json["objects"], status.json["folder_markers"]) == (0, 2, count), status.err
    listed = persona("storage", "list", "--json")
    assert (listed.code, listed.json["folder_markers"], listed.json["refused"]) == (0, count, [])
    assert [each["path"] for each in listed.json["objects"]] == ["research/a.csv", "research/empty.txt"]
    assert f"2 objects; {count} folder markers besides" in persona("storage", "list").out
    personas = persona("list", "--json")
    assert (personas.code, personas.json["personas"], personas.err) == (0, [], "")
    target = f"file://{tmp_path / 'to'}"
    moved = persona("storage", "migrate", "--from", settings.backend, "--to", target, "--json")
    assert (moved.code, moved.json["state"], moved.json["folder_markers"]) == (0, "complete", count), moved.out
    assert (moved.json["objects"]["total"], moved.json["failures"]) == (2, [])
    section = getattr(settings, settings.backend)
    scheme = {"s3": "s3", "gcs": "gs", "azure": "az"}[settings.backend]
    place = f"{scheme}://{section.container if settings.backend == 'azure' else section.bucket}/{PREFIX}"
    back = persona("storage", "sync", "--from", target, "--to", place, "--delete", "--json")
    assert (back.code, back.json["objects"]["skipped"], back.json["objects"]["removed"]) == (0, 2, 0), back.out
    assert persona("storage", "status", "--json").json["folder_markers"] == count
    one = persona("storage", "migrate", "--from", f"{place}/research/a.csv", "--to", f"file://{tmp_path / 'one'}")
    assert (one.code, "is one object, and --from names a folder" in one.err) == (5, True), one.err
    none = persona("storage", "migrate", "--from", f"{place}/resaerch", "--to", f"file://{tmp_path / 'one'}")
    assert (none.code, "There is nothing in" in none.err) == (5, True), none.err


def test_what_only_looks_like_a_folder_is_named(settings: StorageSettings, persona: Run, tmp_path: Path) -> None:
    put(settings, {"content/": (b"x", {}), "a//b": (b"", {}), "kept": (b"x", {"hdi_isfolder": "true"})})
    listed = persona("storage", "list", "--json")
    assert listed.code == 1
    assert {each["key"] for each in listed.json["refused"]} == {f"{PREFIX}/content/", f"{PREFIX}/a//b"}
    assert "kept" in {each["path"] for each in listed.json["objects"]}
    moved = persona("storage", "migrate", "--from", settings.backend, "--to", f"file://{tmp_path / 'to'}", "--json")
    assert (moved.code, moved.json["state"]) == (1, "incomplete")
    assert {each["path"] for each in moved.json["failures"]} == {f"{PREFIX}/content/", f"{PREFIX}/a//b"}


def test_a_folder_that_bears_the_respondents_name_is_left_to_the_user(settings: StorageSettings, persona: Run) -> None:
    assert persona("storage", "erase", "--subject", "E08", "--yes", "--json").code == 0
    put(settings, {"research/E08/": (b"", {})})
    ran = persona("storage", "erase", "--subject", "E08", "--yes", "--json")
    assert (ran.code, ran.json["complete"]) == (1, False)
    assert "folder marker" in ran.json["left"][0]["reason"]


@pytest.mark.parametrize("settings", ["azurite"], indirect=True)
def test_a_directory_of_azure_is_no_object(settings: StorageSettings) -> None:
    async def work() -> None:
        storage = open_storage(settings)
        try:
            assert not await storage.exists("directory")
            assert await storage.list("directory") == []
            for operation in (storage.stat, storage.read):
                with pytest.raises(NotFoundError):
                    await operation("directory")
        finally:
            await storage.close()

    asyncio.run(work())
