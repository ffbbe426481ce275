"""Tables of totals instead of respondents: cross tables, frequencies, and one count a combination of answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from persona.personas.sources.numerals import is_numeral, number_of
from persona.personas.sources.records import ID_HEADING

_COUNT = re.compile(
    r"(?:freq(?:uency|uencies)?|counts?|n|number(?: of .*)?|responses?|respondents|votes|total|no\. of .*"
    r"|# of .*|anzahl"
    r"|häufigkeit|effectifs?|nombre|frecuencia|recuento|frequenza|frequência|aantal|件数|人数|度数)\.?\d*",
    re.IGNORECASE,
)
_SHARE = re.compile(
    r"%|.*(?:percent\w*|per cent|prozent|pourcentage|porcentaje|share|anteil|proportion).*|.+ ?\(?%\)?", re.I
)
_TOTAL = re.compile(
    r"(?:grand )?totals?|sum|all|base|gesamt|insgesamt|summe|total général|totale|totaal|合計|計", re.IGNORECASE
)
_PEOPLE = re.compile(
    r"(?:(?:first|last|full|student|user|customer|employee|player|patient)[ _]?)?(?:name|participant|respondent|student"
    r"|person|user|customer|employee|member|player|patient|teacher|child|e-?mail)",
    re.IGNORECASE,
)
MAX_LABELLED = 5_000
"""A table of more rows is none of totals."""
_CLOSE = 0.02
"""How far a sum of rounded numbers may be from its total, as a share."""


def why_aggregated(headings: Sequence[str], rows: Sequence[Sequence[str]], totals: Sequence[Sequence[str]]) -> str:
    """Return why a table counts answers rather than respondents, "" if it does not.

    Args:
        headings: one a column.
        rows: the cells of the rows, all of the headings' width.
        totals: the rows of totals that were found below them.
    """
    people = any(ID_HEADING.fullmatch(each.strip()) or _PEOPLE.fullmatch(each.strip()) for each in headings[:2] if each)
    if people or not 2 <= len(rows) < MAX_LABELLED:
        return ""
    if [row[0] for row in rows] in ([str(n) for n in range(len(rows))], [str(n + 1) for n in range(len(rows))]):
        headings, rows = headings[1:], [row[1:] for row in rows]  # rows that are only counted
        totals = [row[1:] for row in totals]
    columns = [[row[n] for row in rows] for n in range(len(headings))]
    numbers = [n for n, cells in enumerate(columns) if all(is_numeral(cell.rstrip(" %")) for cell in cells if cell)]
    numbers = [n for n in numbers if any(columns[n])]
    words = [n for n in range(len(headings)) if n not in numbers and any(columns[n])]
    if not words or not numbers:
        return ""
    return (
        _summed(headings, columns, words, numbers, totals)
        or _combined(headings, columns, words, numbers)
        or _shares(headings, columns, words, numbers)
    )


def _labels(columns: Sequence[Sequence[str]], words: Sequence[int]) -> bool:
    """Say whether the words of each row are its label: no two rows have the same."""
    labels = [tuple(columns[n][row] for n in words) for row in range(len(columns[0]))]
    return len(set(labels)) == len(labels)


def _summed(
    headings: Sequence[str],
    columns: Sequence[Sequence[str]],
    words: Sequence[int],
    numbers: Sequence[int],
    totals: Sequence[Sequence[str]],
) -> str:
    """Say that a row or a column of totals is the sum of the others, beside labels that are no names of people."""
    if not _labels(columns, words) or _are_ids(columns[words[0]]):
        return ""
    for total in totals:
        sums = [(_sum(columns[n]), number_of(total[n])) for n in numbers if n < len(total) and total[n]]
        if sums and all(given is not None and _near(found, given) for found, given in sums):
            return f"the row “{next(cell for cell in total if cell)}” is the sum of the rows above it"
    for n in numbers:
        others = [m for m in numbers if m != n]
        if _TOTAL.fullmatch(headings[n].strip()) and len(others) >= 2 and _adds_up(columns, n, others):
            return f"the column “{headings[n]}” is the sum of the others"
    return ""


def _adds_up(columns: Sequence[Sequence[str]], total: int, others: Sequence[int]) -> bool:
    pairs = [
        (sum(number_of(columns[m][row]) or 0.0 for m in others), number_of(columns[total][row]))
        for row in range(len(columns[0]))
    ]
    return all(given is not None and _near(found, given) for found, given in pairs)


def _combined(
    headings: Sequence[str], columns: Sequence[Sequence[str]], words: Sequence[int], numbers: Sequence[int]
) -> str:
    """Say that a column counts how often each combination of the others occurs, nearly all of which are there."""
    counted = [n for n in numbers if _COUNT.fullmatch(headings[n].strip()) and _whole(columns[n])]
    beside = {n for n in numbers if _COUNT.fullmatch(headings[n].strip()) or _SHARE.fullmatch(headings[n].strip())}
    keys = [n for n in range(len(headings)) if n not in beside and any(columns[n])]
    if not counted or not keys or len(columns[0]) < 4:
        return ""
    combinations = [tuple(columns[n][row] for n in keys) for row in range(len(columns[0]))]
    possible = 1
    for n in keys:
        possible *= len(set(columns[n]))
    once = len(set(combinations)) == len(combinations)
    single = len(keys) == 1 and not _are_ids(columns[keys[0]])
    crossed = len(keys) > 1 and len(combinations) >= 0.6 * possible
    if once and (single or crossed):
        return f"the column “{headings[counted[0]]}” counts how often each combination of the others occurs"
    return ""


def _shares(
    headings: Sequence[str], columns: Sequence[Sequence[str]], words: Sequence[int], numbers: Sequence[int]
) -> str:
    """Say that columns of percentages add up to 100 over few labelled rows."""
    if len(columns[0]) > 30 or not _labels(columns, words) or _are_ids(columns[words[0]]):
        return ""
    marked = [n for n in numbers if _SHARE.fullmatch(headings[n]) or all(c.endswith("%") for c in columns[n] if c)]
    whole = [n for n in marked if _near(_sum(columns[n]), 100) or _near(_sum(columns[n]), 1)]
    if whole and len(whole) >= len(marked) / 2:
        return f"the column “{headings[whole[0]]}” holds percentages that add up to all"
    return ""


def _are_ids(cells: Sequence[str]) -> bool:
    """Say whether labels are those of people: of one form with a number, as P1 and P2."""
    forms = Counter(re.sub(r"\d+", "0", cell) for cell in cells if cell)
    return len(forms) == 1 and "0" in next(iter(forms)) and len(set(cells)) == len(cells)


def _whole(cells: Sequence[str]) -> bool:
    values = [number_of(cell) for cell in cells if cell]
    return bool(values) and all(value is not None and value >= 0 and value == int(value) for value in values)


def _sum(cells: Sequence[str]) -> float:
    return sum(number_of(cell) or 0.0 for cell in cells)


def _near(found: float, given: float) -> bool:
    return given > 0 and abs(found - given) <= max(1.0 if given > 20 else 0.02, _CLOSE * given)
