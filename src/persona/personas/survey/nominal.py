"""Numbers that are codes of something and no quantities: postcodes, occupations, regions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from persona.personas.survey import scales

_CODED = re.compile(
    r"(?:.*[^a-z])?(?:zip|zip ?code|post(?:al)? ?codes?|postcode|plz|postleitzahl|code postal|código postal|cep|cap"
    r"|fips|isco|isco-?\d*|isco08|soc ?code|naics|nace|isic|icd|msa|puma|geo ?id|iso ?\d*|onet|o\*net|lsoa|msoa|nuts\d?"
    r"|occupation ?(?:code)?|occ(?:\d{2,4})?|industry code|area code|country code|state code|region code|sic"
    r"|stratum|strata|psu|sampling unit|wave|edition|郵便番号)(?:[^a-z].*)?",
    re.IGNORECASE,
)
_CATEGORIES = re.compile(
    r"(?:.*[^a-z])?(?:region|country|state|province|district|county|city|gender|sex|race|ethnic\w*|religion|relig|marital"
    r"|mar|party|partyid|vote|group|grp|type|cohort|school|site|center|centre|ward|village|nation(?:ality)?|language|occupation"
    r"|profession|job|status|cluster|segment|treatment|treat|arm|block|batch|version|form|id|condition|brand|model|colou?r|source|channel|category|class(?:ification)?"
    r"|team|department|dept|bundesland|land|geschlecht|familienstand|partei|beruf)(?:[^a-z].*)?",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"\b(?:size|numbers?|counts?|n|how|many|score|rate|percent\w*|rank|times|years?|days|hours)\b", re.I
)
_MOST_WORDS = 4
_LEADING_ZERO = re.compile(r"0\d{2,}")


def is_code(name: str) -> bool:
    """Say whether a heading is one of codes, such as “ZIP code”, “isco08” or “stratum”."""
    return _CODED.fullmatch(_plain(name)) is not None


def _plain(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_.]", " ", name).strip()


def is_nominal(name: str, answers: Iterable[str]) -> bool:
    """Say whether numbers are codes: by the heading, or since they are all of one length and some begin with 0.

    Args:
        name: the heading.
        answers: the different answers, all of them numbers.
    """
    every = list(answers)
    plain = _plain(name)
    if is_code(name):
        return True
    if len({len(answer) for answer in every}) == 1 and any(map(_LEADING_ZERO.fullmatch, every)):
        return True
    if len(plain.split()) > _MOST_WORDS or _AMOUNT.search(plain):
        return False
    values = [scales.number(answer) for answer in every]
    whole = all(value is not None and value == int(value) and value >= 0 for value in values)
    return bool(_CATEGORIES.fullmatch(plain)) and whole and (len(every) <= 12 or min(map(len, every)) >= 3)
