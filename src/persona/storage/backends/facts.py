"""What one answer tells of an object, and what other answers have to add: services leave out what they like."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from persona.storage.backends.answers import NonsenseError, etag_in, http_time_in, size_in
from persona.storage.backends.faults import changed
from persona.storage.backends.primitives import NO_ETAG, Entry


class Facts(NamedTuple):
    """What identifies the content of an object; None is what an answer does not tell.

    Args:
        size: bytes.
        modified: when it was written.
        version: its version.
    """

    size: int | None
    modified: datetime | None
    version: str | None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return None not in self

    def filled(self, entry: Entry) -> Facts:
        """Return these facts with those of another answer about the same object where they are missing.

        Raises:
            ConflictError: the other answer is about another version.
            NonsenseError: the two contradict each other.
        """
        if self.version and entry.version != self.version and not entry.version.startswith(NO_ETAG):
            raise changed(entry.key)
        if self.size is not None and entry.size != self.size:
            raise NonsenseError(f"it states {self.size} bytes, and another answer {entry.size}")
        return Facts(entry.size, self.modified or entry.last_modified, self.version or entry.version)


def header_facts(headers: Mapping[str, str], start: int) -> Facts:
    """Return what the headers of an answer tell, whose ETag is the version.

    Args:
        headers: the headers.
        start: the first byte that was asked for.

    Raises:
        NonsenseError: they tell what cannot be.
    """
    length = headers.get("content-length")
    if (content_range := headers.get("content-range")) is not None:
        length = _size_of(content_range, start)
    modified = headers.get("last-modified")
    return Facts(
        size_in(length) if length else None,
        http_time_in(modified) if modified else None,
        etag_in(headers.get("etag", "")) or None,
    )


def _size_of(content_range: str, start: int) -> str:
    """Return the size of the object that a part was sent of, if that is told (RFC 9110, section 14.4).

    Raises:
        NonsenseError: the part is not the one that was asked for.
    """
    part, _, size = content_range.removeprefix("bytes ").partition("/")
    if size_in(part.partition("-")[0]) != start:
        raise NonsenseError("it is another part than the one that was asked for")
    return "" if size == "*" else size
