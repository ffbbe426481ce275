"""How a running job looks: the specification's screen on a terminal, a line now and then without one, and events."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from persona.cli.render import fields, heading, human_size, of_path
from persona.errors import InputError
from persona.storage.paths import printable
from persona.transfer.model import Phase, Row
from persona.transfer.progress import Progress, Watch

if TYPE_CHECKING:
    from rich.live import Live

    from persona.cli.session import Session

LINE_SECONDS = 5.0
BAR_CELLS = 30
_TITLES = {"migrate": "Storage Migration", "sync": "Storage Sync"}
_NUMBERED = {
    Phase.INVENTORY: "Phase 1: Inventory",
    Phase.MIGRATION: "Phase 2: Migration",
    Phase.VERIFICATION: "Phase 3: Verification",
    Phase.DELETION: "Phase 4: Deletion",
}


class Watches(Watch):
    """Passes on what a job tells to several."""

    def __init__(self, *watches: View | Events) -> None:
        self._watches = watches

    def phase(self, phase: Phase) -> None:
        """Pass on."""
        for watch in self._watches:
            watch.phase(phase)

    def inventory(self, objects: int, size: int) -> None:
        """Pass on."""
        for watch in self._watches:
            watch.inventory(objects, size)

    def progress(self, progress: Progress) -> None:
        """Pass on."""
        for watch in self._watches:
            watch.progress(progress)

    def objects(self, rows: Sequence[Row]) -> None:
        """Pass on."""
        for watch in self._watches:
            watch.objects(rows)

    def end(self, document: dict[str, Any]) -> None:
        """Have ended, and come to this."""
        for watch in self._watches:
            watch.end(document)


class View(Watch):
    """Shows nothing but the result, which it leaves out too if stdout is for JSON or events.

    Args:
        facts: what the journal says of the job.
        result: whether to print the result.
    """

    def __init__(self, facts: dict[str, Any], *, result: bool) -> None:
        self.title = f"{_TITLES[facts['kind']]}: {facts['source']['name']} → {facts['destination']['name']}"
        self.source = str(facts["source"]["name"])
        self._result = result

    def end(self, document: dict[str, Any]) -> None:
        """Print the result."""
        if self._result:
            print(result_text(document, title=self.title))


class LineView(View):
    """Writes a line to stderr every few seconds."""

    _last = 0.0

    def __init__(self, facts: dict[str, Any], *, result: bool, at_once: bool) -> None:
        super().__init__(facts, result=result)
        self._last = 0.0 if at_once else time.monotonic()

    def inventory(self, objects: int, size: int) -> None:
        """Write a line, if it is time."""
        self._line(f"Inventory: {objects:,} objects, {human_size(size)}")

    def progress(self, progress: Progress) -> None:
        """Write a line, if it is time."""
        self._line(progress_line(progress))

    def _line(self, text: str) -> None:
        if time.monotonic() - self._last >= LINE_SECONDS:
            self._last = time.monotonic()
            print(text, file=sys.stderr, flush=True)


class ScreenView(View):
    """Draws the screen again and again in one place.

    Args:
        facts: what the journal says of the job.
        result: whether to print the result in the end.
        live: the place.
    """

    def __init__(self, facts: dict[str, Any], *, result: bool, live: Live) -> None:
        super().__init__(facts, result=result)
        self._live = live
        self._inventory = (0, 0)
        self._progress: dict[Phase, Progress] = {}
        self._phase = Phase.INVENTORY

    def phase(self, phase: Phase) -> None:
        """Draw."""
        self._phase = phase
        self._draw()

    def inventory(self, objects: int, size: int) -> None:
        """Draw."""
        self._inventory = objects, size
        self._draw()

    def progress(self, progress: Progress) -> None:
        """Draw."""
        self._progress[progress.phase] = progress
        if self._inventory == (0, 0) and progress.phase is Phase.MIGRATION:
            self._inventory = progress.total_objects, progress.total_bytes
        self._draw()

    def end(self, document: dict[str, Any]) -> None:
        """Leave the screen, and print the result."""
        self._live.stop()
        super().end(document)

    def _draw(self) -> None:
        from rich.text import Text

        self._live.update(Text(self.text()), refresh=True)

    def text(self) -> str:
        """Return the screen."""
        lines = [
            heading(self.title),
            _NUMBERED[Phase.INVENTORY],
            fields(_inventory(self.source, *self._inventory), "  "),
        ]
        for phase in (Phase.MIGRATION, Phase.VERIFICATION):
            lines += ["", _NUMBERED[phase]]
            if (progress := self._progress.get(phase)) is not None:
                lines += bar(progress)
            else:
                lines.append("  Nothing to do." if self._phase is Phase.DONE else "  Pending...")
        return "\n".join([*lines, "", "Press Ctrl+C to pause migration."])


class Events(Watch):
    """Writes what happens as lines of JSON.

    Args:
        target: a file, or ``-`` for stdout.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._progress = 0.0
        try:
            self._out: IO[str] = sys.stdout if target == "-" else Path(target).open("a", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise InputError(f"{target} cannot be written: {error.strerror}.", hint="Name another file.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._target != "-":
            self._out.close()

    def phase(self, phase: Phase) -> None:
        """Write an event."""
        self._write("phase", phase=phase)

    def inventory(self, objects: int, size: int) -> None:
        """Write an event."""
        self._write("inventory", objects=objects, bytes=size)

    def progress(self, progress: Progress) -> None:
        """Write an event, once a second."""
        if time.monotonic() - self._progress >= 1:
            self._progress = time.monotonic()
            self._write(
                "progress",
                phase=progress.phase,
                objects=progress.objects,
                total_objects=progress.total_objects,
                bytes=progress.bytes,
                total_bytes=progress.total_bytes,
                bytes_per_second=round(progress.speed),
                eta_seconds=None if progress.eta is None else round(progress.eta),
            )

    def objects(self, rows: Sequence[Row]) -> None:
        """Write an event for each object."""
        for row in rows:
            self._write(
                "object",
                path=row.path,
                size=row.size,
                action=row.action,
                step=row.step,
                evidence=row.evidence,
                error=row.error,
            )

    def end(self, document: dict[str, Any]) -> None:
        """Have ended, and come to this."""
        self._write("end", **document)

    def _write(self, event: str, **facts: Any) -> None:
        line = {"time": datetime.now(UTC).isoformat(), "event": event, **facts}
        try:
            self._out.write(json.dumps(line) + "\n")
            self._out.flush()
        except OSError as error:  # whoever listened is gone; the job is not
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
            print(f"Warning: {self._target} takes no more events: {error.strerror}.", file=sys.stderr)


@contextmanager
def view_of(session: Session, facts: dict[str, Any], progress: bool | None, *, result: bool) -> Iterator[View]:
    """Yield the view that fits: on a terminal the screen, elsewhere lines, or nothing if nobody wants it.

    Args:
        session: the global options.
        facts: what the journal says of the job.
        progress: what ``--progress`` says; None leaves it to the terminal.
        result: whether stdout is free for the result.
    """
    result = result and not session.json
    if progress is False or (session.quiet and progress is None):
        yield View(facts, result=result)
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True, highlight=False)
        with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
            yield ScreenView(facts, result=result, live=live)
    else:
        yield LineView(facts, result=result, at_once=progress is True)


def progress_line(progress: Progress) -> str:
    """Return how far a phase is in one line."""
    return f"{_NUMBERED[progress.phase].partition(': ')[2]}: {pace(progress)}"


def pace(progress: Progress) -> str:
    """Return how far it is, how fast it goes, and how long it will take."""
    return (
        f"{_share(progress):.0%} ({progress.objects:,}/{progress.total_objects:,}), "
        f"{human_size(round(progress.speed))}/s, ETA {eta_words(progress.eta)}"
    )


def eta_words(seconds: float | None) -> str:
    """Return a time to go as people say it: ``2 minutes``."""
    if seconds is None:
        return "unknown"
    for unit, length, limit in (("second", 1, 60), ("minute", 60, 60), ("hour", 3600, 24)):
        if (count := max(0, round(seconds / length))) < limit:
            return f"{count} {unit}{'s' if count != 1 else ''}"
    count = round(seconds / 86400)
    return f"{count} day{'s' if count != 1 else ''}"


def result_text(document: dict[str, Any], *, title: str = "", full: bool = False) -> str:
    """Return what a job came to, for people.

    Args:
        document: its JSON.
        title: the heading; else one with the places.
        full: name all failures.
    """
    objects, size = document["objects"], document["bytes"]
    title = title or f"{_TITLES[document['kind']]}: {document['id']}"
    parts = [
        heading(title) + "\n" + fields([("From", document["source"]), ("To", document["destination"])]),
        "Phase 1: Inventory\n" + fields(_inventory("", objects["total"], size["total"]) + _reserved(document), "  "),
    ]
    if document["state"] == "planned":
        return "\n\n".join([*parts, "Plan (nothing was written)\n" + fields(_plan(document["plan"]), "  ")])
    parts.append("Phase 2: Migration\n" + fields(_migration(document), "  "))
    parts.append("Phase 3: Verification\n" + fields(_verification(document), "  "))
    if document["failures"]:
        parts.append(_failures(document, None if full else 10))
    words = {"lost": "The content arrived; the destination lacks", "differs": "Already there, and not as at the source"}
    parts += [_lost(document["metadata"][key], word) for key, word in words.items() if document["metadata"][key]]
    parts.append(_end(document))
    return "\n\n".join(parts)


def _inventory(name: str, objects: int, size: int) -> list[tuple[str, str]]:
    label = f"{name[:1].upper()}{name[1:]} objects" if name.isalnum() else "Objects"
    return [(label, f"{objects:,}"), ("Total size", human_size(size))]


def _reserved(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what took no part since Persona keeps it for itself."""
    found = document["reserved"]
    if not found["objects"]:
        return []
    return [("Reserved for Persona, left out", f"{found['objects']:,} ({human_size(found['bytes'])})")]


def bar(progress: Progress) -> list[str]:
    """Return the lines of a bar, with what is under way below it."""
    share = _share(progress)
    full = int(share * BAR_CELLS)
    cells = "█" * full + "░" * (BAR_CELLS - full)
    lines = [f"  [{cells}] {share:.0%} ({progress.objects:,}/{progress.total_objects:,})"]
    if progress.objects < progress.total_objects:
        lines += [
            f"  Current: {printable(progress.current)}",
            f"  Speed: {human_size(round(progress.speed))}/s",
            f"  ETA: {eta_words(progress.eta)}",
        ]
    return lines


def _share(progress: Progress) -> float:
    """Return how much is done, of bytes where there are any; all only when all objects are."""
    if progress.objects >= progress.total_objects:
        return 1.0
    done = progress.bytes / progress.total_bytes if progress.total_bytes else progress.objects / progress.total_objects
    return min(done, 0.99)


def _plan(plan: dict[str, Any]) -> list[tuple[str, str]]:
    words = {
        "copy": "To copy",
        "replace": "To replace, the old kept",
        "skip": "Equal already",
        "conflict": "Other content there, left alone",
        "remove": "To remove",
        "refuse": "Names that cannot be carried",
    }
    rows = [
        (word, f"{plan[action]['objects']:,} ({human_size(plan[action]['bytes'])})")
        for action, word in words.items()
        if plan[action]["objects"] or action in ("copy", "skip")
    ]
    for side in ("source", "destination"):
        rows.append((f"Requests to the {side}", _counts(plan["requests"][side])))
    if made := plan["made_with"]:
        used = "; ".join(f"{side} {_counts(made[side])}" for side in ("source", "destination"))
        rows.append(("Of these, used for this plan", used))
    return rows


def _counts(requests: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in requests.items() if count) or "none"


def _migration(document: dict[str, Any]) -> list[tuple[str, str]]:
    objects = document["objects"]
    rows = [("Copied", f"{objects['copied']:,} ({human_size(document['bytes']['copied'])})")]
    names = (("skipped", "Equal already"), ("gone", "Deleted at the source meanwhile"), ("removed", "Removed"))
    rows += [(word, f"{objects[key]:,}") for key, word in names if objects[key]]
    if document["folder_markers"]:
        rows.append(("Folder markers, which are no objects", f"{document['folder_markers']:,}"))
    if document["backup"]:
        rows.append(("Old contents kept in", document["backup"]))
    return rows


def _verification(document: dict[str, Any]) -> list[tuple[str, str]]:
    evidence = document["evidence"]
    rows = [("Verified", f"{document['objects']['verified']:,}")]
    words = (
        ("digest", "by the provider's digest"),
        ("reread", "by reading back"),
        ("unchanged", "unchanged since an earlier sync"),
    )
    return rows + [(f"  {word}", f"{evidence[key]:,}") for key, word in words if evidence[key]]


def incomplete_text(document: dict[str, Any]) -> str:
    """Return what a job has not done, for who sees nothing but errors."""
    places = f"{document['source']} → {document['destination']}"
    head = f"Error: {_TITLES[document['kind']]} {document['id']} is incomplete: {places}"
    parts = [head, _failures(document, 10)] if document["failures"] else [head]
    hint = f"  → persona storage migrate report {document['id']}"
    return "\n".join([*parts, hint])


def _failures(document: dict[str, Any], limit: int | None) -> str:
    shown = document["failures"][:limit]
    lines = [f"  {of_path(failure['path'], failure['error'])}" for failure in shown]
    left = document["objects"]["failed"] - len(shown)
    if left > 0:
        lines.append(f"  … and {left:,} more: persona storage migrate report {document['id']} --json")
    return "Not done:\n" + "\n".join(lines)


def _lost(found: list[dict[str, Any]], word: str) -> str:
    """Return what objects lack of all that goes with their content, each in a line with some of them."""
    lines = []
    for each in found[:10]:
        names = ", ".join(map(printable, each["paths"]))
        more = ", …" if each["objects"] > len(each["paths"]) else ""
        count = f"{each['objects']:,} object{'' if each['objects'] == 1 else 's'}"
        lines.append(f"  {printable(each['name'])} of {count}: {names}{more}")
    lines += [f"  … and {len(found) - 10:,} more"] if len(found) > 10 else []
    return f"{word}:\n" + "\n".join(lines)


def _end(document: dict[str, Any]) -> str:
    words = {"complete": "✅ Complete", "incomplete": "❌ Incomplete", "paused": "Paused", "running": "Running"}
    state = words.get(document["state"], document["state"])
    text = f"{state} after {eta_words(document['elapsed_seconds'])}. Job: {document['id']}"
    return f"{text}\n{document['error']}" if document["error"] else text
