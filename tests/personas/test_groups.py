from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from persona.errors import InputError
from persona.personas.generate.grouping import Grouping
from persona.personas.generate.groups import group
from persona.personas.generate.model.axes import leading_directions, text_axes, tf_idf, words_of
from persona.personas.generate.voices import Voices
from persona.personas.sources.read import read_files
from persona.personas.survey.questions import Kind
from persona.personas.survey.understand import understand
from tests.campaigns import planted
from tests.personas.conftest import ROOT


def grouped(content: bytes | Sequence[Sequence[object]], count: int | None = None, by: str = "") -> Grouping:
    """Return the groups of a table, which is a file or its rows with the heading."""
    if not isinstance(content, bytes):
        stream = io.StringIO(newline="")
        csv.writer(stream).writerows(content)
        content = stream.getvalue().encode()
    survey = understand(read_files([("table.csv", content)]))
    columns = survey.columns()
    voices = Voices(survey.respondents, [c.question.name for c in columns if c.question.kind is Kind.TEXT])
    return group(survey.respondents, columns, voices.texts(), count, 0, by)


def test_a_number_that_the_answers_hold_is_what_it_is_and_another_is_constructed() -> None:
    content = planted.classes(0).content
    held = grouped(content, 4)
    assert (held.structure.kind, held.structure.found) == ("reproducible", True)
    assert held.groups == grouped(content).groups
    other = grouped(content, 7)
    assert (other.structure.kind, len(other.groups)) == ("constructed", 7)
    everybody = grouped(content, 1)
    assert (everybody.structure.kind, len(everybody.groups[0])) == ("constructed", 200)


def test_answers_without_groups_are_one_profile_and_count_constructs_some() -> None:
    content = planted.nothing(3)
    none = grouped(content)
    assert (none.structure.kind, none.structure.found, len(none.groups)) == ("none", False, 1)
    assert none.structure.z is not None and none.structure.z < 5
    assert any(note.startswith("No groups found: ") for note in none.notes)
    asked = grouped(content, 3)
    assert (asked.structure.kind, len(asked.groups)) == ("constructed", 3)


def test_who_is_between_groups_is_in_none() -> None:
    heading = ["id", *(f"Statement {n}" for n in range(10))]
    rows = [[f"R{n}", *("Yes" if n % 2 else "No" for _ in range(10))] for n in range(40)]
    rows += [[f"M{n}", *(["Yes", "No"] * 5 if n % 2 else ["No", "Yes"] * 5)] for n in range(2)]
    found = grouped([heading, *rows])
    assert [len(members) for members in found.groups] == [20, 20]
    assert found.between == [40, 41]
    assert "2 respondents are between groups: they belong to none by 60 % or more." in found.notes
    assert found.left_out == []


def test_few_people_are_not_grouped() -> None:
    heading = ["id", *(f"Statement {n}" for n in range(10))]
    rows = [[f"R{n}", *("Yes" if n % 2 else "No" for _ in range(10))] for n in range(11)]
    found = grouped([heading, *rows])
    assert (len(found.groups), found.structure.kind) == (1, "exploratory")
    assert any(note.startswith("11 respondents are too few") for note in found.notes)


def test_each_group_has_five_people_and_five_in_a_hundred() -> None:
    heading = ["id", *(f"Statement {n}" for n in range(10))]
    rows = [[f"R{n}", *("Yes" if n % 2 else "No" for _ in range(10))] for n in range(60)]
    rows += [[f"S{n}", *["Perhaps"] * 10] for n in range(4)]
    assert min(map(len, grouped([heading, *rows]).groups)) >= 5


def test_who_people_are_makes_groups_only_if_nothing_else_does() -> None:
    old = [["60", "Retired", "Female"], ["25", "Student", "Male"]]
    heading = ["id", "Age", "Occupation", "Gender"]
    about = [[f"R{n}", *old[n % 2]] for n in range(40)]
    alone = grouped([heading, *about])
    assert len(alone.groups) == 2
    assert alone.driving == heading[1:]
    random = np.random.default_rng(1)
    opinions = [[*row, *("AB"[each] for each in random.integers(0, 2, 6))] for row in about]
    beside = grouped([[*heading, *(f"Do you like {n}?" for n in "uvwxyz")], *opinions])
    assert (len(beside.groups), beside.structure.kind) == (1, "none")
    assert "Age" not in beside.driving


