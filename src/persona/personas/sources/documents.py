"""Reading JSON and JSON Lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from persona.errors import InputError
from persona.personas.sources.form_definitions import is_service, likelihood, missing_pages
from persona.personas.sources.forms import plain_rows
from persona.personas.sources.limits import MAX_HEADING, MAX_MARKS, MAX_RECORDS, lines_of, too_long, too_many
from persona.personas.sources.records import Answer, Dataset, Hint, Passage, Record, identify, is_missing, tidy
from persona.personas.sources.transcripts import answers_in, is_transcript
from persona.storage.paths import printable

_SPOKEN_KEYS = ("text", "answer", "content", "utterance", "message")
_SPEAKER_KEYS = ("speaker", "role", "who")
_QUESTION_KEYS = ("question", "prompt")
MAX_DEPTH = 8
"""How many levels of objects within a record are looked into."""


def read_json(name: str, text: str) -> Dataset:
    """Read a list of records, or an object that holds one: that of responses, or the longest list of objects in it.

    Raises:
        InputError: the text is not JSON, with line and column; or there are no records in it.
    """
    _check_marks(name, text)
    document = _parse(name, text, 1)
    rows = max(_lists(document), key=lambda rows: (likelihood(rows), len(rows)), default=[])
    dataset = _dataset(name, document, rows)
    if total := missing_pages(document, len(rows)):
        dataset.notes.append(f"{name} holds {len(rows):,} of {total:,} responses: fetch the other pages as well.")
    return dataset


def read_json_lines(name: str, text: str) -> Dataset:
    """Read one JSON object a line; blank lines are passed over.

    Raises:
        InputError: a line is not a JSON object, with line and column.
    """
    _check_marks(name, text)
    rows = []
    for number, line in enumerate(lines_of(name, text), start=1):
        if not line.strip():
            continue
        row = _parse(name, line.rstrip("\r\n"), number)
        if not isinstance(row, dict):
            raise InputError(f"{name}, line {number}: a record is an object, and this is not: {line.strip()[:40]}")
        rows.append(row)
    return _dataset(name, [], rows)


def _parse(name: str, text: str, first_line: int) -> Any:
    """Parse JSON; numbers stay as they are written, so that evidence is verbatim."""
    try:
        return json.loads(
            text,
            parse_float=str,
            parse_int=str,
            parse_constant=lambda _: None,
            object_pairs_hook=lambda pairs: _object(name, pairs),
        )
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise InputError(
            f"{name}, line {line}, column {error.colno}: not JSON: {error.msg}.",
            hint="Correct the file, or export it again; one object a line goes into a .jsonl file.",
        ) from error
    except RecursionError as error:
        raise InputError(f"{name} is nested too deeply to be a list of records.") from error


def _object(name: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a key that is there twice would silently lose an answer."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(
            f"{name}: the key “{printable(twice[:60])}” is there twice in one object.",
            hint="Give each answer a key of its own.",
        )
    return found


def _check_marks(name: str, text: str) -> None:
    """Refuse what would be far larger in memory than on disk."""
    if sum(text.count(mark) for mark in ",:[{") > MAX_MARKS:
        raise too_many(name, "values", MAX_MARKS)


def _lists(value: Any, depth: int = 0) -> Iterator[list[dict[str, Any]]]:
    """Yield every list of objects, outer ones first."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        rows = [row for row in value if isinstance(row, dict)]
        if rows:
            yield rows
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _lists(inner, depth + 1)


def _dataset(name: str, document: Any, rows: list[dict[str, Any]]) -> Dataset:
    if len(rows) > MAX_RECORDS:
        raise too_many(name, "records", MAX_RECORDS)
    unread: Counter[str] = Counter()
    read = [_read(row, unread) for row in plain_rows(document, rows)]
    if not any(fields or passages for fields, passages in read):
        raise InputError(
            f"{name} holds no records.",
            hint="Persona reads a list of objects, or an object that holds such a list.",
        )
    headings = list(dict.fromkeys(key for fields, _ in read for key in fields))
    if (longest := max(map(len, headings), default=0)) > MAX_HEADING:
        raise too_long(f"{name}: a key", longest, MAX_HEADING)
    ids = identify([{key: str(value) for key, value in fields.items()} for fields, _ in read], headings)
    records = [
        Record(name, key, fields, tuple(passages))
        for key, (fields, passages) in zip(ids, read, strict=True)
        if fields or passages
    ]
    notes = [f"{name}: not read, being lists of objects that are no answers: {', '.join(unread)}."] if unread else []
    return Dataset(records, notes, {key: Hint(metadata=True) for key in headings if is_service(key)})


def _read(row: dict[str, Any], unread: Counter[str]) -> tuple[dict[str, Answer], list[Passage]]:
    """Return a record's answers and what it holds of spoken text; count the lists that hold neither."""
    fields: dict[str, Answer] = {}
    passages: list[Passage] = []
    for key, value in _leaves(row, ""):
        if isinstance(value, tuple):
            fields[key] = value
        elif isinstance(value, list):
            found = _spoken(key, value)
            passages += found
            unread[key] += not found and any(isinstance(each, dict) and each for each in value)
        elif is_transcript(value):
            passages += answers_in(value)
        elif not is_missing(plain := tidy(value)):
            fields[key] = plain
    for key in [key for key, count in unread.items() if not count]:
        del unread[key]
    return fields, passages


def _leaves(row: dict[str, Any], prefix: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield names and values: nested objects by dotted names, lists of short values as tuples."""
    for key, value in row.items():
        name = tidy(f"{prefix}{key}") or "no name"
        if isinstance(value, dict):
            if depth < MAX_DEPTH:
                yield from _leaves(value, f"{name}.", depth + 1)
        elif isinstance(value, tuple):
            yield name, value
        elif isinstance(value, list):
            scalars = [text for item in value if (text := tidy(_scalar(item)))]
            if scalars and len(scalars) == len(value) and max(map(len, scalars)) <= 60:
                yield name, tuple(dict.fromkeys(scalars))
            else:
                yield name, value
        elif text := _scalar(value):
            yield name, text


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ""


def _spoken(name: str, turns: list[Any]) -> list[Passage]:
    """Return the passages of a list of texts, or of turns with a speaker or a question."""
    passages, question = [], name
    for turn in turns:
        if isinstance(turn, str) and tidy(turn):
            passages.append(Passage(name, tidy(turn)))
        if not isinstance(turn, dict):
            continue
        said = tidy(next((_scalar(turn[key]) for key in _SPOKEN_KEYS if key in turn), ""))
        speaker = next((_scalar(turn[key]) for key in _SPEAKER_KEYS if key in turn), "")
        asked = tidy(next((_scalar(turn[key]) for key in _QUESTION_KEYS if key in turn), ""))
        if speaker.lower() in ("interviewer", "moderator", "researcher", "assistant", "agent"):
            question = said or name
        elif said:
            passages.append(Passage(asked or question, said))
    return passages
