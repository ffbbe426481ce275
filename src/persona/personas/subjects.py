"""What an object holds of a respondent, and the same object without it.

A respondent is known by an id: the ``record`` of evidence, a name in ``members``, an id in a table, a speaker of an
interview. ``row 12`` is no such id: it names a place in a file, which is another's once a row above it is gone.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from persona.errors import InputError, UsageError
from persona.personas import document, persona_cut, rawdata, runs
from persona.personas.content import containers, databases, pdf
from persona.personas.content.decoding import Text, is_text, may_stand_in, others, readings
from persona.personas.content.documents import table_ids
from persona.personas.content.mentions import mentions, occurs, similar, similar_ids, words
from persona.personas.content.people import in_series, normalised
from persona.personas.content.respondents import respondents
from persona.personas.content.turns import speaks_anyone
from persona.personas.library import SUFFIXES
from persona.personas.named import named_in, path_ids
from persona.personas.persona_cut import ERASED
from persona.personas.sources.limits import MAX_TABLE_BYTES
from persona.personas.sources.records import tidy

if TYPE_CHECKING:
    from persona.personas.model import Persona

__all__ = ["ERASED", "MAX_BYTES", "Look", "Opaque", "Trace", "ids_of", "in_form", "in_metadata", "look", "named_by"]
MAX_BYTES = MAX_TABLE_BYTES
"""The largest object that is searched, in bytes: no larger one is ever read as research data."""
HEAD_BYTES = 65_536
"""How much of an object tells whether it can be searched, in bytes."""
_ROW = re.compile(r"row \d+")
_NAME = "its name"
_IN_NAME = "a mention in its name"
_MENTION = "a mention"
_DELETED = "a mention among deleted rows"
_NO_ENDING = "without an ending"
_RENAME = "Its name has the id, and others are in it: rename it."
_MAGIC = ((b"\xd0\xcf\x11\xe0", "Office 97"), (b"PAR1", "Parquet"))


class Trace(NamedTuple):
    """What an object holds of a respondent.

    Args:
        what: in words, such as ``2 quotes``.
        left: the object without it; None if nothing is left that is of anybody else.
        certain: False if the id is only mentioned, so that a person has to decide what that is.
        doubts: what is left and may be the respondent's as well, in sentences.
    """

    what: tuple[str, ...]
    left: bytes | None
    certain: bool = True
    doubts: tuple[str, ...] = ()


class Opaque(NamedTuple):
    """What cannot be searched.

    Args:
        kind: the ending of its name, or what it is.
        reason: why, and what to do about it; empty if it is of a kind that has no text.
    """

    kind: str
    reason: str = ""


@dataclass
class Look:
    """What a search of one object gives.

    Args:
        trace: what it holds of the respondent; None if nothing.
        similar: other spellings of the id that are in it.
        opaque: what of it cannot be searched.
        others: whether other people are surely in it.
    """

    trace: Trace | None = None
    similar: set[str] = field(default_factory=set)
    opaque: list[Opaque] = field(default_factory=list)
    others: bool = False


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


def named_by(path: str, subject: str) -> bool:
    """Say whether a path has a folder or file of the respondent's name, with any ending."""
    return subject in {normalised(each) for each in path_ids(path)}


def is_opaque(head: bytes) -> bool:
    """Say whether an object cannot be searched, by its first `HEAD_BYTES` bytes: it is no text, and holds none."""
    if pdf.is_pdf(head) or databases.is_database(head) or containers.parts(head, containers.Budget()) is not None:
        return False
    return bool(containers.packed(head)) or not is_text(head)


def opaque(path: str, data: bytes) -> Opaque:
    """Return what kind of thing an object is that cannot be searched."""
    known = containers.packed(data) or next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")
    return Opaque(_kind(path) or known or _NO_ENDING)


def ids_of(path: str, data: bytes | None) -> set[str]:
    """Return all ids that an object could be asked for: what its content names, and its own name.

    Args:
        path: the object.
        data: its content; None if it is not searched.
    """
    found = {normalised(each) for each in path_ids(path) | words(_spaced(path))}
    if data is None:
        return found
    if (persona := persona_in(path, data)) is not None:
        return named_in(persona)
    inside = _ids_in(path, data, containers.Budget(), 0) | runs.words_of(path, data)
    return found | {normalised(each) for each in inside}


