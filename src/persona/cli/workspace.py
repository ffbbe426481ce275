"""``persona workspace``: several storages, kept apart by name."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from persona import workspace as workspaces
from persona.cli import render, secret_input
from persona.cli.app import PersonaGroup
from persona.cli.session import Session
from persona.config import edit, keep, locations
from persona.config.context import DEFAULT, Context
from persona.config.load import full_name
from persona.config.schema import BACKENDS, keys
from persona.errors import PersonaError, UsageError


@click.group(cls=PersonaGroup)
def workspace() -> None:
    """Keep several storages apart by name."""


@workspace.command()
@click.argument("name")
@click.option("--backend", type=click.Choice(BACKENDS), help="Where its objects are kept.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a key, such as s3.bucket=team; a secret by “KEY=-” unseen.",
)
@click.pass_obj
def create(session: Session, name: str, backend: str | None, settings: tuple[str, ...]) -> None:
    """Make a workspace with a place of its own."""
    context = _context(session)
    file = locations.workspace_file(context.home, name)
    changes = {"storage.backend": backend} if backend else {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, not “{key}”.", hint="For example: --set s3.bucket=team")
        key = full_name(key)
        if value == "-" and keys()[key].secret:
            value = secret_input.read_value(key, workspace=name)
            changes |= keep.typed(name, key, value, {}, plain=False)
            continue
        changes[key] = edit.typed_here(key, value, file)
        if keys()[key].secret:
            session.note(f"Note: {key} was typed in sight of the shell's history and the process list.")
            changes |= keep.typed(name, key, changes[key], {}, plain=False)
    made = workspaces.create(context, name, changes)
    document = _row(context, name, current="")
    if session.json:
        session.emit(document)
    else:
        location = document["location"] or "no bucket is set yet"
        print(f"Created the workspace “{name}” on {document['backend']}: {location}")
        print(f"Its settings are in {file}")
    folder = made.settings.storage.local.path
    if made.settings.storage.backend == "local" and folder and folder.is_dir() and any(folder.iterdir()):
        session.note(f"Note: {folder} already holds files, perhaps of an earlier workspace of this name.")
    session.note(f"Switch to it: persona workspace use {name}")


@workspace.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List the workspaces, and where each keeps its objects."""
    context = _context(session)
    current = workspaces.chosen(context, session.workspace_name)[0]
    rows = [_row(context, name, current) for name in workspaces.names(context.home)]
    if session.json:
        session.emit({"workspaces": rows})
        return
    print(render.heading("Workspaces"))
    cells = [
        (
            "*" if row["current"] else "",
            row["name"],
            row["backend"] or "–",
            row["location"] or _one_line(row["error"]),
        )
        for row in rows
    ]
    print(render.table(("", "Name", "Backend", "Location"), cells))


@workspace.command()
@click.argument("name")
@click.pass_obj
def use(session: Session, name: str) -> None:
    """Make a workspace the current one."""
    context = _context(session)
    workspaces.use(context, name)
    if session.json:
        session.emit({"name": name})
    else:
        print(f"The current workspace is “{name}”.")
    stronger = os.environ.get("PERSONA_WORKSPACE")
    if stronger and stronger != name:
        session.note(f"Warning: PERSONA_WORKSPACE is set, so “{stronger}” stays in effect here.")
    try:
        workspaces.resolve(name, config_file=session.config_file)
    except PersonaError as error:
        session.note(f"Warning: {error.message}\n  → {error.hint}")


@workspace.command()
@click.pass_obj
def current(session: Session) -> None:
    """Show the workspace in effect, and what chose it."""
    context = _context(session)
    name, source = workspaces.chosen(context, session.workspace_name)
    workspaces.check_known(context.home, name)
    if session.json:
        session.emit({**_row(context, name, name), "chosen_by": source})
    else:
        print(name)
        session.note(f"Chosen by {source}.")


@workspace.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(session: Session, name: str, yes: bool) -> None:
    """Delete a workspace's configuration. Its objects stay where they are."""
    context = _context(session)
    if name != DEFAULT:
        workspaces.check_known(context.home, name)
        _confirm(name, yes)
    place = workspaces.delete(context, name)
    _speak_of_outbox(session, context, name)
    now = workspaces.current(context.home)
    if session.json:
        session.emit({"deleted": name, "location": place.url if place else None, "current": now})
        return
    print(f"Deleted the configuration of the workspace “{name}”.")
    print(f"Its objects stay in {place.url}" if place else "Its configuration did not say where its objects are.")
    print(f"The current workspace is “{now}”.")


def _speak_of_outbox(session: Session, context: Context, name: str) -> None:
    """Say that writes of the workspace are not sent any more."""
    from persona.storage.outbox import Outbox

    box = Outbox(context.folder(name) / "outbox", "")
    if len(box):
        session.note(
            f"In its outbox, {box.folder}, {len(box)} writes wait that were never sent. A workspace of the same name "
            "and place would send them."
        )


def _one_line(error: str | None) -> str:
    return " ".join(error.split()) if error else "–"


def _context(session: Session) -> Context:
    return Context.of(session.config_file, session.overrides)


def _confirm(name: str, yes: bool) -> None:
    """Ask before a deletion, or refuse where nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"“{name}” is not deleted: there is no terminal to ask on.", hint="Say it with --yes.")
    click.confirm(f"Delete the configuration of the workspace “{name}”?", abort=True, err=True)


def _row(context: Context, name: str, current: str) -> dict[str, Any]:
    """Return what a workspace is by itself; a broken configuration is said, not raised."""
    file = context.own_file(name) or locations.user_file(context.home)
    row = {"name": name, "current": name == current, "file": str(file)}
    try:
        made = workspaces.Workspace(name, context, context.load_alone(name))
    except PersonaError as error:
        return {**row, "backend": None, "location": None, "error": error.message}
    location = made.place.url if made.place else None
    return {**row, "backend": made.settings.storage.backend, "location": location, "error": None}
