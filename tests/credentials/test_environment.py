"""The environment as the vendors' tools have it: addresses, certificates, processes, signatures, reverse proxies."""

from __future__ import annotations

import dataclasses
import secrets
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.session import Session

from persona.certificates import Authorities, authorities
from persona.config.profiles import AWSConfig
from persona.config.schema import AzureSettings, GCSSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.credentials import azure, process
from persona.errors import ConfigError, CredentialsError, PersonaError, UnreachableError
from persona.storage.backend import StorageBackend
from persona.storage.backends import s3_address
from persona.storage.backends.s3 import S3Backend
from persona.storage.stack import open_storage
from tests.cli.conftest import changed
from tests.faults import FaultProxy, answer
from tests.proxies import tls
from tests.quirks import refused, stripped_path
from tests.servers import Azurite, Moto, SeaweedFS

KEYS = {"access_key_id": "AK", "secret_access_key": Secret("secret")}
SIGNATURE = "ab+cd/efgh=="


@pytest.fixture(autouse=True)
def no_instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Nobody but the test gives credentials; its home has an ``~/.aws``."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    yield tmp_path / ".aws" / "config"


def s3(**more: object) -> StorageSettings:
    return StorageSettings(backend="s3", s3=S3Settings(**({"bucket": "bucket"} | KEYS | more)))  # type: ignore[arg-type]


def opened(settings: StorageSettings) -> S3Backend:
    storage = open_storage(settings)
    assert isinstance(storage, S3Backend)
    return storage


REGIONS = ("us-east-1", "eu-west-2", "cn-north-1", "us-gov-west-1", "us-iso-east-1")
SWITCHES = [*product(REGIONS, (False, True), (False, True), (False,), ("auto", "path", "virtual"), ("bucket", "a.b"))]
ACCELERATED = [("eu-west-2", False, dual, True, "auto", "bucket") for dual in (False, True)]


class SentError(Exception):
    """Where botocore was about to send a request."""


def sent(request: Any, **_: Any) -> None:
    raise SentError(request.url)


def test_addresses_are_those_of_botocore() -> None:
    """FIPS, dual-stack, acceleration and style, in all partitions: compared with where botocore sends a request."""
    session = Session()
    for region, fips, dual_stack, accelerate, style, bucket in SWITCHES + ACCELERATED:
        options = {
            "addressing_style": style,
            "use_accelerate_endpoint": accelerate,
            "us_east_1_regional_endpoint": "regional",
        }
        config = Config(s3=options, use_fips_endpoint=fips, use_dualstack_endpoint=dual_stack, signature_version="s3v4")
        client = session.create_client("s3", region, config=config, aws_access_key_id="a", aws_secret_access_key="b")
        case = f"{region} {fips=} {dual_stack=} {accelerate=} {style} {bucket}"
        try:
            client.meta.events.register("before-send", sent)
            client.get_object(Bucket=bucket, Key="key")
        except SentError as error:
            there = urlsplit(str(error))
        except Exception as error:
            assert "FIPS" in str(error) or "Dualstack" in str(error), case
            continue
        aws = AWSConfig(fips=fips, dual_stack=dual_stack, accelerate=accelerate)
        ours = s3_address.find(S3Settings(bucket=bucket, region=region, addressing_style=style), aws).url
        if style == "virtual" and "." in bucket:
            continue  # botocore puts it into the path all the same
        assert f"{ours}/key" == f"{there.scheme}://{there.netloc}{there.path}", case


def test_what_does_not_go_together_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="directory bucket"):
        open_storage(s3(bucket="mine--use1-az4--x-s3"))
    assert opened(s3(bucket="mine--use1-az4--x-s3", endpoint_url="http://127.0.0.1:9"))  # another service's name for it
    with pytest.raises(ConfigError, match="Transfer Acceleration"):
        s3_address.find(S3Settings(bucket="a.b"), AWSConfig(accelerate=True))
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    with pytest.raises(ConfigError, match="FIPS") as caught:
        open_storage(s3(endpoint_url="http://127.0.0.1:9"))
    assert "AWS_USE_FIPS_ENDPOINT" in caught.value.hint
    assert opened(s3())._rest.host == "bucket.s3-fips.us-east-1.amazonaws.com"
    assert not opened(s3())._foreign


