"""persona diff."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from persona.cli.app import PersonaCommand, fresh_option
from persona.cli.render import fields, heading, shortened, table
from persona.cli.session import Session
from persona.cli.typed import in_either_form, storage_path
from persona.neutral import line
from persona.storage.urls import is_url

if TYPE_CHECKING:
    from persona.personas.compare import Comparison, Match
    from persona.personas.library import Library
    from persona.personas.model import Persona
    from persona.storage.backend import StorageBackend

T = TypeVar("T")


@click.command(cls=PersonaCommand)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@fresh_option
@click.pass_obj
def diff(session: Session, before: str, after: str) -> int:
    """Compare two libraries: what their personas have in common, gained and lost.

    A and B are storage paths, such as personas/ or .persona-backup/ID/personas, or storage URLs.
    """
    from persona.personas.compare import compare, completed
    from persona.personas.library import load

    async def read(storage: StorageBackend, path: str) -> Library:
        return await in_either_form(lambda form: load(storage, form), path)

    second = _at(session, after, read)
    first = _at(session, before, read)

    async def complete(storage: StorageBackend, path: str) -> list[Persona]:
        return await completed(storage, path, first, second)

    found = compare(_at(session, before, complete), [persona for _, persona in second.personas])
    if session.json:
        session.emit(_json(found, before, after))
    else:
        print(_text(found, before, after))
    return _report(session, first, second)


def _at(session: Session, text: str, work: Callable[[StorageBackend, str], Awaitable[T]]) -> T:
    """Do some work at a storage path of the workspace, or at a storage URL."""
    if not is_url(text):
        path = storage_path(text)

        async def here(storage: StorageBackend) -> T:
            return await work(storage, path)

        return session.with_storage(here)
    import asyncio

    from persona.storage.outage import require
    from persona.storage.stack import open_url

    async def elsewhere() -> T:
        storage, path = open_url(text, session.workspace.settings.storage)
        try:
            await require(storage.address())
            return await work(storage, path)
        finally:
            await storage.close()

    return asyncio.run(elsewhere())


def _report(session: Session, *libraries: Library) -> int:
    """Name on stderr what could not be read, and return the exit code."""
    for item in (each for library in libraries for each in library.refused):
        session.warn(f"Not read: {line(item.path)}: {line(item.reason)}")
    if not all(library.whole for library in libraries):
        session.warn("Incomplete: only the personas that are cached on this machine; there may be others.")
    if any(library.damaged for library in libraries):
        return 8
    return 1 if any(library.refused or not library.whole for library in libraries) else 0


def _json(found: Comparison, before: str, after: str) -> dict[str, Any]:
    return {
        "a": before,
        "b": after,
        "respondents": dict(zip(("a", "b", "both"), found.people, strict=True)) | {"moved": found.moved},
        "agreement": found.agreement,
        "common": [
            {
                "a": match.before.id,
                "b": match.after.id,
                "respondents": match.common,
                "jaccard": round(match.jaccard, 4),
                "statements": {"gained": list(match.gained), "lost": list(match.lost)},
            }
            for match in found.matches
        ],
        "gained": [_brief(persona) for persona in found.gained],
        "lost": [_brief(persona) for persona in found.lost],
    }


def _brief(persona: Persona) -> dict[str, Any]:
    return {
        "id": persona.id,
        "name": persona.name,
        "title": persona.title,
        "respondents": persona.respondents.count,
    }


def _text(found: Comparison, before: str, after: str) -> str:
    first, second, both = found.people
    facts = [
        ("A", f"{before} ({first:,} respondents in {len(found.matches) + len(found.lost):,} personas)"),
        ("B", f"{after} ({second:,} respondents in {len(found.matches) + len(found.gained):,} personas)"),
        ("In both", f"{both:,} respondents, of whom {found.moved:,} moved to another persona"),
    ]
    if found.agreement is not None:
        facts.append(("Agreement", f"{found.agreement:.2f} (adjusted Rand index; 1 is the same groups)"))
    parts = [heading("Comparison of Personas"), fields(facts)]
    if found.matches:
        rows = [_row(match) for match in found.matches]
        parts += ["", "In common:", table(("A", "B", "Respondents", "Overlap", "Statements"), rows)]
    for title, personas in (("Gained", found.gained), ("Lost", found.lost)):
        if personas:
            parts += ["", f"{title}:", _table(personas)]
    for match in found.matches:
        parts += _statements(match)
    return "\n".join(parts)


def _row(match: Match) -> tuple[str, ...]:
    from persona.personas.model import percent

    changes = f"+{len(match.gained)} -{len(match.lost)}"
    return match.before.name, match.after.name, f"{match.common:,}", percent(match.jaccard), changes


def _table(personas: Sequence[Persona]) -> str:
    rows = [(each.name, f"{each.respondents.count:,}", shortened(each.title)) for each in personas]
    return table(("Name", "Respondents", "Title"), rows)


def _statements(match: Match) -> list[str]:
    """Return the statements that a persona gained and lost."""
    rows = [f"  + {line(text)}" for text in match.gained] + [f"  - {line(text)}" for text in match.lost]
    return ["", f"{line(match.before.name)} → {line(match.after.name)}:", *rows] if rows else []
