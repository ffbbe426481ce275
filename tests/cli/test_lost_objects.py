"""An object that is listed and answers 404 is not taken for deleted: it failed, by name, in every command."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from persona.config.schema import StorageSettings
from persona.personas import document
from persona.personas.generate.provider import Options, generate
from persona.personas.sources.read import read_path
from persona.personas.survey.understand import understand
from persona.storage.stack import open_storage
from tests import quirks
from tests.cli.conftest import RESEARCH, Configure, Run
from tests.cloud.conftest import Faulty
from tests.faults import Act, FaultProxy, answer
from tests.serving import Server

LOST = "personas/lost.yaml"
READS = r"lost\.yaml"  # no listing has it in its query


@pytest.fixture(scope="module")
def library() -> dict[str, bytes]:
    """Two personas, and a table without the respondent who is looked for."""
    kept, lost, *_ = generate(understand(read_path(RESEARCH)), Options(seed=7)).personas
    return {
        "personas/kept.yaml": document.write(kept),
        LOST: document.write(lost),
        "research/a.csv": b"Respondent,Answer\nE99,yes\n",
    }


def url(place: Faulty) -> str:
    scheme = {"s3": "s3", "gcs": "gs", "azure": "az"}[place.settings().backend]
    return f"{scheme}://{place.bucket}/{place.prefix}"


def fill(settings: StorageSettings, library: dict[str, bytes]) -> None:
    async def work() -> None:
        storage = open_storage(settings)
        try:
            for path, data in library.items():
                await storage.write(path, data)
        finally:
            await storage.close()

    asyncio.run(work())


@pytest.fixture
def workspace(running: Callable[[str], Server], configure: Configure) -> Iterator[Callable[[str], Faulty]]:
    """A function that makes a workspace on a server behind a proxy."""
    with FaultProxy() as proxy:

        def make(name: str) -> Faulty:
            server = running(name)
            proxy.upstream = server.address
            place = Faulty(server, proxy)
            place.bucket = server.make_bucket(f"lost-{secrets.token_hex(6)}")
            configure(place.settings())
            return place

        yield make


@pytest.mark.parametrize("cache", ["false", "true"])
def test_one_object_that_cannot_be_read_is_no_outage(
    workspace: Callable[[str], Faulty],
    persona: Run,
    library: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    cache: str,
) -> None:
    """A status 500, or a page of HTML, for one object: it failed by name, and the provider still answers."""
    monkeypatch.setenv("PERSONA_STORAGE__CACHE__ENABLED", cache)
    monkeypatch.setenv("PERSONA_STORAGE__PERFORMANCE__RETRY_ATTEMPTS", "0")
    place = workspace("moto")
    fill(place.settings(), library)
    place.proxy.always("GET", READS, answer(500))
    for command in (["list", "--json"], ["export", "--json"], ["list", "--json"]):
        ran = persona(*command)
        assert ran.code == 1, (command, ran.err)
        assert "Not read: personas/lost.yaml" in ran.err
        assert "kept.yaml" not in ran.err
        assert "lost.yaml: personas/lost.yaml" not in ran.err
    if cache == "true":
        ran = persona("storage", "cache", "warm", "personas", "--json")
        assert (ran.code, [each["path"] for each in ran.json["failures"]]) == (1, [LOST]), ran.err
    shown = persona("show", LOST)
    assert (shown.code, "lost.yaml" in shown.err) == (7, True), shown.err
    assert persona("storage", "status", "--json").json["breaker"]["state"] == "closed"
    assert persona("show", "personas/kept.yaml").code == 0


def test_one_object_that_cannot_be_written_holds_up_no_other(
    workspace: Callable[[str], Faulty], persona: Run, library: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits in the outbox; what comes after it is sent, and what is sent later too."""
    monkeypatch.setenv("PERSONA_STORAGE__OFFLINE__WRITES", "outbox")
    monkeypatch.setenv("PERSONA_STORAGE__PERFORMANCE__RETRY_ATTEMPTS", "0")
    place = workspace("moto")
    fill(place.settings(), library)
    made = ("generate", str(RESEARCH), "--seed", "7", "--output")
    bad = persona(*made, "tried", "--json").json["personas"][0]["path"]
    place.proxy.always("PUT", bad.replace("tried", "new"), answer(500))
    ran = persona(*made, "new")
    assert ran.code == 0, ran.err
    assert "is in the outbox as 000001" in ran.err
    assert "000002" not in ran.err
    flushed = persona("storage", "outbox", "flush", "--json")
    assert [each["path"] for each in flushed.json["failures"]] == [bad.replace("tried", "new")]
    assert flushed.code == 7
    assert persona("storage", "status", "--json").json["breaker"]["state"] == "closed"


