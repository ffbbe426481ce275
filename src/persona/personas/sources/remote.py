"""Reading input out of a storage rather than from this machine's disk."""

from __future__ import annotations

from persona.errors import BucketNotFoundError, InputError, NotFoundError
from persona.personas.bounded import read_bounded
from persona.personas.sources import limits
from persona.personas.sources.read import (
    KINDS,
    copies_in_projects,
    is_readable,
    limit_of,
    notes_on_copies,
    read_files,
    some,
)
from persona.personas.sources.records import Dataset
from persona.storage.backend import StorageBackend, StorageObject
from persona.storage.paths import printable
from persona.storage.reserved import is_reserved


async def read_storage(storage: StorageBackend, path: str) -> Dataset:
    """Read an object, or all objects of known kinds below a folder, in the order of their names.

    Raises:
        NotFoundError: there is nothing at the path.
        InputError: what is there cannot be used.
    """
    try:
        single = await storage.stat(path) if path else None
    except BucketNotFoundError:
        raise
    except NotFoundError:
        single = None
    if single is not None:
        return read_files([(path.rsplit("/", 1)[-1], await _bytes(storage, single))])
    usable, skipped = await _listed(storage, path)
    copies = copies_in_projects(_relative(path, found.path) for found in usable)
    usable = [found for found in usable if _relative(path, found.path) not in copies]
    if not usable and not skipped:
        raise NotFoundError(f"There is nothing at {storage.url(path)}.", hint="Check the address of INPUT.")
    if not usable:
        raise InputError(f"There is no research data at {storage.url(path)}.", hint=f"Persona reads {KINDS}.")
    if (total := sum(found.size for found in usable)) > limits.MAX_TOTAL_BYTES:
        raise limits.too_large(storage.url(path), total, limits.MAX_TOTAL_BYTES)
    dataset = read_files([(_relative(path, found.path), await _bytes(storage, found)) for found in usable])
    if skipped:
        dataset.notes.append(f"Not read, being of other kinds: {some(skipped)}.")
    dataset.notes += notes_on_copies(copies)
    return dataset


async def _listed(storage: StorageBackend, path: str) -> tuple[list[StorageObject], list[str]]:
    """Return the objects of known kinds, and the names of the others."""
    usable: list[StorageObject] = []
    skipped: list[str] = []
    async for page in storage.scan(path):
        for found in page:
            name = _relative(path, found.path)
            if is_reserved(name):
                continue
            if is_readable(name):
                usable.append(found)
            elif not any(part.startswith(".") for part in name.split("/")):
                skipped.append(printable(name))
        skipped += [printable(name.key) for name in page.refused]
        if len(usable) > limits.MAX_FILES:
            raise limits.too_many(storage.url(path), "files", limits.MAX_FILES)
        if len(usable) + len(skipped) > limits.MAX_ENTRIES:
            raise limits.too_many(storage.url(path), "objects", limits.MAX_ENTRIES)
    return usable, skipped


def _relative(folder: str, path: str) -> str:
    return path.removeprefix(f"{folder}/") if folder else path


async def _bytes(storage: StorageBackend, found: StorageObject) -> bytes:
    most = limit_of(found.path)
    if found.size > most:
        raise limits.too_large(found.path, found.size, most)
    data = await read_bounded(storage, found.path, most)
    if data is None:
        raise limits.too_large(found.path, most + 1, most)
    return data
