"""From names and bytes to a data set, and the thin way from this machine's disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path, PurePosixPath
from sys import getsizeof

from persona.errors import AccessDeniedError, InputError, NotFoundError, PersonaError
from persona.personas.sources import kinds, limits
from persona.personas.sources.decode import decode
from persona.personas.sources.records import Dataset
from persona.personas.sources.tables import DELIMITERS
from persona.storage.inside import OutsideError, open_inside
from persona.storage.paths import printable, sort_key

Reader = Callable[[str, bytes], Dataset]
"""Reads a file's name, for messages and evidence, and its bytes."""


def of_text(read: Callable[[str, str], Dataset]) -> Reader:
    """Return the reader of a file that is text of any encoding."""

    def reader(name: str, data: bytes) -> Dataset:
        text, notes = decode(name, data)
        if getsizeof(text) > limits.MAX_DECODED:
            raise limits.too_much_text(name, limits.MAX_DECODED)
        limits.check_lines(name, text)
        dataset = read(name, text)
        dataset.notes[:0] = notes
        return dataset

    return reader


_READERS: dict[str, str] = {
    ".csv": "tables:read_csv",
    ".tsv": "tables:read_csv",
    ".xlsx": "xlsx:read_xlsx",
    ".xlsm": "xlsx:read_xlsx",
    ".ods": "ods:read_ods",
    ".sav": "spss:read_sav",
    ".zsav": "spss:read_sav",
    ".qdpx": "qdpx:read_qdpx",
    ".sqlite3": "projects:read_sqlite",
    ".sqlite": "projects:read_sqlite",
    ".qda": "projects:read_sqlite",
    ".json": "documents:read_json",
    ".jsonl": "documents:read_json_lines",
    ".ndjson": "documents:read_json_lines",
    ".md": "transcripts:read_transcript",
    ".markdown": "transcripts:read_transcript",
    ".txt": "transcripts:read_transcript",
    ".text": "transcripts:read_transcript",
    ".docx": "word:read_word",
    ".vtt": "transcripts:read_transcript",
    ".srt": "transcripts:read_transcript",
}
"""Who reads a kind of file, as ``module:function``; imported when such a file is read."""
_ALIKE = {".xlsm": ".xlsx", ".sqlite": ".sqlite3", ".qda": ".sqlite3", ".zsav": ".sav"}
"""Endings of the same kind as others."""
_OF_TEXT = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".md", ".markdown", ".txt", ".text", ".vtt", ".srt"}
)
"""The endings of files that are text."""
_LARGE = frozenset({".csv", ".tsv", ".xlsx", ".xlsm", ".ods", ".sav", ".zsav", ".qdpx"})
"""The endings of tables and of projects with recordings in them, which may be larger than other files."""
_QUALCODER = "data.qda"
"""The database in a project's folder of QualCoder."""
KINDS = (
    "tables (.csv, .tsv, .xlsx, .ods, .sav), JSON (.json, .jsonl), transcripts (.txt, .md, .docx, .vtt, .srt)"
    " and coded projects (.qdpx, .sqlite3, .qda)"
)
"""The kinds of files that are read, in words."""


