"""A migration through bad weather, resumed as often as it pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persona.config.schema import StorageSettings
from tests.campaigns.command import Command, Ran
from tests.campaigns.corpus import Item, versions
from tests.campaigns.siege import check_report
from tests.campaigns.sites import address_of, assert_holds, look, put, through
from tests.campaigns.weather import KINDS, WITH_ANSWER, Weather

RESUMES_AT_MOST = 20
PATIENCE: dict[str, str | int] = {"timeout": "2s", "retry_delay": "50ms", "retry_attempts": 3, "concurrent_uploads": 16}
"""Short, so that a stall costs two seconds."""


@dataclass
class Passage:
    """How a migration got through.

    Args:
        requests: how many it made.
        faults: how many of them failed, by kind.
        pauses: why it paused each time.
    """

    requests: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    pauses: list[str] = field(default_factory=list)


def weather_out(
    folder: Path,
    source: StorageSettings,
    target: StorageSettings,
    items: Sequence[Item],
    *,
    share: float,
    seed: int,
) -> Passage:
    """Migrate through faults between the client and the side that is a server; the target, if both are.

    Everything is read back through the faults besides (``--verify reread``).

    Raises:
        AssertionError: a byte is wrong, a pause was not explained, or a kind of fault was not met.
    """
    put(source, items)
    untouched = look(source, versions)
    disturbed, kinds = (target, KINDS) if target.backend != "local" else (source, WITH_ANSWER)
    with Weather(address_of(disturbed), share=share, seed=seed, kinds=kinds) as weather:
        sides = [through(side, weather) if side is disturbed else side for side in (source, target)]
        command = Command(folder, *sides, **PATIENCE)
        passage = Passage()
        start = ("--from", source.backend, "--to", target.backend, "--verify", "reread")
        report = to_the_end(command, start, passage)
        passage.requests, passage.faults = len(weather.passed), dict(weather.met)
    check_report(report, items)
    assert_holds(target, items)
    assert look(source, versions) == untouched, "the source was touched"
    return passage


def to_the_end(command: Command, arguments: tuple[str, ...], passage: Passage) -> Any:
    """Migrate, resume as often as it pauses, and return what is reported in the end.

    Args:
        command: the command line.
        arguments: what comes after ``migrate`` at first.
        passage: is told why it paused.
    """
    for _ in range(RESUMES_AT_MOST):
        ran = command.run("storage", "migrate", *arguments, "--json", good=(0, 7))
        if ran.code == 0:
            return ran.json
        passage.pauses.append(explained(ran))
        arguments = ("resume", ran.json["id"])
    raise AssertionError(f"not done after {RESUMES_AT_MOST} resumes: {passage.pauses}")


def explained(ran: Ran) -> str:
    """Return the message of a paused migration, if it is one that helps."""
    assert ran.json["state"] == "paused", ran.out
    assert "persona storage migrate resume" in ran.err, ran.err
    first = next(line for line in ran.err.splitlines() if not line.startswith("Migration: "))  # progress, if it is slow
    assert first.startswith("Error: ") and "\n  → " in ran.err, ran.err
    return first
