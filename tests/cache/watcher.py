"""Measures a folder from outside, again and again, as fast as it can."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass


@dataclass
class Measured:
    """What a watcher has seen.

    Args:
        looks: how often it has looked.
        highest: the most that the folder certainly took at one moment, in bytes.
        apparent: the most that the files took as they were found one after the other, which is no moment: a file
            that has left may be counted with the one that took its place.
        what: the largest files of the moment when it took most.
    """

    looks: int = 0
    highest: int = 0
    apparent: int = 0
    what: str = ""

    def look(self, folder: str) -> None:
        """Look once.

        What is found on a walk and is still there after it was there when the walk ended, all of it at once: no path of
        a cache folder but the index's comes again once it has gone. Of what grows or shrinks the lesser size counts.
        """
        first = dict(_sizes(folder))
        second = {path: size for path in first if (size := _size(path)) is not None}
        least = {path: min(first[path], size) for path, size in second.items()}
        total = sum(least.values())
        self.looks += 1
        self.apparent = max(self.apparent, sum(first.values()))
        if total > self.highest:
            self.highest = total
            most = sorted(least, key=lambda path: -least[path])[:6]
            self.what = ", ".join(f"{os.path.relpath(path, folder)} {least[path]:,}" for path in most)

    def watch(self, folder: str, stopped: Callable[[], bool]) -> dict[str, object]:
        """Look until told to stop, and return what was seen."""
        while not stopped():
            self.look(folder)
        return asdict(self)


def _sizes(folder: str) -> Iterator[tuple[str, int]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(entry.path)
            elif (size := _size(entry.path)) is not None:
                yield entry.path, size


def _size(path: str) -> int | None:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return None
