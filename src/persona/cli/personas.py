"""persona list, show, export."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand, fresh_option
from persona.cli.files import on_this_machine
from persona.cli.render import fields, heading, human_time, json_time, of_path, shortened, table
from persona.cli.session import Session
from persona.cli.typed import in_either_form, storage_path
from persona.neutral import line

if TYPE_CHECKING:
    from persona.personas.library import Library
    from persona.personas.model import Persona, Statement
    from persona.personas.summaries import Summaries
    from persona.storage.backend import StorageBackend


@click.command("list", cls=PersonaCommand)
@click.argument("path", default="personas/", required=False)
@fresh_option
@click.pass_obj
def list_(session: Session, path: str) -> int:
    """List the personas of a library at PATH (personas/ if not given)."""
    from persona.personas.duplicates import duplicates
    from persona.personas.summaries import summaries

    folder = storage_path(path)

    async def work(storage: StorageBackend) -> tuple[Summaries, str]:
        async def read(form: str) -> tuple[Summaries, str]:
            return await summaries(storage, form), storage.url(form)

        return await in_either_form(read, folder)

    found, location = session.with_storage(work)
    copies = duplicates((each.id, each.path) for each in found.personas)
    if session.json:
        session.emit(_listed_json(found) | _copies_json(copies))
    else:
        print(_listed_text(found, location))
    return _report(session, found, copies)


def _copies_json(copies: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the ids that several files have for JSON, if there are any."""
    return {"duplicates": [{"id": key, "paths": paths} for key, paths in copies.items()]} if copies else {}


def _listed_json(found: Summaries) -> dict[str, Any]:
    document: dict[str, Any] = {"personas": [each._asdict() for each in found.personas]}
    if found.refused:
        document["refused"] = [{"path": item.path, "reason": item.reason} for item in found.refused]
    if found.as_of:
        document |= {"as_of": json_time(found.as_of), "whole": found.whole}
    return document


def _listed_text(found: Summaries, location: str) -> str:
    facts = [("Location", location), ("Personas", str(len(found.personas)))]
    if found.as_of:
        part = "" if found.whole else "; only what is kept on this machine"
        facts.append(("As of", human_time(found.as_of) + part))
    text = f"{heading('Personas')}\n{fields(facts)}"
    rows = [(each.id, each.name, each.path, shortened(each.title)) for each in found.personas]
    return f"{text}\n\n{table(('ID', 'Name', 'Path', 'Title'), rows)}" if rows else text


@click.command(cls=PersonaCommand)
@click.argument("path")
@click.argument("key", metavar="[ID]", required=False)
@fresh_option
@click.pass_obj
def show(session: Session, path: str, key: str | None) -> None:
    """Show one persona with its evidence.

    PATH is the persona's file, with or without .yaml; or a library, followed by the persona's ID.
    """
    from persona.personas.document import plain
    from persona.personas.duplicates import copies_of
    from persona.personas.library import find

    named = storage_path(path)
    settings = session.workspace.settings.storage
    looks = settings.backend == "local" or not settings.cache.enabled  # else a read of what is cached needs no request

    async def work(storage: StorageBackend) -> tuple[str, str, Persona, list[str]]:
        found, persona = await in_either_form(partial(find, storage), named, *([key] if key else []))
        copies = await copies_of(storage, found, persona) if looks else []
        return found, storage.url(found), persona, copies

    found, location, persona, copies = session.with_storage(work)
    if session.json:
        session.emit(plain(persona) | {"path": found})
    else:
        print(persona_text(persona, location))
    if copies:
        _warn_of_copies(session, persona.id, [found, *copies])


