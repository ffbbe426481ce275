"""How good the groups are, by tables whose groups are known and by real studies: a table with gates, ``make quality``.

Each gate is a promise of docs/model.md. Fails with exit code 1 if one is not kept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from persona.personas.generate import groups as grouping_module
from persona.personas.generate.features import blocks
from persona.personas.generate.grouping import Grouping
from persona.personas.generate.groups import group
from persona.personas.generate.model.structure import adjusted_rand
from persona.personas.generate.voices import Voices
from persona.personas.sources.read import read_files
from persona.personas.survey.questions import Kind
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand
from tests.campaigns import planted
from tests.campaigns.foresight import gains
from tests.campaigns.studies import STUDIES, study

Labels = NDArray[np.intp]
NOISE = 0.002
"""What the gain in log-likelihood per answer varies by with the answers that are held out."""
PEOPLE = ("bfi", "msq", "epi.bfi", "Kakadu", "survey", "Fair", "Mroz", "Somerville", "Star", "OFP")
"""The studies of people, out of which answers are held."""


@dataclass(frozen=True)
class Row:
    """One line of the table: what was tried, what came of it, and whether that is enough."""

    name: str
    value: str
    gate: str
    kept: bool


def read(content: bytes) -> Survey:
    """Return a table as the product understands it."""
    return understand(read_files([("table.csv", content)]))


def grouped(survey: Survey, rows: NDArray[np.intp] | None = None) -> Grouping:
    """Return the groups that the product makes, of some respondents or all."""
    records = survey.respondents if rows is None else [survey.respondents[i] for i in rows]
    part = Survey(records, survey.questions)
    columns = part.columns()
    voices = Voices(records, [column.question.name for column in columns if column.question.kind is Kind.TEXT])
    return group(records, columns, voices.texts(), None, 0)


def labels(grouping: Grouping, size: int) -> Labels:
    """Return the number of each respondent's group; those in none are a group of their own."""
    found = np.full(size, len(grouping.groups), dtype=np.intp)
    for number, members in enumerate(grouping.groups):
        found[members] = number
    return found


def nothing(tables: int) -> list[Row]:
    """Independent answers make one profile."""
    kinds = [grouped(read(planted.nothing(seed))) for seed in range(tables)]
    kept = sum(len(each.groups) == 1 and each.structure.kind == "none" for each in kinds)
    most = max(each.structure.z or 0.0 for each in kinds)
    return [
        Row(f"{tables} tables of nothing: one profile", f"{kept} (z at most {most:.1f})", str(tables), kept == tables)
    ]


def known(name: str, draw: Callable[[int], planted.Planted], draws: int, least: float, absolute: bool) -> list[Row]:
    """Planted groups are found, with the product's own number of them."""
    ratios, numbers = [], []
    for seed in range(draws):
        drawn = draw(seed)
        grouping = grouped(read(drawn.content))
        best = 1.0 if absolute else adjusted_rand(drawn.ideal, drawn.truth)
        ratios.append(adjusted_rand(labels(grouping, len(drawn.truth)), drawn.truth) / best)
        numbers.append(len(grouping.groups))
    what = "ARI" if absolute else "ARI, of what the drawing model would assign"
    value = f"{np.mean(ratios):.3f} (least {min(ratios):.3f}; groups {' '.join(map(str, numbers))})"
    return [Row(f"{name}: {what}", value, f"{least}", bool(np.mean(ratios) >= least))]


def resampled(names: list[str], times: int) -> list[Row]:
    """Groups of 80 % of a real study are those of all, or are marked as exploratory or none."""
    rows = []
    for name in names:
        survey = read(study(name))
        everybody = grouped(survey)
        size = len(survey.respondents)
        kind = everybody.structure.kind
        found = []
        for each in range(times if kind == "reproducible" else 0):
            sample = np.sort(np.random.default_rng([each, 5]).permutation(size)[: int(0.8 * size)])
            part = grouped(survey, sample)
            one, other = labels(everybody, size)[sample], labels(part, len(sample))
            both = (one < len(everybody.groups)) & (other < len(part.groups))
            found.append(adjusted_rand(one[both], other[both]))
        split = everybody.structure.split_half.get(everybody.structure.number)
        value = f"{len(everybody.groups)} {kind}" + (f", split half {split:.2f}" if split else "")
        value += f", ARI {np.mean(found):.2f}" if found else ""
        rows.append(Row(f"80 % of {name}", value, "0.7 or marked", not found or bool(np.mean(found) >= 0.7)))
    return rows


def held_out(names: list[str]) -> list[Row]:
    """Held-out answers are predicted at least as well as by a plain latent class model of as many classes."""
    rows, won = [], 0
    for name in names:
        survey = read(study(name, 1500))
        number = max(2, len(grouped(survey).groups))
        driving = grouping_module._driving(survey.columns())
        ours, plain = gains(blocks(driving), number)
        won += ours >= plain - NOISE
        rows.append(Row(f"held out of {name}, {number} classes", f"{ours:+.4f}, plain {plain:+.4f}", "", True))
    enough = won >= 0.9 * len(names)
    return [
        *rows,
        Row(f"held-out gain at least a plain model's, within {NOISE}", f"{won} of {len(names)}", "9 of 10", enough),
    ]


def everything(full: bool) -> list[Row]:
    """Return the table, in full or in the short form of the test suite."""
    names = list(STUDIES)
    rows = nothing(20 if full else 3)
    draws = 10 if full else 1
    rows += known("planted classes", planted.classes, draws, 0.92, False)
    rows += known("agreement with yes-saying", planted.agreement, draws, 0.92, False)
    rows += known("sentences of four sources", planted.sentences, draws, 0.9, True)
    rows += resampled(names if full else ["survey"], 5 if full else 1)
    return [*rows, *held_out(list(PEOPLE) if full else ["survey"])]


def main() -> int:
    """Print the table."""
    start = time.process_time()
    rows = everything(full=True)
    width = max(len(row.name) for row in rows)
    for row in rows:
        sys.stdout.write(f"{'ok  ' if row.kept else 'FAIL'}  {row.name:{width}}  {row.value}  [{row.gate or '-'}]\n")
    sys.stdout.write(f"{time.process_time() - start:.0f} s of CPU\n")
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
