"""What kind of question each column is, and so how it can be compared between respondents."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from statistics import mean

from persona.personas.sources.records import Answer, Dataset, Hint, Record
from persona.personas.survey import scales
from persona.personas.survey.codebook import Codebook
from persona.personas.survey.questions import CLOSED, Kind, Question, Use
from persona.personas.survey.survey import Survey

MAX_CHOICES = 40
"""More different answers than this are not a choice."""
MAX_CHOICE = 200
"""A longer answer, in characters, is no choice but words of somebody's own."""
_FEW = 12
_SCALE_STEPS = 11


_PERSONAL = re.compile(
    r"(?:(?:your|full|first|last|family|given|user|participant|respondent)[ _-]*)*"
    r"(?:name|e-?mail(?: address)?|phone(?: number)?|telephone|mobile number|ip(?: address)?|address|id|uuid"
    r"|guid)",
    re.IGNORECASE,
)
_TIMESTAMP = re.compile(
    r"(?:time ?stamp|(?:start|end|submit(?:ted)?|created|completed)[ _-]?(?:date|time|at)|date).*", re.I
)
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[T ].*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}(?: .*)?")
_ABOUT = re.compile(
    r"\b(?:age|aged|gender|sex|income|salary|education|degree|location|region|country|county|city|town|postcode|zip"
    r"|occupation|job|role|profession|industry|household|marital|married|ethnic\w*|race|nationality|employment"
    r"|height|weight|children|kids|born|birth|seniority|department|area|lives?|living|educ|tenure|participant|ses|population)\b",
    re.IGNORECASE,
)
_ABOUT_ASKED = re.compile(
    r"\bhow (?:old|tall)\b|\bany (?:children|kids)\b|\bwh(?:ere|o) do you live\b|\bchildren under\b"
    r"|\byour (?:\w+ )?(?:age|gender|sex|income|education|occupation|job|role|profession|location)\b"
    r"|\byour (?:\w+ )?household\b"
    r"|\bwhat (?:do you do|is your job)\b|\bhow many (?:people|children)\b.*\b(?:household|home|live|have)\b",
    re.IGNORECASE,
)


def is_demographic(question: str) -> bool:
    """Say whether a question asks who the respondent is.

    Such is a short heading as “Age”, or “How old are you?”.
    """
    plain = re.sub(r"[_.]+", " ", question)
    return bool(_ABOUT_ASKED.search(plain) or (len(plain.split()) <= 4 and _ABOUT.search(plain)))


def understand(dataset: Dataset, codebook: Codebook | None = None) -> Survey:
    """Return the questions of a data set, and its respondents with their answers as they count.

    Args:
        dataset: what was read.
        codebook: what a researcher says of its questions; it takes the place of what is guessed.

    Raises:
        InputError: the codebook does not fit the data set.
    """
    if codebook is None:
        return _guessed(dataset)
    from persona.personas.survey.apply import applied, identified

    dataset = identified(dataset, codebook)
    return applied(_guessed(dataset), dataset, codebook)


def _guessed(dataset: Dataset) -> Survey:
    """Return a data set as it is understood by rules alone."""
    records = dataset.records
    names = list(dict.fromkeys([*dataset.hints, *(name for record in records for name in record.fields)]))
    questions, separators = [], {}
    for name in names:
        question, separator = _question(name, [str(record.fields[name]) for record in records if name in record.fields])
        questions.append(replace(question, label=dataset.hints.get(name, Hint()).label))
        if separator:
            separators[name] = separator
    respondents = [_separated(record, separators) for record in records] if separators else list(records)
    read = len(records) + dataset.left_out.total()
    speakers = frozenset(dataset.speakers)
    return Survey(respondents, questions, (), read, dataset.left_out, list(dataset.notes), speakers)


def _separated(record: Record, separators: dict[str, str]) -> Record:
    fields: dict[str, Answer] = {
        name: tuple(split(str(answer), separators[name])) if name in separators else answer
        for name, answer in record.fields.items()
    }
    return replace(record, fields=fields)


_WHY = {
    Kind.EMPTY: "no answers",
    Kind.CONSTANT: "the same answer everywhere",
    Kind.ID: "names a person or differs everywhere",
    Kind.DATE: "dates",
    Kind.NUMBER: "numbers",
    Kind.SCALE: "a scale",
    Kind.CHOICE: "a choice",
    Kind.MULTIPLE: "several choices",
    Kind.TEXT: "words of their own",
}


def _question(name: str, given: list[str]) -> tuple[Question, str]:
    """Return a question, and what separates its choices."""
    kind, categories, separator = _kind(name, given)
    about = is_demographic(name)
    use = Use.IGNORE if kind not in (*CLOSED, Kind.TEXT) else Use.DESCRIBE if about else Use.DRIVE
    return Question(name, kind, use, _WHY[kind], categories=categories, about=about), separator


