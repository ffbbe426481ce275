"""Managed identities that are not the metadata service of a machine: App Service and Azure Arc."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from persona.credentials import azure_identity
from tests.cli.conftest import Run
from tests.credentials.services import AppService, Arc, AzureIdentity, BlobGate, Service, document
from tests.credentials.test_flows import azure_at, shown
from tests.faults import Act, Seen
from tests.servers import Azurite

COMMANDS = (["storage", "list"], ["storage", "status"], ["storage", "config", "test"])
SECRETS = (AppService.secret, "an-arc-key")


def at(monkeypatch: pytest.MonkeyPatch, identity: Service, endpoint: str) -> None:
    """Name a storage, and who gives the tokens for it."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{identity.url}/msi/token")
    azure_at(monkeypatch, "http://127.0.0.1:9", endpoint)


def works(persona: Run, identity: AzureIdentity, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """Try a storage that takes only the tokens of an identity, and return what that was asked."""
    monkeypatch.setenv("PERSONA_STORAGE__AZURE__CONTAINER", azurite.make_bucket("flows"))
    with BlobGate(identity, azurite) as gate:
        at(monkeypatch, identity, f"{gate.url}/{azurite.account}")
        found = shown(persona, "managed identity")
        assert found["source"] == "azure-identity (managed identity)"
        assert found["identity"].startswith("oid an-object, appid an-application")
        assert found["expires"]
        ran = persona("storage", "list", "--verbose")
        assert ran.code == 0
        assert not any(secret in ran.out + ran.err for secret in SECRETS)
        assert gate.let
        assert not gate.refused
    return [seen for seen in identity.seen if seen.headers["metadata"]]


def fails(persona: Run, identity: Service, monkeypatch: pytest.MonkeyPatch) -> str:
    """Try an identity that gives no token, by every command; return what the last one says."""
    monkeypatch.setenv("PATH", "")  # no Azure CLI
    at(monkeypatch, identity, "http://127.0.0.1:9/team")
    for command in COMMANDS:
        ran = persona(*command)
        assert ran.code == 4, ran.err
        assert "No Azure credentials were found" in ran.out + ran.err
        assert not any(secret in ran.out + ran.err for secret in SECRETS)
    said = persona(*COMMANDS[-1], "--json").out
    assert not any(secret in said for secret in SECRETS)
    return ran.out


@pytest.mark.parametrize("client", [None, "an-application"])
def test_an_app_service(persona: Run, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, client: str | None) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", AppService.secret)
    if client:
        monkeypatch.setenv("AZURE_CLIENT_ID", client)
    with AppService() as service:
        for seen in works(persona, service, azurite, monkeypatch):
            assert seen.headers["x-identity-header"] == AppService.secret
            assert "resource=https://storage.azure.com" in seen.target
            assert (f"client_id={client}" in seen.target) == bool(client)


def test_an_app_service_that_refuses(persona: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It repeats the secret that it was shown, as services do that say what is wrong."""
    monkeypatch.setenv("IDENTITY_HEADER", AppService.secret)
    with AppService() as service:
        service.secret = "another"
        assert "✗ managed identity" in fails(persona, service, monkeypatch)


class Senseless(AzureIdentity):
    """An endpoint whose answers are JSON, and nothing else that they should be."""

    def reply(self, seen: Seen) -> Act:
        content: Any = ["a", "list"]
        return document(200, content)


def test_an_endpoint_that_makes_no_sense(persona: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", AppService.secret)
    with Senseless() as service:
        assert "✗ managed identity" in fails(persona, service, monkeypatch)


def test_a_token_that_no_date_can_end() -> None:
    """What an endpoint says of the end of its token is as it likes."""
    eternal = SimpleNamespace(get_token=lambda scope: SimpleNamespace(token="a-token", expires_on=10**15))
    text, end = azure_identity._tokens_of(eternal, "managed identity")()
    assert text == "a-token"
    assert end.year == 9999


@pytest.fixture
def arc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arc:
    """The agent, with its files in a folder of the test's own."""
    folders = "msal.managed_identity._supported_arc_platforms_and_their_prefixes"
    monkeypatch.setattr(folders, {"linux": str(tmp_path)})
    monkeypatch.setenv("IMDS_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "arc.key").write_text("an-arc-key")
    return Arc(tmp_path / "arc.key")


def test_azure_arc(persona: Run, arc: Arc, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    with arc:
        asked = works(persona, arc, azurite, monkeypatch)
    assert [seen.headers["authorization"] for seen in asked[:2]] == [None, "Basic an-arc-key"]


@pytest.mark.parametrize("case", ["missing", "other"])
def test_azure_arc_without_the_right_file(persona: Run, arc: Arc, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Who is not in the group of the agent cannot read it."""
    arc.file.unlink()
    if case == "other":
        arc.file.write_text("no-arc-key")
    with arc:
        assert "✗ managed identity" in fails(persona, arc, monkeypatch)
