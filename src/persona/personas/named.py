"""Which respondents a persona names, and the note on its words: an erasure need not read what cannot name one."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from persona.personas.content.people import answers, normalised
from persona.storage.backend import Notes, StorageObject

if TYPE_CHECKING:
    from persona.personas.model import Evidence, Persona

NOTES = "subjects-2"
"""The kind of note on a persona's file: its words, as a JSON list. It ends with its own version."""
MAX_NOTED = 20_000
"""A persona of more words is read instead."""
_ROW = re.compile(r"row \d+")
_SHARED = re.compile(r" \(row \d+\)'*$")
_WORD = re.compile(r"\w+")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_MIN_PART = 3
"""The shortest part of a name that may stand for it, in characters."""


def evidence_of(persona: Persona) -> Iterator[Evidence]:
    """Yield all evidence of a persona, and its quotes."""
    yield from persona.quotes
    for statement in persona.statements():
        yield from statement.evidence


def named_in(persona: Persona) -> set[str]:
    """Return the ids of the respondents whom a persona names, in Unicode's NFC."""
    found = {each for part in persona.members for each in records_of(part.file, part.records)}
    return found | {each for item in evidence_of(persona) for each in records_of(item.file, [item.record])}


def records_of(file: str, records: Iterable[str]) -> set[str]:
    """Return the ids that some records of a file name; for ``row 3`` and “Participant” the file's own names as well.

    ``P7 (row 12)`` is one of several rows of P7.
    """
    found = {normalised(_SHARED.sub("", each)) for each in records}
    if any(_ROW.fullmatch(each) or answers(each) for each in found):
        found |= {normalised(each) for each in path_ids(file)}
    return found


def path_ids(path: str) -> set[str]:
    """Return the names of a path's folders, and of its file with and without its ending."""
    *folders, name = path.split("/")
    return {*folders, name, name.rpartition(".")[0] or name}


def keep_note(notes: Notes, found: StorageObject, persona: Persona) -> None:
    """Note the words of a persona."""
    words = {each for text in _texts(persona.model_dump(mode="json")) for each in _words(text)}
    if len(words) <= MAX_NOTED:
        notes.keep([(found, json.dumps(sorted(words), ensure_ascii=False))])


def may_name(note: str, subject: str) -> bool:
    """Say whether a note leaves it open that a persona names somebody, in one spelling or another."""
    try:
        known = json.loads(note)
    except ValueError:
        return True
    words = _words(subject)
    if not isinstance(known, list) or not words or not all(isinstance(each, str) for each in known):
        return True
    if not subject.isascii():
        return any(word in each for word in words for each in known)  # in some scripts words are not parted
    parts = {word for word in words if len(word) >= _MIN_PART and word.isalpha()}
    noted = {*known}
    return words <= noted or not parts.isdisjoint(noted) or "".join(sorted(words, key=subject.find)) in noted


def _words(text: str) -> set[str]:
    """Return the words of a text, without what is written in one way or another: case and leading zeros."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return {_ZEROS.sub("", part) for word in _WORD.findall(plain) for part in (word, *word.split("_")) if part}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
