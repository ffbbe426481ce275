"""``persona trust``: the user's word that a project's file may do more than name a place."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from persona import workspace as workspaces
from persona.cli.app import PersonaCommand
from persona.cli.session import Session
from persona.config import trust as trusting
from persona.config.context import Context
from persona.errors import NotFoundError, UsageError


@click.command(cls=PersonaCommand)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--list", "listed", is_flag=True, help="List the files that are trusted.")
@click.option("--revoke", is_flag=True, help="Take the trust back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def trust(session: Session, file: Path | None, listed: bool, revoke: bool, yes: bool) -> None:
    """Allow the project's persona.yaml, or FILE, what only you may allow, until the file changes.

    Shows what it would do, and asks.
    """
    if listed and (revoke or file or yes):
        raise UsageError("--list goes alone.", hint="persona trust --list")
    context = Context.of(None, session.overrides)
    if listed:
        _list(session, context.home)
        return
    chosen = Path(file).expanduser().absolute() if file else context.project
    if revoke and chosen is not None:
        _say(session, chosen, [], trusted=False, changed=trusting.remember(context.home, chosen, None))
        return
    if chosen is None or not chosen.is_file():
        raise NotFoundError(
            f"There is no file {chosen}." if chosen else "There is no persona.yaml here, nor in a folder above.",
            hint="Name the file: persona trust FILE",
        )
    _trust(session, context, chosen, yes=yes)


def _trust(session: Session, context: Context, file: Path, *, yes: bool) -> None:
    """Show what a file would do, ask, and remember it as it was shown."""
    here = Context(context.environ, context.home, file, context.flags, {})
    workspace, _ = workspaces.chosen(here, session.workspace_name)
    asked, text = trusting.shown(here.load(workspace), file, context.home)
    if asked and not trusting.is_trusted(context.home, file, text):
        for each in asked:
            session.note(f"{file}:{each.line}: {each.key} {each.what}")
        _confirm(file, yes)
    _say(session, file, asked, trusted=True, changed=trusting.remember(context.home, file, text))


def _confirm(file: Path, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{file} is not trusted: there is no terminal to ask on.", hint="Say it with --yes.")
    click.confirm(f"Trust {file} with this, until it changes?", abort=True, err=True)


def _say(session: Session, file: Path, asked: list[trusting.Request], *, trusted: bool, changed: bool) -> None:
    if session.json:
        allows = [{"key": each.key, "line": each.line, "what": each.what} for each in asked]
        session.emit({"file": str(file), "trusted": trusted, "changed": changed, "allows": allows})
    elif trusted:
        print(f"{file} is trusted until it changes." + ("" if asked else " It asks for nothing that needs it."))
    else:
        print(f"{file} is not trusted any more." if changed else f"{file} was not trusted.")


def _list(session: Session, home: Path) -> None:
    """List the files, and whether each is still what was trusted."""
    from persona.config.load import read_file

    rows = []
    for path, known in sorted(trusting.trusted(home).items()):
        there = Path(path).is_file()
        good = there and trusting.digest(read_file(Path(path)).text) == known
        rows.append({"file": path, "state": "trusted" if good else "changed" if there else "gone"})
    if session.json:
        session.emit({"files": rows})
        return
    for row in rows:
        print(f"{row['state']:<8} {row['file']}")
    if not rows:
        print("No file is trusted.")
