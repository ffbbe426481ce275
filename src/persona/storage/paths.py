"""The one gate for names: what a storage path may be, and how it becomes a key or a file, and back.

A storage path is UTF-8 text in Unicode's NFC, its segments parted by ``/``. ``./personas/``, ``personas/``
and ``/personas`` are the same place. Nothing else in the project joins, splits or cleans names.

On disk a segment is written as it is, so that people find their files, except that percent-encoding
(``%XX``, the bytes of UTF-8) stands for what Linux, macOS or Windows cannot hold or take for something else:
the characters ``% \\ : * ? " < > |``, a dot or space at the end, the first character of a name that Windows
keeps for a device (``CON``, ``LPT1.txt``), and the dot of ``.persona`` at the root, which is this program's
own folder. A segment of more than 200 bytes becomes nested folders, all but the last of which end in ``%-``.
Since ``%`` is always written ``%25``, names with ``%-``, ``%=`` or ``%tmp-`` never come from a storage path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from persona.errors import NameRefusedError

MAX_PATH_BYTES = 1024
"""The longest storage path, in bytes of UTF-8: the limit of S3, GCS and Azure alike."""

MAX_NAME_BYTES = 200
"""The longest file name that is written: file systems take 255 bytes, or 255 UTF-16 units."""

CONTROL_FOLDER = ".persona"
"""The folder in a local storage's root that holds what belongs to no object by itself."""

SPLIT = "%-"
"""Ends a folder's name that is only the first part of a segment."""

BESIDE = "%="
"""Ends a file's name whose own name is taken by a folder: objects ``x`` and ``x/y`` can both exist."""

TEMPORARY = "%tmp-"
"""Begins the name of a file that is not yet an object."""

_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
_ESCAPED = re.compile(r'[%\\:*?"<>|]|[. ]\Z')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|\Z)", re.IGNORECASE)
_UNIT = re.compile(r"%[0-9A-F]{2}|.", re.DOTALL)
_ESCAPE = re.compile(r"%([0-9A-F]{2})")


def clean(path: str) -> str:
    """Return the storage path that a user's text means; "" is the root.

    Raises:
        NameRefusedError: the text cannot name an object on every backend.
    """
    text = path
    while text.startswith(("./", "/")):
        text = text[2:] if text.startswith("./") else text[1:]
    text = text.removesuffix("/")
    if text in ("", "."):
        return ""
    text = unicodedata.normalize("NFC", text)
    if reason := _refusal(text):
        raise NameRefusedError(
            f"“{printable(path)}” cannot be a storage path: {reason}.",
            hint="Use segments of ordinary characters, parted by single slashes.",
        )
    return text


def clean_object(path: str) -> str:
    """Return the storage path of an object, as `clean` does, but refuse the root.

    Raises:
        NameRefusedError: the text cannot name an object.
    """
    text = clean(path)
    if not text:
        raise NameRefusedError("An object needs a name: the root of the storage is a folder.")
    return text


def join(*parts: str) -> str:
    """Join storage paths; empty parts are passed over.

    Raises:
        NameRefusedError: the result is no storage path.
    """
    return clean("/".join(part.strip("/") for part in parts if part.strip("/")))


def is_below(path: str, prefix: str) -> bool:
    """Say whether a path is the prefix itself or lies below it, by whole segments."""
    return not prefix or path == prefix or path.startswith(prefix + "/")


def to_key(prefix: str, path: str) -> str:
    """Return a provider's key for a storage path under a configured prefix (itself a clean path).

    Raises:
        NameRefusedError: the key is longer than providers allow.
    """
    key = f"{prefix}/{path}" if prefix and path else prefix or path
    if len(sort_key(key)) > MAX_PATH_BYTES:
        raise NameRefusedError(
            f"“{printable(path)}” is too long: below “{prefix}” its key exceeds {MAX_PATH_BYTES} bytes.",
            hint="Use a shorter name.",
        )
    return key


