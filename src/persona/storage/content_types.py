"""The media type of an object whose writer gave none, from its path's ending.

A table of this project's own: Python's `mimetypes` reads the machine's files and differs between machines.
"""

from __future__ import annotations

DEFAULT = "application/octet-stream"

_BY_ENDING = {
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "md": "text/markdown",
    "txt": "text/plain",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}


def content_type_of(path: str) -> str:
    """Return the media type that a path's ending stands for; ``application/octet-stream`` if none does."""
    name = path.rpartition("/")[2]
    _, dot, ending = name.rpartition(".")
    return _BY_ENDING.get(ending.lower(), DEFAULT) if dot else DEFAULT
