"""What we read of AWS's files is what botocore reads of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.session import Session

from persona.config.places import place_of
from persona.config.profiles import AWSConfig, read, s3_endpoint
from persona.config.schema import S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import ConfigError
from persona.storage.stack import open_storage

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
    session = Session(profile=profile)
    ignored = session.get_config_variable("ignore_configured_endpoint_urls")
    scoped = session.get_scoped_config()
    expected = None if ignored else ConfiguredEndpointProvider(session.full_config, scoped, "s3").provide()
    for settings in (
        S3Settings(bucket="b", profile=profile),
        S3Settings(bucket="b", profile=profile, access_key_id="AK", secret_access_key=Secret("x")),
        S3Settings(bucket="b", profile=profile, anonymous=True),
    ):
        assert s3_endpoint(settings, os.environ) == expected


SETTINGS = """
[default]
region = eu-west-1
use_fips_endpoint = true
[profile all]
region = eu-west-2
ca_bundle = /profile.pem
use_dualstack_endpoint = true
max_attempts = 7
s3 =
  addressing_style = path
  use_accelerate_endpoint = true
"""


def test_the_other_settings(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (files / "AWS_CONFIG_FILE").write_text(SETTINGS)
    assert read(S3Settings(bucket="b"), os.environ) == AWSConfig(
        region="eu-west-1",
        fips=True,
        endpoint_url="https://of-the-default.example",
        endpoint_source="endpoint_url of the profile “default”",
        ca_bundle=(("AWS_CA_BUNDLE", None), ("ca_bundle of the profile “default”", None)),
    )
    for name, value in (
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
        ("AWS_CA_BUNDLE", "/own.pem"),
        ("AWS_MAX_ATTEMPTS", "2"),
    ):
        monkeypatch.setenv(name, value)
    assert read(S3Settings(bucket="b", profile="all"), os.environ) == AWSConfig(
        region="eu-west-2",
        fips=True,
        dual_stack=False,
        accelerate=True,
        addressing_style="path",
        ca_bundle=(("AWS_CA_BUNDLE", "/own.pem"), ("ca_bundle of the profile “all”", "/profile.pem")),
        max_attempts=2,
    )


BROKEN: dict[str, tuple[bytes, int, str]] = {
    "a mark of the byte order": (b"\xef\xbb\xbf[default]\n", 1, "byte order mark"),
    "UTF-16": ("[default]\n".encode("utf-16"), 1, "byte order mark"),
    "Latin-1": (b"[default]\nregion = eu-west-1\n# caf\xe9\n", 3, "not UTF-8"),
    "a profile twice": (
        b"[default]\n[profile a]\nregion = x\n[profile a]\n",
        4,
        "[profile a] stands in it a second time",
    ),
    "a key twice": (b"[default]\nregion = a\nregion = b\n", 3, "“region” stands in [default] a second time"),
    "no profile": (b"# mine\nregion = a\n", 2, "before the first [profile]"),
    "no setting": (b"[default]\nregion\n", 2, "no setting"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_with_its_line(name: str, files: Path) -> None:
    text, number, what = BROKEN[name]
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        good = (files / variable).read_bytes()
        (files / variable).write_bytes(text)
        keys = S3Settings(bucket="b", access_key_id="AK", secret_access_key=Secret("x"))
        assert s3_endpoint(keys, os.environ) is None  # as far as commands need it that make no request
        with pytest.raises(ConfigError) as caught:
            open_storage(StorageSettings(backend="s3", s3=keys))
        assert caught.value.message.startswith(f"{files / variable}:{number}: ")
        assert what in caught.value.message
        (files / variable).write_bytes(good)


def test_one_bucket_at_two_services_is_two_places() -> None:
    places = [
        place_of(StorageSettings(backend="s3", s3=S3Settings(bucket="b", profile=profile)), os.environ)
        for profile in ("plain", "service", "ignoring")
    ]
    assert len({place and place.container for place in places}) == 3
    same = S3Settings(bucket="b", endpoint_url="https://plain.example")
    assert place_of(StorageSettings(backend="s3", s3=same), os.environ) == places[0]
