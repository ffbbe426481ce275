"""Reading an object that must not be large, whatever its listing said of it."""

from __future__ import annotations

from persona.storage.backend import StorageBackend


async def read_bounded(storage: StorageBackend, path: str, limit: int) -> bytes | None:
    """Return an object's content, or None if it is larger than a limit in bytes; no more than that is fetched.

    Raises:
        NotFoundError: there is no such object.
    """
    download = await storage.open(path)
    try:
        if download.object.size > limit:
            return None
        parts: list[bytes] = []
        size = 0
        async for part in download:
            size += len(part)
            if size > limit:
                return None
            parts.append(part)
        return b"".join(parts)
    finally:
        await download.close()
