"""The offline provider: needs no network and no key; the same input and seed give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from persona import __version__
from persona.errors import InputError
from persona.personas.generate.comparison import wilson
from persona.personas.generate.describe import Describer, Description, Finding
from persona.personas.generate.fit import Fit, Interval
from persona.personas.generate.grouping import Grouping
from persona.personas.generate.groups import group
from persona.personas.generate.names import names, unique_ids
from persona.personas.generate.provider import Generated, Options
from persona.personas.generate.summary import MARKS, summary
from persona.personas.generate.titles import EVERYBODY, NO_GROUPS, Group, common_endings, titles
from persona.personas.generate.voices import Voices
from persona.personas.generate.wording import ungluer
from persona.personas.model import (
    SCHEMA_VERSION,
    Coverage,
    Generation,
    Members,
    Persona,
    Section,
    Statement,
    percent,
    share_of,
)
from persona.personas.sources.records import Record
from persona.personas.survey.questions import Kind, Use
from persona.personas.survey.survey import Column, Survey

TOP = 3
"""Of so many statements the run tells how many respondents fit them all."""


class Offline:
    """Groups respondents by their answers and words, and describes each group by what sets it apart."""

    name = "offline"

    def generate(self, survey: Survey, options: Options) -> Generated:
        """Make personas; see `persona.personas.generate.provider.Provider`."""
        records = survey.respondents
        _bounded(records, options)
        columns = survey.columns()
        speakers = {*survey.speakers, *(record.id for record in records if record.passages)}
        open_fields = [
            c.question.name for c in columns if c.question.kind is Kind.TEXT and c.question.use is not Use.IGNORE
        ]
        voices = Voices(records, open_fields, speakers)
        grouping = group(records, columns, voices.texts(), options.count, options.seed, options.by)
        describer = Describer(survey, voices, grouping, ungluer([column.question.wording for column in columns]))
        made = Run(describer, grouping, options).personas()
        coverage = share_of(sum(map(len, grouping.groups)), len(records))
        notes = [*survey.notes, *_notes(records, columns, grouping), *made.notes]
        return Generated(made.personas, len(records), coverage, notes, grouping, made.fits)


@dataclass
class _Made:
    """The personas of a run.

    Args:
        personas: the largest group first.
        fits: how far respondents fit them.
        notes: what was not kept.
    """

    personas: list[Persona]
    fits: list[Fit]
    notes: list[str]


class Run:
    """Puts together what is said of the groups of one run."""

    def __init__(self, describer: Describer, grouping: Grouping, options: Options) -> None:
        self._describer = describer
        self._grouping = grouping
        self._options = options

    def personas(self) -> _Made:
        """Return the personas of all groups of which anything can be said; a title is chosen knowing the others."""
        described = [self._describer.describe(number) for number in range(len(self._grouping.groups))]
        kept = [(number, each) for number, each in enumerate(described) if each.findings]
        notes = [_unsaid(each) for each in described if not each.findings]
        called = names(len(kept), self._options.seed, self._options.name_prefix)
        titled = self._titles(kept, called)
        personas, fits = [], []
        for (number, each), key, name, title in zip(kept, unique_ids(called), called, titled, strict=True):
            persona = self._persona(number, each, name, title)
            personas.append(persona.model_copy(update={"id": key}))
            fits.append(self._fit(number, each, key))
        return _Made(personas, fits, notes)

    def _titles(self, kept: Sequence[tuple[int, Description]], called: Sequence[str]) -> list[str]:
        mark = MARKS.get(self._grouping.structure.kind, "")
        if self._describer.alone:
            return [
                NO_GROUPS if self._grouping.structure.kind == "none" else f"{EVERYBODY} {mark}".strip() for _ in kept
            ]
        groups = [
            Group(name, each.findings, self._together(each), self._options.by)
            for (_, each), name in zip(kept, called, strict=True)
        ]
        questions = [column.question.wording for column in self._describer.columns.values()]
        return titles(groups, common_endings(questions), mark)

    def _together(self, described: Description) -> Callable[[Finding, Finding], float]:
        members = np.array(described.members, dtype=np.int64)

        def share(one: Finding, other: Finding) -> float:
            holds, answered = self._describer.fits_all([one, other])
            return float(holds[members].sum()) / max(1, int(answered[members].sum()))

        return share

    def _persona(self, number: int, found: Description, name: str, title: str) -> Persona:
        records = self._describer.records
        members = [records[i] for i in found.members]
        everybody = np.ones(len(records), dtype=np.bool_)
        inside = np.zeros(len(records), dtype=np.bool_)
        inside[found.members] = True
        respondents = self._describer.share_of_all(inside, everybody)
        statements = sorted(found.findings, key=lambda each: (not each.claim.field, -each.score))
        kind = self._grouping.structure.kind
        said = [_in_short(each) for each in statements if not each.sensitive]
        return Persona(
            schema_version=SCHEMA_VERSION,
            id="persona",
            name=name,
            title=title,
            summary=summary(name, respondents, said, found.demographics, kind, alone=self._describer.alone),
            respondents=respondents,
            coverage=Coverage(
                statements=1.0,  # a statement without evidence is not made
                members=_covered(found),
                input=share_of(sum(map(len, self._grouping.groups)), len(records)),
            ),
            goals=found.of("goals"),
            pain_points=found.of("pain_points"),
            behaviours=found.of("behaviours"),
            motivations=found.of("motivations"),
            sets_apart=found.of("sets_apart"),
            sections=[Section(heading=key, statements=each) for key, each in found.own_sections().items()],
            themes=found.of("themes"),
            shared=found.of("shared"),
            demographics=found.demographics,
            quotes=found.quotes,
            members=_members(members),
            generation=Generation(
                provider=Offline.name,
                seed=self._options.seed,
                version=__version__,
                structure=kind,
                groups=len(self._grouping.groups),
            ),
        )

    def _fit(self, number: int, found: Description, key: str) -> Fit:
        """Return how many respondents fit the top statements, and how sure each share is."""
        telling = [each for each in found.findings if each.statement.kind != "shared"] or found.findings
        top = sorted(telling, key=lambda each: -each.score)[:TOP]
        tally = self._describer.comparison.tally(self._describer.fits_all(top))
        group, rest = self._describer.comparison.counts(tally, number)
        intervals = []
        for each in found.findings:
            own, others = self._describer.effective(each.verdict, number)
            statement = each.statement
            intervals.append(
                Interval(
                    statement.text,
                    statement.group.share,
                    wilson(statement.group.share, own),
                    statement.rest.share if others else None,
                    wilson(statement.rest.share, others) if others else None,
                )
            )
        return Fit(key, len(top), group, rest, tuple(intervals))


def _in_short(found: Finding) -> Statement:
    """Return a statement for a summary: of a grid only the row, since its question is long and the same each time."""
    return found.statement.model_copy(update={"text": found.wording.short or found.statement.text})


def _unsaid(described: Description) -> str:
    count = len(described.members)
    return f"No persona for a group of {count:,}: no statement about it meets the rules."


def _covered(found: Description) -> float:
    """Return the share of members for whom at least half of the statements hold that they answered."""
    telling = [each for each in found.findings if each.statement.kind != "shared"] or found.findings
    holds = sum((each.verdict[0] & each.verdict[1])[found.members].astype(np.int64) for each in telling)
    answered = sum(each.verdict[1][found.members].astype(np.int64) for each in telling)
    fitting = (np.asarray(answered) > 0) & (2 * np.asarray(holds) >= np.asarray(answered))
    return share_of(int(fitting.sum()), len(found.members))


def _bounded(records: Sequence[Record], options: Options) -> None:
    if not records:
        raise InputError("There are no respondents in the input.")
    if options.count is not None and not 1 <= options.count <= len(records):
        raise InputError(
            f"There cannot be {options.count} personas of {len(records)} respondents.",
            hint="Ask for fewer with --count, or leave it out.",
        )


def _members(records: Sequence[Record]) -> list[Members]:
    return [
        Members(file=file, records=[record.id for record in part])
        for file, part in groupby(records, key=lambda record: record.file)
    ]


def _notes(records: Sequence[Record], columns: Sequence[Column], grouping: Grouping) -> list[str]:
    """Return what a researcher should know about what was left out."""
    notes = list(grouping.notes)
    if grouping.left_out and grouping.structure.kind != "by":
        share = percent(share_of(len(grouping.left_out), len(records)))
        notes.append(
            f"{len(grouping.left_out):,} of {len(records):,} respondents ({share}) are in no group: "
            f"they answered too little to be compared.{_why(records, columns, grouping)}"
        )
    ignored = [column.question for column in columns if column.question.use is Use.IGNORE]
    for why in dict.fromkeys(question.why for question in ignored):
        left = [question.name for question in ignored if question.why == why]
        if left:
            shown = ", ".join(f"“{name}”" for name in left[:5]) + (f" and {len(left) - 5} more" if left[5:] else "")
            notes.append(f"Not compared ({why}): {shown}.")
    return notes


def _why(records: Sequence[Record], columns: Sequence[Column], grouping: Grouping) -> str:
    """Return the answer that most of those left out give and others hardly do, "" if there is none."""
    best = ("", 0.0)
    for column in columns:
        if not column.question.closed or column.question.about:
            continue
        for answer in column.question.categories:
            left = sum(column.answers[i] == answer for i in grouping.left_out)
            everyone = sum(given == answer for given in column.answers)
            share = left / len(grouping.left_out)
            if share > max(0.5, best[1]) and left >= 0.8 * everyone:
                best = (f" Most of them answered “{column.question.name}” with “{answer}” ({percent(share)}).", share)
    return best[0]
