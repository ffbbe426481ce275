"""What URLs and folders open."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from persona.config.schema import AzureSettings, GCSSettings, LocalSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import NameRefusedError, UsageError
from persona.storage.stack import open_below, open_url

SETTINGS = StorageSettings(
    s3=S3Settings(bucket="own", prefix="own", access_key_id="a", secret_access_key=Secret("b")),
    azure=AzureSettings(container="own", account="acc", account_key=Secret("d3Jvbmc=")),
    gcs=GCSSettings(bucket="own", prefix="own/", anonymous=True),
)


@pytest.mark.parametrize(
    ("url", "location", "path"),
    [
        ("s3://bucket/a?b=c&d", "s3://bucket/a?b=c&d", "a?b=c&d"),
        ("s3://bucket/a#b", "s3://bucket/a#b", "a#b"),
        ("s3://bucket/a%20b%", "s3://bucket/a%20b%", "a%20b%"),
        ("s3://bucket/a@b:c/d", "s3://bucket/a@b:c/d", "a@b:c/d"),
        ("gs://bucket.example.org/", "gs://bucket.example.org/", ""),
        ("az://container", "az://container/", ""),
        ("S3://bucket/folder/", "s3://bucket/folder", "folder"),
        ("file:///tmp/a%20b?c#d", "file:///tmp/a b?c#d", "a b?c#d"),
    ],
)
def test_what_a_url_opens(url: str, location: str, path: str) -> None:
    storage, found = open_url(url, SETTINGS)
    assert (storage.url(found), found) == (location, path)


@pytest.mark.parametrize(
    "url",
    ["s3://KEY:hidden@bucket/x", "gs://hidden@bucket", "az://:hidden@c/x", "file://u:hidden@h/x", "ftp://a:hidden@b/c"],
)
def test_a_url_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_url(url, SETTINGS)
    assert "hidden" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "url",
    [
        *("s3:///x", "s3://", "s3://bu ck/x", "s3://bucket:80/x", "s3://[x/y", "s3://bucket?x/y", "s3://bucket#x"),
        *("s3://b\n/x", "file://host/x", "ftp://host/x", "://x/y", "az://" + 300 * "a"),
    ],
)
def test_what_is_no_storage_url(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_url(url, SETTINGS)
    assert "\n" not in str(caught.value)


def test_a_url_that_leads_out_of_its_bucket_is_refused() -> None:
    with pytest.raises(NameRefusedError):
        open_url("s3://bucket/a/../../x", SETTINGS)


@pytest.mark.parametrize(
    ("backend", "location"),
    [("s3", "s3://own/own/team/a/x"), ("gcs", "gs://own/own/team/a/x"), ("azure", "az://own/team/a/x")],
)
def test_a_folder_of_a_bucket_is_a_longer_prefix(backend: str, location: str) -> None:
    storage = open_below(dataclasses.replace(SETTINGS, backend=backend), "./team/a/")
    assert storage.url("x") == location


def test_a_folder_of_a_folder(tmp_path: Path) -> None:
    settings = StorageSettings(backend="local", local=LocalSettings(path=tmp_path))
    assert open_below(settings, "").url("x") == f"file://{tmp_path}/x"
    below = open_below(settings, "team")
    assert below.url("x") == f"file://{tmp_path}/team/x"
    assert below.describe().fields == (("Folder", str(tmp_path)), ("Prefix", "team/"))
    with pytest.raises(NameRefusedError):
        open_below(settings, "../team")


async def test_a_folder_keeps_to_itself(tmp_path: Path) -> None:
    settings = StorageSettings(backend="local", local=LocalSettings(path=tmp_path))
    whole, below = open_below(settings, ""), open_below(settings, "team")
    for path in ("team", "team-old/x", "team/a/b", "team/a-b", "teams"):
        await whole.write(path, path.encode(), metadata={"of": path})
    (tmp_path / "team" / "bad\n").write_bytes(b"")
    listing = await below.list()
    assert [found.path for found in listing] == ["a-b", "a/b"]
    assert [refused.key for refused in listing.refused] == ["team/bad\n"]
    assert [found.path for page in [page async for page in below.scan(after="a-b")] for found in page] == ["a/b"]
    assert (await below.stat("a/b")).metadata == {"of": "team/a/b"}
    assert await below.delete_many(["a/b", "../x", "a-b"]) != {}
    assert [found.path for found in await whole.list()] == ["team", "team-old/x", "teams"]
    with pytest.raises(NameRefusedError, match="too long"):
        await below.write("x" * 1022, b"")
