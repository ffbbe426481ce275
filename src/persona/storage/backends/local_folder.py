"""One open folder, whose files are named relative to it, so that no swapped link leads elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from persona.disks import sync_folder

_BY_FD = os.open in os.supports_dir_fd
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
READ = os.O_RDONLY | _FLAGS | getattr(os, "O_NONBLOCK", 0)
_ENTER = os.O_RDONLY | _FLAGS | getattr(os, "O_DIRECTORY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS


class LinkError(Exception):
    """A name is a link, where none may be followed."""


class Folder:
    """An open folder; its files are named relative to it.

    Args:
        path: where it is, for messages and where there is no `openat`.
        fd: its descriptor, or None.
    """

    __slots__ = ("fd", "path")

    def __init__(self, path: str, fd: int | None) -> None:
        self.path = path
        self.fd = fd

    @classmethod
    def at_root(cls, path: str) -> Folder:
        """Open a folder by its path, links and all: the root is what the user says it is."""
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", path)
        return cls(path, os.open(path, _ENTER & ~getattr(os, "O_NOFOLLOW", 0)) if _BY_FD else None)

    def child(self, name: str) -> Folder:
        """Open a folder in this one.

        Raises:
            LinkError: it is a link.
        """
        path = os.path.join(self.path, name)
        if self.fd is None:
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode) or bool(getattr(info, "st_reparse_tag", 0)):
                raise LinkError(path)
            if not stat.S_ISDIR(info.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "not a folder", path)
            return Folder(path, None)
        try:
            return Folder(path, os.open(self.at(name), _ENTER, dir_fd=self.fd))
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP) and stat.S_ISLNK(self.lstat(name).st_mode):
                raise LinkError(path) from None
            raise

    def at(self, name: str) -> str:
        """Return the name as calls with ``dir_fd=self.fd`` want it."""
        return name if self.fd is not None else os.path.join(self.path, name)

    def lstat(self, name: str) -> os.stat_result:
        """Describe a file without following a link."""
        return os.stat(self.at(name), dir_fd=self.fd, follow_symlinks=False)

    def has_folder(self, name: str) -> bool:
        """Say whether a name is a folder, or a link to one."""
        with suppress(OSError):  # gone, or a link that leads nowhere
            return stat.S_ISDIR(os.stat(self.at(name), dir_fd=self.fd).st_mode)
        return False

    def open(self, name: str) -> int:
        """Open a file for reading, unless it is a link."""
        return os.open(self.at(name), READ, dir_fd=self.fd)

    def create(self, name: str, mode: int) -> int:
        """Make a file that must not be there, and open it for writing."""
        return os.open(self.at(name), _CREATE, mode, dir_fd=self.fd)

    def replace(self, name: str, target: str) -> None:
        """Rename a file within this folder, over another if there is one."""
        os.replace(self.at(name), self.at(target), src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def unlink(self, name: str) -> None:
        """Remove a file or link."""
        os.unlink(self.at(name), dir_fd=self.fd)

    def sync(self) -> None:
        """Make the folder's names durable, where the system knows how."""
        if self.fd is not None:
            sync_folder(self.fd)

    def close(self) -> None:
        """Let go of the folder."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
