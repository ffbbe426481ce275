"""Storage URLs: an explicit place outside the workspace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from persona.config import values
from persona.config.schema import StorageSettings
from persona.errors import UsageError
from persona.storage.paths import clean, printable

SCHEMES = {"s3": "s3", "gs": "gcs", "az": "azure", "file": "local"}
"""The scheme of a storage URL, and the backend that it stands for."""


def is_url(text: str) -> bool:
    """Say whether a text is a storage URL rather than a path."""
    return "://" in text


def url_settings(url: str, settings: StorageSettings) -> tuple[StorageSettings, str]:
    """Return the settings of the place that a storage URL names, and the path in it; as for `open_url`."""
    scheme, _, rest = url.partition("://")
    name, _, path = rest.partition("/")
    if "@" in name:
        raise UsageError(
            "A storage URL takes no user and no password.",
            hint="Give them by the environment or the configuration, and take these out of the shell's history.",
        )
    backend = SCHEMES.get(scheme.lower())
    if backend is None or bool(name) == (backend == "local"):
        raise UsageError(
            f"“{printable(url)}” is no storage URL.",
            hint="Use s3://bucket/key, gs://bucket/key, az://container/key or file:///abs/path.",
        )
    if backend == "local":
        place = Path(unquote(rest))
        local = replace(settings.local, path=place.parent)
        return replace(settings, backend=backend, local=local), place.name
    holder = "container" if backend == "azure" else "bucket"
    section = replace(getattr(settings, backend), **{holder: _bucket(name, holder), "prefix": ""})
    return replace(settings, backend=backend, **{backend: section}), clean(path)


def _bucket(name: str, holder: str) -> str:
    """Return a bucket's name if the configuration would take it."""
    try:
        return values.bucket(name)
    except ValueError as error:
        raise UsageError(f"“{printable(name)}” cannot be a {holder}.", hint=f"Use {error}.") from error
