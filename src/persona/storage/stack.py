"""The one place that composes storage: the factory of backends, and the layers around them.

The layers are in one order for all commands; ``docs/design.md`` says why in this one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from persona.config.places import Place, place_of
from persona.config.schema import CacheSettings, StorageSettings
from persona.errors import ConfigError
from persona.storage.backend import StorageBackend
from persona.storage.paths import clean, join
from persona.storage.private import sweep_drafts
from persona.storage.urls import url_settings

if TYPE_CHECKING:
    from persona.credentials.chain import Found
    from persona.storage.backends.bucket import Bucket
    from persona.storage.cache.sealing import Sealing
    from persona.storage.cache.store import Store
    from persona.storage.flush import Flushed, Guard
    from persona.storage.layers.cache import Cache
    from persona.storage.outage import OutageState
    from persona.storage.outbox import Outbox
    from persona.storage.residency import Remembered
    from persona.storage.tombstones import KnownTombstones

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What this machine keeps beside a storage, and how a command wants it.

    Args:
        workspace: the workspace's name: no two share an entry of a cache.
        folder: where the workspace keeps what must last, such as writes that wait.
        fresh: ask the provider even for what was read a moment ago.
        force: ask it even if it did not answer a moment ago.
        guard: refuses what may not be sent from the outbox.
    """

    workspace: str
    folder: Path
    fresh: bool = False
    force: bool = False
    guard: Guard | None = None


def open_layers(settings: StorageSettings, keeping: Keeping) -> StorageBackend:
    """Open the storage that the settings describe, with all that makes it quick and lets work go on in an outage.

    Raises:
        ConfigError, CredentialsError: as for `open_storage`; or the cache cannot be encrypted as it should be.
    """
    provider = open_provider(settings, keeping)
    store = open_store(settings, keeping)
    storage = provider
    if store is not None:
        from persona.storage.layers.cache import Cache

        storage = Cache(provider, store, contents=settings.backend != "local")
    return storage if settings.backend == "local" else _with_fallback(storage, provider, store, settings, keeping)


def open_with_notes(settings: StorageSettings, keeping: Keeping) -> tuple[StorageBackend, StorageBackend]:
    """Open the storage so that all of it is asked of the provider, and beside it what has notes on its objects.

    Returns:
        The storage, of which what is written is told to every cache on this machine that may keep objects of it; and
        the same with its cache, whose `close` closes both.
    """
    provider = open_provider(settings, keeping)
    place = place_of(settings, os.environ)
    told = informing(provider, place, settings.cache) if place else provider
    store = open_store(settings, keeping)
    if store is None:
        return told, told
    from persona.storage.layers.cache import Cache

    return told, Cache(told, store, contents=False)


def erase_from_caches(settings: StorageSettings, versions: Mapping[str, str], removed: Collection[str]) -> int:
    """Remove what the cache folder keeps of objects, in every workspace that keeps objects of this place.

    Args:
        settings: the storage.
        versions: the versions that its objects have now, by path: copies of others are removed as well.
        removed: paths of which everything goes.

    Returns:
        How many copies went.

    Raises:
        ConfigError: the folder cannot be used.
    """
    own, folder = place_of(settings, os.environ), settings.cache.path
    if own is None or folder is None or not (folder / "index.sqlite3").exists():
        return 0
    from contextlib import closing

    from persona.storage.cache.house import erase, in_use, places
    from persona.storage.layers.informing import met_by

    count = 0
    for known in places(folder):
        kept = place_in(known)
        back = met_by(kept.path, own.path) if kept.container == own.container else None
        if back is None:
            continue

        def gone(path: str, version: str, back: Callable[[str], str | None] = back) -> bool:
            ours = back(path)
            return ours is not None and (ours in removed or versions.get(ours) != version)

        with in_use(folder), closing(enter_store(settings.cache, known)) as store:
            count += erase(store, gone)
    return count


def sweep_left_overs(settings: StorageSettings, outbox: Outbox, home: Path) -> None:
    """Remove what killed processes left of writes, in PERSONA_HOME and in a local folder, where nothing lists it."""
    outbox.sweep()
    sweep_drafts(home)
    if settings.backend == "local":
        from persona.storage.backends.local import LocalBackend

        storage = open_storage(settings)
        if isinstance(storage, LocalBackend):
            storage.prune_attributes()


def open_provider(settings: StorageSettings, keeping: Keeping) -> StorageBackend:
    """Open the storage that the settings describe, so that an outage is found out at once."""
    backend = open_storage(settings)
    if settings.backend == "local":
        return backend
    if settings.residency.allow:
        from persona.storage.layers.resident import Resident

        backend = Resident(backend, settings.residency, remembered(settings, keeping))
    from persona.storage.layers.breaker import Breaker

    return Breaker(backend, open_outage(settings, keeping), force=keeping.force)


