"""Keeping a cache folder in order: what processes have left, what a crash may have undone, what a user clears."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from persona.errors import ConfigError, PersonaError
from persona.storage.cache.boot import is_same, this_start
from persona.storage.cache.database import INDEX_ERRORS, BusyError
from persona.storage.cache.files import Owner, files_below
from persona.storage.cache.index import Index, discard

if TYPE_CHECKING:
    from persona.storage.cache.store import Store

log = logging.getLogger(__name__)
SPARE_PAGES = 8
"""An index with fewer pages to spare is full of entries."""


class Stats(NamedTuple):
    """What a cache holds and has done for one place.

    Args:
        entries: how many objects are kept.
        bytes: what their files take.
        max_bytes: the most that the folder may take, with what is kept of other places, and the index.
        hits: reads that were answered from here.
        misses: reads that were not.
        evictions: entries that left because there was no space.
        damaged: entries that were dropped since their files were not what they should be.
        bytes_saved: what was not transferred.
        folder_bytes: what the folder takes.
    """

    entries: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int
    evictions: int
    damaged: int
    bytes_saved: int
    folder_bytes: int


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Turn what goes wrong with a cache folder into an error that names it.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        yield
    except BusyError as error:
        raise ConfigError(f"The cache in {folder} is busy: {error}.", hint="Try again in a moment.") from error
    except PersonaError:
        raise
    except (*INDEX_ERRORS, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"The cache in {folder} cannot be used: {reason}.",
            hint="Set storage.cache.path to a folder that you may write to, or remove this one: it holds copies only.",
        ) from error


def places(folder: Path) -> list[str]:
    """Return the identities of the places of which a cache folder keeps anything; none if it cannot be read."""
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"file:{quote(os.fsencode(folder))}/index.sqlite3?mode=ro", uri=True)) as db,
    ):
        return [row[0] for row in db.execute("SELECT identity FROM scopes")]
    return []


def stats(store: Store) -> Stats:
    """Count what is kept of a place, and measure the folder.

    Raises:
        sqlite3.Error, OSError: the index cannot be read.
    """
    store.flush()
    entries, size = store.index.held(store.scope)
    folder = 0
    for file in files_below(store.folder):
        with suppress(FileNotFoundError):
            folder += file.stat().st_size
    return Stats(entries, size, store.max_size, folder_bytes=folder, **store.index.counts(store.scope))


def clear(store: Store, older_than: float | None = None) -> tuple[int, int]:
    """Remove a place's entries, and with all of them what listings and notes have left.

    Args:
        store: what is kept of the place.
        older_than: only those whose content came longer ago than this, in seconds.

    Returns:
        How many went, and the bytes of their files.

    Raises:
        sqlite3.Error, BusyError, OSError: they cannot be removed.
    """
    index, scope = store.index, store.scope
    before = None if older_than is None else store.clock() - older_than
    entries = [entry for entry in index.between(scope, "", None) if before is None or entry.stored < before]
    for part in index.parts(entries, pages_each=6):
        with index.writing():
            index.remove(part)
    if before is None:
        with index.writing():
            index.spoil_all(scope)
        forget(index, scope)
        store.sweep()
    return len(entries), sum(entry.weight for entry in entries)


def forget(index: Index, scope: int) -> None:
    """Forget what listings have shown of a place, and the notes on its objects."""
    more = True
    while more:
        with index.writing():
            more = index.forget(scope)


def erase(store: Store, gone: Callable[[str, str], bool]) -> int:
    """Remove entries so that nothing of them is left in the index either, with all that listings and notes have left.

    Args:
        store: what is kept of the place.
        gone: says of a path and a version whether it goes.

    Returns:
        How many went.

    Raises:
        sqlite3.Error, BusyError, OSError: they cannot be removed.
    """
    index, scope = store.index, store.scope
    entries = [entry for entry in index.between(scope, "", None) if gone(entry.path, entry.version)]
    for part in index.parts(entries, pages_each=6):
        with index.writing():
            index.remove(part)
    with index.writing():
        index.spoil_all(scope)
    forget(index, scope)
    store.sweep()
    if not index.rewrite():
        raise BusyError("its log cannot be written back while others read it")
    return len(entries)


def make_room(index: Index, scope: int, error: sqlite3.OperationalError) -> None:
    """Forget listings and notes if the index has no space for more: they are worth less than content.

    If that is not enough, some entries leave as well.

    Raises:
        sqlite3.OperationalError: something else has happened.
    """
    if "full" not in str(error):
        raise error
    log.info("The index of the cache is full: it forgets what listings have shown.")
    forget(index, scope)
    if index.spare_pages() < SPARE_PAGES:
        with index.writing():
            index.evict_some()


def sweep(index: Index, owner: Owner) -> bool:
    """Remove what processes have left that are gone; say whether there was anything."""
    owners = {other for _, other in index.flights()} - {owner.name}
    gone = {other for other in owners if owner.gone(other)}
    for name, other in index.flights() if gone else ():
        if other in gone:
            with index.writing():
                discard(index.draft(name))
                discard(index.content(name))  # it had its name, and its row was not there yet
                index.land(name)
    owner.clear_up()
    return bool(gone)


def distrust_after_a_crash(index: Index, owner: Owner) -> None:
    """After each start of the machine, trust nothing that may not have reached the disk before.

    Raises:
        sqlite3.DatabaseError: the index is damaged.
    """
    start = _boot()
    if is_same(index.meta("boot"), start):
        return
    if not index.sound():
        raise sqlite3.DatabaseError("its index is damaged")
    sweep(index, owner)
    for part in index.parts(index.numbers(), pages_each=1):
        with index.writing():
            index.doubt_all(part)
    with index.writing():
        names = index.files()
        for file in [*files_below(Path(index.contents)), *files_below(Path(index.drafts))]:
            if file.name not in names:
                discard(str(file))
        index.set_meta(boot=start)


def fit(index: Index) -> None:
    """Make a folder as small as it must be, after its limit has been lowered.

    Raises:
        sqlite3.Error, BusyError, OSError: it cannot be changed.
    """
    while index.surplus() > 0:
        with index.writing():
            index.evict(index.surplus())
    more = True
    while more:
        with index.writing():
            more = index.shrink()


def drop_other_keys(store: Store) -> None:
    """Remove what was written down under another key, which nobody can read, or in the clear, which anybody can.

    Raises:
        sqlite3.Error, BusyError, OSError: it cannot be removed.
    """
    others = store.index.sealed_otherwise(store.scope, store.sealing.key_id)
    for part in store.index.parts(others, pages_each=6):
        with store.index.writing():
            store.index.remove(part)
    if others:
        forget(store.index, store.scope)


def drop_never(store: Store, patterns: Sequence[str]) -> None:
    """Remove what was kept before the patterns of what must not be kept were what they are now.

    Raises:
        sqlite3.Error, BusyError, OSError: it cannot be removed.
    """
    index, name, now = store.index, f"never {store.scope}", "\n".join(patterns)
    if (index.meta(name) or "") == now:
        return
    entries = [entry for entry in index.between(store.scope, "", None) if not store.keeps(entry.path)]
    for part in index.parts(entries, pages_each=6):
        with index.writing():
            index.remove(part)
    forget(index, store.scope)  # notes tell of contents too
    with index.writing():
        index.set_meta(**{name: now})


def _boot() -> str:
    return this_start()
