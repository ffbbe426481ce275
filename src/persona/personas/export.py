"""Personas as YAML, JSON, Markdown or CSV: the same library gives the same bytes on any storage."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from persona.errors import InputError, UsageError
from persona.neutral import cell, inline, json_text
from persona.personas import document
from persona.personas.model import Distribution, Evidence, Persona, Statement, percent
from persona.storage.paths import printable, sort_key

Entry = tuple[str, Persona]
"""A persona with its path."""
CSV_COLUMNS = (
    "id", "name", "title", "respondents", "share", "section", "statement", "count", "total", "share_of_group",
    "share_of_rest", "kind", "file", "record", "field", "quote",
)  # fmt: skip


def export(entries: Sequence[Entry], format_name: str) -> bytes:
    """Return personas in a format, ordered by their paths.

    Raises:
        InputError: there is no such format.
    """
    if format_name not in FORMATS:
        raise InputError(f"There is no format “{format_name}”.", hint=f"Formats: {', '.join(FORMATS)}.")
    return FORMATS[format_name](sorted(entries, key=lambda entry: sort_key(entry[0])))


def to_yaml(entries: Sequence[Entry]) -> bytes:
    """Return one YAML document a persona."""
    return b"".join(b"---\n" + document.write(persona) for _, persona in entries)


def to_json(entries: Sequence[Entry]) -> bytes:
    """Return one JSON document: ``{"personas": [...]}``."""
    personas: list[dict[str, Any]] = [document.plain(persona) for _, persona in entries]
    return f"{json_text(json.dumps({'personas': personas}, ensure_ascii=False, indent=2))}\n".encode()


def to_csv(entries: Sequence[Entry]) -> bytes:
    """Return one row a statement or quote, under one row of headings; safe to open in a spreadsheet."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for _, persona in entries:
        about = [
            persona.id,
            persona.name,
            persona.title,
            persona.respondents.count,
            persona.respondents.share,
        ]
        for row in _rows(persona):
            writer.writerow([cell(each) if isinstance(each, str) else each for each in [*about, *row]])
    return stream.getvalue().encode()


def _rows(persona: Persona) -> Iterator[list[Any]]:
    for key, _, statements in persona.parts():
        for each in statements:
            counts = [each.group.count, each.group.total, each.group.share, each.rest.share]
            yield [key, each.text, *counts, each.kind, *_source(each.evidence[0])]
    for of in persona.demographics:
        for share in of.shares:
            counts = [share.group.count, share.group.total, share.group.share, share.rest.share]
            yield ["demographics", f"{of.label}: {share.text}", *counts, share.differs, "", "", of.field, ""]
    for quote in persona.quotes:
        yield ["quotes", "", "", "", "", "", "", *_source(quote)]


def _source(item: Evidence) -> list[str]:
    return [item.file, item.record, item.field, item.quote]


def to_markdown(entries: Sequence[Entry]) -> bytes:
    """Return one section a persona, to be read."""
    return "\n".join(markdown(persona) for _, persona in entries).encode()


def markdown(persona: Persona) -> str:
    """Return one persona as Markdown."""
    lines = [f"# {inline(persona.name)}: {inline(persona.title)}", "", inline(persona.summary), ""]
    alone = persona.generation.groups == 1
    for _, heading, statements in persona.parts():
        if statements:
            lines += [f"## {inline(heading)}", "", *(_bullet(each, alone=alone) for each in statements), ""]
    if persona.demographics:
        lines += [
            "## Who they are",
            "",
            *(f"- {inline(distribution(each, alone=alone))}" for each in persona.demographics),
            "",
        ]
    if persona.quotes:
        lines += [
            "## Quotes",
            "",
            *(f"> {inline(q.quote)}\n> — {inline(_where(q))}\n" for q in persona.quotes),
        ]
    covered = f"{percent(persona.coverage.members)} of the group share at least half of these statements"
    lines += [
        "## Coverage",
        "",
        f"{covered}; {percent(persona.coverage.input)} of all respondents are in a group.",
        "",
    ]
    return "\n".join(lines)


def _bullet(statement: Statement, *, alone: bool) -> str:
    said = f"{inline(statement.text)} ({shares(statement, alone=alone)})"
    quotes = [f"“{inline(item.quote)}” — {inline(_where(item))}" for item in quoted(statement)]
    return "  \n  ".join([f"- {said}", *(quotes or [inline(_where(statement.evidence[0]))])])


def quoted(statement: Statement) -> list[Evidence]:
    """Return the quotes that a statement is shown with: those of free text, where they say more than an answer."""
    return statement.evidence if statement.basis.field is None else []


def shares(statement: Statement, *, alone: bool = False) -> str:
    """Return a share beside that of the rest: ``62 %, 13 of 21; rest 21 %; defining``; alone, there is no rest."""
    group, rest = statement.group, statement.rest
    parts = [f"{percent(group.share)}, {group.count:,} of {group.total:,}"]
    parts += [f"rest {percent(rest.share)}"] if rest.total and not alone else []
    return "; ".join([*parts, *([] if statement.kind == "shared" else [statement.kind])])


def distribution(of: Distribution, *, alone: bool = False) -> str:
    """Return the answers to a question in one line: ``Age: 18-29 62 % (rest 21 %, more), 30-44 38 % (rest 40 %)``."""
    total = of.shares[0].group.total if of.shares else 0
    given = [
        f"{each.text} {percent(each.group.share)}"
        + (
            f" (rest {percent(each.rest.share)}{each.differs and f', {each.differs}'})"
            if each.rest.total and not alone
            else ""
        )
        for each in of.shares
    ]
    return f"{of.label}: {', '.join(given)} ({total:,} answered)"


def _where(item: Evidence) -> str:
    return f"{item.file}, {item.record}"


FORMATS: dict[str, Callable[[Sequence[Entry]], bytes]] = {
    "yaml": to_yaml,
    "json": to_json,
    "markdown": to_markdown,
    "csv": to_csv,
}
"""The formats by name."""


_ENDINGS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".md": "markdown", ".markdown": "markdown", ".csv": "csv"}


def format_of(name: str) -> str:
    """Return the format that the ending of a file's name stands for; ``yaml`` if it has none.

    Raises:
        UsageError: it stands for no format.
    """
    ending = PurePath(name).suffix.lower()
    if ending and ending not in _ENDINGS:
        raise UsageError(
            f"The ending of {printable(name)} stands for no format.",
            hint=f"Use --format {', '.join(FORMATS)}; or one of the endings {', '.join(_ENDINGS)}.",
        )
    return _ENDINGS.get(ending, "yaml")
