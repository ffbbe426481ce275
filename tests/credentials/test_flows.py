"""Each way to credentials, over the wire: `config test` shows which step won, whose they are and until when."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import google.auth.compute_engine._metadata
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from persona.config.schema import StorageSettings
from persona.credentials import google as google_credentials
from persona.errors import CredentialsError
from persona.storage import probe
from persona.storage.stack import open_storage
from tests.cli.conftest import Run
from tests.credentials.services import (
    AWSKeysService,
    AzureIdentity,
    Container,
    Gate,
    GoogleIdentity,
    InstanceMetadata,
    Service,
)
from tests.faults import FaultProxy, stall
from tests.servers import FakeGCS, S3Server

ROLE = "arn:aws:iam::123456789012:role/reader"
Enter = Callable[[Any], Any]


@pytest.fixture
def enter() -> Any:
    """A function that starts a service, which ends with the test."""
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def s3(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of moto, which takes any keys, as the storage; and its STS."""
    bucket = moto.make_bucket("flows")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setattr(probe, "ANSWER_SECONDS", 5.0)  # moto answers at once, but the machine may be busy
    s3_at(monkeypatch, moto.endpoint, bucket)
    return bucket


def s3_at(monkeypatch: pytest.MonkeyPatch, endpoint: str, bucket: str) -> None:
    monkeypatch.setenv("PERSONA_STORAGE__BACKEND", "s3")
    monkeypatch.setenv("PERSONA_STORAGE__S3__BUCKET", bucket)
    monkeypatch.setenv("PERSONA_STORAGE__S3__ENDPOINT_URL", endpoint)


def shown(persona: Run, step: str, *, code: int = 0) -> dict[str, Any]:
    """Return what `config test` says of the credentials, of which a step won, or with an error none."""
    ran = persona("storage", "config", "test", "--json")
    assert ran.code == code, ran.out + ran.err
    found: dict[str, Any] = ran.json["credentials"]
    assert [each["step"] for each in found["chain"] if each["found"]] == ([] if code else [step])
    assert found["chain"][-1]["step"] == step
    for secret in ("temporary-secret", "token-", "container-token"):
        assert secret not in ran.out + ran.err
    return found