def test_text_beside_answers_describes() -> None:
    random = np.random.default_rng(2)
    topics = (["garden", "rain", "rose", "bee", "soil", "hedge"], ["boat", "sail", "harbour", "storm", "reef", "tide"])
    said = [f"I spoke of the {' and the '.join(random.permutation(topics[n % 2])[:5])}." for n in range(60)]
    heading = ["id", *(f"Do you like {n}?" for n in "uvwxyz"), "Anything else?"]
    rows = [[f"R{n}", *("AB"[each] for each in random.integers(0, 2, 6)), said[n]] for n in range(60)]
    assert grouped([heading, *rows]).structure.kind == "none"
    one_question = [[row[0], row[1], row[-1]] for row in [heading, *rows]]  # too little: what they say makes groups too
    groups = grouped(one_question).groups
    assert len(groups) > 1
    assert all(len({n % 2 for n in members}) == 1 for members in groups)


def test_a_question_that_the_researcher_names_makes_the_groups() -> None:
    roles = ["Admin"] * 8 + ["User"] * 12 + ["Owner"] * 3 + [""] * 2
    rows = [[f"R{n}", role, "Yes" if n % 3 else "No"] for n, role in enumerate(roles)]
    found = grouped([["id", "Role", "Do you like it?"], *rows], by="Role")
    assert found.groups == [list(range(8, 20)), list(range(8))]
    assert found.left_out == [20, 21, 22, 23, 24]
    assert (found.structure.kind, found.driving) == ("by", ["Role"])
    assert "Answers to “Role” of fewer than 5 respondents are no group: “Owner” (3)." in found.notes
    assert "2 respondents did not answer “Role” and are in no group." in found.notes
    with pytest.raises(InputError, match="no question “Rolle”") as error:
        grouped([["id", "Role", "Do you like it?"], *rows], by="Rolle")
    assert error.value.hint == "Did you mean “Role”?"


def test_axes_are_the_leading_singular_vectors_of_tf_idf() -> None:
    texts = [text.split() for text in ("a b c b", "a b d", "c d e e", "e f a", "f g", "g g c", "", "b b f d")]
    table = tf_idf(words_of(texts))
    dense = np.zeros(table.shape)
    dense[table.rows, table.columns] = table.values
    assert (dense**2).sum(axis=1).round(9).tolist() == [1, 1, 1, 1, 1, 1, 0, 1]
    found = leading_directions(table, 3)
    _, values, right = np.linalg.svd(dense)
    assert np.abs(right[:3] @ found).round(9).tolist() == np.eye(3).tolist()
    assert np.linalg.norm(dense @ found, axis=0) == pytest.approx(values[:3])
    space = text_axes(words_of(texts))
    assert space.shape == (8, 12) and not space[6].any()
    assert np.abs(space.sum(axis=0)).max() < 1e-9


BYTES = """
import hashlib, numpy as np
from tests.campaigns import planted
from tests.personas.test_groups import grouped
made = planted.classes(1, 3, 60), planted.agreement(1, 3, 60), planted.sentences(1, 60)
found = [grouped(each.content) for each in made]
print(hashlib.sha256(repr([(f.groups, f.between, f.structure) for f in found]).encode()).hexdigest())
"""


def test_the_processor_changes_nothing() -> None:
    """OpenBLAS adds up in another order for another processor (as it does with more threads, which takes longer)."""
    found = set()
    for core in ("Haswell", "Prescott"):
        env = os.environ | {"OPENBLAS_CORETYPE": core}
        env["PYTHONPATH"] = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
        run = subprocess.run([sys.executable, "-c", BYTES], env=env, capture_output=True, text=True, check=True)
        found.add(run.stdout)
    assert len(found) == 1
