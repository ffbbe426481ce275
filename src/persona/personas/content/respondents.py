"""Whom `generate` counts as respondents in a document that is no text: they are found by the same reading."""

from __future__ import annotations

import re

from persona.errors import InputError
from persona.personas.content.people import normalised
from persona.personas.sources.kinds import kind_of
from persona.personas.sources.read import read_files

_KINDS = frozenset((".xlsx", ".ods", ".sav", ".sqlite3", ".qdpx", ".docx"))
_ROW = re.compile(r"row \d+")


def respondents(data: bytes) -> set[str]:
    """Return the ids of the respondents of a workbook, data file or project; nothing of other files."""
    try:
        kind = kind_of("the document", data)
        read = read_files([(f"document{kind}", data)]).records if kind in _KINDS else []
    except InputError:
        return set()
    return {normalised(record.id) for record in read if not _ROW.fullmatch(record.id)}
