"""Numbers as they are written in tables, with a decimal point or a decimal comma."""

from __future__ import annotations

import re

_NUMERAL = re.compile(r"[-+−]?(?:\d{1,3}(?:[,.  ’]\d{3})+|\d+)?(?:[.,]\d+)?(?:[eE][-+]?\d+)?")


def is_numeral(text: str) -> bool:
    """Say whether a cell is a plain number, in English or in continental notation."""
    return bool(text) and text[-1:].isdigit() and _NUMERAL.fullmatch(text) is not None
