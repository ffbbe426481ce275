"""Streams whose encoding lacks a character: what the program draws with has a form in ASCII, all else is escaped."""

from __future__ import annotations

import codecs

HANDLER = "persona.ascii"
"""The name of the error handler; see `codecs.register_error`."""
_FORMS = {
    "✅": "[ok]",
    "❌": "[failed]",
    "✓": "+",
    "✗": "x",
    "═": "=",
    "█": "#",
    "░": ".",
    "→": "->",
    "…": "...",
    "–": "-",
    "—": "-",
    "•": "*",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
}


def register() -> None:
    """Make the handler known to `str.encode` and to text streams."""
    codecs.register_error(HANDLER, _replaced)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Return what is written instead of what cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_FORMS.get(each) or each.encode("unicode_escape").decode("ascii") for each in text), error.end
