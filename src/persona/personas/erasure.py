"""Erasing a respondent from a storage: finding what it holds of one, and taking that out.

All of it can be done again at any moment: what is done is found to be done. The tombstone is laid first, so that copies
made meanwhile honour it; each object is changed under the version in which it was looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from persona.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    ConflictError,
    CredentialsError,
    NotFoundError,
    PersonaError,
    UnreachableError,
)
from persona.personas import subjects
from persona.personas.findings import Done, Erased, Found, Hit, PastHit, Result, Unread, Unsearched, results_of
from persona.personas.library import PARALLEL, SUFFIXES
from persona.personas.named import keep_note, may_name
from persona.personas.past_search import TOO_LARGE, PastSearch
from persona.personas.subjects import (
    HEAD_BYTES,
    MAX_BYTES,
    Opaque,
    Trace,
    in_metadata,
    is_opaque,
    look,
    named_by,
    opaque,
    trace,
)
from persona.storage.backend import IfVersion, Listing, Notes, StorageBackend, StorageObject
from persona.storage.content_headers import NO_HEADERS, ContentHeaders
from persona.storage.outage import PROBE
from persona.storage.outbox import Outbox
from persona.storage.paths import printable
from persona.storage.relisting import UNREADABLE, still_listed
from persona.storage.tombstones import is_tombstone

_CHANGED = "Others changed it each time before it could be erased. Run the command again."
_ROUNDS = 4
"""How often what others wrote meanwhile is looked through again."""


class Search:
    """Looks through a storage for a respondent; what was clean once is not read again.

    Args:
        storage: where to look; what it says must come from the provider.
        notes: notes on the ids that personas name, or None.
        subject: the id.
    """

    def __init__(self, storage: StorageBackend, notes: Notes | None, subject: str) -> None:
        self._storage = storage
        self._notes = notes
        self._subject = subject
        self._clean: set[tuple[str, str]] = set()
        self._missing: list[str] = []
        self._past = PastSearch(storage, subject)
        self._provider, _ = storage.beneath("")  # one object that cannot be read must not open the circuit for all

    async def all(self, outbox: Outbox | None = None) -> Found:
        """Find everything: objects, earlier versions, and what waits to be sent.

        Raises:
            UnreachableError, CredentialsError, BucketNotFoundError: nothing can be found at all.
        """
        found = Found()
        if outbox is not None:
            self._in_outbox(outbox, found)
        self._missing = []
        async for page in self._storage.scan(""):
            await self._in_page(page, found)
        listed = await still_listed(self._storage.scan(""), self._missing)
        found.unread += [Unread(path, UNREADABLE) for path in sorted(listed)]
        await self._past.search(found)
        return found

    async def _in_page(self, page: Listing, found: Found) -> None:
        found.versions |= {each.path: each.version for each in page}
        found.unread += [Unread(printable(name.key), name.reason) for name in page.refused]
        named = [name for name in page.folder_markers if named_by(name, self._subject)]
        found.unread += [Unread(printable(name), _MARKER) for name in named]
        objects = [
            each for each in page if not is_tombstone(each.path) and (each.path, each.version) not in self._clean
        ]
        objects = self._without_noted(objects)
        for start in range(0, len(objects), PARALLEL):
            part = objects[start : start + PARALLEL]
            results = await asyncio.gather(*map(self._look, part))
            found.add(each for result in results for each in result)

    def _without_noted(self, objects: Sequence[StorageObject]) -> list[StorageObject]:
        """Return objects without the personas of which notes say that they do not name the respondent."""
        known = self._notes.of(each for each in objects if _is_persona(each)) if self._notes else {}
        return [each for each in objects if each.path not in known or may_name(known[each.path], self._subject)]

    async def _look(self, found: StorageObject) -> list[Result]:
        """Return what an object holds. One that cannot be read is named, and stops nothing."""
        try:
            for _ in range(_ROUNDS):
                try:
                    return await self._looked(found)
                except ConflictError:
                    found = await self._provider.stat(found.path)
        except BucketNotFoundError:
            raise
        except NotFoundError:
            self._missing.append(found.path)
            return []
        except UnreachableError as error:
            await self._provider.exists(PROBE)  # it raises if the provider does not respond to anything
            return [Unread(found.path, str(error))]
        except CredentialsError as error:
            if not isinstance(error, AccessDeniedError):
                raise
            return [Unread(found.path, str(error))]
        except PersonaError as error:
            return [Unread(found.path, str(error))]
        return [Unread(found.path, "It changed each time that it was read, or is listed under another version.")]

    async def _looked(self, found: StorageObject) -> list[Result]:
        """Return what an object holds in one version."""
        data, metadata = await read(self._provider, found)
        named = in_metadata(metadata, self._subject)
        content = data if isinstance(data, bytes) else None
        self._note(found, content)
        seen = await asyncio.to_thread(look, found.path, content, self._subject)
        results: list[Result] = [*results_of(found.path, seen)]
        if seen.trace or named:
            results.append(_hit(found, seen.trace, named))
        if not isinstance(data, bytes) and not named_by(found.path, self._subject):
            too_large = f"{TOO_LARGE} Its metadata names the respondent." if named else TOO_LARGE
            results.append(Unread(found.path, too_large) if data is None else Unsearched(found.path, data.kind))
        if not results:
            self._clean.add((found.path, found.version))
        return results

    def _note(self, found: StorageObject, data: bytes | None) -> None:
        persona = subjects.persona_in(found.path, data) if self._notes is not None and data is not None else None
        if self._notes is not None and persona is not None:
            keep_note(self._notes, found, persona)

    def _in_outbox(self, outbox: Outbox, found: Found) -> None:
        for entry in outbox.everything():
            name = f"outbox {entry.id}"
            try:
                if entry.state == "damaged":
                    raise PersonaError("Its description cannot be read.")
                if entry.op == "write" and entry.size > MAX_BYTES and not named_by(entry.path, self._subject):
                    raise PersonaError(TOO_LARGE)
                large = entry.op != "write" or entry.size > MAX_BYTES
                seen = look(entry.path, None if large else b"".join(outbox.content(entry)), self._subject)
                found.add(results_of(name, seen))
                if seen.trace and seen.trace.certain:
                    found.waiting.append(entry)
                elif seen.trace:
                    found.unread.append(Unread(name, "It mentions the id; look at it yourself."))
            except PersonaError as error:
                found.unread.append(Unread(name, str(error)))


async def erase(
    storage: StorageBackend, search: Search, subject: str, found: Found, *, past: bool
) -> tuple[Done, Found]:
    """Take a respondent out of all objects, and return what was done and what is left.

    Args:
        storage: where.
        search: what has looked through it.
        subject: the id.
        found: what it has found.
        past: whether earlier versions are deleted as well.

    Raises:
        UnreachableError: the provider does not respond. To do it again completes it.
        CredentialsError, BucketNotFoundError: it cannot go on.
    """
    done = Done()
    for _ in range(_ROUNDS):
        done.failed, done.changed = [], {}
        if past:
            await _delete_past(storage, found.past, done)
        for hit in found.hits:
            if hit.action != "look":
                await _take_out(storage, hit, subject, done)
        found = await search.all()
        if not any(hit.action != "look" for hit in found.hits) and not (past and found.past):
            break
        if done.failed and not any(_is_new(hit, done.failed) for hit in found.hits):
            break
    if past and found.past:
        await _delete_past(storage, found.past, done)
        found = await search.all()
    done.failed = [*dict.fromkeys(done.failed)]  # of the last round and of what came after it
    return done, found


async def read(storage: StorageBackend, found: StorageObject) -> tuple[bytes | Opaque | None, Mapping[str, str]]:
    """Return an object's content in the version that was listed, and its metadata, without a request more than needed.

    The content is None if it is too large to be searched, and `Opaque` if it is no text: of a large one only
    the first bytes are read. With the metadata are the headers of the content, which may bear a name as well: that of
    the file in Content-Disposition.
    """
    if found.size > MAX_BYTES:
        return None, await _metadata(storage, found)
    if found.size > 16 * HEAD_BYTES:
        head = await _head(storage, found)
        if is_opaque(head):
            return opaque(found.path, head), await _metadata(storage, found)
    download = await storage.open(found.path, version=found.version)
    data = await download.whole()
    return data, await _metadata(storage, found if found.metadata is not None else download.object)


async def _head(storage: StorageBackend, found: StorageObject) -> bytes:
    return await (await storage.open(found.path, length=HEAD_BYTES, version=found.version)).whole()


async def _metadata(storage: StorageBackend, found: StorageObject) -> Mapping[str, str]:
    """Return an object's metadata and the headers of its content, which not every listing has."""
    if found.metadata is None or found.headers is None:
        found = await storage.stat(found.path)
    return {**dict((found.headers or NO_HEADERS).items()), **(found.metadata or {})}


