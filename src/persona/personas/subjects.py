"""What an object holds of a respondent, and the same object without it.

A respondent is known by an id: the ``record`` of evidence, a name in ``members``, an id in a table, a speaker of an
interview. ``row 12`` is no such id: it names a place in a file, which is another's once a row above it is gone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from persona.errors import InputError, UsageError
from persona.personas import document, rawdata
from persona.personas.library import SUFFIXES
from persona.personas.named import SECTIONS, evidence_of, named_in
from persona.personas.sources.limits import MAX_FILE_BYTES
from persona.personas.sources.records import tidy

if TYPE_CHECKING:
    from persona.personas.model import Persona, Statement

MAX_BYTES = MAX_FILE_BYTES
"""The largest object that is looked through, in bytes: no larger one is ever read as research data."""
ERASED = "[erased]"
"""Stands in a text for what a respondent said."""
_LONG = 12
"""Verbatim words of so many characters are looked for in the texts of a persona as well."""
_ROW = re.compile(r"row \d+")
_WORD = re.compile(r"[^\s,;:|\"'“”‘’()\[\]{}<>]+")


class Trace(NamedTuple):
    """What an object holds of a respondent.

    Args:
        what: in words, such as ``2 quotes``.
        left: the object without it; None if nothing is left that is of anybody else.
        certain: False if the id is only mentioned, so that a person has to decide what that is.
    """

    what: tuple[str, ...]
    left: bytes | None
    certain: bool = True


def subject_of(text: str) -> str:
    """Return the id that a user means.

    Raises:
        UsageError: it is none that could tell one respondent from all others.
    """
    subject = unicodedata.normalize("NFC", tidy(text))
    if not subject:
        raise UsageError("An id cannot be empty.", hint="Give it as “persona show” shows it beside a quote.")
    if _ROW.fullmatch(subject):
        raise UsageError(
            f"“{subject}” names a place in a file, not a respondent: another one has it once a row is gone.",
            hint="Remove the row from the file, and generate the personas again, with --overwrite.",
        )
    return subject


def may_hold(path: str) -> bool:
    """Say whether an object is of a kind that is looked through; of others only the name is."""
    return path.lower().endswith((*SUFFIXES, *rawdata.KINDS))


def named_by(path: str, subject: str) -> bool:
    """Say whether a path has a folder or file of the respondent's name, with any ending."""
    return subject in path_ids(path)


def ids_of(path: str, data: bytes | None) -> set[str]:
    """Return all ids that an object could be asked for: what its content names, and its own name.

    Args:
        path: the object.
        data: its content; None if it is of a kind that is not looked through.
    """
    found = path_ids(path)
    if data is None:
        return found
    if (persona := persona_in(path, data)) is not None:
        return named_in(persona)
    try:
        return found | {in_form(each) for each in rawdata.ids(path, data)} if _is_raw(path) else found | _words(data)
    except InputError:  # whatever it is, its words are
        return found | _words(data)


def trace(path: str, data: bytes | None, subject: str) -> Trace | None:
    """Return what an object holds of a respondent, None if nothing.

    Args:
        path: the object.
        data: its content; None if it is of a kind that is not looked through.
        subject: the id, as `subject_of` gives it.
    """
    persona = None if data is None else persona_in(path, data)
    if persona is not None:
        return _in_persona(persona, subject)
    if named_by(path, subject):
        return Trace(("its name",), None)
    if data is None:
        return None
    if _is_raw(path):
        try:
            count, left = rawdata.without(path, data, subject)
        except InputError:
            count, left = 0, None  # its words are looked at
        if count:
            word = "turn" if path.lower().endswith(rawdata.TEXTS) else "record"
            return Trace((_many(count, word),), left)
    return Trace(("a mention",), data, certain=False) if _mentions(data, subject) else None


def in_metadata(metadata: Mapping[str, str], subject: str) -> list[str]:
    """Return the names of the metadata that mention a respondent: as a word, or as the whole value."""
    return [
        name
        for name, value in sorted(metadata.items())
        if in_form(value) == subject or any(_mentions(text.encode(), subject) for text in (name, value))
    ]


