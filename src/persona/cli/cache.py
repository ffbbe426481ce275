"""``persona storage cache``: what is kept on this machine, clearing it, and filling it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaGroup, fresh_option
from persona.cli.render import fields, heading, human_size, of_path
from persona.cli.session import Session
from persona.errors import ConfigError, IncompleteError, UsageError
from persona.storage.paths import printable

if TYPE_CHECKING:
    from persona.config.schema import CacheSettings
    from persona.storage.cache.house import Stats
    from persona.storage.cache.store import Store
    from persona.storage.warm import Warmed
    from persona.transfer.progress import Progress

_DRAW_SECONDS = 0.1
_COUNTS = ("entries", "bytes", "hits", "misses", "evictions", "bytes_saved", "damaged", "folder_bytes")


@click.group(cls=PersonaGroup)
def cache() -> None:
    """Look at what is kept on this machine of the workspace's storage, clear it, or fill it."""


@cache.command()
@click.pass_obj
def stats(session: Session) -> None:
    """Count what is kept and what that saved. Needs no network; says why nothing is cached when nothing is."""
    settings = session.workspace.settings.storage.cache
    found, reason = _counted(session)
    document: dict[str, Any] = {
        "enabled": settings.enabled,
        "path": str(settings.path),
        "strategy": settings.strategy,
        "max_bytes": settings.max_size,
        **{name: getattr(found, name) if found else 0 for name in _COUNTS},
    }
    asked = document["hits"] + document["misses"]
    document |= {"hit_ratio": round(document["hits"] / asked, 4) if asked else None, "reason": reason}
    if session.json:
        session.emit(document)
    else:
        print(_stats_text(document))


def _counted(session: Session) -> tuple[Stats | None, str | None]:
    """Return the figures, None if there is no cache; and why nothing is cached, None if something is."""
    from persona.patterns import matching
    from persona.storage.cache.house import in_use
    from persona.storage.cache.house import stats as count
    from persona.storage.cache.why import why_empty

    settings = session.workspace.settings.storage
    reason = None
    if not settings.cache.enabled:
        reason = "The cache is disabled: storage.cache.enabled is false."
    elif settings.backend == "local":
        reason = "The storage is a folder of this machine, of which no copy is kept."
    try:
        if reason and not _is_there(settings.cache):
            return None, reason
        with _entered(session) as store, in_use(store.folder):
            found = count(store)
            return found, reason or why_empty(store, found, matching(settings.cache.never))
    except ConfigError as error:
        return None, reason or f"{error} {error.hint}"


def _is_there(settings: CacheSettings) -> bool:
    """Say whether there is a cache folder; one that is not looked for is not made."""
    try:
        return settings.path is not None and (settings.path / "index.sqlite3").exists()
    except OSError as error:
        raise ConfigError(f"The cache in {settings.path} cannot be used: {error.strerror}.") from error


@contextmanager
def _entered(session: Session) -> Iterator[Store]:
    """Open what is kept of the workspace's storage, whether the cache is enabled or not.

    Raises:
        ConfigError: it cannot be used.
    """
    from persona.storage.stack import enter_store, identity

    settings = session.workspace.settings.storage
    with closing(enter_store(settings.cache, identity(settings, session.keeping()))) as store:
        yield store


def _stats_text(document: dict[str, Any]) -> str:
    asked = document["hits"] + document["misses"]
    ratio = f" ({document['hit_ratio']:.0%} of {asked:,} reads)" if asked else ""
    rows = [
        ("Cache", "enabled" if document["enabled"] else "disabled"),
        ("Path", printable(document["path"])),
        ("Strategy", document["strategy"]),
        ("Entries", f"{document['entries']:,}"),
        ("Size", f"{human_size(document['bytes'])} of {human_size(document['max_bytes'])}"),
        ("Folder", f"{human_size(document['folder_bytes'])}, with the index and other workspaces"),
        ("Hits", f"{document['hits']:,}{ratio}"),
        ("Misses", f"{document['misses']:,}"),
        ("Evictions", f"{document['evictions']:,}"),
        ("Saved", f"{human_size(document['bytes_saved'])} of transfer"),
    ]
    if document["damaged"]:
        rows.append(("Damaged", f"{document['damaged']:,}, which were dropped and fetched again"))
    text = f"{heading('Cache Statistics')}\n{fields(rows)}"
    return f"{text}\n\nNothing is cached: {document['reason']}" if document["reason"] else text


