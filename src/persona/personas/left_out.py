"""Takes out of an input what respondents say of others who were erased: evidence would quote it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from persona.personas.content.mentions import mentions, words
from persona.personas.sources.records import Dataset, Passage, Record, parts
from persona.personas.subjects import in_form

Among = Callable[[Iterable[str]], set[str]]
"""Returns those of some ids that were erased."""


def leave_out_mentions(dataset: Dataset, among: Among) -> None:
    """Take answers and turns that name an erased respondent out of an input, whole, and note how many.

    Args:
        dataset: the input, which is changed.
        among: says who was erased.
    """
    count, files = 0, set[str]()
    for number, record in enumerate(dataset.records):
        named = among(_candidates(record))
        if not named:
            continue
        dataset.records[number] = kept = _without(record, named)
        count += _count(record) - _count(kept)
        if any(mentions(_spaced(record.file), each) for each in named):
            files.add(record.file)
    if count:
        what = "answer names" if count == 1 else "answers name"
        dataset.notes.append(f"Left out: {count:,} {what} a respondent who was erased.")
    if files:
        what = "file's name has" if len(files) == 1 else "files' names have"
        dataset.notes.append(f"{len(files):,} {what} the id of an erased respondent, as will evidence. Rename first.")


def _candidates(record: Record) -> set[str]:
    """Return what in a record may be the id of somebody else."""
    texts = [*record.fields, *(text for each in record.fields.values() for text in parts(each)), _spaced(record.file)]
    texts += [text for each in record.passages for text in _texts(each)]
    return {in_form(each) for text in texts for each in words(text) if _may_be_id(each)}


def _may_be_id(phrase: str) -> bool:
    """Say whether words may be an id: several are a name, or have a number."""
    several = phrase.split()
    return len(several) == 1 or any(c.isdigit() for c in phrase) or not any(each[0].islower() for each in several)


def _without(record: Record, named: set[str]) -> Record:
    def clean(*texts: str) -> bool:
        return not any(mentions(text, each) for text in texts for each in named)

    return replace(
        record,
        fields={name: value for name, value in record.fields.items() if clean(name, *parts(value))},
        passages=tuple(each for each in record.passages if clean(*_texts(each))),
    )


def _texts(said: Passage) -> tuple[str, ...]:
    return said.field, said.text, _spaced(said.file), *said.topics


def _count(record: Record) -> int:
    return len(record.fields) + len(record.passages)


def _spaced(path: str) -> str:
    return path.replace("_", " ").replace("/", " ")
