"""Copies between two places of one provider, and none between places that differ."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from persona.errors import AlreadyExistsError, ConflictError, NotFoundError
from persona.storage.backend import IfAbsent, IfVersion, StorageBackend
from persona.storage.content_headers import ContentHeaders
from persona.storage.stack import open_storage
from tests.contract.conftest import clear
from tests.contract.helpers import block, listed, stream
from tests.contract.places import Place, local_settings


@pytest.fixture
def other(place: Place, tmp_path: Path) -> Iterator[Place]:
    """A second place of the same provider: another folder or bucket, or on a live one another prefix."""
    if place.settings.backend == "local":
        yield dataclasses.replace(place, settings=local_settings(str(tmp_path / "other")))
    elif place.server is None:
        elsewhere = place.changed(prefix=f"{getattr(place.settings, place.settings.backend).prefix}-other")
        yield elsewhere
        asyncio.run(clear(elsewhere))
    else:
        name = "container" if place.settings.backend == "azure" else "bucket"
        yield place.changed(**{name: place.server.make_bucket("contract-other")})


async def test_a_copy_keeps_all(storage: StorageBackend, other: StorageBackend) -> None:
    headers = ContentHeaders("gzip", "de", "inline", "no-cache")
    written = await other.write(
        "from/ä b", b"content", content_type="text/x-odd", metadata={"Who": "é", "b": "2"}, headers=headers
    )
    copied = await storage.copy_from(other, "from/ä b", "to/%+", version=written.version)
    assert copied is not None
    described = await storage.stat("to/%+")
    assert (copied.path, copied.size, copied.version) == ("to/%+", 7, described.version)
    assert (described.content_type, dict(described.metadata or {})) == ("text/x-odd", {"Who": "é", "b": "2"})
    assert described.headers == headers
    assert await storage.read("to/%+") == b"content"
    assert await other.read("from/ä b") == b"content"
    assert await listed(storage) == ["to/%+"]


@pytest.mark.needs("bodies over 1 MB")
async def test_a_copy_of_a_big_object(storage: StorageBackend, other: StorageBackend) -> None:
    content = b"".join(block(number) for number in range(12))
    await other.write_stream("big", stream([content]), metadata={"kept": "yes"})
    assert await storage.copy_from(other, "big", "big") is not None
    assert await storage.read("big") == content
    assert dict((await storage.stat("big")).metadata or {}) == {"kept": "yes"}


async def test_a_source_that_changed_is_not_copied(storage: StorageBackend, other: StorageBackend) -> None:
    first = await other.write("a", b"first")
    second = await other.write("a", b"second")
    with pytest.raises(ConflictError):
        await storage.copy_from(other, "a", "a", version=first.version)
    assert await listed(storage) == []
    await storage.copy_from(other, "a", "a", version=second.version)
    assert await storage.read("a") == b"second"


async def test_a_copy_only_if_absent(storage: StorageBackend, other: StorageBackend) -> None:
    source = await other.write("a", b"new")
    await storage.copy_from(other, "a", "a", version=source.version, condition=IfAbsent())
    await storage.write("a", b"old")
    with pytest.raises(AlreadyExistsError):
        await storage.copy_from(other, "a", "a", version=source.version, condition=IfAbsent())
    assert await storage.read("a") == b"old"


async def test_a_copy_only_over_a_version(storage: StorageBackend, other: StorageBackend) -> None:
    await other.write("a", b"new")
    first = await storage.write("a", b"first")
    second = await storage.write("a", b"second")
    with pytest.raises(ConflictError):
        await storage.copy_from(other, "a", "a", condition=IfVersion(first.version))
    assert await storage.read("a") == b"second"
    await storage.copy_from(other, "a", "a", condition=IfVersion(second.version))
    assert await storage.read("a") == b"new"


async def test_a_copy_of_nothing(storage: StorageBackend, other: StorageBackend) -> None:
    with pytest.raises(NotFoundError):
        await storage.copy_from(other, "a", "a")
    with pytest.raises(NotFoundError):
        await storage.copy_from(other, "a", "a", version="1", condition=IfAbsent())
    assert await listed(storage) == []


@pytest.fixture
def strangers(place: Place, tmp_path: Path) -> list[Place]:
    """Places of another kind, at another address, and with other credentials."""
    if place.settings.backend == "local":
        return []
    strange = [Place("local", local_settings(str(tmp_path / "strange"))), place.unreachable()]
    return strange if place.settings.backend == "gcs" else [*strange, place.with_wrong_key()]


async def test_no_copy_between_strangers(storage: StorageBackend, strangers: list[Place]) -> None:
    for place in strangers:
        stranger = open_storage(place.settings)
        assert await storage.copy_from(stranger, "a", "a") is None
        assert await stranger.copy_from(storage, "a", "a") is None
        await stranger.close()
