"""What an entry of a folder is really called, where the file system takes several names for one.

Windows and macOS usually take names that differ in case alone for one, and APFS those that differ in their Unicode form
(https://support.apple.com/guide/disk-utility/dsku19ed921c/mac). Some folders on Linux do so as well
(https://docs.kernel.org/admin-guide/ext4.html#case-insensitive-file-name-lookups). It is a property of each folder, so
every folder is asked, by looking up another spelling: that costs one call to the system where names are told apart.
"""

from __future__ import annotations

import os
from contextlib import suppress

from persona.errors import NameRefusedError
from persona.storage import paths
from persona.storage.backends.local_folder import Folder


def taken_by(folder: Folder, name: str) -> str | None:
    """Return the entry that a name leads to if that entry has another name; None if it is its own, or there is none."""
    if not any(_is_same(folder, name, other) for other in paths.lookalikes(name)):
        return None
    entries = os.listdir(folder.path if folder.fd is None else folder.fd)
    if name in entries:
        return None
    folded = paths.fold(name)
    return next((entry for entry in entries if paths.fold(entry) == folded), None)


def refuse_taken(folder: Folder, name: str) -> None:
    """Raise NameRefusedError if a name leads to an entry of another name, which a write would replace."""
    if (other := taken_by(folder, name)) is not None:
        raise NameRefusedError(
            f"“{paths.printable(name)}” cannot be written in {folder.path}: this disk takes it for "
            f"“{paths.printable(other)}”, {_difference(name, other)}, which is there.",
            hint="Rename one of the two, or use a disk that tells them apart.",
        )


def _difference(name: str, other: str) -> str:
    """Return in words by what two names differ."""
    return "the same in another Unicode form" if other in paths.other_forms(name) else "the same but for the case"


def _is_same(folder: Folder, name: str, other: str) -> bool:
    """Say whether two names lead to one entry."""
    with suppress(OSError):
        return os.path.samestat(folder.lstat(other), folder.lstat(name))
    return False
