"""Several choices in one cell: what separates them, also where an option has commas of its own.

An option is told by what recurs: its pieces come back together, in many cells, and there are fewer options than
combinations of them. Prose does not come back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

MAX_OPTION = 120
"""A longer piece, in characters, is no option."""
_LEAST_LISTS = 0.1
"""The share of cells that hold several choices, at least."""
_LEAST_AGAIN = 0.7
"""The share of pieces that come back in other cells, at least."""
_RANKED = 0.95
"""The share of cells that hold all answers, at least, where these are ranked rather than chosen."""
_MAX_CELL = 4_000
"""A longer cell, in characters, is no list of options."""
_THOUSANDS = re.compile(r"\d{3}(?!\d)")
_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class Lists:
    """How cells hold several choices.

    Args:
        separator: what stands between two choices, for a note.
        cut: cuts a cell into pieces.
        joined: pairs of pieces that are one option, the second behind the first.
        first: whether only the first of them counts, because cells rank them.
    """

    separator: str
    cut: Callable[[str], list[str]]
    joined: frozenset[tuple[str, str]] = frozenset()
    first: bool = False

    def split(self, cell: str) -> tuple[str, ...]:
        """Return the choices in a cell, each once."""
        found: list[str] = []
        last = ""
        for piece in self.cut(cell):
            if found and (last, piece) in self.joined:
                found[-1] = f"{found[-1]}, {piece}"
            else:
                found.append(piece)
            last = piece
        return tuple(dict.fromkeys(found))[: 1 if self.first else None]


def lists_in(counts: Mapping[str, int]) -> Lists | None:
    """Return how cells hold several choices, or None if they hold one each.

    Args:
        counts: how often each cell occurs.
    """
    if max(map(len, counts), default=0) > _MAX_CELL:
        return None
    for separator in (";", "|"):
        found = Lists(separator, _by(separator))
        if any(separator in cell for cell in counts) and (_ends(counts, separator) or _recur(counts, found)):
            return found
    if any("," in cell for cell in counts):
        tight = Lists(",", lambda cell: _commas(cell, tight=True))
        if any(", " in cell for cell in counts) and _recur(counts, tight):
            return tight
        loose = Lists(",", lambda cell: _commas(cell, tight=False))
        loose = Lists(",", loose.cut, _joined(counts, loose.cut))
        if _recur(counts, loose):
            return loose
    spaced = Lists(" ", str.split)
    return spaced if _are_codes(counts) and _recur(counts, spaced, least=0.95) else None


def ranked(counts: Mapping[str, int], lists: Lists) -> int:
    """Return how many answers nearly all cells put into an order, each its own: three or more, 0 if none do.

    Args:
        counts: how often each cell occurs.
        lists: how they hold several answers.
    """
    orders = {cell: lists.split(cell) for cell in counts}
    every = max((frozenset(order) for order in orders.values()), key=len, default=frozenset[str]())
    whole = sum(count for cell, count in counts.items() if {*orders[cell]} == every)
    firsts = {order[0] for order in orders.values() if order}
    return len(every) if len(every) > 2 and len(firsts) > 1 and whole >= _RANKED * sum(counts.values()) else 0


def _by(separator: str) -> Callable[[str], list[str]]:
    return lambda cell: _pieces(cell.split(separator))


def _commas(cell: str, *, tight: bool) -> list[str]:
    """Cut a cell at commas, but not within brackets or numbers, and if tight not where a space follows."""
    parts, start, depth, closes = [], 0, 0, cell.rfind(")")
    for place, c in enumerate(cell):
        if c == "(" and place < closes:
            depth += 1
        elif c == ")":
            depth = max(0, depth - 1)
        elif c == "," and not depth and _parts_here(cell, place, tight=tight):
            parts.append(cell[start:place])
            start = place + 1
    return _pieces([*parts, cell[start:]])


def _parts_here(cell: str, comma: int, *, tight: bool) -> bool:
    behind = comma + 1
    return not _THOUSANDS.match(cell, behind) and not (tight and cell[behind : behind + 1].isspace())


def _pieces(parts: list[str]) -> list[str]:
    return [piece for part in parts if (piece := part.strip())]


def _ends(counts: Mapping[str, int], separator: str) -> bool:
    """Say whether nearly all cells end with the separator, as Microsoft Forms writes them."""
    ending = sum(count for cell, count in counts.items() if cell.endswith(separator))
    return ending >= 0.9 * sum(counts.values())


def _recur(counts: Mapping[str, int], lists: Lists, least: float = _LEAST_AGAIN) -> bool:
    """Say whether the choices come back in different combinations."""
    cells = [(lists.split(cell), count) for cell, count in counts.items()]
    listing = sum(count for choices, count in cells if len(choices) > 1)
    if listing < max(2, _LEAST_LISTS * sum(counts.values())):
        return False
    if sum(max(map(len, choices), default=0) > MAX_OPTION for choices, _ in cells) > 0.05 * len(cells):
        return False
    seen = Counter(choice for choices, _ in cells for choice in choices)
    again = {choice: count for choice, count in seen.items() if count > 1}
    return 2 <= len(again) < len(counts) and sum(again.values()) >= least * seen.total()


def _joined(counts: Mapping[str, int], cut: Callable[[str], list[str]]) -> frozenset[tuple[str, str]]:
    """Return the pairs of pieces that are one option: the second never stands without the first before it.

    Either the first never stands without the second, in three cells at least; or the second goes on in small letters
    what the first begins with a capital.
    """
    occurs: Counter[str] = Counter()
    follows: Counter[tuple[str, str]] = Counter()
    for cell, count in counts.items():
        pieces = cut(cell)
        for piece in pieces:
            occurs[piece] += count
        for first, second in pairwise(pieces):
            follows[first, second] += count
    return frozenset(
        (first, second)
        for (first, second), count in follows.items()
        if count == occurs[second]
        and ((count == occurs[first] and count >= 3) or (first[:1].isupper() and second[:1].islower()))
    )


def _are_codes(counts: Mapping[str, int]) -> bool:
    """Say whether cells hold codes with spaces between them, as KoBo and ODK write several choices."""
    words = {word for cell in counts for word in cell.split()}
    alone = {cell for cell in counts if " " not in cell}
    return len(words) >= 2 and len(words & alone) >= 0.6 * len(words) and all(map(_CODE.fullmatch, words))
