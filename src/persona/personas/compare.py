"""What two libraries have in common: their personas are matched by the people in them, not by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb

from persona.errors import InputError, NotFoundError
from persona.personas import document, runs
from persona.personas.bounded import read_bounded
from persona.personas.library import Library
from persona.personas.model import Persona
from persona.storage.backend import StorageBackend
from persona.storage.paths import join

SAME = 0.5
"""Above this share of common members two personas are one.

C. Hennig, “Cluster-wise assessment of cluster stability”, Computational Statistics & Data Analysis 52 (2007): at a
Jaccard coefficient of 0.5 or less a cluster is dissolved. Above it a persona has one match at most.
"""

Person = tuple[str, str]
"""A file and the respondent's id in it."""


@dataclass(frozen=True)
class Match:
    """A persona that both libraries have.

    Args:
        before: in the first library.
        after: in the second.
        common: how many people are in both.
        jaccard: common people, of all who are in either and in both libraries.
        gained: statements that only the second has.
        lost: statements that only the first has.
    """

    before: Persona
    after: Persona
    common: int
    jaccard: float
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What two libraries have in common.

    Args:
        people: how many are in the first, in the second, and in both.
        moved: how many of those in both are in the second library not in the match of their persona.
        agreement: the adjusted Rand index over those in both; None if nobody is.
        matches: the personas in common, the largest first.
        gained: personas that only the second has.
        lost: personas that only the first has.
    """

    people: tuple[int, int, int]
    moved: int
    agreement: float | None
    matches: Sequence[Match] = field(default_factory=list)
    gained: Sequence[Persona] = field(default_factory=list)
    lost: Sequence[Persona] = field(default_factory=list)


def compare(before: Sequence[Persona], after: Sequence[Persona]) -> Comparison:
    """Compare the personas of two libraries."""
    first, second = _groups(before), _groups(after)
    both = first.keys() & second.keys()
    sizes = Counter((first[person], second[person]) for person in both)
    ours, theirs = (Counter(groups[person] for person in both) for groups in (first, second))
    matches = []
    for (one, other), common in sizes.items():
        jaccard = common / (ours[one] + theirs[other] - common)
        if jaccard > SAME:
            matches.append(_match(before[one], after[other], common, jaccard))
    matches.sort(key=lambda match: (-match.common, match.before.id))
    found = {match.before.id: match.after.id for match in matches}
    moved = sum(count for (one, other), count in sizes.items() if found.get(before[one].id) != after[other].id)
    kept = {id(persona) for match in matches for persona in (match.before, match.after)}
    return Comparison(
        (len(first), len(second), len(both)),
        moved,
        adjusted_rand(sizes) if both else None,
        matches,
        [persona for persona in after if id(persona) not in kept],
        [persona for persona in before if id(persona) not in kept],
    )


def _groups(personas: Sequence[Persona]) -> dict[Person, int]:
    """Return the place of the persona that each person is in; the first, if a library holds several runs."""
    groups: dict[Person, int] = {}
    for place, persona in enumerate(personas):
        for part in persona.members:
            for record in part.records:
                groups.setdefault((part.file, record), place)
    return groups


def _match(before: Persona, after: Persona, common: int, jaccard: float) -> Match:
    old, new = _statements(before), _statements(after)
    gained = tuple(text for key, text in new.items() if key not in old)
    lost = tuple(text for key, text in old.items() if key not in new)
    return Match(before, after, common, jaccard, gained, lost)


def _statements(persona: Persona) -> dict[str, str]:
    """Return the statements of a persona by what they count: another wording or count is no other statement."""
    return {statement.basis.model_dump_json(): statement.text for statement in persona.statements()}


def adjusted_rand(sizes: Mapping[tuple[int, int], int]) -> float:
    """Return the adjusted Rand index of two groupings (L. Hubert and P. Arabie, Journal of Classification 2, 1985).

    Args:
        sizes: how many are in each group of the one and each of the other.
    """
    rows, columns = Counter[int](), Counter[int]()
    for (one, other), count in sizes.items():
        rows[one] += count
        columns[other] += count
    total = comb(sum(sizes.values()), 2)
    pairs = sum(comb(count, 2) for count in sizes.values())
    ours, theirs = (sum(comb(count, 2) for count in counts.values()) for counts in (rows, columns))
    expected = ours * theirs / total if total else 0.0
    most = (ours + theirs) / 2
    return (pairs - expected) / (most - expected) if most != expected else 1.0


async def completed(storage: StorageBackend, folder: str, library: Library, other: Library) -> list[Persona]:
    """Return the personas of a library; of a backup, also those that the run after it left as they were.

    A backup holds what was replaced by other content. Its record names all files of its run, and the other library has
    the rest unchanged.

    Args:
        storage: where the library is.
        folder: its path.
        library: what was read there.
        other: the library that it is compared with.
    """
    personas = [persona for _, persona in library.personas]
    try:
        data = await read_bounded(storage, join(folder, runs.RUN_FILE), document.MAX_BYTES)
        written = runs.read_written(runs.RUN_FILE, data or b"")
    except (NotFoundError, InputError):
        return personas
    known = {persona.id for persona in personas}
    missing = {name.removesuffix(".yaml"): value for name, value in written.files.items()}
    for _, persona in other.personas:
        wanted = missing.get(persona.id)
        if persona.id not in known and wanted and runs.digest(document.write(persona)) == wanted:
            personas.append(persona)
    return personas
