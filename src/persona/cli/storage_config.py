"""``persona storage config``: what is in effect and why, and changing it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from persona import workspace as workspaces
from persona.cli import render, secret_input
from persona.cli.app import PersonaGroup
from persona.cli.session import Session
from persona.config import edit, keep, locations, trust, values
from persona.config.context import Context
from persona.config.load import Entry, full_name
from persona.config.schema import Key, keys
from persona.config.secret import KINDS, Reference
from persona.errors import ConfigError, PersonaError, UsageError
from persona.redaction import MASK

_log = logging.getLogger(__name__)

scope_option = click.option(
    "--scope",
    type=click.Choice(("project", "workspace", "user")),
    help="Which file to write; else the project's if there is one, the workspace's, or the user's.",
)
"""The option of every command that writes to a persona.yaml."""


@click.group(
    cls=PersonaGroup,
    lazy={
        "test": ("persona.cli.storage_test:test", "Try every step of the way to the storage."),
        "secure": ("persona.cli.storage_secure:secure", "Move secrets out of a file, into the keyring."),
    },
)
def config() -> None:
    """Show the configuration, change it, and test it."""


@config.command()
@click.pass_obj
def show(session: Session) -> None:
    """Show every value in effect and where it came from. Secrets are masked."""
    here = workspaces.resolve(
        session.workspace_name, config_file=session.config_file, overrides=session.overrides, isolated=False
    )
    if session.json:
        session.emit(_document(here))
    else:
        print(render.heading("Storage Configuration"))
        files = ", ".join(map(str, here.config.files)) or "none"
        print(render.fields([("Workspace", here.name), ("Home", str(here.home)), ("Files", files)]))
        print()
        rows = [
            (name, _human(key, here.config.values[name]), str(here.config.sources[name]))
            for name, key in keys().items()
        ]
        print(render.table(("Key", "Value", "Source"), rows))
    try:
        workspaces.check_isolation(here)
    except ConfigError as error:
        _log.warning("%s\n  → %s", error.message, error.hint)


@config.command("set")
@click.argument("key")
@click.argument("value", required=False)
@scope_option
@click.option("--plain", is_flag=True, help="Write a secret into the file itself, not into the keyring.")
@click.pass_obj
def set_(session: Session, key: str, value: str | None, scope: str | None, plain: bool) -> None:
    """Set KEY to VALUE in a persona.yaml; comments and layout stay.

    “backend” is short for “storage.backend”. The VALUE “null” means the default; “-” is read from stdin. A secret goes
    into the keyring. Without VALUE it is taken from there, or else asked for; what you type is not shown.
    """
    name = full_name(key)
    context = Context.of(session.config_file, session.overrides)
    workspace, _ = workspaces.chosen(context, session.workspace_name)
    workspaces.check_known(context.home, workspace)
    file = target(context, workspace, scope)
    content = context.read(file) if locations.is_there(file) else None
    entries = content.entries if content else {}
    if value is None:
        value = _missing(name, workspace, entries, plain=plain)
    elif value == "-":
        value = secret_input.read_value(name, workspace=workspace, plain=plain)
    elif keys()[name].secret and _is_literal(value):
        _log.warning("%s was typed in sight of the shell's history; “-” reads it from stdin.", name)
    changes = {name: edit.typed_here(name, value, file)}
    if keys()[name].secret:
        changes = keep.typed(workspace, name, changes[name], entries, plain=plain)
    locations.make_folder(context.locks, context.home)
    if file.parent != context.home and context.home in file.parents:
        locations.make_folder(file.parent, context.home)
    trust.set_own(file, changes, content, home=context.home, locks=context.locks)
    _report(session, workspace, name, file, changes[name])


def _is_literal(value: str) -> bool:
    """Say whether a value of a secret key is a secret itself."""
    return value != "null" and not value.startswith(tuple(f"{kind}:" for kind in KINDS))


def target(context: Context, workspace: str, scope: str | None) -> Path:
    """Return the file that a change goes to."""
    own = context.own_file(workspace)
    if scope == "workspace" and own is None:
        raise UsageError("The workspace “default” is what the user's file says.", hint="Use --scope user.")
    if scope == "user" or (scope is None and not context.project and not own):
        return locations.user_file(context.home)
    if scope == "project" or (scope is None and context.project):
        return context.project or Path.cwd() / locations.FILE_NAME
    return own or locations.user_file(context.home)


def _missing(name: str, workspace: str, entries: Mapping[str, Entry], *, plain: bool) -> str:
    """Return what to write where no value was given: a secret, from the keyring or the terminal."""
    if not keys()[name].secret:
        raise UsageError(f"There is no value for {name}.", hint=f"Give one: {keys()[name].allowed}; “-” reads stdin.")
    if not plain and (known := keep.found(workspace, name, entries)):
        return known
    if not sys.stdin.isatty():
        raise UsageError(
            f"There is no value for {name}, and no terminal to ask on.", hint="Give “-” to read it from stdin."
        )
    return secret_input.read_value(name, workspace=workspace, plain=plain)


def _report(session: Session, workspace: str, name: str, file: Path, written: str) -> None:
    """Say what was written where, and whether something stands above it."""
    key = keys()[name]
    kept = written.removeprefix("keyring:") if key.secret and written.startswith("keyring:") else ""
    above: str | None = None
    after = Context.of(session.config_file, session.overrides)
    try:
        loaded = after.load(workspace)
        source = loaded.sources[name]
        above = None if source.kind == "file" and Path(source.name) == file else str(source)
        workspaces.check_isolation(workspaces.Workspace(workspace, after, loaded))
    except PersonaError as error:
        _log.warning("%s\n  → %s", error.message, error.hint)
    if above:
        _log.warning("%s stays as it was here: %s stands above %s.", name, above, file)
    if key.secret and file == after.project and _is_literal(written):
        _log.warning("%s is a secret, and %s may be shared with others.", name, file)
    if session.json:
        document = {"key": name, "file": str(file), "effective": above is None, "overridden_by": above}
        session.emit(document | {"keyring": kept or None})
    else:
        print(f"Set {name} in {file}" + (f"; the secret is in the keyring, as “{kept}”" if kept else ""))


def _document(here: workspaces.Workspace) -> dict[str, Any]:
    """Return the configuration in effect for ``--json``."""
    shown = {
        name: {"value": _plain(key, here.config.values[name]), "source": str(here.config.sources[name])}
        for name, key in keys().items()
    }
    files = [str(path) for path in here.config.files]
    return {"workspace": here.name, "home": str(here.home), "files": files, "values": shown}


def _plain(key: Key, value: Any) -> Any:
    """Return a value for JSON: sizes in bytes, durations in seconds, secrets masked."""
    if value is None:
        return None
    if isinstance(value, Reference):
        return value.spelled
    if key.secret:
        return MASK
    return str(value) if isinstance(value, Path) else value


def _human(key: Key, value: Any) -> str:
    """Return a value for people, as a file would have it; secrets masked."""
    if value is None:
        return "–"
    if isinstance(value, Reference):
        return value.spelled
    if key.secret:
        return f"{MASK} (set)"
    return values.written(key.parse, value)