async def test_the_environment_names_the_endpoint_whatever_gives_the_keys(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, no_instance: Path
) -> None:
    bucket = moto.make_bucket("environment")
    no_instance.write_text("[default]\nregion = eu-west-2\nmax_attempts = 2\ns3 =\n  addressing_style = path\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    storage = opened(s3(bucket=bucket))
    assert (await storage.write(f"{secrets.token_hex(4)}/a", b"a")).size == 1
    assert storage.region == "eu-west-2"
    assert storage._policy.attempts == 1
    assert ("Endpoint", f"{moto.endpoint} (AWS_ENDPOINT_URL)") in storage.describe().fields
    await storage.close()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    assert opened(s3())._policy.attempts == 4
    given = dataclasses.replace(s3(), performance=dataclasses.replace(s3().performance, retry_attempts=3))
    assert opened(given)._policy.attempts == 3
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert opened(s3())._rest.endpoint == "https://s3.eu-west-2.amazonaws.com/bucket"
    monkeypatch.delenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost:9000")
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL_S3"):
        open_storage(s3())


async def test_requests_that_the_requester_pays() -> None:
    with FaultProxy() as proxy:
        proxy.on(
            "GET", "list-type=2", answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        )
        storage = open_storage(s3(endpoint_url=proxy.url, request_payer="requester"))
        await storage.list()
        await storage.close()
        (seen,) = proxy.seen
        assert seen.headers["x-amz-request-payer"] == "requester"
        assert "x-amz-request-payer" in seen.headers["authorization"]
    with FaultProxy() as proxy:
        proxy.on("GET", r"/o\?.*userProject=payer", answer(200, '{"kind": "storage#objects"}'))
        gcs = GCSSettings(bucket="bucket", endpoint_url=proxy.url, user_project="payer", anonymous=True)
        storage = open_storage(StorageSettings(backend="gcs", gcs=gcs))
        await storage.list()
        await storage.close()


# Certificates.


async def listed(settings: StorageSettings) -> None:
    storage = open_storage(settings)
    try:
        await storage.list()
    finally:
        await storage.close()


async def test_each_variable_makes_a_certificate_trusted(
    moto: Moto, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_instance: Path
) -> None:
    """At S3 and elsewhere; the first that is set counts, and a profile's own comes with the profile."""
    certificate = tls.certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    wrong = tls.certificate(other)
    quick = dataclasses.replace(s3().performance, retry_attempts=0)
    with tls.before(moto.address, certificate) as port, tls.before(azurite.address, certificate) as azure_port:
        places = {
            "s3": changed(moto.settings(moto.make_bucket("certificates")), endpoint_url=f"https://127.0.0.1:{port}"),
            "azure": changed(
                azurite.settings(azurite.make_bucket("certificates")),
                endpoint_url=f"https://127.0.0.1:{azure_port}/{azurite.account}",
            ),
        }
        for name, settings in places.items():
            quickly = dataclasses.replace(settings, performance=quick)
            variables = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
            for variable in variables if name == "azure" else ("AWS_CA_BUNDLE", *variables):
                with monkeypatch.context() as patch:
                    patch.setenv(variable, str(certificate))
                    await listed(quickly)
                    patch.setenv(variable, str(wrong))
                    with pytest.raises(UnreachableError, match=f"no certificate that .*{variable}"):
                        await listed(quickly)
            with pytest.raises(UnreachableError, match="no certificate that this machine trusts"):
                await listed(quickly)
        monkeypatch.setenv("SSL_CERT_FILE", str(wrong))
        no_instance.write_text(f"[default]\nca_bundle = {certificate}\n")
        await listed(dataclasses.replace(places["s3"], performance=quick))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_cannot_be_used_are_named(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    (tmp_path / "folder").mkdir()
    for named, why in (
        ("absent", "is not there"),
        ("none.pem", "no certificates in PEM"),
        ("folder", "openssl rehash"),
    ):
        monkeypatch.setenv(variable, str(tmp_path / named))
        with pytest.raises(ConfigError) as caught:
            open_storage(s3())
        assert str(tmp_path / named) in caught.value.message
        assert caught.value.message.startswith(variable)
        assert why in f"{caught.value.message} {caught.value.hint}"
        assert open_storage(s3(endpoint_url="http://127.0.0.1:9"))  # without TLS nobody needs them
    certificate = tls.certificate(tmp_path)
    (tmp_path / "folder" / "0a1b2c3d.0").write_bytes(certificate.read_bytes())
    monkeypatch.setenv(variable, str(tmp_path / "folder"))
    found = authorities()
    assert found == Authorities(str(tmp_path / "folder"), variable)
    assert found.options == ({} if variable.startswith("SSL_") else {"ca_cert_dir": str(tmp_path / "folder")})


# A process that gives credentials.


def test_a_process_that_hangs_is_ended(no_instance: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "hangs.sh"
    script.write_text(f"echo touch the key >&2\necho X-Amz-Security-Token={'s' * 40} >&2\nexec sleep 600\n")
    no_instance.write_text(f"[profile team]\ncredential_process = /bin/sh {script}\n")
    monkeypatch.setattr(process, "PROCESS_SECONDS", 2.0)
    with pytest.raises(CredentialsError) as caught:
        open_storage(s3(profile="team", access_key_id=None, secret_access_key=None))
    assert "did not end within 2 s" in caught.value.message
    assert "touch the key" in caught.value.message
    assert "ssss" not in caught.value.message
    assert "by hand" in caught.value.hint


def test_all_that_a_process_said_is_shown(no_instance: Path, tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    script.write_text(
        "import sys\nsys.stderr.write('first\\n' + 'x' * 999 + '\\nthe session has ended\\n')\nsys.exit(3)\n"
    )
    no_instance.write_text(f"[profile team]\ncredential_process = {sys.executable} {script}\n")
    with pytest.raises(CredentialsError, match="the session has ended") as caught:
        open_storage(s3(profile="team", access_key_id=None, secret_access_key=None))
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (b"", "it is empty"),
        (b"please log in: secret-word", "it is no JSON"),
        (b"\xff\xfe", "it is no JSON"),
        (b"[]", "it is no JSON object"),
        (b"[" * 100_000, "it is no JSON"),
        (b'{"Version": 1}', "AccessKeyId and SecretAccessKey is missing"),
        (
            b'{"Version": 1, "AccessKeyId": 7, "SecretAccessKey": {}}',
            "AccessKeyId and SecretAccessKey is",
        ),
        (
            b'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": []}',
            "SessionToken is",
        ),
        (b'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": 9}', "Expiration is missing or no"),
        (b'{"Version": 2, "AccessKeyId": "a", "SecretAccessKey": "b"}', "Unsupported version"),
    ],
)
def test_a_process_that_prints_no_credentials(no_instance: Path, tmp_path: Path, printed: bytes, reason: str) -> None:
    (tmp_path / "printed").write_bytes(printed)
    no_instance.write_text(f"[profile team]\ncredential_process = cat {tmp_path / 'printed'}\n")
    with pytest.raises(CredentialsError, match=reason) as caught:
        open_storage(s3(profile="team", access_key_id=None, secret_access_key=None))
    assert "Run the credential_process of the profile by hand" in caught.value.hint
    assert "secret-word" not in caught.value.message


# Shared access signatures as people paste them.

SAS = {
    "encoded": "sv=2024-11-04&sr=c&sp=rcwdl&se=2099-01-01T00%3A00%3A00Z&sig=ab%2Bcd%2Fefgh%3D%3D",
    "with a question mark": "?sv=2024-11-04&sr=c&sp=rcwdl&se=2099-01-01T00%3A00%3A00Z&sig=ab%2Bcd%2Fefgh%3D%3D",
    "decoded": "sv=2024-11-04&sr=c&sp=rcwdl&se=2099-01-01T00:00:00Z&sig=ab+cd/efgh==",
    "decoded to blanks": "sv=2024-11-04&sr=c&sp=rcwdl&se=2099-01-01T00:00:00Z&sig=ab cd/efgh==",
    "encoded twice": "sv=2024-11-04&sr=c&sp=rcwdl&se=2099-01-01T00%3A00%3A00Z&sig=ab%252Bcd%252Fefgh%253D%253D",
    "out of HTML": "sv=2024-11-04&amp;sr=c&amp;sp=rcwdl&amp;se=2099-01-01T00%3A00%3A00Z&amp;sig=ab%2Bcd%2Fefgh%3D%3D",
}


@pytest.mark.parametrize("name", SAS)
@pytest.mark.parametrize(
    "address", ["", "https://team.blob.core.windows.net/personas", "http://127.0.0.1:9/team/personas"]
)
def test_a_signature_as_it_is_pasted(name: str, address: str) -> None:
    """Alone, or as the whole address of the container, with which the account need not be named."""
    text = f"{address}?{SAS[name].removeprefix('?')}" if address else SAS[name]
    account = None if address else "team"
    found = azure.find(AzureSettings(container="personas", account=account, sas_token=Secret(text)))
    assert found.sas is not None
    pairs = dict(azure.sas_pairs(found.sas))
    assert pairs == {"sv": "2024-11-04", "sr": "c", "sp": "rcwdl", "se": "2099-01-01T00:00:00Z", "sig": SIGNATURE}
    assert found.account == "team"
    assert found.endpoint == (address or "https://team.blob.core.windows.net/personas").removesuffix("/personas")


def test_an_address_where_a_connection_string_belongs() -> None:
    text = f"https://team.blob.core.windows.net/personas?{SAS['encoded']}"
    found = azure.find(AzureSettings(container="personas", connection_string=Secret(text)))
    assert (found.account, found.account_key, bool(found.sas)) == ("team", None, True)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://team.blob.core.windows.net/others", "the container “others”"),
        ("https://team.blob.core.windows.net/personas/a/b.yaml", "the blob “personas/a/b.yaml”"),
        ("https://other.blob.core.windows.net/personas", "“other”"),
    ],
)
def test_an_address_of_something_else(address: str, said: str) -> None:
    secret = Secret(f"{address}?{SAS['encoded']}")
    with pytest.raises(ConfigError, match=said) as caught:
        azure.find(AzureSettings(container="personas", account="team", sas_token=secret))
    assert "ab%2B" not in f"{caught.value}{caught.value.hint}"


