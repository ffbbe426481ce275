"""Finds a respondent's id anywhere in a text, and spellings that may be the same respondent."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from urllib.parse import unquote

from persona.personas.content.people import normalised

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrtbfv\"'/\\]))")
_INLINE = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_BREAKS = re.compile(
    r"<(?:/p|/div|/li|/td|/th|/tr|/h\d|br|/a:p|/w:p|/text:p|/text:h|w:tab|w:br|a:br|/si|/c|/row)\b[^<>]{0,2000}>",
    re.IGNORECASE,
)
_RTF_CODE = re.compile(r"\\'([0-9a-fA-F]{2})|\\u(-?\d{1,6})\??|\\(par|line|tab|cell|row)\b ?|\\[a-zA-Z]+-?\d* ?|[{}]")
_NO_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ROLES = r"participant|respondent|interviewee|informant|subject|user|person|speaker"
_NUMBERED = re.compile(rf"\b(?:{_ROLES})s?[\s:=#_-]{{0,5}}(\d{{1,20}})(?![\w-])", re.IGNORECASE)
_NUMBER = re.compile(r"\D*0*(\d+)(?:\.0+)?")
_TOKEN = re.compile(r"[\w-]{0,60}")
_WORD = re.compile(r"[^\s,;:|\"'“”‘’()\[\]{}<>]+")
_MAX_PHRASES = 1_000_000
"""The longest text, in characters, of which also words in a row are compared."""
_LOOK_ALIKE = str.maketrans("АВЕКМНОРСТХаеорсухΑΒΕΗΙΚΜΝΟΡΤΥΧ", "ABEKMHOPCTXaeopcyxABEHIKMNOPTYX")
"""Cyrillic and Greek letters that are typed for Latin ones of the same shape."""
_MARKS = "\u0300-\u036f"
_MIN_PART = 3
"""The shortest part of a name that may stand for it, in characters."""
_MAX_SIMILAR = 20
"""The most other spellings that are named of one text."""


def mentions(text: str, subject: str) -> bool:
    """Say whether a text names a respondent: the id as a word, in any form of Unicode, escaped, or among mark-up.

    A bare number is in too many texts to mean anybody, except behind a word such as “participant”.
    """
    pattern = _exact(subject)
    return any(pattern.search(view) for view in views(text))


def occurs(text: str, subject: str) -> bool:
    """Say whether an id stands anywhere in a text, as a word or not: if not, no record is the respondent's."""
    pattern = _anywhere(subject)
    return any(pattern.search(view) for view in views(text))


def similar(text: str, subject: str) -> set[str]:
    """Return what in a text may be another spelling of an id, or a part of a name."""
    pattern, found = _loose(subject), set[str]()
    if pattern is None:
        return found
    plain = unicodedata.normalize("NFKC", text)
    for view in views(plain):
        for match in pattern.finditer(view):
            if (spelling := _token(view, match)) != subject and len(found) < _MAX_SIMILAR:
                found.add(spelling)
    return found | _looking_alike(plain, pattern) if subject.isascii() and not plain.isascii() else found


def _looking_alike(text: str, pattern: re.Pattern[str]) -> set[str]:
    """Return what in a text looks like an id, and has letters of another alphabet."""
    seen = text.translate(_LOOK_ALIKE)
    places = (match for match in pattern.finditer(seen) if match[0] != text[match.start() : match.end()])
    return {_token(text, match) for match in islice(places, _MAX_SIMILAR)}


def similar_ids(ids: Iterable[str], subject: str) -> set[str]:
    """Return those of some ids that may be another spelling of one: ``8`` for ``P08``, part of a name."""
    wanted = _key(subject)
    number = _NUMBER.fullmatch(subject)
    found = set()
    for each in ids:
        numbered = _NUMBER.fullmatch(each) if number else None
        bare = bool(number and numbered and number[1] == numbered[1]) and (_is_bare(each) or _is_bare(subject))
        if each != subject and (bare or _key(each) == wanted or _is_part(each, subject)):
            found.add(each)
    return {*sorted(found)[:_MAX_SIMILAR]}


def _is_bare(text: str) -> bool:
    """Say whether an id is a number alone; a spreadsheet may make ``9.0`` of it."""
    return text.removesuffix(".0").isdecimal()


def masked(text: str, subject: str, mask: str) -> str:
    """Return a text with something else in place of an id, however it is spelt, and of the parts of a name."""
    plain = unicodedata.normalize("NFC", text)
    plain = re.sub(rf"(?<![^\W_]){re.escape(subject)}(?![^\W_])", mask, plain)
    pattern = _loose(subject)
    plain = pattern.sub(mask, plain) if pattern else plain
    return plain if _exact(subject).search(plain) is None or subject.isdecimal() else _exact(subject).sub(mask, plain)


def _token(text: str, match: re.Match[str]) -> str:
    """Return a match with the letters, digits and hyphens on both sides of it."""
    start = match.start()
    while start and match.start() - start < 60 and (text[start - 1] in "-_" or text[start - 1].isalnum()):
        start -= 1
    tail = _TOKEN.match(text, match.end())
    return normalised(text[start : tail.end() if tail else match.end()])[:120]


