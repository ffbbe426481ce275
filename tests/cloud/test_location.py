"""Where a bucket is: as real servers tell it, as the configuration declares it, or not known."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from persona.config.schema import GCSSettings, PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import BucketNotFoundError, UnreachableError
from persona.storage.backend import Location
from persona.storage.stack import open_storage
from tests.faults import FaultProxy, answer
from tests.servers import Moto
from tests.serving import Server

QUICK = PerformanceSettings(retry_attempts=1, retry_delay=0.01, timeout=5.0)
Running = Callable[[str], Server]


def with_section(settings: StorageSettings, **changes: Any) -> StorageSettings:
    section = dataclasses.replace(getattr(settings, settings.backend), **changes)
    return dataclasses.replace(settings, performance=QUICK, **{settings.backend: section})


async def location_of(settings: StorageSettings) -> Location:
    storage = open_storage(settings)
    try:
        return await storage.location()
    finally:
        await storage.close()


def s3_at(url: str, region: str | None = "eu-west-2") -> StorageSettings:
    keys = {"access_key_id": "testkey", "secret_access_key": Secret("testsecret")}
    return StorageSettings(
        backend="s3",
        s3=S3Settings(bucket="bucket", region=region, endpoint_url=url, **keys),  # type: ignore[arg-type]
        performance=QUICK,
    )


def gcs_at(url: str, region: str | None = None) -> StorageSettings:
    gcs = GCSSettings(bucket="bucket", endpoint_url=url, anonymous=True, region=region)
    return StorageSettings(backend="gcs", gcs=gcs, performance=QUICK)


async def test_what_s3_says_counts_and_not_what_is_configured(moto: Server) -> None:
    assert isinstance(moto, Moto)
    bucket = moto.make_bucket_in("eu-west-2", f"located-{secrets.token_hex(4)}")
    assert await location_of(with_section(moto.settings(bucket), region="us-east-1")) == Location(
        "eu-west-2", "provider"
    )


async def test_what_gcs_says(fake_gcs: Server) -> None:
    settings = fake_gcs.settings(fake_gcs.make_bucket("located"))
    assert await location_of(with_section(settings, region="eu")) == Location("us-central1", "provider")


@pytest.mark.parametrize("name", ["seaweedfs", "rclone"])
async def test_a_service_that_does_not_tell(running: Running, name: str) -> None:
    server = running(name)
    settings = server.settings(server.make_bucket("located"))
    declared = await location_of(with_section(settings, region="EU-Home-1"))
    assert (declared.region, declared.source) == ("eu-home-1", "declared")
    assert "does not tell it" in declared.why
    unknown = await location_of(with_section(settings, region=None))  # then requests are signed for us-east-1
    assert (unknown.region, unknown.source) == (None, "unknown")


async def test_azure_is_as_declared(azurite: Server) -> None:
    settings = azurite.settings(azurite.make_bucket("located"))
    declared = await location_of(with_section(settings, region="uksouth"))
    assert (declared.region, declared.source) == ("uksouth", "declared")
    assert (await location_of(settings)).source == "unknown"


@pytest.mark.parametrize("name", ["moto", "seaweedfs", "fake-gcs"])
async def test_there_is_no_bucket(running: Running, name: str) -> None:
    with pytest.raises(BucketNotFoundError, match="there-is-none-3141"):
        await location_of(running(name).settings("there-is-none-3141"))


async def test_s3_says_it_in_a_refusal_too() -> None:
    with FaultProxy() as proxy:
        proxy.on("HEAD", "/", answer(403, x_amz_bucket_region="eu-west-2"))
        assert await location_of(s3_at(proxy.url, "us-east-1")) == Location("eu-west-2", "provider")
        assert len(proxy.seen) == 1


@pytest.mark.parametrize(
    ("status", "body", "region"),
    [
        (200, "<LocationConstraint>home-1</LocationConstraint>", "home-1"),
        (200, "<A><LocationConstraint>Home-1</LocationConstraint></A>", "home-1"),
        (200, "<ListBucketResult/>", None),
        (200, "no xml", None),
        (403, "<Error><Code>AccessDenied</Code></Error>", None),
        (501, "<Error><Code>NotImplemented</Code></Error>", None),
    ],
)
async def test_a_service_that_answers_the_older_question(status: int, body: str, region: str | None) -> None:
    with FaultProxy() as proxy:
        proxy.on("HEAD", "/", answer(200))
        proxy.on("GET", "location", answer(status, body))
        assert (await location_of(s3_at(proxy.url, None))).region == region


async def test_a_service_that_does_not_answer_now_is_not_one_that_does_not_tell() -> None:
    with FaultProxy() as proxy:
        proxy.on("HEAD", "/", answer(200))
        proxy.on("GET", "location", answer(503), times=2)
        with pytest.raises(UnreachableError):
            await location_of(s3_at(proxy.url))


async def test_a_gcs_bucket_in_two_regions() -> None:
    bucket = {"location": "EU", "customPlacementConfig": {"dataLocations": ["EUROPE-WEST1", "EUROPE-WEST4"]}}
    with FaultProxy() as proxy:
        proxy.on("GET", "/b/bucket", answer(200, json.dumps(bucket)))
        assert await location_of(gcs_at(proxy.url)) == Location("eu", "provider", ("europe-west1", "europe-west4"))


@pytest.mark.parametrize(("declared", "source"), [(None, "unknown"), ("europe-west2", "declared")])
async def test_gcs_without_the_permission(declared: str | None, source: str) -> None:
    with FaultProxy() as proxy:
        proxy.on("GET", "/b/bucket", answer(403, '{"error": {"errors": [{"reason": "forbidden"}]}}'))
        found = await location_of(gcs_at(proxy.url, declared))
    assert (found.region, found.source) == (declared, source)
    assert "storage.buckets.get" in found.why


@pytest.mark.parametrize(
    "body",
    ["{}", "[]", "<html/>", '{"location": null}', '{"location": "\\u001b[31m"}', '{"location": ""}',
     '{"location": "eu", "customPlacementConfig": 3}',
     '{"location": "eu", "customPlacementConfig": {"dataLocations": [null]}}'],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense(body: str) -> None:
    with FaultProxy() as proxy:
        proxy.on("GET", "/b/bucket", answer(200, body))
        with pytest.raises(UnreachableError, match="makes no sense"):
            await location_of(gcs_at(proxy.url))


async def test_a_region_that_is_none() -> None:
    with FaultProxy() as proxy:
        proxy.on("HEAD", "/", answer(200, x_amz_bucket_region="eu-west-2; rm"))
        with pytest.raises(UnreachableError, match="makes no sense"):
            await location_of(s3_at(proxy.url))
