"""Files and folders under one root, and no others: what the local backend stands on.

Every folder is reached from the root by one `openat` a name, none of which follows a link, and files are
then named relative to that open folder. A folder that somebody swaps for a link in between therefore leads
nowhere. A link that is there is followed only if its real place is inside the root, by a second walk in
which no link is allowed. Where Python has no `openat` (Windows) the same steps go by path: the check holds,
but not against a swap in between.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

from persona.config.places import in_utf8
from persona.disks import is_full, is_read_only
from persona.errors import (
    AccessDeniedError,
    ConfigError,
    NameRefusedError,
    NotFoundError,
    PersonaError,
    ReadOnlyError,
    StorageFullError,
    UnreachableError,
)
from persona.locks import LockTimeoutError, locked
from persona.storage import paths
from persona.storage.backends.local_entries import refuse_taken, taken_by
from persona.storage.backends.local_folder import Folder, LinkError

TRIES = 32
"""How often a step is made again that met another process's step; each time, that other process got on."""

LOCK_SECONDS = 60.0
LOCK_FILES = 256

_DENIED = (errno.EACCES, errno.EPERM)
_IN_THE_WAY = (errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.ENXIO, errno.ENODEV)
_OF_ONE_NAME = (*_IN_THE_WAY, errno.EACCES, errno.EPERM, errno.EOVERFLOW, getattr(errno, "ESTALE", errno.EACCES))


