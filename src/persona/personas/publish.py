"""A run's personas are written to a library, with the record of the run beside them.

1. Everything is looked at first: the places of the new personas, the record of an earlier run, and the files it wrote.
   What may not be replaced is refused before anything is written.
2. What will be replaced or removed is copied to ``.persona-backup``.
3. The record is written, naming the new files and those of earlier runs that are still there. From here on an
   interrupted run is known by its record.
4. The personas are written, each where what was looked at still stands.
5. With `Mode.REPLACE`, the files that an earlier run wrote and nobody has changed since are removed, each under the
   version that was looked at; then the record is written again without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from persona.errors import AlreadyExistsError, ConflictError, InputError, NotFoundError, PersonaError, UnreachableError
from persona.personas import document, runs
from persona.personas.bounded import read_bounded
from persona.personas.library import exist_already, look, path_of, write_all, written_by_others
from persona.personas.replaced import keep_replaced
from persona.storage.backend import IfAbsent, IfVersion, StorageBackend, StorageObject
from persona.storage.paths import join

if TYPE_CHECKING:
    from persona.personas.model import Persona

_SHOWN = 5


@dataclass
class Published:
    """What was written.

    Args:
        paths: the personas, in their order.
        record: the record of the run.
        backup: the folder that holds the old contents; "" if nothing was replaced.
        removed: the files of an earlier run that were taken away.
        remaining: those that are still there: they were changed since, or their removal was not asked for.
        failed: those that could not be removed, each with the reason.
    """

    paths: list[str]
    record: str
    backup: str = ""
    removed: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass
class _Seen:
    """What a library holds where a run would write, or an earlier run wrote.

    Args:
        found: what is at each path, None if nothing.
        earlier: the digests of the files that earlier runs wrote, by path.
        digests: the digests of what these paths hold now.
        last: what the record of the last run says; None if there is none.
    """

    found: dict[str, StorageObject | None]
    earlier: dict[str, str]
    digests: dict[str, str]
    last: runs.Written | None

    def unchanged(self, path: str) -> bool:
        """Say whether a file is as an earlier run wrote it."""
        return path in self.earlier and self.digests.get(path) == self.earlier[path]


async def publish(
    storage: StorageBackend,
    folder: str,
    personas: Sequence[Persona],
    record: Mapping[str, Any],
    *,
    overwrite: bool = False,
    replace: bool = False,
) -> Published:
    """Write the personas of a run, and its record.

    Args:
        storage: where to.
        folder: the library's path.
        personas: what to write.
        record: the record of the run, as `persona.personas.runs.run_record` returns it.
        overwrite: replace what is there under the names of the new personas; other personas stay.
        replace: replace and remove the personas of earlier runs of this folder that nobody has changed since.

    Raises:
        AlreadyExistsError: something is there that may not be replaced; nothing was written.
        ConflictError: somebody else wrote in between; the message says what was written before.
        UnreachableError: `replace`, and the provider does not respond.
    """
    contents = {path_of(folder, persona): document.write(persona) for persona in personas}
    place = join(folder, runs.RUN_FILE)
    if place in contents:
        raise InputError(f"No persona can have the id of {place}.", hint="Use --name-prefix.")
    seen = await _look(storage, folder, place, list(contents), read=replace)
    prefix = str(record["options"]["prefix"])
    _require_free(seen, folder, place, contents, prefix, overwrite=overwrite, replace=replace)
    old = [path for path in seen.earlier if seen.found.get(path) is not None and path not in contents]
    gone = [path for path in old if replace and seen.unchanged(path)]
    stays = [path for path in old if path not in gone]
    first = _record(record, contents, seen, folder, old)
    last = _record(record, contents, seen, folder, stays) if gone else first
    kept = await keep_replaced(storage, {**contents, place: last, **dict.fromkeys(gone)}, seen.found)
    noted = await _write_record(storage, place, first, seen.found[place])
    paths = await write_all(storage, contents, seen.found, personas)
    made = Published(paths, place, _backup(kept), remaining=stays)
    await _remove(storage, gone, seen, made)
    if made.removed:
        left = _record(record, contents, seen, folder, [*stays, *made.failed])
        await _write_record(storage, place, left, noted, paths)
    return made


async def _look(storage: StorageBackend, folder: str, place: str, paths: Sequence[str], *, read: bool) -> _Seen:
    """Look at what is where a run would write.

    Args:
        storage: where to.
        folder: the library's path.
        place: the path of the record.
        paths: those of the new personas.
        read: whether what an earlier run wrote is read, to see if it was changed since.
    """
    found = await look(storage, [*paths, place])
    if read and storage.defers_writes:
        raise UnreachableError(
            f"What an earlier run wrote to {storage.url(folder)} cannot be looked at: its provider does not respond.",
            hint="Run the command again later, or use another --output.",
        )
    data = await _content(storage, found[place])
    try:
        written = runs.read_written(place, data) if data is not None else None
    except InputError:  # somebody's own file
        written = None
    earlier = {join(folder, name): value for name, value in written.known.items()} if written else {}
    found |= await look(storage, [path for path in earlier if path not in found])
    digests: dict[str, str] = {}
    for path in dict.fromkeys([*paths, *earlier]) if read else ():
        if (held := await _content(storage, found[path])) is not None:
            digests[path] = runs.digest(held)
    return _Seen(found, earlier, digests, written)


async def _content(storage: StorageBackend, existing: StorageObject | None) -> bytes | None:
    """Return what an object holds; None if it is not there, or larger than any file of a run."""
    if existing is None:
        return None
    try:
        return await read_bounded(storage, existing.path, document.MAX_BYTES)
    except NotFoundError:
        return None
    except UnreachableError:
        if storage.defers_writes:
            return None
        raise


def _require_free(
    seen: _Seen, folder: str, place: str, contents: Mapping[str, bytes], prefix: str, *, overwrite: bool, replace: bool
) -> None:
    """Raise `AlreadyExistsError` if something is there that may not be replaced.

    Only another prefix, under which no name is taken, says that the personas of both runs are wanted.
    """
    taken = [path for path in contents if seen.found[path] is not None]
    foreign = seen.found[place] is not None and seen.last is None
    if overwrite:
        return
    if replace:
        others = [path for path in taken if not _replaceable(seen, path, contents[path])] + [place] * foreign
        if others:
            raise _changed_by_others(others)
    elif taken or foreign:
        raise exist_already(taken or [place])
    elif seen.last is not None and seen.last.prefix == prefix:
        raise AlreadyExistsError(
            f"{folder} holds the personas of another run (--seed {seen.last.seed}). Nothing was written.",
            hint="Use --replace to take them away, --overwrite to keep them beside the new ones, or another --output.",
        )


def _replaceable(seen: _Seen, path: str, data: bytes) -> bool:
    """Say whether a file is as an earlier run wrote it, or as this one will."""
    return seen.unchanged(path) or seen.digests.get(path) == runs.digest(data)


def _changed_by_others(paths: Sequence[str]) -> AlreadyExistsError:
    shown = ", ".join(paths[:_SHOWN]) + (f" and {len(paths) - _SHOWN} more" if paths[_SHOWN:] else "")
    return AlreadyExistsError(
        f"Not written by an earlier run, or changed since: {shown}. Nothing was written.",
        hint="Use --overwrite as well to replace them; the old contents are kept.",
    )


def _record(
    record: Mapping[str, Any], contents: Mapping[str, bytes], seen: _Seen, folder: str, earlier: Sequence[str]
) -> bytes:
    """Return the record of a run with the files that it wrote, and those of earlier runs."""
    prefix = join(folder, "x").removesuffix("x")
    return runs.with_files(
        record,
        {path.removeprefix(prefix): data for path, data in contents.items()},
        {path.removeprefix(prefix): seen.earlier[path] for path in earlier},
    )


async def _write_record(
    storage: StorageBackend, place: str, data: bytes, existing: StorageObject | None, written: Sequence[str] = ()
) -> StorageObject:
    condition = IfAbsent() if existing is None else IfVersion(existing.version)
    try:
        return await storage.write(place, data, condition=condition, content_type=document.CONTENT_TYPE)
    except ConflictError as error:
        raise written_by_others(place, written) from error
    except PersonaError as error:
        error.message = f"{error.message} Written before: {', '.join(written) or 'nothing'}."
        raise


async def _remove(storage: StorageBackend, paths: Sequence[str], seen: _Seen, made: Published) -> None:
    """Remove files of an earlier run, each if it is still what was looked at."""
    for path in paths:
        existing = seen.found[path]
        assert existing is not None  # noqa: S101  (only such are passed)
        try:
            await storage.delete(path, condition=IfVersion(existing.version))
        except PersonaError as error:
            made.failed[path] = str(error)
        else:
            made.removed.append(path)


def _backup(kept: Mapping[str, str]) -> str:
    """Return the folder that holds the old contents, with a slash at its end."""
    return next((f"{old.removesuffix(path)}" for path, old in kept.items()), "")
