"""Earlier versions that a provider keeps: listed, and with ``--versions`` deleted."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable

import pytest

from persona.config.schema import StorageSettings
from persona.storage.backend import PastVersion, StorageBackend
from persona.storage.backends.s3 import S3Backend
from tests.cli.conftest import Configure, Run
from tests.erasure.conftest import SUBJECT, contents, on, put
from tests.servers import Azurite, FakeGCS, S3Server
from tests.serving import Server

ERASE = ("storage", "erase", "--subject", SUBJECT)
PREFIX = "team/research"
HELD = b"Respondent,Answer\nE08,secret\nE09,other\n"
FREE = b"Respondent,Answer\nE09,other\n"
VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def versioned(server: Server) -> StorageSettings:
    """Return a place in a bucket that keeps what is replaced and deleted."""
    name = f"kept-{secrets.token_hex(6)}"
    if isinstance(server, FakeGCS):
        body = json.dumps({"name": name, "versioning": {"enabled": True}}).encode()
        server.request("POST", "/storage/v1/b?project=test", headers={"Content-Type": "application/json"}, body=body)
    else:
        server.make_bucket(name)
        server.request("PUT", f"/{name}?versioning", headers=_unsigned(server), body=VERSIONING)
    return server.settings(name, PREFIX)


def _unsigned(server: Server) -> dict[str, str]:
    """Return what moto, which checks no signature, takes for one."""
    assert isinstance(server, S3Server)
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={server.access_key}/20260101/us-east-1/s3/aws4_request"}


def past(settings: StorageSettings) -> list[PastVersion]:
    """Return all earlier versions."""

    async def work(storage: StorageBackend) -> list[PastVersion]:
        found = [each async for page in storage.past() for each in page]
        return [each for each in found if not each.path.startswith(".persona-")]

    return on(settings, work)


@pytest.fixture(params=["moto", "fake-gcs"])
def kept(request: pytest.FixtureRequest, running: Callable[[str], Server], configure: Configure) -> StorageSettings:
    """A workspace on a bucket with versions; the respondent is in an earlier one of an object that is clean now."""
    return filled(running(request.param), configure)


def filled(server: Server, configure: Configure) -> StorageSettings:
    """Make such a workspace."""
    settings = versioned(server)
    put(settings, {"a.csv": HELD, "b.csv": HELD, "free.csv": FREE})
    put(settings, {"a.csv": FREE, "free.csv": FREE + b"E10,x\n"})
    configure(settings)
    return settings


def test_earlier_versions_are_found_in_objects_that_are_clean_now(kept: StorageSettings, persona: Run) -> None:
    ran = persona(*ERASE, "--json")
    assert ran.code == 0, ran.err
    assert [each["path"] for each in ran.json["objects"]] == ["b.csv"]
    assert [each["path"] for each in ran.json["earlier_versions"]["found"]] == ["a.csv"]
    assert ran.json["earlier_versions"]["unknown"] is None


def test_without_versions_it_is_not_complete(kept: StorageSettings, persona: Run) -> None:
    ran = persona(*ERASE, "--yes", "--json")
    assert ran.code == 1
    assert ran.json["complete"] is False
    assert [each["path"] for each in ran.json["earlier_versions"]["left"]] == ["a.csv", "b.csv"]
    assert ran.json["earlier_versions"]["deleted"] == []


def test_with_versions_only_those_that_hold_the_respondent_go(
    running: Callable[[str], Server], configure: Configure, persona: Run
) -> None:
    kept = filled(running("moto"), configure)
    ran = persona(*ERASE, "--yes", "--versions", "--json")
    assert ran.code == 0, ran.out
    assert sorted(each["path"] for each in ran.json["earlier_versions"]["deleted"]) == ["a.csv", "b.csv"]
    assert ran.json["earlier_versions"]["left"] == []
    assert [each.path for each in past(kept)] == ["free.csv"]
    assert contents(kept)["b.csv"] == FREE


def test_an_endpoint_that_would_delete_the_object_itself_is_found_out(
    running: Callable[[str], Server], configure: Configure, persona: Run
) -> None:
    settings = filled(running("fake-gcs"), configure)
    ran = persona(*ERASE, "--yes", "--versions", "--json")
    assert ran.code == 1
    assert ran.json["complete"] is False
    assert ran.json["earlier_versions"]["deleted"] == []
    assert "deletes the object itself" in ran.json["left"][0]["reason"]
    assert contents(settings)["a.csv"] == contents(settings)["b.csv"] == FREE


def test_an_object_that_bears_the_name_leaves_no_marker(
    running: Callable[[str], Server], configure: Configure, persona: Run
) -> None:
    settings = versioned(running("moto"))
    configure(settings)
    put(settings, {f"{SUBJECT}.mp3": b"voice", "free.csv": FREE})
    ran = persona(*ERASE, "--yes", "--versions", "--json")
    assert ran.code == 0, ran.out
    assert past(settings) == []
    assert {each["kind"] for each in ran.json["earlier_versions"]["deleted"]} == {"version", "marker"}
    assert persona(*ERASE, "--json").json["earlier_versions"]["found"] == []


def test_many_pages_of_versions_are_read(running: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(S3Backend, "page_size", 3)
    settings = versioned(running("moto"))
    names = [f"o {number:02}é.txt" for number in range(8)]
    put(settings, dict.fromkeys(names, b"1"))
    put(settings, dict.fromkeys(names, b"2"))

    async def delete(storage: StorageBackend) -> None:
        await storage.delete_many(names)

    on(settings, delete)
    found = past(settings)
    assert sorted((each.path, each.kind) for each in found) == sorted(
        (name, kind) for name in names for kind in ("marker", "version", "version")
    )


def test_snapshots_are_found_and_deleted(
    running: Callable[[str], Server], configure: Configure, persona: Run, place: Callable[[str], StorageSettings]
) -> None:
    server = running("azurite")
    assert isinstance(server, Azurite)
    settings = place("azurite")
    put(settings, {"a.csv": HELD, f"{SUBJECT}.mp3": b"voice"})
    for name in ("a.csv", f"{SUBJECT}.mp3"):
        server.signed("PUT", f"{settings.azure.container}/{PREFIX}/{name}", {"comp": "snapshot"})
    put(settings, {"a.csv": FREE})
    configure(settings)
    found = persona(*ERASE, "--json")
    assert [each["kind"] for each in found.json["earlier_versions"]["found"]] == ["snapshot", "snapshot"]
    without = persona(*ERASE, "--yes", "--json")
    assert without.code == 1
    ran = persona(*ERASE, "--yes", "--versions", "--json")
    assert ran.code == 0, ran.out
    assert past(settings) == []
    assert [path for path in contents(settings) if not path.startswith(".persona-")] == ["a.csv"]


def test_an_endpoint_that_knows_no_versions_is_said(
    place: Callable[[str], StorageSettings], configure: Configure, persona: Run
) -> None:
    settings = place("rclone")
    put(settings, {"a.csv": HELD})
    configure(settings)
    assert persona("storage", "config", "set", "performance.retry_attempts", "0").code == 0
    found = persona(*ERASE, "--json")
    assert found.code == 0
    assert found.json["earlier_versions"]["unknown"]
    ran = persona(*ERASE, "--yes", "--versions", "--json")
    assert ran.code == 1
    assert ran.json["complete"] is False
    assert contents(settings)["a.csv"] == FREE