class Disk:
    """The files under one root.

    Args:
        root: the folder that holds everything; it need not be there yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.path.abspath(root)
        home = os.path.abspath(os.path.expanduser(os.environ.get("PERSONA_HOME") or "~/.persona"))
        private = self.root == home or self.root.startswith(home + os.sep)
        self.file_mode, self.folder_mode = (0o600, 0o700) if private else (0o666, 0o777)
        self.private = private
        self.holds_home = self.control() == home
        self._prepared = False
        self.swept: set[str] = set()
        """The folders in which this process has removed what killed writers left."""

    def control(self, *names: str) -> str:
        """Return a path in the control folder."""
        return os.path.join(self.root, paths.CONTROL_FOLDER, *names)

    def url(self, path: str = "") -> str:
        """Return where an object is, for people to read, and as it can be given as a URL: with ``%`` escaped."""
        root = in_utf8(self.root).replace(os.sep, "/").strip("/").replace("%", "%25")
        path = path.replace("%", "%25")
        return f"file:///{root}/{path}" if root else f"file:///{path}"

    def walk(self, names: Sequence[str]) -> Folder:
        """Open the folder with these names, one below the other.

        Raises:
            FileNotFoundError, NotADirectoryError: there is none.
            NameRefusedError: a link leads out of the root.
        """
        folder = Folder.at_root(self.root)
        for name in names:
            with folder:
                folder = self._child(folder, name)
        return folder

    def parent(self, path: str, *, make: bool = False) -> tuple[Folder, str]:
        """Open the folder that holds an object's file, and return it with the file's name.

        Args:
            path: the object's storage path.
            make: whether to make the folders that are missing.
        """
        if make:
            self.prepare()
        folder = Folder.at_root(self.root)
        *steps, (leaf, _) = self._steps(path)
        for name, key in steps:
            with folder:
                folder = self._make(folder, name, key) if make else self._child(folder, name)
        return folder, leaf

    def names(self, path: str) -> list[str]:
        """Return the names of the files and folders on the way to an object."""
        return [name for name, _ in self._steps(path)]

    def locate(self, folder: Folder, leaf: str) -> tuple[str, os.stat_result] | None:
        """Return the name and the description of an object's file, or None if there is no such object.

        The file is ``leaf``, or the one beside it if a folder has that name. A file is only ever renamed from the
        first to the second, so that looking in this order finds it at any moment. An entry that the file system
        takes for ``leaf``, but that has another name, is another object.
        """
        for name in homes(leaf):
            with suppress(FileNotFoundError):
                info = folder.lstat(name)
                if taken_by(folder, name) is not None:
                    continue
                if stat.S_ISLNK(info.st_mode):
                    fd = self._open_link(folder, name)
                    info = os.fstat(fd)
                    os.close(fd)
                if stat.S_ISDIR(info.st_mode):
                    continue
                _refuse_special(folder, name, info)
                return name, info
        return None

    def open(self, folder: Folder, leaf: str) -> int:
        """Open an object's file for reading.

        Raises:
            FileNotFoundError: there is no such object.
        """
        for name in homes(leaf):
            with suppress(FileNotFoundError):
                info = folder.lstat(name)
                if stat.S_ISDIR(info.st_mode) or taken_by(folder, name) is not None:
                    continue
                if stat.S_ISLNK(info.st_mode):
                    fd = self._open_link(folder, name)
                else:
                    _refuse_special(folder, name, info)
                    fd = folder.open(name)
                info = os.fstat(fd)
                if stat.S_ISREG(info.st_mode):
                    return fd
                os.close(fd)  # a folder took the file's place in between
        raise FileNotFoundError(errno.ENOENT, "no such object", leaf)

    def resolve(self, path: str) -> list[str]:
        """Return the names below the root of what a link really leads to.

        Raises:
            FileNotFoundError: it leads nowhere.
            NameRefusedError: it leads out of the root, or into the control folder.
        """
        root = os.path.realpath(self.root)
        try:
            real = os.path.realpath(path, strict=True)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _outside(path, "is a loop of links") from None
            raise
        if real == root:
            return []
        names = real.removeprefix(root.rstrip(os.sep) + os.sep).split(os.sep)
        if not real.startswith(root.rstrip(os.sep) + os.sep) or names[0] == paths.CONTROL_FOLDER:
            raise _outside(path, "is a link that leads out of the storage's folder")
        return names

    @contextmanager
    def locked(self, path: str) -> Iterator[None]:
        """Hold the lock of a path: of writers and deleters, in all processes, one at a time goes on.

        Paths share locks, and those that some file system takes for one always do.
        """
        self.prepare()
        file = self.control("locks", f"{crc32(paths.fold(path).encode()) % LOCK_FILES:02x}.lock")
        try:
            with locked(file, LOCK_SECONDS, mode=self.file_mode):
                yield
        except LockTimeoutError as error:
            raise UnreachableError(
                f"{self.url(path)} is locked by another process for more than {LOCK_SECONDS:.0f} s.",
                hint="End the process that hangs, then try again.",
            ) from error

    def prepare(self) -> None:
        """Make the root and the folder of locks, once."""
        if self._prepared and os.path.isdir(self.control("locks")):
            return
        if os.path.isfile(self.control()) and not os.path.islink(self.control()):
            raise NameRefusedError(
                f"{self.control()} is a file, and Persona keeps a folder of that name here.", hint="Rename the file."
            )
        self.make_folders(self.control("locks"))
        if os.path.islink(self.control()):
            raise _outside(self.control(), "is a link")
        self._prepared = True

    def make_folders(self, path: str) -> None:
        """Make a folder outside the tree of objects, with what is missing above it."""
        if os.path.isdir(path):
            return
        above = os.path.dirname(path)
        self.make_folders(above)
        with suppress(FileExistsError):
            os.mkdir(path, self.folder_mode)
            with Folder.at_root(above) as folder:
                folder.sync()

    def _steps(self, path: str) -> list[tuple[str, str]]:
        """Return the names on the way to an object; with each that ends a segment, the path up to there."""
        segments = path.split("/")
        steps: list[tuple[str, str]] = []
        for depth, segment in enumerate(segments):
            *parts, last = paths.to_names(segment, first=not depth)
            steps += [(part, "") for part in parts]
            steps.append((last, "/".join(segments[: depth + 1])))
        return steps

    def _child(self, folder: Folder, name: str) -> Folder:
        """Open a folder in a folder, through a link if that stays inside the root."""
        if taken_by(folder, name) is not None:
            raise FileNotFoundError(errno.ENOENT, "there is one of another name", name)
        try:
            return folder.child(name)
        except LinkError as link:
            names = self.resolve(str(link))
        inner = Folder.at_root(os.path.realpath(self.root))
        for part in names:
            with inner:
                try:
                    inner = inner.child(part)
                except LinkError as link:
                    raise _outside(str(link), "became a link in this moment") from None
        return inner

    def _make(self, folder: Folder, name: str, key: str) -> Folder:
        """Open a folder in a folder, made if it is missing."""
        for _ in range(TRIES):
            refuse_taken(folder, name)
            try:
                return self._child(folder, name)
            except FileNotFoundError:  # or another process removed it, since it was empty
                with suppress(FileExistsError):
                    os.mkdir(folder.at(name), self.folder_mode, dir_fd=folder.fd)
                    folder.sync()
            except NotADirectoryError:
                self._move_beside(folder, name, key)
        raise NotADirectoryError(errno.ENOTDIR, "no folder can be made here", os.path.join(folder.path, name))

    def _move_beside(self, folder: Folder, name: str, key: str) -> None:
        """Give an object's file the name that leaves its own to a folder."""
        beside = paths.beside(name)
        if beside is None:
            raise NameRefusedError(
                f"“{key}” is an object, and its name is too long to make a folder of that name beside it on this disk.",
                hint="Use a shorter name for one of the two.",
            )
        with self.locked(key), suppress(FileNotFoundError):
            info = folder.lstat(name)
            if folder.has_folder(name):
                return
            _refuse_special(folder, name, info)
            with suppress(FileNotFoundError):
                folder.lstat(beside)
                raise NameRefusedError(
                    f"“{key}” stands twice in {folder.path}: as {name} and as {beside}.",
                    hint="Remove the one that is not wanted.",
                )
            folder.replace(name, beside)

    def _open_link(self, folder: Folder, name: str) -> int:
        """Open the file that a link leads to, if that is inside the root."""
        names = self.resolve(os.path.join(folder.path, name))
        if not names:
            raise IsADirectoryError(errno.EISDIR, "a link to the root", name)
        with self.walk(names[:-1]) as real:
            info = real.lstat(names[-1])
            if not stat.S_ISDIR(info.st_mode):
                _refuse_special(real, names[-1], info)
            return real.open(names[-1])