def persona_text(persona: Persona, location: str) -> str:
    """Return what ``show`` shows to a person."""
    from persona.personas.export import distribution
    from persona.personas.model import percent

    coverage = persona.coverage
    rows = [
        ("Title", persona.title),
        ("Location", location),
        ("Respondents", f"{persona.respondents.count:,} ({percent(persona.respondents.share)})"),
        ("Coverage", f"{percent(coverage.members)} of the group share at least half of what is stated"),
    ]
    parts = [persona.summary]
    alone = persona.generation.groups == 1
    for _, title, statements in persona.parts():
        if statements:
            parts += ["", f"{title}:", *(row for statement in statements for row in _statement(statement, alone=alone))]
    if persona.demographics:
        parts += ["", "Who they are:", *(f"  - {distribution(each, alone=alone)}" for each in persona.demographics)]
    if persona.quotes:
        parts += ["", "Quotes:", *(f"  “{q.quote}” — {q.file}, {q.record}" for q in persona.quotes)]
    return "\n".join([heading(persona.name), fields(rows), "", *map(line, parts)])


def _statement(statement: Statement, *, alone: bool) -> list[str]:
    from persona.personas.export import quoted, shares

    said = f"  - {statement.text} ({shares(statement, alone=alone)})"
    if quotes := quoted(statement):
        return [said, *(f"      “{each.quote}” — {each.file}, {each.record}" for each in quotes)]
    first = statement.evidence[0]
    more = f" and {len(statement.evidence) - 1} more" if len(statement.evidence) > 1 else ""
    return [said, f"      {first.file}, {first.record}{more}"]


@click.command(cls=PersonaCommand)
@click.argument("path", default="personas/", required=False)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["yaml", "json", "markdown", "csv"]),
    help="The format; else that of the ending of FILE, or yaml.",
)
@click.option("--output", default="-", metavar="FILE|-", help="Where to; - is stdout, the default.")
@fresh_option
@click.pass_obj
def export(session: Session, path: str, format_name: str | None, output: str) -> int:
    """Export the personas of a library at PATH (personas/ if not given)."""
    from persona.personas.duplicates import duplicates
    from persona.personas.export import export as exported
    from persona.personas.export import format_of
    from persona.personas.local_file import write_file

    format_name = format_name or format_of(output)
    file = on_this_machine(output)
    library, location = _load(session, path)
    data = exported(library.personas, format_name)
    copies = duplicates((persona.id, path) for path, persona in library.personas)
    document = {"format": format_name, "personas": len(library.personas), **_copies_json(copies)}
    document |= {} if library.whole else {"whole": False}
    if output == "-" and not session.json:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    elif output == "-":
        session.emit(document | {"content": data.decode()})
    else:
        write_file(file, data)
        if session.json:
            session.emit(document | {"output": output})
        else:
            count = len(library.personas)
            session.note(f"Wrote {count} persona{'' if count == 1 else 's'} from {location} to {output}.")
    return _report(session, library, copies)


def _load(session: Session, path: str) -> tuple[Library, str]:
    from persona.personas.library import load

    folder = storage_path(path)

    async def work(storage: StorageBackend) -> tuple[Library, str]:
        async def read(form: str) -> tuple[Library, str]:
            return await load(storage, form), storage.url(form)

        return await in_either_form(read, folder)

    return session.with_storage(work)


def _report(session: Session, found: Library | Summaries, duplicates: Mapping[str, Sequence[str]]) -> int:
    """Name on stderr what is no persona, what was left out and what is there twice, and return the exit code.

    Returns:
        8 if something arrives damaged, 1 if something else is no persona or was not listed, 0 otherwise.
    """
    for item in found.refused:
        session.warn(f"Not read: {of_path(item.path, item.reason)}")
    if found.reserved.names:
        session.warn(f"Warning: {found.reserved.warning}")
    for key, paths in duplicates.items():
        _warn_of_copies(session, key, paths)
    if not found.whole:
        session.warn("Incomplete: only the personas that are cached on this machine; there may be others.")
    return 8 if found.damaged else 1 if found.refused or not found.whole else 0


def _warn_of_copies(session: Session, key: str, paths: Sequence[str]) -> None:
    """Tell that several files have one id."""
    names = ", ".join(map(line, paths))
    session.warn(f"Warning: {len(paths)} files have the id “{line(key)}”: {names}\n  → Compare them and keep one.")
