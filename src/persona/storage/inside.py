"""Opening a file of a folder that other programs may change, and none beside it."""

from __future__ import annotations

import errno
from pathlib import Path

from persona.storage.backends.local_folder import Folder, LinkError


class OutsideError(Exception):
    """A name leads out of the folder, or round in a circle."""


def open_inside(root: Path, path: Path) -> int:
    """Open a file below a folder for reading, following links only to what is in the folder.

    A link is resolved first. Then every folder on the way is opened relative to the one above it, and no link is
    followed. So a name that is swapped for a link meanwhile leads nowhere.

    Args:
        root: the folder.
        path: the file, below `root` by its name.

    Raises:
        OutsideError: it leads out of the folder, or became a link meanwhile.
        OSError: it cannot be opened.
    """
    try:
        real, home = path.resolve(strict=True), root.resolve(strict=True)
    except RuntimeError as error:  # a circle of links, up to Python 3.12
        raise OutsideError(path) from error
    if not real.is_relative_to(home) or real == home:
        raise OutsideError(path)
    *steps, leaf = real.relative_to(home).parts
    try:
        folder = Folder.at_root(str(home))
        for name in steps:
            with folder:
                folder = folder.child(name)
        with folder:
            return folder.open(leaf)
    except LinkError as error:
        raise OutsideError(path) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OutsideError(path) from error
        raise
