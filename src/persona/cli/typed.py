"""Paths as a user types them: whether they lie in the storage or on this machine, and which Unicode form they mean."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TypeVar

from persona.cli.files import on_this_machine
from persona.errors import BucketNotFoundError, NotFoundError, UsageError
from persona.storage.backend import StorageBackend
from persona.storage.paths import clean, other_forms, printable
from persona.storage.urls import is_url

T = TypeVar("T")

log = logging.getLogger(__name__)

STORAGE = "storage:"
"""Begins a path that lies in the storage, however it goes on; a name that begins so is written ``./storage:x``."""


def storage_path(text: str, *, writes: bool = False) -> str:
    """Return the storage path that a user means where only the storage can be meant.

    Args:
        text: what was typed. A shell has made an absolute path of ``~/x``.
        writes: whether the command writes there.

    Raises:
        UsageError: it is a storage URL, or looks like a path of this machine.
        NameRefusedError: it cannot name anything.
    """
    if text.startswith(STORAGE):
        return clean(text.removeprefix(STORAGE))
    if is_url(text):
        raise UsageError(
            f"“{printable(text)}” is a storage URL, and this is a path in the workspace's storage, such as personas/.",
            hint="Create a workspace for that place: persona workspace create NAME --backend s3 --set s3.bucket=BUCKET",
        )
    if text != "/" and not text.startswith("./") and looks_local(text):
        raise UsageError(
            f"“{printable(text)}” looks like a path of this machine, and this is a path in the workspace's storage.",
            hint=_both_spellings(text, writes=writes),
        )
    return clean(text)


def looks_local(text: str) -> bool:
    """Say whether a path is spelled as one of this machine: ``/x``, ``./x``, ``../x``, ``~/x``, ``~user/x``.

    A ``~`` is a user's home only if there is such a user, as in a shell; ``~$notes.docx`` is a name.
    """
    spelled = text.replace(os.sep, "/")
    if spelled in (".", "..", "~") or spelled.startswith(("/", "./", "../", "~/")):
        return True
    return Path(text).is_absolute() or os.path.expanduser(text) != text  # noqa: PTH111  (which raises without a user)


def _both_spellings(text: str, *, writes: bool) -> str:
    """Return how to name what was probably meant in the storage, and how to reach the folder of this machine."""
    local = Path(os.path.abspath(on_this_machine(text)))  # noqa: PTH100  (links stay as they are)
    bases = [Path(local.anchor)]
    with suppress(OSError, UsageError):  # the current folder may be gone, or there is no home
        bases[:0] = [Path.cwd(), on_this_machine("~")]
    inner = next(local.relative_to(base) for base in bases if local.is_relative_to(base))
    name = quote(f"{inner.as_posix()}/" if inner.parts else "personas/")
    ends = f"--from {name} --to {local.as_uri()}" if writes else f"--from {local.as_uri()} --to {name}"
    return f"In the storage: {name}. For the folder of this machine: persona storage sync {ends}"


async def in_either_form(read: Callable[..., Awaitable[T]], *typed: str) -> T:
    """Read by names as they were typed or, if there is nothing of these names, by their other Unicode form.

    A keyboard gives composed letters (NFC), and names that a Mac has written often have decomposed ones (NFD).

    Args:
        read: reads by the names; raises NotFoundError if there is nothing.
        typed: the names.

    Raises:
        NotFoundError: there is nothing in any form.
    """
    try:
        return await read(*typed)
    except BucketNotFoundError:
        raise
    except NotFoundError:
        for other in _other_spellings(typed):
            try:
                found = await read(*other)
            except NotFoundError:
                continue
            note_other_form(" ".join(typed), " ".join(other))
            return found
        raise


async def existing_form(storage: StorageBackend, path: str) -> str:
    """Return a storage path as it was typed or, if only that one exists, in its other Unicode form."""

    async def look(form: str) -> str:
        async for page in storage.scan(form):
            if page or page.refused or page.folder_markers:
                return form
        raise NotFoundError(f"There is nothing at {storage.url(form)}.")

    if not other_forms(path):  # nothing is asked for most paths
        return path
    try:
        return await in_either_form(look, path)
    except BucketNotFoundError:
        raise
    except NotFoundError:
        return path


def note_other_form(typed: str, taken: str) -> None:
    """Warn that a name was not taken as it was typed."""
    log.warning("“%s” was taken as “%s”, the same name in another Unicode form.", printable(typed), printable(taken))


def _other_spellings(typed: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return all of some names in NFC and all in NFD, as far as that differs."""
    whole = "\0".join(typed)
    return [tuple(form.split("\0")) for form in other_forms(whole)]
