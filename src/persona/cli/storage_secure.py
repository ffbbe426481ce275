"""``persona storage config secure``: secrets out of a file, into the keyring."""

from __future__ import annotations

import click

from persona import workspace as workspaces
from persona.cli.app import PersonaCommand
from persona.cli.session import Session
from persona.cli.storage_config import scope_option, target
from persona.config import keep, locations, problems, trust
from persona.config.context import Context
from persona.config.exposure import literals


@click.command(cls=PersonaCommand)
@scope_option
@click.pass_obj
def secure(session: Session, scope: str | None) -> None:
    """Move every secret that stands in a persona.yaml into the keyring.

    “keyring:NAME” is written in its place, once the keyring has it; comments and layout stay.
    """
    context = Context.of(session.config_file, session.overrides)
    workspace, _ = workspaces.chosen(context, session.workspace_name)
    workspaces.check_known(context.home, workspace)
    file = target(context, workspace, scope)
    moved: dict[str, str] = {}
    if locations.is_there(file):
        content = context.read(file)
        if content.problems:
            raise problems.error(content.problems)
        if found := literals(content.entries):
            moved = keep.in_keyring(workspace, found, content.entries)
            locations.make_folder(context.locks, context.home)
            trust.set_own(file, moved, content, home=context.home, locks=context.locks)
    names = {key: text.removeprefix("keyring:") for key, text in moved.items() if text.startswith("keyring:")}
    if session.json:
        session.emit({"file": str(file), "moved": [{"key": key, "keyring": name} for key, name in names.items()]})
    elif not names:
        print(f"No secret stands in {file}.")
    for key, name in names.items() if not session.json else ():
        print(f"Moved {key} of {file} into the keyring, as “{name}”.")
