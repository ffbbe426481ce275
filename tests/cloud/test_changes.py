"""What a read of a changed object costs on the wire, and what endpoints make of its condition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import AzureSettings, GCSSettings, LocalSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import NotFoundError
from persona.storage.backend import StorageBackend
from persona.storage.layers.below import Below
from persona.storage.stack import open_storage
from tests.campaigns.sites import fresh, through
from tests.campaigns.traffic import Traffic
from tests.cloud.conftest import Faulty
from tests.contract.helpers import MIB, block
from tests.faults import Seen, _Handler, answer, forward
from tests.serving import Server

Behind = Callable[[str], Faulty]
KEY = {"s3": r"/a$", "gcs": r"a\?alt=media&ifGenerationNotMatch=\d+$", "azure": r"/a$"}
"""The one request of each protocol."""
PROVIDERS = pytest.mark.parametrize("name", ["s3", "gcs", "azure"])


def told(traffic: Traffic) -> list[tuple[str, int | None]]:
    """Return the requests that came since this was asked last."""
    found = [(each.method, each.status) for each in traffic.passed]
    traffic.passed.clear()
    return found


async def changed(storage: StorageBackend, version: str) -> bytes | None:
    """Return the content of ``a`` if it changed."""
    download = await storage.open_changed("a", version)
    return None if download is None else b"".join([chunk async for chunk in download])


@pytest.mark.parametrize("name", ["seaweedfs", "moto", "rclone", "azurite", "fake-gcs"])
async def test_each_answer_is_one_request(running: Callable[[str], Server], name: str) -> None:
    server = running(name)
    with Traffic(server.address) as traffic:
        storage = open_storage(through(fresh(server), traffic))
        first = await storage.write("a", block(1))
        told(traffic)
        assert await changed(storage, first.version) is None
        # fake-gcs-server ignores the condition on a read of content, which Google answers with 304 too
        assert told(traffic) == [("GET", 200 if name == "fake-gcs" else 304)]
        second = await storage.write("a", block(2))
        told(traffic)
        assert await changed(storage, first.version) == block(2)
        assert told(traffic) == [("GET", 200)]
        await storage.delete("a")
        told(traffic)
        with pytest.raises(NotFoundError):
            await storage.open_changed("a", second.version)
        assert told(traffic) == [("GET", 404)]
        await storage.close()


@PROVIDERS
async def test_a_bare_304_is_enough(behind: Behind, name: str) -> None:
    faulty = behind(name)
    storage = faulty.open()
    written = await storage.write("a", b"content")
    faulty.proxy.on("GET", KEY[name], answer(304), times=2)
    assert await changed(storage, written.version) is None
    assert await changed(storage, written.version) is None
    assert len(faulty.proxy.requests("GET", KEY[name])) == 2
    assert await storage.read("a") == b"content"


async def test_an_endpoint_that_ignores_the_condition(behind: Behind) -> None:
    """It sends all; that this is of the same version says that nothing changed. fake-gcs-server does the same."""

    def blind(handler: _Handler, seen: Seen) -> None:
        del seen.headers["if-none-match"]
        forward(handler, seen)

    faulty = behind("moto")  # which lets a signature stand that covers the header
    storage = faulty.open()
    first = await storage.write("a", block(1, 3 * MIB))
    faulty.proxy.on("GET", KEY["s3"], blind, times=3)
    assert await changed(storage, first.version) is None
    assert len(faulty.proxy.requests("GET", KEY["s3"])) == 1
    second = await storage.write("a", b"new")
    assert await changed(storage, second.version) is None
    assert await changed(storage, first.version) == b"new"


@PROVIDERS
async def test_an_endpoint_that_answers_412(behind: Behind, name: str) -> None:
    """That is no answer to a read; what it means is looked up."""

    def refuse(handler: _Handler, seen: Seen) -> None:
        conditional = "if-none-match" in seen.headers or "NotMatch" in seen.target
        (answer(412) if conditional else forward)(handler, seen)

    faulty = behind(name)
    storage = faulty.open()
    first = await storage.write("a", b"old")
    faulty.proxy.on("GET", KEY[name], refuse, times=3 if name == "gcs" else 4)
    assert await changed(storage, first.version) is None
    second = await storage.write("a", b"new")
    assert await changed(storage, first.version) == b"new"
    await storage.delete("a")
    with pytest.raises(NotFoundError):
        await storage.open_changed("a", second.version)


@PROVIDERS
async def test_a_busy_endpoint_is_asked_again(behind: Behind, name: str) -> None:
    faulty = behind(name)
    storage = faulty.open()
    written = await storage.write("a", b"content")
    faulty.proxy.on("GET", KEY[name], answer(503, "<Error><Code>SlowDown</Code></Error>"), times=2)
    assert await changed(storage, written.version) is None
    assert await changed(storage, "2") == b"content"


def s3(**settings: Any) -> StorageSettings:
    keys = S3Settings(bucket="bucket", access_key_id="key", secret_access_key=Secret("secret"), **settings)
    return StorageSettings(backend="s3", s3=keys)


ADDRESSES = {
    "aws": (s3(region="eu-west-2"), ("bucket.s3.eu-west-2.amazonaws.com", 443)),
    "tls": (s3(endpoint_url="https://minio.example/path"), ("minio.example", 443)),
    "tls, port": (s3(endpoint_url="https://minio.example:9000"), ("minio.example", 9000)),
    "plain": (s3(endpoint_url="http://127.0.0.1"), ("127.0.0.1", 80)),
    "bucket before": (
        s3(endpoint_url="http://localhost:9000", addressing_style="virtual", allow_insecure=True),
        ("bucket.localhost", 9000),
    ),
    "v6": (s3(endpoint_url="http://[::1]:9000"), ("::1", 9000)),
    "v6, tls": (s3(endpoint_url="https://[2001:db8::7]"), ("2001:db8::7", 443)),
    "gcs": (
        StorageSettings(backend="gcs", gcs=GCSSettings(bucket="bucket", anonymous=True)),
        ("storage.googleapis.com", 443),
    ),
    "azure": (
        StorageSettings(
            backend="azure", azure=AzureSettings(container="box", account="acme", account_key=Secret("a2V5"))
        ),
        ("acme.blob.core.windows.net", 443),
    ),
}


@pytest.mark.parametrize("name", ADDRESSES)
async def test_the_address_of_an_endpoint(name: str) -> None:
    settings, expected = ADDRESSES[name]
    storage = open_storage(settings)
    assert storage.address() == expected
    assert Below(storage, "folder").address() == expected
    await storage.close()


async def test_a_folder_has_no_address(tmp_path: Path) -> None:
    storage = open_storage(StorageSettings(backend="local", local=LocalSettings(path=tmp_path)))
    assert storage.address() is None
    assert Below(storage, "folder").address() is None
    await storage.close()
