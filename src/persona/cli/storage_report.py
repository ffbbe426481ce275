"""What ``persona storage status`` and ``stats`` show: counts, health, and what an outage has left here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from persona.cli.render import Known, fields, heading, human_size, human_time, json_time, table
from persona.cli.session import Session
from persona.errors import PersonaError, UnreachableError
from persona.moments import moment
from persona.neutral import harmless
from persona.redaction import redacted

if TYPE_CHECKING:
    from persona.storage.backend import Place, StorageBackend
    from persona.storage.outage import Outage
    from persona.storage.residency import Residence
    from persona.storage.summary import Group, Summary


def report(session: Session, title: str, *, detailed: bool) -> int:
    """Print a report of the storage, and return the exit code: that of the error if the storage does not answer."""
    from persona.storage.residency import shown
    from persona.storage.stack import impatient, open_storage, remembered
    from persona.storage.summary import Summary, summarise

    settings = session.workspace.settings.storage

    async def work(storage: StorageBackend) -> int:
        error: PersonaError | None = None
        summary = Summary()
        try:
            summary = await summarise(storage, detailed=detailed, patient=lambda: open_storage(settings))
        except PersonaError as failure:
            error = failure
        trouble = Trouble.of(session)
        error = error or (trouble.error if summary.as_of else None)
        home = await shown(storage, settings.residency, remembered(settings, session.keeping()))
        report = _Report(settings.backend, storage.describe(), home, summary, error, trouble, detailed)
        if session.json:
            session.emit(report.document())
        else:
            print(report.text(title))
        if error:
            session.warn_if_quiet(f"Error: {error}" + (f"\n  → {error.hint}" if error.hint else ""))
        for name in summary.refused:
            session.warn(f"Not counted: {name.reason}")
        if summary.reserved.names:
            session.warn(f"Warning: {summary.reserved.warning}")
        return error.exit_code if error else 1 if summary.refused else 0

    return session.with_storage(work, impatient(settings), force=True)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is kept here of an outage, and what waits for its end.

    Args:
        outage: the outage, or None.
        waiting: how many writes wait.
        conflicts: how many met what others wrote, or are damaged.
        bytes: their contents.
    """

    outage: Outage | None
    waiting: int
    conflicts: int
    bytes: int

    @classmethod
    def of(cls, session: Session) -> Trouble:
        """Look at what is kept of the workspace's storage."""
        from persona.storage.stack import open_outage, open_outbox

        settings, keeping = session.workspace.settings.storage, session.keeping()
        entries = open_outbox(settings, keeping).entries()
        waiting = sum(entry.state in ("waiting", "sending") for entry in entries)
        size = sum(entry.size for entry in entries)
        return cls(open_outage(settings, keeping).load(), waiting, len(entries) - waiting, size)

    @property
    def error(self) -> PersonaError:
        """Why what is shown is only what is known here."""
        text = self.outage.error if self.outage else "The provider does not answer."
        return UnreachableError(text, hint="Check the endpoint and the network.")

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        outage = self.outage
        return {
            "breaker": {
                "state": "open" if outage else "closed",
                "since": json_time(moment(outage.since)) if outage else None,
                "retry_at": json_time(moment(outage.retry_at)) if outage else None,
                "failures": outage.failures if outage else 0,
            },
            "outbox": {"waiting": self.waiting, "conflicts": self.conflicts, "bytes": self.bytes},
        }

    def text(self) -> str:
        """Return it for people, or "" if there is none."""
        lines = []
        if self.outage:
            since, retry = moment(self.outage.since), moment(self.outage.retry_at)
            lines.append(
                f"Breaker: open since {since:%Y-%m-%d %H:%M:%S} UTC, tried again by other commands from "
                f"{retry:%H:%M:%S} UTC on"
            )
        if self.waiting or self.conflicts:
            met = f", {self.conflicts} in conflict" if self.conflicts else ""
            lines.append(f"Outbox: {self.waiting} waiting{met} ({human_size(self.bytes)})")
            lines.append("  → “persona storage outbox list” shows them.")
        return "\n".join(lines)