def _older_than(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read the duration."""
    from persona.config import values

    try:
        return None if value is None else values.duration(value)
    except ValueError as error:
        raise UsageError(f"“{value}” is not {error}.", hint="For example: --older-than 7d") from error


@cache.command()
@click.option(
    "--older-than",
    metavar="DURATION",
    callback=_older_than,
    help="Only what was fetched longer ago than this: 30s, 5m, 1h, 7d.",
)
@click.pass_obj
def clear(session: Session, older_than: float | None) -> None:
    """Remove what is kept of this workspace's storage. Needs no network; the objects themselves stay."""
    from persona.storage.cache.house import clear as remove
    from persona.storage.cache.house import in_use

    settings = session.workspace.settings.storage.cache
    removed, size = 0, 0
    if _is_there(settings):
        with _entered(session) as store, in_use(store.folder):
            removed, size = remove(store, older_than)
    if session.json:
        session.emit({"path": str(settings.path), "entries": removed, "bytes": size})
    else:
        entries = f"{removed:,} {'entry' if removed == 1 else 'entries'}"
        print(f"Removed {entries}, {human_size(size)}, of {printable(str(settings.path))}")


@cache.command()
@click.argument("path")
@fresh_option
@click.pass_obj
def warm(session: Session, path: str) -> int:
    """Fetch the objects at PATH into the cache, until it is full. What is there and fresh is not fetched again.

    The personas among them are read once, so that “persona list” need not read them.
    """
    import asyncio

    from persona.cli.typed import existing_form, storage_path
    from persona.personas.summaries import summaries
    from persona.storage.stack import open_cache
    from persona.storage.warm import warm as fetch

    settings = session.workspace.settings.storage
    typed = storage_path(path)

    async def run(on_progress: Callable[[Warmed, str], None] | None) -> tuple[Warmed, str]:
        storage = open_cache(settings, session.keeping())
        try:
            folder = await existing_form(storage, typed)
            at_once = settings.performance.concurrent_uploads
            warmed = await fetch(storage, folder, at_once=at_once, on_progress=on_progress)
            if not warmed.left:  # what is not kept would be fetched for it
                await summaries(storage, folder)
            return warmed, storage.url(folder)
        finally:
            await storage.close()

    with _progress(session) as on_progress:
        warmed, location = asyncio.run(run(on_progress))
    if session.json:
        session.emit(_warmed_json(warmed) | {"location": location})
    else:
        print(_warmed_text(warmed, location))
    for failed, reason in warmed.failures:
        session.warn(f"Not fetched: {of_path(failed, reason)}")
    if warmed.left or warmed.too_large:
        raise IncompleteError(
            f"The cache is full: {warmed.left + warmed.too_large:,} of {warmed.objects:,} objects are not in it.",
            hint=f"storage.cache.max_size is {human_size(settings.cache.max_size)}: raise it, or clear the cache.",
        )
    return 8 if warmed.damaged else 1 if warmed.failures else 0


def _warmed_json(warmed: Warmed) -> dict[str, Any]:
    names = ("objects", "fetched", "fresh", "never", "too_large", "gone", "left", "bytes", "total_bytes")
    document = {**{name: getattr(warmed, name) for name in names}, "full": bool(warmed.left)}
    return document | {"failures": [{"path": path, "error": reason} for path, reason in warmed.failures]}


def _warmed_text(warmed: Warmed, location: str) -> str:
    rows = [
        ("Location", location),
        ("Objects", f"{warmed.objects:,} ({human_size(warmed.total_bytes)})"),
        ("Fetched", f"{warmed.fetched:,} ({human_size(warmed.bytes)})"),
        ("Fresh already", f"{warmed.fresh:,}"),
    ]
    others = (
        ("Never kept", warmed.never),
        ("Larger than the cache", warmed.too_large),
        ("Deleted meanwhile", warmed.gone),
        ("Left out, since the cache is full", warmed.left),
        ("Failed", len(warmed.failures)),
    )
    rows += [(word, f"{count:,}") for word, count in others if count]
    return f"{heading('Cache Warming')}\n{fields(rows)}"


@contextmanager
def _progress(session: Session) -> Iterator[Callable[[Warmed, str], None] | None]:
    """Yield what shows how far it is: a bar on a terminal, elsewhere a line every few seconds, nothing if quiet."""
    from persona.cli.transfer_view import LINE_SECONDS, bar, pace

    if session.quiet:
        yield None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(stderr=True, highlight=False), auto_refresh=False, transient=True) as live:
            shown = _Shown(lambda it: live.update(Text("\n".join(bar(it))), refresh=True), _DRAW_SECONDS, at_once=True)
            yield shown.told
    else:
        yield _Shown(
            lambda it: print(f"Warming: {pace(it)}", file=sys.stderr, flush=True), LINE_SECONDS, at_once=False
        ).told


class _Shown:
    """Shows how far it is, now and then.

    Args:
        show: shows it.
        seconds: how long to wait in between.
        at_once: whether to show the beginning.
    """

    def __init__(self, show: Callable[[Progress], None], seconds: float, *, at_once: bool) -> None:
        self._show = show
        self._seconds = seconds
        self._began = time.monotonic()
        self._last = 0.0 if at_once else self._began

    def told(self, warmed: Warmed, path: str) -> None:
        """Be told how far it is."""
        from persona.transfer.model import Phase
        from persona.transfer.progress import Progress

        now = time.monotonic()
        if now - self._last < self._seconds:
            return
        self._last = now
        elapsed = max(now - self._began, 1e-6)
        self._show(
            Progress(
                Phase.MIGRATION,
                objects=warmed.done,
                total_objects=warmed.objects,
                bytes=0,
                total_bytes=0,  # of what is there already no byte moves: objects tell how far it is
                current=path,
                speed=warmed.bytes / elapsed,
                eta=elapsed / warmed.done * (warmed.objects - warmed.done) if warmed.done else None,
            )
        )