_MARKER = "A folder marker has the respondent's name. Delete this empty object with your provider's tools."


def _is_new(hit: Hit, failed: Iterable[Unread]) -> bool:
    return hit.action != "look" and hit.path not in {each.path for each in failed}


def _is_persona(found: StorageObject) -> bool:
    return found.path.lower().endswith(SUFFIXES)


def _hit(found: StorageObject, traced: Trace | None, named: Sequence[str]) -> Hit:
    what = traced.what if traced else ()
    if named:
        what += (f"a mention in its metadata ({', '.join(map(printable, named))})",)
    action = "look" if traced is None or not traced.certain else "remove" if traced.left is None else "redact"
    return Hit(found.path, found.version, found.size, what, action)


async def _take_out(storage: StorageBackend, hit: Hit, subject: str, done: Done) -> None:
    """Change one object, if it is still at the version that was looked at; else the next round looks at it anew."""
    try:
        found = await storage.stat(hit.path)
        if found.version != hit.version:
            done.changed[hit.path] = _CHANGED
            return
        content, _ = await read(storage, found)
        traced = trace(hit.path, content if isinstance(content, bytes) else None, subject)
        if traced is None or not traced.certain:
            done.changed[hit.path] = _CHANGED
            return
        if traced.left is None:
            await storage.delete(hit.path, condition=IfVersion(hit.version))
            done.erased.append(Erased(hit.path, "removed", hit.what, hit.version))
            return
        written = await storage.write(
            hit.path,
            traced.left,
            condition=IfVersion(hit.version),
            content_type=found.content_type,
            metadata=_unnamed(found.metadata or {}, subject),
            headers=ContentHeaders.of(_unnamed(dict((found.headers or NO_HEADERS).items()), subject)),
        )
        done.erased.append(Erased(hit.path, "redacted", hit.what, hit.version, written.version))
        done.doubts += [Unread(hit.path, doubt) for doubt in traced.doubts]
    except BucketNotFoundError:
        raise
    except NotFoundError:
        done.changed[hit.path] = UNREADABLE
    except ConflictError:
        done.changed[hit.path] = _CHANGED
    except PersonaError as error:
        await _require_provider(storage, error, done)
        done.failed.append(Unread(hit.path, str(error)))


