"""A codebook is applied to a survey: what it states of a question takes the place of what was guessed.

Categories and gaps are worked out again from the answers as the input has them. What a codebook states as it was
guessed changes nothing, so that one that ``persona inspect`` wrote gives the same personas as none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from persona.personas.sources.limits import MAX_ID
from persona.personas.sources.records import ID_HEADING, Answer, Dataset, Record, parts
from persona.personas.survey import scales
from persona.personas.survey.codebook import ABOUT, Codebook, Entry, Problem, near, quoted, wrong
from persona.personas.survey.questions import CLOSED, Kind, Question, Use
from persona.personas.survey.survey import Survey

WHY = "as the codebook says"
_SEPARATORS = (";", "|", "\n", ",")
_MOST_SHOWN = 5

Answers = list[Answer | None]


@dataclass
class _Applied:
    """A question as a codebook has it, with its answers."""

    question: Question
    answers: Answers
    notes: list[str]


def identified(dataset: Dataset, codebook: Codebook) -> Dataset:
    """Return a data set whose respondents have the ids of the question that a codebook says holds them.

    Raises:
        InputError: an id is missing, too long, or stands twice in one file.
    """
    records, notes, files = list(dataset.records), list(dataset.notes), dict[str, str]()
    for entry in (each for each in codebook.entries if each.id):
        name = entry.question
        asked = {record.file for record in records if name in record.fields}
        if reason := _no_ids(records, name, asked, files):
            problem = (entry.line("id"), f"id of {quoted(name)}: found {reason}")
            raise wrong(codebook.file, [*codebook.problems, problem])
        files |= dict.fromkeys(asked, name)
        records = [replace(each, id=str(each.fields[name])) if each.file in asked else each for each in records]
        if asked and not ID_HEADING.fullmatch(name.strip()):
            notes.append(
                f"The ids of respondents come from “{name}”. “persona storage erase” does not know this heading as "
                "that of ids: before you store the input, rename the column to “id”."
            )
    return replace(dataset, records=records, notes=notes)


def _no_ids(records: Sequence[Record], name: str, files: Collection[str], taken: Mapping[str, str]) -> str:
    """Return why the answers to a question cannot be the ids in some files; "" if they can."""
    if both := sorted(set(files) & set(taken)):
        return f"true, as for {quoted(taken[both[0]])} in {both[0]}, allowed once a file"
    asked = [record for record in records if record.file in files]
    if without := sum(name not in record.fields for record in asked):
        return f"{without:,} respondents without an answer, allowed an answer of each"
    keys = Counter((record.file, str(record.fields[name])) for record in asked)
    if twice := [key for (_, key), count in keys.items() if count > 1]:
        return f"{quoted(twice[0])} more than once, allowed a different answer of each"
    longest = max((len(key) for _, key in keys), default=0)
    return f"an answer of {longest} characters, allowed {MAX_ID} at most" if longest > MAX_ID else ""


def applied(survey: Survey, dataset: Dataset, codebook: Codebook) -> Survey:
    """Return a survey as a codebook has it.

    Args:
        survey: as it was understood.
        dataset: what was read.
        codebook: what a researcher says of it.

    Raises:
        InputError: lists all that is wrong with the codebook, by line.
    """
    problems: list[Problem] = _unmatched(survey, codebook)
    raw = {record.key: record.fields for record in dataset.records}
    changed: dict[str, _Applied] = {}
    questions = {question.name: question for question in survey.questions}
    for entry in codebook.entries:
        if question := questions.get(entry.question):
            before = list(survey.answers(question))
            read = [raw.get(record.key, {}).get(question.name) for record in survey.respondents]
            after = _stated(entry, question, before, read, problems)
            if after.question != question or after.answers != before:
                changed[question.name] = after
    weights = _weights(codebook, survey, changed, problems)
    codebook.require(problems)
    if not changed:
        return survey
    return replace(
        survey,
        respondents=_with_answers(survey.respondents, changed),
        questions=[changed[name].question if name in changed else questions[name] for name in questions],
        weights=weights,
        notes=[*survey.notes, *_notes(questions, changed)],
    )


def _unmatched(survey: Survey, codebook: Codebook) -> list[Problem]:
    """Return the questions of a codebook that the input does not have."""
    names = [question.name for question in survey.questions]
    columns = {column: question.name for question in survey.questions for column in question.columns}
    found: list[Problem] = []
    for entry in codebook.entries:
        if entry.question in names:
            continue
        if entry.question in columns:
            allowed = f"allowed the question itself, {quoted(columns[entry.question])}"
            found.append((entry.line(), f"question: found {quoted(entry.question)}, a column of a question, {allowed}"))
        else:
            text = f"question: found {quoted(entry.question)}, allowed a question of the input"
            found.append((entry.line(), text + near(entry.question, names)))
    for entry in [each for each in codebook.entries if each.weight or each.kind is Kind.WEIGHT][1:]:
        found.append((entry.line("weight", "kind"), f"weight of {quoted(entry.question)}: found a second, allowed one"))
    return found


def _stated(
    entry: Entry, question: Question, before: Answers, read: Sequence[Answer | None], problems: list[Problem]
) -> _Applied:
    """Return a question with its answers as a codebook states it.

    Args:
        entry: what is stated.
        question: as it was understood.
        before: the answers to it as they were understood.
        read: the answers as the input has them.
        problems: takes what cannot be done.
    """
    answers, missing = before, question.missing
    if entry.missing is not None and set(entry.missing) != set(missing):
        restored = [given if answer is None else answer for answer, given in zip(before, read, strict=True)]
        answers, missing = [_without(answer, entry.missing) for answer in restored], entry.missing
    label = question.label if entry.label is None else entry.label
    made = _Applied(replace(question, label=label, kind=_kind_of(entry, question), missing=missing), answers, [])
    stated = entry.order or entry.options or question.categories
    if made.question.kind is not question.kind or answers != before or stated != question.categories:
        _recount(entry, made, read, problems)
    made.question = _placed(entry, made.question, question, problems)
    if made.question != question or made.answers != before:
        made.question = replace(made.question, why=WHY)
    return made


def _kind_of(entry: Entry, question: Question) -> Kind:
    """Return the kind that a codebook states, or that follows from what it states."""
    implied = {"weight": Kind.WEIGHT, "id": Kind.ID, "order": Kind.SCALE}
    return entry.kind or next((kind for key, kind in implied.items() if getattr(entry, key)), question.kind)


def _placed(entry: Entry, question: Question, guessed: Question, problems: list[Problem]) -> Question:
    """Return a question with its use and its section: as they are stated, else as they follow from its kind."""
    usable = (*CLOSED, Kind.TEXT)
    use, about, section = guessed.use, guessed.about, guessed.section
    if entry.section is not None:
        about, section = (True, "") if entry.section == ABOUT else (False, entry.section)
    if question.kind not in usable:
        use = Use.IGNORE
    elif guessed.kind not in usable:
        use = Use.DESCRIBE if about else Use.DRIVE
    use = entry.use or use
    if use is not Use.IGNORE and question.kind not in usable:
        found = f"use of {quoted(entry.question)}: found {use.value} with kind {question.kind.value}"
        kinds = ", ".join(kind.value for kind in Kind if kind in usable)
        problems.append((entry.line("use", "kind"), f"{found}, allowed ignore, or one of the kinds {kinds}"))
    drives = entry.use is Use.DRIVE and guessed.use is not Use.DRIVE  # then a special category may: somebody says so
    return replace(question, use=use, about=about, section=section, sensitive=guessed.sensitive and not drives)


def _recount(entry: Entry, made: _Applied, read: Sequence[Answer | None], problems: list[Problem]) -> None:
    """Work out the categories of a question again, and its answers where its kind has others."""
    question = made.question
    split = any(isinstance(answer, tuple) for answer in made.answers)
    if split and question.columns[1:] and question.kind is not Kind.MULTIPLE:
        allowed = f"allowed multiple: its {len(question.columns)} columns hold an option each"
        found = f"kind of {quoted(question.name)}: found {question.kind.value}"
        problems.append((entry.line("kind"), f"{found}, {allowed}"))
        return
    if split:
        whole = [
            given if isinstance(answer, tuple) else answer for answer, given in zip(made.answers, read, strict=True)
        ]
        made.answers = made.answers if question.columns[1:] else whole
    if question.kind is Kind.MULTIPLE:
        listed = _listed(made.answers, entry.options or ())
        made.answers = [_without(answer, question.missing) for answer in listed]
    counts = Counter(part for answer in made.answers if answer is not None for part in parts(answer))
    if question.kind is Kind.SCALE:
        categories = entry.order or _order(question, counts)
        if not categories:
            missing = f"order of {quoted(question.name)}: found nothing, allowed its answers from low to high"
            problems.append((entry.line("kind"), f"{missing}: {_some(sorted(counts))}"))
    elif question.kind in (Kind.CHOICE, Kind.MULTIPLE):
        categories = entry.options or tuple(sorted(counts, key=lambda answer: (-counts[answer], answer)))
    else:
        categories = ()
    made.question = replace(question, categories=categories)
    _check_answers(entry, made, counts, problems)


def _order(question: Question, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the answers of a scale from low to high, if the codebook does not say how: () if it has to."""
    values = {answer: scales.number(answer) for answer in counts}
    if None not in values.values():
        return tuple(sorted(counts, key=lambda answer: (values[answer] or 0.0, answer)))
    return question.categories if set(question.categories) >= set(counts) else ()


