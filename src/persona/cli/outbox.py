"""``persona storage outbox``: the writes that wait for the provider."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand, PersonaGroup
from persona.cli.files import LocalFile
from persona.cli.render import heading, human_size, human_time, json_time, table
from persona.cli.session import Session
from persona.errors import ConflictError
from persona.moments import moment
from persona.storage.paths import printable

if TYPE_CHECKING:
    from persona.storage.flush import Flushed
    from persona.storage.outbox import Outbox
    from persona.storage.outbox_entry import Entry


@click.group(
    cls=PersonaGroup,
    lazy={
        "list": ("persona.cli.outbox:list_", "List what waits, and what is in conflict."),
        "flush": ("persona.cli.outbox:flush", "Send what waits, now."),
        "drop": ("persona.cli.outbox:drop", "Remove entries unsent."),
        "export": ("persona.cli.outbox:export", "Write the content of an entry to a file of this machine."),
    },
)
def outbox() -> None:
    """See, send or drop the writes that wait for the provider."""


@click.command(cls=PersonaCommand, name="list")
@click.pass_obj
def list_(session: Session) -> None:
    """List what waits, and what is in conflict, in the order of the writes. Makes no request."""
    box = _open(session)
    entries = box.everything()
    if session.json:
        session.emit({"entries": [_document(entry) for entry in entries]})
        return
    print(heading("Outbox"))
    if not entries:
        print("Nothing waits.")
        return
    rows = [
        (entry.id, entry.state, entry.op, human_size(entry.size), human_time(moment(entry.created_at)), _shown(entry))
        for entry in entries
    ]
    print(table(("ID", "State", "What", "Size", "Written", "Object"), rows))
    for entry in entries:
        if entry.conflict:
            print(f"\n{entry.id} met something else at {entry.url}: {_standing(entry)}.")
    if any(entry.conflict for entry in entries):
        print(
            "\nOurs is kept here: persona storage outbox export ID FILE. Theirs stands there; nothing was overwritten."
        )
    if any(entry.place != box.place for entry in entries):
        print("\nWhat is for another place than the workspace has now is sent when it has that place again.")


@click.command(cls=PersonaCommand)
@click.pass_obj
def flush(session: Session) -> int:
    """Send what waits, now, and what was in conflict if nothing is in the way any more."""
    import asyncio

    from persona.storage.stack import send_outbox

    settings = session.workspace.settings.storage
    result = asyncio.run(send_outbox(settings, session.keeping(force=True)))
    conflicts = [entry for entry in _open(session).entries() if entry.state == "conflict"]
    if session.json:
        session.emit(_flushed(result, conflicts))
    else:
        _say(result, conflicts)
    if result.stopped:
        raise result.stopped
    if conflicts:
        raise ConflictError(
            f"{len(conflicts)} of what waits met what others wrote; nothing was overwritten.",
            hint="“persona storage outbox list” shows both. Drop ours, or export it and write it anew.",
        )
    if result.failures:
        raise result.failures[0][1]
    return 0


@click.command(cls=PersonaCommand)
@click.argument("numbers", metavar="ID…", nargs=-1, required=True)
@click.pass_obj
def drop(session: Session, numbers: tuple[str, ...]) -> None:
    """Remove entries unsent. Their contents are gone then: “export” keeps one before."""
    box = _open(session)
    entries = [box.entry(number) for number in dict.fromkeys(numbers)]
    with box.flushing() as free:
        if not free:
            raise ConflictError("The outbox is being sent by another process.", hint="Try again in a moment.")
        for entry in entries:
            box.drop(entry)
    if session.json:
        session.emit({"dropped": [_document(entry) for entry in entries]})
    else:
        for entry in entries:
            print(f"Dropped {entry.id}: {entry.op} of {_shown(entry)} ({human_size(entry.size)}).")


@click.command(cls=PersonaCommand)
@click.argument("number", metavar="ID")
@click.argument("file", type=LocalFile())
@click.pass_obj
def export(session: Session, number: str, file: Path) -> None:
    """Write the content of an entry to FILE. The entry stays."""
    from persona.personas.local_file import write_file

    box = _open(session)
    entry = box.entry(number)
    write_file(file, b"".join(box.content(entry)))
    if session.json:
        session.emit({"id": entry.id, "path": entry.path, "size": entry.size, "output": str(file)})
    else:
        session.note(f"Wrote {entry.id}, {_shown(entry)}, to {printable(str(file))}.")


def _open(session: Session) -> Outbox:
    from persona.storage.stack import open_outbox

    return open_outbox(session.workspace.settings.storage, session.keeping())


def _say(result: Flushed, conflicts: Iterable[Entry]) -> None:
    """Say to a person what a flush did."""
    for entry in result.sent:
        print(f"Sent {entry.id}: {entry.op} of {_shown(entry)}.")
    for entry in conflicts:
        print(f"Not sent {entry.id}: {_shown(entry)}: {_standing(entry)}.")
    for entry, error in result.failures:
        print(f"Not sent {entry.id}: {error}")
    if result.busy:
        print("Another process is sending them now.")
    elif not result.left:
        print("Nothing waits any more." if result.sent else "Nothing waits.")


def _shown(entry: Entry) -> str:
    return printable(entry.url or entry.path) or "(its description cannot be read)"


def _standing(entry: Entry) -> str:
    """Say what stands in the way of an entry."""
    found = entry.conflict
    if found is None or found.version is None:
        return "what it was to replace is not there any more"
    return f"there are {human_size(found.size or 0)} of {found.last_modified}, version {printable(found.version)}"


def _document(entry: Entry) -> dict[str, Any]:
    """Return an entry for JSON."""
    found = entry.conflict
    condition = f"version {entry.version}" if entry.version is not None else "absent" if entry.absent else "none"
    return {
        "id": entry.id,
        "location": entry.url,
        "path": entry.path,
        "op": entry.op,
        "size": entry.size,
        "state": entry.state,
        "created_at": json_time(moment(entry.created_at)),
        "condition": condition,
        "conflict": found and {"version": found.version, "size": found.size, "last_modified": found.last_modified},
    }


def _flushed(result: Flushed, conflicts: Iterable[Entry]) -> dict[str, Any]:
    """Return what a flush did for JSON."""
    return {
        "sent": [_document(entry) for entry in result.sent],
        "conflicts": [_document(entry) for entry in conflicts],
        "failures": [{"id": entry.id, "path": entry.path, "error": str(error)} for entry, error in result.failures],
        "left": result.left,
        "busy": result.busy,
        "stopped": str(result.stopped) if result.stopped else None,
    }