def _ids_in(name: str, data: bytes, budget: containers.Budget, depth: int) -> set[str]:
    reads = _texts(data)
    found = {each for read in reads[:1] for each in rawdata.ids(name, read)}
    for read in reads[:1]:
        found |= {each for other in others(data, read) for each in words(other.text)}
    for part in _parts(data, budget, depth) or ():
        inner = part.name or name.rpartition(".")[0]
        found |= path_ids(part.name)
        if part.data is not None:
            found |= _ids_in(inner, part.data, budget, depth + 1)
    return found | table_ids(data) | respondents(data)


def look(path: str, data: bytes | None, subject: str) -> Look:
    """Search one object for a respondent.

    Args:
        path: the object.
        data: its content; None if only its name is to be searched.
        subject: the id, as `subject_of` gives it.
    """
    persona = None if data is None else persona_in(path, data)
    if data is not None and persona is not None:
        return _in_persona(path, persona, data, subject)
    result, named = Look(similar=_similar_in_path(path, subject)), named_by(path, subject)
    if data is not None and (cut := _in_run(path, data, subject)):
        return cut
    if data is not None:
        _search(path, data, subject, result, containers.Budget(), 0, called=named)
    if named:
        result.trace = _named(result, data)
    elif result.trace is None and mentions(_spaced(path), subject):
        result.trace = Trace((_IN_NAME,), data, certain=False)
    if named or (result.trace is not None and result.trace.certain and result.trace.left is None):
        result.opaque.clear()  # all of it goes, or is named
    return result


def names(path: str, subject: str) -> bool:
    """Say whether a path names a respondent anywhere: ``calls/P3.mp3``, ``interview_P3.txt``."""
    return named_by(path, subject) or mentions(_spaced(path), subject)


def trace(path: str, data: bytes | None, subject: str) -> Trace | None:
    """Return what an object holds of a respondent, None if nothing; see `look`."""
    return look(path, data, subject).trace


def in_metadata(metadata: Mapping[str, str], subject: str) -> list[str]:
    """Return the names of the metadata that mention a respondent: as a word, or as the whole value."""
    return [
        name
        for name, value in sorted(metadata.items())
        if normalised(value) == subject or any(mentions(text, subject) for text in (name, value))
    ]


def in_form(text: str) -> str:
    """Return an id in Unicode's NFC, in which ids are compared."""
    return unicodedata.normalize("NFC", text)


def persona_in(path: str, data: bytes) -> Persona | None:
    """Return the persona that an object is, or None if it is none."""
    if not path.lower().endswith(SUFFIXES):
        return None
    try:
        return document.read(path, data)
    except InputError:
        return None


def _named(result: Look, data: bytes | None) -> Trace:
    """Return what becomes of an object that is called as the respondent: it goes, unless others are in it."""
    found = result.trace
    if not result.others or data is None:
        return Trace((_NAME,), None)
    if found is not None and found.certain:
        return found._replace(what=(*found.what, _NAME), doubts=(*found.doubts, _RENAME))
    return Trace((_NAME, *(found.what if found else ())), data, certain=False, doubts=(_RENAME,))


def _in_persona(path: str, persona: Persona, data: bytes, subject: str) -> Look:
    """Search a persona; what other people say of the respondent is a mention."""
    read = readings(data)[0]
    cut = persona_cut.without(persona, data, subject)
    result = Look(similar=_similar_in_path(path, subject) | similar(read.text, subject), others=True)
    if cut.what:
        result.trace = Trace(cut.what, cut.data)
    elif named_by(path, subject) or mentions(_spaced(path), subject):
        result.trace = Trace((_IN_NAME,), data, certain=False, doubts=(_RENAME,))
    elif mentions(read.text, subject):
        result.trace = Trace((_MENTION,), data, certain=False)
    return result


def _in_run(path: str, data: bytes, subject: str) -> Look | None:
    """Search the notes of a run's record, which are Persona's own and may name a respondent; None if none does."""
    count, left = runs.without_subject(path, data, subject)
    if not count:
        return None
    doubts = ("It mentions the respondent elsewhere too.",) if mentions(left.decode(), subject) else ()
    what = f"{count} note{'' if count == 1 else 's'} on a run"
    return Look(Trace((what,), left, doubts=doubts), _similar_in_path(path, subject), others=True)


