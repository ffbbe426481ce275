"""Where an answer stands on a scale: agreement, frequency, degree, ranges of numbers, counts in words.

A scale is a family of answers that have an order. Two answers are compared only within one family.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from persona.personas.survey.scale_translations import TRANSLATED

_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?|[-+]?\.\d+")
_FEET = re.compile(r"(\d)\s*'\s*(?:(\d{1,2})\s*(?:\"|''|”)?)?")
_COUNTS = ["never", "once", "twice", "three times", "four times", "five times", "six times"]


@dataclass(frozen=True, slots=True)
class Level:
    """A place on a scale.

    Args:
        family: the name of the scale.
        rank: the place; higher is more.
        side: -1, 0 or 1: no, neither, yes; what answers of one side have in common can be said at once.
    """

    family: str
    rank: float
    side: int = 0


_BAD = (
    r"(?:dissatisfied|unhappy|unlikely|difficult|hard|bad|poor|negative(?:ly)?|unimportant|unfavou?rabl[ey]|uncomfortable"
    r"|unsafe|unhelpful|unfair|uninterested|unconcerned|unfamiliar|unclear|dissatisfactory|unacceptable|ineffective)"
)
_GOOD = (
    r"(?:satisfied|happy|likely|easy|positive(?:ly)?|important|favou?rabl[ey]|comfortable|safe|helpful|fair|interested"
    r"|concerned|familiar|clear|satisfactory|acceptable|effective)"
)
_RULES: list[tuple[str, str, float, int]] = [
    # family, pattern over the lower-case answer, rank, side
    ("agreement", r"(?:strongly|completely|totally) disagree", -3, -1),
    ("agreement", r"(?:somewhat|slightly|tend to|rather) disagree", -1, -1),
    ("agreement", r"disagree(?: (?:somewhat|slightly))?", -2, -1),
    ("agreement", r"neither agree (?:n?or|and) disagree(?: \(neutral\))?|neither", 0, 0),
    ("agreement", r"neutral|undecided|unsure|not sure", 0, 0),
    ("agreement", r"(?:somewhat|slightly|tend to|rather) agree", 1, 1),
    ("agreement", r"agree(?: (?:somewhat|slightly))?", 2, 1),
    ("agreement", r"(?:strongly|completely|totally) agree|agree (?:strongly|completely)", 3, 1),
    ("agreement", r"disagree (?:strongly|completely)", -3, -1),
    ("frequency", r"never(?: or .*)?|not at all", 0, -1),
    ("frequency", r"(?:almost never|hardly ever|very rarely|rarely|seldom)(?: .*)?", 1, -1),
    (
        "frequency",
        r"(?:once a year or less|(?:once|a few times|several times) (?:a|per) year|yearly)",
        1.5,
        -1,
    ),
    ("frequency", r"(?:once in a while|occasionally|now and then|from time to time)", 2, 0),
    ("frequency", r"sometimes(?: .*)?|about half the time|half the time", 3, 0),
    ("frequency", r"(?:once a month(?: or less)?|monthly|once or twice a month)", 2.5, 0),
    ("frequency", r"(?:a few|two or three|several|\d(?:-| to )\d) times (?:a|per) month", 3.5, 0),
    ("frequency", r"(?:often|frequently|usually|regularly|most of the time|mostly|very often)(?: .*)?", 4, 1),
    ("frequency", r"(?:once a week(?: or .*)?|weekly|once or twice a week)", 3.8, 0),
    ("frequency", r"(?:a few|two or three|several|\d(?:-| to )\d) times (?:a|per) week", 4.5, 1),
    ("frequency", r"(?:almost always|nearly always|most days|almost every day)", 5, 1),
    (
        "frequency",
        r"(?:always|every time|all the time|every day|daily|several times a day|every night|nightly)",
        6,
        1,
    ),
    (
        "satisfaction",
        rf"(?:very|extremely|completely) {_BAD}",
        -3,
        -1,
    ),
    (
        "satisfaction",
        rf"(?:somewhat|rather|quite|fairly)? ?{_BAD}",
        -2,
        -1,
    ),
    ("satisfaction", r"neutral|neither .* nor .*|no opinion either way", 0, 0),
    ("satisfaction", rf"(?:somewhat|rather|quite|fairly)? ?{_GOOD}", 2, 1),
    ("satisfaction", rf"(?:very|extremely|completely) {_GOOD}", 3, 1),
    ("quality", r"very poor|very bad|terrible|awful", 0, -1),
    ("quality", r"poor|bad", 1, -1),
    ("quality", r"fair|ok|okay|average|acceptable|indifferent", 2, 0),
    ("quality", r"good", 3, 1),
    ("quality", r"very good", 4, 1),
    ("quality", r"excellent|great|outstanding", 5, 1),
    ("degree", r"(?:no, )?not (?:\w+ )?at all(?: \w+)?|none(?: at all)?|no, not .*", 0, -1),
    ("degree", r"not (?:very|really|so|particularly)(?: \w+)?|not much", 1, -1),
    ("degree", r"(?:a little|slightly|a bit)(?: \w+)?|some", 2, 0),
    ("degree", r"(?:yes, )?(?:somewhat|moderately|fairly|quite)(?: \w+)?", 3, 1),
    ("degree", r"(?:yes, )?(?:very|a lot|highly|a great deal)(?: \w+)?", 4, 1),
    ("degree", r"(?:yes, )?(?:extremely|completely|totally)(?: \w+)?", 5, 1),
    ("low-high", r"(?:very|extremely) low", 0, -1),
    ("low-high", r"low", 1, -1),
    ("low-high", r"(?:fairly|rather|somewhat) low", 2, -1),
    ("low-high", r"medium|moderate|average", 3, 0),
    ("low-high", r"(?:fairly|rather|somewhat) high", 4, 1),
    ("low-high", r"high", 5, 1),
    ("low-high", r"(?:very|extremely) high", 6, 1),
]
_COMPILED = [(family, re.compile(pattern), rank, side) for family, pattern, rank, side in [*_RULES, *TRANSLATED]]


_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")


def level(answer: str) -> list[Level]:
    """Return the places that an answer may have, at most one for each family."""
    text = _CAMEL.sub(" ", answer.strip()).lower().rstrip(".!").replace("’", "'")
    found: dict[str, Level] = {}
    for family, pattern, rank, side in _COMPILED:
        if family not in found and pattern.fullmatch(text):
            found[family] = Level(family, rank, side)
    if (count := _count(text)) is not None:
        found["count"] = Level("count", count)
    if (amount := amount_of(text)) is not None:
        found["range"] = Level("range", amount)
    return list(found.values())


def _count(text: str) -> float | None:
    """Return how often a count in words is: ``twice`` is 2."""
    for times, word in enumerate(_COUNTS):
        if text.startswith("more than ") and text.startswith(word, len("more than ")):
            return times + 0.5
        if text == word:
            return times
    return -1.0 if re.match(r"it is not (?:okay|ok|acceptable)|not at all", text) else None


_HEIGHT = re.compile(r"(?:(under|over) )?(\d) ?(?:'|ft\.?)\s*(?:(\d{1,2})\s*(?:\"|'')?)?( and above)?")
_UNITS = re.compile(r"[\d.,$£€%+<>≥≤–-]|years?|yrs?|minutes?|mins?|hours?|people|times?|employees")
_BESIDE_NUMBERS = frozenset(
    {
        "to",
        "and",
        "under",
        "over",
        "less",
        "more",
        "than",
        "or",
        "below",
        "above",
        "up",
        "k",
        "from",
        "between",
    }
    | {"old", "older", "younger", "fewer", "cm", "kg", "at", "least", "most", "about", "of", "age", "aged"}
)
_BELOW = re.compile(r"<|under|below|less than|fewer than|up to|younger than")
_ABOVE = re.compile(r"(?:>|over|above|more than|older than).*|.*\d\s*\+.*|.*or (?:more|older|over)")


def amount_of(text: str) -> float | None:
    """Return where a number or range begins.

    So ``30-44`` is 30, ``> 60`` lies just above 60, ``under 18`` just below.
    """
    if height := _HEIGHT.fullmatch(text):
        step = -0.5 if height[1] == "under" else 0.5 if height[1] or height[4] else 0.0
        return float(height[2]) * 12 + float(height[3] or 0) + step
    numbers = _NUMBER.findall(re.sub(r"(?<=\d)\s*-\s*(?=[$£€\d])", " – ", text))
    words = set(_UNITS.sub(" ", text).split())
    if not numbers or len(numbers) > 2 or not words <= _BESIDE_NUMBERS:
        return None
    try:
        start = float(numbers[0].replace(",", ""))
    except ValueError:
        return None
    if _BELOW.match(text):
        return start - 0.5
    return start + 0.5 if _ABOVE.fullmatch(text) else start


_ENGLISH = re.compile(
    r"[$£€¥]?\s*([-+]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d{1,15})?(?:\.\d{1,25}(?:[eE][-+]?\d{1,3})?|[eE]-\d{1,3})?)\s*(?:[%€]|EUR)?"
)
_CONTINENTAL = re.compile(r"[$£€¥]?\s*([-+]?(?:\d{1,3}(?:[.\s’]\d{3})+|\d{1,15}),\d{1,25})\s*(?:[%€]|EUR)?")


def number(answer: str) -> float | None:
    """Return a plain number, also with a currency sign, a percent sign, a decimal comma, or a height in feet.

    ``1,234`` is a thousand and more; in a column with decimal commas it is written anew before. None for anything else.
    """
    text = answer.strip().replace("−", "-")
    if not any(c.isdigit() for c in text[:8]):  # as most answers are
        return None
    if feet := _FEET.fullmatch(text):
        return float(feet[1]) * 12 + float(feet[2] or 0)
    if match := _ENGLISH.fullmatch(text):
        plain = match[1].replace(",", "")
    elif match := _CONTINENTAL.fullmatch(text):
        plain = re.sub(r"[.\s’]", "", match[1]).replace(",", ".")
    else:
        return None
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if isfinite(value) else None


_STEP = re.compile(
    r"(?P<bare>\d{1,2})|(?P<first>\d{1,2})\s*(?:[-–—=:.)]\s*(?=[^\W\d])|(?=\()).*|[^\W\d].*?(?:\s[-–—=:]\s*|\()(?P<last>\d{1,2})\)?",
    re.DOTALL,
)
_LAST_STEP = 11


def steps(answers: Iterable[str]) -> dict[str, int]:
    """Return the numbers of a scale of which some steps are worded: ``0 - Not at all``, ``1``, …, ``10 (Extremely)``.

    Nothing if the answers are anything else; where each number has words, these may be a list of choices.
    """
    found: dict[str, int] = {}
    bare = 0
    for answer in answers:
        match = _STEP.fullmatch(answer.strip())
        if match is None or (value := int(match["bare"] or match["first"] or match["last"])) > _LAST_STEP:
            return {}
        found[answer] = value
        bare += match["bare"] is not None
    return found if 0 < bare < len(found) == len({*found.values()}) and len(found) > 2 else {}


_YES = re.compile(r"(?:yes|true|y)\b(?:[,:;].*)?", re.IGNORECASE | re.DOTALL)
_NO = re.compile(r"(?:no|false|n)\b(?:[,:;].*)?", re.IGNORECASE | re.DOTALL)


def polarity(answer: str) -> int:
    """Return 1 for yes, -1 for no, 0 for anything else; ``Yes, very rude`` is a yes."""
    text = answer.strip()
    return 1 if _YES.fullmatch(text) else -1 if _NO.fullmatch(text) else 0
