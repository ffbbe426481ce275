"""The listing of a local storage: files in the order of their storage paths, and no more read than must be.

A folder is read whole and sorted, a folder's name as if ``/`` followed it; what is more than some thousand names
goes through a temporary file, so that memory grows with the depth alone. The parts of a long name are read together
with the folder that they stand in, since their objects sort among its own. What stands there under a name that no
object can have is reported, never passed over.

Other programs may change the folder during the listing: swap a file for a link, a pipe or a folder, or withdraw a
permission. Whatever happens to one name is reported under that name, and the listing continues. Only what concerns the
folder that was asked for, or the whole disk (an I/O error, no more descriptors), ends it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass

from persona.errors import NameRefusedError
from persona.storage import paths
from persona.storage.backend import RefusedName
from persona.storage.backends.local_files import Disk, fault_of_name
from persona.storage.backends.local_folder import Folder
from persona.storage.backends.local_leftovers import remove_if_abandoned
from persona.storage.backends.local_runs import Entry, Runs, order_of

_READS = 3
"""How often a folder that changes meanwhile is read: one reading can miss a file that is being renamed."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """An object's file.

    Args:
        path: the storage path.
        info: its description.
    """

    path: str
    info: os.stat_result


class Walk:
    """One walk through the objects below a prefix.

    Args:
        disk: where.
        prefix: a clean storage path, or "".
        after: only what comes after this path; "" for everything.
    """

    def __init__(self, disk: Disk, prefix: str, after: str) -> None:
        self.disk = disk
        self.prefix = prefix
        self.after = after
        self.after_order = paths.sort_key(after)
        self._start: tuple[str, ...] = ()
        self._open: tuple[tuple[str, ...], Folder] | None = None
        self._refused: dict[str, RefusedName] = {}
        self._spilled: list[Runs] = []

    def found(self) -> Generator[FoundFile | RefusedName, None, None]:
        """Yield files in key order, and between them the names that were refused."""
        try:
            yield from self._walk()
        finally:
            self._leave()
            for runs in self._spilled:
                runs.close()

    def _walk(self) -> Iterator[FoundFile | RefusedName]:
        if self.prefix and paths.sort_key(self.prefix) > self.after_order and (info := self._look(self.prefix)):
            yield FoundFile(self.prefix, info)
        start = self._start = tuple(self.disk.names(self.prefix)) if self.prefix else ()
        real = os.path.realpath(os.path.join(self.disk.root, *start))
        levels = [(self._read(start, self.prefix), real)]
        while levels:
            yield from self._report()
            entry = next(levels[-1][0], None)
            if entry is None:
                levels.pop()
            elif not entry.is_folder:
                if entry.order > self.after_order and (info := self._describe(entry)):
                    yield FoundFile(entry.key, info)
            elif entry.order > self.after_order or self.after.startswith(entry.key + "/"):
                path = os.path.join(self.disk.root, *entry.place, entry.name)
                real = os.path.realpath(path) if entry.is_link else os.path.join(levels[-1][1], entry.name)
                if any(real == above for _, above in levels):
                    yield RefusedName(entry.key + "/", "it is a loop of links")
                    continue
                levels.append((self._read((*entry.place, entry.name), entry.key), real))
        yield from self._report()

    def _report(self) -> Iterator[RefusedName]:
        refused, self._refused = self._refused, {}
        yield from refused.values()

    def _refuse(self, key: str, reason: str) -> None:
        self._refused[key] = RefusedName(key, reason)

    def _read(self, place: tuple[str, ...], key: str) -> Iterator[Entry]:
        """Read one folder, with its split names; return its entries in key order."""
        runs = Runs()
        todo: list[tuple[str, ...]] = [()]
        while todo:
            parts = todo.pop()
            for name, mode in self._names((*place, *parts)):
                if stat.S_ISDIR(mode) and paths.is_part(name):
                    if (*parts, name) not in todo:
                        todo.append((*parts, name))
                elif entry := self._entry(place, parts, name, key, mode):
                    runs.add(entry)
        self._spilled += [runs] if runs.spilled else []
        return self._first_of_each(runs.sorted())

    def _first_of_each(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Pass on entries that are in order, but report the second file of one path."""
        before: Entry | None = None
        for entry in entries:
            if before is None or entry.order != before.order:
                yield entry
                before = entry
            elif self._is_there(before):  # otherwise it was given this name meanwhile, and was found under it
                shown = "/".join((*entry.place, entry.name))
                self._refuse(shown, f"“{entry.key}” has another file, which is the object")

    def _is_there(self, entry: Entry) -> bool:
        """Say whether an entry's file is still there under its name; it may have been given another meanwhile."""
        try:
            with self.disk.walk(entry.place) as folder:
                return not stat.S_ISDIR(folder.lstat(entry.name).st_mode)
        except (OSError, NameRefusedError) as error:
            if fault_of_name(error) is None:
                raise
        return False

    def _entry(self, place: tuple[str, ...], parts: tuple[str, ...], name: str, key: str, mode: int) -> Entry | None:
        """Return one name as an entry, or None if it is none of ours or refused."""
        where = (*place, *parts)
        shown = "/".join((*where, name))
        is_link = stat.S_ISLNK(mode)
        try:
            if is_link:
                mode = self._target(shown)
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                raise NameRefusedError("it is no regular file")
            is_folder = stat.S_ISDIR(mode)
            plain = name if is_folder else paths.without_beside(name)
            segment = paths.from_names([*parts, plain], first=not place)
            full = paths.from_key("", f"{key}/{segment}" if key else segment)
        except FileNotFoundError:
            self._refuse(shown, "it is a link that leads nowhere")
        except (OSError, NameRefusedError) as error:
            if (reason := fault_of_name(error)) is None:
                raise
            self._refuse(f"{shown}/" if stat.S_ISDIR(mode) else shown, reason)
        else:
            return Entry(order_of(full, is_folder=is_folder), name, full, where, is_folder, is_link)
        return None

    def _target(self, shown: str) -> int:
        """Return the mode of what a link leads to, if that is inside the root."""
        path = os.path.join(self.disk.root, shown)
        self.disk.resolve(path)
        return os.stat(path).st_mode

    def _names(self, place: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        """Yield the names in one folder with their file types; nothing if it is not there (any more).

        A folder below the one asked for that cannot be read is reported.
        """
        try:
            yield from self._names_in(place)
        except FileNotFoundError:
            return
        except (OSError, NameRefusedError) as error:
            reason = fault_of_name(error)
            if reason is None or not place or (place == self._start and not isinstance(error, NotADirectoryError)):
                raise
            if not isinstance(error, NotADirectoryError):  # otherwise a file took its place: the folder is gone
                self._refuse("/".join(place) + "/", reason)

    def _names_in(self, place: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        """Do as `_names`; a folder that changes meanwhile is read again, and the same names come again."""
        with self.disk.walk(place) as folder:
            for _ in range(_READS):
                before = folder.lstat(".").st_mtime_ns
                with os.scandir(folder.path if folder.fd is None else folder.fd) as entries:
                    for entry in entries:
                        if paths.is_temporary(entry.name):
                            remove_if_abandoned(folder, entry.name)
                        elif place or not self._is_control(entry):
                            yield entry.name, _file_type(entry)
                if folder.lstat(".").st_mtime_ns == before:
                    break

    def _is_control(self, entry: os.DirEntry[str]) -> bool:
        """Say whether an entry of the root is this program's own folder; report what somebody else put into it."""
        control = self.disk.control()
        if paths.fold(entry.name) != paths.CONTROL_FOLDER or not entry.is_dir(follow_symlinks=False):
            return False
        if entry.name != paths.CONTROL_FOLDER and not _is_same(entry, control):
            return False
        if not self.disk.holds_home:
            with suppress(PermissionError):
                for name in sorted(set(os.listdir(control)) - set(paths.CONTROL_NAMES)):
                    shown = f"{paths.CONTROL_FOLDER}/{name}"
                    self._refuse(shown, "it lies in the folder that Persona keeps for itself")
        return True

    def _describe(self, entry: Entry) -> os.stat_result | None:
        """Describe an entry's file; None if it is gone, or is reported since it became something else."""
        try:
            return self._described(entry)
        except (OSError, NameRefusedError) as error:
            if (reason := fault_of_name(error)) is None:
                raise
            self._refuse("/".join((*entry.place, entry.name)), reason)
        return None

    def _described(self, entry: Entry) -> os.stat_result | None:
        """Describe an entry's file through the folder opened last, or afresh if it is not found there."""
        if self._open is None or self._open[0] != entry.place:
            self._leave()
            with suppress(FileNotFoundError, NotADirectoryError):
                self._open = (entry.place, self.disk.walk(entry.place))
        with suppress(FileNotFoundError):
            if self._open and not entry.is_link:
                info = self._open[1].lstat(entry.name)
                if stat.S_ISREG(info.st_mode):
                    return info
        return self._look(entry.key)

    def _look(self, path: str) -> os.stat_result | None:
        """Describe an object's file, or return None if there is none."""
        with suppress(FileNotFoundError, NotADirectoryError):
            folder, leaf = self.disk.parent(path)
            with folder:
                found = self.disk.locate(folder, leaf)
                return found[1] if found else None
        return None

    def _leave(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


def _is_same(entry: os.DirEntry[str], path: str) -> bool:
    """Say whether a path leads to an entry."""
    with suppress(OSError):
        return os.path.samestat(entry.stat(follow_symlinks=False), os.lstat(path))
    return False


def _file_type(entry: os.DirEntry[str]) -> int:
    """Return the file type of a directory entry, without another call to the system where it is known."""
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if entry.is_file(follow_symlinks=False) else stat.S_IFIFO