def test_an_instance(persona: Run, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    service = enter(InstanceMetadata())
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
    found = shown(persona, "instance metadata (IMDSv2)")
    assert found["source"] == "botocore's chain (iam-role)"
    assert found["identity"].startswith("arn:aws:")
    assert found["expires"]
    assert service.refused == 0
    assert service.requests("PUT", "/latest/api/token")


def test_an_instance_of_version_1_only(persona: Run, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 1 is what a forged request can be made to ask; it is not asked even where nothing else answers."""

    class Old(InstanceMetadata):
        def reply(self, seen: Any) -> Any:
            from tests.faults import answer

            return answer(404) if seen.method == "PUT" else super().reply(seen)

    service = enter(Old())
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
    assert shown(persona, "instance metadata (IMDSv2)", code=4)["chain"][-1]["tried"]
    assert not service.requests("GET")


@pytest.mark.parametrize("authorised", ["variable", "file"])
def test_a_container(
    persona: Run, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authorised: str
) -> None:
    service = enter(Container())
    instance = enter(InstanceMetadata())
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/keys")
    if authorised == "file":
        (tmp_path / "token").write_text("container-token")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    else:
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token")
    assert shown(persona, "container endpoint")["source"] == "botocore's chain (container-role)"
    assert not instance.seen, "it is asked only when nothing else is there"


def test_a_container_by_its_relative_address(
    persona: Run, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.utils

    service = enter(Container())
    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "IP_ADDRESS", service.address)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token")
    shown(persona, "container endpoint")
    assert {seen.target for seen in service.seen} == {"/v2/credentials"}


def test_a_container_that_is_refused(persona: Run, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{enter(Container()).url}/keys")
    begun = time.perf_counter()
    assert shown(persona, "container endpoint", code=4)["chain"][-1]["tried"]
    assert time.perf_counter() - begun < 2


def test_web_identity(persona: Run, s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "jwt").write_text("a.web.token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "jwt"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    found = shown(persona, "web identity")
    assert "assumed-role/reader" in found["identity"]
    (tmp_path / "jwt").unlink()
    ran = persona("storage", "config", "test")
    assert ran.code == 4
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in ran.out


def profiles(tmp_path: Path, text: str) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(text)


@pytest.mark.parametrize("silent", [True, False])
def test_an_sts_that_gives_no_answer(
    persona: Run, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    """Whose keys these are is then not known; that is no failure, and costs no more than a second."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "AKIAFLOWS")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", enter(Hanging()).url if silent else "http://127.0.0.1:9")
    begun = time.perf_counter()
    assert shown(persona, "AWS_ACCESS_KEY_ID")["identity"].startswith("access key AKIAFLOWS (STS")
    assert time.perf_counter() - begun < 2.5


def test_an_assumed_role(persona: Run, s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = "[profile base]\naws_access_key_id = base\naws_secret_access_key = secret\n"
    profiles(tmp_path, f"{keys}[profile team]\nrole_arn = {ROLE}\nsource_profile = base\n")
    monkeypatch.setenv("PERSONA_STORAGE__S3__PROFILE", "team")
    found = shown(persona, "assumed role")
    assert "assumed-role/reader" in found["identity"]
    assert found["expires"]
    plain = persona("storage", "config", "test").out
    assert "\n   – storage.s3.access_key_id  not set\n" in plain
    assert "\n   ✓ assumed role " in plain


def test_a_process_and_the_endpoint_of_the_profile(
    persona: Run, moto: S3Server, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PERSONA_STORAGE__S3__ENDPOINT_URL")
    keys = {"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "temporary-secret"}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    process = f"{sys.executable} -c \"print(open('{tmp_path}/keys.json').read())\""
    profiles(tmp_path, f"[profile team]\ncredential_process = {process}\nendpoint_url = {moto.endpoint}\n")
    monkeypatch.setenv("PERSONA_STORAGE__S3__PROFILE", "team")
    found = shown(persona, "credential_process")
    assert found["source"] == "the profile “team” (custom-process)"
    assert moto.endpoint in persona("storage", "status").out


def test_a_profile_that_is_not_there(persona: Run, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_STORAGE__S3__PROFILE", "tema")
    ran = persona("storage", "list")
    assert ran.code == 4
    assert "tema" in ran.failed
    assert "aws configure list-profiles" in ran.failed


@pytest.mark.parametrize("variable", ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI"])
def test_metadata_that_hangs(
    persona: Run, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    proxy: FaultProxy = enter(Hanging())
    monkeypatch.setenv(variable, proxy.url)
    begun = time.perf_counter()
    step = "container endpoint" if "CONTAINER" in variable else "instance metadata (IMDSv2)"
    chain = shown(persona, step, code=4)["chain"]
    assert time.perf_counter() - begun < 2
    assert "did not answer within" in chain[-1]["detail"]


class Hanging(Service):
    """What accepts connections and never answers."""

    def reply(self, seen: Any) -> Any:
        return stall


@pytest.fixture
def gcs(fake_gcs: FakeGCS, monkeypatch: pytest.MonkeyPatch, enter: Enter) -> tuple[GoogleIdentity, Gate]:
    """Google's identity, and a bucket that takes its tokens only."""
    issuer = enter(GoogleIdentity())
    gate = enter(Gate(issuer, fake_gcs.address, "authorization"))
    monkeypatch.setenv("PERSONA_STORAGE__BACKEND", "gcs")
    monkeypatch.setenv("PERSONA_STORAGE__GCS__BUCKET", fake_gcs.make_bucket("flows"))
    monkeypatch.setenv("PERSONA_STORAGE__GCS__ENDPOINT_URL", gate.url)
    monkeypatch.setattr(google_credentials, "TOKENINFO", f"{issuer.url}/tokeninfo")
    return issuer, gate


@pytest.fixture(scope="module")
def private_key() -> str:
    """A private key of no one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


def files(kind: str, url: str, private_key: str, folder: Path) -> dict[str, Any]:
    """Return a credentials file of a kind, whose endpoints are all at one address."""
    person = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    (folder / "subject").write_text("a subject's token")
    impersonated = f"{url}/v1/projects/-/serviceAccounts/robot@project.example.org:generateAccessToken"
    federated = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/v1/token",
        "credential_source": {"file": str(folder / "subject")},
    }
    kinds: dict[str, dict[str, Any]] = {
        "service_account": {
            "type": kind,
            "client_email": "robot@project.example.org",
            "private_key": private_key,
            "private_key_id": "1",
            "project_id": "project",
            "token_uri": f"{url}/token",
        },
        "authorized_user": person | {"token_uri": f"{url}/token"},
        "external_account": federated | {"service_account_impersonation_url": impersonated},
        "impersonated_service_account": {
            "type": kind,
            "service_account_impersonation_url": impersonated,
            "source_credentials": person | {"token_uri": f"{url}/token"},
        },
    }
    return kinds[kind]


@pytest.mark.parametrize(
    ("kind", "identity"),
    [
        ("service_account", "robot@project.example.org"),
        ("authorized_user", "person@example.org"),
        ("external_account", "robot@project.example.org"),
        ("impersonated_service_account", "robot@project.example.org"),
    ],
)
def test_files_of_google(
    persona: Run,
    gcs: tuple[GoogleIdentity, Gate],
    private_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    identity: str,
) -> None:
    issuer, gate = gcs
    file = tmp_path / "credentials.json"
    content = files(kind, issuer.url, private_key, tmp_path)
    if kind == "authorized_user":  # google-auth keeps to Google's own token endpoint for these
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{issuer.url}/token")
    if kind == "impersonated_service_account":
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{issuer.url}/token")
        monkeypatch.setattr(
            "google.auth.iam._IAM_ENDPOINT", issuer.url + "/v1/projects/-/serviceAccounts/{}:generateAccessToken"
        )
    file.write_text(json.dumps(content))
    monkeypatch.setenv("PERSONA_STORAGE__GCS__CREDENTIALS_FILE", str(file))
    found = shown(persona, "storage.gcs.credentials_file")
    assert found["identity"] == identity
    assert found["expires"]
    assert gate.let
    assert not gate.refused


def test_a_machine_of_google(
    gcs: tuple[GoogleIdentity, Gate], monkeypatch: pytest.MonkeyPatch, fake_gcs: FakeGCS
) -> None:
    issuer, _ = gcs
    metadata = google.auth.compute_engine._metadata
    monkeypatch.delenv("NO_GCE_CHECK")
    monkeypatch.setattr(metadata, "_GCE_METADATA_HOST", issuer.address)
    monkeypatch.setenv("GCE_METADATA_IP", issuer.address)
    found = google_credentials.find(StorageSettings().gcs, emulator=False)
    assert found is not None
    assert [step.step for step in found.chain if step.tried] == ["metadata server"]
    assert found.obtain() is not None
    assert found.identify() == "machine@project.example.org"


def test_a_metadata_server_of_google_that_hangs(monkeypatch: pytest.MonkeyPatch, enter: Enter) -> None:
    monkeypatch.delenv("NO_GCE_CHECK")
    monkeypatch.setenv("GCE_METADATA_IP", enter(Hanging()).address)
    begun = time.perf_counter()
    with pytest.raises(CredentialsError, match="No Google credentials were found"):
        google_credentials.find(StorageSettings().gcs, emulator=False)
    assert time.perf_counter() - begun < 1.5


def azure_at(monkeypatch: pytest.MonkeyPatch, identity: str, endpoint: str) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", identity)
    monkeypatch.setenv("PERSONA_STORAGE__BACKEND", "azure")
    monkeypatch.setenv("PERSONA_STORAGE__AZURE__ACCOUNT", "team")
    monkeypatch.setenv("PERSONA_STORAGE__AZURE__CONTAINER", "flows")
    monkeypatch.setenv("PERSONA_STORAGE__AZURE__ENDPOINT_URL", endpoint)


async def test_a_machine_of_azure(persona: Run, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    from persona.config.schema import AzureSettings
    from persona.credentials import azure

    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", enter(AzureIdentity()).url)
    found = azure.find(AzureSettings(account="team", container="flows"))
    assert found.source == "azure-identity (managed identity)"
    assert found.obtain() is not None
    assert found.identify() == "oid an-object, appid an-application (as the token says, unverified)"


def test_a_metadata_service_of_azure_that_hangs(
    persona: Run, enter: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no Azure CLI
    azure_at(monkeypatch, enter(Hanging()).url, "http://127.0.0.1:9/team")
    begun = time.perf_counter()
    ran = persona("storage", "config", "test")
    assert time.perf_counter() - begun < 2
    assert ran.code == 4
    # azure-identity has a time limit of its own, and whichever is met first says so in its way
    assert "did not answer within" in ran.out or "no metadata service answers" in ran.out
    assert "az login" in ran.out


# Expiry in the middle of a job: what is handed out is good for a few seconds, and refused after that.


def long_job(persona: Run, folder: Path, target: str) -> None:
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02}.txt").write_text(str(number))
    ran = persona("storage", "sync", "--from", str(folder), "--to", target, "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["objects"]["verified"] == 40


def test_keys_of_aws_expire_during_a_job(
    persona: Run, moto: S3Server, s3: str, enter: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    issuer: AWSKeysService = enter(Container(seconds=2.0))
    gate = enter(Gate(issuer, moto.address, "x-amz-security-token", pause=0.2))
    s3_at(monkeypatch, gate.url, s3)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{issuer.url}/keys")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token")
    begun = time.time()
    long_job(persona, tmp_path / "folder", f"s3://{s3}/expiry/")
    assert time.time() - begun > 2.5, "it must last longer than the keys"
    assert min(issuer.issued[token] for token in gate.let) < time.time(), "the first ones have expired"
    assert len(gate.let) > 1
    assert not gate.refused


def test_tokens_of_google_expire_during_a_job(
    persona: Run, gcs: tuple[GoogleIdentity, Gate], private_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, gate = gcs
    issuer.seconds, gate.pause = 2, 0.2
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(files("service_account", issuer.url, private_key, tmp_path)))
    monkeypatch.setenv("PERSONA_STORAGE__GCS__CREDENTIALS_FILE", str(file))
    begun = time.time()
    long_job(persona, tmp_path / "folder", "gs://flows/expiry/")
    assert time.time() - begun > 2.5
    assert len(gate.let) > 1
    assert not gate.refused


async def test_tokens_of_azure_expire_during_a_job(enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from persona.config.schema import AzureSettings
    from tests.faults import answer

    issuer = enter(AzureIdentity(seconds=2.0))

    class Blobs(Gate):
        def reply(self, seen: Any) -> Any:
            given = super().reply(seen)
            described = {"etag": '"1"', "last_modified": "Mon, 02 Nov 2020 10:00:00 GMT"}
            return answer(200, "x", **described) if self.issuer.live(seen.headers["authorization"][7:]) else given

    gate = enter(Blobs(issuer, "127.0.0.1:9", "authorization"))
    azure_at(monkeypatch, issuer.url, f"{gate.url}/team")
    section = AzureSettings(account="team", container="flows", endpoint_url=f"{gate.url}/team")
    storage = open_storage(StorageSettings(backend="azure", azure=section))
    for _ in range(8):
        await storage.read("a")
        await storage.stat("a")
        await asyncio.sleep(0.5)
    await storage.close()
    assert len(gate.let) > 1
    assert not gate.refused
