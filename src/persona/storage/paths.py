"""The one gate for names: what a storage path may be, and how it becomes a key or a file, and back.

A storage path is UTF-8 text of at most 1,024 bytes, its segments parted by ``/``. Refused are the segments ``.`` and
``..``, empty segments, and control characters; every other name is carried as it is, in the Unicode form that it has.
Nothing else in the project joins, splits or cleans names.

On disk a segment is itself wherever this system can hold it. What it cannot hold is escaped: ``%~`` and two upper-case
hexadecimal digits stand for one ASCII character.

- Anywhere: the dot of ``.persona`` at the root, which is this program's own folder, and names that look like one of the
  forms below. A segment of more than 255 bytes becomes nested folders, all but the last of which end in ``%~-``.
- On Windows also ``< > : " \\ | ? *``, a dot or space at the end, and the first character of a device's name (``CON``,
  ``LPT1.txt``): https://learn.microsoft.com/windows/win32/fileio/naming-a-file
- ``%~=`` ends the name of an object's file if a folder has its own name, and ``%~tmp-`` with 16 hexadecimal digits, of
  which the second eight are a checksum of the first, is a file that is not an object yet.

A name is an escape only if this module would have written it. Any other is itself, so that each file of a folder that
somebody else filled has a storage path, and no two have the same.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from persona.errors import NameRefusedError

MAX_PATH_BYTES = 1024
"""The longest storage path, in bytes of UTF-8: the limit of S3, GCS and Azure alike."""

MAX_NAME_BYTES = 255
"""The longest file name that file systems take (NAME_MAX on Linux; 255 UTF-16 units elsewhere, which is no less)."""

CONTROL_FOLDER = ".persona"
"""The folder in a local storage's root that holds locks and metadata."""

CONTROL_NAMES = ("locks", "meta")
"""What is in it. Anything else there is somebody else's."""

ODD_NAMES = {"\\": "a\\b", ".": "a./b.", " ": "a /b ", "NFD": "e\u0301"}
"""A name of each kind that some service stores under another one. Azure turns a backslash into a slash."""

ON_WINDOWS = os.name == "nt"

_SPLIT = "%~-"
_BESIDE = "%~="
_PART_BYTES = MAX_NAME_BYTES - 2 * len(_SPLIT)  # a device's name in a part is escaped as well, which takes 3 bytes
_SHORTEST_PART = _PART_BYTES - 3 + len(_SPLIT)  # no character or escape takes more than 4 bytes

