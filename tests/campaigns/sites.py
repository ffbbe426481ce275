"""Where campaigns read and write: places on servers, seen directly or through a proxy."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from persona.config.schema import LocalSettings, PerformanceSettings, StorageSettings
from persona.storage.backend import StorageBackend
from persona.storage.stack import open_storage
from tests.campaigns.corpus import Item, differences, expected, fill, fill_folder, read_all
from tests.serving import Server

T = TypeVar("T")


class Proxy(Protocol):
    """What stands before a server."""

    @property
    def upstream(self) -> str | None: ...

    @property
    def address(self) -> str: ...


SCHEMES = {"s3": "s3", "gcs": "gs", "azure": "az"}


def fresh(server: Server, prefix: str = "") -> StorageSettings:
    """Return the settings of a new place, in one bucket for all: each takes seven volumes of SeaweedFS."""
    return server.settings(server.make_bucket("campaigns"), f"{secrets.token_hex(6)}/{prefix}".rstrip("/"))


def folder(path: Path) -> StorageSettings:
    """Return the settings of a folder."""
    return StorageSettings(backend="local", local=LocalSettings(path=path))


def with_prefix(settings: StorageSettings, prefix: str) -> StorageSettings:
    """Return the settings of a folder within a place."""
    if settings.backend == "local":
        assert settings.local.path
        return folder(settings.local.path / prefix)
    section = getattr(settings, settings.backend)
    section = replace(section, prefix=f"{section.prefix}/{prefix}".strip("/"))
    return replace(settings, **{settings.backend: section})


def url_of(settings: StorageSettings) -> str:
    """Return the storage URL of a place."""
    if settings.backend == "local":
        return f"file://{settings.local.path}"
    section = getattr(settings, settings.backend)
    holder = section.container if settings.backend == "azure" else section.bucket
    return f"{SCHEMES[settings.backend]}://{holder}/{section.prefix}".rstrip("/")


def through(settings: StorageSettings, proxy: Proxy) -> StorageSettings:
    """Return the settings that reach the same place through a proxy."""
    section = getattr(settings, settings.backend)
    url = section.endpoint_url.replace(proxy.upstream or "", proxy.address)
    return replace(settings, **{settings.backend: replace(section, endpoint_url=url)})


def address_of(settings: StorageSettings) -> str:
    """Return host and port of the server of a place."""
    url: str = getattr(settings, settings.backend).endpoint_url
    return url.partition("://")[2].partition("/")[0]


def look(settings: StorageSettings, work: Callable[[StorageBackend], Awaitable[T]]) -> T:
    """Open a place, directly and without waiting long, do something with it, and close it."""

    async def run() -> T:
        storage = open_storage(replace(settings, performance=PerformanceSettings(concurrent_uploads=16)))
        try:
            return await work(storage)
        finally:
            await storage.close()

    return asyncio.run(run())


def put(settings: StorageSettings, items: Sequence[Item]) -> None:
    """Put items into a place."""
    if settings.backend == "local":
        assert settings.local.path
        fill_folder(settings.local.path, items)
    else:
        look(settings, lambda storage: fill(storage, items))


def assert_holds(settings: StorageSettings, items: Sequence[Item]) -> None:
    """Compare what a place holds with the items: content by SHA-256, content types and metadata."""
    found = differences(expected(items), look(settings, read_all))
    assert not found, f"{len(found)} differences: {found[:10]}"
