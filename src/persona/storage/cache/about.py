"""What the index says of an object beside its path and version: a short JSON text."""

from __future__ import annotations

import json
from typing import Any

from persona.moments import moment
from persona.storage.backend import Digest, StorageObject
from persona.storage.content_headers import ContentHeaders


def write(found: StorageObject) -> bytes:
    """Return what is to be kept of an object's description."""
    about: dict[str, Any] = {"size": found.size, "modified": found.last_modified.timestamp()}
    if found.digest:
        about["digest"] = [found.digest.algorithm, found.digest.value, found.digest.vouched]
    if found.content_type is not None:
        about["type"] = found.content_type
    if found.metadata is not None:
        about["metadata"] = dict(found.metadata)
    if found.headers is not None:
        about["headers"] = dict(found.headers.items())
    return json.dumps(about, separators=(",", ":")).encode()


def read(path: str, version: str, text: bytes) -> StorageObject | None:
    """Return the description that was kept, or None if it is damaged."""
    try:
        about = json.loads(text)
        digest = about.get("digest")
        return StorageObject(
            path,
            about["size"],
            moment(about["modified"]),
            version,
            Digest(*digest) if digest else None,
            about.get("type"),
            about.get("metadata"),
            ContentHeaders.of(about["headers"]) if "headers" in about else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
