"""An entry of the outbox, and how it is described in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from persona.moments import moment
from persona.storage.backend import Condition, IfAbsent, IfVersion, StorageObject
from persona.storage.content_headers import NO_HEADERS, ContentHeaders

State = Literal["waiting", "sending", "conflict", "damaged"]
TOKEN = "outbox:"  # noqa: S105  (no password)
"""What the version of an object begins with that is not sent yet."""
_KINDS = {
    "place": str,
    "url": str,
    "op": str,
    "path": str,
    "absent": bool,
    "version": str | None,
    "content_type": str | None,
    "metadata": dict | None,
    "headers": dict,
    "size": int,
    "sha256": str,
    "key": str,
    "created_at": int | float,
    "state": str,
    "conflict": dict | None,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at the provider in the way of an entry.

    Args:
        version: its version; None if nothing is there.
        size: bytes.
        last_modified: in UTC, as ISO 8601.
    """

    version: str | None = None
    size: int | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A write or a deletion that waits.

    Args:
        id: its number, which is also its place in the order.
        place: the identity of the place that it is for.
        url: the full location, for people.
        op: ``write`` or ``delete``.
        path: the object.
        absent: whether the object must not be there.
        version: the version that the object must be at, or None; ``outbox:ID`` is what another entry becomes.
        content_type: as for `StorageBackend.write`.
        metadata: likewise.
        headers: likewise.
        size: bytes of content.
        sha256: of the content, in hexadecimal; "" if the content is sealed.
        key: the fingerprint of the key that the content is sealed with, or "".
        created_at: when it was written, in seconds of the wall clock.
        state: ``waiting``; ``sending`` from before the first request on, so that it may have been done; ``conflict``;
            ``damaged`` if it cannot be read.
        conflict: what stood there when it was tried last, of a conflict.
    """

    id: str
    place: str = ""
    url: str = ""
    op: Literal["write", "delete"] = "write"
    path: str = ""
    absent: bool = False
    version: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None
    headers: ContentHeaders = NO_HEADERS
    size: int = 0
    sha256: str = ""
    key: str = ""
    created_at: float = 0.0
    state: State = "waiting"
    conflict: Standing | None = None

    @property
    def token(self) -> str:
        """The version of the object as this entry makes it, until the provider gives it one."""
        return TOKEN + self.id

    @property
    def condition(self) -> Condition | None:
        """Under which condition it is to be sent."""
        if self.version is not None:
            return IfVersion(self.version)
        return IfAbsent() if self.absent else None

    @property
    def object(self) -> StorageObject:
        """The object as this entry makes it."""
        written = moment(self.created_at)
        known = self.content_type, self.metadata, self.headers
        return StorageObject(self.path, self.size, written, self.token, None, *known)


def describe(entry: Entry) -> bytes:
    """Return the description of an entry for its file."""
    values = asdict(entry)
    values["headers"] = dict(entry.headers.items())
    del values["id"]
    return json.dumps(values, ensure_ascii=False, indent=1).encode()


def described(number: str, data: bytes) -> Entry:
    """Return the entry that a file describes.

    Raises:
        ValueError, TypeError: it describes none.
    """
    values: Any = json.loads(data)
    if isinstance(values, dict):
        values.setdefault("headers", {})  # not there in entries of before there were any
    if not isinstance(values, dict) or values.keys() != _KINDS.keys():
        raise ValueError(number)
    if not all(isinstance(values[name], kind) for name, kind in _KINDS.items()):
        raise TypeError(number)
    if values["op"] not in ("write", "delete") or values["state"] not in ("waiting", "sending", "conflict"):
        raise ValueError(number)
    found, headers = values.pop("conflict"), ContentHeaders.of(values.pop("headers"))
    return Entry(number, **values, headers=headers, conflict=found and Standing(**found))
