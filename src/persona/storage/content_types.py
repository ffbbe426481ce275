"""The media type of an object whose writer names none, by the ending of its path.

A table of its own, since that of the standard library depends on the machine.
"""

from __future__ import annotations

_BY_ENDING = {
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "md": "text/markdown",
    "txt": "text/plain",
    "html": "text/html",
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
}
DEFAULT = "application/octet-stream"


def content_type_of(path: str) -> str:
    """Return the media type that a path's ending stands for."""
    name = path.rpartition("/")[2]
    return _BY_ENDING.get(name.rpartition(".")[2].lower(), DEFAULT) if "." in name else DEFAULT
