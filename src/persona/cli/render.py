"""How results look on a terminal: heading, double rule, aligned fields, sizes and times in words."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from persona import neutral
from persona.neutral import line
from persona.storage.paths import printable

if TYPE_CHECKING:
    from persona.storage.backend import Listing

RULE = "═" * 65
_TITLE_WIDTH = 90
_MOST_NAMES = 5


def heading(title: str) -> str:
    """Return a title over a double rule and an empty line."""
    return f"{line(title)}\n{RULE}\n"


def fields(rows: Iterable[tuple[str, str]], indent: str = "") -> str:
    """Return ``name: value`` lines."""
    return "\n".join(f"{indent}{name}: {line(value)}" for name, value in rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in aligned columns; the last column is not padded."""
    lines = [list(header), *([line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]])
        for row in lines
    )


def human_size(count: int) -> str:
    """Return bytes in powers of ten, as the configuration reads them: ``45.3 MB``."""
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def human_time(moment: datetime | None) -> str:
    """Return a time to the minute in UTC: ``2025-01-20 14:32 UTC``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else "–"


def json_text(document: Any, indent: int | None = None) -> str:
    """Return a document as JSON that stdout can take: in ASCII unless its encoding is UTF-8."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return neutral.json_text(json.dumps(document, ensure_ascii=not utf8, indent=indent))


def error_json(message: str, hint: str, exit_code: int) -> dict[str, str | int]:
    """Return an error for JSON."""
    return {"message": message, "hint": hint, "exit_code": exit_code}


def json_time(moment: datetime | None) -> str | None:
    """Return a time for JSON: ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


class Known:
    """How old what is shown is, while the provider does not answer.

    Args:
        as_of: when the provider said so; None if it says so now.
        whole: whether it is all that was there.
    """

    def __init__(self, as_of: datetime | None = None, *, whole: bool = True) -> None:
        self.as_of = as_of
        self.whole = whole

    def add(self, page: Listing) -> None:
        """Take in one more page."""
        self.as_of = min(filter(None, (self.as_of, page.as_of)), default=None)
        self.whole &= page.whole

    def words(self) -> str:
        """Return it for people."""
        shown = human_time(self.as_of)
        return f"as known of {shown}" if self.whole else f"only what happens to be kept here, of {shown} and later"

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"as_of": json_time(self.as_of), "whole": self.whole}


def shortened(text: str) -> str:
    """Return a title as it fits a table, cut between words."""
    return text if len(text) <= _TITLE_WIDTH else text[: _TITLE_WIDTH - 1].rsplit(" ", 1)[0] + "…"


def of_path(path: str, reason: str) -> str:
    """Return what is wrong with an object, with its path once: many reasons begin with it."""
    shown = printable(path)
    return reason if reason.startswith((shown, f"“{shown}”")) else f"{shown}: {reason}"


def some(names: Sequence[str]) -> str:
    """Return the first of many names, and how many more there are."""
    return ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES:,} more" if names[_MOST_NAMES:] else "")
