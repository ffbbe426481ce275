"""Dates and times of a spreadsheet: numbers that a number format shows as dates (ECMA-376, part 1, 18.8.30)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import Enum


class Shown(Enum):
    """What a number format shows a number as."""

    NUMBER = "number"
    YEAR = "year"
    DATE = "date"
    MOMENT = "moment"
    TIME = "time"
    DURATION = "duration"


_BUILT_IN = {
    **dict.fromkeys((14, 15, 16, 17, *range(27, 32), 36, *range(50, 55), 57, 58), Shown.DATE),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 55, 56), Shown.TIME),
    22: Shown.MOMENT,
    **dict.fromkeys((45, 46, 47), Shown.DURATION),
}
"""The formats that a workbook does not spell out, with those of East Asian versions of Excel."""
_LITERAL = re.compile(r'"[^"]*"|\\.|[_*].|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_LAST_DAY = 2_958_465
"""The serial number of 9999-12-31, the last day that Excel knows."""


def shown_as(number: int, code: str = "") -> Shown:
    """Return what a number format shows a number as.

    Args:
        number: its id; those below 164 are built in.
        code: how the workbook spells it out, such as ``yyyy-mm-dd``; "" if it does not.
    """
    if not code:
        return _BUILT_IN.get(number, Shown.NUMBER)
    plain = _LITERAL.sub("", code).split(";")[0].lower()
    if _ELAPSED.search(plain):
        return Shown.DURATION
    if "general" in plain or "standard" in plain:
        return Shown.NUMBER
    time = "h" in plain or "s" in plain
    if "d" in plain or "y" in plain or ("m" in plain and not time):
        return Shown.MOMENT if time else Shown.DATE if re.search("[dm]", plain) else Shown.YEAR
    return Shown.TIME if time else Shown.NUMBER


def in_words(serial: float, shown: Shown, *, since_1904: bool = False) -> str | None:
    """Return a date or time as ISO 8601 writes it, with a space before the time; None if it is no date.

    Args:
        serial: days since the beginning of the workbook's calendar.
        shown: what the number format shows it as.
        since_1904: whether the calendar begins on 1904-01-01, as on old Macs, and not on 1900-01-01.
    """
    seconds = round(serial * 86_400)
    if shown is Shown.DURATION:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}" if serial >= 0 else None
    if not 0 <= serial <= _LAST_DAY:
        return None
    clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}".removesuffix(":00")
    if shown is Shown.TIME:
        return clock
    day = _day(seconds // 86_400, since_1904)
    if shown is Shown.YEAR:
        return day[:4]
    return day if shown is Shown.DATE else f"{day} {clock}"


def plain_moment(text: str) -> str:
    """Return a date or time of ISO 8601 as `in_words` writes it."""
    day, _, clock = text.partition("T")
    clock = clock.partition(".")[0].removesuffix("Z")
    if clock in ("", "00:00:00"):
        return day
    return f"{day} {clock.removesuffix(':00') if clock.count(':') == 2 else clock}"


def _day(days: int, since_1904: bool) -> str:
    """Return a day; Excel's 1900 has a 29 February, which Lotus 1-2-3 had by mistake."""
    if since_1904:
        return f"{datetime(1904, 1, 1) + timedelta(days=days):%Y-%m-%d}"
    if days == 60:
        return "1900-02-29"
    return f"{datetime(1899, 12, 30 if days > 60 else 31) + timedelta(days=days):%Y-%m-%d}"
