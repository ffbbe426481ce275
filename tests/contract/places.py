"""The places that the contract suite runs against, and how they honestly differ.

A place *lacks* something only for a reason that is not this project's to change; a case that needs it is then
not made for that place. Everything else runs everywhere, unchanged.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from persona.config.schema import (
    AzureSettings,
    GCSSettings,
    LocalSettings,
    PerformanceSettings,
    S3Settings,
    StorageSettings,
)
from persona.config.secret import Secret
from persona.storage.backend import StorageBackend
from persona.storage.stack import open_below
from tests.serving import Server

QUICK = PerformanceSettings(retry_attempts=3, retry_delay=0.05, timeout=60.0)
CLOSED_PORT = "http://127.0.0.1:9"

_S3_VERSION = "the ETag of S3 is a digest of the content: the same bytes again are the same version"

_LOOKS_FIRST = "the server ignores conditions on deletes: the version is compared before"

_LOCAL = {
    "bucket": "a root that is not there is an empty storage, which the first write makes",
    "credentials": "there are none",
    "endpoint": "there is none",
    "uploads in parts": "a file is written under a temporary name, and only then gets its own",
}

_SEAWEEDFS = {
    "backslash": "the server turns it into a slash",
    "create beside a folder": "the server counts a folder as an object of that name",
    "long segments": "the server keeps a segment as a file name, of at most 255 bytes",
    "version per write": _S3_VERSION,
}

LACKS: Mapping[str, Mapping[str, str]] = {
    "local": _LOCAL,
    "below": _LOCAL,
    "cached": _LOCAL,
    "seaweedfs": _SEAWEEDFS,
    "moto": {
        "atomic deletes": "the server looks whether a condition holds, and deletes in another step",
        "atomic conditions": "the server looks whether a condition holds, and writes in another step",
        "credentials": "the server accepts any",
        "version per write": _S3_VERSION,
    },
    "ceph": {"atomic deletes": _LOOKS_FIRST, "version per write": _S3_VERSION},
    "nginx": {**_SEAWEEDFS, "bodies over 1 MB": "nginx refuses them with 413, unless client_max_body_size is set"},
    "fake-gcs": {"atomic deletes": _LOOKS_FIRST, "credentials": "the server accepts any, and is used without"},
    "azurite": {"backslash": "the server turns it into a slash, as does Azure"},
    "live-s3": {"version per write": _S3_VERSION},
    "live-gcs": {"credentials": "a wrong key is a file, which Google's library refuses by itself"},
    "live-azure": {"backslash": "the service turns it into a slash"},
}

MORE_PLACES = ("moto", "ceph", "nginx")
"""Servers that the suite runs against when asked to, by ``make moto``, ``make ceph`` and ``make nginx``: moto takes six
times the processor time of SeaweedFS for the same requests, and stands behind hundreds of other tests; the others are
Debian's packages."""
MORE_VARIABLE = "PERSONA_TEST_PLACES"

LIKE = "PERSONA_LIVE_LIKE"
"""The variable that names a place above whose lacks a live endpoint has as well."""
LIVE_VARIABLES = {
    "live-s3": "PERSONA_LIVE_S3_BUCKET",
    "live-gcs": "PERSONA_LIVE_GCS_BUCKET",
    "live-azure": "PERSONA_LIVE_AZURE_CONTAINER",
}


@dataclass(frozen=True)
class Place:
    """Where one test keeps its objects.

    Args:
        name: which of the places it is.
        settings: what opens it.
        server: the server behind it, whose log is shown if the test fails.
        folder: the folder of the storage that is the place; "" for all of it.
        cache: the folder of a cache around it, whose entries are always fresh; "" for none.
    """

    name: str
    settings: StorageSettings
    server: Server | None = field(default=None, repr=False)
    folder: str = ""
    cache: str = ""

    def open(self) -> StorageBackend:
        """Open the storage."""
        storage = open_below(self.settings, self.folder)
        if not self.cache:
            return storage
        from persona.storage.cache.store import Store
        from persona.storage.layers.cache import Cache

        return Cache(storage, Store(Path(self.cache), "contract", max_size=64 << 20))

    def changed(self, **changes: object) -> Place:
        """Return a place whose provider's settings differ."""
        kind = self.settings.backend
        provider = dataclasses.replace(getattr(self.settings, kind), **changes)
        settings = dataclasses.replace(self.settings, **{kind: provider})
        return dataclasses.replace(self, settings=settings)

    def without_bucket(self) -> Place:
        """Return the place with a bucket that does not exist."""
        name = "container" if self.settings.backend == "azure" else "bucket"
        return self.changed(**{name: "there-is-no-such-bucket-3141"})

    def with_wrong_key(self) -> Place:
        """Return the place with credentials that are wrong."""
        if self.settings.backend == "azure":
            return self.changed(account_key=Secret("d3JvbmcgYWNjb3VudCBrZXk="))
        key = self.settings.s3.access_key_id or "AKIAWRONG"  # else half of the keys would be what is refused
        return self.changed(access_key_id=key, secret_access_key=Secret("wrong"))

    def unreachable(self) -> Place:
        """Return the place at an address where nothing listens."""
        path = f"/{self.settings.azure.account}" if self.settings.backend == "azure" else ""
        settings = self.changed(endpoint_url=CLOSED_PORT + path).settings
        quick = PerformanceSettings(retry_attempts=1, retry_delay=0.01, timeout=5.0)
        return dataclasses.replace(self, settings=dataclasses.replace(settings, performance=quick))


def places() -> list[str]:
    """Return the names of the places: this disk, the servers here, and what is live by the environment."""
    live = [name for name, variable in LIVE_VARIABLES.items() if os.environ.get(variable)]
    more = [name for name in MORE_PLACES if name in os.environ.get(MORE_VARIABLE, "").split(",")]
    return ["local", "below", "cached", "seaweedfs", "fake-gcs", "azurite", *more, *live]


def local_settings(folder: str) -> StorageSettings:
    """Return the settings of a folder."""
    return StorageSettings(backend="local", local=LocalSettings(path=Path(folder)), performance=QUICK)


def server_settings(server: Server, bucket: str, prefix: str) -> StorageSettings:
    """Return the settings of a bucket on a server, with short pauses between tries."""
    return dataclasses.replace(server.settings(server.make_bucket(bucket), prefix), performance=QUICK)


def live_settings(name: str, prefix: str) -> StorageSettings:
    """Return the settings of a live bucket or container, with the credentials that the machine has."""
    bucket = os.environ[LIVE_VARIABLES[name]]
    kind = name.removeprefix("live-")
    endpoint = os.environ.get(f"PERSONA_LIVE_{kind.upper()}_ENDPOINT")
    if kind == "s3":
        return StorageSettings(backend="s3", s3=S3Settings(bucket=bucket, prefix=prefix, endpoint_url=endpoint))
    if kind == "gcs":
        return StorageSettings(backend="gcs", gcs=GCSSettings(bucket=bucket, prefix=prefix, endpoint_url=endpoint))
    account = os.environ.get("PERSONA_LIVE_AZURE_ACCOUNT")
    azure = AzureSettings(container=bucket, prefix=prefix, account=account, endpoint_url=endpoint)
    return StorageSettings(backend="azure", azure=azure)


def lacks(name: str) -> Mapping[str, str]:
    """Return what a place lacks; a live one also what the place lacks that ``PERSONA_LIVE_LIKE`` names."""
    like = os.environ.get(LIKE) if name.startswith("live-") else None
    return {**LACKS[name], **(LACKS[like] if like else {})}
