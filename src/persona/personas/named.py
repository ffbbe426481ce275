"""Which respondents a persona names, and the note on it: what an erasure need not read is found by it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from persona.storage.backend import Notes, StorageObject

if TYPE_CHECKING:
    from persona.personas.model import Evidence, Persona

NOTES = "subjects-1"
"""The kind of note on a persona's file: the ids that it names, as a JSON list. It ends with its own version."""
MAX_NOTED = 2_000
"""A persona that names more respondents is read instead."""
SECTIONS = ("demographics", "goals", "pain_points", "behaviours", "motivations")
"""Where a persona has statements."""


def evidence_of(persona: Persona) -> Iterator[Evidence]:
    """Yield all evidence of a persona, and its quotes."""
    yield from persona.quotes
    for section in SECTIONS:
        for statement in getattr(persona, section):
            yield from statement.evidence


def named_in(persona: Persona) -> set[str]:
    """Return the ids of the respondents whom a persona names, in Unicode's NFC."""
    members = {record for part in persona.members for record in part.records}
    return {unicodedata.normalize("NFC", each) for each in members | {item.record for item in evidence_of(persona)}}


def keep_note(notes: Notes, found: StorageObject, persona: Persona) -> None:
    """Note which respondents a persona names."""
    ids = named_in(persona)
    if len(ids) <= MAX_NOTED:
        notes.keep([(found, json.dumps(sorted(ids), ensure_ascii=False))])


def may_name(note: str, subject: str) -> bool:
    """Say whether a note leaves it open that a persona names somebody."""
    try:
        known = json.loads(note)
    except ValueError:
        return True
    return not isinstance(known, list) or subject in known
