"""What we read of AWS's files is what botocore reads of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from persona.config.places import place_of
from persona.config.profiles import s3_endpoint
from persona.config.schema import S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.credentials.botocore_chain import _opened

CONFIG = """
[default]
region = eu-west-1
[profile plain]
endpoint_url = https://plain.example
[profile "two words"]
endpoint_url=https://words.example
[profile service]
services = mine
endpoint_url = https://all.example
[profile other]
services = theirs
endpoint_url = https://all.example
[profile ignoring]
endpoint_url = https://plain.example
ignore_configured_endpoint_urls = true
[services mine]
sts =
  endpoint_url = https://sts.example
s3 =
  addressing_style = path
  endpoint_url = https://s3.example
[services theirs]
sts =
  endpoint_url = https://sts.example
"""
CREDENTIALS = """
[default]
endpoint_url = https://of-the-default.example
[plain]
aws_access_key_id = AK
[secret]
endpoint_url = https://secret.example
"""
PROFILES = [None, "default", "plain", "two words", "service", "other", "ignoring", "secret"]
VARIABLES: list[dict[str, str]] = [
    {},
    {"AWS_ENDPOINT_URL": "https://env.example"},
    {"AWS_ENDPOINT_URL": "https://env.example", "AWS_ENDPOINT_URL_S3": "https://env-s3.example"},
    {"AWS_ENDPOINT_URL": "https://env.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    {"AWS_PROFILE": "service"},
]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for variable, text in (("AWS_CONFIG_FILE", CONFIG), ("AWS_SHARED_CREDENTIALS_FILE", CREDENTIALS)):
        (tmp_path / variable).write_text(text)
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return tmp_path


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
@pytest.mark.parametrize("profile", PROFILES)
def test_as_botocore_finds_it(profile: str | None, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = S3Settings(bucket="b", profile=profile)
    assert s3_endpoint(settings, os.environ) == _opened(settings)[2]


def test_keys_come_with_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://env.example")
    keys = S3Settings(bucket="b", access_key_id="AK", secret_access_key=Secret("x"))
    assert s3_endpoint(keys, os.environ) is None
    assert s3_endpoint(S3Settings(bucket="b", anonymous=True), os.environ) is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    assert s3_endpoint(S3Settings(bucket="b"), os.environ) is None
    assert s3_endpoint(S3Settings(bucket="b", profile="plain"), os.environ) == "https://env.example"


@pytest.mark.parametrize("text", ["[profile", "a = b", "\x00", "[default]\n[default]\n"])
def test_a_broken_file_says_nothing(text: str, files: Path) -> None:
    (files / "AWS_CONFIG_FILE").write_text(text)
    assert s3_endpoint(S3Settings(bucket="b", profile="plain"), os.environ) is None


def test_one_bucket_at_two_services_is_two_places() -> None:
    places = [
        place_of(StorageSettings(backend="s3", s3=S3Settings(bucket="b", profile=profile)), os.environ)
        for profile in ("plain", "service", "ignoring")
    ]
    assert len({place and place.container for place in places}) == 3
    same = S3Settings(bucket="b", endpoint_url="https://plain.example")
    assert place_of(StorageSettings(backend="s3", s3=same), os.environ) == places[0]
