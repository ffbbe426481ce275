"""Which rows of a table are what: titles above, heading rows, responses, and totals, notes and sources below.

The search for respondents (`persona.personas.content.tables`) and the reading of a table both ask here, so that whoever
is counted as a respondent is found there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, isclose
from statistics import median

from persona.personas.sources.headings import (
    Heading,
    in_sections,
    is_answer_heading,
    of_names,
    of_wordings,
    over_options,
)
from persona.personas.sources.numerals import is_numeral, number_of

Cells = Sequence[str]

_SAMPLE = 200
"""How many rows tell what a column holds."""
_MOST_TITLES = 20
_LEAST_SUMMED = 5
"""How many numbers make it unlikely that an answer is their sum by chance."""
_LEAST_NUMBERS = 2
"""How many columns of numbers tell that a row with other texts over them is no response."""
_PROSE = 5
"""How many words make a cell a sentence rather than an answer."""
_IMPORT_ID = re.compile(r"\{\s*\"ImportId\"")
_TOTAL = re.compile(
    r"(?:grand |sub|col(?:umn)? )?totals?\b.*|(?:sum|mean|average|avg|median|std\.? ?dev\w*|n ?=).*|count|%|percent"
    r"|(?:gesamt|summe|insgesamt|mittelwert|moyenne|somme|total général|suma|media|promedio|totale|somma|totaal|soma"
    r"|gemiddelde|合計|平均)\b.*",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"(?:sources?|notes?|n\.b\.|footnotes?|©|copyright|data (?:from|source|collected)|exported|generated|created by"
    r"|quellen?|anmerkung(?:en)?|hinweise?|notas?|fuentes?|fontes?|fonti|remarques?|bron(?:nen)?|出典"
    r")\b.*|(?:legend[ea]?|légende|leyenda|key|codes?|scale|skala|échelle|escala)(?::.*)?"
    r"|-?\d{1,3}(?: ?=|:| [–-]) ?[^\W\d].*|[*†‡]+ ?\S.*"
    r"|(?:https?://|www\.)\S+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Layout:
    """The parts of a table.

    Args:
        headings: one a column.
        first: the first row of a response.
        end: the row behind the last response.
        above: rows of titles above the headings.
        totals: rows of totals, among or below the responses.
        remarks: rows of notes and sources below the responses.
        repeated: heading rows that stand again among the responses.
        form: how the headings are written, for a note; "" if in one row.
    """

    headings: list[Heading]
    first: int
    end: int
    above: int = 0
    totals: frozenset[int] = frozenset()
    remarks: frozenset[int] = frozenset()
    repeated: frozenset[int] = frozenset()
    form: str = ""

    def body(self) -> list[int]:
        """Return the rows of responses."""
        out = self.totals | self.remarks | self.repeated
        return [number for number in range(self.first, self.end) if number not in out]


def lay_out(rows: Sequence[Cells]) -> Layout:
    """Return the parts of a table.

    Args:
        rows: all rows that are not blank, with tidy cells.
    """
    above = _titles(rows)
    headings, first, form = _headings(rows, above)
    repeated = frozenset(n for n in range(first, len(rows)) if n < len(rows) and list(rows[n]) == list(rows[above]))
    totals, remarks = _below(rows, first)
    return Layout(headings, first, len(rows), above, totals, remarks, repeated, form)


def filled(row: Cells) -> int:
    """Return how many cells of a row are not blank."""
    return sum(1 for cell in row if cell)


def _usual(rows: Sequence[Cells]) -> float:
    """Return how many cells of a row are usually filled."""
    return median(filled(row) for row in rows[:_SAMPLE]) if rows else 0.0


def _titles(rows: Sequence[Cells]) -> int:
    """Return how many rows stand above the headings: ``sep=;``, and short ones above a wide table."""
    start = 1 if rows and rows[0] and rows[0][0].lower().startswith("sep=") and filled(rows[0]) == 1 else 0
    usual = _usual(rows[start:])
    for number in range(start, min(start + _MOST_TITLES, len(rows) - 2)):
        if not _is_title(rows[number], usual) or _is_over_options(rows, number):
            return number
    return start


def _is_title(row: Cells, usual: float) -> bool:
    """Say whether a row has one or two cells at its beginning where others have more; R leaves the first one blank."""
    count = filled(row)
    return usual >= 2 and count <= 2 and count <= usual / 2 and bool(row) and bool(row[0]) and filled(row[2:]) == 0


def _headings(rows: Sequence[Cells], at: int) -> tuple[list[Heading], int, str]:
    """Return the headings, the first row of a response, and how the headings are written."""
    width = max((len(row) for row in rows), default=0)
    top = _wide(rows[at], width) if at < len(rows) else []
    for number in range(at + 1, min(at + 4, len(rows))):
        if sum(bool(_IMPORT_ID.match(cell)) for cell in rows[number]) * 2 > filled(rows[number]):
            wordings = _wide(rows[number - 1], width) if number > at + 1 else [""] * width
            return of_wordings(top, wordings), number + 1, "names, wordings and import ids"
    if at + 2 < len(rows):
        second, below = _wide(rows[at + 1], width), rows[at + 2 : at + 2 + _SAMPLE]
        if _is_over_options(rows, at):
            return over_options(top, second), at + 2, "questions over their options"
        if _are_questions(second, below) and not all(top) and all(second) and len({*second}) == width:
            return in_sections(top, second), at + 2, "sections over questions"
        if _are_wordings(top, second, below):
            return of_wordings(top, second), at + 2, "names and wordings"
    return of_names(top), at + 1, ""


def _wide(row: Cells, width: int) -> list[str]:
    return [*row, *[""] * (width - len(row))]


def _is_over_options(rows: Sequence[Cells], at: int) -> bool:
    """Say whether a row has questions over a row of options, as SurveyMonkey and merged headings give it.

    A question stands over its first option only, and what needs no option has none: then the responses below are
    filled where the second row is blank.
    """
    if at + 2 >= len(rows):
        return False
    width = max(len(rows[at]), len(rows[at + 1]))
    top, second = _wide(rows[at], width), _wide(rows[at + 1], width)
    spanned = [n for n in range(1, width) if not top[n] and second[n] and any(top[:n])]
    alone = [n for n in range(width) if top[n] and not second[n]]
    bare = [n for n in range(width) if not top[n] and not second[n]]
    if len(bare) > width / 10 or not any(top):
        return False
    named = [n for n, cell in enumerate(second) if is_answer_heading(cell)]
    below = rows[at + 2 : at + 2 + _SAMPLE]
    if named:
        again = any(n < len(row) and is_answer_heading(row[n]) for row in below for n in named)
        return bool(spanned or alone or len(named) * 2 > width) and not again
    answered = any(n < len(row) and row[n] for row in below for n in alone)
    texts = [second[n] for n in spanned]
    return len(spanned) >= 2 and bool(alone) and answered and not any(map(is_numeral, texts))


def _are_wordings(top: Cells, second: Cells, below: Sequence[Cells]) -> bool:
    """Say whether a second row words the questions that the first one names: it is no response in any column.

    A column tells if it holds numbers, or answers that all come back. In such a row each of these is strange.
    """
    if not all(top) or filled(second) < 0.8 * len(top) or len(below) < 3:
        return False
    telling = 0
    for number, cell in enumerate(second):
        answers = [row[number] for row in below if number < len(row) and row[number]]
        if len(answers) < 3:
            continue
        numbers = sum(map(is_numeral, answers)) >= 0.9 * len(answers)
        choices = not numbers and len(set(answers)) <= len(answers) / 2
        if numbers or choices:
            telling += 1
            if not cell or is_numeral(cell) or cell in answers:
                return False
    return telling >= 2 and (_longer(second, below) or _are_questions(second, below))


def _are_questions(row: Cells, below: Sequence[Cells]) -> bool:
    """Say whether a row has another text, and no number, over each column of numbers, of which there are many."""
    texts = []
    for number, cell in enumerate(row):
        answers = [each[number] for each in below if number < len(each) and each[number]]
        if len(answers) >= _LEAST_SUMMED and all(map(is_numeral, answers)):
            texts.append(cell)
    return (
        len(texts) >= _LEAST_NUMBERS and all(texts) and len({*texts}) == len(texts) and not any(map(is_numeral, texts))
    )


def _longer(row: Cells, below: Sequence[Cells]) -> bool:
    """Say whether a row has mostly words: more text than the rows below it usually have in the same columns."""
    usual = median(sum(map(len, each)) for each in below)
    return sum(map(len, row)) > usual and sum(" " in cell for cell in row) >= 0.3 * len(row)


def _below(rows: Sequence[Cells], first: int) -> tuple[frozenset[int], frozenset[int]]:
    """Return the rows of totals and of remarks at the end of a table."""
    totals, remarks = set[int](), set[int]()
    if first < len(rows) - 1 and _is_total(rows[first]):
        totals.add(first)
    usual = _usual(rows[first:])
    prose = sum(bool(row) and len(row[0].split()) >= _PROSE for row in rows[first : first + _SAMPLE])
    for number in range(len(rows) - 1, first, -1):
        row = rows[number]
        if prose <= 0.1 * min(_SAMPLE, len(rows) - first) and _is_remark(row, usual):
            remarks.add(number)
        elif _is_total(row) or (number == len(rows) - 1 and _adds_up(row, rows[first:number])):
            totals.add(number)
        else:
            break
    return frozenset(totals), frozenset(remarks)


def _is_remark(row: Cells, usual: float) -> bool:
    count = filled(row)
    text = next((cell for cell in row if cell), "")
    if count > 2 or usual < 2 or count > usual / 2:
        return False
    return bool(_REMARK.fullmatch(text)) or (count == 1 and bool(row[0]) and len(text.split()) >= _PROSE)


def _is_total(row: Cells) -> bool:
    """Say whether a row has a word for a total, and numbers beside it."""
    label = next((cell for cell in row if cell), "")
    others = [cell for cell in row if cell and cell != label]
    return bool(_TOTAL.fullmatch(label)) and bool(others) and all(is_numeral(cell.rstrip(" %")) for cell in others)


def _adds_up(row: Cells, above: Sequence[Cells]) -> bool:
    """Say whether a last row without a word has nothing but the sums and means of what is above it."""
    filled_cells = [number for number, cell in enumerate(row) if cell]
    if not filled_cells or (row[0] and len(filled_cells) < 2):
        return False
    columns = [(number_of(row[n]), [each[n] for each in above if n < len(each) and each[n]]) for n in filled_cells]
    if any(value is None for value, _ in columns):  # as in nearly every table
        return False
    found = [_aggregate(value or 0.0, cells) for value, cells in columns]
    return all(found) and "sum" in found


def _aggregate(value: float, cells: Sequence[str]) -> str:
    """Return what a value is of the numbers of a column: their ``sum``, more than each, their ``mean``; or ""."""
    numbers = [number for cell in cells if (number := number_of(cell)) is not None]
    if len(numbers) < max(_LEAST_SUMMED, len(cells)):
        return ""
    total = fsum(numbers)
    if isclose(value, total, abs_tol=0.01):
        return "sum" if value > max(numbers) else "mean"
    return "mean" if isclose(value, total / len(numbers), abs_tol=0.01) else ""
