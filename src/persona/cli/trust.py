"""``persona trust``: the user's word that a project's file may do more than name a place."""

from __future__ import annotations

import sys
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO

import click

from persona import workspace as workspaces
from persona.cli.app import PersonaCommand
from persona.cli.files import LocalFile
from persona.cli.session import Session
from persona.config import approvals
from persona.config import trust as trusting
from persona.config.context import Context
from persona.config.document import MAX_FILE_BYTES
from persona.config.load import parse
from persona.errors import ConfigError, NotFoundError, UsageError
from persona.neutral import harmless
from persona.ownership import open_file
from persona.personas.survey.codebook import is_codebook
from persona.transfer import planfile


@click.command(cls=PersonaCommand)
@click.argument("file", required=False, type=LocalFile())
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
    chosen = file.absolute() if file else context.project
    if revoke and chosen is not None:
        _say(session, chosen, [], trusted=False, changed=approvals.remember(context.home, chosen, None))
        return
    if chosen is None or not chosen.is_file():
        raise NotFoundError(
            f"There is no file {chosen}." if chosen else "There is no persona.yaml here, nor in a folder above.",
            hint="Name the file: persona trust FILE",
        )
    _trust(session, context, chosen, yes=yes)


def _trust(session: Session, context: Context, file: Path, *, yes: bool) -> None:
    """Show what a file would do, ask, and remember it as it was shown."""
    try:
        stream, doubt = open_file(file)
        with stream:
            copy, found = approvals.copied(stream)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.", hint="Check its path and its rights.") from error
    with copy:
        what = _other(file, copy)
        asked = [] if what else _requests(session, context, file, copy)
        shown = [what] if what else []
    shown += [f"{file}: {doubt}"] if doubt else []
    shown += [f"{file}:{each.line}: {each.key} {each.what}" for each in asked]
    if shown and not approvals.is_trusted(context.home, file, found):
        for text in shown:
            session.note(harmless(text))
        _confirm(file, yes)
    _say(session, file, asked, trusted=True, changed=approvals.remember(context.home, file, found))


def _requests(session: Session, context: Context, file: Path, copy: BinaryIO) -> list[trusting.Request]:
    """Return what a persona.yaml asks for."""
    copy.seek(0)
    content = parse(file, copy.read(MAX_FILE_BYTES + 1))
    here = Context(context.environ, context.home, file, context.flags, {file: content})
    workspace, _ = workspaces.chosen(here, session.workspace_name)
    return trusting.shown(here.load(workspace), file, context.home, content)


def _other(file: Path, copy: BinaryIO) -> str:
    """Return what a file would do that is a plan or a codebook; "" if it is a persona.yaml."""
    if planfile.is_plan(copy):
        return _plan(file, copy)
    copy.seek(0)
    if is_codebook(copy.read(MAX_FILE_BYTES)):
        return f"{file}: it is a codebook: what it states of questions is obeyed by inspect and generate"
    return ""


def _plan(file: Path, copy: BinaryIO) -> str:
    """Return what a saved plan would do."""
    head = planfile.head(file, copy)
    copy.seek(0)
    count = sum(1 for _ in copy) - 2
    does = ", and make it the workspace's storage" if head["options"]["switch"] else ""
    over = ", replacing what is there" if head["options"]["overwrite"] else ""
    ends = f"from {head['source']['url']} to {head['destination']['url']}"
    return f"{file}: it is a plan to migrate {count} objects {ends}{over}{does}"


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
    rows = [
        {"file": path, "state": _state(Path(path), known)} for path, known in sorted(approvals.trusted(home).items())
    ]
    if session.json:
        session.emit({"files": rows})
        return
    for row in rows:
        print(f"{row['state']:<8} {row['file']}")
    if not rows:
        print("No file is trusted.")


def _state(file: Path, known: str) -> str:
    """Say whether a file is what was trusted, has changed, or is gone."""
    try:
        stream, _ = open_file(file)
        with stream:
            return "trusted" if file_digest(stream, "sha256").hexdigest() == known else "changed"
    except FileNotFoundError:
        return "gone"
    except OSError:
        return "changed"
