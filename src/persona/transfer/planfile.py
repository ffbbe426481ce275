"""A plan in a file: made by a dry run, looked at by people, and run exactly as it stands.

Lines of JSON: first what the plan is for, then a line for each object, in key order, and a last line that says how many
there were, so that a file that was cut short is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from persona.errors import InputError, NameRefusedError, PersonaError, StorageFullError
from persona.storage.backend import RefusedName
from persona.storage.paths import clean_object
from persona.transfer.journal import Journal, columns_of, row_of
from persona.transfer.model import Action, Options, Row, Step

FORMAT = "persona-plan-1"
_BATCH = 1000
_HEAD = ("kind", "workspace", "source", "destination", "options", "part_bytes", "target_objects")
_MAX_LINE = 1 << 20


def save(journal: Journal, file: Path) -> None:
    """Write a job's plan to a file, which must not be there.

    Raises:
        InputError: it is there, or cannot be made.
        StorageFullError: there is no space left.
    """
    facts = journal.facts()
    try:
        with file.open("x", encoding="utf-8") as out:
            file.chmod(0o600)
            _write(out, {"format": FORMAT, **{key: facts[key] for key in _HEAD}})
            count = 0
            for rows in journal.batches(_BATCH):
                for row in rows:
                    _write(out, columns_of(row))
                count += len(rows)
            _write(out, {"objects": count, "refused": journal.refused("source")})
    except FileExistsError as error:
        raise InputError(f"{file} is there already.", hint="Give the plan another name.") from error
    except OSError as error:
        kind = StorageFullError if error.errno == 28 else InputError
        raise kind(f"The plan {file} cannot be written: {error.strerror}.") from error


def head(file: Path) -> dict[str, Any]:
    """Return what a plan is for.

    Raises:
        InputError: the file is no plan.
    """
    with _opened(file) as lines:
        found = _parsed(file, next(lines, ""))
    if found.get("format") != FORMAT or any(key not in found for key in _HEAD):
        raise _no_plan(file, "its first line is not that of a plan")
    try:
        Options(**found["options"])
    except TypeError as error:
        raise _no_plan(file, "its options are not known here") from error
    return found


def load(file: Path, journal: Journal) -> None:
    """Put a plan's objects into the journal of a new job, whole or not at all.

    Raises:
        InputError: the file is damaged.
    """
    found = head(file)
    with _opened(file) as lines, journal.transaction():
        next(lines)
        count, last, tail = 0, "", None
        while batch := list(islice(lines, _BATCH)):
            rows = []
            for line in batch:
                item = _parsed(file, line)
                if "path" not in item:
                    tail = item
                    break
                row = _checked(file, item, last)
                last = row.path
                rows.append(row)
            journal.add(rows)
            count += len(rows)
            if tail is not None:
                break
        if tail is None or tail.get("objects") != count or next(lines, None) is not None:
            raise _no_plan(file, "it was cut short or changed")
        journal.refuse("source", [RefusedName(key, reason) for key, reason in tail["refused"]])
        journal.set(listed=True, compared=True, planned=True, target_objects=found["target_objects"])


def _checked(file: Path, item: dict[str, Any], last: str) -> Row:
    """Return a line's row, if it can be one of a plan."""
    try:
        row = row_of(item)
        right = row.action in {*Action} and row.step in {*Step} and row.path.encode() > last.encode()
        if not right or clean_object(row.path) != row.path or not isinstance(row.size, int) or row.size < 0:
            raise ValueError
    except (TypeError, ValueError, LookupError, AttributeError, NameRefusedError) as error:
        raise _no_plan(file, f"the line of “{str(item.get('path'))[:80]}” is not as it should be") from error
    row.upload = None
    return row


@contextmanager
def _opened(file: Path) -> Iterator[Iterator[str]]:
    """Open a plan for its lines."""
    try:
        with file.open(encoding="utf-8") as stream:
            yield iter(lambda: stream.readline(_MAX_LINE), "")
    except UnicodeDecodeError as error:
        raise _no_plan(file, "it is no text") from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if isinstance(error, PersonaError):
            raise
        raise InputError(f"The plan {file} cannot be read: {error.strerror}.", hint="Check the path.") from error


def _parsed(file: Path, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _no_plan(file, "a line is no JSON") from error
    if not isinstance(found, dict):
        raise _no_plan(file, "a line is no object")
    return found


def _write(out: Any, item: dict[str, Any]) -> None:
    out.write(json.dumps(item, ensure_ascii=False, separators=(",", ":")) + "\n")


def _no_plan(file: Path, why: str) -> InputError:
    return InputError(
        f"{file} is no plan that can be run: {why}.", hint="Make one: migrate --from X --to Y --dry-run --plan FILE"
    )