def is_readable(name: str) -> bool:
    """Say whether a file's name is of a kind that is read; hidden files and a folder's README are not."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.suffix.lower() in _READERS and path.stem.lower() not in ("readme", "license")


def limit_of(name: str) -> int:
    """Return how large a file of this name may be, in bytes."""
    large = PurePosixPath(name).suffix.lower() in _LARGE
    return limits.MAX_TABLE_BYTES if large else limits.MAX_FILE_BYTES


def read_files(files: Iterable[tuple[str, bytes]]) -> Dataset:
    """Read files given as names and contents.

    Raises:
        InputError: a file is of no known kind, too large or broken, or there are no records in all of them.
    """
    dataset, total = Dataset(), 0
    digests: list[str] = []
    for name, data in files:
        digests.append(f"{sha256(data).hexdigest()}  {name}\n")  # as sha256sum prints it
        if len(name) > limits.MAX_NAME:
            raise limits.too_long(f"The name {name[:60]}…", len(name), limits.MAX_NAME)
        if len(data) > (most := limit_of(name)):
            raise limits.too_large(name, len(data), most)
        if (total := total + len(data)) > limits.MAX_TOTAL_BYTES:
            raise limits.too_large("The input", total, limits.MAX_TOTAL_BYTES)
        if not data.strip():
            raise InputError(f"{name} is empty.", hint="Give a file with at least one respondent.")
        dataset.extend(_read(name, data))
        if len(dataset.records) > limits.MAX_RECORDS:
            raise limits.too_many("The input", "respondents", limits.MAX_RECORDS)
    _part_interviews(dataset)
    if not dataset.records:
        raise InputError("There are no records in the input.", hint=f"Persona reads {KINDS}.")
    dataset.digest = sha256("".join(digests).encode()).hexdigest() if digests[1:] else digests[0].partition(" ")[0]
    return dataset


def _read(name: str, data: bytes) -> Dataset:
    """Read a file as what its content says that it is; its ending tells what text is.

    Raises:
        InputError: it is of no known kind, or broken.
    """
    ending = PurePosixPath(name).suffix.lower()
    kind = kinds.kind_of(name, data)
    if not kind and ending in (".xls", ".xlsx") and is_table(data):
        kind = ".csv"  # as many services name their tables, so that Excel opens them
    if not kind and ending not in _OF_TEXT and ending in _READERS:
        raise InputError(f"{name} is damaged, or no {ending} file.", hint="Export or download it again.")
    if (kind or ending) not in _READERS:
        raise kinds.refusal(name, kind or ending, KINDS)
    dataset = _reader(kind or ending)(name, data)
    if kind and kind != _ALIKE.get(ending, ending):
        dataset.notes.insert(0, f"{name} is a {kind} file by its content, and was read as one.")
    return dataset


def _reader(ending: str) -> Reader:
    module, function = _READERS[ending].split(":")
    read = getattr(import_module(f"persona.personas.sources.{module}"), function)
    return of_text(read) if ending in _OF_TEXT else read


def is_table(data: bytes) -> bool:
    """Say whether bytes are text of several columns."""
    try:
        text, _ = decode("", data)
    except InputError:
        return False
    return any(delimiter in text.split("\n", 1)[0] for delimiter in DELIMITERS)


def _part_interviews(dataset: Dataset) -> None:
    """Add the respondents of all interviews, which only all together tell from the interviewers."""
    if dataset.interviews:
        from persona.personas.sources.transcripts import respondents

        dataset.extend(respondents(dataset.interviews))
        dataset.interviews = []
        dataset.records.sort(key=lambda record: sort_key(record.file))
    if len(dataset.records) > limits.MAX_RECORDS:
        raise limits.too_many("The input", "respondents", limits.MAX_RECORDS)


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
    except PersonaError:
        raise
    except OSError as error:
        raise _unreadable(shown, error) from error
    except ValueError as error:
        raise InputError(f"{shown} cannot be read: {error}.", hint="Check its name.") from error


def _read_folder(root: Path) -> Dataset:
    found, outside = _walk(root)
    visible = [item for item in found if not any(part.startswith(".") for part in item[0].split("/"))]
    copies = copies_in_projects(name for name, _ in visible)
    usable = [item for item in visible if is_readable(item[0]) and item[0] not in copies]
    if not usable:
        raise InputError(f"There is no research data in {printable(str(root))}.", hint=f"Persona reads {KINDS}.")
    if len(usable) > limits.MAX_FILES:
        raise limits.too_many(printable(str(root)), "files", limits.MAX_FILES)
    gone: list[str] = []
    dataset = read_files(_contents(root, usable, gone, outside))
    if gone:
        dataset.notes.append(f"Not read, since they were removed meanwhile: {some(gone)}.")
    if skipped := [name for name, _ in visible if not is_readable(name)]:
        dataset.notes.append(f"Not read, being of other kinds: {some(skipped)}.")
    dataset.notes += notes_on_copies(copies)
    if outside:
        dataset.notes.append(f"Not read, being links to what is not in the folder: {some(sorted(outside))}.")
    return dataset


def _contents(
    root: Path, files: Iterable[tuple[str, Path]], gone: list[str], outside: list[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of files.

    Args:
        root: the folder that they are in.
        files: their names and paths.
        gone: takes the names of those that were removed since the folder was listed.
        outside: takes the names of those that lead out of the folder by now.

    Raises:
        InputError, AccessDeniedError: one cannot be read; it is named, and not the folder.
    """
    for name, path in files:
        try:
            data = _bytes(path, open_inside(root, path))
        except OutsideError:
            outside.append(name)
            continue
        except (FileNotFoundError, NotADirectoryError):
            gone.append(name)
            continue
        except OSError as error:
            raise _unreadable(name, error) from error
        yield name, data


