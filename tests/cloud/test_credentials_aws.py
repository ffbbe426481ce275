"""Where credentials for S3 come from, in which order, and what is said if there are none."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from persona.config.profiles import AWSConfig
from persona.config.schema import S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.credentials import aws
from persona.errors import ConfigError, CredentialsError
from persona.storage.backends import s3_address
from persona.storage.stack import open_storage
from tests.faults import FaultProxy, answer
from tests.servers import S3Server

PROFILES = """
[default]
aws_access_key_id = default-key
aws_secret_access_key = default-secret
region = eu-central-1

[other]
aws_access_key_id = other-key
aws_secret_access_key = other-secret
aws_session_token = other-token
region = sa-east-1

[half]
aws_access_key_id = half-key

[broken]
credential_process = /there/is/no/such/program

[babble]
credential_process = echo no json

[role]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = other
region = us-east-1
"""
SET = S3Settings(bucket="b", access_key_id="set-key", secret_access_key=Secret("set-secret"))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No metadata service."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Profiles in the home of the test."""
    (tmp_path / ".aws").mkdir()
    for name, text in (("credentials", PROFILES), ("config", PROFILES.replace("\n[", "\n[profile "))):
        (tmp_path / ".aws" / name).write_text(text.replace("[profile default]", "[default]"))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "environment-token")


def found(settings: S3Settings) -> tuple[str, str, str | None]:
    credentials = aws.find(settings)
    assert credentials is not None
    keys = credentials.current()
    assert keys.access_key_id.replace("key", "secret") == keys.secret_access_key.reveal()
    return keys.access_key_id, credentials.source, keys.session_token.reveal() if keys.session_token else None


@pytest.mark.usefixtures("profiles", "environment")
def test_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(SET) == ("set-key", "the configuration (storage.s3.access_key_id)", None)
    named = S3Settings(bucket="b", profile="other")
    assert found(named) == ("other-key", "the profile “other” (shared-credentials-file)", "other-token")
    expected = ("environment-key", "the environment (AWS_ACCESS_KEY_ID)", "environment-token")
    assert found(S3Settings(bucket="b")) == expected
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    assert found(S3Settings(bucket="b"))[:2] == ("default-key", "botocore's chain (shared-credentials-file)")
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert found(S3Settings(bucket="b"))[0] == "other-key"


@pytest.mark.usefixtures("profiles")
async def test_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    async def region(settings: S3Settings) -> str | None:
        storage = open_storage(StorageSettings(backend="s3", s3=settings))
        await storage.close()
        return storage.describe().region

    assert await region(SET) == "eu-central-1"  # of the default profile, which did not give the keys
    assert await region(S3Settings(bucket="b", profile="other")) == "sa-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert await region(S3Settings(bucket="b", profile="other")) == "ap-south-1"
    monkeypatch.setenv("AWS_REGION", "ap-east-1")
    assert await region(SET) == "ap-east-1"
    assert await region(S3Settings(bucket="b", profile="other", region="eu-west-1")) == "eu-west-1"


@pytest.mark.usefixtures("environment")
def test_anonymous_has_none() -> None:
    assert aws.find(S3Settings(bucket="b", anonymous=True)) is None


@pytest.mark.parametrize(
    "half", [S3Settings(bucket="b", access_key_id="x"), S3Settings(bucket="b", secret_access_key=Secret("x"))]
)
def test_half_of_the_keys(half: S3Settings) -> None:
    with pytest.raises(CredentialsError, match="Only one of") as caught:
        aws.find(half)
    assert caught.value.hint == "Set both."


