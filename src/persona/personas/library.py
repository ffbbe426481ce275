"""A library: a folder of personas in any storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    BucketNotFoundError,
    ConflictError,
    IncompleteError,
    InputError,
    NotFoundError,
    ObjectStateError,
    PersonaError,
    RequestFailedError,
    UnreachableError,
    VerificationError,
)
from persona.personas import document
from persona.personas.bounded import read_bounded
from persona.personas.named import NOTES, keep_note
from persona.personas.replaced import keep_replaced
from persona.storage.backend import IfAbsent, IfVersion, Listing, StorageBackend, StorageObject
from persona.storage.paths import clean, join, printable
from persona.storage.relisting import UNREADABLE, still_listed
from persona.storage.reserved import LeftOut, is_reserved

if TYPE_CHECKING:
    from persona.personas.model import Persona

SUFFIXES = (".yaml", ".yml")
PARALLEL = 8
"""How many objects are read or looked up at once."""


@dataclass(frozen=True)
class Refused:
    """A file in a library that is no persona.

    Args:
        path: where it is.
        reason: why it cannot be read.
    """

    path: str
    reason: str


@dataclass
class Library:
    """What a library holds.

    Args:
        personas: with their paths, in the order of the paths' bytes.
        refused: YAML files that are no personas or cannot be read, and names that cannot be carried.
        reserved: what was left out since Persona keeps it for itself.
        damaged: whether some of what could not be read arrives damaged.
        whole: False if the provider does not answer, and what is here is only what was kept of the library.
    """

    personas: list[tuple[str, Persona]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    reserved: LeftOut = field(default_factory=LeftOut)
    damaged: bool = False
    whole: bool = True


def path_of(folder: str, persona: Persona) -> str:
    """Return where a persona is kept below a library's folder."""
    return join(folder, f"{persona.id}.yaml")


async def save(
    storage: StorageBackend,
    folder: str,
    personas: Sequence[Persona],
    *,
    overwrite: bool = False,
    kept: dict[str, str] | None = None,
) -> list[str]:
    """Write personas, each as one file; all places are looked at before the first is written.

    Args:
        storage: where to.
        folder: the library's path.
        personas: what to write.
        overwrite: replace what is there, if nobody else changes it in between; the old content is kept first.
        kept: is filled with where the old content of each replaced path is kept.

    Returns:
        The paths, in the order of the personas.

    Raises:
        AlreadyExistsError: some are there and `overwrite` is False; nothing was written.
        ConflictError: somebody else wrote in between; the message says what was written before.
    """
    contents = {path_of(folder, persona): document.write(persona) for persona in personas}
    found = await look(storage, list(contents))
    taken = [path for path, there in found.items() if there is not None]
    if taken and not overwrite:
        raise exist_already(taken)
    if taken:
        old = await keep_replaced(storage, contents, found)
        if kept is not None:
            kept |= old
    return await write_all(storage, contents, found, personas)


def exist_already(taken: Sequence[str]) -> AlreadyExistsError:
    """Return the error that files exist where personas should be written."""
    shown = ", ".join(taken[:5]) + (f" and {len(taken) - 5} more" if taken[5:] else "")
    return AlreadyExistsError(
        f"{'These are' if taken[1:] else 'This is'} there already: {shown}. Nothing was written.",
        hint="Use --overwrite to replace them, or another --output or --name-prefix to keep both.",
    )


async def write_all(
    storage: StorageBackend,
    contents: Mapping[str, bytes],
    found: Mapping[str, StorageObject | None],
    personas: Sequence[Persona],
) -> list[str]:
    """Write personas where what was found still stands.

    Args:
        storage: where to.
        contents: the files, by path, in the order of the personas.
        found: what is at each path now.
        personas: what the files hold.

    Returns:
        The paths.

    Raises:
        ConflictError: somebody else wrote in between; the message says what was written before.
    """
    written: list[str] = []
    notes = storage.notes(NOTES)
    for (path, data), persona in zip(contents.items(), personas, strict=True):
        existing = found[path]
        condition = IfAbsent() if existing is None else IfVersion(existing.version)
        try:
            made = await storage.write(path, data, condition=condition, content_type=document.CONTENT_TYPE)
        except ConflictError as error:
            raise written_by_others(path, written) from error
        except PersonaError as error:
            error.message = f"{error.message} Written before: {', '.join(written) or 'nothing'}."
            raise
        written.append(path)
        if notes is not None:
            keep_note(notes, made, persona)
    return written


def written_by_others(path: str, written: Sequence[str]) -> ConflictError:
    """Return the error that a file was changed since it was looked at.

    Args:
        path: the file.
        written: what was written before.
    """
    return ConflictError(
        f"Someone else wrote {path} meanwhile. Written before: {', '.join(written) or 'nothing'}.",
        hint="Look at what is there now, and run the command again, with --overwrite to replace it.",
    )


async def look(storage: StorageBackend, paths: Sequence[str]) -> dict[str, StorageObject | None]:
    """Return what is at each path, None if nothing, as far as is known: the condition of the write decides."""

    async def look(path: str) -> StorageObject | None:
        try:
            return await storage.stat(path)
        except BucketNotFoundError:
            raise
        except NotFoundError:
            return None
        except UnreachableError:
            if storage.defers_writes:  # what is there is found out when the write is sent
                return None
            raise

    found: dict[str, StorageObject | None] = {}
    for start in range(0, len(paths), PARALLEL):
        part = paths[start : start + PARALLEL]
        found |= dict(zip(part, await asyncio.gather(*map(look, part)), strict=True))
    return found