@pytest.mark.parametrize(
    ("name", "methods"),
    [("moto", ("GET", "HEAD")), ("moto", ("GET",)), ("fake-gcs", ("GET",)), ("azurite", ("GET", "HEAD"))],
)
def test_lost_data_is_named_and_nothing_is_complete(
    workspace: Callable[[str], Faulty],
    persona: Run,
    library: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    methods: tuple[str, ...],
) -> None:
    place = workspace(name)
    backend = place.settings().backend
    fill(place.settings(), library)
    for method in methods:
        place.proxy.always(method, READS, quirks.lost)

    listed = persona("list", "--json")
    assert (listed.code, [each["path"] for each in listed.json["refused"]]) == (1, [LOST])
    assert [each["path"] for each in listed.json["personas"]] == ["personas/kept.yaml"]
    exported = persona("export", "--format", "json")
    assert (exported.code, len(json.loads(exported.out)["personas"])) == (1, 1)
    assert LOST in exported.err
    shown = persona("show", LOST)
    assert shown.code == 1
    assert LOST in shown.failed
    assert persona("show", "personas/nobody").code == 5

    switched = persona("storage", "migrate", "--from", backend, "--to", "local", "--switch", "--json")
    assert (switched.code, switched.json["state"], switched.json["switched"]) == (1, "incomplete", None), switched.out
    assert [each["path"] for each in switched.json["failures"]] == [LOST]
    assert (switched.json["objects"]["gone"], switched.json["objects"]["copied"]) == (0, 2)
    assert LOST not in switched.json["changed"] or switched.json["changed"][LOST] != "deleted"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "extra.txt").write_text("x")
    sync = ("storage", "sync", "--from", url(place), "--to", f"file://{folder}", "--delete", "--delete-limit", "100%")
    synced = persona(*sync, "--json")
    assert (synced.code, synced.json["objects"]["removed"]) == (1, 0), synced.out
    assert (folder / "extra.txt").exists()

    erased = persona("storage", "erase", "--subject", "E08", "--yes", "--json")
    assert (erased.code, erased.json["complete"]) == (1, False)
    assert LOST in [each["path"] for each in erased.json["left"]]
    monkeypatch.setenv("PERSONA_STORAGE__CACHE__ENABLED", "true")
    warmed = persona("storage", "cache", "warm", "personas/", "--json")
    assert warmed.code == 1
    assert ([each["path"] for each in warmed.json["failures"]], warmed.json["gone"]) == ([LOST], 0)


@pytest.mark.parametrize("name", ["moto", "azurite"])
def test_what_a_sync_cannot_remove_is_named(
    workspace: Callable[[str], Faulty], persona: Run, library: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    place = workspace(name)
    fill(place.settings(), library)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "kept.txt").write_text("x")
    place.proxy.always("HEAD", READS, quirks.lost)
    ran = persona(
        "storage", "sync", "--from", f"file://{folder}", "--to", url(place),
        "--delete", "--delete-limit", "100%", "--json",
    )  # fmt: skip
    assert (ran.code, ran.json["objects"]["removed"]) == (1, 2), ran.out
    assert [each["path"] for each in ran.json["failures"]] == [LOST]


def test_a_plus_sign_in_a_name_is_carried(workspace: Callable[[str], Faulty], persona: Run, tmp_path: Path) -> None:
    place = workspace("moto")
    names = {"a+b.txt": b"1", "a b.txt": b"2", "c+d/e f+g.txt": b"3"}
    fill(place.settings(), names)
    place.proxy.always("GET", quirks.LISTINGS, quirks.plus_raw)
    ran = persona("storage", "migrate", "--from", "s3", "--to", f"file://{tmp_path / 'to'}", "--json")
    assert (ran.code, ran.json["objects"]["copied"]) == (0, 3), ran.out
    assert {str(p.relative_to(tmp_path / "to")) for p in (tmp_path / "to").rglob("*.txt")} == set(names)


@pytest.mark.parametrize("quirk", [quirks.version_1_listings, quirks.without_tokens, quirks.ended_early])
def test_a_listing_that_loses_its_place_removes_nothing(
    workspace: Callable[[str], Faulty], persona: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quirk: Act
) -> None:
    from persona.storage.backends.bucket import Bucket

    place = workspace("moto")
    fill(place.settings(), {f"{number:02}.txt": b"1" for number in range(15)})
    folder = tmp_path / "to"
    assert persona("storage", "sync", "--from", url(place), "--to", f"file://{folder}", "--json").code == 0
    (folder / "own.txt").write_text("x")
    monkeypatch.setattr(Bucket, "page_size", 5)
    place.proxy.always("GET", quirks.LISTINGS, quirk)
    ran = persona("storage", "sync", "--from", url(place), "--to", f"file://{folder}", "--delete", "--json")
    assert (ran.code, ran.json["objects"]["total"], ran.json["objects"]["removed"]) == (0, 15, 1), ran.out
    assert len(list(folder.glob("*.txt"))) == 15


def test_a_version_that_is_lost_is_named(workspace: Callable[[str], Faulty], persona: Run) -> None:
    place = workspace("moto")
    authorization = "AWS4-HMAC-SHA256 Credential=testkey/20260101/us-east-1/s3/aws4_request"
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    place.server.request("PUT", f"/{place.bucket}?versioning", headers={"authorization": authorization}, body=body)
    fill(place.settings(), {"a.csv": b"Respondent,Answer\nE08,secret\n"})
    fill(place.settings(), {"a.csv": b"Respondent,Answer\nE99,secret\n"})
    place.proxy.always("GET", r"a\.csv\?versionId=", quirks.lost)
    ran = persona("storage", "erase", "--subject", "E08", "--yes", "--versions", "--json")
    assert (ran.code, ran.json["complete"]) == (1, False)
    assert "a.csv (version" in ran.json["left"][0]["path"]
    place.proxy.always("GET", quirks.VERSIONS, quirks.versions_without_markers)
    ran = persona("storage", "erase", "--subject", "E08", "--yes", "--json")
    assert (ran.code, ran.json["complete"]) == (1, False)
    assert "earlier versions" in [each["path"] for each in ran.json["left"]]
    assert len(place.proxy.requests("GET", quirks.VERSIONS)) < 20
