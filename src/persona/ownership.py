"""Whether anyone but the user may have written a file that a command is about to obey.

A file is the user's own if it, and every link that leads to it, belongs to the user or to root, and nobody else may
write to it or put another in its place (git's CVE-2022-24765 is the same question asked of a repository). The open
descriptor is looked at, not the name, so that the file that was checked is the file that is read.

Windows has no such owner and mode: `os.stat` reports user 0 and invents the mode from the read-only attribute (Python,
`os.stat_result`; the rights are in access control lists). There every file counts as the user's own.
"""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache
from io import BufferedReader
from pathlib import Path

MAX_LINKS = 40  # as Linux follows (path_resolution(7))
_ACL = "system.posix_acl_access"


class NotRegularError(OSError):
    """It is a pipe, a device or a socket, which might never end."""


def open_file(file: Path, root: Path | None = None, *, modes: bool = True) -> tuple[BufferedReader, str]:
    """Open a regular file to read it.

    Args:
        file: the file. Links are followed.
        root: the project's folder: those from it down to the file count, otherwise only the file's own.
        modes: whether others must not be able to write to it; False where a closed folder above keeps them out.

    Returns:
        The stream, and why the file may not be the user's own: the end of a sentence; "" if it is.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise NotRegularError(errno.EINVAL, "it is no regular file")
        doubt = _of_found("it", found, descriptor, modes=modes) or doubt_of_way(file, root, modes=modes)
        return os.fdopen(descriptor, "rb"), doubt
    except BaseException:
        os.close(descriptor)
        raise


def doubt_of_way(path: Path, root: Path | None = None, *, modes: bool = True) -> str:
    """Say why others may put another file in the place of this one; "" if they may not.

    Args:
        path: the file or folder, which need not be there.
        root: as for `open_file`.
        modes: as for `open_file`.
    """
    try:
        real, links = _resolved(path)
        folders = [link.parent for link in links] + _folders(real, root)
        doubts = [_of_found(f"the link {link}", link.lstat(), link, modes=False) for link in links]
        doubts += [doubt_of_folder(folder, modes=modes) for folder in dict.fromkeys(folders)]
    except OSError as error:
        return f"the folders above it cannot be looked at: {error.strerror}"
    return next(filter(None, doubts), "")


def doubt_of_folder(folder: Path, *, modes: bool = True) -> str:
    """Say why others may replace the files in a folder; "" if they may not.

    In a folder with the sticky bit, such as /tmp, only the owner of a file may (inode(7)).

    Raises:
        OSError: it cannot be looked at.
    """
    found = folder.stat()
    return _of_found(f"the folder {folder}", found, folder, modes=modes and not found.st_mode & stat.S_ISVTX)


def is_others(found: os.stat_result) -> bool:
    """Say whether something belongs to neither the user nor root."""
    return os.name == "posix" and owner_of(found) not in (user(), 0)


def is_writable_by_others(found: os.stat_result, target: Path | int) -> bool:
    """Say whether the mode lets others than its owner write.

    Args:
        found: its status.
        target: its path or descriptor.
    """
    if os.name != "posix":
        return False
    private = found.st_mode & stat.S_IWGRP and _is_private(found.st_gid, user()) and not _has_acl(target)
    return bool(found.st_mode & (stat.S_IWOTH if private else stat.S_IWOTH | stat.S_IWGRP))


def user() -> int:
    """Return the user whose rights this process has."""
    return os.geteuid()


def owner_of(found: os.stat_result) -> int:
    """Return the number of the user that something belongs to."""
    return found.st_uid


def owner_name(found: os.stat_result) -> str:
    """Return the name of the user that something belongs to, or the number of one without a name."""
    import pwd

    try:
        return pwd.getpwuid(owner_of(found)).pw_name
    except KeyError:
        return f"user {owner_of(found)}"


def _of_found(name: str, found: os.stat_result, target: Path | int, *, modes: bool) -> str:
    if is_others(found):
        return f"{name} belongs to {owner_name(found)}"
    if modes and is_writable_by_others(found, target):
        return f"others may write to {name} (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def _resolved(path: Path) -> tuple[Path, list[Path]]:
    """Return where a path leads, and every link on the way.

    Raises:
        OSError: a part of it cannot be looked at, or the links lead in a circle.
    """
    whole = path.absolute()
    current, links = Path(whole.anchor), []
    parts = list(reversed(whole.parts[1:]))
    while parts:
        part = parts.pop()
        step = current.parent if part == ".." else current / part
        if not step.is_symlink():
            current = step
            continue
        links.append(step)
        if len(links) > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = step.readlink()
        current = Path(target.anchor) if target.is_absolute() else current
        parts += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    return current, links


def _folders(real: Path, root: Path | None) -> list[Path]:
    """Return the folder of a file, and those above it up to the root if it lies there."""
    top = Path(os.path.realpath(root)) if root else real.parent
    return [folder for folder in real.parents if folder.is_relative_to(top)] or [real.parent]


@lru_cache
def _is_private(group: int, owner: int) -> bool:
    """Say whether a group is the user's own: many systems give each user one, and let it write by default.

    The rule is that of ``usergroups`` in pam_umask(8), which sets this default and never does so for root; a group
    that has got other members is not private.
    """
    import grp
    import pwd

    try:
        person, found = pwd.getpwuid(owner), grp.getgrgid(group)
    except KeyError:
        return False
    own = owner != 0 and person.pw_gid == group and (group == owner or found.gr_name == person.pw_name)
    return own and not set(found.gr_mem) - {person.pw_name}


def _has_acl(target: Path | int) -> bool:
    """Say whether an access control list gives rights beside the mode: its mask is shown as the group's (acl(5))."""
    if not hasattr(os, "getxattr"):
        return False
    try:
        return bool(os.getxattr(target, _ACL))
    except OSError:
        return False
