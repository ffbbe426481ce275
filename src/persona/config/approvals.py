"""The files that the user has approved by ``persona trust``: each by its path and the SHA-256 of its bytes.

A file that a command obeys, such as a project's persona.yaml or a saved plan, counts if it is the user's own
(`persona.ownership`) or is approved as it is. What was checked is what is used: a file that is not the user's own could
change between two reads, so it is read once.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import BinaryIO

from persona.disks import is_full
from persona.errors import ConfigError, ConflictError, StorageFullError
from persona.ownership import open_file

FILE_NAME = "trust.json"
_LOCK_SECONDS = 10.0
_MAX_BYTES = 4 * 1024 * 1024
_CHUNK = 1 << 20


def digest(content: str | bytes) -> str:
    """Return what a file is remembered by: the SHA-256 of its bytes, as hexadecimal."""
    return sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def open_approved(file: Path, home: Path, *, root: Path | None = None) -> BinaryIO:
    """Open a file that a command is to obey: a plan, a codebook.

    The stream of a file that is approved, and not the user's own, is a copy of what was approved: its owner can change
    the file itself at any time.

    Args:
        file: the file.
        home: PERSONA_HOME.
        root: the project's folder: the folders from it down to the file must be closed to others as well.

    Raises:
        ConfigError: it may not be the user's own, and is not approved as it is.
        OSError: it cannot be opened, or is no regular file.
    """
    stream, doubt = open_file(file, root)
    if not doubt:
        return stream
    with stream:
        copy, found = copied(stream)
    if not is_trusted(home, file, found):
        copy.close()
        raise refusal(file, doubt)
    return copy


def copied(stream: BinaryIO) -> tuple[BinaryIO, str]:
    """Return a private copy of a stream, at its start, and its digest.

    Raises:
        StorageFullError: there is no space for the copy.
        OSError: the stream cannot be read.
    """
    with _full_as_error():
        copy = tempfile.TemporaryFile()  # noqa: SIM115  (the caller closes it)
    seen = sha256()
    try:
        while data := stream.read(_CHUNK):
            seen.update(data)
            with _full_as_error():
                copy.write(data)
                copy.flush()
        copy.seek(0)
    except BaseException:
        with suppress(OSError):  # which writes what is left in its buffer
            copy.close()
        raise
    return copy, seen.hexdigest()


@contextmanager
def _full_as_error() -> Iterator[None]:
    """Raise `StorageFullError` where the disk of temporary files takes no more."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise StorageFullError(
            f"A temporary file cannot be written: {error.strerror}.", hint="Free some space, or set TMPDIR."
        ) from error


def refusal(file: Path, doubt: str) -> ConfigError:
    """Return the error that a file may not be the user's own.

    Args:
        file: the file.
        doubt: why, as `persona.ownership.open_file` says it.
    """
    return ConfigError(
        f"{file} is not trusted: {doubt}.",
        hint=f"If you know who wrote it, approve it: persona trust {quote(str(file))}. If it is yours, take ownership "
        "with chown, or remove write access for others with “chmod go-w”, from its folder too.",
    )


def is_trusted(home: Path, file: Path, found: str) -> bool:
    """Say whether the user trusts a file with this digest."""
    return trusted(home).get(os.path.realpath(file)) == found


def trusted(home: Path) -> dict[str, str]:
    """Return the digests of the files that the user trusts, by their paths.

    Raises:
        ConfigError: what is remembered cannot be read, or is another user's.
    """
    from persona.config import locations

    path = home / FILE_NAME
    try:
        document = json.loads(locations.read_own(path, home, _MAX_BYTES))
        return {str(file): str(known) for file, known in document["files"].items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{path}, which remembers the files that you trust, cannot be read.",
            hint="Remove it, and trust again what you need.",
        ) from error


def remember(home: Path, file: Path, found: str | None) -> bool:
    """Trust a file with this digest; None takes the trust back. Returns whether that changes anything.

    Raises:
        ConfigError: PERSONA_HOME cannot be written to.
        ConflictError: another process has held what is remembered for too long.
    """
    from persona.config import locations
    from persona.config.edit import write_whole
    from persona.locks import LockTimeoutError, locked

    locations.make_folder(home / "locks", home)
    try:
        with locked(home / "locks" / "trust.lock", _LOCK_SECONDS):
            before = trusted(home)
            after = {path: known for path, known in before.items() if path != os.path.realpath(file)}
            if found is not None:
                after[os.path.realpath(file)] = found
            if after != before:
                write_whole(home / FILE_NAME, json.dumps({"version": 1, "files": after}, indent=1) + "\n")
            return after != before
    except LockTimeoutError as error:
        raise ConflictError(f"Another process is changing {home / FILE_NAME}.", hint="Try again.") from error
