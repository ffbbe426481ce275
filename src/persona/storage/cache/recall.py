"""What the cache still knows while the provider does not answer, whatever its age."""

from __future__ import annotations

from collections.abc import Sequence

from persona.errors import VerificationError
from persona.moments import moment
from persona.storage.backend import Download, Listing, StorageObject
from persona.storage.cache.files import FileDownload, open_whole
from persona.storage.cache.index import Entry
from persona.storage.cache.shown import Shown
from persona.storage.cache.store import Store
from persona.storage.paths import clean, sort_key

LAST = "\U0010ffff"
"""Comes after every name."""


class Kept:
    """An object in the cache.

    Args:
        store: the cache.
        entry: what is kept of it.
        found: the object.
    """

    def __init__(self, store: Store, entry: Entry, found: StorageObject) -> None:
        self._store = store
        self._entry = entry
        self.object = found
        self.confirmed = entry.confirmed or entry.stored
        """When the provider last said that this is its version, in Unix time."""

    def download(self, start: int = 0, length: int | None = None) -> Download:
        """Return its content.

        Raises:
            VerificationError: it is not what it should be.
        """
        fd = open_whole(self._store.file(self._entry), self._entry.weight, self._entry.digest)
        if fd is None:
            self._store.damaged(self._entry)
            raise VerificationError(f"What is kept of {self.object.path} is damaged.")
        self._store.note_hit(self._entry, len(range(self.object.size)[start:][:length]))
        return FileDownload(self.object, fd, self._entry.file, self._store.sealing, start, length)


class Recall:
    """What a cache knows of a place.

    Args:
        store: the cache.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shown = Shown(store)

    def kept(self, path: str) -> Kept | None:
        """Return an object with its content."""
        entry = self._store.kept(path)
        found = entry and self._store.object(entry)
        return Kept(self._store, entry, found) if entry and found else None

    def described(self, path: str) -> tuple[StorageObject, float] | None:
        """Return an object, of which there may be no content, and when the provider said so, in Unix time."""
        if kept := self.kept(path):
            return kept.object, kept.confirmed
        listed = self._listed(path)
        found = self._shown.known(path, path) if listed is not None else None
        return (found[0], listed) if found and listed is not None else None

    def listing(self, prefix: str, after: str | None = None) -> Listing | None:
        """Return what is known to be at or below a prefix, with its time; None if nothing is.

        It is whole if the folder, or one above it, has been listed; else it is what happens to be kept.
        """
        folder = clean(prefix)
        listed = self._listed(folder)
        if listed is not None:
            objects = self._shown.known(folder, folder) if folder else []
            objects = [*(objects or []), *(self._shown.known(*below(folder)) or [])]
            return Listing(_after(objects, after), as_of=moment(listed))
        entries = self._shown.entries(*below(folder)) or []
        if not entries:
            return None
        oldest = min(entry.confirmed or entry.stored for entry in entries)
        found = filter(None, map(self._store.object, entries))
        return Listing(_after([*found], after), as_of=moment(oldest), whole=False)

    def _listed(self, path: str) -> float | None:
        """Return when a folder that holds a path was last listed."""
        times = self._shown.listings() or {}
        parts = path.split("/") if path else []
        folders = ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]
        return max((times[folder] for folder in folders if folder in times), default=None)


def below(folder: str) -> tuple[str, str]:
    """Return the name after which come the names below a folder, and one after all of them."""
    return (f"{folder}/", f"{folder}/{LAST}") if folder else ("", LAST)


def _after(objects: Sequence[StorageObject], after: str | None) -> list[StorageObject]:
    start = sort_key(clean(after)) if after else None
    return [found for found in objects if start is None or sort_key(found.path) > start]
