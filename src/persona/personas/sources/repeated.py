"""Tables in long form: several rows a respondent, as one a question, one a day, or one a rating."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from persona.personas.sources.records import ID_HEADING

_PEOPLE = re.compile(
    r"(?:subject|subj|participant|respondent|person|individual|panell?ist|interviewee|user|customer)s?"
    r"(?:[ _-]*(?:id|nr|no\.?|number|code|key|#))?",
    re.IGNORECASE,
)
_LEAST_ROWS = 12
"""In a shorter table rows of one id may be a slip."""
_LEAST_IDS = 3
_MOST = 0.9
"""The share of the ids that stand in several rows, and of the rows with an id."""
_EACH = 3
"""The rows of an id, on average: two waves of a panel are still read, with a note."""


def why_repeated(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return why a row is not a respondent, "" if it may be one.

    Args:
        headings: one a column.
        rows: the cells of all rows; those at the end of a row may be missing.
    """
    if len(rows) < _LEAST_ROWS:
        return ""
    for place, heading in enumerate(headings):
        plain = heading.strip()
        people = _PEOPLE.fullmatch(plain) is not None
        if not (people or ID_HEADING.fullmatch(plain)):
            continue
        rows_of = Counter(row[place] for row in rows if place < len(row) and row[place])
        if _recur(rows_of, len(rows)) and (people or _describes(rows, place)):
            return f"“{plain}” has {len(rows_of):,} ids in {len(rows):,} rows"
    return ""


def _recur(rows_of: Counter[str], rows: int) -> bool:
    """Say whether nearly all ids stand in several rows."""
    coded = sum(any(character.isdigit() for character in each) for each in rows_of)
    return (
        len(rows_of) >= _LEAST_IDS
        and coded >= _MOST * len(rows_of)  # a subject such as “Physics” is no person
        and rows_of.total() >= max(_EACH * len(rows_of), _MOST * rows)
        and sum(count > 1 for count in rows_of.values()) >= _MOST * len(rows_of)
    )


def _describes(rows: Sequence[Sequence[str]], place: int) -> bool:
    """Say whether something is the same in all rows of an id and differs between ids, as gender.

    The id of an interviewer, say, comes back as well, but with respondents of all kinds.
    """
    for other in range(max(map(len, rows))):
        if other == place:
            continue
        kinds: dict[str, set[str]] = {}
        for row in rows:
            if max(place, other) < len(row) and row[place] and row[other]:
                kinds.setdefault(row[place], set()).add(row[other])
        same = sum(len(each) == 1 for each in kinds.values())
        if kinds and same == len(kinds) and len({*map(min, kinds.values())}) > 1:
            return True
    return False
