"""Columns that name a person, count rows, or hold what the software wrote: none of them is a question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean

from persona.personas.sources.records import ID_HEADING
from persona.personas.survey import scales

_PERSONAL = re.compile(
    r"(?:(?:your|full|first|last|family|given|middle|user|participant|respondent|recipient|contact|enter"
    r"|please)[ _-]*)*"
    r"(?:names?|e-?mail(?: ?address)?|phone(?: ?number)?|telephone|mobile(?: number)?|ip(?:[ _-]?address)?|address"
    r"|id|uuid|guid|initials|signature|username|user name|nickname|linkedin(?: profile)?|twitter(?: handle)?"
    r"|website|url"
    r"|(?:first|last|sur)name|vorname|nachname|e-?mail-?adresse|telefon(?:nummer)?|anschrift|straße|nom|prénom|adresse"
    r"|nombre(?: completo)?|apellidos?|correo(?: electrónico)?|teléfono|cognome|indirizzo|naam|voornaam|achternaam"
    r"|nome(?: completo)?|sobrenome|telefone|氏名|お名前|名前|メールアドレス|電話番号|住所)",
    re.IGNORECASE,
)
_SOFTWARE = re.compile(
    r"(?:response |survey |total )?(?:duration|time taken|time spent|total time|interview ?(?:time|length))(?:[ _(].*)?"
    r"|longitude|latitude|location(?:latitude|longitude)|gps.*|user[ _-]?agent|browser.*|device(?: ?(?:type"
    r"|id))?|referr?er.*"
    r"|session[ _-]?id|captcha.*|recaptcha.*|unnamed: \d+|.*\b(?:page submit|first click|last click|click count)",
    re.IGNORECASE,
)
_TIMESTAMP = re.compile(
    r"(?:time ?stamp|(?:start|end|submit(?:ted)?|submission|created|completed|completion|recorded|modified"
    r"|last modified)"
    r"[ _-]?(?:date|time|at|on)|date|zeitstempel|datum|horodateur|marca temporal|carimbo de data.*|informazioni"
    r" cronologiche|tijdstempel|タイムスタンプ)(?:[ _(].*)?",
    re.IGNORECASE,
)
_MONTH = r"(?:jan|feb|m[aä]r|apr|ma[iyj]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*\.?"
_CLOCK = r"(?:[ T,].*)?"
_DATE = re.compile(
    rf"\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}{_CLOCK}|\d{{1,2}}[-/.]\d{{1,2}}[-/.](?:\d{{4}}|\d{{2}}){_CLOCK}"
    rf"|\d{{1,2}}\.? {_MONTH},? \d{{2,4}}{_CLOCK}|{_MONTH} \d{{1,2}},? \d{{4}}{_CLOCK}"
    rf"|\d{{4}}年\d{{1,2}}月\d{{1,2}}日.*"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]m)?",
    re.IGNORECASE,
)
_LEAST_ROWS = 8


_ROW_NAMES = re.compile(
    r"row ?names?|obs(?:ervation)?(?: ?n\w*)?|index|seq(?:n|uence)?|x|idno|case|nr|_n", re.IGNORECASE
)
_FEW = 3


def names_people(name: str, counts: Counter[str]) -> bool:
    """Say whether answers name people: the heading asks for that, and they are more than “yes” and “no”."""
    return is_personal(name) and (len(counts) > _FEW or counts.total() <= _FEW or any("@" in each for each in counts))


def is_personal(name: str) -> bool:
    """Say whether a heading asks for what names a person."""
    return _PERSONAL.fullmatch(name.strip()) is not None


def is_id(name: str) -> bool:
    """Say whether a heading is one of what numbers or names a respondent."""
    return is_personal(name) or ID_HEADING.fullmatch(name.strip()) is not None


def is_software(name: str) -> bool:
    """Say whether a heading is one of what the survey's software writes itself."""
    return _SOFTWARE.fullmatch(name.strip()) is not None


def are_dates(name: str, counts: Counter[str]) -> bool:
    """Say whether answers are dates or times: by their form, or by a heading such as “Timestamp” over numbers."""
    dates = sum(count for answer, count in counts.items() if _DATE.fullmatch(answer))
    if dates > 0.9 * counts.total():
        return True
    stamped = _TIMESTAMP.fullmatch(name.strip()) is not None
    numbers = sum(count for answer, count in counts.items() if (scales.number(answer) or 0) > 10_000)
    return stamped and dates + numbers > 0.5 * counts.total()


def are_ids(name: str, given: Sequence[str], counts: Counter[str], *, about: bool) -> bool:
    """Say whether answers number or name respondents: each is another, and they are no measurement.

    Args:
        name: the heading.
        given: all answers, in the order of the rows.
        counts: how often each is given.
        about: whether the heading asks who the respondent is.
    """
    if len(counts) < len(given) or len(given) < _LEAST_ROWS or about:
        return False
    if mean(len(answer.split()) for answer in given) >= 1.5 or any("." in answer for answer in given):
        return False
    numbers = [scales.number(answer) for answer in given]
    values = [value for value in numbers if value is not None]
    if len(values) < len(numbers):
        return len(values) < 0.5 * len(numbers)
    if any(value != int(value) for value in values):
        return False
    steps = [later - earlier for earlier, later in pairwise(values)]
    counting = min(steps) > 0 and sum(step == 1 for step in steps) >= 0.5 * len(steps)
    named = ID_HEADING.fullmatch(name.strip()) or _ROW_NAMES.fullmatch(name.strip())
    return counting or min(values) >= 10**6 or named is not None
