"""Checksums of streams: computed on the way, and the CRCs that Python's library lacks."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import zlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


IN_THREAD_BYTES = 256 << 10
"""From this size on a piece is hashed in a thread: below, handing it over costs more than it spares."""


class Hasher(Protocol):
    """What computes a checksum, as the objects of `hashlib` do."""

    def update(self, data: bytes, /) -> None:
        """Add data."""

    def hexdigest(self) -> str:
        """Return the checksum of all that was added, in hexadecimal."""


class Hashing:
    """Checksums of a stream, computed as it passes.

    Args:
        hashers: what computes them.
    """

    def __init__(self, *hashers: Hasher) -> None:
        self._hashers = hashers
        self._pending: asyncio.Future[None] | None = None

    async def update(self, chunk: bytes) -> None:
        """Add a chunk: a large one in a thread, while the caller fetches the next."""
        await self.done()
        if len(chunk) < IN_THREAD_BYTES:
            self._update(chunk)
        else:
            self._pending = asyncio.get_running_loop().run_in_executor(None, self._update, chunk)

    async def done(self) -> None:
        """Wait until all chunks are in; only then are the checksums those of the stream."""
        if (pending := self._pending) is not None:
            self._pending = None
            await pending

    def _update(self, chunk: bytes) -> None:
        for hasher in self._hashers:
            hasher.update(chunk)


def hasher_of(algorithm: str) -> Hasher | None:
    """Return what computes a checksum, by the name that a `Digest` gives it; None for one that is not known here."""
    make = _HASHERS.get(algorithm)
    return make() if make else None


class Crc32:
    """The CRC-32 of gzip, which S3 calls CRC32."""

    def __init__(self) -> None:
        self._register = 0

    def update(self, data: bytes, /) -> None:
        """Add data."""
        self._register = zlib.crc32(data, self._register)

    def hexdigest(self) -> str:
        """Return the checksum in hexadecimal."""
        return f"{self._register:08x}"


class Crc:
    """A reflected CRC with all bits of the register inverted before and after, computed with NumPy.

    The data is cut into lanes that are computed side by side, and put together in pairs: without an initial value a
    CRC is linear, so that the checksum of ``ab`` is that of ``a``, moved on by the length of ``b``, XOR that of ``b``.

    Args:
        polynomial: its bits, lowest power highest ("reflected").
        bits: its width, 32 or 64.
    """

    _LANE = 6  # a lane has 2^6 bytes: 1 MiB is 16,384 of them

    def __init__(self, polynomial: int, bits: int) -> None:
        self._polynomial = polynomial
        self._bits = bits
        self._register = self._mask = (1 << bits) - 1

    def update(self, data: bytes, /) -> None:
        """Add data."""
        size, power = len(data), 0
        while size >> power:  # move the register on by the length of the data
            if size >> power & 1:
                tables = _moves(self._polynomial, self._bits, power)
                self._register = functools.reduce(
                    lambda moved, byte: moved ^ int(tables[byte][self._register >> 8 * byte & 0xFF]),
                    range(self._bits // 8),
                    0,
                )
            power += 1
        self._register ^= self._of(data)

    def hexdigest(self) -> str:
        """Return the checksum in hexadecimal."""
        return f"{self._register ^ self._mask:0{self._bits // 4}x}"

    def _of(self, data: bytes) -> int:
        """Return the CRC of data without an initial value, before which zeros count for nothing."""
        import numpy as np

        lanes = 1 << max(0, (len(data) - 1).bit_length() - self._LANE)
        padded = np.zeros(lanes << self._LANE, np.uint8)
        padded[len(padded) - len(data) :] = np.frombuffer(data, np.uint8)
        table = _table(self._polynomial, self._bits)
        crcs = np.zeros(lanes, table.dtype)
        for column in np.ascontiguousarray(padded.reshape(lanes, -1).T):
            crcs = table[(crcs ^ column) & 0xFF] ^ (crcs >> 8)
        power = self._LANE
        while len(crcs) > 1:
            tables = _moves(self._polynomial, self._bits, power)
            left = crcs[0::2]
            moved = functools.reduce(
                lambda sum_, byte: sum_ ^ tables[byte][left >> (8 * byte) & 0xFF],
                range(self._bits // 8),
                np.zeros(len(left), table.dtype),
            )
            crcs = moved ^ crcs[1::2]
            power += 1
        return int(crcs[0])


@functools.cache
def _table(polynomial: int, bits: int) -> Any:
    """Return what a register becomes of its lowest byte when it moves on by eight bits."""
    import numpy as np

    table: Any = np.arange(256, dtype=np.uint32 if bits == 32 else np.uint64)
    for _ in range(8):
        table = (table >> 1) ^ ((table & 1) * table.dtype.type(polynomial))
    return table


@functools.cache
def _moves(polynomial: int, bits: int, power: int) -> Any:
    """Return, for each byte of a register and each of its values, what becomes of it over ``2**power`` zero bytes."""
    import numpy as np

    table = _table(polynomial, bits)
    count = bits // 8
    values = np.arange(256, dtype=table.dtype)
    registers = np.stack([values << (8 * byte) for byte in range(count)])
    if power == 0:
        return np.asarray(table[registers & 0xFF] ^ (registers >> 8))
    half = _moves(polynomial, bits, power - 1)

    def moved(given: Any) -> Any:
        return functools.reduce(lambda sum_, byte: sum_ ^ half[byte][given >> (8 * byte) & 0xFF], range(count), 0)

    return np.asarray(moved(moved(registers)), table.dtype)


_HASHERS: dict[str, Callable[[], Hasher]] = {
    "md5": functools.partial(hashlib.md5, usedforsecurity=False),
    "sha1": functools.partial(hashlib.sha1, usedforsecurity=False),
    "sha256": hashlib.sha256,
    "crc32": Crc32,
    # Castagnoli's (RFC 3720, section 12.1), and that of NVM Express ("NVM Express NVM Command Set", 5.2.1.3.4)
    "crc32c": functools.partial(Crc, 0x82F63B78, 32),
    "crc64nvme": functools.partial(Crc, 0x9A6C9329AC4BC9B5, 64),
}
