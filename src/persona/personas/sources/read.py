"""From names and bytes to a data set, and the thin way from this machine's disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from persona.errors import AccessDeniedError, InputError, NotFoundError
from persona.personas.sources.decode import decode
from persona.personas.sources.documents import read_json, read_json_lines
from persona.personas.sources.records import Dataset
from persona.personas.sources.tables import read_csv
from persona.personas.sources.transcripts import read_transcript
from persona.storage.paths import printable, sort_key

MAX_FILE_BYTES = 64 * 1024 * 1024
"""The largest input file, in bytes: research data is far smaller, and all of it is held in memory."""
MAX_FILES = 10_000
"""The most files of one input folder."""

_READERS: dict[str, Callable[[str, str], Dataset]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".md": read_transcript,
    ".markdown": read_transcript,
    ".txt": read_transcript,
    ".text": read_transcript,
}
KINDS = "CSV (.csv, .tsv), JSON (.json, .jsonl) and transcripts (.txt, .md)"
"""The kinds of files that are read, in words."""


def is_readable(name: str) -> bool:
    """Say whether a file's name is of a kind that is read; hidden files and a folder's README are not."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.suffix.lower() in _READERS and path.stem.lower() not in ("readme", "license")


def read_files(files: Iterable[tuple[str, bytes]]) -> Dataset:
    """Read files given as names and contents.

    Raises:
        InputError: a file is of no known kind, too large or broken, or there are no records in all of them.
    """
    dataset = Dataset()
    for name, data in files:
        reader = _READERS.get(PurePosixPath(name).suffix.lower())
        if reader is None:
            raise InputError(f"{name} is of no kind that Persona reads.", hint=f"It reads {KINDS}.")
        if len(data) > MAX_FILE_BYTES:
            raise too_large(name, len(data))
        if not data.strip():
            raise InputError(f"{name} is empty.", hint="Give a file with at least one respondent.")
        text, notes = decode(name, data)
        dataset.notes += notes
        dataset.extend(reader(name, text))
    if not dataset.records:
        raise InputError("There are no records in the input.", hint=f"Persona reads {KINDS}.")
    return dataset


def too_large(name: str, size: int) -> InputError:
    """Return the error for a file over the limit; size in bytes."""
    limit = MAX_FILE_BYTES // (1024 * 1024)
    return InputError(
        f"{name} is too large: {size / 1024 / 1024:.0f} MiB, and {limit} MiB is the limit.",
        hint="Split it, or leave out what is not research data.",
    )


def read_path(path: Path) -> Dataset:
    """Read a file, or all files of known kinds in a folder, in the order of their names.

    Raises:
        NotFoundError: there is no such file or folder.
        InputError: it cannot be used.
        AccessDeniedError: it may not be read.
    """
    shown = printable(str(path))
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _read_folder(path)
        if not stat.S_ISREG(mode):
            raise InputError(f"{shown} is neither a file nor a folder.")
        return read_files([(_name(path.name), _bytes(path))])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"There is no file or folder {shown}.", hint="Check the name of INPUT.") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        kind = AccessDeniedError if isinstance(error, PermissionError) else InputError
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise kind(f"{shown} cannot be read: {reason}.", hint="Check its permissions and its disk.") from error


def _read_folder(root: Path) -> Dataset:
    found = sorted(_walk(root), key=lambda item: sort_key(item[0]))
    visible = [item for item in found if not any(part.startswith(".") for part in item[0].split("/"))]
    usable = [item for item in visible if is_readable(item[0])]
    if not usable:
        raise InputError(f"There is no research data in {printable(str(root))}.", hint=f"Persona reads {KINDS}.")
    dataset = read_files((name, _bytes(path)) for name, path in usable)
    skipped = [name for name, _ in visible if not is_readable(name)]
    if skipped:
        shown = ", ".join(skipped[:5]) + (f" and {len(skipped) - 5} more" if len(skipped) > 5 else "")
        dataset.notes.append(f"Not read, being of other kinds: {shown}.")
    return dataset


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield every regular file below a folder by its relative name; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise error

    count = 0
    for folder, _, names in os.walk(root, onerror=refuse):
        for name in names:
            path = Path(folder, name)
            if not path.is_file():
                continue
            count += 1
            if count > MAX_FILES:
                raise InputError(f"There are more than {MAX_FILES} files in {printable(str(root))}.")
            yield _name(path.relative_to(root).as_posix()), path


def _bytes(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise too_large(_name(path.name), size)
    return path.read_bytes()


def _name(name: str) -> str:
    """Return a file's name as evidence names it: printable, in any encoding of the disk."""
    return printable(name)
