"""A library migrated twice: what the second run asks for, and what a dry run says of both."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from persona.config.schema import StorageSettings
from tests.campaigns.corpus import Item
from tests.campaigns.sites import address_of, put, through
from tests.faults import FaultProxy, Seen

Migrate = Callable[..., Any]
Configured = Callable[..., Migrate]
KINDS = ("list", "read", "head")
_LISTING = re.compile(r"[?&](list-type=2|comp=list)|/o\?")


@dataclass(frozen=True)
class Run:
    """One migration.

    Args:
        report: its JSON.
        asked: for each side the requests that only read, by kind as in ``plan.requests``.
    """

    report: dict[str, Any]
    asked: dict[str, dict[str, int]]

    @property
    def foretold(self) -> dict[str, dict[str, int]]:
        """What the plan says of the requests that only read."""
        requests = self.report["plan"]["requests"]
        return {side: {kind: requests[side][kind] for kind in KINDS} for side in self.asked}

    @property
    def told(self) -> dict[str, dict[str, int]]:
        """What the plan says of the requests that it was made with."""
        return {side: self.report["plan"]["made_with"][side] for side in self.asked}


def migrate_twice(
    source: StorageSettings, target: StorageSettings, items: Sequence[Item], configured: Configured
) -> list[Run]:
    """Migrate, and migrate again with nothing to do; before each, make a dry run of it.

    Args:
        source: where the library goes first; empty.
        target: where it is migrated to; empty.
        items: the library.
        configured: given the settings of both sides, returns what runs ``persona storage migrate --json``.
    """
    put(source, items)
    with ExitStack() as stack:
        proxies = {
            side: stack.enter_context(FaultProxy(address_of(settings)))
            for side, settings in (("source", source), ("destination", target))
            if settings.backend != "local"
        }
        sides = {
            side: through(settings, proxies[side]) if side in proxies else settings
            for side, settings in (("source", source), ("destination", target))
        }
        migrate = configured(*sides.values())
        runs = []
        for flags in (["--dry-run"], [], ["--dry-run"], []):
            begun = {side: len(proxy.seen) for side, proxy in proxies.items()}
            report = migrate("--from", source.backend, "--to", target.backend, *flags)
            asked = {side: _kinds(proxy.seen[begun[side] :]) for side, proxy in proxies.items()}
            runs.append(Run(report, asked))
        return runs


def _kinds(seen: Sequence[Seen]) -> dict[str, int]:
    """Count the requests that only read, but for those on probe objects."""
    counts: Counter[str] = Counter()
    for each in seen:
        if "persona-probe" in each.target:
            continue
        if each.method == "HEAD" or (each.method == "GET" and "?fields=" in each.target and "/o/" in each.target):
            counts["head"] += 1
        elif each.method == "GET":
            counts["list" if _LISTING.search(each.target) else "read"] += 1
    return {kind: counts[kind] for kind in KINDS}
