"""A plan in a file: made by a dry run, looked at by people, and run exactly as it stands.

Lines of JSON: first what the plan is for, then a line for each object, in key order, and a last line with their number
and the SHA-256 of all lines before it, so that a file that was cut short or edited is noticed. That is no signature:
what a plan says is checked as any other input is, and what it leaves alone as equal is verified when it is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from persona.config import approvals
from persona.disks import is_full
from persona.errors import InputError, NameRefusedError, PersonaError, StorageFullError
from persona.ownership import NotRegularError
from persona.redaction import shortened
from persona.storage.backend import RefusedName
from persona.storage.paths import clean_object
from persona.storage.reserved import is_reserved
from persona.transfer.journal import Journal, columns_of, row_of
from persona.transfer.model import Action, Kind, Options, Row, Step

FORMAT = "persona-plan-2"
_BEGINNING = b'{"format":"persona-plan-'
_BATCH = 1000
_SIDE = ("name", "url", "identity")
_HEAD = ("kind", "workspace", "source", "destination", "options", "part_bytes", "target_objects")
_MAX_LINE = 1 << 20
_MAX_COUNT = (1 << 63) - 1  # SQLite's integers
_PLANNED = {
    (Action.COPY, Step.OPEN),
    (Action.REPLACE, Step.OPEN),
    (Action.SKIP, Step.COPIED),
    (Action.SKIP, Step.VERIFIED),
    (Action.SKIP, Step.UNCHANGED),
    (Action.COMPARE, Step.FAILED),
    (Action.COMPARE, Step.GONE),
    (Action.CONFLICT, Step.FAILED),
    (Action.REFUSE, Step.FAILED),
}
"""What a migration's plan says of an object, and how far it is then."""
_BEGINS: dict[tuple[str, str], Step] = {
    (Action.SKIP, Step.VERIFIED): Step.COPIED,
    (Action.SKIP, Step.UNCHANGED): Step.COPIED,
    (Action.COMPARE, Step.FAILED): Step.OPEN,
}
"""How far an object of a plan is when it is run, where that is less: a proof of then is none of now."""


def save(journal: Journal, file: Path) -> None:
    """Write a job's plan to a file, which must not be there.

    Raises:
        InputError: it is there, or cannot be made.
        StorageFullError: there is no space left.
    """
    facts = journal.facts()
    try:
        with file.open("x", encoding="utf-8", newline="\n") as out:
            file.chmod(0o600)
            digest = sha256(_write(out, {"format": FORMAT, **{key: facts[key] for key in _HEAD}}))
            count = 0
            for rows in journal.batches(_BATCH):
                for row in rows:
                    digest.update(_write(out, columns_of(row)))
                count += len(rows)
            _write(out, {"objects": count, "refused": journal.refused("source"), "sha256": digest.hexdigest()})
    except FileExistsError as error:
        raise InputError(f"{file} is there already.", hint="Give the plan another name.") from error
    except OSError as error:
        with suppress(OSError):
            file.unlink()  # half a plan
        kind = StorageFullError if is_full(error) else InputError
        raise kind(f"The plan {file} cannot be written: {error.strerror}.", hint="Name another file.") from error


@contextmanager
def opened(file: Path, home: Path, root: Path | None) -> Iterator[BinaryIO]:
    """Open a plan, once: what was checked is what is run.

    Args:
        file: the plan.
        home: PERSONA_HOME.
        root: the project's folder, if there is one.

    Raises:
        ConfigError: it may not be the user's own, and the user has not approved it as it is.
        InputError: it cannot be read.
    """
    try:
        stream = approvals.open_approved(file, home, root=root)
    except NotRegularError as error:  # it is read twice
        raise InputError(f"The plan {file} is no file.", hint="Check the path.") from error
    except OSError as error:
        if isinstance(error, PersonaError):
            raise
        raise InputError(f"The plan {file} cannot be read: {error.strerror}.", hint="Check the path.") from error
    with stream:
        yield stream


def is_plan(stream: BinaryIO) -> bool:
    """Say whether a file begins as a plan does, of whatever version."""
    stream.seek(0)
    return stream.read(len(_BEGINNING)) == _BEGINNING


def head(file: Path, stream: BinaryIO) -> dict[str, Any]:
    """Return what a plan is for.

    Args:
        file: its name, for messages.
        stream: the plan, as `opened` gives it.

    Raises:
        InputError: the file is no plan.
    """
    found = _parsed(file, next(_lines(file, stream), ""))
    if found.get("format") != FORMAT:
        raise _no_plan(file, "its first line is not that of a plan")
    if not _is_head(found):
        raise _no_plan(file, "its first line is not as it should be")
    return found


