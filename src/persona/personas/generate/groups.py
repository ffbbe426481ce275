"""Which respondents belong together, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from persona.errors import InputError
from persona.personas.generate.by import group_by
from persona.personas.generate.features import blocks
from persona.personas.generate.grouping import Grouping, Standing, Structure
from persona.personas.generate.model.axes import Words, text_axes, words_of
from persona.personas.generate.model.items import Design, Matrix
from persona.personas.generate.model.source import Both, Closed, Source, Spoken
from persona.personas.generate.model.structure import (
    CLEAR,
    EXPLORATORY,
    REPRODUCIBLE,
    Halves,
    Split,
    held_out_gain,
    memberships,
    ranked,
    separation,
)
from persona.personas.generate.words import content_words, stem, word_count
from persona.personas.sources.records import Record
from persona.personas.survey.questions import Use
from persona.personas.survey.survey import Column

MOST_GROUPS = 8
"""More personas than this nobody remembers; ``--count`` may ask for more."""
LEAST_ANSWERED = 0.25
"""A respondent who answered a smaller share of the questions of their file is in no group."""
LEAST_WORDS = 8
"""A respondent with fewer words and too few answers is in no group."""
LEAST_RESPONDENTS = 12
"""Fewer are not grouped."""
LEAST_GROUP = 5
LEAST_SHARE = 0.05
"""The fewest respondents of a group, and the least share of those who are grouped."""
BELONGS = 0.6
"""A respondent whose membership of each group is lower is between groups."""
_DRIVING_ALONE = 3
_DIGITS = 4


def group(
    records: Sequence[Record],
    columns: Sequence[Column],
    texts: Sequence[str],
    count: int | None,
    seed: int,
    by: str = "",
) -> Grouping:
    """Group respondents by what they answer and say.

    Args:
        records: the respondents.
        columns: their closed and open questions.
        texts: all free text of each respondent, "" if there is none.
        count: how many groups; None lets the answers decide.
        seed: of everything that is drawn by chance.
        by: the question whose answers are the groups; "" if there is none.

    Raises:
        InputError: there are not enough respondents who differ, or the question of ``by`` cannot make groups.
    """
    if by:
        return group_by(columns, by)
    driving = _driving(columns)
    people = _people(records, driving, texts)
    if count is not None and count > len(people.usable):
        raise InputError(
            f"There cannot be {count} personas: {len(people.usable)} respondents answered enough to be grouped.",
            hint="Ask for fewer with --count, or leave it out.",
        )
    if not people.usable:
        raise InputError(
            "No respondent answered enough to be grouped.",
            hint="The input needs questions with differing answers, or some sentences of free text.",
        )
    words = _words([texts[i] for i in people.usable]) if people.needs_words else None
    source = _source(driving, people, words)
    found = _Search(source, len(people.driving), seed).groups(count)
    groups = [[people.driving[i] for i in members] for members in found.groups]
    lost = _join(groups, people, text_axes(words)) if words is not None and people.only_spoke else []
    notes = []
    if lost:
        who = "1 interview was" if len(lost) == 1 else f"{len(lost)} interviews were"
        notes.append(f"{who} too unlike the survey to join a group.")
    between = [people.driving[i] for i in found.between]
    left_out = sorted({*range(len(records))} - {i for members in groups for i in members} - {*between})
    ordered = sorted((sorted(members) for members in groups), key=lambda members: (-len(members), members))
    names = [column.question.name for column in driving] if people.surveyed else []
    return Grouping(ordered, left_out, between, found.structure, names, [*notes, *_said(found, len(people.driving))])


def _driving(columns: Sequence[Column]) -> list[Column]:
    """Return the closed questions that make groups; of special categories only those that a codebook lets."""
    return [
        column
        for column in columns
        if column.question.closed
        and column.question.use is Use.DRIVE
        and not (column.question.sensitive and column.question.why)
    ]


@dataclass(frozen=True)
class _People:
    """Who can be grouped, as indices of respondents.

    Args:
        usable: those who answered or said enough.
        driving: those of them whose answers make the groups.
        surveyed: whether closed questions make the groups.
        with_text: whether free text does.
    """

    usable: list[int]
    driving: list[int]
    surveyed: bool
    with_text: bool

    @property
    def only_spoke(self) -> list[int]:
        """Those who join a group by what they say."""
        return sorted(set(self.usable).difference(self.driving))

    @property
    def needs_words(self) -> bool:
        """Whether what people say is needed at all."""
        return self.with_text or bool(self.only_spoke)


def _people(records: Sequence[Record], driving: Sequence[Column], texts: Sequence[str]) -> _People:
    answered = _answered(records, driving)
    spoke = [word_count(text) >= LEAST_WORDS for text in texts]
    usable = [i for i in range(len(records)) if answered[i] >= LEAST_ANSWERED or spoke[i]]
    surveyed = [i for i in usable if answered[i] >= LEAST_ANSWERED]
    if len(surveyed) < max(6, 0.3 * len(usable)) and any(spoke[i] for i in usable):
        return _People(usable, usable, False, True)
    few = len(driving) < _DRIVING_ALONE and sum(spoke[i] for i in surveyed) >= 0.5 * len(surveyed)
    return _People(usable, surveyed, True, few)


def _answered(records: Sequence[Record], driving: Sequence[Column]) -> list[float]:
    """Return the share of the questions of their own file that each respondent answered."""
    asked: dict[str, set[str]] = {}
    names = {column.question.name for column in driving}
    for record in records:
        asked.setdefault(record.file, set()).update(names.intersection(record.fields))
    return [
        len(asked[record.file].intersection(record.fields)) / len(asked[record.file]) if asked[record.file] else 0.0
        for record in records
    ]


def _words(texts: Sequence[str]) -> Words:
    """Return the stems of content words."""
    return words_of([[stem(word) for word in content_words(text)] for text in texts])


def _source(driving: Sequence[Column], people: _People, words: Words | None) -> Source:
    closed = blocks([column.part(people.driving) for column in driving]) if people.surveyed else []
    if words is None or not people.with_text:
        return Closed(closed)
    place = {record: row for row, record in enumerate(people.usable)}
    spoken = words.take(np.array([place[i] for i in people.driving], dtype=np.intp))
    return Both(closed, spoken) if closed else Spoken(spoken)


@dataclass(frozen=True)
class _Found:
    """Groups of the respondents of a source, by their places in it."""

    groups: list[list[int]]
    between: list[int]
    structure: Structure


class _Search:
    """Looks for groups in one source.

    Args:
        source: the answers.
        size: of how many respondents.
        seed: of everything that is drawn by chance.
    """

    def __init__(self, source: Source, size: int, seed: int) -> None:
        self._source = source
        self._size = size
        self._seed = seed
        self._design: Design = source.design()

    def groups(self, count: int | None) -> _Found:
        """Return the groups that the answers hold, or as many as were asked for."""
        different = len(np.unique(self._design.table.round(9), axis=0)) if self._design.table.shape[1] else 1
        if count is not None and count > different:
            raise InputError(
                f"There cannot be {count} personas: there are only {different} different sets of answers.",
                hint="Ask for fewer with --count, or leave it out.",
            )
        if self._size < LEAST_RESPONDENTS:
            return self._asked_for(count, None, {}) if count else self._everybody("exploratory", None, {})
        z = separation(self._source, self._size, self._seed) if different > 1 else 0.0
        most = min(MOST_GROUPS, self._size // LEAST_GROUP, different)
        halves = Halves(self._design, self._seed)
        splits = halves.splits(most) if z >= CLEAR else {}
        if count is not None:
            if z >= CLEAR and count > 1 and count not in splits:
                splits[count] = halves.split(count)
            return self._asked_for(count, z, splits)
        return self._chosen(z, splits)

    def _chosen(self, z: float, splits: dict[int, Split]) -> _Found:
        """Return the best number of groups that are large enough, or everybody as one."""
        order = [number for number in ranked(splits) if splits[number].agreement >= EXPLORATORY]
        while order:
            membership = memberships(self._design, order[0], self._seed)
            if _are_large(membership):
                kind: Standing = _kind(splits[order[0]])
                return self._grouped(membership, kind, z, splits, order[1] if len(order) > 1 else None)
            del order[0]
        return self._everybody("none", z, splits)

    def _asked_for(self, count: int, z: float | None, splits: dict[int, Split]) -> _Found:
        """Return as many groups as were asked for, whether the answers hold them or not."""
        if count == 1:
            return self._everybody("constructed" if splits else "none", z, splits)
        membership = _filled(memberships(self._design, count, self._seed), self._design.table)
        held = count in splits and splits[count].agreement >= EXPLORATORY and _are_large(membership)
        others = [number for number in ranked(splits) if number != count]
        kind: Standing = _kind(splits[count]) if held else "constructed"
        return self._grouped(membership, kind, z, splits, others[0] if others else None)

    def _everybody(self, kind: Standing, z: float | None, splits: dict[int, Split]) -> _Found:
        found = bool(splits)
        return _Found([list(range(self._size))], [], Structure(found, kind, _digits(z), _table(splits)))

    def _grouped(
        self, membership: Matrix, kind: Standing, z: float | None, splits: dict[int, Split], runner_up: int | None
    ) -> _Found:
        number = membership.shape[1]
        labels = membership.argmax(axis=1)
        clear = membership.max(axis=1) >= BELONGS
        for each in range(number):
            if not clear[labels == each].any():
                clear[labels == each] = True
        groups = [np.flatnonzero((labels == each) & clear).tolist() for each in range(number)]
        gain = held_out_gain(self._design, number, self._seed) if self._size >= LEAST_RESPONDENTS else None
        structure = Structure(bool(splits), kind, _digits(z), _table(splits), number, runner_up, _digits(gain))
        return _Found(groups, np.flatnonzero(~clear).tolist(), structure)


def _digits(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _table(splits: dict[int, Split]) -> dict[int, float]:
    return {number: round(split.agreement, _DIGITS) for number, split in splits.items()}


def _kind(split: Split) -> Standing:
    return "reproducible" if split.agreement >= REPRODUCIBLE else "exploratory"


def _are_large(membership: Matrix) -> bool:
    """Say whether each group has enough respondents who clearly belong to it."""
    clear = membership.argmax(axis=1)[membership.max(axis=1) >= BELONGS]
    least = max(LEAST_GROUP, LEAST_SHARE * len(membership))
    return bool(np.bincount(clear, minlength=membership.shape[1]).min() >= least)


def _filled(membership: Matrix, table: Matrix) -> Matrix:
    """Return memberships in which each class is somebody's first: an empty one gets who fits their own the worst."""
    filled = membership.round(9)
    labels: NDArray[np.intp] = filled.argmax(axis=1)
    _, same = np.unique(table.round(9), axis=0, return_inverse=True)
    for each in range(filled.shape[1]):
        if (labels == each).any():
            continue
        kinds = [len(np.unique(same[labels == label])) for label in range(filled.shape[1])]
        movable = np.array([kinds[label] > 1 for label in labels])
        worst = int(np.where(movable, filled.max(axis=1), np.inf).argmin())
        moved = (same == same[worst]) & (labels == labels[worst])
        filled[moved] = 0.0
        filled[moved, each] = 1.0
        labels[moved] = each
    return filled


