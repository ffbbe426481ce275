"""``persona storage``: what the storage is, what it holds, and the way to its configuration."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand, PersonaGroup, fresh_option
from persona.cli.render import Known, error_json, heading, human_size, human_time, json_text, json_time
from persona.cli.session import Session
from persona.errors import IncompleteError, PersonaError
from persona.neutral import line

if TYPE_CHECKING:
    from persona.storage.backend import Listing, RefusedName, StorageBackend
    from persona.storage.reserved import LeftOut


@click.group(
    cls=PersonaGroup,
    lazy={
        "status": ("persona.cli.storage:status", "Say where the storage is, what it holds, and whether it answers."),
        "stats": ("persona.cli.storage:stats", "Count what the storage holds."),
        "list": ("persona.cli.storage:list_", "List objects."),
        "migrate": ("persona.cli.migrate:migrate", "Move everything to another place, and prove that it arrived."),
        "sync": ("persona.cli.sync:sync", "Bring one folder to the state of another."),
        "erase": ("persona.cli.erase:erase", "Find all that there is of a respondent, and take it out."),
        "outbox": ("persona.cli.outbox:outbox", "See, send or drop the writes that wait for the provider."),
        "cache": ("persona.cli.cache:cache", "Look at what is kept on this machine, clear it, or fill it."),
        "config": ("persona.cli.storage_config:config", "Show, set and test the configuration."),
    },
)
def storage() -> None:
    """Look at the storage of the workspace, and configure it."""


@click.command(cls=PersonaCommand)
@fresh_option
@click.pass_obj
def status(session: Session) -> int:
    """Say where the storage is, what it holds, and whether it answers."""
    from persona.cli.storage_report import report

    return report(session, "Storage Status", detailed=False)


@click.command(cls=PersonaCommand)
@click.option("--detailed", is_flag=True, help="Also by type, folder and size, and the largest objects.")
@fresh_option
@click.pass_obj
def stats(session: Session, detailed: bool) -> int:
    """Count what the storage holds."""
    from persona.cli.storage_report import report

    return report(session, "Storage Statistics", detailed=detailed)


@click.command(cls=PersonaCommand, name="list")
@click.argument("prefix", default="")
@fresh_option
@click.pass_obj
def list_(session: Session, prefix: str) -> None:
    """List objects below PREFIX, a folder; without it, all. Rows appear as they are read."""

    from persona.cli.typed import existing_form, storage_path
    from persona.storage.reserved import LeftOut

    typed = storage_path(prefix)

    async def work(storage: StorageBackend) -> None:
        folder = await existing_form(storage, typed)
        rows = _JsonRows(session) if session.json else _Rows(storage.url(folder))
        left_out = LeftOut()
        refused: list[RefusedName] = []
        markers = 0
        try:
            async for page in storage.scan(folder):
                rows.page(page.having(left_out.without(page, folder)))
                refused += page.refused
                markers += len(page.folder_markers)
        except PersonaError as error:
            rows.end(refused, left_out, markers, error)
            raise
        rows.end(refused, left_out, markers)
        if refused:
            raise IncompleteError(
                f"{len(refused)} foreign names cannot be used: "
                + "; ".join(f"{line(name.key)}: {name.reason.rstrip('.')}" for name in refused[:10])
                + ".",
                hint="Rename or replace them with your provider's tools; check the permissions of folders.",
            )

    session.with_storage(work)


class _Rows:
    """Rows for people, with widths fixed beforehand so that none has to wait for the others."""

    def __init__(self, location: str) -> None:
        print(heading(location))
        self._count = 0
        self._known = Known()

    def page(self, page: Listing) -> None:
        self._known.add(page)
        self._count += len(page)
        for found in page:
            print(f"{human_size(found.size):>10}  {human_time(found.last_modified):<20}  {line(found.path)}")
        sys.stdout.flush()

    def end(
        self, refused: list[RefusedName], left_out: LeftOut, markers: int, error: PersonaError | None = None
    ) -> None:
        if error is None:
            count = f"{self._count:,} objects" if self._count != 1 else "1 object"
            count += f"; {markers:,} folder marker{'' if markers == 1 else 's'} besides" if markers else ""
            print(f"{count}, {self._known.words()}" if self._known.as_of else count)
            if left_out.objects:
                print(f"Not shown: {left_out.objects:,} reserved for Persona. Name their folder: .persona-backup/")


class _JsonRows:
    """The contract's document, written as it is read, so that memory does not grow with it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before = '{"objects": ['
        self._known = Known()

    def page(self, page: Listing) -> None:
        self._known.add(page)
        for found in page:
            row = {
                "path": found.path,
                "size": found.size,
                "last_modified": json_time(found.last_modified),
                "version": found.version,
            }
            self._session.emitted = True
            sys.stdout.write(f"{self._before}\n  {json_text(row)}")
            self._before = ","
        sys.stdout.flush()

    def end(
        self, refused: list[RefusedName], left_out: LeftOut, markers: int, error: PersonaError | None = None
    ) -> None:
        if error is not None and not self._session.emitted:
            return  # nothing is written yet, so the error is the document
        self._session.emitted = True
        rest: dict[str, Any] = {"refused": [{"key": name.key, "reason": name.reason} for name in refused]}
        if left_out.objects:
            rest["reserved"] = {"objects": left_out.objects, "bytes": left_out.bytes, "names": left_out.names}
        if markers:
            rest["folder_markers"] = markers
        if self._known.as_of:
            rest |= self._known.document()
        if error is not None:
            rest["error"] = error_json(error.message, error.hint, error.exit_code)
        start = self._before if self._before != "," else "\n"
        sys.stdout.write(f"{start}], {json_text(rest)[1:]}\n")