def words(text: str) -> set[str]:
    """Return all words of a text that could be an id, alone and with up to two that follow on the line."""
    found: set[str] = set()
    longest = 3 if len(text) <= _MAX_PHRASES else 1
    numbers: set[str] = set()
    for view in views(text):
        numbers.update(match[1] for match in _NUMBERED.finditer(view))
        for line in view.splitlines():
            parts = [part.strip(".!?*_-") for part in _WORD.findall(line)]
            for length in range(1, longest + 1):
                found.update(" ".join(parts[n : n + length]) for n in range(len(parts) - length + 1))
    return {each for each in found if not each.isdecimal()} | numbers


def views(text: str) -> Iterator[str]:
    """Yield a text as it is, and as those read it who see no escapes and no mark-up."""
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    yield plain
    if not unicodedata.is_normalized("NFKC", plain):  # full-width letters, ligatures
        yield unicodedata.normalize("NFKC", plain)
    if "\\" in plain:  # as in JSON, YAML and program texts, where “\\nP9” begins a line
        yield unicodedata.normalize("NFC", _ESCAPE.sub(_unescaped, plain))
    if '""' in plain or "''" in plain:  # a quotation mark within quotation marks, as in tables and YAML
        yield plain.replace('""', '"').replace("''", "'")
    if "%" in plain:
        yield unicodedata.normalize("NFC", unquote(plain))
    if "=" in plain and re.search(r"=[0-9A-F]{2}", plain):
        yield from _quoted_printable(plain)
    if plain.startswith("{\\rtf"):
        yield unicodedata.normalize("NFC", _without_rtf(plain))
    if "<" in plain and ">" in plain:
        broken = _BREAKS.sub("\n", plain)
        yield unicodedata.normalize("NFC", html.unescape(_INLINE.sub("", broken)))
        yield unicodedata.normalize("NFC", html.unescape(_INLINE.sub(" ", broken)))
    if "&" in plain:
        yield unicodedata.normalize("NFC", html.unescape(plain))


def _unescaped(match: re.Match[str]) -> str:
    if match[3]:
        return match[3] if match[3] in "\"'/\\" else " "
    return chr(int(match[1] or match[2], 16))


def _quoted_printable(text: str) -> Iterator[str]:
    import quopri

    data = quopri.decodestring(text.encode("utf-8", "surrogatepass"))
    yield unicodedata.normalize("NFC", data.decode("utf-8", "replace"))


def _without_rtf(text: str) -> str:
    """Return a text of the Rich Text Format without its control words."""

    def plain(match: re.Match[str]) -> str:
        if match[1]:
            return bytes.fromhex(match[1]).decode("cp1252", "replace")
        if match[2]:
            return chr(int(match[2]) % 65_536)
        return "\n" if match[3] else ""

    return _RTF_CODE.sub(plain, text)


@lru_cache(maxsize=64)
def _anywhere(subject: str) -> re.Pattern[str]:
    return re.compile(r"[\s\0-\x1f]+".join(map(re.escape, subject.split())))


@lru_cache(maxsize=64)
def _exact(subject: str) -> re.Pattern[str]:
    """Return the pattern of an id as a word."""
    if subject.isdecimal():
        return re.compile(rf"\b(?:{_ROLES})s?[\s:=#_-]{{0,5}}{subject}(?![\w-])", re.IGNORECASE)
    inner = r"\s+".join(map(re.escape, subject.split()))
    before = "" if _NO_SPACES.match(subject[0]) else r"(?<![\w-])"
    after = "" if _NO_SPACES.match(subject[-1]) else rf"(?![\w{_MARKS}-])"
    return re.compile(before + inner + after)


@lru_cache(maxsize=64)
def _loose(subject: str) -> re.Pattern[str] | None:
    """Return the pattern of other spellings; None for a bare number, of which there are too many."""
    if subject.isdecimal():
        return None
    parts = re.findall(r"\d+|[^\W\d_]+", unicodedata.normalize("NFKC", subject))
    if not parts:
        return None
    inner = r"[\s_.\-]*".join(f"0*{part.lstrip('0') or '0'}" if part.isdecimal() else re.escape(part) for part in parts)
    whole = rf"(?<![^\W_])(?i:{inner})(?![^\W_{_MARKS}])"
    names = [re.escape(part) for part in subject.split() if part.isalpha() and len(part) >= _MIN_PART]
    if len(names) > 1:
        whole += rf"|(?<![^\W_])(?:{'|'.join(names)})(?![^\W_{_MARKS}])"
    return re.compile(whole)


def _key(text: str) -> str:
    """Return an id without what people write in one way or another: case, separators, leading zeros."""
    parts = re.findall(r"\d+|[^\W\d_]+", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(part.lstrip("0") or "0" if part.isdecimal() else part for part in parts) or text


def _is_part(text: str, subject: str) -> bool:
    """Say whether one name is a part of the other."""
    first, second = ({part for part in each.casefold().split() if len(part) >= _MIN_PART} for each in (text, subject))
    return bool(first and second) and (first <= second or second <= first) and len(text.split()) <= 4