def homes(leaf: str) -> list[str]:
    """Return the names that an object's file may have: its own, and the one beside a folder of that name."""
    beside = paths.beside(leaf)
    return [leaf] if beside is None else [leaf, beside]


def fault_of_name(error: OSError | NameRefusedError) -> str | None:
    """Return why one name cannot be read, or None if the error concerns more than that name, as an I/O error does."""
    if isinstance(error, NameRefusedError):
        return error.message
    return (error.strerror or str(error)) if error.errno in _OF_ONE_NAME else None


def translate(error: OSError, url: str, root: str) -> PersonaError:
    """Return the error of this project for one of the operating system about the object at a URL."""
    reason = f"{url}: {error.strerror or error}"
    if is_read_only(error):
        return ReadOnlyError(
            f"The disk is read-only: {reason}.", hint=f"Mount the disk of {root} for writing; check it for errors."
        )
    if error.errno in _DENIED:
        return AccessDeniedError(f"Access denied: {reason}.", hint=f"Check the permissions of {root}.")
    if is_full(error):
        return StorageFullError(f"No space left: {reason}.", hint="Free some space, then try again.")
    if error.errno == errno.ENOTDIR and not os.path.isdir(root):
        return ConfigError(f"{root} is not a folder.", hint="Set storage.local.path to a folder.")
    if error.errno == errno.ENOENT:
        return NotFoundError(f"There is no object {url}.")
    if error.errno in _IN_THE_WAY:
        return NameRefusedError(f"This name cannot be used on this disk: {reason}.", hint="Use another name.")
    return UnreachableError(f"Disk I/O error: {reason}.", hint="Try again; then check the disk.")


@contextmanager
def errors_of(disk: Disk, path: str) -> Iterator[None]:
    """Turn what the operating system raises about a path into this project's errors."""
    try:
        yield
    except PersonaError:
        raise
    except OSError as error:
        raise translate(error, disk.url(path), disk.root) from error


@contextmanager
def absent_if_no_folder(disk: Disk) -> Iterator[None]:
    """Take a file that stands where a folder was looked for as absence, unless it is the root itself."""
    try:
        yield
    except NotADirectoryError as error:
        if not os.path.isdir(disk.root):
            raise
        raise FileNotFoundError(errno.ENOENT, "no such object") from error


def _refuse_special(folder: Folder, name: str, info: os.stat_result) -> None:
    """Raise if a file is no regular file: a device or pipe would block, or worse."""
    if not stat.S_ISREG(info.st_mode) and not stat.S_ISLNK(info.st_mode):
        raise _outside(os.path.join(folder.path, name), "is no regular file")


def _outside(path: str, what: str) -> NameRefusedError:
    return NameRefusedError(f"{path} {what}.", hint="Remove it, or put a file in its place.")
