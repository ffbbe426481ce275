"""Reading input out of a storage rather than from this machine's disk."""

from __future__ import annotations

from persona.errors import BucketNotFoundError, InputError, NotFoundError
from persona.personas.sources.read import KINDS, MAX_FILE_BYTES, MAX_FILES, is_readable, read_files, too_large
from persona.personas.sources.records import Dataset
from persona.storage.backend import StorageBackend, StorageObject


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
    usable, skipped, total = await _listed(storage, path)
    if not usable and not skipped:
        raise NotFoundError(f"There is nothing at {storage.url(path)}.", hint="Check the address of INPUT.")
    if not usable:
        raise InputError(f"There is no research data at {storage.url(path)}.", hint=f"Persona reads {KINDS}.")
    if total > 4 * MAX_FILE_BYTES:
        raise too_large(storage.url(path), total)
    dataset = read_files([(_relative(path, found.path), await _bytes(storage, found)) for found in usable])
    if skipped:
        shown = ", ".join(skipped[:5]) + (f" and {len(skipped) - 5} more" if skipped[5:] else "")
        dataset.notes.append(f"Not read, being of other kinds: {shown}.")
    return dataset


async def _listed(storage: StorageBackend, path: str) -> tuple[list[StorageObject], list[str], int]:
    """Return the objects of known kinds, the names of the others, and the bytes of the former."""
    usable: list[StorageObject] = []
    skipped: list[str] = []
    async for page in storage.scan(path):
        for found in page:
            name = _relative(path, found.path)
            if is_readable(name):
                usable.append(found)
            elif not any(part.startswith(".") for part in name.split("/")):
                skipped.append(name)
        skipped += [name.key for name in page.refused]
        if len(usable) > MAX_FILES:
            raise InputError(f"There are more than {MAX_FILES} files at {storage.url(path)}.")
    return usable, skipped, sum(found.size for found in usable)


def _relative(folder: str, path: str) -> str:
    return path.removeprefix(f"{folder}/") if folder else path


async def _bytes(storage: StorageBackend, found: StorageObject) -> bytes:
    if found.size > MAX_FILE_BYTES:
        raise too_large(found.path, found.size)
    return await storage.read(found.path)
