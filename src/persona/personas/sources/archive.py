"""Zip files that hold a document: opened within bounds, a member at a time.

What a zip file says of its sizes is not believed: what is read is counted (Fifield, “A better zip bomb”, WOOT 2019).
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

from persona.errors import InputError
from persona.personas.sources import limits

_CHUNK = 1 << 16
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


class Archive:
    """A zip file of which no more than `limits.MAX_EXPANDED` bytes are read, over all members.

    Args:
        name: the file, for messages.
        data: its bytes.

    Raises:
        InputError: it is damaged, or has more than `limits.MAX_MEMBERS` members.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self._name, self._remaining = name, limits.MAX_EXPANDED
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _DAMAGED as error:
            raise self._damaged() from error
        self.names = self._zip.namelist()
        if len(self.names) > limits.MAX_MEMBERS:
            raise limits.too_many(name, "files in it", limits.MAX_MEMBERS)

    def __contains__(self, member: str) -> bool:
        return member in self._zip.NameToInfo

    def chunks(self, member: str) -> Iterator[bytes]:
        """Yield a member's content in parts.

        Raises:
            InputError: there is no such member, it is encrypted or damaged, or it expands to too much.
        """
        if member not in self:
            raise InputError(f"{self._name} is damaged: {member} is missing in it.", hint="Export it again.")
        if self._zip.NameToInfo[member].flag_bits & 1:
            raise encrypted(self._name)
        try:
            with self._zip.open(member) as file:
                while chunk := file.read(_CHUNK):
                    self._remaining -= len(chunk)
                    if self._remaining < 0:
                        raise limits.too_expansive(self._name)
                    yield chunk
        except InputError:
            raise
        except _DAMAGED as error:
            raise self._damaged() from error

    def read(self, member: str, most: int = limits.MAX_FILE_BYTES) -> bytes:
        """Return a member's content.

        Raises:
            InputError: as `chunks` does, or it has more than `most` bytes.
        """
        parts, total = [], 0
        for chunk in self.chunks(member):
            parts.append(chunk)
            if (total := total + len(chunk)) > most:
                raise limits.too_large(f"{member} in {self._name}", total, most)
        return b"".join(parts)

    def _damaged(self) -> InputError:
        return InputError(
            f"{self._name} is damaged: it ends early, or its content is not what its directory says.",
            hint="Export or download it again.",
        )


def encrypted(name: str) -> InputError:
    """Return the error for a file that a password protects."""
    return InputError(
        f"{name} is protected by a password.", hint="Open it in the program that made it, and save it without one."
    )