def _said(found: _Found, size: int) -> list[str]:
    """Return what a researcher should know of the groups."""
    notes = []
    if found.structure.kind == "none":
        why = "the answers have to do with one another no more clearly than shuffled ones may by chance"
        if found.structure.z is not None:
            why += f" (z {found.structure.z:.1f}; {CLEAR:g} is clear)"
        if found.structure.found:
            why = "no number of them comes back in halves of the respondents"
            if max(found.structure.split_half.values()) >= EXPLORATORY:
                why = "of those that come back in halves of the respondents, one has too few people each time"
        notes.append(
            f"No groups found: {why}. One profile describes everybody. --by makes one for each answer to a question."
        )
    if size < LEAST_RESPONDENTS and found.structure.kind == "exploratory":
        notes.append(f"{size} respondents are too few to be grouped. One exploratory profile describes them all.")
    if found.between:
        who = "1 respondent is" if len(found.between) == 1 else f"{len(found.between):,} respondents are"
        notes.append(f"{who} between groups: they belong to none by 60 % or more.")
    return notes


def _join(groups: list[list[int]], people: _People, talk: Matrix) -> list[int]:
    """Add interviews to the group whose free text is most like theirs, in place.

    Return those that are like none.
    """
    place = {record: row for row, record in enumerate(people.usable)}
    centres = [talk[[place[i] for i in members]].mean(axis=0) for members in groups]
    added: list[tuple[int, int]] = []
    lost = []
    for i in people.only_spoke:
        likeness = [_cosine(talk[place[i]], centre) for centre in centres]
        best = int(np.argmax(likeness))
        if likeness[best] > 0:
            added.append((best, i))
        else:
            lost.append(i)
    for best, i in added:
        groups[best].append(i)
    return lost


def _cosine(one: Matrix, other: Matrix) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
