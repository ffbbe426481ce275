"""Microsoft's token endpoint, over TLS and by azure-identity: client secrets, certificates, workload identity."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import azure.identity
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from persona.config.schema import AzureSettings
from persona.credentials import azure as credentials
from persona.errors import CredentialsError
from tests.cli.conftest import Run
from tests.credentials.services import Service, document
from tests.credentials.test_flows import azure_at
from tests.faults import Act, Seen

TENANT = "8f3d1c9e-0000-0000-0000-000000000000"


class Entra(Service):
    """The OpenID configuration and the token endpoint of a tenant.

    Args:
        pem: the file with the key and the certificate.
    """

    def __init__(self, pem: Path) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.asked: list[dict[str, list[str]]] = []

    @property
    def secure(self) -> str:
        return f"https://localhost:{self._http.server_address[1]}"

    def reply(self, seen: Seen) -> Act:
        if seen.target.split("?")[0].endswith("/openid-configuration"):
            base = f"{self.secure}/{TENANT}"
            addresses = {"authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token"}
            return document(200, {"issuer": f"{base}/v2.0", **addresses})
        form = parse_qs(seen.body.decode())
        self.asked.append(form)
        if form.get("client_secret") == ["wrong"]:
            return document(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid CANARY."})
        return document(200, {"access_token": self.issue(), "expires_in": 3600, "token_type": "Bearer"})


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, and a certificate for localhost that it signs itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    day = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = tmp_path_factory.mktemp("entra") / "server.pem"
    file.write_bytes(key.private_bytes(*form) + certificate)
    return file


@pytest.fixture
def entra(pem: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Entra]:
    """The endpoint, as the authority; the library would ask Microsoft whether it is one."""
    for kind in ("EnvironmentCredential", "WorkloadIdentityCredential"):
        alone = functools.partial(getattr(azure.identity, kind), disable_instance_discovery=True)
        monkeypatch.setattr(azure.identity, kind, alone)
    with Entra(pem) as service:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", service.secure)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
        monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
        monkeypatch.setenv("AZURE_CLIENT_ID", "a-client")
        yield service


def found() -> Any:
    return credentials.find(AzureSettings(account="team", container="c"))


def test_a_client_secret(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "right")
    principal = found()
    assert principal.source == "azure-identity (service principal)"
    assert not entra.seen, "opening makes no request"
    assert principal.token()[0] == "token-1"
    assert principal.token()[0] == "token-1", "it is kept"
    assert entra.asked[0]["client_secret"] == ["right"]


def test_a_client_secret_that_is_wrong(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    with pytest.raises(CredentialsError, match="AADSTS7000215") as caught:
        found().token()
    assert "AZURE_CLIENT_ID" in caught.value.hint
    assert "CANARY" not in str(caught.value)


def test_a_certificate(entra: Entra, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(pem))
    assert found().token()[0] == "token-1"
    assert entra.asked[0]["client_assertion_type"][0].endswith("jwt-bearer")


def test_a_certificate_that_is_none(entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (None, "CANARY"):
        if content:
            (tmp_path / "no.pem").write_text(content)
        monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(tmp_path / "no.pem"))
        with pytest.raises(CredentialsError, match="AZURE_CLIENT_CERTIFICATE_PATH"):
            found()


def protected(pem: Path, kind: str, password: str) -> bytes:
    """Return the key and the certificate of a file under a password, in one of the two forms."""
    content = pem.read_bytes()
    key = serialization.load_pem_private_key(content, None)
    certificate = x509.load_pem_x509_certificate(content)
    hidden = serialization.BestAvailableEncryption(password.encode())
    if kind == "pem":
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden
        return key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM)
    assert isinstance(key, rsa.RSAPrivateKey)
    return pkcs12.serialize_key_and_certificates(b"a-client", key, certificate, None, hidden)


@pytest.mark.parametrize("kind", ["pem", "pkcs12"])
def test_a_certificate_under_a_password(
    entra: Entra, pem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "client").write_bytes(protected(pem, kind, "the-right-one"))
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(tmp_path / "client"))
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PASSWORD", "the-right-one")
    principal = found()
    assert principal.source == "azure-identity (service principal)"
    assert principal.token()[0] == "token-1"
    assert "client_assertion" in entra.asked[0]


@pytest.mark.parametrize("kind", ["pem", "pkcs12"])
@pytest.mark.parametrize("given", ["a-wrong-one", None])
def test_a_certificate_under_another_password(
    entra: Entra,
    persona: Run,
    pem: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    given: str | None,
) -> None:
    (tmp_path / "client").write_bytes(protected(pem, kind, "the-right-one"))
    refused(entra, persona, tmp_path / "client", given, monkeypatch)


def test_a_password_and_a_certificate_that_has_none(
    entra: Entra, persona: Run, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(entra, persona, pem, "a-needless-one", monkeypatch)


def refused(entra: Entra, persona: Run, file: Path, password: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a certificate by every command, which must fail, name the variables, and ask nobody."""
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(file))
    if password is not None:
        monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PASSWORD", password)
    azure_at(monkeypatch, "http://127.0.0.1:9", "http://127.0.0.1:9/team")
    for command in (["storage", "list"], ["storage", "status"], ["storage", "config", "test"]):
        ran = persona(*command)
        said = ran.out + ran.err
        assert ran.code == 4, said
        assert "The certificate of AZURE_CLIENT_CERTIFICATE_PATH cannot be used" in said
        assert "AZURE_CLIENT_CERTIFICATE_PASSWORD" in said
        assert "-one" not in said
    assert not entra.seen


def test_workload_identity(entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "federated").write_text("a.federated.token")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "federated"))
    identity = found()
    assert [(step.step, step.found) for step in identity.chain if step.tried] == [("workload identity", True)]
    assert identity.token()[0] == "token-1"
    assert entra.asked[0]["client_assertion"] == ["a.federated.token"]


@pytest.mark.parametrize("variable", ["AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"])
def test_a_tenant_that_is_none(entra: Entra, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "x")
    monkeypatch.setenv("AZURE_TENANT_ID", "our tenant")
    with pytest.raises(CredentialsError, match="AZURE_TENANT_ID"):
        found()


@pytest.mark.parametrize("answered", [True, False])
def test_the_azure_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answered: bool) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "az"
    said = '{"accessToken": "cli-token", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}'
    line = f"echo '{said}'" if answered else "echo 'Please run az login' >&2; exit 1"
    program.write_text(f"#!/bin/sh\n{line}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    cli = found()
    assert cli.source == "azure-identity (Azure CLI)"
    if answered:
        assert cli.token()[0] == "cli-token"
    else:
        with pytest.raises(CredentialsError) as caught:
            cli.token()
        assert "az login" in caught.value.hint
