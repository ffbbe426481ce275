"""The offline provider: needs no network and no key; the same input and seed give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from persona import __version__
from persona.errors import InputError
from persona.personas.evidence import covered_by
from persona.personas.generate.candidates import candidates
from persona.personas.generate.describe import MOST_STATEMENTS, Candidate, Describer
from persona.personas.generate.grouping import Grouping
from persona.personas.generate.groups import group
from persona.personas.generate.names import names, unique_ids
from persona.personas.generate.provider import Generated, Options
from persona.personas.generate.titles import common_endings, summary, titles
from persona.personas.generate.voices import Voices
from persona.personas.generate.wording import Wording, ungluer
from persona.personas.model import (
    SCHEMA_VERSION,
    SECTIONS,
    Coverage,
    Evidence,
    Generation,
    Members,
    Persona,
    Statement,
    counted,
    percent,
    share_of,
)
from persona.personas.sources.records import Record
from persona.personas.survey.questions import Kind, Use
from persona.personas.survey.survey import Column, Survey


class Offline:
    """Groups respondents by their answers and words, and describes each group by what sets it apart."""

    name = "offline"

    def generate(self, survey: Survey, options: Options) -> Generated:
        """Make personas; see `persona.personas.generate.provider.Provider`."""
        records = survey.respondents
        _bounded(records, options)
        columns = survey.columns()
        voices = Voices(records, [column.question.name for column in columns if column.question.kind is Kind.TEXT])
        grouping = group(records, columns, voices.texts(), options.count, options.seed, options.by)
        describer = Describer(
            records,
            columns,
            candidates(columns),
            voices,
            ungluer([column.question.name for column in columns]),
        )
        personas = _personas(describer, grouping, options)
        coverage = share_of(sum(map(len, grouping.groups)), len(records))
        notes = [*survey.notes, *_notes(records, columns, grouping)]
        return Generated(personas, len(records), coverage, notes, grouping)


def _bounded(records: Sequence[Record], options: Options) -> None:
    if not records:
        raise InputError("There are no respondents in the input.")
    if options.count is not None and not 1 <= options.count <= len(records):
        raise InputError(
            f"There cannot be {options.count} personas of {len(records)} respondents.",
            hint="Ask for fewer with --count, or leave it out.",
        )


@dataclass(frozen=True)
class _Description:
    """What is said about one group."""

    members: list[int]
    sections: dict[str, list[Candidate]]
    about: list[Statement]
    quotes: list[Evidence]
    theme: str

    def of(self, section: str) -> list[Statement]:
        """Return the statements of a section."""
        return [candidate.statement for candidate in self.sections[section]]

    @property
    def chosen(self) -> list[Candidate]:
        """All statements, the most telling first, answers before words."""
        found = [candidate for section in self.sections.values() for candidate in section]
        return sorted(found, key=lambda c: (bool(c.statement.basis.mentions), not c.statement.distinct, -c.score))

    @property
    def for_title(self) -> list[Candidate]:
        """What a title may be made of: the answers, and if there are none and no theme, who they are."""
        answers = [c for c in self.chosen if not c.statement.basis.mentions]
        if answers or self.theme:
            return answers
        return [Candidate(statement, "", 0.0, Wording(statement.text)) for statement in self.about]


class _Titled(NamedTuple):
    """How a persona is called."""

    id: str
    name: str
    title: str


def _personas(describer: Describer, grouping: Grouping, options: Options) -> list[Persona]:
    """Return the personas of all groups; a title is chosen knowing the others."""
    found = [_described(describer, members) for members in grouping.groups]
    called = names(len(found), options.seed, options.name_prefix)
    titled = titles(
        [each.for_title for each in found],
        [each.theme for each in found],
        common_endings(list(describer.columns)),
    )
    covered = share_of(sum(map(len, grouping.groups)), len(describer.records))
    made = Generation(provider=Offline.name, seed=options.seed, version=__version__)
    return [
        _persona(describer.records, each, _Titled(key, name, title), covered, made)
        for each, key, name, title in zip(found, unique_ids(called), called, titled, strict=True)
    ]


def _described(describer: Describer, members: list[int]) -> _Description:
    spoken, quotes = describer.spoken(members)
    closed = [c for c in describer.closed(members) if not c.demographic]
    sections = {section: _section(section, closed, spoken) for section in SECTIONS}
    return _Description(members, sections, describer.demographics(members), quotes, describer.theme(members))


def _persona(
    records: Sequence[Record], found: _Description, titled: _Titled, covered: float, made: Generation
) -> Persona:
    members = [records[i] for i in found.members]
    respondents = counted(len(members), len(records))
    return Persona(
        schema_version=SCHEMA_VERSION,
        id=titled.id,
        name=titled.name,
        title=titled.title,
        summary=summary(titled.name, respondents, found.chosen, found.about),
        respondents=respondents,
        coverage=Coverage(
            statements=1.0 if found.chosen else 0.0,  # a statement without evidence is not made
            members=covered_by([c.statement.basis for c in found.chosen], members),
            input=covered,
        ),
        demographics=found.about,
        goals=found.of("goals"),
        pain_points=found.of("pain_points"),
        behaviours=found.of("behaviours"),
        motivations=found.of("motivations"),
        quotes=found.quotes,
        members=_members(members),
        generation=made,
    )


def _section(section: str, telling: Sequence[Candidate], spoken: Sequence[Candidate]) -> list[Candidate]:
    """Return the statements of a section.

    They are what sets the group apart or, if there is nothing, what most of it says.
    """
    closed = [c for c in telling if c.section == section]
    distinct = [c for c in closed if c.statement.distinct][:MOST_STATEMENTS]
    said = [c for c in spoken if c.section == section]
    return [*distinct, *said] or closed[:2]


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
