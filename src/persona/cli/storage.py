"""``persona storage``: what the storage is, what it holds, and the way to its configuration."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand, PersonaGroup, fresh_option
from persona.cli.render import error_json, fields, heading, human_size, human_time, json_text, json_time, table
from persona.cli.session import Session
from persona.errors import IncompleteError, PersonaError

if TYPE_CHECKING:
    from persona.storage.backend import Listing, Place, RefusedName, StorageBackend
    from persona.storage.summary import Group, Summary


@click.group(
    cls=PersonaGroup,
    lazy={
        "status": ("persona.cli.storage:status", "Say where the storage is, what it holds, and whether it answers."),
        "stats": ("persona.cli.storage:stats", "Count what the storage holds."),
        "list": ("persona.cli.storage:list_", "List objects."),
        "migrate": ("persona.cli.migrate:migrate", "Move everything to another place, and prove that it arrived."),
        "sync": ("persona.cli.sync:sync", "Bring one folder to the state of another."),
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
    return _report(session, "Storage Status", detailed=False)


@click.command(cls=PersonaCommand)
@click.option("--detailed", is_flag=True, help="Also by type, folder and size, and the largest objects.")
@fresh_option
@click.pass_obj
def stats(session: Session, detailed: bool) -> int:
    """Count what the storage holds."""
    return _report(session, "Storage Statistics", detailed=detailed)


@click.command(cls=PersonaCommand, name="list")
@click.argument("prefix", default="")
@fresh_option
@click.pass_obj
def list_(session: Session, prefix: str) -> None:
    """List objects below PREFIX, a folder; without it, all. Rows appear as they are read."""

    async def work(storage: StorageBackend) -> None:
        rows = _JsonRows(session) if session.json else _Rows(storage.url(prefix))
        refused: list[RefusedName] = []
        try:
            async for page in storage.scan(prefix):
                rows.page(page)
                refused += page.refused
        except PersonaError as error:
            rows.end(refused, error)
            raise
        rows.end(refused)
        if refused:
            raise IncompleteError(
                f"{len(refused)} foreign names are no storage paths, so these objects cannot be used: "
                + "; ".join(name.reason for name in refused[:10]),
                hint="Rename them with your provider's tools.",
            )

    session.with_storage(work)


class _Rows:
    """Rows for people, with widths fixed beforehand so that none has to wait for the others."""

    def __init__(self, location: str) -> None:
        print(heading(location))
        self._count = 0

    def page(self, page: Listing) -> None:
        self._count += len(page)
        for found in page:
            print(f"{human_size(found.size):>10}  {human_time(found.last_modified):<20}  {found.path}")
        sys.stdout.flush()

    def end(self, refused: list[RefusedName], error: PersonaError | None = None) -> None:
        if error is None:
            print(f"{self._count:,} objects" if self._count != 1 else "1 object")


class _JsonRows:
    """The contract's document, written as it is read, so that memory does not grow with it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before = '{"objects": ['

    def page(self, page: Listing) -> None:
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

    def end(self, refused: list[RefusedName], error: PersonaError | None = None) -> None:
        if error is not None and not self._session.emitted:
            return  # nothing is written yet, so the error is the document
        self._session.emitted = True
        rest: dict[str, Any] = {"refused": [{"key": name.key, "reason": name.reason} for name in refused]}
        if error is not None:
            rest["error"] = error_json(error.message, error.hint, error.exit_code)
        start = self._before if self._before != "," else "\n"
        sys.stdout.write(f"{start}], {json_text(rest)[1:]}\n")


def _report(session: Session, title: str, *, detailed: bool) -> int:
    """Print a report of the storage, and return the exit code: that of the error if the storage does not answer."""
    from persona.storage.stack import impatient, open_storage
    from persona.storage.summary import Summary, summarise

    settings = session.workspace.settings.storage

    async def work(storage: StorageBackend) -> int:
        error: PersonaError | None = None
        summary = Summary()
        try:
            summary = await summarise(storage, detailed=detailed, patient=lambda: open_storage(settings))
        except PersonaError as failure:
            error = failure
        report = _Report(settings.backend, storage.url(), storage.describe(), summary, error, detailed)
        if session.json:
            session.emit(report.document())
        else:
            print(report.text(title))
        _name_refused(session, summary)
        return error.exit_code if error else 1 if summary.refused else 0

    return session.with_storage(work, impatient(settings))


def _name_refused(session: Session, summary: Summary) -> None:
    for name in summary.refused:
        session.note(f"Not counted: {name.reason}")


class _Report:
    """What ``status`` and ``stats`` show."""

    def __init__(
        self,
        backend: str,
        location: str,
        place: Place,
        summary: Summary,
        error: PersonaError | None,
        detailed: bool,
    ) -> None:
        self.backend = backend
        self.location = location
        self.place = place
        self.summary = summary
        self.error = error
        self.detailed = detailed

    def document(self) -> dict[str, Any]:
        """Return the contract's JSON; what could not be counted is null."""
        counted = self.error is None
        document: dict[str, Any] = {
            "backend": self.backend,
            "location": self.location,
            "region": self.place.region,
            "objects": self.summary.objects if counted else None,
            "total_bytes": self.summary.total_bytes if counted else None,
            "last_modified": json_time(self.summary.last_modified),
            "health": {
                "ok": counted,
                "latency_ms": round(self.summary.latency * 1000, 1) if self.summary.latency is not None else None,
                "error": str(self.error) if self.error else None,
            },
        }
        if self.detailed:
            document |= {
                "by_type": _groups(self.summary.by_type),
                "by_prefix": _groups(self.summary.by_prefix),
                "size_histogram": self._histogram(),
                "largest": [
                    {"path": found.path, "size": found.size, "last_modified": json_time(found.last_modified)}
                    for found in self._largest()
                ],
            }
        return document

    def text(self, title: str) -> str:
        """Return the report for people."""
        rows = [("Backend", self.place.provider), *self.place.fields]
        if self.place.region:
            rows.append(("Region", self.place.region))
        parts = [heading(title) + "\n" + fields(rows)]
        if self.error is None:
            summary = self.summary
            counts = [
                ("Objects", f"{summary.objects:,}"),
                ("Total Size", human_size(summary.total_bytes)),
                ("Last Modified", human_time(summary.last_modified)),
            ]
            parts.append("Statistics:\n" + fields(counts, indent="  "))
            if self.detailed:
                parts += self._details()
            parts.append(f"Health: ✅ Connected ({(self.summary.latency or 0) * 1000:.0f} ms)")
        else:
            parts.append(f"Health: ❌ {self.error}" + (f"\n  → {self.error.hint}" if self.error.hint else ""))
        return "\n\n".join(parts)

    def _details(self) -> list[str]:
        summary = self.summary
        if not summary.objects:
            return []
        return [
            "By type:\n" + _group_table("Type", summary.by_type),
            "By folder:\n" + _group_table("Folder", summary.by_prefix),
            "Sizes:\n"
            + table(("Size", "Objects"), [(row["size"], f"{row['objects']:,}") for row in self._histogram()]),
            "Largest:\n" + table(("Size", "Path"), [(human_size(o.size), o.path) for o in self._largest()]),
        ]

    def _histogram(self) -> list[dict[str, Any]]:
        from persona.storage.summary import OVER, SIZE_STEPS

        counts = self.summary.size_histogram
        labels = [*(label for _, label in SIZE_STEPS), OVER]
        return [{"size": label, "objects": counts[label]} for label in labels if counts[label]]

    def _largest(self) -> list[Any]:
        return [found for _, _, found in sorted(self.summary.largest, key=lambda e: e[:2], reverse=True)]


def _groups(groups: dict[str, Group]) -> list[dict[str, Any]]:
    """Return groups for JSON, the largest first."""
    ranked = sorted(groups.items(), key=lambda item: (-item[1].total_bytes, item[0]))
    return [{"name": name, "objects": group.objects, "total_bytes": group.total_bytes} for name, group in ranked]


def _group_table(title: str, groups: dict[str, Group]) -> str:
    rows = [(row["name"], f"{row['objects']:,}", human_size(row["total_bytes"])) for row in _groups(groups)]
    return table((title, "Objects", "Size"), rows)
