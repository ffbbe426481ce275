"""What the tests of the local backend share."""

from __future__ import annotations

from pathlib import Path

from persona.storage.backends.local import LocalBackend


def files(root: Path) -> list[str]:
    """Return all that is below the root, but not the control folder, as people see it."""
    found = (str(path.relative_to(root)) + ("/" if path.is_dir() else "") for path in root.rglob("*"))
    return sorted(name for name in found if not name.startswith(".persona"))


def kept(root: Path) -> list[Path]:
    """Return the files that keep metadata."""
    return sorted((root / ".persona/meta").rglob("*.json"))


async def paths_of(storage: LocalBackend, prefix: str = "", after: str | None = None) -> list[str]:
    """Return the listed paths."""
    return [found.path async for page in storage.scan(prefix, after=after) for found in page]


async def refused_by(storage: LocalBackend) -> dict[str, str]:
    """Return the refused names, with the reasons."""
    return {name.key: name.reason for name in (await storage.list()).refused}
