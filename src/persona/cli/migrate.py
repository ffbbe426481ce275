"""``persona storage migrate``: move a library to another place, in a job that survives everything."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand, PersonaGroup
from persona.cli.files import LocalFile
from persona.cli.render import human_size, table
from persona.cli.session import Session
from persona.config import values
from persona.errors import UsageError

if TYPE_CHECKING:
    from persona.transfer.jobs import JobInfo, Jobs


class _MigrateGroup(PersonaGroup):
    """A group that is a command itself; what is not known in its arguments is said to be no subcommand."""


def transfer_options(command: Any) -> Any:
    """Add the options that ``migrate``, ``resume`` and ``sync`` have in common."""
    for decorator in (
        click.option("--events", metavar="FILE", help="Write events as lines of JSON; “-” is stdout."),
        click.option("--progress/--no-progress", default=None, help="Show progress on stderr, or not."),
        click.option(
            "--concurrency",
            type=click.IntRange(1, 256),
            metavar="N",
            help="How many objects move at once; else performance.concurrent_uploads.",
        ),
    ):
        command = decorator(command)
    return command


@click.group(
    cls=_MigrateGroup,
    invoke_without_command=True,
    lazy={
        "pause": ("persona.cli.migrate:pause", "Pause a running migration from another terminal."),
        "resume": ("persona.cli.migrate:resume", "Go on with a paused migration."),
        "status": ("persona.cli.migrate:status", "Say how far a migration is."),
        "list": ("persona.cli.migrate:list_", "List migrations and syncs."),
        "report": ("persona.cli.migrate:report", "Report what a job did, object by object."),
        "prune": ("persona.cli.migrate:prune", "Remove the journals of jobs that have ended."),
        "rollback": ("persona.cli.migrate:rollback", "Take back the switch of a migration."),
    },
)
@click.option("--from", "source", metavar="X", help="Where from: local, s3, gcs, azure, workspace:NAME or a URL.")
@click.option("--to", "target", metavar="Y", help="Where to; likewise.")
@click.option("--dry-run", is_flag=True, help="Plan, and stop there; nothing is written.")
@click.option("--overwrite", is_flag=True, help="Replace other content at the destination; the old is kept first.")
@click.option(
    "--verify",
    type=click.Choice(("auto", "reread")),
    default="auto",
    help="Prove contents by the provider's digest where there is one, or by reading all back.",
)
@click.option(
    "--plan",
    "plan_file",
    type=LocalFile(),
    metavar="FILE",
    help="With --dry-run save the plan; alone run it.",
)
@click.option("--switch", is_flag=True, help="In the end make Y the workspace's storage.")
@transfer_options
@click.pass_context
def migrate(
    ctx: click.Context,
    /,
    source: str | None,
    target: str | None,
    dry_run: bool,
    overwrite: bool,
    verify: str,
    plan_file: Path | None,
    switch: bool,
    **common: Any,
) -> int | None:
    """Copy everything at X to Y, verify it, and report. Nothing is deleted or changed at X."""
    if ctx.invoked_subcommand is not None:
        return None
    from persona.cli import endpoints, transfers
    from persona.transfer.model import Kind, Options

    session: Session = ctx.obj
    if plan_file and not dry_run:
        if source or target or overwrite or switch or verify != "auto":
            raise UsageError(
                "A saved plan says itself what is to be done.", hint=f"persona storage migrate --plan {plan_file}"
            )
        return transfers.run_plan(session, plan_file, **common)
    if not source or not target:
        raise UsageError("A migration needs two places.", hint="persona storage migrate --from local --to s3")
    if source.startswith("file:"):
        endpoints.check_folder(source)
    options = Options(
        overwrite=overwrite, reread=verify == "reread", switch=switch, must_exist=endpoints.names_prefix(source)
    )
    return transfers.start(session, Kind.MIGRATE, source, target, options, dry=dry_run, plan_file=plan_file, **common)


@click.command(cls=PersonaCommand)
@click.argument("job", required=False, metavar="[ID]")
@click.pass_obj
def pause(session: Session, job: str | None) -> int:
    """Pause the migration that runs in another process; without an ID the only one."""
    from persona.cli import transfers

    return transfers.pause(session, job)


@click.command(cls=PersonaCommand)
@click.argument("job", required=False, metavar="[ID]")
@transfer_options
@click.pass_obj
def resume(session: Session, /, job: str | None, **common: Any) -> int:
    """Go on with a paused or interrupted job; without an ID the only migration."""
    from persona.cli import transfers

    return transfers.resume(session, job, **common)


@click.command(cls=PersonaCommand)
@click.argument("job", required=False, metavar="[ID]")
@click.pass_obj
def status(session: Session, job: str | None) -> None:
    """Say how far a job is; without an ID the migration that was begun last."""
    from persona.cli import transfers

    jobs = _jobs(session)
    transfers.show(session, jobs, job or jobs.latest())


@click.command(cls=PersonaCommand)
@click.argument("job", metavar="ID")
@click.pass_obj
def report(session: Session, job: str) -> None:
    """Report what a job did; with --json every object with its digests and its evidence."""
    from persona.cli import transfers

    transfers.show(session, _jobs(session), job, everything=True)


@click.command(cls=PersonaCommand, name="list")
@click.pass_obj
def list_(session: Session) -> None:
    """List the workspace's migrations and syncs, the oldest first."""
    infos = _jobs(session).infos()
    if session.json:
        session.emit({"jobs": [_listed(info) for info in infos]})
    elif not infos:
        print("There are no jobs.")
    else:
        rows = [
            (info.id, info.facts["kind"], _state(info), info.facts["source"]["url"], info.facts["destination"]["url"])
            for info in infos
        ]
        print(table(("Job", "Kind", "State", "From", "To"), rows))


@click.command(cls=PersonaCommand)
@click.argument("job", required=False, metavar="[ID]")
@click.option("--older-than", default="0s", metavar="DURATION", help="Only jobs that were begun so long ago: 7d.")
@click.pass_obj
def prune(session: Session, job: str | None, older_than: str) -> None:
    """Remove the journals of jobs that have ended; with an ID that job's, also if it is paused."""
    from persona.cli import transfers

    try:
        age = timedelta(seconds=values.duration(older_than))
    except ValueError as error:
        raise UsageError(f"“{older_than}” is no duration: {error}.", hint="Use 12h, 7d, …") from error
    removed, size = transfers.prune(session, _jobs(session), job, age)
    if session.json:
        session.emit({"removed": removed, "bytes": size})
    else:
        print(f"Removed {len(removed)} jobs, {human_size(size)}.")


@click.command(cls=PersonaCommand)
@click.argument("job", metavar="ID")
@click.option("--force", is_flag=True, help="Also if objects were written to the new place since.")
@click.pass_obj
def rollback(session: Session, job: str, force: bool) -> int:
    """Make the storage that a migration switched from the workspace's again. No object is touched."""
    from persona.cli import cutover

    return cutover.rollback(session, _jobs(session), job, force=force)


def _jobs(session: Session) -> Jobs:
    from persona.transfer.jobs import Jobs

    return Jobs(session.workspace.home, session.workspace.name)


def _state(info: JobInfo) -> str:
    return "interrupted" if info.state != info.facts["state"] else str(info.state)


def _listed(info: JobInfo) -> dict[str, Any]:
    facts = info.facts
    return {
        "id": info.id,
        "kind": facts["kind"],
        "state": info.state,
        "running": info.running,
        "phase": facts["phase"],
        "source": facts["source"]["url"],
        "destination": facts["destination"]["url"],
        "created": facts["created"],
    }
