"""Reading an object that must not be large, whatever its listing said of it."""

from __future__ import annotations

from persona.storage.backend import StorageBackend


async def read_bounded(storage: StorageBackend, path: str, limit: int) -> bytes | None:
    """Return an object's content, or None if it is larger than a limit in bytes; no more than that is fetched.

    Raises:
        NotFoundError: there is no such object.
        VerificationError: it arrives damaged, twice.
    """
    download = await storage.open(path)
    if download.object.size <= limit:
        return await download.whole()  # which is never longer than the size that it states
    await download.close()
    return None
