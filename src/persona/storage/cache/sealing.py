"""How what the cache keeps is written down: as it is, or encrypted, in chunks of 1 MiB."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Protocol

CHUNK_BYTES = 1 << 20


class Sealing(Protocol):
    """What turns content into what is kept, and back.

    The context is what the content belongs to: what was sealed for one place cannot be read at another.
    """

    key_id: str
    """The fingerprint of the key; "" if there is none."""

    def size(self, size: int) -> int:
        """Return how many bytes are kept of so many."""

    def seal(self, data: bytes, context: str) -> bytes:
        """Return what is kept of some bytes."""

    def unseal(self, data: bytes, context: str) -> bytes | None:
        """Return what was sealed, or None if that cannot be had from it."""


class Plain:
    """Content as it is."""

    key_id = ""

    def size(self, size: int) -> int:
        """Return the same size."""
        return size

    def seal(self, data: bytes, context: str) -> bytes:
        """Return the same bytes."""
        return data

    def unseal(self, data: bytes, context: str) -> bytes | None:
        """Return the same bytes."""
        return data


def size_of(sealing: Sealing, size: int) -> int:
    """Return the size of the file that holds so many bytes."""
    whole, rest = divmod(size, CHUNK_BYTES)
    return whole * sealing.size(CHUNK_BYTES) + (sealing.size(rest) if rest or not whole else 0)


def chunk_context(file: str, number: int, *, last: bool) -> str:
    """Return what binds a chunk to its file, its place in it, and the file's end: none can be left out or moved."""
    return f"{file} {number}{' end' if last else ''}"


def chunks(data: bytes) -> Iterator[bytes]:
    """Cut content into chunks; of nothing there is one empty chunk."""
    return (data[start : start + CHUNK_BYTES] for start in range(0, len(data) or 1, CHUNK_BYTES))


async def in_chunks(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield content that comes in pieces of any size in chunks; of nothing there is none."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def seal_whole(sealing: Sealing, file: str, data: bytes) -> Iterator[bytes]:
    """Yield what is kept of content, chunk by chunk."""
    final = max(0, len(data) - 1) // CHUNK_BYTES
    for number, chunk in enumerate(chunks(data)):
        yield sealing.seal(chunk, chunk_context(file, number, last=number == final))


def unseal_whole(sealing: Sealing, file: str, kept: bytes) -> bytes | None:
    """Return the content of a file, or None if it cannot be had from it."""
    step = sealing.size(CHUNK_BYTES)
    final = max(0, len(kept) - 1) // step
    parts: list[bytes] = []
    for number in range(final + 1):
        context = chunk_context(file, number, last=number == final)
        part = sealing.unseal(kept[number * step : (number + 1) * step], context)
        if part is None:
            return None
        parts.append(part)
    return b"".join(parts)