async def _require_provider(storage: StorageBackend, error: PersonaError, done: Done) -> None:
    """Raise an error if it is of the provider as a whole, and not of one object.

    Raises:
        UnreachableError: the provider does not respond to anything.
    """
    if not isinstance(error, UnreachableError):
        return
    try:
        await storage.exists(PROBE)
    except UnreachableError:
        error.message = f"{error.message} {_so_far(done)}"
        raise error from None


def _unnamed(pairs: Mapping[str, str], subject: str) -> dict[str, str]:
    """Return the pairs that do not mention a respondent."""
    named = in_metadata(pairs, subject)
    return {name: text for name, text in pairs.items() if name not in named}


async def _delete_past(storage: StorageBackend, past: Sequence[PastHit], done: Done) -> None:
    """Delete earlier versions; the markers of deletions last, since what they hide would come back.

    A marker stays where a version that it hides could not be deleted.
    """
    locked: set[str] = set()
    for hit in sorted(past, key=lambda each: each.version.kind == "marker"):
        if hit.version.path in locked and hit.version.kind == "marker":
            continue
        try:
            await storage.beneath("")[0].delete_past(hit.version)
            done.past.append(hit)
        except BucketNotFoundError:
            raise
        except PersonaError as error:
            await _require_provider(storage, error, done)
            locked.add(hit.version.path)
            done.failed.append(Unread(f"{hit.version.path} ({hit.version.kind} {hit.version.id})", str(error)))


def _so_far(done: Done) -> str:
    count = len(done.erased) + len(done.past)
    return f"The erasure is not complete: {count:,} object{'' if count == 1 else 's'} were done; run it again."