def remembered(settings: StorageSettings, keeping: Keeping) -> Remembered:
    """Open what the provider has said of where the place is that the settings describe."""
    from persona.storage.residency import Remembered

    place = place_of(settings, os.environ)
    return Remembered(keeping.folder / "residency", place.container if place else "")


def known_tombstones(settings: StorageSettings, keeping: Keeping) -> KnownTombstones:
    """Open the tombstones of the place that the settings describe as this machine saw them last."""
    from persona.storage.tombstones import KnownTombstones

    return KnownTombstones(keeping.folder / "tombstones", identity(settings, keeping))


async def check_there(settings: StorageSettings, keeping: Keeping) -> None:
    """Find out before long work whether what comes of it can be written; mostly without a request.

    Raises:
        UnreachableError: nobody is there, or the provider is known not to answer.
        ConfigError: the place is in a region that is not allowed.
    """
    from persona.storage.outage import PROBE, require

    provider = open_provider(settings, keeping)
    try:
        await require(provider.address())
        if open_outage(settings, keeping).load() is not None:
            await provider.exists(PROBE)
        if settings.residency.allow:
            from persona.storage.residency import residence

            found = await residence(provider, settings.residency, remembered(settings, keeping))
            if found.refused:
                raise found.refusal()
    finally:
        await provider.close()


def open_cache(settings: StorageSettings, keeping: Keeping) -> Cache:
    """Open the storage with its cache, which must be there, and without what stands in for it in an outage.

    Raises:
        ConfigError: the cache is not enabled, or cannot be used, or keeps nothing of this storage.
    """
    if not settings.cache.enabled:
        raise ConfigError("The cache is not enabled.", hint="persona storage config set cache.enabled true")
    if settings.backend == "local":
        raise ConfigError(
            "The storage is a folder of this machine, of which nothing is cached.", hint="It is as near as a cache is."
        )
    from persona.storage.layers.cache import Cache

    store = open_store(settings, keeping)
    if store is None:
        raise ConfigError("The cache cannot be used.", hint="“persona storage cache stats” says why.")
    return Cache(open_provider(settings, keeping), store)


def _with_fallback(
    storage: StorageBackend,
    provider: StorageBackend,
    store: Store | None,
    settings: StorageSettings,
    keeping: Keeping,
) -> StorageBackend:
    """Let reads be answered from the cache, and writes wait in the outbox, while the provider does not answer."""
    from persona.storage.layers.fallback import Fallback

    memory = None
    if store is not None:
        from persona.storage.cache.recall import Recall

        memory = Recall(store)
    outbox = open_outbox(settings, keeping)
    used = outbox if len(outbox) or settings.offline.writes == "outbox" else None
    return Fallback(
        storage, memory, used, settings.offline, provider=provider, fresh=keeping.fresh, guard=keeping.guard
    )


def open_outbox(settings: StorageSettings, keeping: Keeping) -> Outbox:
    """Open the outbox of a workspace, as the one of the place that the settings describe."""
    from persona.storage.outbox import Outbox

    return Outbox(
        keeping.folder / "outbox",
        identity(settings, keeping),
        cipher=_sealing,
        encrypt=settings.cache.encrypt,
    )


def open_outage(settings: StorageSettings, keeping: Keeping) -> OutageState:
    """Open what is known of an outage of the place that the settings describe."""
    from persona.storage.outage import OutageState

    return OutageState(keeping.folder / "outage", identity(settings, keeping))


async def send_outbox(settings: StorageSettings, keeping: Keeping) -> Flushed:
    """Send what waits in the outbox for the place that the settings describe, also what was in conflict before."""
    from persona.storage.flush import Flushed
    from persona.storage.layers.fallback import Fallback

    storage = open_layers(settings, keeping)
    try:
        return await storage.flush(again=True) if isinstance(storage, Fallback) else Flushed()
    finally:
        await storage.close()


def identity(settings: StorageSettings, keeping: Keeping) -> str:
    """Return what tells a workspace's storage from every other: the workspace, the service, the bucket, the folder."""
    place = place_of(settings, os.environ)
    container, path = (place.container, place.path) if place else ("", "")
    return "\n".join((keeping.workspace, container, path))


def place_in(text: str) -> Place:
    """Return the place of an `identity`."""
    container, path = [*text.split("\n"), "", ""][1:3]
    return Place("", container, path)


def open_store(settings: StorageSettings, keeping: Keeping) -> Store | None:
    """Open what the cache folder keeps of a storage, if the cache is enabled.

    Returns:
        None if it is not, or if it cannot be used, which is said in a warning.

    Raises:
        ConfigError: it cannot be encrypted as it should be.
    """
    if not settings.cache.enabled:
        return None
    sealing = _sealing() if settings.cache.encrypt else None
    return look_into_store(
        settings.cache, identity(settings, keeping), sealing=sealing, owned=True, fresh=keeping.fresh
    )


