"""Objects whose state at the provider forbids something: they fail by name, and everything else is done."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from persona.config.schema import StorageSettings
from tests.cli.conftest import Configure, Run, changed
from tests.cloud.test_causes import MD5_OF_OLD, unsigned
from tests.erasure.conftest import SUBJECT, put
from tests.faults import FaultProxy
from tests.quirks import azure_refused
from tests.servers import Azurite, Moto

FREE = b"Respondent,Answer\nE09,other\n"
HELD = b"Respondent,Answer\nE08,secret\n"


def test_an_archived_object_stops_nothing(
    moto: Moto,
    place: Callable[[str], StorageSettings],
    library: dict[str, bytes],
    configure: Configure,
    persona: Run,
    tmp_path: Path,
) -> None:
    settings = place("moto")
    put(settings, library)
    path = min(name for name in library if name.startswith("personas/"))
    key = f"/{settings.s3.bucket}/{settings.s3.prefix}/{path}"
    moto.request("PUT", key, headers=unsigned(moto) | {"x-amz-storage-class": "GLACIER"}, body=library[path])
    configure(settings)
    said = f"{path} is archived"

    listed = persona("list", "--json")
    assert listed.code == 1
    assert len(listed.json["personas"]) == len([name for name in library if name.startswith("personas/")]) - 1
    assert said in listed.json["refused"][0]["reason"]
    exported = persona("export", "--format", "json")
    assert exported.code == 1
    assert f"Not read: {said}" in exported.err
    assert len(exported.json["personas"]) == len(listed.json["personas"])
    shown = persona("show", path)
    assert shown.code == 1
    assert said in shown.failed
    assert "restore-object" in shown.failed

    persona("storage", "config", "set", "cache.enabled", "true")
    warmed = persona("storage", "cache", "warm", "personas/", "--json")
    assert warmed.code == 1
    assert [each["path"] for each in warmed.json["failures"]] == [path]
    assert warmed.json["fetched"] == len(listed.json["personas"])

    moved = persona("storage", "migrate", "--from", "s3", "--to", f"file://{tmp_path}/copy", "--json")
    assert moved.code == 1
    assert [each["path"] for each in moved.json["failures"]] == [path]
    assert said in moved.json["failures"][0]["error"]
    assert moved.json["objects"]["verified"] == len(library) - 2  # without the backup of an earlier migration

    erased = persona("storage", "erase", "--subject", SUBJECT, "--yes", "--json")
    assert erased.code == 1
    assert erased.json["complete"] is False
    assert [each["path"] for each in erased.json["left"]] == [path]
    assert said in erased.json["left"][0]["reason"]
    assert erased.json["erased"]


def test_a_locked_version_is_left_by_name(moto: Moto, configure: Configure, persona: Run) -> None:
    name = f"locked-{secrets.token_hex(6)}"
    moto.request("PUT", f"/{name}", headers=unsigned(moto) | {"x-amz-bucket-object-lock-enabled": "true"})
    settings = moto.settings(name)
    until = datetime.now(UTC) + timedelta(days=3)
    lock = {
        "content-md5": MD5_OF_OLD,
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": f"{until:%Y-%m-%dT%H:%M:%SZ}",
    }
    moto.request("PUT", f"/{name}/{SUBJECT}.mp3", headers=unsigned(moto) | lock, body=b"old")
    put(settings, {"a.csv": HELD})
    configure(settings)
    ran = persona("storage", "erase", "--subject", SUBJECT, "--yes", "--versions", "--json")
    assert ran.code == 1
    assert len(ran.json["left"]) == 1, ran.json["left"]
    (left,) = ran.json["left"]
    assert "is locked" in left["reason"]
    assert f"{until:%Y-%m-%d %H:%M} UTC" in left["reason"]
    assert {each["path"] for each in ran.json["earlier_versions"]["left"]} == {"[subject].mp3"}


def test_an_object_that_is_held_is_not_called_anothers_write(
    azurite: Azurite, configure: Configure, persona: Run
) -> None:
    """On Azure a policy keeps the current object as well, so that the respondent cannot be taken out of it."""
    settings = azurite.settings(azurite.make_bucket(f"held-{secrets.token_hex(6)}"))
    put(settings, {"held.csv": HELD + FREE, "other.csv": HELD + FREE})
    with FaultProxy(azurite.address) as proxy:
        address = (settings.azure.endpoint_url or "").replace(azurite.address, proxy.address)
        proxy.always("PUT", "/held.csv", azure_refused(409, "BlobImmutableDueToPolicy"))
        configure(changed(settings, endpoint_url=address))
        ran = persona("storage", "erase", "--subject", SUBJECT, "--yes", "--json")
    assert ran.code == 1, ran.err
    assert [each["path"] for each in ran.json["erased"]] == ["other.csv"]
    assert [each["path"] for each in ran.json["left"]] == ["held.csv"]
    assert "held.csv is under a retention policy" in ran.json["left"][0]["reason"]
