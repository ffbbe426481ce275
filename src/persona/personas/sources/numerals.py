"""Numbers as they are written in tables, with a decimal point or a decimal comma."""

from __future__ import annotations

import re
from math import isfinite

_NUMERAL = re.compile(r"[-+−]?(?:\d{1,3}(?:[,.\s’]\d{3})+|\d+)?(?:[.,]\d+)?(?:[eE][-+]?\d{1,3})?")


def is_numeral(text: str) -> bool:
    """Say whether a cell is a plain number, in English or in continental notation."""
    return bool(text) and text[-1:].isdecimal() and _NUMERAL.fullmatch(text) is not None


def number_of(text: str) -> float | None:
    """Return a number, also one with a percent sign; None for others. ``1,234`` is read as in English."""
    plain = text.rstrip(" %").replace("−", "-")
    if not is_numeral(plain):
        return None
    if not re.fullmatch(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d{1,3})?", plain):
        plain = re.sub(r"[.\s’]", "", plain).replace(",", ".")
    try:
        value = float(plain.replace(",", ""))
    except ValueError:
        return None
    return value if isfinite(value) else None
