"""The one gate for names: what a storage path may be, and how it becomes a key or a file, and back.

A storage path is UTF-8 text in Unicode's NFC, its segments parted by ``/``. ``./personas/``, ``personas/`` and
``/personas`` are the same place. Nothing else in the project joins, splits or cleans names.
"""

from __future__ import annotations

import unicodedata

from persona.errors import NameRefusedError

MAX_PATH_BYTES = 1024
"""The longest storage path, in bytes of UTF-8: the limit of S3, GCS and Azure alike."""


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
            f"“{printable(path)}” is too long: with the prefix “{prefix}” its key exceeds {MAX_PATH_BYTES} bytes.",
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
    reason = _refusal(path)
    if not reason and unicodedata.normalize("NFC", path) != path:
        reason = "it is not in Unicode's NFC"
    if reason:
        raise NameRefusedError(f"“{printable(key)}” is no storage path: {reason}.")
    return path


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
    if any(unicodedata.category(c) == "Cc" for c in text):
        return "it has a control character"
    segments = text.split("/")
    if "" in segments:
        return "it has an empty segment"
    if "." in segments or ".." in segments:
        return "it has a “.” or “..” segment"
    return ""
