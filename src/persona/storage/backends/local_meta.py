"""What a file cannot hold of an object: its content type, other headers of the content, and the user's metadata.

They are kept only if there is any metadata or header, or a content type other than the one that the path's ending
stands for, in ``.persona/meta/<aa>/<SHA-256 of the path>.<mtime in ns>.json``. The time binds them to one
version of the object, since no two versions have the same (see `persona.storage.backends.local_draft`): they
are written before the object gets its name and older ones are removed after, so that whoever finds a version
finds its metadata, also after a crash in between. A file that is edited by hand has a new time, and so loses
them, as by a write without metadata.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from persona.errors import InputError, VerificationError
from persona.storage.backends.local_files import Disk
from persona.storage.backends.local_folder import READ, Folder
from persona.storage.content_headers import NO_HEADERS, ContentHeaders
from persona.storage.content_types import content_type_of


@dataclass(frozen=True, slots=True)
class Attributes:
    """An object's content type, metadata and headers.

    Args:
        content_type: the media type.
        metadata: the user's metadata.
        headers: the other headers of the content.
    """

    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: ContentHeaders = NO_HEADERS


def attributes_of(
    path: str, content_type: str | None, metadata: Mapping[str, str] | None, headers: ContentHeaders | None
) -> Attributes:
    """Return what a writer's arguments mean.

    Raises:
        InputError: the metadata is not text.
    """
    others = headers or NO_HEADERS
    for text in (content_type or "", *dict(others.items()).values(), *(metadata or {}), *(metadata or {}).values()):
        try:
            text.encode()
        except (AttributeError, UnicodeEncodeError) as error:
            raise InputError(f"The metadata of “{path}” must be text: {text!r} is not.") from error
    return Attributes(content_type or content_type_of(path), dict(metadata or {}), others)


def read(disk: Disk, path: str, mtime_ns: int) -> Attributes | None:
    """Return what is kept for one version of an object, or None if nothing is."""
    folder, stem = _place(disk, path)
    try:
        fd = os.open(f"{folder}/{stem}.{mtime_ns}.json", READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    import json

    try:
        found = json.loads(_content(fd))
        metadata = {str(k): str(v) for k, v in found["metadata"].items()}
        return Attributes(str(found["content_type"]), metadata, ContentHeaders.of(found.get("headers", {})))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerificationError(
            f"The metadata of {disk.url(path)} is damaged.", hint="Write the object again, with its metadata."
        ) from error


def _content(fd: int) -> bytes:
    """Read a file whole, and close it."""
    try:
        content = b""
        while chunk := os.read(fd, 1 << 16):
            content += chunk
        return content
    finally:
        os.close(fd)


def write(disk: Disk, path: str, mtime_ns: int, attributes: Attributes) -> None:
    """Keep the attributes of the version that is about to come, durably, if they need to be kept."""
    if not attributes.metadata and not attributes.headers and attributes.content_type == content_type_of(path):
        return
    import json

    place, stem = _place(disk, path)
    disk.make_folders(place)
    content = {
        "path": path,
        "content_type": attributes.content_type,
        "metadata": dict(attributes.metadata),
        "headers": dict(attributes.headers.items()),
    }
    with Folder.at_root(place) as folder:
        name = f"{stem}.{mtime_ns}.json"
        try:
            with os.fdopen(folder.create(name, disk.file_mode), "wb") as file:
                file.write(json.dumps(content, ensure_ascii=False).encode())
                file.flush()
                os.fsync(file.fileno())
            folder.sync()
        except BaseException:
            with suppress(FileNotFoundError):
                folder.unlink(name)
            raise


def prune(disk: Disk, path: str, *, keep: int | None = None) -> None:
    """Remove what is kept for all versions of an object but one; None removes all."""
    place, stem = _place(disk, path)
    with suppress(FileNotFoundError), Folder.at_root(place) as folder:
        for name in os.listdir(place):
            if name.startswith(stem) and name != f"{stem}.{keep}.json":
                with suppress(FileNotFoundError):
                    folder.unlink(name)


def _place(disk: Disk, path: str) -> tuple[str, str]:
    """Return the folder, and the beginning of the names, of what is kept for an object."""
    stem = sha256(path.encode()).hexdigest()
    return disk.control("meta", stem[:2]), stem