def _kind(name: str, given: list[str]) -> tuple[Kind, tuple[str, ...], str]:
    counts = Counter(given)
    about = is_demographic(name)
    frequent = tuple(sorted(counts, key=lambda answer: (-counts[answer], answer)))
    if kind := _unusable(name, given, counts):
        return kind, (), ""
    if max(map(len, counts)) > MAX_CHOICE:
        return Kind.TEXT, (), ""
    if all(scales.number(answer) is not None for answer in counts):
        return *_numbers(counts), ""
    if order := _scale(counts):
        return Kind.SCALE, order, ""
    if separator := _separator(counts):
        parts = Counter(part for answer in given for part in split(answer, separator))
        best = tuple(sorted(parts, key=lambda part: (-parts[part], part)))
        return Kind.MULTIPLE, best[:MAX_CHOICES], separator
    if _is_choice(given, counts):
        return Kind.CHOICE, frequent, ""
    if mean(len(answer.split()) for answer in given) >= 4:
        return Kind.TEXT, (), ""
    if about and len(counts) <= len(given) * 0.9:
        return Kind.CHOICE, frequent, ""
    return Kind.ID, (), ""


def _unusable(name: str, given: list[str], counts: Counter[str]) -> Kind | None:
    """Return why a column cannot be compared, or None if it can."""
    if not given:
        return Kind.EMPTY
    if _PERSONAL.fullmatch(name.strip()):
        return Kind.ID
    if _TIMESTAMP.fullmatch(name.strip()) or sum(bool(_DATE.fullmatch(a)) for a in given) > 0.9 * len(given):
        return Kind.DATE if any(re.search(r"\d{2}", answer) for answer in given) else None
    words = mean(len(answer.split()) for answer in given)
    if len(counts) == len(given) > 1 and words < 1.5 and not any("." in answer for answer in given):
        numbers = [scales.number(answer) for answer in given]
        counting = all(n is not None and n == int(n) for n in numbers)
        if len(given) >= 8 and (counting or None in numbers) and not is_demographic(name):
            return Kind.ID
    if len(counts) == 1 and words < 5:
        return Kind.CONSTANT
    return None


def _numbers(counts: Counter[str]) -> tuple[Kind, tuple[str, ...]]:
    """Return few different numbers as a scale, many as numbers."""
    values = {answer: scales.number(answer) or 0.0 for answer in counts}
    order = tuple(sorted(counts, key=lambda answer: (values[answer], answer)))
    whole = all(value == int(value) for value in values.values())
    scale = len(set(values.values())) <= _SCALE_STEPS and (whole or len(order) <= 7)
    return (Kind.SCALE, order) if scale else (Kind.NUMBER, ())


def _scale(counts: Counter[str]) -> tuple[str, ...]:
    """Return the answers from low to high if they are of one family.

    One that is not, such as “Other”, is passed over.
    """
    places = {answer: {place.family: place.rank for place in scales.level(answer)} for answer in counts}
    families = sorted({family for found in places.values() for family in found})
    if not families:
        return ()
    best = max(families, key=lambda family: sum(family in found for found in places.values()))
    order = sorted((a for a in counts if best in places[a]), key=lambda a: (places[a][best], a))
    ranks = {places[answer][best] for answer in order}
    covered = sum(counts[answer] for answer in order) / counts.total()
    enough = len(order) >= max(2, len(counts) - 1) and covered >= 0.85
    return tuple(order) if enough and len(ranks) >= 2 and len(order) <= MAX_CHOICES else ()


def split(answer: str, separator: str) -> list[str]:
    """Return the single choices in a cell that holds several."""
    return [part.strip() for part in answer.split(separator) if part.strip()]


def _separator(counts: Counter[str]) -> str:
    """Return what parts several choices in one cell, or "" if the cells hold one each.

    The parts must come back in other cells, and be fewer than the combinations: prose is no choice.
    """
    for separator in (";", "|", ","):
        listing = sum(count for answer, count in counts.items() if separator in answer)
        parts = Counter(part for answer in counts for part in split(answer, separator))
        short = all(len(part) <= 60 for part in parts)
        again = parts.total() / len(parts) if parts else 0.0
        if listing >= 0.2 * counts.total() and short and again >= 1.8 and 2 <= len(parts) < len(counts):
            return separator
    return ""


def _is_choice(given: list[str], counts: Counter[str]) -> bool:
    """Say whether answers repeat enough to be choices, the rare ones aside."""
    repeated = sum(count for count in counts.values() if count > 1)
    few = len(counts) <= max(2, min(_FEW, len(given) * 0.6))
    return few or (len(counts) <= MAX_CHOICES and repeated >= 0.8 * len(given))