async def load(storage: StorageBackend, folder: str) -> Library:
    """Read all personas at or below a path; what is no persona is reported and stops nothing.

    Raises:
        NotFoundError: a path other than the root holds nothing at all.
    """
    library = Library()
    missing: list[str] = []
    async for page in pages(storage, folder, library.reserved):
        library.whole &= page.whole
        library.refused += refused_names(page)
        named = [found for found in page if found.path.lower().endswith(SUFFIXES)]
        for start in range(0, len(named), PARALLEL):
            part = named[start : start + PARALLEL]
            for found, result in zip(part, await read_part(storage, part), strict=True):
                if isinstance(result, document.RunRecordError):
                    continue
                if isinstance(result, PersonaError):
                    library.damaged |= isinstance(result, VerificationError)
                    library.refused.append(Refused(found.path, str(result)))
                elif result is None:
                    missing.append(found.path)
                else:
                    library.personas.append((found.path, result))
    library.refused += await unreadable(storage, folder, missing)
    return library


async def pages(storage: StorageBackend, folder: str, left_out: LeftOut) -> AsyncIterator[Listing]:
    """Yield what is at or below a library's path, page by page.

    Args:
        storage: where.
        folder: the library's path.
        left_out: counts what is left out since Persona keeps it for itself.

    Raises:
        NotFoundError: a path other than the root holds nothing at all.
    """
    place, seen = clean(folder), 0
    is_file = place.lower().endswith(SUFFIXES)
    async for page in _scan(storage, place):
        seen += len(page.refused) + len(page.folder_markers)
        page = page.having(left_out.without(page, place))
        seen += len(page)
        yield page
    if not seen and place and (is_file or not await storage.exists(place)):
        raise NotFoundError(
            f"There is nothing at {storage.url(place)}.", hint="persona generate INPUT --output PATH makes a library."
        )


def _scan(storage: StorageBackend, place: str) -> AsyncIterator[Listing]:
    """List a library. What has the folder's own name is no persona's file: asking for it is one more request."""
    return storage.scan(place, after=None if place.lower().endswith(SUFFIXES) else place or None)


async def unreadable(storage: StorageBackend, folder: str, missing: Sequence[str]) -> list[Refused]:
    """Return those of the files that were listed and not found that a new listing still has."""
    return [Refused(path, UNREADABLE) for path in sorted(await still_listed(_scan(storage, clean(folder)), missing))]


def refused_names(page: Listing) -> list[Refused]:
    """Return the names of a page that cannot be carried."""
    return [Refused(printable(name.key), name.reason) for name in page.refused]


async def read_part(storage: StorageBackend, part: Sequence[StorageObject]) -> list[Persona | PersonaError | None]:
    """Return what `read_listed` returns of each, all at once."""
    return await asyncio.gather(*(read_listed(storage, found) for found in part))


async def read_listed(storage: StorageBackend, found: StorageObject) -> Persona | PersonaError | None:
    """Return a persona, why it is none or cannot be read, or None if it is not found.

    What concerns this object alone is returned: it is no persona (`InputError`), is archived, damaged, or the only one
    that the provider does not respond to. What concerns the storage as a whole is raised.
    """
    if found.size > document.MAX_BYTES:
        return document.too_large(found.path, found.size)
    try:
        return await _read(storage, found.path)
    except (InputError, ObjectStateError, RequestFailedError, VerificationError) as error:
        return error
    except BucketNotFoundError:
        raise
    except NotFoundError:
        return None


async def _read(storage: StorageBackend, path: str) -> Persona:
    data = await read_bounded(storage, path, document.MAX_BYTES)
    if data is None:
        raise document.too_large(path, document.MAX_BYTES + 1)
    return document.read(path, data)


async def find(storage: StorageBackend, path: str, key: str | None = None) -> tuple[str, Persona]:
    """Return one persona with its path.

    Args:
        storage: where to look.
        path: its file, with or without ``.yaml``; or a folder, with `key`.
        key: the persona's id within the folder.

    Raises:
        NotFoundError: there is no such persona.
        IncompleteError: it is listed, and cannot be read.
        RequestFailedError: the provider does not respond to a request for it, and does to others.
        UnreachableError: the provider does not answer, and the persona is not known here.
        InputError: the file is no persona.
    """
    place = join(path, key) if key else clean(path)
    tried = [place] if place.lower().endswith(SUFFIXES) else [f"{place}{suffix}" for suffix in ("", *SUFFIXES)]
    if key is not None and is_reserved(place, clean(path)):
        tried = []
    lost: UnreachableError | None = None
    for candidate in tried:
        if not clean(candidate):
            continue
        try:
            return candidate, await _read(storage, candidate)
        except BucketNotFoundError:
            raise
        except NotFoundError:
            continue
        except RequestFailedError as error:
            raise RequestFailedError(f"{storage.url(candidate)} cannot be read: {error}", hint=error.hint) from error
        except UnreachableError as error:  # another of the names may be known here
            lost = lost or error
    if lost is not None:
        raise lost
    await _require_unlisted(storage, tried)
    hint = f"“persona list {path}” shows what there is."
    if not key:
        hint = "If it is a library, say also which persona: persona show PATH ID. “persona list PATH” shows the IDs."
    raise NotFoundError(f"There is no persona at {storage.url(place)}.", hint=hint)


async def _require_unlisted(storage: StorageBackend, paths: Sequence[str]) -> None:
    """Raise `IncompleteError` if a file that was not found is listed; who may not list, cannot know."""
    if not paths:
        return
    folder = paths[0].rpartition("/")[0]
    try:
        listed = await still_listed(storage.scan(folder, after=folder or None), paths)
    except AccessDeniedError:
        return
    for path in sorted(listed):
        raise IncompleteError(f"{storage.url(path)} cannot be read. {UNREADABLE}", hint="Ask the storage's provider.")
