"""Making the destination of a migration the workspace's storage, and taking that back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from persona.cli import endpoints
from persona.cli.session import Session
from persona.config import locations, trust
from persona.config.schema import BACKENDS
from persona.errors import ConfigError, ConflictError, InputError, UsageError
from persona.transfer.drift import names_of
from persona.transfer.journal_errors import journal_errors
from persona.workspace import resolve

if TYPE_CHECKING:
    from persona.transfer.jobs import Jobs
    from persona.transfer.journal import Journal

_KEY = "storage.backend"


def check(session: Session, source: str, target: str) -> None:
    """Refuse a switch that could not be made in the end.

    Raises:
        UsageError: the places are not sections of the configuration, or the source is not the storage in use.
        ConfigError: what sets the backend is no file.
    """
    for name in (source, target):
        if name not in BACKENDS:
            raise UsageError(
                f"--switch goes from one backend of the configuration to another; “{name}” is none.",
                hint="Describe the new place in its section of persona.yaml, and name that.",
            )
    current = session.workspace.settings.storage.backend
    if source != current:
        raise UsageError(
            f"--switch leaves the storage in use, which is {current}, not {source}.", hint=f"Use --from {current}."
        )
    _file(session)


def switch(session: Session, journal: Journal) -> None:
    """Set the workspace's backend to the destination; the old section stays as it is."""
    before, after = journal.get("source")["name"], journal.get("destination")["name"]
    if journal.get("switched"):
        return
    now = resolve(session.workspace.name, config_file=session.config_file, overrides=session.overrides)
    current = now.settings.storage.backend
    if current not in (before, after):  # it is after if the process was killed before the journal had it
        raise ConflictError(
            f"All is copied and verified, but the storage is now {current}, not {before}; it was not switched.",
            hint=f"If you want it: persona storage config set backend {after}",
        )
    file = _set(session, after)
    at = datetime.now(UTC)
    with journal.transaction():
        journal.set(
            switched={"before": before, "after": after, "at": at.isoformat()},
            switched_by_provider=(at + timedelta(seconds=journal.get("clock_skew") or 0.0)).isoformat(),
        )
    session.note(
        f"The storage of the workspace “{session.workspace.name}” is now {after} ({file}). "
        f"To take that back: persona storage migrate rollback {journal.get('id')}"
    )


@journal_errors()
def rollback(session: Session, jobs: Jobs, job: str, *, force: bool) -> int:
    """Set the workspace's backend to what it was before a migration's switch.

    Raises:
        InputError: the job did not switch.
        ConflictError: something else was configured, or written to the new place, since.
    """
    with jobs.locked(jobs.info(job).id):
        journal = jobs.open(job)
        try:
            switched = journal.get("switched")
            if not switched:
                raise InputError(f"The job {job} has not switched the storage.", hint="There is nothing to take back.")
            current = session.workspace.settings.storage.backend
            if current != switched["after"]:
                raise ConflictError(
                    f"The storage is {current}, not {switched['after']} as the job {job} left it.",
                    hint=f"If you want it: persona storage config set backend {switched['before']}",
                )
            if not force and (written := asyncio.run(_written_since(session, journal))):
                raise ConflictError(
                    f"Written to {switched['after']} since the switch, and not to be seen in {switched['before']}: "
                    f"{names_of(written)}.",
                    hint="Carry over what you need with “persona storage sync”, then use --force.",
                )
            file = _set(session, switched["before"])
            with journal.transaction():
                journal.set(switched=None)
        finally:
            journal.close()
    if session.json:
        session.emit({"id": job, "backend": switched["before"], "file": str(file)})
    else:
        print(f"The storage is {switched['before']} again ({file}). No object was touched.")
    return 0


async def _written_since(session: Session, journal: Journal) -> list[str]:
    """Return what was written to the destination after the switch.

    That is what the job wrote or found there and what has another version now; and what the job does not know, if its
    provider dates it after the switch: by the provider's clock, which may differ from this machine's.
    """
    from persona.transfer.listings import beside

    since = datetime.fromisoformat(journal.get("switched_by_provider")).replace(microsecond=0)  # S3 dates by the second

    target = endpoints.section(session, journal.get("destination")["name"], None)
    written = []
    try:
        async for pairs in beside(journal, target.backend, lambda path: True):
            for row, item in pairs:
                if item is None:
                    continue
                known = row and (row.written or row.target_version)
                if item.version != known if known else item.last_modified >= since:
                    written.append(item.path)
    finally:
        await target.backend.close()
    return written


def _file(session: Session) -> Path:
    """Return the file in which the backend is to be set."""
    here = session.workspace
    source = here.config.sources[_KEY]
    if source.kind in ("flag", "environment"):
        raise ConfigError(
            f"{source} sets the backend, so that --switch could not change it.",
            hint="Set storage.backend in persona.yaml instead.",
        )
    if source.kind == "file":
        return Path(source.name)
    return here.context.own_file(here.name) or locations.user_file(here.home)


def _set(session: Session, backend: str) -> Path:
    file = _file(session)
    locations.make_folder(session.workspace.context.locks, session.workspace.home)
    context = replace(session.workspace.context, known={})  # a migration may have taken hours
    content = context.read(file) if locations.is_there(file) else None
    trust.set_own(file, {_KEY: backend}, content, home=context.home, locks=context.locks)
    return file
