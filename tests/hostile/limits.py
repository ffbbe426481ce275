"""Input at every limit at once: whole runs of ``persona generate``, and what they take."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

from persona.personas.sources.limits import MAX_CELLS, MAX_COLUMNS, MAX_FILES, MAX_RECORDS, MAX_TOTAL_BYTES
from tests.campaigns.cost import Cost, cost

ANSWERS = ("Yes", "No", "Rarely", "Often")
WORDS = ("bus", "late", "dear", "cold", "warm", "train", "never", "app", "bill")


def respondents(folder: Path) -> Path:
    """Make a table with the most respondents, and as many cells as there may be."""
    return _table(folder / "respondents.csv", MAX_RECORDS - 1, MAX_CELLS // MAX_RECORDS - 1)


def columns(folder: Path) -> Path:
    """Make a table with the most columns."""
    return _table(folder / "columns.csv", MAX_CELLS // MAX_COLUMNS - 1, MAX_COLUMNS - 1)


def interviews(folder: Path) -> Path:
    """Make the most files, each an interview, of nearly as many bytes as there may be."""
    draw = random.Random(1)
    place = folder / "interviews"
    place.mkdir()
    most = MAX_TOTAL_BYTES // MAX_FILES - 200
    for number in range(MAX_FILES - 1):
        lines = ["Interviewer: Why?"]
        while sum(map(len, lines)) + len(lines) < most:
            lines.append(f"P{number}: {' '.join(draw.choices(WORDS, k=8))}.\nInterviewer: And?")
        (place / f"{number}.txt").write_text("\n".join(lines))
    return place


def _table(file: Path, rows: int, width: int) -> Path:
    draw = random.Random(1)
    with file.open("w") as out:
        out.write(",".join(["Respondent", *(f"Question {number}?" for number in range(width))]) + "\n")
        for number in range(rows):
            out.write(",".join([f"R{number}", *draw.choices(ANSWERS, k=width)]) + "\n")
    return file


FULL: dict[str, Callable[[Path], Path]] = {
    "respondents": respondents,
    "columns": columns,
    "interviews": interviews,
}


def generate_at_the_limit(kind: str, folder: Path) -> Cost:
    """Make such an input, and return what it takes to make personas of it."""
    folder.mkdir(parents=True)
    made = FULL[kind](folder)
    environment = os.environ | {"PERSONA_HOME": str(folder / "home")}
    return cost([sys.executable, "-m", "persona", "generate", str(made)], environment=environment, cwd=folder)
