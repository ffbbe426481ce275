"""Two libraries are compared by the people in their personas."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from persona.cli.app import run
from persona.personas.compare import adjusted_rand, compare
from persona.personas.generate.provider import Generated
from persona.personas.model import Members, Persona
from persona.personas.publish import publish
from tests.personas.memory import MemoryBackend
from tests.personas.test_cli import storage as storage

RECORD: dict[str, Any] = {"run_version": 1, "options": {"seed": 0, "prefix": ""}}


def personas(examples: Generated, *groups: str, names: str = "abcd") -> list[Persona]:
    """Return personas of the people whose letters each group has."""
    return [
        each.model_copy(
            update={"id": name, "name": name.upper(), "members": [Members(file="s.csv", records=list(group))]}
        )
        for each, name, group in zip(examples.personas, names, groups, strict=False)
    ]


def test_personas_are_matched_by_their_members_and_not_by_their_names(examples: Generated) -> None:
    found = compare(personas(examples, "abcdef", "ghijkl", "mn"), personas(examples, "ghijkm", "abcdefx", "ln"))
    assert [(each.before.id, each.after.id, each.common) for each in found.matches] == [("a", "b", 6), ("b", "a", 5)]
    assert found.matches[0].jaccard == 1  # x is in one library only
    assert (found.people, found.moved) == ((14, 15, 14), 3)
    assert [each.id for each in found.gained] == [each.id for each in found.lost] == ["c"]
    assert found.agreement is not None
    assert 0.5 < found.agreement < 1


def test_statements_are_gained_and_lost_by_what_they_count(examples: Generated) -> None:
    before = personas(examples, "abc")
    section = next(
        name
        for name in ("goals", "pain_points", "behaviours", "motivations", "sets_apart")
        if getattr(before[0], name, None)
    )
    kept = getattr(before[0], section)
    worded = [kept[0].model_copy(update={"text": "In other words"}), *kept[2:]]
    after = [before[0].model_copy(update={section: worded})]
    (match,) = compare(before, after).matches
    assert match.gained == ()
    assert match.lost == tuple(each.text for each in kept[1:2])


def test_nobody_in_common_and_the_very_same(examples: Generated) -> None:
    other = compare(personas(examples, "abc"), personas(examples, "xyz"))
    assert (other.agreement, other.people, other.moved, len(other.gained), len(other.lost)) == (
        None,
        (3, 3, 0),
        0,
        1,
        1,
    )
    same = compare(list(examples.personas), list(examples.personas))
    assert (same.agreement, same.moved, len(same.matches)) == (1.0, 0, 4)
    assert all(match.gained == match.lost == () for match in same.matches)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({(0, 0): 3, (1, 1): 3}, 1.0),
        ({(0, 0): 1}, 1.0),
        (
            {(0, 0): 2, (0, 1): 1, (1, 1): 3},
            0.3243,
        ),  # (4 - 42/15) / (6.5 - 42/15)
        ({(0, 0): 1, (0, 1): 1, (1, 0): 1, (1, 1): 1}, -0.5),
    ],
)
def test_the_adjusted_rand_index(sizes: dict[tuple[int, int], int], expected: float) -> None:
    assert adjusted_rand(sizes) == pytest.approx(expected, abs=1e-4)


def test_diff_of_a_run_with_the_backup_of_the_one_before(
    storage: MemoryBackend, examples: Generated, capsys: pytest.CaptureFixture[str]
) -> None:
    async def write(found: list[Persona], **how: bool) -> str:
        return (await publish(storage, "personas", found, RECORD, **how)).backup

    asyncio.run(write(personas(examples, "abcd", "efgh", "ijkl")))
    backup = asyncio.run(write(personas(examples, "abcd", "efgi", "hjkl"), overwrite=True))
    assert len([path for path in storage.objects if path.startswith(backup)]) == 3  # two personas, and the record
    assert run(["diff", f"{backup}personas", "personas/", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["respondents"] == {"a": 12, "b": 12, "both": 12, "moved": 2}
    assert [(each["a"], each["b"], each["jaccard"]) for each in shown["common"]] == [
        ("a", "a", 1.0),
        ("b", "b", 0.6),
        ("c", "c", 0.6),
    ]
    assert (shown["gained"], shown["lost"]) == ([], [])
    assert run(["diff", "personas", "personas"]) == 0
    out = capsys.readouterr().out
    assert "In both: 12 respondents, of whom 0 moved to another persona" in out
    assert "Agreement: 1.00" in out
    assert run(["diff", "personas", "nowhere"]) == 5
    storage.put("personas/x.yaml", b"a: 1")
    assert run(["diff", "personas", "personas", "--json"]) == 1
