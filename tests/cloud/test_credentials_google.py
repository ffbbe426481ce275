"""Where credentials for Google Cloud Storage come from, and that tokens are fetched, sent and renewed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from persona.config.schema import GCSSettings, PerformanceSettings, StorageSettings
from persona.credentials import google
from persona.errors import ConfigError, CredentialsError, UnreachableError
from persona.storage.backend import StorageBackend
from persona.storage.backends.faults import MalformedResponseError
from persona.storage.stack import open_storage
from tests.contract.helpers import block, stream
from tests.faults import Act, FaultProxy, answer, reset

OBJECT = json.dumps({"name": "a", "size": "1", "updated": "2020-11-02T10:00:00Z", "generation": "5"})
QUICK = PerformanceSettings(retry_attempts=0, retry_delay=0.01, timeout=5.0)


@pytest.fixture(scope="module")
def private_key() -> str:
    """A private key of no one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


@pytest.fixture
def account(tmp_path: Path, private_key: str) -> Path:
    """A service account's file, whose token endpoint each test sets."""
    content = {
        "type": "service_account",
        "client_email": "robot@project.example.org",
        "private_key": private_key,
        "private_key_id": "1",
        "project_id": "project",
        "token_uri": "http://127.0.0.1:9/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(content))
    return tmp_path / "account.json"


def at(account: Path, proxy: FaultProxy) -> None:
    account.write_text(json.dumps(json.loads(account.read_text()) | {"token_uri": f"{proxy.url}/token"}))


def opened(account: Path, proxy: FaultProxy) -> StorageBackend:
    at(account, proxy)
    gcs = GCSSettings(bucket="b", endpoint_url=proxy.url, credentials_file=account)
    return open_storage(StorageSettings(backend="gcs", gcs=gcs, performance=QUICK))


def token(name: str, seconds: int) -> Act:
    content = json.dumps({"access_token": name, "expires_in": seconds, "token_type": "Bearer"})
    return answer(200, content, content_type="application/json")


@pytest.mark.parametrize(("seconds", "expected"), [(3600, ["first", "first"]), (1, ["first", "second"])])
async def test_tokens_are_kept_and_renewed(account: Path, seconds: int, expected: list[str]) -> None:
    with FaultProxy() as proxy:
        proxy.on("POST", "/token", token("first", seconds))
        if seconds == 1:
            proxy.on("POST", "/token", token("second", 3600))
        proxy.on("GET", "/o/a", answer(200, OBJECT), times=2)
        storage = opened(account, proxy)
        assert not proxy.seen, "opening makes no request"
        place = storage.describe()
        assert place.identity == "robot@project.example.org"
        assert place.credentials == f"the file {account} (storage.gcs.credentials_file)"
        assert [(await storage.stat("a")).version for _ in range(2)] == ["5", "5"]
        await storage.close()
    sent = [seen.headers["authorization"] for seen in proxy.requests("GET")]
    assert sent == [f"Bearer {name}" for name in expected]


REFUSED = answer(400, json.dumps({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}))


async def test_no_token_is_given(account: Path) -> None:
    with FaultProxy() as proxy:
        proxy.on("POST", "/token", REFUSED)
        storage = opened(account, proxy)
        with pytest.raises(CredentialsError, match=r"gives no token.*invalid_grant") as caught:
            await storage.stat("a")
        await storage.close()
    assert "gcloud" in caught.value.hint


async def test_the_token_endpoint_breaks_off(account: Path) -> None:
    with FaultProxy() as proxy:
        proxy.on("POST", "/token", reset, times=1)
        storage = opened(account, proxy)
        with pytest.raises(UnreachableError, match="token endpoint"):
            await storage.stat("a")
        await storage.close()


async def test_a_token_that_is_refused(account: Path) -> None:
    with FaultProxy() as proxy:
        proxy.on("POST", "/token", token("CANARY", 3600), times=1)
        proxy.on("GET", "/o/a", answer(401, "{}"))
        storage = opened(account, proxy)
        with pytest.raises(CredentialsError, match="does not accept the file") as caught:
            await storage.stat("a")
        await storage.close()
    assert "CANARY" not in f"{caught.value}{caught.value!r}{caught.value.hint}"


@pytest.mark.parametrize("content", ["", "{}", '{"type": "service_account"}', '{"type": "odd"}', "[]", "CANARY", None])
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "account.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CredentialsError) as caught:
        google.find(GCSSettings(bucket="b", credentials_file=file), emulator=False)
    assert "CANARY" not in str(caught.value)
    assert "gcs.credentials_file" in caught.value.hint


def test_the_order(account: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = GCSSettings(bucket="b", credentials_file=account)
    found = google.find(settings, emulator=True)
    assert found is not None
    assert "storage.gcs.credentials_file" in found.source
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    found = google.find(GCSSettings(bucket="b"), emulator=False)
    assert found is not None
    assert found.source == f"the file {account} (GOOGLE_APPLICATION_CREDENTIALS)"
    assert google.find(GCSSettings(bucket="b"), emulator=True) is None
    assert google.find(GCSSettings(bucket="b", credentials_file=account, anonymous=True), emulator=False) is None
    user = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    (tmp_path / "application_default_credentials.json").write_text(json.dumps(user | {"quota_project_id": "q"}))
    found = google.find(GCSSettings(bucket="b"), emulator=False)
    assert found is not None
    assert found.source.startswith("gcloud's application default credentials")
    assert [(step.tried, step.found) for step in found.chain] == [(False, False), (False, False), (True, True)]


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(CredentialsError, match="No Google credentials"):
        google.find(GCSSettings(bucket="b"), emulator=False)


def test_without_google_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(CredentialsError) as caught:
        google.find(GCSSettings(bucket="b"), emulator=False)
    assert caught.value.hint == "pip install 'persona[gcs]'"


def test_no_bucket() -> None:
    with pytest.raises(ConfigError, match=r"gcs\.bucket is not set"):
        open_storage(StorageSettings(backend="gcs"))


@pytest.mark.parametrize("scheme", ["", "http://"])
async def test_the_emulator_of_the_environment(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultProxy() as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"{scheme}{proxy.address}")
        proxy.on("GET", "/o/a", answer(200, OBJECT))
        storage = open_storage(StorageSettings(backend="gcs", gcs=GCSSettings(bucket="b")))
        assert (await storage.stat("a")).version == "5"
        assert storage.describe().credentials == "none (anonymous, or an emulator)"
        await storage.close()
    assert "authorization" not in proxy.seen[0].headers


async def test_an_upload_is_not_sent_elsewhere(account: Path) -> None:
    with FaultProxy() as proxy:
        proxy.on("POST", "/token", token("CANARY", 3600))
        proxy.on("GET", "/b/b/o", answer(200, "{}"))
        proxy.on("POST", "resumable", answer(200, location="http://127.0.0.1:9/upload?upload_id=1"))
        storage = opened(account, proxy)
        with pytest.raises(UnreachableError, match="another host"):
            await storage.write_stream("a", stream([block(number) for number in range(6)]))
        await storage.close()


@pytest.mark.parametrize("headers", [{}, {"range": "bytes=0-0"}, {"range": "odd"}])
async def test_an_upload_that_does_not_go_on(headers: dict[str, str], account: Path) -> None:
    """A part that is not kept must not be taken for kept."""
    with FaultProxy() as proxy:
        proxy.on("POST", "/token", token("t", 3600))
        proxy.on("GET", "/b/b/o", answer(200, "{}"))
        proxy.on("POST", "resumable", answer(200, location=f"{proxy.url}/upload?upload_id=1"))
        proxy.on("PUT", "upload_id", answer(308, **headers), times=2 if headers.get("range") == "bytes=0-0" else 1)
        proxy.on("DELETE", "upload_id", answer(499))
        storage = opened(account, proxy)
        with pytest.raises((UnreachableError, MalformedResponseError)):
            await storage.write_stream("a", stream([block(number) for number in range(6)]))
        await storage.close()
    sent = proxy.requests("PUT")
    assert sent[0].headers["content-range"].startswith("bytes 0-")
    assert all(seen.headers["content-range"].startswith("bytes 1-") for seen in sent[1:])
