"""A machine with a cache folder, as tests see it: from within by its caches, from outside by its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from persona.storage.backend import StorageBackend
from persona.storage.cache.sealing import Sealing
from persona.storage.cache.store import Store
from persona.storage.layers.cache import Cache

MIB = 1 << 20
PLACE = "workspace\nmemory\n"


class Clock:
    """A clock that goes when it is told to, and a little whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 1e-5
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class Machine:
    """A machine with one cache folder.

    Args:
        folder: the cache folder; it need not be there.
        inner: the storage that its caches are around.
        clock: its clock.
        **options: what its caches have unless a cache is opened with other options.
    """

    def __init__(
        self,
        folder: Path,
        inner: StorageBackend,
        clock: Callable[[], float],
        *,
        max_size: int = 4 * MIB,
        strategy: str = "lru",
        ttl: float = 60.0,
    ) -> None:
        self.folder = folder
        self.inner = inner
        self.clock = clock
        self.max_size, self.strategy, self.ttl = max_size, strategy, ttl
        self.stores: list[Store] = []

    def store(
        self,
        identity: str = PLACE,
        *,
        max_size: int | None = None,
        strategy: str | None = None,
        never: Callable[[str], bool] | None = None,
        sealing: Sealing | None = None,
        since: float = 0.0,
    ) -> Store:
        """Open what the folder holds of a place, as a process of its own would."""
        opened = Store(
            self.folder,
            identity,
            max_size=self.max_size if max_size is None else max_size,
            strategy=strategy or self.strategy,
            ttl=self.ttl,
            never=never,
            sealing=sealing,
            since=since,
            clock=self.clock,
        )
        self.stores.append(opened)
        return opened

    def cache(self, store: Store | None = None) -> Cache:
        """Open the storage with a cache around it."""
        return Cache(self.inner, store or self.store())

    def close(self) -> None:
        """Close all that is still open."""
        for store in self.stores:
            store.close()
        self.stores.clear()

    def files(self, below: str = "") -> list[Path]:
        """Return the files of the folder."""
        return sorted(path for path in (self.folder / below).rglob("*") if not path.is_dir())


def folder_bytes(folder: str | Path) -> int:
    """Return what all files of a folder take; what comes or goes meanwhile counts or not."""
    total = 0
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    total += folder_bytes(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def abandon(store: Store) -> None:
    """Let a store go as a kill would: its lock goes, and nothing else happens."""
    store._owner._held.close()
    store.index.close()


def order(store: Store) -> list[str]:
    """Return the paths of what is kept, in the order in which it would leave."""
    store.flush()
    index = store.index
    rows = index._db.execute(f"SELECT path FROM entries WHERE scope = ? ORDER BY {index._order}", (store.scope,))
    return [path for (path,) in rows]
