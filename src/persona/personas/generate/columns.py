"""What kind of question a column is, and so how it can be compared between respondents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import mean

from persona.personas.generate import scales
from persona.personas.sources.records import Record

MAX_CHOICES = 40
"""More different answers than this are not a choice."""
MAX_CHOICE = 200
"""A longer answer, in characters, is no choice but words of somebody's own."""
_FEW = 12
_SCALE_STEPS = 11


class Kind(Enum):
    """The kinds of columns; the first four are left out of the comparison."""

    EMPTY = "no answers"
    CONSTANT = "the same answer everywhere"
    IDENTIFIER = "names a person or differs everywhere"
    DATE = "dates"
    NUMBER = "numbers"
    ORDERED = "a scale"
    CHOICE = "a choice"
    MULTIPLE = "several choices"
    TEXT = "words of their own"


LEFT_OUT = (Kind.EMPTY, Kind.CONSTANT, Kind.IDENTIFIER, Kind.DATE)
CLOSED = (Kind.NUMBER, Kind.ORDERED, Kind.CHOICE, Kind.MULTIPLE)


@dataclass(frozen=True)
class Column:
    """One question over all respondents.

    Args:
        name: the question, as the input has it.
        kind: what can be done with its answers.
        answers: one a respondent; None is a gap.
        order: the answers of a scale from low to high; for choices the most frequent first.
        separator: what parts the choices of `Kind.MULTIPLE`.
        demographic: whether it tells who a respondent is rather than what they do or think.
    """

    name: str
    kind: Kind
    answers: tuple[str | None, ...]
    order: tuple[str, ...] = ()
    separator: str | None = None
    demographic: bool = False


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


def columns_of(records: Sequence[Record]) -> list[Column]:
    """Return every question of the records, in the order in which they first appear."""
    names = list(dict.fromkeys(name for record in records for name in record.fields))
    return [_column(name, tuple(record.fields.get(name) for record in records)) for name in names]


def _column(name: str, answers: tuple[str | None, ...]) -> Column:
    given = [answer for answer in answers if answer is not None]
    counts = Counter(given)
    about = is_demographic(name)
    frequent = tuple(sorted(counts, key=lambda answer: (-counts[answer], answer)))
    if kind := _unusable(name, given, counts):
        return Column(name, kind, answers, demographic=about)
    if max(map(len, counts)) > MAX_CHOICE:
        return Column(name, Kind.TEXT, answers)
    if all(scales.number(answer) is not None for answer in counts):
        return _numbers(name, answers, counts, about)
    if order := _scale(counts):
        return Column(name, Kind.ORDERED, answers, order, demographic=about)
    if separator := _separator(counts):
        parts = Counter(part for answer in given for part in split(answer, separator))
        best = tuple(sorted(parts, key=lambda part: (-parts[part], part)))
        return Column(name, Kind.MULTIPLE, answers, best[:MAX_CHOICES], separator, about)
    if _is_choice(given, counts):
        return Column(name, Kind.CHOICE, answers, frequent, demographic=about)
    if mean(len(answer.split()) for answer in given) >= 4:
        return Column(name, Kind.TEXT, answers)
    if about and len(counts) <= len(given) * 0.9:
        return Column(name, Kind.CHOICE, answers, frequent, demographic=True)
    return Column(name, Kind.IDENTIFIER, answers, demographic=about)


def _unusable(name: str, given: list[str], counts: Counter[str]) -> Kind | None:
    """Return why a column cannot be compared, or None if it can."""
    if not given:
        return Kind.EMPTY
    if _PERSONAL.fullmatch(name.strip()):
        return Kind.IDENTIFIER
    if _TIMESTAMP.fullmatch(name.strip()) or sum(bool(_DATE.fullmatch(a)) for a in given) > 0.9 * len(given):
        return Kind.DATE if any(re.search(r"\d{2}", answer) for answer in given) else None
    words = mean(len(answer.split()) for answer in given)
    if len(counts) == len(given) > 1 and words < 1.5 and not any("." in answer for answer in given):
        numbers = [scales.number(answer) for answer in given]
        counting = all(n is not None and n == int(n) for n in numbers)
        if len(given) >= 8 and (counting or None in numbers) and not is_demographic(name):
            return Kind.IDENTIFIER
    if len(counts) == 1 and words < 5:
        return Kind.CONSTANT
    return None


def _numbers(name: str, answers: tuple[str | None, ...], counts: Counter[str], about: bool) -> Column:
    """Return few different numbers as a scale, many as numbers."""
    values = {answer: scales.number(answer) or 0.0 for answer in counts}
    order = tuple(sorted(counts, key=lambda answer: (values[answer], answer)))
    whole = all(value == int(value) for value in values.values())
    kind = Kind.ORDERED if len(set(values.values())) <= _SCALE_STEPS and (whole or len(order) <= 7) else Kind.NUMBER
    return Column(name, kind, answers, order if kind is Kind.ORDERED else (), demographic=about)


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
