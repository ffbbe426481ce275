"""A file on its way to become an object, and how an object goes: the writes of the local backend.

The content goes to a temporary file beside the target and is made durable there. Only the last step takes
the path's lock: look at what is there, check the condition, rename. Since every write and every deletion
does so, a compare-and-swap is exact, also against writers without a condition. Inside the lock the file gets
a modification time later than that of the version before, so that no two versions of an object ever have the
same token, however many writes of one size fall into one tick of the clock. A file that is edited by hand
gets a new token, too.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from contextlib import suppress

from persona.errors import AlreadyExistsError, ConflictError, NameRefusedError
from persona.locks import claim
from persona.storage import paths
from persona.storage.backend import Condition, IfAbsent, IfVersion
from persona.storage.backends import local_meta
from persona.storage.backends.local_entries import refuse_taken, taken_by
from persona.storage.backends.local_files import TRIES, Disk, homes
from persona.storage.backends.local_folder import Folder
from persona.storage.backends.local_leftovers import sweep
from persona.storage.backends.local_meta import Attributes

log = logging.getLogger(__name__)

_CLOCK_STEPS_NS = (1, 1_000, 10_000_000, 1_000_000_000, 2_000_000_000)
"""By how much a time grows to differ where it is kept in ns, µs, 10 ms (exFAT), 1 s (HFS+) or 2 s (FAT)."""

_COARSE_NS = 10_000_000
_COARSE_SECONDS = 2.0


class CancelledWriteError(Exception):
    """The write was called off before it became visible."""


def version_of(info: os.stat_result) -> str:
    """Return the version token of a file."""
    return f"{info.st_ino:x}-{info.st_size:x}-{info.st_mtime_ns:x}-{info.st_ctime_ns:x}"


def is_racy(version: str, since: float) -> bool:
    """Say whether a file may be edited without a new version, after it was read at some time or later.

    Some file systems keep times in whole seconds or two (FAT, HFS+, ext4 with small inodes, see
    https://docs.kernel.org/filesystems/ext4/inodes.html): two edits of one size within such a step have one version.
    A version is safe once its step was over when the file was read, as in the index of git
    (https://git-scm.com/docs/racy-git). Exact times are told from coarse ones by their digits.

    Args:
        version: the file's version.
        since: the earliest time at which it may have been read, in seconds since the epoch.
    """
    try:
        changed = [int(part, 16) for part in version.split("-")[2:4]]
    except ValueError:
        return True
    return not any(time_ns % _COARSE_NS for time_ns in changed) and max(changed) / 1e9 + _COARSE_SECONDS > since


class Draft:
    """A file that is being written beside its target.

    Args:
        disk: where.
        path: the object that it is to become.
    """

    def __init__(self, disk: Disk, path: str) -> None:
        self.disk = disk
        self.path = path
        self.size = 0
        self.cancelled = False
        """Set by another thread: do not become visible any more."""
        self._folder: Folder | None = None
        self._leaf = ""
        self._name = ""
        self._fd: int | None = None
        self._visible = False

    def cancel(self) -> None:
        """Do not become visible any more, if there is time for that."""
        self.cancelled = True

    @property
    def fd(self) -> int:
        """The descriptor of the temporary file, which is made if need be."""
        return self._begun()[1]

    def _begun(self) -> tuple[Folder, int]:
        """Return the folder and the descriptor; the first time make both, with all that is missing above."""
        if self._folder is not None and self._fd is not None:
            return self._folder, self._fd
        for _ in range(TRIES):
            with suppress(FileNotFoundError):  # a folder was removed in between, since it was empty
                folder, self._leaf = self.disk.parent(self.path, make=True)
                try:
                    if folder.path not in self.disk.swept:
                        self.disk.swept.add(folder.path)
                        sweep(folder)
                    self._name = paths.temporary()  # a new one each time: a sweeper may not have removed the last yet
                    self._fd = _created(folder, self._name, self.disk.file_mode)
                except BaseException:
                    folder.close()
                    raise
                self._folder = folder
                return folder, self._fd
        raise OSError(errno.EBUSY, "the folder is removed again and again")

    def append(self, data: bytes | memoryview) -> None:
        """Write all of some bytes."""
        fd = self._begun()[1]
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        self.size += len(data)

    def commit(self, condition: Condition | None, attributes: Attributes) -> os.stat_result:
        """Make the file the object, durably, and return its description.

        Raises:
            AlreadyExistsError, ConflictError: the condition does not hold.
            CancelledWriteError: `cancelled` was set in time.
        """
        folder, fd = self._begun()
        self._date(fd, time.time_ns())
        os.fsync(fd)
        with self.disk.locked(self.path):
            refuse_taken(folder, self._leaf)
            found = self.disk.locate(folder, self._leaf)
            check(condition, found and found[1], self.disk.url(self.path))
            mtime_ns = self._outlast(fd, found[1].st_mtime_ns if found else -1)
            if os.name != "posix":  # where an open file cannot be renamed
                self._close()
            if self.cancelled:
                raise CancelledWriteError
            local_meta.write(self.disk, self.path, mtime_ns, attributes)
            try:
                name = self._rename(folder, found[0] if found else None)
                _expect_own_name(folder, name)
            except BaseException:
                local_meta.prune(self.disk, self.path, keep=found[1].st_mtime_ns if found else None)
                raise
            self._visible = True
            # of our own file: under its name an editor, which takes no lock, may have put another by now
            info = folder.lstat(name) if self._fd is None else os.fstat(self._fd)
            if found:
                local_meta.prune(self.disk, self.path, keep=mtime_ns)
        self._close()
        folder.sync()
        _note_if_not_portable(self.path)
        return info

    def discard(self) -> None:
        """Let go of everything, and remove what did not become the object: file, and folders made for it."""
        self._close()
        if self._folder is not None:
            if not self._visible:
                with suppress(OSError):  # a scan, or the next write here, removes it
                    self._folder.unlink(self._name)
            self._folder.close()
            self._folder = None
        if not self._visible:
            remove_empty_folders(self.disk, self.path)

    def _date(self, fd: int, mtime_ns: int) -> int:
        """Set the modification time and return it as it is kept."""
        if os.utime in os.supports_fd:
            os.utime(fd, ns=(mtime_ns, mtime_ns))
        elif self._folder is not None:
            os.utime(self._folder.at(self._name), ns=(mtime_ns, mtime_ns))
        return os.fstat(fd).st_mtime_ns

    def _outlast(self, fd: int, before_ns: int) -> int:
        """Make sure that the modification time is later than the one before, and return it."""
        mtime_ns = os.fstat(fd).st_mtime_ns
        for step in _CLOCK_STEPS_NS:
            if mtime_ns > before_ns:
                return mtime_ns
            mtime_ns = self._date(fd, before_ns + step)
            os.fsync(fd)
        return mtime_ns

    def _rename(self, folder: Folder, current: str | None) -> str:
        """Give the file its name: the one that the object has, or its own, or the one beside a folder's."""
        for _ in range(TRIES):
            name = current or self._leaf
            if not current and folder.has_folder(self._leaf):
                name = paths.beside(name) or name
            try:
                folder.replace(self._name, name)
            except (IsADirectoryError, PermissionError):
                if name == self._leaf and folder.has_folder(name) and paths.beside(name):
                    continue  # in between a folder was made here
                raise
            return name
        raise OSError(errno.EBUSY, "the folder of this name comes and goes")

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _created(folder: Folder, name: str, mode: int) -> int:
    """Make a temporary file and hold its lock, so that it is not taken for one that a killed process left.

    Raises:
        FileNotFoundError: another process took it for one, before it was locked.
    """
    fd = folder.create(name, mode)
    if claim(fd) is False or not os.fstat(fd).st_nlink:
        os.close(fd)
        raise FileNotFoundError(name)
    return fd


_noted = False


def _note_if_not_portable(path: str) -> None:
    """Warn, once a process, that another system could not hold a name as it is."""
    global _noted
    if not _noted and not paths.ON_WINDOWS and not paths.is_portable(path):
        _noted = True
        log.warning("“%s” is not a valid file name on Windows. It was written as it is.", paths.printable(path))


def _expect_own_name(folder: Folder, name: str) -> None:
    """Take a new file back, and raise, if the disk has given it a name in another Unicode form, as HFS+ does."""
    if name.isascii():
        return
    try:
        refuse_taken(folder, name)
    except NameRefusedError:
        folder.unlink(name)
        raise


def check(condition: Condition | None, info: os.stat_result | None, url: str) -> None:
    """Raise if a condition does not hold for what is there.

    Raises:
        AlreadyExistsError, ConflictError: as their names say.
    """
    if condition is None:
        return
    if isinstance(condition, IfAbsent):
        if info is not None:
            raise AlreadyExistsError(f"{url} is there already.", hint="Use another name, or overwrite it.")
    elif info is None:
        raise ConflictError(f"{url} was deleted in between.", hint="Look at what is there now, then try again.")
    elif version_of(info) != condition.version:
        raise ConflictError(f"{url} was changed in between.", hint="Read it again, then try again.")


def remove(disk: Disk, path: str, condition: IfVersion | None = None) -> None:
    """Delete an object, what is kept of it, and the folders that are empty then.

    Raises:
        ConflictError: it is at another version.
    """
    try:
        folder, leaf = disk.parent(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    with folder:
        if not any(_is_file(folder, name) for name in homes(leaf)):
            return
        with disk.locked(path):
            if (found := disk.locate(folder, leaf)) is not None:
                check(condition, found[1], disk.url(path))
            for name in homes(leaf):
                if _is_file(folder, name):
                    with suppress(FileNotFoundError):
                        folder.unlink(name)
            local_meta.prune(disk, path)
        folder.sync()
    remove_empty_folders(disk, path)


def remove_empty_folders(disk: Disk, path: str) -> None:
    """Remove the folders above an object that are empty, but never the root."""
    names = disk.names(path)[:-1]
    while names:
        last = names.pop()
        try:
            with disk.walk(names) as folder:
                os.rmdir(folder.at(last), dir_fd=folder.fd)
        except FileNotFoundError:
            continue
        except OSError:  # not empty, or not ours to remove: a folder that stays does no harm
            return


def _is_file(folder: Folder, name: str) -> bool:
    """Say whether there is anything of just this name but a folder."""
    try:
        folder.lstat(name)
    except FileNotFoundError:
        return False
    return not folder.has_folder(name) and taken_by(folder, name) is None
