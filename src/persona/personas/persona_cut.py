"""One respondent in a persona: quotes, evidence and memberships, and the persona's file without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from persona.errors import InputError
from persona.personas import document
from persona.personas.content import yaml_text
from persona.personas.content.decoding import Text, readings
from persona.personas.content.trees import Node, Pruned
from persona.personas.named import evidence_of, records_of

if TYPE_CHECKING:
    from persona.personas.model import Evidence, Members, Persona, Statement

ERASED = "[erased]"
"""Replaces a respondent's words in a text."""
_LONG = 12
"""Verbatim words of at least so many characters are replaced in the texts of a persona as well."""
_GONE = object()


class PersonaCut(NamedTuple):
    """A persona's file without a respondent: what it held, in words, and what is left, None if nothing."""

    what: tuple[str, ...]
    data: bytes | None


def without(persona: Persona, data: bytes, subject: str) -> PersonaCut:
    """Return a persona's file without a respondent: all else, comments too, stays as it is written."""
    quotes = sum(_is_of(item, subject) for item in persona.quotes)
    evidence = sum(_is_of(item, subject) for item in evidence_of(persona)) - quotes
    members = sum(len(part.records) - len(_others(part, subject)) for part in persona.members)
    counts = ((quotes, "quote"), (evidence, "evidence"), (members, "membership"))
    what = tuple(_many(count, word) for count, word in counts if count)
    if not what:
        return PersonaCut((), data)
    marked = _marked(persona, subject)
    plain = _purged(marked)
    left = type(persona).model_validate(plain)
    if not left.members or not left.statements():
        return PersonaCut(what, None)
    return PersonaCut(what, _edited(data, marked, left) or document.write(left))


def _is_of(item: Evidence, subject: str) -> bool:
    """Say whether evidence is a respondent's: by the record, or by the file where the record names nobody."""
    return subject in records_of(item.file, [item.record])


def _others(part: Members, subject: str) -> list[str]:
    return [record for record in part.records if subject not in records_of(part.file, [record])]


def _marked(persona: Persona, subject: str) -> dict[str, Any]:
    """Return a persona as plain values, with a mark in place of each list item that goes.

    Counts stay: they are aggregates, and what the group said.
    """
    said = {item.quote for item in evidence_of(persona) if _is_of(item, subject)}
    others = {item.quote for item in evidence_of(persona) if not _is_of(item, subject)}
    alone = (quote for quote in said if len(quote) >= _LONG and not any(quote in other for other in others))
    verbatim = sorted(alone, key=len, reverse=True)
    from persona.personas.model import SECTIONS

    plain: dict[str, Any] = document.plain(persona)
    for section in SECTIONS:
        plain[section] = [_statement(each, subject, verbatim) for each in getattr(persona, section)]
    for part, own in zip(plain.get("sections", []), persona.sections, strict=False):
        part["statements"] = [_statement(each, subject, verbatim) for each in own.statements]
    plain["quotes"] = [_GONE if _is_of(item, subject) else item.model_dump() for item in persona.quotes]
    plain["members"] = [_members(part, subject) for part in persona.members]
    for name in ("title", "summary"):
        plain[name] = _hidden(plain[name], verbatim)
    return plain


def _members(part: Members, subject: str) -> Any:
    kept = _others(part, subject)
    if not kept:
        return _GONE
    known = {*kept}
    return {"file": part.file, "records": [each if each in known else _GONE for each in part.records]}


def _statement(statement: Statement, subject: str, verbatim: list[str]) -> Any:
    """Return a statement without a respondent's evidence; a mark if it has no other."""
    kept = [item for item in statement.evidence if not _is_of(item, subject)]
    if not kept:
        return _GONE
    plain = statement.model_dump(mode="json", exclude_defaults=True)
    plain["evidence"] = [_GONE if _is_of(item, subject) else item.model_dump() for item in statement.evidence]
    if not statement.basis.answers:
        plain["text"] = _hidden(plain["text"], verbatim)
    return plain


def _purged(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _purged(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_purged(inner) for inner in value if inner is not _GONE]
    return value


def _edited(data: bytes, marked: dict[str, Any], left: Persona) -> bytes | None:
    """Return a file with the marked parts cut out; None if it is written in a way in which that cannot be done."""
    reads = readings(data)
    try:
        (root,) = yaml_text.read_yaml_trees("persona", reads[0].text)
        edits: list[yaml_text.Edit] = []
        _compare(reads[0], root, marked, edits)
        edited = reads[0].replaced(edits)
        return edited if document.read("persona", edited) == left else None
    except (InputError, ValueError, IndexError, LookupError):
        return None


def _compare(read: Text, node: Node, value: Any, edits: list[yaml_text.Edit]) -> None:
    """Add the edits that make a value of a file into another one."""
    if isinstance(value, dict):
        for pair in node.pairs or ():
            if pair.key in value:
                _compare(read, pair.node, value[pair.key], edits)
    elif isinstance(value, list):
        items = node.items or []
        gone = [n for n, each in enumerate(value) if each is _GONE]
        if gone:
            edits += yaml_text.edits(read.text, Pruned(removed=[(node, gone)]))
        for item, each in zip(items, value, strict=True):
            if each is not _GONE:
                _compare(read, item, each, edits)
    elif isinstance(value, str) and isinstance(node.value, str) and node.value != value:
        end = "\n" if read.text[node.end - 1 : node.end] == "\n" else ""
        edits.append((node.start, node.end, document.to_yaml(value).decode().removesuffix("...\n").rstrip("\n") + end))


def _hidden(text: str, verbatim: list[str]) -> str:
    for quote in verbatim:
        text = text.replace(quote, ERASED)
    return text


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 or word == 'evidence' else 's'}"