def _unreadable(name: str, error: OSError) -> PersonaError:
    kind = AccessDeniedError if isinstance(error, PermissionError) else InputError
    return kind(f"{name} cannot be read: {error.strerror or error}.", hint="Check its permissions and its disk.")


def copies_in_projects(names: Iterable[str]) -> list[str]:
    """Return which files lie in a project's folder of QualCoder, whose database holds their texts."""
    found = [*names]
    homes = [name.removesuffix(_QUALCODER) for name in found if PurePosixPath(name).name == _QUALCODER]
    folders = tuple(f"{home}documents/" for home in homes)
    return [name for name in found if folders and name.startswith(folders) and is_readable(name)]


def notes_on_copies(copies: Sequence[str]) -> list[str]:
    """Return the note on files that `copies_in_projects` names."""
    return [f"Not read, being in a project that holds their texts: {some(copies)}."] if copies else []


def some(names: Sequence[str]) -> str:
    """Return the first of many names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _walk(root: Path) -> tuple[list[tuple[str, Path]], list[str]]:
    """Return every regular file below a folder by its relative name, and the links that lead out of it.

    Links to folders are not followed. Not by `os.walk`, which calls itself for each level.
    """
    files: list[tuple[str, Path]] = []
    outside: list[str] = []
    folders, seen, home = [root], 0, root.resolve()
    while folders:
        for entry in _entries(folders.pop(), root):
            seen += 1
            if seen > limits.MAX_ENTRIES:
                raise limits.too_many(printable(str(root)), "files and folders", limits.MAX_ENTRIES)
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_symlink() and not _inside(path, home):
                outside.append(_name(path.relative_to(root).as_posix()))
            elif entry.is_file():
                files.append((_name(path.relative_to(root).as_posix()), path))
    return sorted(files, key=lambda item: sort_key(item[0])), outside


def _entries(folder: Path, root: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder; nothing if it is below the root and was removed since its name was read."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        if folder == root:
            raise
    except OSError as error:
        raise _unreadable(printable(str(folder)), error) from error


def _inside(link: Path, home: Path) -> bool:
    """Say whether a link leads to something within a folder: others' files are not what was asked for."""
    try:
        return link.resolve(strict=True).is_relative_to(home)
    except (OSError, RuntimeError):  # it leads nowhere, or round in a circle
        return False


def _bytes(path: Path, fd: int | None = None) -> bytes:
    """Return a file's content; what became a pipe meanwhile is not waited for, and no more is read than is taken.

    Args:
        path: the file.
        fd: its descriptor, which this takes over; None opens what the user named, by links as well.
    """
    if fd is None:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{_name(path.name)} is neither a file nor a folder.")
        most = limit_of(path.name)
        if found.st_size > most:
            raise limits.too_large(_name(path.name), found.st_size, most)
        data = file.read(most + 1)
    if len(data) > most:  # it grows, or says no size, as in /proc
        raise limits.too_large(_name(path.name), len(data), most)
    return data


def _name(name: str) -> str:
    """Return a file's name as evidence names it: printable, in any encoding of the disk."""
    return printable(name)