class _Report:
    """What ``status`` and ``stats`` show."""

    def __init__(
        self,
        backend: str,
        place: Place,
        home: Residence,
        summary: Summary,
        error: PersonaError | None,
        trouble: Trouble,
        detailed: bool,
    ) -> None:
        self.backend = backend
        self.place = place
        self.home = home
        self.summary = summary
        self.error = error
        self.trouble = trouble
        self.counted = error is None or summary.as_of is not None
        self.detailed = detailed

    def document(self) -> dict[str, Any]:
        """Return the contract's JSON; what could not be counted is null."""
        latency = self.summary.latency
        document: dict[str, Any] = {
            "backend": self.backend,
            "location": self.home.url,
            "region": self.home.location.region or self.place.region,
            "objects": self.summary.objects if self.counted else None,
            "total_bytes": self.summary.total_bytes if self.counted else None,
            "last_modified": json_time(self.summary.last_modified),
            "health": {
                "ok": self.error is None,
                "latency_ms": round(latency * 1000, 1) if latency is not None and self.error is None else None,
                "error": redacted(str(self.error)) if self.error else None,
            },
        }
        left_out = self.summary.reserved
        if left_out.objects:
            document["reserved"] = {"objects": left_out.objects, "bytes": left_out.bytes, "names": left_out.names}
        if self.summary.folder_markers:
            document["folder_markers"] = self.summary.folder_markers
        document["encryption"] = self.place.encryption
        document["residency"] = _residency_json(self.home)
        document |= self.trouble.document()
        if self.summary.as_of:
            document |= Known(self.summary.as_of, whole=self.summary.whole).document()
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
        if self.home.rule.allow:
            rows.append(("Region", self.home.where))
            rows.append(("Residency", _residency_text(self.home)))
        elif self.place.region:
            rows.append(("Region", self.place.region))
        if self.place.encryption:
            rows.append(("Encryption", self.place.encryption))
        parts = [heading(title) + "\n" + fields(rows)]
        if self.counted:
            summary = self.summary
            counts = [
                ("Objects", f"{summary.objects:,}"),
                ("Total Size", human_size(summary.total_bytes)),
                ("Last Modified", human_time(summary.last_modified)),
            ]
            if summary.reserved.objects:
                count = f"{summary.reserved.objects:,} ({human_size(summary.reserved.bytes)})"
                counts.append(("Reserved for Persona, not counted", count))
            if summary.folder_markers:
                counts.append(("Folder markers, which are no objects", f"{summary.folder_markers:,}"))
            title = (
                f"Statistics, {Known(summary.as_of, whole=summary.whole).words()}:" if summary.as_of else "Statistics:"
            )
            parts.append(f"{title}\n" + fields(counts, indent="  "))
            if self.detailed:
                parts += self._details()
        if self.error is None:
            parts.append(f"Health: ✅ Connected ({(self.summary.latency or 0) * 1000:.0f} ms)")
        else:
            health = f"Health: ❌ {self.error}" + (f"\n  → {self.error.hint}" if self.error.hint else "")
            parts.append(harmless(redacted(health)))
        if said := self.trouble.text():
            parts.append(said)
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


def _residency_json(home: Residence) -> dict[str, Any]:
    return {
        "allow": list(home.rule.allow),
        "enforce": home.rule.enforce,
        "region": home.location.region,
        "source": home.location.source,
        "ok": home.ok,
    }


def _residency_text(home: Residence) -> str:
    if home.ok:
        return "✅ allowed"
    after = "nothing is written there" if home.refused else "not enforced"
    return f"❌ only {', '.join(home.rule.allow)} {'is' if len(home.rule.allow) == 1 else 'are'} allowed; {after}"


def _groups(groups: dict[str, Group]) -> list[dict[str, Any]]:
    """Return groups for JSON, the largest first."""
    ranked = sorted(groups.items(), key=lambda item: (-item[1].total_bytes, item[0]))
    return [{"name": name, "objects": group.objects, "total_bytes": group.total_bytes} for name, group in ranked]


def _group_table(title: str, groups: dict[str, Group]) -> str:
    rows = [(row["name"], f"{row['objects']:,}", human_size(row["total_bytes"])) for row in _groups(groups)]
    return table((title, "Objects", "Size"), rows)
