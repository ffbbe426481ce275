"""What listings have shown of a place, and notes on its objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress

from persona.storage.backend import StorageObject
from persona.storage.cache.house import make_room
from persona.storage.cache.index import Entry
from persona.storage.cache.store import Store, tolerant


class Shown:
    """What listings have shown of a place, and notes on its objects.

    Args:
        store: the cache.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.index = store.index
        self.scope = store.scope

    @property
    def off(self) -> bool:
        """Whether the cache is out of use."""
        return self._store.off

    def fail(self, error: Exception) -> None:
        """Put the cache out of use."""
        self._store.fail(error)

    @tolerant
    def page(self, objects: Sequence[StorageObject], after: str, last: str | None, at: float) -> None:
        """Note what a listing shows from one name to another: all that is there, in the order of names.

        Args:
            objects: the objects between the two.
            after: the name after which they come.
            last: the last name that this covers; None for all that follow.
            at: when the listing began, in Unix time.
        """
        there = {found.path: found for found in objects}
        same: list[Entry] = []
        for entry in self.index.between(self.scope, after, last):
            found = there.get(entry.path)
            if not self._store.is_older(entry, at):  # by a write, say, which the listing may not show yet
                continue
            if found is None or found.version != entry.version:
                self._old(entry, gone=found is None)
            elif not (self._store.is_fresh(entry, ahead=self._store.ttl / 2)):
                same.append(entry)
        for part in self.index.parts(same, pages_each=1):
            with self.index.writing():
                for entry in part:
                    self.index.confirm(entry, at)
        self._remember(objects, after, last)

    def _old(self, entry: Entry, *, gone: bool) -> None:
        with self.index.writing():
            if gone:
                self.index.remove([entry])
            else:
                self.index.doubt(self.scope, entry.path)

    def _remember(self, objects: Sequence[StorageObject], after: str, last: str | None) -> None:
        """Remember what a page shows, as far as it is new."""
        before = {found.path: found for found in self.index.known(self.scope, after, last)}
        new = [found for found in objects if not _same(before.pop(found.path, None), found)]
        try:
            for part in self.index.parts(new, pages_each=1):
                with self.index.writing():
                    self.index.know(self.scope, part, [])
            for gone in self.index.parts([*before], pages_each=2):
                with self.index.writing():
                    self.index.know(self.scope, [], gone)
        except sqlite3.OperationalError as error:
            make_room(self.index, self.scope, error)

    @tolerant
    def listed(self, prefix: str, at: float) -> None:
        """Note that everything below a prefix has been listed, by requests of which the first began at this time."""
        with self.index.writing():
            self.index.listed(self.scope, prefix, at)

    @tolerant
    def entries(self, after: str, last: str) -> list[Entry]:
        """Return what is kept of the objects after one name, up to another."""
        return [e for e in self.index.between(self.scope, after, last) if e.key == self._store.sealing.key_id]

    @tolerant
    def known(self, after: str, last: str) -> list[StorageObject]:
        """Return what listings have shown after one name, up to another; or of the one, if both are the same."""
        return self.index.known(self.scope, after, last)

    @tolerant
    def listings(self) -> dict[str, float]:
        """Return when folders were listed, in Unix time."""
        return self.index.listings(self.scope)

    # Notes.

    @tolerant
    def noted(self, kind: str, objects: Sequence[StorageObject]) -> dict[str, str]:
        """Return the notes on objects, by path, that are on the version which each has."""
        found: dict[str, str] = {}
        versions = {each.path: each.version for each in objects}
        if not versions:
            return found
        for path, version, text, key in self.index.notes(self.scope, kind, min(versions), max(versions)):
            if versions.get(path) == version and key == self._store.sealing.key_id:
                plain = self._store.sealing.unseal(text, f"{kind} {path} {version}")
                with suppress(UnicodeDecodeError):  # damaged
                    found |= {path: plain.decode()} if plain is not None else {}
        return found

    @tolerant
    def note(self, kind: str, texts: Iterable[tuple[StorageObject, str]]) -> None:
        """Keep a note on each object."""
        seal, key = self._store.sealing.seal, self._store.sealing.key_id
        rows = [
            (found.path, found.version, seal(text.encode(), f"{kind} {found.path} {found.version}"), key)
            for found, text in texts
            if self._store.keeps(found.path)
        ]
        try:
            for part in self.index.parts(rows, pages_each=1):
                with self.index.writing():
                    self.index.note(self.scope, kind, part)
        except sqlite3.OperationalError as error:
            make_room(self.index, self.scope, error)


def _same(known: StorageObject | None, found: StorageObject) -> bool:
    """Say whether a listing shows what is known already."""
    return known is not None and (known.version, known.size, known.last_modified) == (
        found.version,
        found.size,
        found.last_modified,
    )
