"""The two sides of a transfer, out of what a user calls them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shlex import quote
from urllib.parse import unquote

from persona.cli.files import on_this_machine
from persona.cli.session import Session
from persona.cli.typed import STORAGE, looks_local, note_other_form
from persona.config.places import Place, place_of
from persona.config.schema import BACKENDS, StorageSettings
from persona.errors import ConfigError, NotFoundError, UsageError
from persona.storage.backend import StorageBackend
from persona.storage.paths import clean, is_below, is_text, other_forms, printable
from persona.storage.reserved import is_reserved
from persona.storage.stack import informing, open_below
from persona.storage.urls import is_url, url_settings
from persona.transfer.model import Endpoint

Opener = Callable[[Session, str, int | None], Endpoint]
"""Opens a place by what a user calls it."""

_WORKSPACE = "workspace:"
_FILE = "file://"
_LIKE_A_URL = re.compile(r"(?:s3|gs|az|https?):/(?!/)|file:(?!//)", re.IGNORECASE)


def section(session: Session, name: str, concurrency: int | None) -> Endpoint:
    """Return what ``migrate`` calls X: a backend section, ``workspace:NAME`` or a storage URL.

    Raises:
        UsageError: it is none of these.
    """
    if name in BACKENDS:
        return _open(name, replace(session.workspace.settings.storage, backend=name), "", concurrency)
    if name.startswith(_WORKSPACE) or is_url(name):
        return folder(session, name, concurrency)
    raise UsageError(
        f"“{name}” is no place to migrate from or to.",
        hint="Use local, s3, gcs or azure, or workspace:NAME, or a URL such as s3://bucket/prefix.",
    )


def folder(session: Session, path: str, concurrency: int | None) -> Endpoint:
    """Return what ``sync`` calls PATH: a folder of this machine, a storage path, a workspace or a storage URL."""
    settings = session.workspace.settings.storage
    _check_spelling(path)
    if path.startswith(_WORKSPACE):
        name, _, below = path.removeprefix(_WORKSPACE).partition("/")
        return _open(path, _of_workspace(session, name), clean(below), concurrency)
    if path.startswith(STORAGE):
        return _open(path, settings, clean(path.removeprefix(STORAGE)), concurrency)
    if is_local(path):
        absolute = _here(path)
        name = path if path.startswith(_FILE) else str(absolute)  # a resumed job may run in another folder
        return _open(name, _local(settings, absolute), "", concurrency)
    if is_url(path):
        place, below = url_settings(path, settings)
        return _open(path, place, below, concurrency)
    return _open(path, settings, clean(path), concurrency)


def _check_spelling(path: str) -> None:
    """Raise UsageError for a PATH that is most likely a slip: an empty variable of a shell, a URL with one slash."""
    if not path:
        raise UsageError("A PATH is empty.", hint="The whole storage is written storage:, the current folder ./")
    if _LIKE_A_URL.match(path):
        raise UsageError(
            f"“{printable(path)}” is neither a storage URL nor a plain storage path.",
            hint=f"Use s3://bucket/key or file:///abs/path. For a storage path of this name: "
            f"{quote(STORAGE + printable(path))}",
        )


def is_local(path: str) -> bool:
    """Say whether a PATH of ``sync`` means a folder of this machine."""
    return path.startswith(_FILE) or looks_local(path)


def names_prefix(path: str) -> bool:
    """Say whether a PATH is the URL of a prefix: one that holds nothing is a typo, while a bucket may be empty."""
    return is_url(path) and not is_local(path) and bool(path.partition("://")[2].partition("/")[2].strip("/"))


def check_folder(path: str) -> None:
    """Raise NotFoundError if a PATH means a folder of this machine that does not exist, in either Unicode form."""
    if not is_local(path):
        return
    if not any(_is_folder(_here(form)) for form in (path, *other_forms(path))):
        if _is_file(_here(path)):
            raise _one_object(path, *path.rpartition("/")[::2])
        raise NotFoundError(
            f"There is no folder {printable(str(_here(path)))}.",
            hint="Check --from. In the storage: write team/x or storage:team/x.",
        )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it cannot be looked at, or is too long for a name
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _one_object(path: str, folder: str, name: str) -> NotFoundError:
    """Return the error for a source that is one object; its folder can be taken, and nothing else of it."""
    return NotFoundError(
        f"“{printable(path)}” is one object, and --from names a folder.",
        hint=f"persona storage sync --from {quote(printable(folder) or './')} --include {quote('/' + printable(name))}",
    )


async def require_folder(session: Session, path: str) -> None:
    """Raise NotFoundError with the fix if a source in which nothing is found is an object.

    Args:
        session: the global options.
        path: the source as it was typed: a storage path, a workspace with one, or a URL.
    """
    folder_of, _, name = path.rpartition("/")
    if not folder_of:
        folder_of, name = STORAGE, path.removeprefix(STORAGE)
    if not name or folder_of.endswith("/") or is_local(path):
        return
    parent = folder(session, folder_of, None)
    try:
        if await parent.backend.exists(name):
            raise _one_object(path, folder_of, name)
    finally:
        await parent.backend.close()


def _here(path: str) -> Path:
    """Return the folder of this machine that a PATH means.

    Raises:
        UsageError: it is a URL with a host, or of a relative path; or its name is not valid UTF-8.
    """
    is_file_url = path.startswith(_FILE)
    place = Path(unquote(path.removeprefix(_FILE))) if is_file_url else on_this_machine(path)
    if is_file_url and not place.is_absolute():
        raise UsageError(f"“{path}” is no folder of this machine.", hint="Use file:///abs/path.")
    absolute = os.path.abspath(place)  # noqa: PTH100  (".." is the user's, and links stay as they are)
    if not is_text(absolute):
        raise UsageError(
            f"The name of the folder {printable(absolute)} is not valid UTF-8, and the journal of a job is.",
            hint="Rename it, or make a link to it and name that.",
        )
    return Path(absolute)


async def in_existing_form(source: Endpoint, typed: str, opener: Callable[[str], Endpoint]) -> Endpoint:
    """Return the source of a transfer or, if it has nothing and its other Unicode form has, that one.

    Args:
        source: the source as it was typed.
        typed: what was typed.
        opener: opens what else could have been typed.
    """
    forms = other_forms(typed)
    if not forms or await _holds_anything(source.backend):
        return source
    for form in forms:
        other = opener(form)
        if await _holds_anything(other.backend):
            await source.backend.close()
            note_other_form(typed, form)
            return other
        await other.backend.close()
    return source


async def _holds_anything(storage: StorageBackend) -> bool:
    async for page in storage.scan():
        if page or page.refused:
            return True
    return False


def check_apart(source: Endpoint, target: Endpoint) -> None:
    """Raise UsageError if one place is the other, or lies in it; but what was kept there may be brought back."""
    kept = is_below(source.place.path, target.place.path) and is_reserved(source.place.path, target.place.path)
    if source.place.meets(target.place) and not kept:
        raise UsageError(
            f"{source.backend.url()} and {target.backend.url()} are one place, or one lies in the other.",
            hint="Use two places that are apart.",
        )


def check_reserved(path: str) -> None:
    """Raise UsageError if a destination is a storage path that is reserved; a folder of this machine never is."""
    if not is_local(path) and is_reserved(path.removeprefix(STORAGE)):
        raise UsageError(
            f"Nothing can be copied to “{printable(path)}”: names that begin with “.persona-” are reserved.",
            hint="Name another destination.",
        )


async def check_there(*ends: Endpoint) -> None:
    """Raise UnreachableError if nobody is there at a place; within a job, what fails is tried again for longer."""
    import asyncio

    from persona.storage.outage import require

    await asyncio.gather(*(require(end.backend.address()) for end in ends))


async def check_residency(session: Session, target: Endpoint) -> None:
    """Raise ConfigError if a destination is in a region that its own workspace, or the one in effect, does not allow.

    The provider is asked, whatever it said before.
    """
    rules = {rule for rule in (session.workspace.settings.storage.residency, target.residency) if rule.allow}
    if not rules:
        return
    from persona.storage.residency import residence

    for found in [await residence(target.backend, rule) for rule in rules]:
        found.enforce()


def speak_of_outbox(session: Session, *ends: Endpoint) -> None:
    """Note that writes which wait in the workspace's outbox for one of these places take no part."""
    from persona.storage.stack import open_outbox, place_in

    waiting = [entry.place for entry in open_outbox(session.workspace.settings.storage, session.keeping()).everything()]
    for end in ends:
        count = sum(place_in(identity).meets(end.place) for identity in waiting)
        if count:
            session.note(
                f"{count} write{'' if count == 1 else 's'} to {end.backend.url()} wait in the outbox and take no part. "
                "“persona storage outbox flush” sends them."
            )


def where(identity: str) -> str:
    """Return an endpoint's identity as people read it: the service, the bucket, the folder."""
    container, _, path = identity.partition("|")
    return f"{container}, folder “{path}”"


def _local(settings: StorageSettings, place: Path) -> StorageSettings:
    return replace(settings, backend="local", local=replace(settings.local, path=place))


def _of_workspace(session: Session, name: str) -> StorageSettings:
    from persona.workspace import resolve

    return resolve(name, config_file=session.config_file, overrides=session.overrides).settings.storage


def _open(name: str, settings: StorageSettings, below: str, concurrency: int | None) -> Endpoint:
    if concurrency is not None:
        settings = replace(settings, performance=replace(settings.performance, concurrent_uploads=concurrency))
    backend = open_below(settings, below)
    place = place_of(settings, os.environ)
    if place is None:  # the backend would not have opened
        raise ConfigError(f"The place of {name} is not set.", hint="See “persona storage config show”.")
    path = f"{place.path}/{below}".strip("/") if below else place.path
    found = Place(backend.url(), place.container, path)
    return Endpoint(name, found, informing(backend, found, settings.cache), settings.residency)