def _search(
    name: str, data: bytes, subject: str, result: Look, budget: containers.Budget, depth: int, *, called: bool
) -> None:
    """Add what the content of a file, or of a file within one, holds of a respondent.

    Args:
        name: the file.
        data: its content.
        subject: the id.
        result: takes what is found.
        budget: how much may still be expanded.
        depth: in how many files it lies.
        called: whether it is called as the respondent, so that it matters who else is in it.
    """
    reads = _texts(data)
    if reads:
        _in_text(name, data, reads, subject, result, called=called)
    parts = _parts(data, budget, depth)
    if parts is None:
        if not reads:
            result.opaque.append(opaque(name, data))
        elif subject.isdecimal() and result.trace is None and subject in table_ids(data):
            result.trace = Trace((_MENTION,), data, certain=False)
        return
    found = [each for part in parts if (each := _in_part(name, part, subject, result, budget, depth, called=called))]
    if (subject.isdecimal() and subject in table_ids(data)) or (not found and subject in respondents(data)):
        found.append(Trace((_MENTION,), None, certain=False))
    if databases.is_left_over(data, subject):
        found.append(Trace((_DELETED,), None, certain=False))
    if found and not (result.trace and result.trace.certain):
        result.trace = _within(data, found, alone=depth == 0 and containers.is_compressed(data))


def _within(data: bytes, found: list[Trace], *, alone: bool) -> Trace:
    """Return what an object holds by the files in it: it is named, but one compressed file is compressed again."""
    first = found[0]
    if not (alone and first.certain):
        return Trace(tuple(dict.fromkeys(what for each in found for what in each.what)), data, certain=False)
    if first.left is None:
        return first
    return first._replace(left=gzip.compress(first.left, mtime=int.from_bytes(data[4:8], "little")))


def _in_text(name: str, data: bytes, reads: list[Text], subject: str, result: Look, *, called: bool) -> None:
    likely = reads[:1] if subject.isascii() else [read for read in reads if read.may_hold(subject)] or reads[:1]
    for read in likely if called or any(occurs(read.text, subject) for read in likely) else []:
        cut = rawdata.without(name, read, subject)
        result.others = result.others or cut.others
        if cut.what:
            result.trace = Trace((cut.what,), cut.data, doubts=cut.doubts)
            break
    if called and not result.others:
        text = reads[0].text
        result.others = speaks_anyone(text, subject) or any(
            in_series(each, subject) and each != subject for each in words(text)
        )
    result.similar |= similar(reads[0].text, subject)
    if any(c.isdigit() for c in subject):
        result.similar |= similar_ids(rawdata.people(name, reads[0]), subject)
    if result.trace is None and (
        any(mentions(read.text, subject) for read in likely) or may_stand_in(data, reads[0], subject)
    ):
        result.trace = Trace((_MENTION,), data, certain=False)


def _in_part(
    name: str, part: containers.Part, subject: str, result: Look, budget: containers.Budget, depth: int, *, called: bool
) -> Trace | None:
    """Return what a file within a file holds, and add what else a search of it gives."""
    if part.data is None:
        result.opaque.append(Opaque(_kind(part.name) or _kind(name) or _NO_ENDING, part.reason))
        return None
    inner = Look()
    _search(part.name or name.rpartition(".")[0], part.data, subject, inner, budget, depth + 1, called=called)
    result.similar |= inner.similar
    result.opaque += inner.opaque
    result.others = result.others or inner.others
    if inner.trace is None and names(part.name, subject):
        inner.trace = Trace((_IN_NAME,), None, certain=False)
    if inner.trace is None or not part.name:
        return inner.trace
    return inner.trace._replace(what=tuple(f"{each} in {part.name}" for each in inner.trace.what))


def _parts(data: bytes, budget: containers.Budget, depth: int) -> list[containers.Part] | None:
    """Return the files within a file, or None if it is none that holds others."""
    if pdf.is_pdf(data):
        found: Iterator[containers.Part] | None = pdf.parts(data)
    else:
        found = databases.parts(data) if databases.is_database(data) else containers.parts(data, budget)
    if found is None:
        return None
    return [*found] if depth < containers.MAX_DEPTH else [containers.Part("", None, "It is nested too deeply.")]


def _similar_in_path(path: str, subject: str) -> set[str]:
    return similar(path, subject) | similar_ids({normalised(each) for each in path_ids(path)}, subject)


def _spaced(path: str) -> str:
    """Return a path with a space for each character that parts the words of file names."""
    return path.replace("_", " ").replace("/", " ")


def _texts(data: bytes) -> list[Text]:
    """Return how bytes may be read as text; a PDF file is none, though it may look so: its table counts its bytes."""
    return [] if pdf.is_pdf(data) or containers.packed(data) else readings(data)


def _kind(name: str) -> str:
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if stem and dot and len(ending) <= 8 else ""