def look_into_store(
    cache: CacheSettings,
    known: str,
    *,
    sealing: Sealing | None = None,
    owned: bool = False,
    fresh: bool = False,
) -> Store | None:
    """Open what a cache folder keeps of one place, also without its key: to count, to clear, to tell it of a write.

    Args:
        cache: where the folder is, and what holds for it.
        known: the identity of the place.
        sealing: how content is written down.
        owned: see to it that all content is written down so, and that the folder has the size that it may have.
        fresh: take nothing for fresh that was there before.

    Returns:
        None if it cannot be used, which is said in a warning.
    """
    try:
        return enter_store(cache, known, sealing=sealing, owned=owned, fresh=fresh)
    except ConfigError as error:
        log.warning("%s Nothing is cached.", error)
    return None


def enter_store(
    cache: CacheSettings,
    known: str,
    *,
    sealing: Sealing | None = None,
    owned: bool = False,
    fresh: bool = False,
) -> Store:
    """Open what a cache folder keeps of one place, as `look_into_store`.

    Raises:
        ConfigError: it cannot be used.
    """
    import time

    from persona.patterns import matching
    from persona.storage.cache.house import drop_never, drop_other_keys, fit, in_use
    from persona.storage.cache.store import Store

    assert cache.path is not None  # noqa: S101  (every workspace has one by default)
    with in_use(cache.path):
        store = Store(
            cache.path,
            known,
            max_size=cache.max_size,
            strategy=cache.strategy,
            ttl=cache.ttl,
            never=matching(cache.never) if cache.never else None,
            sealing=sealing,
            since=time.time() if fresh else 0.0,
        )
        if owned:
            drop_other_keys(store)
            drop_never(store, cache.never)
            fit(store.index)
        return store


def informing(backend: StorageBackend, place: Place, cache: CacheSettings) -> StorageBackend:
    """Let a cache know what is written past it to a place of which it may keep objects.

    Args:
        backend: the storage of the place, bare.
        place: where it is.
        cache: where the cache is.
    """
    if cache.path is None or not (cache.path / "index.sqlite3").exists():
        return backend
    from persona.storage.cache.house import places
    from persona.storage.layers.informing import Informing, met_by

    told = []
    for known in places(cache.path):
        kept = place_in(known)
        tell = met_by(place.path, kept.path) if kept.container == place.container else None
        if tell and (store := look_into_store(cache, known)):
            told.append((store, tell))
    return Informing(backend, told) if told else backend


def _sealing() -> Sealing:
    from persona.config.locations import persona_home
    from persona.storage.cache.cipher import Cipher
    from persona.storage.cache.keys import cache_key

    return Cipher(cache_key(os.environ, persona_home(os.environ) / "locks"))  # one key for all workspaces


def open_storage(settings: StorageSettings) -> StorageBackend:
    """Open the storage that the settings describe, bare. Makes no request; imports only the backend that is asked for.

    Raises:
        ConfigError: something that this backend needs is not set, or cannot be.
        CredentialsError: no credentials were found.
    """
    if settings.backend == "s3":
        from persona.storage.backends.s3 import S3Backend

        return _remembering(S3Backend(settings.s3, settings.performance))
    if settings.backend == "gcs":
        from persona.storage.backends.gcs import GCSBackend

        return _remembering(GCSBackend(settings.gcs, settings.performance))
    if settings.backend == "azure":
        from persona.storage.backends.azure import AzureBlobBackend

        return _remembering(AzureBlobBackend(settings.azure, settings.performance))
    from persona.storage.backends.local import LocalBackend

    if settings.local.path is None:
        raise ConfigError("storage.local.path is not set.", hint="persona storage config set local.path FOLDER")
    return LocalBackend(settings.local.path)


def _remembering(bucket: Bucket) -> Bucket:
    """Let a bucket use what an earlier process found out about its endpoint."""
    from persona.config.locations import persona_home

    with suppress(ConfigError):  # without a home it is found out again
        bucket.remember(persona_home(os.environ) / "endpoints")
    return bucket


def credentials_of(storage: StorageBackend) -> Found | None:
    """Return the credentials that a bare storage was opened with, or None if it goes without."""
    from persona.credentials.aws import AWSCredentials
    from persona.credentials.azure import AzureCredentials
    from persona.credentials.google import GoogleCredentials

    found = getattr(storage, "credentials", None)
    return found if isinstance(found, AWSCredentials | GoogleCredentials | AzureCredentials) else None


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
        retry_attempts=min(1 if given.retry_attempts is None else given.retry_attempts, 1),
        retry_delay=min(given.retry_delay, 0.5),
        timeout=min(given.timeout, 4.0),
    )
    return replace(settings, performance=performance)


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
