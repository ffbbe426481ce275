"""Changing one value in a persona.yaml: checked first, written whole, everything else left as it was."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from persona.config import document, problems, splice, values
from persona.config.load import content, full_name, parse_text
from persona.config.schema import keys
from persona.disks import is_full, sync_folder
from persona.errors import AlreadyExistsError, ConfigError, ConflictError, StorageFullError
from persona.locks import LockTimeoutError, locked

_LOCK_SECONDS = 10.0
_MARK = "\ufeff"


def set_value(file: Path, key: str, value: str, *, locks: Path) -> None:
    """Set one value in a file, which is made if it is not there.

    Args:
        file: the persona.yaml. A link is followed.
        key: the key; ``backend`` is short for ``storage.backend``.
        value: the value as text; ``null`` means the default.
        locks: the folder for the lock that keeps two such changes apart; it must be there.

    Raises:
        ConfigError: there is no such key, the value is wrong, or the file is; then nothing is written.
        ConflictError: another process has held the file for too long.
        StorageFullError: there is no space left.
    """
    set_values(file, {key: value}, locks=locks)


def set_values(
    file: Path, changes: Mapping[str, str], *, locks: Path, create: bool = False, expected: str | None = None
) -> bytes:
    """Set several values at once, all or none, as `set_value` does. Returns what the file then holds.

    Args:
        file: as for `set_value`.
        changes: values as text, by key.
        locks: as for `set_value`.
        create: the file must not be there yet.
        expected: the SHA-256 of what it must hold now, as hexadecimal; None for anything.

    Raises:
        AlreadyExistsError: `create`, and it is there.
        ConflictError: it does not hold what was expected, or as for `set_value`.
    """
    new = {full_name(key): value for key, value in changes.items()}
    check(new)
    target = Path(os.path.realpath(file))
    with _locked(target, locks):
        if create and target.exists():
            raise AlreadyExistsError(f"{target} is there already.")
        before = _read(target)
        if expected is not None and sha256(before.encode()).hexdigest() != expected:
            raise ConflictError(f"{target} was changed by someone else meanwhile.", hint="Look at it, and try again.")
        text = before.removeprefix(_MARK)
        for name, value in new.items():
            text = _set(target, text, name, None if value == "null" else value)
        after = (_MARK if before.startswith(_MARK) else "") + text
        write_whole(target, after)
        return after.encode()


def typed_here(key: str, value: str, file: Path) -> str:
    """Return what to write so that a relative path means what it means in the current folder.

    Args:
        key: the key's full name.
        value: the value as it was typed.
        file: the file that it goes to.
    """
    if keys()[key].referable and value.startswith("file:"):
        kind, path = "file:", value.removeprefix("file:")
    elif keys()[key].parse is values.folder and value != "null":
        kind, path = "", value
    else:
        return value
    as_typed = path.startswith("~") or file.parent == Path.cwd()
    return value if as_typed else f"{kind}{Path.cwd() / path}"


def check(changes: Mapping[str, str]) -> None:
    """Check values given as text, by their keys' full names.

    Raises:
        ConfigError: lists every value that is wrong.
    """
    wrong = []
    for name, value in changes.items():
        try:
            parse_text(keys()[name], value, Path())
        except ValueError as exc:
            wrong.append(problems.wrong(keys()[name], value, exc))
    if wrong:
        raise problems.error(wrong)


def _set(file: Path, text: str, name: str, value: str | None) -> str:
    """Return the text with one value set, proven by reading it again."""
    root, before = _parsed(file, text)
    if value is not None and keys()[name].listed:
        value = values.written(keys()[name].parse, keys()[name].parse(value))
    for candidate in splice.candidates(text, root, document.base_of(root) + name, value):
        try:
            found, wrong = document.leaves(document.compose(candidate))
        except document.Broken:
            continue
        after = {key: leaf.raw for key, leaf in found.items()}
        is_set = name in after and _same(name, after.pop(name), value)
        if is_set and not wrong and after == {key: raw for key, raw in before.items() if key != name}:
            return candidate
    raise ConfigError(
        f"{file} is laid out in a way that cannot be changed from here.", hint=f"Set {name} in it by hand."
    )


def _parsed(file: Path, text: str) -> tuple[Any, dict[str, document.Raw]]:
    """Return a file's root node and values; refuse a file that would not load."""
    try:
        root = document.compose(text)
    except document.Broken as exc:
        raise problems.error([exc.at(file)]) from exc
    if wrong := content(file, root).problems:
        raise problems.error(wrong)
    return root, {key: leaf.raw for key, leaf in document.leaves(root)[0].items()}


def _same(name: str, raw: document.Raw, value: str | None) -> bool:
    """Say whether what is read back is the value that was meant."""
    if raw is None or value is None:
        return raw is value
    try:
        return bool(keys()[name].parse(raw) == keys()[name].parse(value))
    except ValueError:
        return False


@contextmanager
def _locked(target: Path, locks: Path) -> Iterator[None]:
    """Hold the lock of a file; one lock for each file, whatever name it is called by."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(locks / f"{sha256(os.fsencode(target)).hexdigest()[:32]}.lock", _LOCK_SECONDS))
        except LockTimeoutError as exc:
            raise ConflictError(f"Another process is changing {target}.", hint="Try again in a moment.") from exc
        except OSError as exc:
            raise ConfigError(f"{locks} cannot be written to: {exc.strerror}.", hint="Set PERSONA_HOME.") from exc
        yield


def _read(target: Path) -> str:
    """Return a file's text, with its byte order mark; "" if there is no file."""
    try:
        return document.decoded(document.read_bytes(target, regular=True)[0], keep_mark=True)
    except document.Broken as exc:
        if not target.exists():
            return ""
        raise problems.error([exc.at(target)]) from exc


def write_whole(target: Path, text: str) -> None:
    """Write a file whole: beside it, to disk, then in its place, with the mode it had, or else 0600.

    Raises:
        ConfigError: it cannot be written, and was not changed; or it was written, and may not survive a power cut.
        StorageFullError: there is no space left.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(mode)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        kind = StorageFullError if is_full(exc) else ConfigError
        raise kind(f"{target} cannot be written: {exc.strerror}.", hint="The file was not changed.") from exc
    try:
        sync_folder(target.parent)
    except OSError as exc:
        raise ConfigError(
            f"{target} was written, but may be lost in a power cut: {exc.strerror}.", hint="Check the disk."
        ) from exc
