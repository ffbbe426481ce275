"""The ids in the tables of Office documents, where a bare number names a respondent only by its column."""

from __future__ import annotations

from persona.errors import InputError
from persona.personas.content import containers
from persona.personas.content.markup_tables import shared_strings, tables
from persona.personas.content.tables import Table

_ENDINGS = (".xml", ".html", ".htm")
_OFFICE = {"[Content_Types].xml", "mimetype"}
"""One of these is in each Office document, of Microsoft's or of LibreOffice's kind."""
_STRINGS = "xl/sharedStrings.xml"


def table_ids(data: bytes) -> set[str]:
    """Return what the tables of an Office document or a web page name people by; nothing of other files."""
    if data.startswith(b"PK\x03\x04"):
        parts = {part.name: part.data for part in containers.parts(data, containers.Budget()) or () if part.data}
        if not _OFFICE & parts.keys():
            return set()
        texts = [each.decode("utf-8", "replace") for name, each in parts.items() if name.endswith(_ENDINGS)]
        shared = shared_strings(parts.get(_STRINGS, b"").decode("utf-8", "replace"))
    elif data.lstrip()[:1] == b"<":
        texts, shared = [data.decode("utf-8", "replace")], []
    else:
        return set()
    return {each for text in texts for table in tables(text, shared) for each in _ids(table)}


def _ids(text: str) -> set[str]:
    try:
        return {*Table("the table", text).ids()}
    except InputError:
        return set()