def path_ids(path: str) -> set[str]:
    """Return the names of a path's folders, and of its file with and without its ending."""
    *folders, name = path.split("/")
    return {*folders, name, name.rpartition(".")[0] or name}


def in_form(text: str) -> str:
    """Return an id in Unicode's NFC, in which ids are compared."""
    return unicodedata.normalize("NFC", text)


def _is_raw(path: str) -> bool:
    return path.lower().endswith(rawdata.KINDS)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 or word == 'evidence' else 's'}"


def _text(data: bytes) -> str:
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")


def _words(data: bytes) -> set[str]:
    return {in_form(word).strip(".!?*_-") for word in _WORD.findall(_text(data))}


def _mentions(data: bytes, subject: str) -> bool:
    """Say whether a text has the id as a word; a bare number is in too many to mean anybody."""
    if subject.isdecimal():
        return False
    return re.search(rf"(?<![\w-]){re.escape(subject)}(?![\w-])", in_form(_text(data))) is not None


# Personas.


def persona_in(path: str, data: bytes) -> Persona | None:
    """Return the persona that an object is, or None if it is none."""
    if not path.lower().endswith(SUFFIXES):
        return None
    try:
        return document.read(path, data)
    except InputError:
        return None


def _in_persona(persona: Persona, subject: str) -> Trace | None:
    quotes = sum(in_form(item.record) == subject for item in persona.quotes)
    evidence = sum(in_form(item.record) == subject for item in evidence_of(persona)) - quotes
    members = sum(in_form(record) == subject for part in persona.members for record in part.records)
    counts = ((quotes, "quote"), (evidence, "evidence"), (members, "membership"))
    what = tuple(_many(count, word) for count, word in counts if count)
    if not what:
        return None
    left = _without(persona, subject)
    return Trace(what, None if left is None else document.write(left))


def _without(persona: Persona, subject: str) -> Persona | None:
    """Return a persona without a respondent; None if no member or no statement is left.

    Counts stay: they are aggregates, and what the group said.
    """
    members = [
        {"file": part.file, "records": kept}
        for part in persona.members
        if (kept := [record for record in part.records if in_form(record) != subject])
    ]
    said = {item.quote for item in evidence_of(persona) if in_form(item.record) == subject}
    others = {item.quote for item in evidence_of(persona) if in_form(item.record) != subject}
    alone = (quote for quote in said if len(quote) >= _LONG and not any(quote in other for other in others))
    verbatim = sorted(alone, key=len, reverse=True)
    plain: dict[str, Any] = document.plain(persona)
    for section in SECTIONS:
        statements = [_statement(each, subject, verbatim) for each in getattr(persona, section)]
        plain[section] = [each for each in statements if each is not None]
    plain["quotes"] = [item.model_dump() for item in persona.quotes if in_form(item.record) != subject]
    plain["members"] = members
    for name in ("title", "summary"):
        plain[name] = _hidden(plain[name], verbatim)
    if not members or not any(plain[section] for section in SECTIONS):
        return None
    return type(persona).model_validate(plain)


def _statement(statement: Statement, subject: str, verbatim: list[str]) -> dict[str, Any] | None:
    """Return a statement without a respondent's evidence; None if it has no other."""
    kept = [item for item in statement.evidence if in_form(item.record) != subject]
    if not kept:
        return None
    plain = statement.model_dump(mode="json", exclude_defaults=True)
    plain["evidence"] = [item.model_dump() for item in kept]
    if any(quote in statement.text for quote in verbatim) and statement.basis.mentions:
        said = {item.quote for item in statement.evidence if in_form(item.record) == subject}
        for quote in sorted(said, key=len, reverse=True):  # another respondent stands for the others now
            plain["text"] = plain["text"].replace(quote, kept[0].quote)
    elif not statement.basis.answers:
        plain["text"] = _hidden(plain["text"], verbatim)
    return plain


def _hidden(text: str, verbatim: list[str]) -> str:
    for quote in verbatim:
        text = text.replace(quote, ERASED)
    return text
