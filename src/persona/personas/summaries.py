"""What ``persona list`` shows of a library: of what was noted when it was last read, nothing is read again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from persona.errors import InputError, PersonaError, UnreachableError, VerificationError
from persona.personas.document import RunRecordError
from persona.personas.library import (
    PARALLEL,
    SUFFIXES,
    Refused,
    pages,
    read_listed,
    read_part,
    refused_names,
    unreadable,
)
from persona.storage.backend import Listing, Notes, StorageBackend, StorageObject
from persona.storage.reserved import LeftOut

if TYPE_CHECKING:
    from persona.personas.model import Persona

NOTES = "persona-2"
"""The kind of note on a file: id, name and title of a persona, or else the reason why it is none, as JSON.

The note on the record of a run is `RUN_RECORD`.

It ends with the version of the schema: a newer Persona looks anew at what an older one could not read.
"""

RUN_RECORD: dict[str, str] = {"is": "the record of a run"}
"""What is noted of a file that is neither a persona nor wrong."""
Note = list[str] | str | dict[str, str]


class Summary(NamedTuple):
    """One persona as it is listed.

    Args:
        id: its id.
        name: its name.
        title: its title.
        path: where it is.
    """

    id: str
    name: str
    title: str
    path: str


@dataclass
class Summaries:
    """What a library holds, in short.

    Args:
        personas: in the order of the paths' bytes.
        refused: what could not be read, as in a `persona.personas.library.Library`.
        as_of: when the provider said so, if it does not answer now; else None.
        whole: False if only a part is known then.
        reserved: what was left out since Persona keeps it for itself.
        damaged: whether some of what could not be read arrives damaged.
    """

    personas: list[Summary] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    as_of: datetime | None = None
    whole: bool = True
    reserved: LeftOut = field(default_factory=LeftOut)
    damaged: bool = False

    def add(self, path: str, text: Note) -> None:
        """Take over what a note says of a file."""
        if isinstance(text, str):
            self.refused.append(Refused(path, text))
        elif isinstance(text, list):
            self.personas.append(Summary._make((*text, path)))


async def summaries(storage: StorageBackend, folder: str) -> Summaries:
    """List all personas at or below a path; what is no persona is reported and stops nothing.

    Raises:
        NotFoundError: a path other than the root holds nothing at all.
    """
    found, notes = Summaries(), storage.notes(NOTES)
    missing: list[str] = []
    async for page in pages(storage, folder, found.reserved):
        found.whole &= page.whole
        found.as_of = min(filter(None, (found.as_of, page.as_of)), default=None)
        found.refused += refused_names(page)
        missing += await _add(found, storage, page, notes)
    found.refused += await unreadable(storage, folder, missing)
    return found


async def _add(found: Summaries, storage: StorageBackend, page: Listing, notes: Notes | None) -> list[str]:
    """Add what a page has, in its order, and return what was not found."""
    objects = [each for each in page if each.path.lower().endswith(SUFFIXES)]
    texts = _noted(notes, objects)
    rest = [each for each in objects if each.path not in texts]
    made: list[tuple[StorageObject, str]] = []
    for start in range(0, len(rest), PARALLEL):
        part = rest[start : start + PARALLEL]
        for each, text in zip(part, await _read(storage, page, part), strict=True):
            if isinstance(text, Exception):
                found.damaged |= isinstance(text, VerificationError)
                texts[each.path] = str(text)
            elif text is not None:
                texts[each.path] = text
                made.append((each, json.dumps(text, ensure_ascii=False)))
    if notes and made:
        notes.keep(made)
    for each in objects:
        if (known := texts.get(each.path)) is not None:
            found.add(each.path, known)
    return [each.path for each in objects if each.path not in texts]


def _noted(notes: Notes | None, objects: Sequence[StorageObject]) -> dict[str, Any]:
    """Return what notes say, by path; nothing if any of them is not as they are written here."""
    known = notes.of(objects) if notes and objects else {}
    try:
        texts = json.loads(f"[{','.join(known.values())}]")
    except ValueError:
        return {}
    good = len(texts) == len(known) and all(
        isinstance(text, str) or text == RUN_RECORD or _is_persona(text) for text in texts
    )
    return dict(zip(known, texts, strict=True)) if good else {}


def _is_persona(text: object) -> bool:
    return isinstance(text, list) and len(text) == len(Summary._fields) - 1


async def _read(storage: StorageBackend, page: Listing, part: Sequence[StorageObject]) -> list[Note | Exception | None]:
    """Return what to note on each file, or None if it has been deleted since it was listed."""
    if page.as_of is None:
        return [_told(read) for read in await read_part(storage, part)]

    async def known(found: StorageObject) -> Note | Exception | None:
        try:
            return _told(await read_listed(storage, found))
        except UnreachableError as error:
            return error  # the provider is away: then what is known is listed, and this is not known

    return await asyncio.gather(*map(known, part))


def _told(read: Persona | PersonaError | None) -> Note | Exception | None:
    if isinstance(read, RunRecordError):
        return RUN_RECORD
    if isinstance(read, InputError):
        return str(read)
    if isinstance(read, PersonaError):
        return read  # archived, say: it may be readable later, and no note is kept
    return None if read is None else [read.id, read.name, read.title]
