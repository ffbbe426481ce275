"""Text of others that is shown or passed on: nothing that reads it takes it for a command, a link or a formula."""

from __future__ import annotations

import re

# Control characters, separators of lines, what overrides the direction of text ("Trojan Source", CVE-2021-42574),
# lone surrogates, and invisible tags. Joiners and marks of direction stay: Persian, Hebrew and emoji need them.
_OBEYED = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
_DOTTED = re.compile(r"(?<=\w)\.(?=[^\W\d_])|(?<=/)/|@")
_LINKING = re.compile(r"(?<=:)(?=/)|(?<=www)(?=\\|\.)|(?<=xmpp:)|(?<=mailto:)|(?<=@)", re.IGNORECASE)


def harmless(text: str) -> str:
    """Return text that a terminal shows and does not obey: what it would obey is escaped, but for ends of lines."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def line(text: str) -> str:
    """Return `harmless` text that stays in its line."""
    return harmless(text.replace("\n", "\\n").replace("\t", " "))


def json_text(text: str) -> str:
    """Return a JSON document that means the same, and that a terminal does not obey."""
    return _OBEYED.sub(lambda match: _escaped(match[0]), text)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula (OWASP, “CSV Injection”).

    One that begins as a formula does, or with an apostrophe, gets an apostrophe before it: to have the text again,
    take one apostrophe away wherever a cell begins with one. Control characters are escaped.
    """
    return harmless(f"'{text}" if text.startswith(_FORMULA) else text)


def inline(text: str) -> str:
    """Return text that Markdown and HTML show as it is, in one line, and that becomes no link.

    Addresses, which some readers of Markdown link by themselves even where they are escaped, are parted by an empty
    comment, which is not shown; others link whatever has a dot in it, unless that is escaped.
    """
    flat = harmless(" ".join(text.split()))
    marked = re.sub(r"([\\`*_{}\[\]<>|~#&$])", r"\\\1", flat)
    marked = _DOTTED.sub(lambda match: f"\\{match[0]}", marked)
    begun = re.sub(r"^([-+=]|\d+[.)])", lambda match: match[0][:-1] + "\\" + match[0][-1], marked)
    return _LINKING.sub("<!-- -->", begun)
