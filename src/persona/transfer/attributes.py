"""What goes with an object's content: its type, the user's metadata, and the headers that say how it is served.

A service may drop or change some of it without an error, so that what comes back is compared with what was sent.
"""

from __future__ import annotations

import json

from persona.storage.backend import StorageObject
from persona.storage.content_headers import NO_HEADERS
from persona.transfer.model import Row


def is_known(item: StorageObject | Row) -> bool:
    """Say whether a description has all of it; most listings of S3, and downloads of GCS, do not."""
    return item.metadata is not None and item.headers is not None


def take(row: Row, item: StorageObject) -> None:
    """Note what is to be sent with an object, or what was."""
    row.content_type, row.metadata, row.headers = item.content_type, item.metadata, item.headers


def is_plain(row: Row) -> bool:
    """Say whether an object has nothing but a type."""
    return not row.metadata and not row.headers


def check(row: Row, found: StorageObject) -> None:
    """Note what was sent and did not come back, or came back changed. Nothing is noted of what is not known."""
    if not is_known(row) or not is_known(found):
        return
    sent, there = _named(row), _named(found)
    names = {name for name, text in sent.items() if there.get(name) != text}
    if "content-encoding" in there.keys() - sent.keys():  # readers would decode what is not encoded
        names.add("content-encoding")
    row.lost = json.dumps(sorted(names))


def _named(item: StorageObject | Row) -> dict[str, str]:
    """Return all of it by name. Spaces around the marks of a list count for nothing, nor does the case of a type."""
    named = {name: _folded(text) for name, text in (item.headers or NO_HEADERS).items()}
    if item.content_type:
        named["content-type"] = _folded(item.content_type).lower()
    return named | {f"metadata {name}": text for name, text in (item.metadata or {}).items()}


def _folded(text: str) -> str:
    return ",".join(";".join(part.strip() for part in each.split(";")) for each in text.split(","))
