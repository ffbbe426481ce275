"""Endpoints that are probed: with what result, that it is remembered, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from persona.errors import AlreadyExistsError, ConflictError, UnreachableError
from persona.storage.backend import IfAbsent, IfVersion, StorageBackend
from persona.storage.backends import hosts
from persona.storage.backends.cloud import CloudBackend
from persona.storage.backends.conditions import REMEMBERED_SECONDS
from persona.storage.backends.probing import METADATA
from persona.storage.capabilities import HONOURED, NOT_HONOURED, Conditional
from persona.storage.layers.breaker import Breaker
from persona.storage.probe import examine
from tests.cloud.conftest import Faulty
from tests.faults import Act, Seen, _Handler, answer, forward, lose_answer
from tests.quirks import (
    conditional,
    is_conditional,
    metadata_not_returned,
    metadata_renamed,
    quoted_if_match,
    refused,
    unconditional,
)

Behind = Callable[[str], Faulty]
PROBE = r"\.persona-probe"
ONLY_ABSENT = Conditional(True, None)
REFUSED_ALWAYS = conditional(refused(412, "PreconditionFailed"))


@dataclass(frozen=True)
class Case:
    """What a service does to writes, and what of it is found out."""

    server: str
    act: Act
    found: Conditional
    method: str = "PUT"


CASES = {
    "quoted": Case("moto", quoted_if_match, Conditional(True, "unquoted")),
    "501": Case("moto", conditional(refused(501, "NotImplemented")), NOT_HONOURED),
    "405": Case("moto", conditional(refused(405, "MethodNotAllowed")), NOT_HONOURED),
    "403": Case("moto", conditional(refused(403, "AccessDenied")), NOT_HONOURED),
    "always 412": Case("moto", REFUSED_ALWAYS, NOT_HONOURED),
    "ignored": Case("moto", unconditional, NOT_HONOURED),
    "gcs 501": Case("fake-gcs", conditional(answer(501, "{}")), NOT_HONOURED, "POST"),
    "gcs ignored": Case("fake-gcs", unconditional, NOT_HONOURED, "POST"),
    "gcs": Case("fake-gcs", forward, HONOURED, "POST"),
    "azure 501": Case("azure", conditional(refused(501, "NotImplemented")), NOT_HONOURED),
    "azure 412": Case("azure", REFUSED_ALWAYS, NOT_HONOURED),
}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was warned of."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def probes(faulty: Faulty) -> list[Seen]:
    """Return the requests about probe objects."""
    return [seen for seen in faulty.proxy.seen if "persona-probe" in seen.target or b"persona-probe" in seen.body]


async def listed(storage: StorageBackend) -> list[str]:
    """Return what is there."""
    return [found.path for found in await storage.list()]


@pytest.mark.parametrize("name", CASES)
async def test_preconditions_are_tried_both_ways(behind: Behind, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """What is refused though it holds is no precondition, nor is what is not implemented; neither is an outage."""
    case = CASES[name]
    faulty = behind(case.server)
    faulty.proxy.always(case.method, "", case.act)
    storage = Breaker(faulty.open())
    first = await storage.write("a", b"1", condition=IfAbsent())
    await storage.write("a", b"22", condition=IfVersion(first.version))
    with pytest.raises(AlreadyExistsError):
        await storage.write("a", b"333", condition=IfAbsent())
    with pytest.raises(ConflictError):
        await storage.write("a", b"333", condition=IfVersion(first.version))
    with pytest.raises(ConflictError):
        await storage.write("b", b"333", condition=IfVersion(first.version))
    assert await storage.read("a") == b"22"
    assert await listed(storage) == ["a"]
    assert len(warnings(caplog)) == (not case.found.complete)
    assert storage.state.load() is None
    bodies = [seen.body for seen in faulty.proxy.seen if seen.status in (405, 501) and is_conditional(seen)]
    assert name[-3:] not in ("405", "501") or bodies
    assert len(bodies) == len(set(bodies)), "an answer is not asked for again"
    assert (await storage.capabilities()).writes == case.found


async def test_deletes_are_tried_apart(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    for name, act, found in [
        ("moto", forward, "quoted"),
        ("moto", unconditional, None),
        ("moto", conditional(refused(501, "NotImplemented")), None),
        ("fake-gcs", forward, None),
        ("azure", forward, "quoted"),
    ]:
        caplog.clear()
        faulty = behind(name)
        faulty.proxy.always("DELETE", "", act)
        storage = faulty.open()
        first = await storage.write("a", b"1")
        await storage.write("a", b"22")
        with pytest.raises(ConflictError):
            await storage.delete("a", condition=IfVersion(first.version))
        await storage.delete("a", condition=IfVersion((await storage.stat("a")).version))
        assert await listed(storage) == []
        deletes = (await storage.capabilities()).deletes
        assert deletes is not None
        assert deletes.if_version == found
        assert len(warnings(caplog)) == (found is None)
        _forget_all()


def _forget_all() -> None:
    """Forget what was found, as the next endpoint may have the same name."""
    for file in _remembered():
        file.unlink()


def _remembered() -> list[Path]:
    return [*Path(os.environ["PERSONA_HOME"]).glob("endpoints/*.json")]


@pytest.mark.parametrize(
    ("act", "lost"), [(forward, ()), (metadata_renamed, ()), (metadata_not_returned, tuple(METADATA))]
)
async def test_metadata_is_tried_once(
    behind: Behind, caplog: pytest.LogCaptureFixture, act: Act, lost: tuple[str, ...]
) -> None:
    faulty = behind("moto")
    faulty.proxy.always("HEAD", "", act)
    storage = faulty.open()
    for path in "ab":
        await storage.write(path, b"x", metadata={"key": "value"})
    assert len([said for said in warnings(caplog) if "does not return all metadata" in said]) == bool(lost)
    assert len(faulty.proxy.requests("HEAD", PROBE)) == 1
    assert (await storage.capabilities()).metadata == lost


async def test_a_result_is_good_for_a_week_in_every_process(behind: Behind) -> None:
    faulty = behind("moto")
    found = await faulty.open().capabilities()
    (file,) = _remembered()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert "testsecret" not in file.read_text()
    assert "testkey" not in file.read_text()
    count = len(probes(faulty))
    again = faulty.open()
    written = await again.write("a", b"1", condition=IfAbsent(), metadata={"a": "b"})
    await again.delete("a", condition=IfVersion(written.version))
    assert await again.capabilities() == found
    assert len(probes(faulty)) == count

    for change in ({"asked_at": json.loads(file.read_text())["asked_at"] - REMEMBERED_SECONDS}, {"writes": 7}, None):
        document = json.loads(file.read_text())
        file.write_text(json.dumps(document | change) if change else "{")
        count = len(probes(faulty))
        await faulty.open().write("a", b"1", condition=IfVersion((await faulty.direct().write("a", b"0")).version))
        assert len(probes(faulty)) > count
    count = len(probes(faulty))
    await faulty.open().capabilities(anew=True)
    assert len(probes(faulty)) > count


async def test_a_remembered_result_that_is_wrong_is_found_out(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    """The service was changed: what it refuses though it holds, or no longer knows, is reason to probe it again."""
    faulty = behind("moto")
    assert (await faulty.open().capabilities()).writes == HONOURED
    faulty.proxy.always("PUT", "", quoted_if_match)
    storage = faulty.open()
    first = await storage.write("a", b"1")
    second = await storage.write("a", b"22", condition=IfVersion(first.version))
    count = len(probes(faulty))
    with pytest.raises(ConflictError):
        await storage.write("a", b"333", condition=IfVersion(first.version))
    assert len(probes(faulty)) == count
    (file,) = _remembered()
    assert json.loads(file.read_text())["writes"] == [True, "unquoted"]
    assert not warnings(caplog)

    faulty.proxy.faults[:] = []
    faulty.proxy.always("PUT", "", conditional(refused(501, "NotImplemented")))
    faulty.proxy.always("DELETE", "", conditional(refused(501, "NotImplemented")))
    await faulty.open().write("a", b"333", condition=IfVersion(second.version))
    assert len(warnings(caplog)) == 1
    third = faulty.open()
    await third.delete("a", condition=IfVersion((await third.stat("a")).version))
    assert await listed(third) == []


async def test_nothing_is_left_on_a_bucket_that_keeps_versions(behind: Behind) -> None:
    faulty = behind("moto")
    faulty.bucket = faulty.server.make_bucket("versioned")
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    faulty.server.request("PUT", "/versioned?versioning", body=body)
    storage = faulty.open()
    assert (await storage.capabilities()).writes == HONOURED
    findings = await examine(storage)
    assert findings.ok
    assert [each async for page in storage.past() for each in page] == []
    assert await listed(storage) == []


async def test_a_cancelled_probe_leaves_nothing(behind: Behind) -> None:
    """Also if a write is on its way: it must not arrive after the delete."""
    faulty = behind("moto")
    sent, go = threading.Event(), threading.Event()

    def late(handler: _Handler, seen: Seen) -> None:
        sent.set()
        go.wait(20)
        forward(handler, seen)

    faulty.proxy.on("PUT", PROBE, late)
    storage = faulty.open()
    writing = asyncio.ensure_future(storage.write("a", b"1", condition=IfAbsent()))
    await asyncio.to_thread(sent.wait, 20)
    writing.cancel()
    await asyncio.wait({writing})
    closing = asyncio.ensure_future(storage.close())
    await asyncio.sleep(0.1)  # so that a delete that does not wait is there before the write
    go.set()
    await closing
    assert faulty.proxy.requests("DELETE", PROBE)
    assert await listed(faulty.direct()) == []


async def test_a_probe_that_breaks_off_leaves_nothing(behind: Behind) -> None:
    faulty = behind("moto")
    faulty.proxy.on("PUT", PROBE, lose_answer, skip=2)
    storage = faulty.open(retry_attempts=0)
    with pytest.raises(UnreachableError):
        await storage.write("a", b"1", condition=IfAbsent())
    assert await listed(storage) == []
    assert not _remembered()
    await storage.write("a", b"1", condition=IfAbsent())


async def test_a_probe_object_that_cannot_be_deleted_is_named(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    faulty = behind("moto")
    faulty.proxy.always("DELETE", PROBE, refused(403, "AccessDenied"))
    storage = faulty.open()
    await storage.write("a", b"1", condition=IfAbsent())
    left = [path for path in await listed(storage) if path != "a"]
    assert left
    assert all(any(path in said for said in warnings(caplog)) for path in left)


async def test_what_others_left_is_swept_after_a_day(behind: Behind) -> None:
    faulty = behind("moto")
    direct, storage = faulty.direct(), faulty.open()
    theirs, users = f".persona-probe-{'0' * 8}-77-{'a' * 16}-1", ".persona-probe-of-my-own"
    for path in (theirs, users):
        await direct.write(path, b"x")
    await storage.write("a", b"1", condition=IfAbsent())
    assert set(await listed(direct)) == {"a", theirs, users}
    assert isinstance(storage, CloudBackend)
    storage._now = lambda: datetime.now(UTC) + timedelta(days=1, minutes=1)  # type: ignore[method-assign]
    await storage.capabilities(anew=True)
    assert set(await listed(direct)) == {"a", users}


OWN = {
    hosts.s3: [
        "https://s3.amazonaws.com/bucket",
        "https://bucket.s3.eu-west-2.amazonaws.com",
        "https://s3-eu-west-1.amazonaws.com/bucket",
        "https://a.bucket.s3.dualstack.us-gov-west-1.amazonaws.com:443",
        "https://s3-fips.us-east-2.amazonaws.com/bucket",
        "https://s3-fips.dualstack.ca-central-1.amazonaws.com/bucket",
        "https://s3.cn-north-1.amazonaws.com.cn/bucket",
        "https://s3.eusc-de-east-1.amazonaws.eu/bucket",
        "https://s3.us-iso-east-1.c2s.ic.gov/bucket",
        "https://s3.us-isob-east-1.sc2s.sgov.gov/bucket",
        "https://bucket.s3-accelerate.amazonaws.com",
        "https://bucket.s3-accelerate.dualstack.amazonaws.com",
        "https://point-123456789012.s3-accesspoint.eu-west-2.amazonaws.com",
        "https://point-123456789012.s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com",
        "https://bucket.vpce-0a1b2c3d-4e5f.s3.us-east-1.vpce.amazonaws.com/bucket",
        "https://accesspoint.vpce-0a1b-4e5f-us-east-1a.s3.us-east-1.vpce.amazonaws.com",
    ],
    hosts.s3_express: ["https://bucket--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com"],
    hosts.google: [
        "https://storage.googleapis.com",
        "https://storage.europe-west3.rep.googleapis.com",
        "https://private.googleapis.com",
        "https://restricted.googleapis.com",
        "https://storage-mine.p.googleapis.com",
    ],
    hosts.azure: [
        "https://account.blob.core.windows.net",
        "https://account-secondary.blob.core.windows.net",
        "https://account.privatelink.blob.core.windows.net",
        "https://account.z14.blob.storage.azure.net",
        "https://account.blob.core.chinacloudapi.cn",
        "https://account.blob.core.usgovcloudapi.net",
    ],
}
STRANGERS = [
    "https://evil-amazonaws.com",
    "https://s3.amazonaws.com.evil.org",
    "https://s3.eu-west-2.evil-amazonaws.com",
    "https://xs3.amazonaws.com",
    "https://s3.amazonaws.com@evil.org",
    "https://s3.amazonaws.com:8443",
    "https://s3.ama\u017fonaws.com",
    "https://s3.\uff41mazonaws.com",
    "https://s3.amazonaws.\u212bom",
    "https://ec2-198-51-100-1.eu-west-2.compute.amazonaws.com",
    "https://s3-1234567890.eu-west-2.elb.amazonaws.com",
    "https://vpce-svc-0a1b.us-east-1.vpce.amazonaws.com",
    "https://bucket.s3-website-us-east-1.amazonaws.com",
    "https://outpost.s3-outposts.us-east-1.amazonaws.com",
    "https://s3.example.org",
    "https://evilstorage.googleapis.com",
    "https://storage.googleapis.com.evil.org",
    "https://rep.googleapis.com.evil.org",
    "https://blob.core.windows.net",
    "https://account.blob.core.windows.net.evil.org",
    "https://account.evilblob.core.windows.net",
    "http://127.0.0.1:9000/amazonaws.com",
]


@pytest.mark.parametrize("kind", OWN)
def test_the_providers_own_endpoints_are_known_by_their_hosts(kind: Callable[[str], object]) -> None:
    for known, endpoints in OWN.items():
        for endpoint in endpoints:
            assert (kind(endpoint) is not None) == (known is kind), endpoint
    assert [endpoint for endpoint in STRANGERS if kind(endpoint) is not None] == []
