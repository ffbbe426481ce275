"""From a data set to a survey: one rule after the other, each with a note on what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from persona.personas.sources.records import Answer, Dataset, Record, parts
from persona.personas.survey.codebook import Codebook
from persona.personas.survey.decimals import decimal_commas
from persona.personas.survey.demographics import asks_gender, is_demographic
from persona.personas.survey.derived import derived
from persona.personas.survey.draft import Draft, some
from persona.personas.survey.grids import grids
from persona.personas.survey.kinds import MAX_CHOICES, WHY, Guess, guess
from persona.personas.survey.metadata import is_id
from persona.personas.survey.missing import codes, declared
from persona.personas.survey.others import others, settle
from persona.personas.survey.questions import CLOSED, Kind, Question, Use
from persona.personas.survey.sensitive import is_sensitive
from persona.personas.survey.survey import Survey
from persona.personas.survey.tick_boxes import tick_boxes
from persona.personas.survey.weights import weights


def understand(dataset: Dataset, codebook: Codebook | None = None) -> Survey:
    """Return the questions of a data set, and its respondents with their answers as they count.

    Args:
        dataset: what was read.
        codebook: what a researcher says of its questions; it takes the place of what is guessed.

    Raises:
        InputError: the codebook does not fit the data set, or there are too many different questions.
    """
    if codebook is None:
        return _guessed(dataset)
    from persona.personas.survey.apply import applied, identified

    dataset = identified(dataset, codebook)
    return applied(_guessed(dataset), dataset, codebook)


def _software(draft: Draft) -> None:
    """Take out what the survey's software wrote, as its export says."""
    for name in draft.open():
        if draft.hint(name).metadata:
            label, kind = draft.hint(name).label, Kind.ID if is_id(name) else Kind.METADATA
            draft.decided[name] = Question(name, kind, Use.IGNORE, WHY[kind], label)


def _ids(draft: Draft) -> None:
    """Take out the column whose answers are the respondents' ids, though they may be names of several words."""
    for name in draft.open():
        column = draft.columns[name]
        same = sum(answer == record.id for answer, record in zip(column, draft.records, strict=True))
        if is_id(name) and same > 0.5 * len(column):
            draft.decided[name] = Question(name, Kind.ID, Use.IGNORE, WHY[Kind.ID], draft.hint(name).label)


_RULES = (_software, _ids, others, declared, tick_boxes, settle, weights, decimal_commas, codes)
"""What is done before the kinds are guessed, in this order: each takes columns or answers out of the next one's way."""


def _guessed(dataset: Dataset) -> Survey:
    """Return a data set as it is understood by rules alone."""
    draft = Draft(dataset)
    for rule in _RULES:
        rule(draft)
    _guess_kinds(draft)
    grids(draft)
    _find_uses(draft)
    derived(draft)
    _let_something_drive(draft)
    return Survey(
        respondents=_respondents(draft),
        questions=[draft.decided[name] for name in draft.columns],
        weights=draft.weights,
        read=len(dataset.records) + dataset.left_out.total(),
        left_out=dataset.left_out,
        notes=[*dataset.notes, *draft.notes],
        speakers=frozenset(dataset.speakers),
    )


def _guess_kinds(draft: Draft) -> None:
    """Decide on every column that is left, and cut cells that hold several choices."""
    for name in draft.open():
        column = draft.columns[name]
        if any(isinstance(answer, tuple) for answer in column):
            draft.columns[name] = [(answer,) if isinstance(answer, str) else answer for answer in column]
            found = guess(name, draft.hint(name), [";".join(a) + ";" for a in column if isinstance(a, tuple)])
            found = replace(found, kind=Kind.MULTIPLE, why="several choices", lists=None)
            found = replace(found, categories=_most_frequent(draft.columns[name]))
        else:
            found = guess(name, draft.hint(name), [answer for answer in column if isinstance(answer, str)])
        _decide(draft, name, found)


def _most_frequent(column: list[Answer | None]) -> tuple[str, ...]:
    counts = Counter(choice for answer in column if answer is not None for choice in parts(answer))
    return tuple(sorted(counts, key=lambda choice: (-counts[choice], choice)))[:MAX_CHOICES]


def _decide(draft: Draft, name: str, found: Guess) -> None:
    """Take a guess for what a column is."""
    if found.lists is not None:
        cells = draft.counts(name)
        several = {cell: found.lists.split(cell) for cell in cells}
        draft.rewrite(name, {cell: each[0] for cell, each in several.items()} if found.lists.first else several)
    if found.note:
        draft.notes.append(f"“{name}”: {found.note}.")
    draft.decided[name] = Question(
        name,
        found.kind,
        _use(found),
        found.why,
        draft.hint(name).label,
        found.categories,
    )


def _use(found: Guess) -> Use:
    if found.kind not in (*CLOSED, Kind.TEXT):
        return Use.IGNORE
    return Use.DRIVE if found.drives else Use.DESCRIBE


def _find_uses(draft: Draft) -> None:
    """Say who is described rather than grouped: by who they are, and by special categories."""
    sensitive = []
    for name, question in draft.decided.items():
        about = is_demographic(question.of) if question.name not in draft.owner and question.of else _about(question)
        special = question.closed and is_sensitive(question.wording, question.categories)
        special = special or (question.closed and is_sensitive(name, ()))
        use = question.use
        if (about or special) and use is Use.DRIVE:
            use = Use.DESCRIBE
        if special and not about:
            sensitive.append(name)
        draft.decided[name] = replace(
            question,
            use=use,
            about=about,
            sensitive=special,
            missing=draft.missing.get(name, ()),
            of=question.of or draft.owner.get(name, ""),
        )
    if sensitive:
        draft.notes.append(
            f"Of a special category (health, origin, orientation, religion, politics), so that it makes no groups: "
            f"{some(sensitive)}. A codebook with “use: drive” lets it."
        )


def _about(question: Question) -> bool:
    named = is_demographic(question.wording) or is_demographic(question.name)
    return named or asks_gender(question.wording, question.categories)


def _let_something_drive(draft: Draft) -> None:
    """Let who the respondents are make the groups, if nothing else could."""
    if any(record.passages for record in draft.records):
        return
    if any(question.use is Use.DRIVE for question in draft.decided.values()):
        return
    chosen = [q for q in draft.decided.values() if q.use is Use.DESCRIBE and q.closed and not q.sensitive]
    for question in chosen:
        draft.decided[question.name] = replace(
            question, use=Use.DRIVE, why=f"{question.why}; nothing but who they are differs"
        )
    if chosen:
        draft.notes.append(
            "Nothing but who the respondents are differs between them, so that makes the groups: "
            f"{some(question.name for question in chosen)}."
        )


def _respondents(draft: Draft) -> list[Record]:
    """Return the respondents with their answers as they count, in the order of the columns."""
    fields: list[dict[str, Answer]] = [{} for _ in draft.records]
    for name, column in draft.columns.items():
        for place, answer in enumerate(column):
            if answer is not None:
                fields[place][name] = answer
    return [replace(record, fields=each) for record, each in zip(draft.records, fields, strict=True)]
