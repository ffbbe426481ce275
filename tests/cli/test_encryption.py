"""Encryption by the provider, from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from persona.config.schema import StorageSettings
from tests.cli.conftest import Configure, Run, changed, small_input

Place = Callable[[str], StorageSettings]
KEY = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_a_library_under_a_key(persona: Run, configure: Configure, project: Path, place: Place) -> None:
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    configure(changed(place("moto"), server_side_encryption="aws:kms", kms_key_id=KEY))
    ran = persona("storage", "migrate", "--from", "local", "--to", "s3", "--json")
    assert ran.code == 0
    assert ran.json["objects"]["verified"] == ran.json["objects"]["total"] > 0
    tested = persona("storage", "config", "test", "--json").json
    [check] = [check for check in tested["checks"] if check["name"] == "encryption"]
    assert (tested["ok"], check["detail"]) == (True, f"what is written is encrypted: aws:kms, key {KEY}")
    assert persona("storage", "status", "--json").json["encryption"] == f"aws:kms, key {KEY}"
    assert f"\nEncryption: aws:kms, key {KEY}\n" in persona("storage", "status").out


def test_an_endpoint_that_ignores_it_is_found_out(persona: Run, configure: Configure, place: Place) -> None:
    configure(changed(place("azurite"), encryption_scope="research"))
    tested = persona("storage", "config", "test", "--json")
    assert tested.code == 8
    assert [check["name"] for check in tested.json["checks"] if not check["ok"]] == ["encryption"]
    assert persona("storage", "list", "--json").json["objects"] == []  # the probe object is gone


def test_without_one_nothing_is_said(persona: Run, configure: Configure, place: Place) -> None:
    configure(place("moto"))
    assert persona("storage", "status", "--json").json["encryption"] is None
    assert "ncryption" not in persona("storage", "status").out + persona("storage", "config", "test").out


def test_a_key_that_nothing_uses(persona: Run, configure: Configure, place: Place) -> None:
    configure(changed(place("moto"), kms_key_id=KEY))
    ran = persona("storage", "status")
    assert ran.code == 3
    assert "storage.s3.kms_key_id is set" in ran.failed
