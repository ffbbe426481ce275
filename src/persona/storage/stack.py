"""The one place that composes storage: the factory of backends, and the layers around them.

The layers are in one order for all commands: the cache stands around the backend, so that what it answers needs no
network.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from persona.config import values
from persona.config.places import place_of
from persona.config.schema import StorageSettings
from persona.errors import ConfigError, UsageError
from persona.storage.backend import StorageBackend
from persona.storage.paths import clean, join, printable

if TYPE_CHECKING:
    from persona.storage.cache.store import Store

log = logging.getLogger(__name__)
SCHEMES = {"s3": "s3", "gs": "gcs", "az": "azure", "file": "local"}
"""The scheme of a storage URL, and the backend that it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What this machine keeps beside a storage, and how a command wants it.

    Args:
        workspace: the workspace's name: no two share an entry of a cache.
        folder: where the workspace keeps what must last, such as writes that wait.
        fresh: ask the provider even for what was read a moment ago.
        force: ask it even if it did not answer a moment ago.
    """

    workspace: str
    folder: Path
    fresh: bool = False
    force: bool = False


def open_layers(settings: StorageSettings, keeping: Keeping) -> StorageBackend:
    """Open the storage that the settings describe, with all that makes it quick and lets work go on in an outage.

    Raises:
        ConfigError, CredentialsError: as for `open_storage`; or the cache cannot be encrypted as it should be.
    """
    backend = open_storage(settings)
    store = open_store(settings, keeping)
    if store is None:
        return backend
    from persona.storage.layers.cache import Cache

    return Cache(backend, store, contents=settings.backend != "local")


def open_store(settings: StorageSettings, keeping: Keeping, *, enabled: bool = False) -> Store | None:
    """Open what the cache folder holds of a storage.

    Args:
        settings: the whole storage.
        keeping: what this machine keeps.
        enabled: open it even if the cache is not enabled.

    Returns:
        None if it is not enabled, or if it cannot be used, which is said in a warning.

    Raises:
        ConfigError: it cannot be encrypted as it should be.
    """
    place = place_of(settings, os.environ)
    cache = settings.cache
    if place is None or cache.path is None or not (cache.enabled or enabled):
        return None
    import sqlite3
    import time

    from persona.storage.cache.index import BusyError
    from persona.storage.cache.store import Store

    try:
        return Store(
            cache.path,
            "\n".join((keeping.workspace, place.container, place.path)),
            max_size=cache.max_size,
            strategy=cache.strategy,
            ttl=cache.ttl,
            since=time.time() if keeping.fresh else 0.0,
        )
    except ConfigError as error:
        log.warning("%s Nothing is cached.", error)
    except (sqlite3.Error, BusyError, OSError) as error:
        log.warning("The cache in %s cannot be used, so nothing is cached: %s.", cache.path, error)
    return None


def open_storage(settings: StorageSettings) -> StorageBackend:
    """Open the storage that the settings describe, bare. Makes no request; imports only the backend that is asked for.

    Raises:
        ConfigError: something that this backend needs is not set, or cannot be.
        CredentialsError: no credentials were found.
    """
    if settings.backend == "s3":
        from persona.storage.backends.s3 import S3Backend

        return S3Backend(settings.s3, settings.performance)
    if settings.backend == "gcs":
        from persona.storage.backends.gcs import GCSBackend

        return GCSBackend(settings.gcs, settings.performance)
    if settings.backend == "azure":
        from persona.storage.backends.azure import AzureBlobBackend

        return AzureBlobBackend(settings.azure, settings.performance)
    from persona.storage.backends.local import LocalBackend

    if settings.local.path is None:
        raise ConfigError("storage.local.path is not set.", hint="persona storage config set local.path FOLDER")
    return LocalBackend(settings.local.path)


def open_below(settings: StorageSettings, path: str) -> StorageBackend:
    """Open the storage whose root is a folder of the storage that the settings describe. Makes no request.

    Args:
        settings: the whole storage.
        path: a storage path; "" for the whole.

    Raises:
        NameRefusedError: the path cannot be a folder there.
        ConfigError, CredentialsError: as for `open_storage`.
    """
    folder = clean(path)
    if not folder:
        return open_storage(settings)
    if settings.backend == "local":
        from persona.storage.layers.below import Below

        return Below(open_storage(settings), folder)
    section = getattr(settings, settings.backend)
    inner = replace(section, prefix=join(section.prefix, folder))
    return open_storage(replace(settings, **{settings.backend: inner}))


def impatient(settings: StorageSettings) -> StorageSettings:
    """Return settings under which a provider that does not answer is found out in less than ten seconds."""
    given = settings.performance
    performance = replace(
        given,
        retry_attempts=min(given.retry_attempts, 1),
        retry_delay=min(given.retry_delay, 0.5),
        timeout=min(given.timeout, 4.0),
    )
    return replace(settings, performance=performance)


def is_url(text: str) -> bool:
    """Say whether a text is a storage URL rather than a path."""
    return "://" in text


def open_url(url: str, settings: StorageSettings) -> tuple[StorageBackend, str]:
    """Open the place that a storage URL names, with the settings' credentials for that provider.

    Args:
        url: ``s3://bucket/key``, ``gs://bucket/key``, ``az://container/key`` or ``file:///abs/path``. Keys are taken as
            they stand, with ``?``, ``#`` and ``%`` in them; of a ``file`` URL the path is percent-decoded.
        settings: the workspace's storage; its own bucket and prefix play no part.

    Returns:
        The storage, and the path in it. Of a ``file`` URL the storage is the folder that holds what the path names.

    Raises:
        UsageError: it is no storage URL, or holds a password; that one is not repeated.
        NameRefusedError: what it names cannot be an object.
    """
    found, path = url_settings(url, settings)
    return open_storage(found), path


def url_settings(url: str, settings: StorageSettings) -> tuple[StorageSettings, str]:
    """Return the settings of the place that a storage URL names, and the path in it; as for `open_url`."""
    scheme, _, rest = url.partition("://")
    name, _, path = rest.partition("/")
    if "@" in name:
        raise UsageError(
            "A storage URL takes no user and no password.",
            hint="Give them by the environment or the configuration, and take these out of the shell's history.",
        )
    backend = SCHEMES.get(scheme.lower())
    if backend is None or bool(name) == (backend == "local"):
        raise UsageError(
            f"“{printable(url)}” is no storage URL.",
            hint="Use s3://bucket/key, gs://bucket/key, az://container/key or file:///abs/path.",
        )
    if backend == "local":
        place = Path(unquote(rest))
        local = replace(settings.local, path=place.parent)
        return replace(settings, backend=backend, local=local), place.name
    holder = "container" if backend == "azure" else "bucket"
    section = replace(getattr(settings, backend), **{holder: _bucket(name, holder), "prefix": ""})
    return replace(settings, backend=backend, **{backend: section}), clean(path)


def _bucket(name: str, holder: str) -> str:
    """Return a bucket's name if the configuration would take it."""
    try:
        return values.bucket(name)
    except ValueError as error:
        raise UsageError(f"“{printable(name)}” cannot be a {holder}.", hint=f"Use {error}.") from error
