"""Earlier versions over the wire, where no server of the tests keeps any as the provider does."""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5

import pytest

from persona.config.schema import AzureSettings, GCSSettings, PerformanceSettings, StorageSettings
from persona.config.secret import Secret
from persona.errors import PersonaError, VerificationError
from persona.storage.backend import PastVersion, StorageBackend
from persona.storage.stack import open_storage
from tests.faults import FaultProxy, answer

QUICK = PerformanceSettings(retry_attempts=0)
NEW, OLD, GONE = "2026-03-02T10:00:00.0000000Z", "2026-03-01T10:00:00.0000000Z", "2026-02-01T10:00:00.0000000Z"
BLOB = """<Blob><Name>team/{name}</Name>{about}<Properties><Last-Modified>Mon, 02 Mar 2026 10:00:00 GMT</Last-Modified>
<Etag>0x8D</Etag><Content-Length>5</Content-Length></Properties></Blob>"""


def azure(url: str) -> StorageSettings:
    string = Secret(f"AccountName=account;AccountKey=c2VjcmV0;BlobEndpoint={url}/account")
    settings = AzureSettings(container="kept", prefix="team", connection_string=string)
    return StorageSettings(backend="azure", azure=settings, performance=QUICK)


def gcs(url: str) -> StorageSettings:
    settings = GCSSettings(bucket="kept", prefix="team", endpoint_url=url)
    return StorageSettings(backend="gcs", gcs=settings, performance=QUICK)


async def past(storage: StorageBackend) -> list[PastVersion]:
    return [each async for page in storage.past() for each in page]


def page_of(blobs: str, marker: str = "") -> str:
    return f"<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"


async def test_versions_of_azure() -> None:
    current = f"<VersionId>{NEW}</VersionId><IsCurrentVersion>true</IsCurrentVersion>"
    deleted = f"<VersionId>{GONE}</VersionId><Deleted>true</Deleted>"
    pages = (
        page_of(BLOB.format(name="a", about=current) + BLOB.format(name="plain", about=""), "more"),
        page_of(BLOB.format(name="a", about=f"<VersionId>{OLD}</VersionId>") + BLOB.format(name="gone", about=deleted)),
    )
    with FaultProxy() as proxy:
        proxy.on("GET", "comp=list.*include=versions%2Csnapshots%2Cdeleted(?!.*marker=more)", answer(200, pages[0]))
        proxy.on("GET", "comp=list.*marker=more", answer(200, pages[1]))
        proxy.on("GET", "/kept/team/a.versionid=2026-03-01", answer(200, "words"))
        proxy.on("DELETE", "/kept/team/a.versionid=2026-03-01", answer(202))
        storage = open_storage(azure(proxy.url))
        found = await past(storage)
        assert found == [
            PastVersion("a", f"versionid={OLD}", 5, "version"),
            PastVersion("gone", f"versionid={GONE}", 5, "deleted"),
        ]
        backend, _ = storage.beneath("a")
        assert await backend.read_past(found[0]) == b"words"
        await backend.delete_past(found[0])
        await storage.close()


@pytest.mark.parametrize("honoured", [True, False])
async def test_generations_of_a_service_that_may_not_honour_them(honoured: bool) -> None:
    """It is tried once on an object of our own, whose earlier generation is deleted: is the later one still there?"""
    described = '{"name": "team/x", "size": "5", "updated": "2026-03-02T10:00:00Z", "generation": "7"}'
    with FaultProxy() as proxy:
        proxy.on("GET", "/o.*maxResults=1", answer(200, "{}"))
        proxy.on("POST", "uploadType=multipart", answer(200, described), times=2)
        proxy.on("DELETE", "persona-probe.*generation=7", answer(204))
        proxy.on("GET", "persona-probe", answer(200 if honoured else 404, described))
        proxy.on("DELETE", "persona-probe", answer(204))
        if honoured:
            proxy.on("DELETE", "/o/team%2Fa.generation=3", answer(204), times=2)
        storage = open_storage(gcs(proxy.url))
        backend, _ = storage.beneath("a")
        for _ in range(2):
            if honoured:
                await backend.delete_past(PastVersion("a", "3", 5))
            else:
                with pytest.raises(PersonaError, match="deletes the object itself"):
                    await backend.delete_past(PastVersion("a", "3", 5))
        await storage.close()


async def test_an_earlier_version_that_arrives_damaged() -> None:
    """It is read again once, and never taken for its content: an erasure would find nothing in it."""
    version = PastVersion("a", "5", 5, "version")
    right = {"x_goog_hash": f"md5={b64encode(md5(b'words').digest()).decode()}"}
    with FaultProxy() as proxy:
        storage = open_storage(gcs(proxy.url))
        proxy.on("GET", "generation=5", answer(200, "wards", **right))
        proxy.on("GET", "generation=5", answer(200, "words", **right))
        assert await storage.read_past(version) == b"words"
        proxy.on("GET", "generation=5", answer(200, "wards", **right), times=2)
        with pytest.raises(VerificationError, match="“a” arrives damaged"):
            await storage.read_past(version)
        await storage.close()
