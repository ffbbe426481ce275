"""Listings: rows as they are read, foreign names beside them, and libraries that are broken in part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from persona.config.schema import StorageSettings
from persona.errors import UnreachableError
from persona.storage import stack
from persona.storage.backend import Listing
from persona.storage.paths import sort_key
from tests.cli.conftest import Configure, Run, small_input
from tests.personas.memory import MemoryBackend
from tests.serving import Server


class Faulty(MemoryBackend):
    """A storage of seven objects in pages of two, which can break off after some pages."""

    def __init__(self, pages: int = 99, before_page: Callable[[int], None] = lambda number: None) -> None:
        super().__init__()
        self.pages = pages
        self.before_page = before_page
        for number in range(7):
            self.put(f"notes/{number}.txt", b"x" * number)

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        number = 0
        page: Listing
        async for page in super().scan(prefix):
            self.before_page(number)
            if number == self.pages:
                raise UnreachableError("The connection to the provider broke off.", hint="Try again.")
            yield Listing(found for found in page if after is None or sort_key(found.path) > sort_key(after))
            number += 1


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that makes storages be opened, one after the other."""

    def install(*storages: MemoryBackend) -> None:
        left = list(storages)
        monkeypatch.setattr(stack, "open_storage", lambda settings: left.pop(0))

    return install


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_rows_appear_as_pages_are_read(
    persona: Run, stored: Callable[..., None], capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    seen: list[str] = []
    stored(Faulty(before_page=lambda number: seen.append(capsys.readouterr().out)))
    ran = persona("storage", "list", *option)
    assert ran.code == 0
    shown = [[str(number) for number in range(7) if f"notes/{number}.txt" in out] for out in [*seen, ran.out]]
    assert shown == [[], ["0", "1"], ["2", "3"], ["4", "5"], ["6"]]


def test_a_listing_that_breaks_off_says_so_once(persona: Run, stored: Callable[..., None]) -> None:
    stored(Faulty(2), Faulty(2), Faulty(0))
    ran = persona("storage", "list")
    assert ran.code == 7
    assert "notes/3.txt" in ran.out
    assert "objects" not in ran.out
    assert "broke off" in ran.failed
    ran = persona("storage", "list", "--json")
    assert ran.code == 7
    assert [row["path"] for row in ran.json["objects"]] == [f"notes/{number}.txt" for number in range(4)]
    assert ran.json["error"]["exit_code"] == 7
    assert "broke off" in ran.failed
    ran = persona("storage", "list", "--json")
    assert (ran.code, set(ran.json)) == (7, {"error"})


def test_a_count_goes_on_with_patience_once_the_provider_has_answered(
    persona: Run, stored: Callable[..., None]
) -> None:
    first, second = Faulty(2), Faulty()
    stored(first, second)
    ran = persona("storage", "stats", "--detailed", "--json")
    assert (ran.code, ran.json["objects"], ran.json["total_bytes"]) == (0, 7, 21)
    assert first.closed
    assert second.closed
    stored(Faulty(0))
    assert persona("storage", "status", "--json").json["objects"] is None
    stored(Faulty(2), Faulty(3))
    ran = persona("storage", "status")
    assert ran.code == 7
    assert "Statistics" not in ran.out


def put_raw(server: Server, bucket: str, key: str) -> None:
    """Put an object under any key, past this project's gate."""
    if server.name == "moto":
        server.signed("PUT", f"/{bucket}/{quote(key)}", body=b"foreign")  # type: ignore[attr-defined]
    else:
        target = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(key, safe='')}"
        server.request("POST", target, body=b"foreign")


@pytest.mark.parametrize("name", ["moto", "fake-gcs"])
def test_foreign_names_are_named_and_stop_nothing(
    persona: Run,
    project: Path,
    configure: Configure,
    place: Callable[..., StorageSettings],
    running: Callable[[str], Server],
    name: str,
) -> None:
    settings = place(name, prefix="team")
    configure(settings)
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    (persona_row,) = persona("list", "--json").json["personas"][:1]
    bucket = getattr(settings, settings.backend).bucket
    for key in ("team/a//b", "team/personas//c.yaml", "team/ok.txt"):
        put_raw(running(name), bucket, key)
    _check_foreign(persona, persona_row)


def _check_foreign(persona: Run, row: dict[str, Any]) -> None:
    ran = persona("storage", "list", "--json")
    assert ran.code == 1
    assert {"ok.txt", row["path"]} <= {found["path"] for found in ran.json["objects"]}
    assert [set(found) for found in ran.json["refused"]] == [{"key", "reason"}] * 2
    assert {found["key"] for found in ran.json["refused"]} == {"team/a//b", "team/personas//c.yaml"}
    assert "team/a//b" in ran.failed
    ran = persona("storage", "list")
    assert ran.code == 1
    assert "  ok.txt\n" in ran.out
    assert "team/personas//c.yaml" in ran.failed
    ran = persona("storage", "status", "--json")
    assert (ran.code, ran.json["health"]["ok"]) == (1, True)
    assert "Not counted: “team/a//b”" in ran.err
    ran = persona("list", "--json")
    assert ran.code == 1
    assert row in ran.json["personas"]
    assert [found["path"] for found in ran.json["refused"]] == ["team/personas//c.yaml"]


BROKEN = {
    "broken.yaml": b"name: [",
    "binary.yaml": b"\x00\xff\xfe",
    "list.yaml": b"- 1\n",
    "other.yaml": b"schema_version: 99\n",
    "code.yaml": b"!!python/object/apply:os.system ['true']\n",
    "bomb.yaml": b"a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n",
    "deep.yaml": b"[" * 5000,
    "empty.yaml": b"",
}


def test_a_library_that_is_broken_in_part(persona: Run, project: Path, home: Path) -> None:
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    whole = persona("list", "--json").json["personas"]
    content = persona("export").out
    folder = home / "data" / "personas"
    for name, data in BROKEN.items():
        (folder / name).write_bytes(data)
    (folder / "notes.txt").write_text("not looked at")
    ran = persona("list", "--json")
    assert ran.code == 1
    assert ran.json["personas"] == whole
    assert {found["path"] for found in ran.json["refused"]} == {f"personas/{name}" for name in BROKEN}
    assert all(found["reason"] for found in ran.json["refused"])
    ran = persona("list")
    assert ran.code == 1
    assert whole[0]["name"] in ran.out
    assert ran.err.count("Not read: ") == len(BROKEN)
    ran = persona("export")
    assert (ran.code, ran.out) == (1, content)
    assert persona("show", "personas", whole[0]["id"]).code == 0
    for name in BROKEN:
        ran = persona("show", f"personas/{name}")
        assert ran.code == 2
        assert f"personas/{name}" in ran.err