def _check_answers(entry: Entry, made: _Applied, counts: Mapping[str, int], problems: list[Problem]) -> None:
    """Note the answers that a stated kind does not count; a word that nobody answered and that is like one is wrong."""
    question = made.question
    key = "order" if question.kind is Kind.SCALE else "options"
    if question.kind is Kind.NUMBER:
        uncounted = {answer: count for answer, count in counts.items() if scales.number(answer) is None}
        made.answers = [None if answer in uncounted else answer for answer in made.answers]
    elif question.categories:
        uncounted = {answer: count for answer, count in counts.items() if answer not in question.categories}
    else:
        return
    for stated in getattr(entry, key) or ():
        if stated not in counts and (meant := near(stated, [answer for answer in uncounted if answer != stated])):
            text = f"{key} of {quoted(question.name)}: found {quoted(stated)}, which nobody answered{meant}"
            problems.append((entry.line(key), text))
    if uncounted:
        many = sum(uncounted.values())
        what = "are no numbers, and are gaps" if question.kind is Kind.NUMBER else f"are not among its {key}"
        made.notes.append(
            f"{many:,} answer{'' if many == 1 else 's'} to “{question.name}” {what}: {_some(sorted(uncounted))}."
        )


def _without(answer: Answer | None, missing: Sequence[str]) -> Answer | None:
    """Return an answer without what stands for none; several choices that all do are a gap."""
    if not isinstance(answer, tuple):
        return None if answer in missing else answer
    rest = tuple(part for part in answer if part not in missing)
    return rest if rest or not answer else None


