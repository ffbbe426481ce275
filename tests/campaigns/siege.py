"""A whole campaign of kills on migrations between two places, and the verdict on each migration."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persona.config.schema import StorageSettings
from tests.campaigns.command import Command
from tests.campaigns.corpus import OWN, Item, versions
from tests.campaigns.kills import Attack, Kill, gone_on, measured, repeated_uploads, uploaded
from tests.campaigns.sites import address_of, assert_holds, look, put, through, url_of, with_prefix
from tests.campaigns.traffic import Traffic

KILLS_A_JOB = 8


@dataclass
class Outcome:
    """What a campaign has shown.

    Args:
        kills: all kills that hit a running process.
        jobs: how many migrations were taken to their end.
        uploads: how many objects and parts were uploaded.
        again: how many of these uploads were made again, each for a kill that had hit it.
        gone_on: how many uploads in parts went on after a kill where they were.
        strays: what the program left of its own at the destinations.
    """

    kills: list[Kill] = field(default_factory=list)
    jobs: int = 0
    uploads: int = 0
    again: int = 0
    gone_on: int = 0
    strays: list[str] = field(default_factory=list)

    @property
    def phases(self) -> Counter[str]:
        """How many kills hit each phase."""
        return Counter(kill.phase for kill in self.kills)

    def __str__(self) -> str:
        phases = ", ".join(f"{name} {count}" for name, count in sorted(self.phases.items()))
        return (
            f"{len(self.kills)} kills ({phases}) on {self.jobs} migrations; "
            f"{self.uploads} uploads, {self.again} of them again for a kill in flight; "
            f"{self.gone_on} uploads in parts went on; {len(self.strays)} strays"
        )


def besiege(
    folder: Path,
    source: StorageSettings,
    target: StorageSettings,
    items: Sequence[Item],
    *,
    kills: int,
    seed: int,
    flags: Sequence[str] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Migrate again and again, each time to an empty place, until so many kills have hit.

    Args:
        folder: for the home of the command line.
        source: an empty place, which is filled.
        target: below it each migration gets a folder of its own.
        items: the objects to move.
        kills: how many.
        seed: draws the moments.
        flags: more for ``migrate``.
        tell: is told of each migration.

    Raises:
        AssertionError: something that must hold does not.
    """
    put(source, items)
    untouched = look(source, versions)
    outcome, dice = Outcome(), random.Random(seed)
    watched = target if target.backend != "local" else source
    with Traffic(address_of(watched)) as traffic:
        sides = [through(side, traffic) if side is watched else side for side in (source, target)]
        command = Command(folder, *sides, concurrent_uploads=8)

        def start(name: str) -> tuple[str, ...]:
            to = url_of(with_prefix(target, name))
            return ("storage", "migrate", "--from", source.backend, "--to", to, "--json", *flags)

        whole, report = measured(command, start("undisturbed"), traffic)
        check_report(report, items)
        while len(outcome.kills) < kills:
            name = f"job-{outcome.jobs}"
            attack = Attack(command, start(name), traffic, whole, dice)
            report = attack.run(min(KILLS_A_JOB, kills - len(outcome.kills)))
            check_report(report, items)
            check_uploads(attack, outcome)
            assert_holds(with_prefix(target, name), items)
            outcome.strays += [path for path in look(with_prefix(target, name), versions) if path.startswith(OWN)]
            assert look(source, versions) == untouched, "the source was touched"
            tell(f"{report['id']}: {Counter(kill.phase for kill in attack.kills)}")
    assert_holds(source, items)
    return outcome


def check_report(report: Any, items: Sequence[Item]) -> None:
    """Assert that a migration is complete and that its counters add up."""
    objects, total = report["objects"], len(items)
    assert (report["state"], report["phase"]) == ("complete", "done"), report
    assert objects["total"] == objects["verified"] == objects["copied"] + objects["skipped"] == total, report
    assert objects["failed"] == 0, report
    assert not report["failures"], report
    assert report["bytes"]["total"] == sum(item.size for item in items), report
    assert sum(report["evidence"].values()) == total, report


def check_uploads(attack: Attack, outcome: Outcome) -> None:
    """Assert that nothing was uploaded more often than the kills account for, and count."""
    repeated = repeated_uploads(attack.passed, attack.kills)
    assert not repeated, f"{len(repeated)}: {repeated[:10]}"
    names = Counter(uploaded(each) for each in attack.passed if each.done and uploaded(each))
    outcome.uploads += names.total()
    outcome.gone_on += gone_on(attack.passed, attack.kills)
    outcome.again += names.total() - len(names)
    outcome.kills += attack.kills
    outcome.jobs += 1