def from_key(prefix: str, key: str) -> str:
    """Return the storage path of a provider's key: the exact inverse of `to_key`.

    Raises:
        NameRefusedError: the key is not one that `to_key` could have made.
    """
    head = f"{prefix}/" if prefix else ""
    path = key.removeprefix(head)
    if not key.startswith(head) or not path:
        raise NameRefusedError(f"“{printable(key)}” lies outside the prefix “{prefix}”.")
    if reason := _refusal(path) or _form(path):
        raise NameRefusedError(f"“{printable(key)}” is no storage path: {reason}.")
    return path


def to_names(segment: str, *, first: bool) -> list[str]:
    """Return the file names that stand for one segment: one name, or nested folders if it is long.

    Args:
        segment: a segment of a storage path.
        first: whether it is the path's first segment.
    """
    text = _ESCAPED.sub(lambda match: _escape(match[0]), segment)
    if first and segment.casefold() == CONTROL_FOLDER:
        text = _escape(text[0]) + text[1:]
    names = [text] if len(text.encode()) <= MAX_NAME_BYTES else _split(text)
    return [_escape(name[0]) + name[1:] if _DEVICE.match(name) else name for name in names]


def from_names(names: Sequence[str], *, first: bool) -> str:
    """Return the segment that file names stand for: the exact inverse of `to_names`.

    Raises:
        NameRefusedError: the names are not ones that `to_names` could have made.
    """
    text = "".join([*(name.removesuffix(SPLIT) for name in names[:-1]), names[-1]])
    segment = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    reason = "it is empty" if not segment else _refusal(segment) or _form(segment)
    if not reason and to_names(segment, first=first) != list(names):
        reason = "on disk that name would be written in another way"
    if reason:
        raise NameRefusedError(f"“{printable('/'.join(names))}” is no storage path: {reason}.")
    return segment


def to_file(root: Path, path: str) -> Path:
    """Return the file under a root that stands for an object, if no folder has its name.

    Raises:
        NameRefusedError: the path cannot name an object.
    """
    segments = clean_object(path).split("/")
    return root.joinpath(
        *(name for depth, segment in enumerate(segments) for name in to_names(segment, first=not depth))
    )


def from_file(root: Path, file: Path) -> str:
    """Return the storage path that a file under a root stands for: the exact inverse of `to_file`.

    Raises:
        NameRefusedError: the file is not one that `to_file` could have named.
    """
    *folders, last = file.relative_to(root).parts
    segments: list[str] = []
    names: list[str] = []
    for name in (*folders, last.removesuffix(BESIDE)):
        names.append(name)
        if not name.endswith(SPLIT) or len(names) + len(segments) > len(folders):
            segments.append(from_names(names, first=not segments))
            names = []
    return from_key("", "/".join(segments))


def sort_key(path: str) -> bytes:
    """Return what listings are sorted by: the bytes of UTF-8."""
    return path.encode("utf-8", "surrogatepass")


def printable(name: str) -> str:
    """Return a name that is safe to print: control characters and lone surrogates are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def _refusal(text: str) -> str:
    """Return why a text is no storage path, or "" if it is one."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if size > MAX_PATH_BYTES:
        return f"it is {size} bytes long, and {MAX_PATH_BYTES} is the limit"
    if _CONTROL.search(text):
        return "it has a control character"
    segments = text.split("/")
    if "" in segments:
        return "it has an empty segment"
    if "." in segments or ".." in segments:
        return "it has a “.” or “..” segment"
    return ""


def _form(text: str) -> str:
    """Return why a text is in the wrong normal form, or "" if it is in the right one."""
    return "" if unicodedata.is_normalized("NFC", text) else "it is not in Unicode's NFC"


def _escape(character: str) -> str:
    """Return one ASCII character in percent-encoding."""
    return f"%{ord(character):02X}"


def _split(text: str) -> list[str]:
    """Return an encoded name in parts that fit, cut neither inside a character nor inside an escape."""
    parts: list[str] = []
    part, size, left = "", 0, len(text.encode())
    for unit in _UNIT.findall(text):
        if left > MAX_NAME_BYTES and size + len(unit.encode()) > MAX_NAME_BYTES - len(SPLIT):
            parts.append(part + SPLIT)
            left -= size
            part, size = "", 0
        part += unit
        size += len(unit.encode())
    return [*parts, part]