def _listed(answers: Answers, options: Sequence[str]) -> Answers:
    """Return answers as the choices that each cell holds."""
    cells = [answer for answer in answers if isinstance(answer, str)]
    separator = max(_SEPARATORS, key=lambda each: sum(each in cell for cell in cells)) if cells else ";"
    return [_choices(answer, options, separator) if isinstance(answer, str) else answer for answer in answers]


def _choices(cell: str, options: Sequence[str], separator: str) -> tuple[str, ...]:
    """Return the choices of one cell; an option that holds the separator itself is one choice."""
    found, rest = [], cell.strip()
    while rest:
        begun = (option for option in options if re.match(rf"{re.escape(option)}\s*(?:$|{re.escape(separator)})", rest))
        choice = max(begun, key=len, default="") or rest.partition(separator)[0]
        rest = rest[len(choice) :].lstrip().removeprefix(separator).lstrip()
        found += [choice.strip()] if choice.strip() else []
    return tuple(found)


def _weights(
    codebook: Codebook, survey: Survey, changed: Mapping[str, _Applied], problems: list[Problem]
) -> tuple[float, ...]:
    """Return the survey weights: of the question that is said to hold them, else as they were understood."""
    name = next((name for name, made in changed.items() if made.question.kind is Kind.WEIGHT), None)
    if name is None:
        was = [question.name for question in survey.questions if question.kind is Kind.WEIGHT]
        return () if any(each in changed for each in was) else survey.weights
    entry = next(entry for entry in codebook.entries if entry.question == name)
    values = [None if answer is None else scales.number(str(answer)) for answer in changed[name].answers]
    bad = [answer for answer, value in zip(changed[name].answers, values, strict=True) if value is None or value < 0]
    if bad or not sum(value or 0.0 for value in values):
        found = f"found {quoted(str(bad[0]))}" if bad and bad[0] is not None else "found no answer"
        text = f"weight of {quoted(name)}: {found}, allowed a number of 0 or more for each respondent"
        problems.append((entry.line("weight", "kind"), text))
    return tuple(value or 0.0 for value in values)


def _with_answers(respondents: Sequence[Record], changed: Mapping[str, _Applied]) -> list[Record]:
    """Return respondents with the answers to the questions that a codebook changes."""
    found = []
    for place, respondent in enumerate(respondents):
        fields = dict(respondent.fields)
        for name, made in changed.items():
            answer = made.answers[place]
            if answer is None:
                fields.pop(name, None)
            else:
                fields[name] = answer
        found.append(replace(respondent, fields=fields))
    return found


def _notes(questions: Mapping[str, Question], changed: Mapping[str, _Applied]) -> list[str]:
    """Return what a codebook has changed."""
    aspects = ("label", "kind", "categories", "missing", "use", "section", "about")
    words = {"categories": "answers", "about": "section", "missing": "missing answers"}
    said = []
    for name, made in changed.items():
        differs = [each for each in aspects if getattr(made.question, each) != getattr(questions[name], each)]
        what = ", ".join(dict.fromkeys(words.get(each, each) for each in differs)) or "answers"
        said.append(f"“{name}” ({what})")
    return [f"Changed by the codebook: {_some(said)}.", *(note for made in changed.values() for note in made.notes)]


def _some(names: Sequence[str]) -> str:
    """Return the first of many names, and how many more there are."""
    more = f" and {len(names) - _MOST_SHOWN:,} more" if names[_MOST_SHOWN:] else ""
    return ", ".join(names[:_MOST_SHOWN]) + more
