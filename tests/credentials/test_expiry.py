"""Keys and tokens that expire in the middle of one upload in parts: it ends, and later parts have newer ones."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from persona.config.schema import AzureSettings, GCSSettings, PerformanceSettings, S3Settings, StorageSettings
from persona.storage.stack import open_storage
from tests.contract.helpers import MIB, block, received
from tests.credentials.services import (
    AWSKeysService,
    AzureIdentity,
    BlobGate,
    Container,
    Gate,
    GoogleIdentity,
    document,
)
from tests.credentials.test_flows import Enter, enter, files, private_key, profiles
from tests.faults import Act, Seen
from tests.servers import Azurite, FakeGCS, S3Server

__all__ = ["enter", "private_key"]
BOTOCORE, GOOGLE, MSAL = 600, 225, 300
"""How many seconds before the end each library no longer uses what it has."""
PARTS = 4


class Printed(AWSKeysService):
    """Keys as a credential_process prints them."""

    def reply(self, seen: Seen) -> Act:
        keys = self.keys()
        return document(200, keys | {"Version": 1, "SessionToken": keys["Token"]})


def arrived(gate: Gate, pattern: str, count: int) -> None:
    """Wait until so many parts have come, and have been answered."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit and (len(gate.requests("PUT", pattern)) < count or not gate.settled()):
        time.sleep(0.01)


async def upload(gate: Gate, settings: StorageSettings, pattern: str, *, size: int, wait: float) -> list[Seen]:
    """Write a stream, half of whose parts come when what was handed out before has ended; return the parts' requests.

    Args:
        gate: what the requests go through.
        settings: the storage.
        pattern: what the path and query of a part's request match.
        size: bytes of a part.
        wait: after how many seconds the library itself no longer uses what it has.
    """
    content = [block(number, size) for number in range(PARTS - 1)] + [block(PARTS, 1000)]

    async def chunks() -> AsyncIterator[bytes]:
        for number, chunk in enumerate(content):
            if number == PARTS // 2:
                await asyncio.to_thread(arrived, gate, pattern, number)
                await asyncio.sleep(wait)
                gate.issuer.issued = dict.fromkeys(gate.issuer.issued, 0.0)
            yield chunk

    tuned = PerformanceSettings(chunk_size=size, concurrent_uploads=2, retry_attempts=0)
    storage = open_storage(replace(settings, performance=tuned))
    try:
        await storage.write_stream("large", chunks())
        assert await received(storage, "large") == b"".join(content)
    finally:
        await storage.close()
    return gate.requests("PUT", pattern)


def judge(gate: Gate, sent: list[Seen]) -> None:
    """Assert that the parts were sent once each, the later ones with what was handed out later."""
    assert len(sent) == PARTS
    assert not gate.refused
    given = [(seen.headers[gate.header] or "").removeprefix("Bearer ") for seen in sent]
    early, late = given[: PARTS // 2], given[PARTS // 2 :]
    assert not set(early) & set(late)
    assert all(gate.issuer.issued[token] == 0.0 for token in early)
    assert all(gate.issuer.live(token) for token in late)


@pytest.mark.parametrize("way", ["container", "process"])
async def test_keys_of_aws(
    moto: S3Server, enter: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    kind = Container if way == "container" else Printed
    issuer: AWSKeysService = enter(kind(seconds=BOTOCORE + 1))
    gate: Gate = enter(Gate(issuer, moto.address, "x-amz-security-token"))
    s3 = S3Settings(bucket=moto.make_bucket("flows"), endpoint_url=gate.url)
    if way == "container":
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{issuer.url}/keys")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token")
    else:
        ask = f"import urllib.request as r; print(r.urlopen('{issuer.url}').read().decode())"
        profiles(tmp_path, f'[profile team]\ncredential_process = {sys.executable} -c "{ask}"\n')
        s3 = replace(s3, profile="team")
    sent = await upload(gate, StorageSettings(backend="s3", s3=s3), "partNumber", size=5 * MIB, wait=1.0)
    judge(gate, sent)
    assert len(gate.requests("POST", "[?&]uploads")) == 1
    assert len({seen.target.partition("uploadId=")[2] for seen in sent}) == 1


async def test_tokens_of_google(fake_gcs: FakeGCS, enter: Enter, private_key: str, tmp_path: Path) -> None:
    issuer: GoogleIdentity = enter(GoogleIdentity(seconds=GOOGLE + 1))
    gate: Gate = enter(Gate(issuer, fake_gcs.address, "authorization"))
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(files("service_account", issuer.url, private_key, tmp_path)))
    gcs = GCSSettings(bucket=fake_gcs.make_bucket("flows"), endpoint_url=gate.url, credentials_file=file)
    settings = StorageSettings(backend="gcs", gcs=gcs)
    sent = await upload(gate, settings, "upload_id", size=MIB // 4, wait=1.0)
    *parts, end = sent
    assert end.headers["content-range"].startswith("bytes */")
    judge(gate, parts)
    assert len({seen.target for seen in sent}) == 1


async def test_tokens_of_azure(azurite: Azurite, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library counts in whole seconds, so that it may take one more."""
    issuer: AzureIdentity = enter(AzureIdentity(seconds=MSAL + 0.5))
    gate: Gate = enter(BlobGate(issuer, azurite))
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", issuer.url)
    endpoint = f"{gate.url}/{azurite.account}"
    azure = AzureSettings(container=azurite.make_bucket("flows"), account=azurite.account, endpoint_url=endpoint)
    settings = StorageSettings(backend="azure", azure=azure)
    judge(gate, await upload(gate, settings, "comp=block&", size=MIB // 4, wait=1.6))
    assert len(gate.requests("PUT", "comp=blocklist")) == 1
