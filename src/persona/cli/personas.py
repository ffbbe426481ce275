"""persona generate, list, show, export."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand, fresh_option
from persona.cli.render import fields, heading, human_time, json_time, table
from persona.cli.session import Session
from persona.cli.typed import in_either_form, on_this_machine, storage_path
from persona.errors import UsageError
from persona.neutral import line
from persona.storage.paths import printable
from persona.storage.reserved import RULE, is_reserved

if TYPE_CHECKING:
    from persona.personas.generate.provider import Generated
    from persona.personas.library import Library
    from persona.personas.model import Persona, Statement
    from persona.personas.sources.records import Dataset
    from persona.personas.summaries import Summaries
    from persona.storage.backend import StorageBackend

_TITLE_WIDTH = 90


@click.command(cls=PersonaCommand)
@click.argument("source", metavar="INPUT")
@click.option("--output", default="personas/", show_default=True, metavar="PATH", help="The library to write to.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="How many personas; else as many as fit the data.")
@click.option("--provider", "provider_name", default="offline", show_default=True, help="Who makes them.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of what is drawn by chance.",
)
@click.option("--name-prefix", default="", metavar="TEXT", help="What stands before each name.")
@click.option("--overwrite", is_flag=True, help="Replace personas that are there under the same names.")
@click.pass_obj
def generate(
    session: Session,
    source: str,
    output: str,
    count: int | None,
    provider_name: str,
    seed: int,
    name_prefix: str,
    overwrite: bool,
) -> None:
    """Make personas from interviews and surveys.

    INPUT is a CSV, JSON, JSON Lines, text or Markdown file, a folder of these, or a storage URL such as
    s3://bucket/research. The same input and seed give the same personas.
    """
    from persona.cli.erased import leave_out
    from persona.personas.generate.provider import Options, provider
    from persona.personas.generate.provider import generate as make
    from persona.personas.library import save
    from persona.personas.survey.understand import understand

    folder = storage_path(output, writes=True)
    if is_reserved(folder):
        raise UsageError(f"“{printable(folder)}” is no place for a library. {RULE}", hint="Name another --output.")
    provider(provider_name)
    session.check_writable()
    dataset = read_input(session, source)
    leave_out(session, dataset)
    made = make(understand(dataset), Options(count, seed, name_prefix), provider_name)

    async def work(storage: StorageBackend) -> tuple[list[str], str, str]:
        kept: dict[str, str] = {}
        paths = await save(storage, folder, made.personas, overwrite=overwrite, kept=kept)
        backup = next((f"{storage.url(old.removesuffix(f'/{path}'))}/" for path, old in kept.items()), "")
        return paths, storage.url(folder), backup

    paths, location, backup = session.with_storage(work)
    if session.json:
        session.emit(generated_json(made, paths, location) | ({"backup": backup} if backup else {}))
    else:
        print(generated_text(made, location, backup))


def read_input(session: Session, source: str) -> Dataset:
    """Read INPUT from this machine or, given as a URL, from a storage.

    Raises:
        InputError: it cannot be used.
        NotFoundError: there is no such thing.
    """
    from persona.personas.sources.read import read_path

    if "://" not in source:
        return read_path(on_this_machine(source))
    import asyncio

    from persona.personas.sources.remote import read_storage
    from persona.storage.outage import require
    from persona.storage.stack import open_url

    async def run() -> Dataset:
        storage, path = open_url(source, session.workspace.settings.storage)
        try:
            await require(storage.address())
            return await read_storage(storage, path)
        finally:
            await storage.close()

    return asyncio.run(run())


def generated_json(made: Generated, paths: Sequence[str], location: str) -> dict[str, Any]:
    """Return what ``generate --json`` shows."""
    return {
        "personas": [
            _brief(persona, path) | {"respondents": persona.respondents.count, "share": persona.respondents.share}
            for persona, path in zip(made.personas, paths, strict=True)
        ],
        "respondents": made.respondents,
        "coverage": made.coverage,
        "notes": list(made.notes),
        "location": location,
    }


def generated_text(made: Generated, location: str, backup: str = "") -> str:
    """Return what ``generate`` shows to a person."""
    from persona.personas.model import percent

    rows = [
        (p.name, f"{p.respondents.count:,}", percent(p.respondents.share), _shortened(p.title)) for p in made.personas
    ]
    covered = round(made.coverage * made.respondents)
    summary = [
        ("Location", location),
        ("Personas", str(len(made.personas))),
        ("Respondents", f"{made.respondents:,}"),
        ("Coverage", f"{percent(made.coverage)} ({covered:,} respondents are in a group)"),
    ]
    if backup:
        summary.append(("Old contents kept in", backup))
    parts = [
        heading("Generated Personas"),
        fields(summary),
        "",
        table(("Name", "Respondents", "Share", "Title"), rows),
    ]
    if made.notes:
        parts += ["", "Notes:", *(f"  - {line(note)}" for note in made.notes)]
    return "\n".join(parts)


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
    rows = [(each.id, each.name, each.path, _shortened(each.title)) for each in found.personas]
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
    from persona.personas.model import SECTIONS, percent

    coverage = persona.coverage
    rows = [
        ("Title", persona.title),
        ("Location", location),
        ("Respondents", f"{persona.respondents.count:,} ({percent(persona.respondents.share)})"),
        ("Coverage", f"{percent(coverage.members)} of the group share at least half of what is stated"),
    ]
    parts = [persona.summary]
    for title, statements in (
        ("Who they are", persona.demographics),
        *((label, getattr(persona, section)) for section, label in SECTIONS.items()),
    ):
        if statements:
            parts += ["", f"{title}:", *(row for statement in statements for row in _statement(statement))]
    if persona.quotes:
        parts += ["", "Quotes:", *(f"  “{q.quote}” — {q.file}, {q.record}" for q in persona.quotes)]
    return "\n".join([heading(persona.name), fields(rows), "", *map(line, parts)])


def _statement(statement: Statement) -> list[str]:
    from persona.personas.export import shares

    first = statement.evidence[0]
    more = f" and {len(statement.evidence) - 1} more" if len(statement.evidence) > 1 else ""
    return [
        f"  - {statement.text} ({shares(statement.group, statement.everyone)})",
        f"      {first.file}, {first.record}{more}",
    ]


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
    from persona.personas.export import format_of, write_file

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
        session.warn(f"Not read: {line(item.path)}: {line(item.reason)}")
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


def _brief(persona: Persona, path: str) -> dict[str, Any]:
    return {"id": persona.id, "name": persona.name, "title": persona.title, "path": path}


def _shortened(text: str) -> str:
    return text if len(text) <= _TITLE_WIDTH else text[: _TITLE_WIDTH - 1].rsplit(" ", 1)[0] + "…"
