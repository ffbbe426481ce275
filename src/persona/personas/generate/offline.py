"""The offline provider: needs no network and no key; the same input and seed give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from persona import __version__
from persona.errors import InputError
from persona.personas.evidence import covered_by
from persona.personas.generate.candidates import candidates
from persona.personas.generate.columns import CLOSED, LEFT_OUT, Column, Kind, columns_of
from persona.personas.generate.describe import MOST_STATEMENTS, Candidate, Describer
from persona.personas.generate.groups import Grouping, group
from persona.personas.generate.names import names, unique_ids
from persona.personas.generate.provider import Generated, Options
from persona.personas.generate.titles import common_endings, summary, titles
from persona.personas.generate.voices import Voices
from persona.personas.generate.wording import ungluer
from persona.personas.model import (
    SCHEMA_VERSION,
    SECTIONS,
    Coverage,
    Evidence,
    Generation,
    Members,
    Persona,
    counted,
    percent,
    share_of,
)
from persona.personas.sources.records import Dataset, Record

MAX_RECORDS = 200_000
"""The most respondents that are grouped at once."""


class Offline:
    """Groups respondents by their answers and words, and describes each group by what sets it apart."""

    name = "offline"

    def generate(self, dataset: Dataset, options: Options) -> Generated:
        """Make personas; see `persona.personas.generate.provider.Provider`."""
        records = dataset.records
        _bounded(records, options)
        columns = columns_of(records)
        voices = Voices(records, [column.name for column in columns if column.kind is Kind.TEXT])
        grouping = group(records, columns, voices.texts(), options.count, options.seed)
        separators = {column.name: column.separator for column in columns if column.separator}
        describer = Describer(
            records,
            columns,
            candidates(columns, separators),
            voices,
            ungluer([column.name for column in columns]),
        )
        personas = _personas(describer, grouping, options)
        coverage = share_of(len(records) - len(grouping.left_out), len(records))
        return Generated(
            personas, len(records), coverage, [*dataset.notes, *_notes(records, columns, grouping)]
        )


def _bounded(records: Sequence[Record], options: Options) -> None:
    if not records:
        raise InputError("There are no respondents in the input.")
    if len(records) > MAX_RECORDS:
        raise InputError(f"The input has {len(records):,} respondents, and {MAX_RECORDS:,} is the limit.")
    if options.count is not None and not 1 <= options.count <= len(records):
        raise InputError(
            f"There cannot be {options.count} personas of {len(records)} respondents.",
            hint="Ask for fewer with --count, or leave it out.",
        )


def _personas(describer: Describer, grouping: Grouping, options: Options) -> list[Persona]:
    """Return the personas of all groups; a title is chosen knowing the others."""
    found = []
    for members in grouping.groups:
        spoken, quotes = describer.spoken(members)
        found.append((members, describer.closed(members), spoken, quotes))
    called = names(len(found), options.seed, options.name_prefix)
    themes = [describer.theme(members) for members in grouping.groups]
    telling = [
        [c for c in closed if not c.demographic] or ([] if theme else closed)
        for (_, closed, _, _), theme in zip(found, themes, strict=True)
    ]
    titled = titles(telling, themes, common_endings(list(describer.columns)))
    return [
        _persona(describer, grouping, options, *parts, name=name, title=title, key=key)
        for parts, name, title, key in zip(found, called, titled, unique_ids(called), strict=True)
    ]


def _persona(
    describer: Describer,
    grouping: Grouping,
    options: Options,
    members: Sequence[int],
    closed: Sequence[Candidate],
    spoken: Sequence[Candidate],
    quotes: Sequence[Evidence],
    *,
    name: str,
    title: str,
    key: str,
) -> Persona:
    records = describer.records
    respondents = counted(len(members), len(records))
    telling = [c for c in closed if not c.demographic]
    about = describer.demographics(members)
    sections = {section: _section(section, telling, spoken) for section in SECTIONS}
    chosen = [c for found in sections.values() for c in found]
    bases = [c.statement.basis for c in chosen]
    return Persona(
        schema_version=SCHEMA_VERSION,
        id=key,
        name=name,
        title=title,
        summary=summary(name, respondents, [c for c in [*telling, *spoken] if c in chosen], about),
        respondents=respondents,
        coverage=Coverage(
            statements=1.0 if chosen else 0.0,
            members=covered_by(bases, [records[i] for i in members]),
            input=share_of(len(records) - len(grouping.left_out), len(records)),
        ),
        demographics=about,
        **{section: [c.statement for c in found] for section, found in sections.items()},
        quotes=list(quotes),
        members=_members([records[i] for i in members]),
        generation=Generation(provider=Offline.name, seed=options.seed, version=__version__),
    )


def _section(section: str, telling: Sequence[Candidate], spoken: Sequence[Candidate]) -> list[Candidate]:
    """Return the statements of a section: what sets the group apart, and if there is nothing, what most of it says."""
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
    if grouping.left_out:
        share = percent(share_of(len(grouping.left_out), len(records)))
        notes.append(
            f"{len(grouping.left_out):,} of {len(records):,} respondents ({share}) are in no group: "
            f"they answered too little to be compared.{_why(records, columns, grouping)}"
        )
    for kind in LEFT_OUT:
        left = [column.name for column in columns if column.kind is kind]
        if left:
            shown = ", ".join(f"“{name}”" for name in left[:5]) + (
                f" and {len(left) - 5} more" if left[5:] else ""
            )
            notes.append(f"Not compared ({kind.value}): {shown}.")
    return notes


def _why(records: Sequence[Record], columns: Sequence[Column], grouping: Grouping) -> str:
    """Return the answer that most of those left out have in common, if they have one that others hardly give."""
    best = ("", 0.0)
    for column in columns:
        if column.kind not in CLOSED or column.demographic:
            continue
        for answer in column.order:
            left = sum(column.answers[i] == answer for i in grouping.left_out)
            everyone = sum(given == answer for given in column.answers)
            share = left / len(grouping.left_out)
            if share > max(0.5, best[1]) and left >= 0.8 * everyone:
                best = (f" Most of them answered “{column.name}” with “{answer}” ({percent(share)}).", share)
    return best[0]