def load(file: Path, stream: BinaryIO, found: dict[str, Any], journal: Journal) -> None:
    """Put a plan's objects into the journal of a new job, whole or not at all.

    Args:
        file: its name, for messages.
        stream: the plan, as `opened` gives it.
        found: what it is for, as `head` has returned it.
        journal: the new job's.

    Raises:
        InputError: the file is damaged.
    """
    if head(file, stream) != found:
        raise _no_plan(file, "it was changed while it was read")
    lines = _lines(file, stream)
    with journal.transaction():
        digest = sha256(next(lines).encode())
        count, rows, tail = 0, [Row("")], None
        for line in lines:
            item = _parsed(file, line)
            if "path" not in item:
                tail = item
                break
            digest.update(line.encode())
            rows.append(_checked(file, item, rows[-1].path, overwrite=found["options"]["overwrite"]))
            count += 1
            if len(rows) > _BATCH:
                journal.add(rows[1:])
                del rows[:-1]
        journal.add(rows[1:])
        if next(lines, None) is not None or not _is_tail(tail, count, digest.hexdigest()):
            raise _no_plan(file, "it was cut short or changed")
        journal.refuse("source", [RefusedName(key, reason) for key, reason in (tail or {})["refused"]])
        journal.set(listed=True, compared=True, planned=True, target_objects=found["target_objects"])


def _is_head(found: dict[str, Any]) -> bool:
    """Say whether a first line is one that a dry run of a migration writes."""
    try:
        given: dict[str, Any] = found["options"]
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        options = Options(**values)
        flags = (options.overwrite, options.reread, options.switch)
        return (
            found["kind"] == Kind.MIGRATE
            and isinstance(found["workspace"], str)
            and all(isinstance(found[side][key], str) for side in ("source", "destination") for key in _SIDE)
            and all(isinstance(flag, bool) for flag in flags)
            and asdict(replace(options, overwrite=False, reread=False, switch=False)) == asdict(Options())
            and _is_count(found["part_bytes"])
            and found["part_bytes"] > 0
            and _is_count(found["target_objects"])
        )
    except (TypeError, LookupError, AttributeError):
        return False


def _is_tail(tail: dict[str, Any] | None, count: int, digest: str) -> bool:
    if tail is None or tail.get("objects") != count or tail.get("sha256") != digest:
        return False
    refused = tail.get("refused")
    return isinstance(refused, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in refused
    )


def _checked(file: Path, item: dict[str, Any], last: str, *, overwrite: bool) -> Row:
    """Return the row of a line, as the plan of a new job has it, if it can be one."""
    try:
        right = all(_fits(item[key], default) for key, default in columns_of(Row("")).items())
        if not right or item["path"].encode() <= last.encode():
            raise ValueError
        found = row_of(item)
        texts = {} if found.metadata is None else {**found.metadata}
        right = (found.action, found.step) in _PLANNED and all(isinstance(text, str) for text in texts.values())
        right = right and (overwrite or found.action != Action.REPLACE)
        if not right or is_reserved(found.path) or clean_object(found.path) != found.path:
            raise ValueError
    except (TypeError, ValueError, LookupError, AttributeError, NameRefusedError) as error:
        raise _no_plan(
            file, f"the line of “{shortened(str(item.get('path')), 80)!r}” is not as it should be"
        ) from error
    return replace(
        Row(
            found.path,
            found.size,
            found.version,
            found.digest,
            found.content_type,
            found.metadata,
            found.headers,
        ),
        action=found.action,
        step=_BEGINS.get((found.action, found.step), found.step),
        target_version=found.target_version,
        target_digest=found.target_digest,
        error=found.error,
    )


def _fits(value: object, default: object) -> bool:
    """Say whether a value can stand in a column: a count, text, or text or nothing."""
    if isinstance(default, int):
        return _is_count(value)
    if value is None:
        return default is None
    return isinstance(value, str) and value.encode() is not None  # what is no Unicode raises ValueError


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT


def _lines(file: Path, stream: BinaryIO) -> Iterator[str]:
    """Yield the lines of a plan from its first one."""
    stream.seek(0)
    try:
        while line := stream.readline(_MAX_LINE):
            yield line.decode()
    except UnicodeDecodeError as error:
        raise _no_plan(file, "it is no text") from error


def _parsed(file: Path, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _no_plan(file, "a line is no JSON") from error
    if not isinstance(found, dict):
        raise _no_plan(file, "a line is no object")
    return found


def _write(out: Any, item: dict[str, Any]) -> bytes:
    """Write a line, and return it."""
    line = json.dumps(item, ensure_ascii=False, separators=(",", ":")) + "\n"
    out.write(line)
    return line.encode()


def _no_plan(file: Path, why: str) -> InputError:
    return InputError(
        f"{file} is no plan that can be run: {why}.", hint="Make one: migrate --from X --to Y --dry-run --plan FILE"
    )
