"""What ``generate`` replaces or takes away is kept first, as a migration keeps it."""

from __future__ import annotations

from collections.abc import Mapping

from persona.errors import ConflictError, NotFoundError
from persona.moments import new_id
from persona.personas.document import MAX_BYTES
from persona.storage.backend import IfAbsent, StorageBackend, StorageObject
from persona.storage.paths import join
from persona.storage.reserved import BACKUPS


async def keep_replaced(
    storage: StorageBackend, contents: Mapping[str, bytes | None], found: Mapping[str, StorageObject | None]
) -> dict[str, str]:
    """Copy what is about to be replaced by other content, or removed, in the version that was seen.

    Args:
        storage: where.
        contents: what is about to be written, by path; None for what is removed.
        found: what is at each path now.

    Returns:
        Where the old content of each path is kept.

    Raises:
        ConflictError: an object is not at the version that was seen any more.
    """
    folder = join(BACKUPS, new_id())
    kept: dict[str, str] = {}
    for path, data in contents.items():
        there = found[path]
        if there is None:
            continue
        try:
            if await _keep(storage, there, data, join(folder, path)):
                kept[path] = join(folder, path)
        except (ConflictError, NotFoundError) as error:
            raise ConflictError(
                f"Someone else wrote {path} meanwhile. Nothing was replaced.",
                hint="Look at what is there now, and run the command again.",
            ) from error
    return kept


async def _keep(storage: StorageBackend, there: StorageObject, data: bytes | None, target: str) -> bool:
    """Copy an object unless it has the very content that will replace it; say whether it was copied."""
    download = await storage.open(there.path, version=there.version)
    try:
        described = download.object
        kind, metadata = described.content_type or there.content_type, described.metadata or there.metadata
        if there.size > MAX_BYTES:
            await storage.write_stream(
                target, download, size=there.size, condition=IfAbsent(), content_type=kind, metadata=metadata
            )
            return True
        old = b"".join([chunk async for chunk in download])
    finally:
        await download.close()
    if old == data:
        return False
    await storage.write(target, old, condition=IfAbsent(), content_type=kind, metadata=metadata)
    return True