_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
_RESERVED = re.compile(r"%(?=~)")
_RESERVED_ON_WINDOWS = re.compile(r'%(?=~)|[<>:"\\|?*]|[. ]\Z')
_NOT_ON_WINDOWS = re.compile(r'[<>:"\\|?*]|[. ]\Z')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|\Z)", re.IGNORECASE)
_TEMPORARY = re.compile(r"%~tmp-([0-9a-f]{8})([0-9a-f]{8})\Z")
_UNIT = re.compile(r"%~[0-9A-F]{2}|.", re.DOTALL)
_ESCAPE = re.compile(r"%~([0-9A-F]{2})")
_SWAP_CASE = {ord(letter): letter.swapcase() for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def clean(path: str) -> str:
    """Return the storage path that a caller's text means; "" is the root, as are ``.`` and ``/``.

    A ``./`` at the beginning and a ``/`` at the end are dropped.

    Raises:
        NameRefusedError: the text cannot name an object on every backend.
    """
    text = path
    while text.startswith("./"):
        text = text[2:]
    text = text.removesuffix("/")
    if text in ("", "."):
        return ""
    if reason := _refusal(text):
        raise NameRefusedError(
            f"“{printable(path)}” cannot be a storage path: {reason}.",
            hint="Separate segments by single slashes, without one at the beginning, and use no control characters.",
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


def other_forms(text: str) -> list[str]:
    """Return the text in Unicode's NFC and NFD, as far as these differ from it: what a keyboard may have meant."""
    forms = (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    return [] if text.isascii() else [form for form in dict.fromkeys(forms) if form != text]


def fold(text: str) -> str:
    """Return what names have in common that a file system may take for one: case and Unicode form do not count."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def lookalikes(name: str) -> list[str]:
    """Return other spellings of a name by which to find out whether a file system tells names apart."""
    spellings = [name.translate(_SWAP_CASE)]
    if not name.isascii():
        spellings += [name.swapcase(), *other_forms(name)]
    return [spelling for spelling in dict.fromkeys(spellings) if spelling != name]


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
    if reason := _refusal(path):
        raise NameRefusedError(f"“{printable(key)}” is no storage path: {reason}.")
    return path


def to_names(segment: str, *, first: bool, windows: bool | None = None) -> list[str]:
    """Return the file names that stand for one segment: one name, or nested folders if it is long.

    Args:
        segment: a segment of a storage path.
        first: whether it is the path's first segment.
        windows: whether Windows is to hold the names; None asks this system.
    """
    on_windows = ON_WINDOWS if windows is None else windows
    text = segment
    if len(segment.encode()) <= MAX_NAME_BYTES:
        text = _encoded(segment, first, on_windows)
    if len(text.encode()) <= MAX_NAME_BYTES:
        return [text]
    parts = _split(_escaped(segment, on_windows))
    return [_escape_device(part) if on_windows else part for part in parts]


def from_names(names: Sequence[str], *, first: bool, windows: bool | None = None) -> str:
    """Return the segment that file names stand for: the exact inverse of `to_names`.

    Raises:
        NameRefusedError: the names are not ones that `to_names` could have made.
    """
    on_windows = ON_WINDOWS if windows is None else windows
    segment = names[0]
    if len(names) > 1:
        segment = _decoded("".join([*(name.removesuffix(_SPLIT) for name in names[:-1]), names[-1]]))
    elif _is_escape(segment, first, on_windows):
        segment = _decoded(segment)
    reason = _refusal(segment)
    if not reason and to_names(segment, first=first, windows=on_windows) != list(names):
        reason = "Persona uses names of this form for itself"
    if reason:
        raise NameRefusedError(f"“{printable('/'.join(names))}” is no storage path: {reason}.")
    return segment


def is_part(name: str) -> bool:
    """Say whether a folder's name is only the first part of a long segment."""
    return name.endswith(_SPLIT) and len(sort_key(name)) >= _SHORTEST_PART


def beside(name: str) -> str | None:
    """Return the name of an object's file whose own name is taken by a folder; None if it would be too long."""
    found = name + _BESIDE
    return found if len(sort_key(found)) <= MAX_NAME_BYTES else None


def without_beside(name: str) -> str:
    """Return the name that a file would have if no folder had taken it."""
    return name.removesuffix(_BESIDE) or name


def temporary() -> str:
    """Return a new name for a file that is not an object yet."""
    drawn = secrets.token_hex(4)
    return f"%~tmp-{drawn}{_check(drawn)}"


def _check(drawn: str) -> str:
    """Return eight digits that follow from eight drawn ones: a name that only looks alike does not have them."""
    return f"{crc32(b'persona ' + drawn.encode()):08x}"


def is_temporary(name: str) -> bool:
    """Say whether a file is not an object yet, by its name."""
    found = _TEMPORARY.match(name)
    return found is not None and _check(found[1]) == found[2]


def oddities(path: str) -> set[str]:
    """Return of which kinds of `ODD_NAMES` a path or key is, that services are known to store under another name."""
    found = {kind for kind in ("\\",) if kind in path}
    found |= {kind for kind in (".", " ") if f"{kind}/" in path or path.endswith(kind)}
    return found if path.isascii() or unicodedata.is_normalized("NFC", path) else found | {"NFD"}


def is_portable(path: str) -> bool:
    """Say whether Windows, too, can hold every segment of a storage path under its own name."""
    return not any(_NOT_ON_WINDOWS.search(segment) or _DEVICE.match(segment) for segment in path.split("/"))


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
    for depth, name in enumerate((*folders, without_beside(last))):
        names.append(name)
        if depth == len(folders) or not is_part(name):
            segments.append(from_names(names, first=not segments))
            names = []
    return from_key("", "/".join(segments))


def sort_key(path: str) -> bytes:
    """Return what listings are sorted by: the bytes of UTF-8."""
    return path.encode("utf-8", "surrogatepass")


def printable(name: str) -> str:
    """Return a name that is safe to print: control characters and lone surrogates are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def is_text(name: str) -> bool:
    """Say whether a name has a form in UTF-8: those of this machine's disks need not."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _refusal(text: str) -> str:
    """Return why a text is no storage path, or "" if it is one."""
    if not is_text(text):
        return _not_text()
    size = len(text.encode("utf-8"))
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


def _not_text() -> str:
    """Return why a name with bytes that could not be read is no storage path."""
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") == "utf8":
        return "it is not valid UTF-8"
    return f"this process reads names as {encoding}; set LC_ALL=C.UTF-8, and unset PYTHONUTF8"


def _encoded(segment: str, first: bool, windows: bool) -> str:
    """Return a segment as one file name, however long: itself, or escaped."""
    if first and (segment == CONTROL_FOLDER or (windows and segment.casefold() == CONTROL_FOLDER)):
        return _escape(segment[0]) + segment[1:]
    reserved = "%~" in segment and (_has_own_form(segment) or _is_escape(segment, first, windows))
    if reserved or (windows and (_NOT_ON_WINDOWS.search(segment) or _DEVICE.match(segment))):
        return _escape_device(_escaped(segment, windows)) if windows else _escaped(segment, windows)
    return segment


def _is_escape(name: str, first: bool, windows: bool) -> bool:
    """Say whether `_encoded` would have written this name for another one."""
    if "%~" not in name or len(name) > MAX_NAME_BYTES:
        return False
    plain = _decoded(name)
    return plain != name and _encoded(plain, first, windows) == name


def _has_own_form(name: str) -> bool:
    """Say whether a name looks like one that this program gives to files that are no objects by themselves."""
    return without_beside(name) != name or is_part(name) or is_temporary(name)


def _escaped(segment: str, windows: bool) -> str:
    """Return a segment with all escaped that the system cannot hold or `_decoded` would take for an escape."""
    return (_RESERVED_ON_WINDOWS if windows else _RESERVED).sub(lambda match: _escape(match[0]), segment)


def _escape_device(name: str) -> str:
    """Return a name that is no device's on Windows."""
    return _escape(name[0]) + name[1:] if _DEVICE.match(name) else name


def _decoded(name: str) -> str:
    """Return a name with its escapes undone."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)


def _escape(character: str) -> str:
    """Return the escape of one ASCII character."""
    return f"%~{ord(character):02X}"


def _split(text: str) -> list[str]:
    """Return an escaped name in parts that fit, cut neither inside a character nor inside an escape."""
    parts: list[str] = []
    part, size, left = "", 0, len(text.encode())
    for unit in _UNIT.findall(text):
        if left > MAX_NAME_BYTES - len(_SPLIT) and size + len(unit.encode()) > _PART_BYTES:
            parts.append(part + _SPLIT)
            left -= size
            part, size = "", 0
        part += unit
        size += len(unit.encode())
    return [*parts, part]
