"""``persona storage sync``: bring one folder to the state of another, one way."""

from __future__ import annotations

from typing import Any

import click

from persona.cli.app import PersonaCommand
from persona.cli.migrate import transfer_options
from persona.cli.session import Session


@click.command(cls=PersonaCommand)
@click.option("--from", "source", metavar="PATH", required=True, help="Where from; see above.")
@click.option("--to", "target", metavar="PATH", required=True, help="Where to; see above.")
@click.option("--delete", is_flag=True, help="Remove what the source does not have, after all is verified.")
@click.option(
    "--delete-limit",
    default="",
    metavar="LIMIT",
    help="How much --delete may remove: a number, or a share of the destination; else 50%.",
)
@click.option("--dry-run", is_flag=True, help="Plan, and stop there; nothing is written.")
@click.option("--checksum", is_flag=True, help="Compare contents, also where versions say that nothing changed.")
@click.option("--include", multiple=True, metavar="PATTERN", help="Only these, as in a .gitignore; may be repeated.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Not these; may be repeated.")
@click.option("--backup/--no-backup", default=True, help="Keep first what is replaced or removed.")
@transfer_options
@click.pass_obj
def sync(
    session: Session,
    /,
    source: str,
    target: str,
    delete: bool,
    delete_limit: str,
    dry_run: bool,
    checksum: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    backup: bool,
    **common: Any,
) -> int:
    """Copy what is new or changed from one folder to another.

    A PATH is a storage path such as team/x, also written storage:team/x; a folder of this machine, which begins with
    /, ./, ../ or ~/; a URL; or workspace:NAME.
    """
    from persona.cli import endpoints, transfers
    from persona.transfer.model import Kind, Options
    from persona.transfer.plan import allowed_removals, patterns

    allowed_removals(delete_limit, 0)  # what cannot be read leaves no job behind
    patterns(include, exclude)
    endpoints.check_folder(source)
    options = Options(
        overwrite=True,
        backup=backup,
        checksum=checksum,
        delete=delete,
        delete_limit=delete_limit,
        include=include,
        exclude=exclude,
        must_exist=not endpoints.is_local(source) and not delete_limit,
    )
    return transfers.start(session, Kind.SYNC, source, target, options, dry=dry_run, **common)
