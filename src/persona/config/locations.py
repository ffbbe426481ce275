"""Where configuration lives: PERSONA_HOME, the files in it, and the project's file."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shlex import quote

from persona import ownership
from persona.disks import is_full
from persona.errors import ConfigError, StorageFullError

_log = logging.getLogger(__name__)

FILE_NAME = "persona.yaml"


def persona_home(environ: Mapping[str, str]) -> Path:
    """Return the folder of everything that the program keeps: PERSONA_HOME, or else ``~/.persona``.

    Raises:
        ConfigError: the place is taken by something that is no folder, or cannot be looked at.
    """
    try:
        home = Path(environ.get("PERSONA_HOME") or "~/.persona").expanduser().absolute()
    except RuntimeError as exc:
        raise ConfigError("There is no home folder to keep anything in.", hint="Set PERSONA_HOME.") from exc
    try:
        _check(home)
    except (FileNotFoundError, PermissionError):
        pass  # made when something is first written; unreadable folders show themselves when a file is read
    except OSError as exc:
        raise ConfigError(f"PERSONA_HOME, {home}, cannot be used: {exc.strerror}.", hint=_OTHER_HOME) from exc
    return home


_OTHER_HOME = "Set PERSONA_HOME to a folder that you may write to."


def _check(home: Path) -> None:
    """Refuse a home that others may have filled, and warn of one that they may move away."""
    found = home.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(0, "it is not a folder")
    if ownership.is_others(found):
        raise foreign(home, f"it belongs to {ownership.owner_name(found)}")
    if ownership.is_writable_by_others(found, home):
        for entry in home.iterdir():
            if ownership.is_others(inside := entry.lstat()):
                owner = ownership.owner_name(inside)
                raise foreign(home, f"others may write to it, and {entry.name} in it belongs to {owner}")
    _tighten(home, found)
    doubt = ownership.doubt_of_way(home, Path(home.anchor))
    if not doubt and not found.st_mode & stat.S_ISVTX:
        doubt = ownership.doubt_of_folder(home)
    if doubt:
        _log.warning("PERSONA_HOME, %s, is not safe from other users of this machine: %s.", home, doubt)


def _tighten(home: Path, found: os.stat_result) -> None:
    """Take other people's rights off a home that is ours alone; leave shared folders such as /tmp alone."""
    ours = os.name == "posix" and ownership.owner_of(found) == ownership.user()
    users = os.path.expanduser("~")  # noqa: PTH111  (pathlib's raises where there is no home)
    shared = found.st_mode & stat.S_ISVTX or home in (Path(home.anchor), Path(users))
    if ours and not shared:
        for path in (home, user_file(home)):
            if path.exists() and path.stat().st_mode & 0o077:
                path.chmod(path.stat().st_mode & 0o700)


def is_closed(home: Path) -> bool:
    """Say whether the mode of a home keeps others out, so that modes below it do not matter."""
    try:
        return os.name == "posix" and not home.stat().st_mode & 0o077
    except OSError:
        return False


def foreign(path: Path, doubt: str) -> ConfigError:
    """Return the error that what is kept for the user may be another's.

    Args:
        path: PERSONA_HOME, or a file in it.
        doubt: why, as `persona.ownership.open_file` says it.
    """
    return ConfigError(f"{path} is not used: {doubt}.", hint=_own_hint(path))


def _own_hint(path: Path) -> str:
    """Return what makes a file or folder one's own, or another's command: root in a container has others' files."""
    named = quote(str(path))
    other = "Otherwise remove it, or set PERSONA_HOME to a folder of your own."
    with suppress(OSError):
        owner = ownership.owner_of(path.stat())
        if ownership.user() == 0 and owner:
            return (
                f"Run the command as that user: sudo -u '#{owner}' -E persona …; or a container with --user {owner}. "
                f"Or take it: chown -R 0 {named}. {other}"
            )
        if owner not in (0, ownership.user()):
            return f"If it is yours, take ownership: sudo chown -R {ownership.user()} {named}. {other}"
    return f"If it is yours, remove write access for others: chmod -R go-w {named}. {other}"


def read_own(file: Path, home: Path, limit: int) -> bytes:
    """Return what a file below the home holds.

    Args:
        file: the file.
        home: PERSONA_HOME.
        limit: the most bytes to read.

    Raises:
        ConfigError: others may have written it.
        OSError: it cannot be read.
    """
    stream, doubt = ownership.open_file(file, home, modes=not is_closed(home))
    with stream:
        if doubt:
            raise foreign(file, doubt)
        return stream.read(limit)


def make_folder(folder: Path, home: Path) -> None:
    """Make a folder in the home, and the home, for nobody else to look into.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        for path in [*reversed([p for p in folder.parents if p == home or home in p.parents]), folder]:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if ownership.is_others(found := path.stat()):
                raise foreign(path, f"it belongs to {ownership.owner_name(found)}")
    except OSError as exc:
        if is_full(exc):
            raise StorageFullError(
                f"{folder} cannot be made: {exc.strerror}.", hint="Free some space on the disk of PERSONA_HOME."
            ) from exc
        raise ConfigError(f"{folder} cannot be made: {exc.strerror}.", hint=_OTHER_HOME) from exc


def user_file(home: Path) -> Path:
    """Return the user's own file."""
    return home / FILE_NAME


def workspace_folder(home: Path, name: str) -> Path:
    """Return the folder of a named workspace."""
    return home / "workspaces" / name


def workspace_file(home: Path, name: str) -> Path:
    """Return the file of a named workspace."""
    return workspace_folder(home, name) / FILE_NAME


def project_file(home: Path) -> Path | None:
    """Return the persona.yaml of the current folder or the nearest above; but none in the home.

    Raises:
        ConfigError: the current folder is gone.
    """
    try:
        folder = Path.cwd()
    except OSError as exc:
        raise ConfigError("The current folder is gone.", hint="Change to another folder.") from exc
    real_home = Path(os.path.realpath(home))
    for place in (folder, *folder.parents):
        inside = real_home in (place, *place.parents)
        if not inside and is_there(place / FILE_NAME):
            return place / FILE_NAME
    return None


def is_there(path: Path) -> bool:
    """Say whether there is a file, even one that cannot be read, or a link to nowhere: an error for later."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