def test_half_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "CANARY")
    with pytest.raises(CredentialsError, match="AWS_SECRET_ACCESS_KEY"):
        aws.find(S3Settings(bucket="b"))


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize("profile", ["half", "broken", "babble", "not there"])
def test_a_profile_that_cannot_be_used(profile: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        aws.find(S3Settings(bucket="b", profile=profile))
    assert caught.value.exit_code == 4
    assert "s3.profile" in caught.value.hint


def test_no_credentials() -> None:
    with pytest.raises(CredentialsError, match="No AWS credentials") as caught:
        aws.find(S3Settings(bucket="b"))
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(CredentialsError) as caught:
        aws.find(S3Settings(bucket="b", profile="other"))
    assert "persona[aws]" in caught.value.hint
    assert found(SET)[0] == "set-key"


@pytest.mark.usefixtures("profiles")
async def test_a_role_is_assumed(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint)
    bucket = moto.make_bucket("role")
    settings = S3Settings(bucket=bucket, endpoint_url=moto.endpoint, profile="role")
    storage = open_storage(StorageSettings(backend="s3", s3=settings))
    await storage.write("a", b"x")
    assert await storage.read("a") == b"x"
    place = storage.describe()
    assert place.credentials == "the profile “role” (assume-role)"
    assert place.identity is not None
    assert place.identity.startswith("access key ASIA")
    await storage.close()


@pytest.mark.usefixtures("profiles")
async def test_a_role_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultProxy() as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
        refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
        proxy.on("POST", "/", answer(403, refusal), times=2)
        settings = S3Settings(bucket="b", profile="role", endpoint_url="http://127.0.0.1:9")
        storage = open_storage(StorageSettings(backend="s3", s3=settings))
        for operation in (storage.read, storage.stat):
            with pytest.raises(CredentialsError, match="not you"):
                await operation("a")
        await storage.close()


@pytest.mark.usefixtures("environment")
async def test_temporary_keys_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that were kept for ever would end a long command with the session."""
    with FaultProxy() as proxy:
        described = {"etag": '"1"', "last_modified": "Mon, 02 Nov 2020 10:00:00 GMT"}
        proxy.on("GET", "/b/a", answer(200, "x", **described), times=2)
        storage = open_storage(StorageSettings(backend="s3", s3=S3Settings(bucket="b", endpoint_url=proxy.url)))
        await storage.read("a")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "the-next")
        await storage.read("a")
        await storage.close()
    tokens = [seen.headers["x-amz-security-token"] for seen in proxy.seen]
    assert tokens == ["environment-token", "the-next"]


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize(
    "host", ["http://storage.example.org", "http://10.0.0.1:9000", "http://127.evil.example.org", "http://[::1]:9"]
)
async def test_plain_http_only_to_this_machine(host: str, allowed: bool) -> None:
    settings = S3Settings(
        bucket="b",
        endpoint_url=host,
        access_key_id="x",
        secret_access_key=Secret("y"),
        allow_insecure=allowed,
        addressing_style="path",
    )
    if allowed or "::1" in host:
        storage = open_storage(StorageSettings(backend="s3", s3=settings))
        await storage.close()
    else:
        with pytest.raises(ConfigError, match="plain http") as caught:
            open_storage(StorageSettings(backend="s3", s3=settings))
        assert "storage.s3.allow_insecure" in caught.value.hint


def test_no_bucket_and_no_good_prefix() -> None:
    with pytest.raises(ConfigError, match=r"s3\.bucket is not set"):
        open_storage(StorageSettings(backend="s3"))


@pytest.mark.parametrize(
    ("settings", "region", "address"),
    [
        (S3Settings(bucket="b"), "eu-west-1", "https://b.s3.eu-west-1.amazonaws.com"),
        (S3Settings(bucket="b.c"), "eu-west-1", "https://s3.eu-west-1.amazonaws.com/b.c"),
        (S3Settings(bucket="b"), "cn-north-1", "https://b.s3.cn-north-1.amazonaws.com.cn"),
        (S3Settings(bucket="b", addressing_style="path"), "us-east-1", "https://s3.us-east-1.amazonaws.com/b"),
        (S3Settings(bucket="b", endpoint_url="https://x:9"), "us-east-1", "https://x:9/b"),
        (
            S3Settings(bucket="b", endpoint_url="https://x:9", addressing_style="virtual"),
            "us-east-1",
            "https://b.x:9",
        ),
    ],
)
def test_the_address_of_a_bucket(settings: S3Settings, region: str, address: str) -> None:
    assert s3_address.find(replace(settings, region=region), AWSConfig()).url == address