# A reverse proxy that serves the store below a path.


async def used(storage: StorageBackend) -> None:
    """Write, read, list and delete."""
    path = f"{secrets.token_hex(6)}/a b"
    await storage.write(path, b"content")
    assert await storage.read(path) == b"content"
    assert [found.path for found in await storage.list(path)] == [path]
    await storage.delete(path)
    await storage.close()


async def test_a_path_that_a_proxy_strips(seaweedfs: SeaweedFS, azurite: Azurite) -> None:
    for server in (seaweedfs, azurite):
        with FaultProxy(server.address) as proxy:
            for method in ("GET", "PUT", "HEAD", "POST", "DELETE"):
                proxy.always(method, "", stripped_path)
            proxy.faults[3].least = 0  # no POST is needed
            settings = server.settings(server.make_bucket("stripped"))
            path = f"/s3/{server.account}" if isinstance(server, Azurite) else "/s3"
            await used(open_storage(changed(settings, endpoint_url=proxy.url + path)))
            signed = "restype=container" if isinstance(server, Azurite) else "max-keys=0"
            assert {seen.status for seen in proxy.requests("GET", signed)} == {200}


async def test_a_path_that_is_not_stripped(seaweedfs: SeaweedFS) -> None:
    """Where the whole path is what the store sees, the whole is signed; the question costs one request."""
    settings = seaweedfs.settings(seaweedfs.make_bucket("stripped"))
    with FaultProxy(seaweedfs.address) as proxy:  # the bucket itself stands for the path of the endpoint
        proxy.on("GET", "max-keys=0", refused(403, "SignatureDoesNotMatch"))
        storage = open_storage(changed(settings, endpoint_url=f"{proxy.url}/stripped", bucket="below"))
        with pytest.raises(PersonaError):  # there is no bucket in a bucket, and the signature is right
            await storage.list("a")
        await storage.close()
        assert {seen.status for seen in proxy.seen[1:]} == {404}


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "AccessDenied"])
async def test_a_key_that_is_wrong(code: str) -> None:
    """It is said as ever, and that a proxy may be the cause."""
    with FaultProxy() as proxy:
        proxy.always("GET", "max-keys=0", refused(403, code))
        proxy.always("GET", "max-keys=1000", refused(403, "SignatureDoesNotMatch"))
        storage = open_storage(s3(endpoint_url=f"{proxy.url}/s3", region="us-east-1"))
        with pytest.raises(CredentialsError, match="secret key does not belong") as caught:
            await storage.list()
        assert "proxy" in caught.value.hint
        await storage.close()
