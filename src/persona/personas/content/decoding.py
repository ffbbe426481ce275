"""Tells text by its bytes, whatever the name of the file, and maps characters back to the bytes that they came from.

`readings` gives each way to read the bytes that makes sense:

1. A byte order mark decides (UTF-8, UTF-16, UTF-32).
2. Bytes with NUL are UTF-32 or UTF-16 without a mark, or no text.
3. Valid UTF-8 is UTF-8, or ISO-2022-JP if it has the escape sequences of that encoding.
4. All else is an older encoding. Nothing in the file says which, so all that fit are returned, the likeliest first.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from persona.errors import InputError
from persona.personas.content.likelihood import likelihood

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_EAST_ASIAN = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
_SINGLE_BYTE = (
    "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "latin-1", "iso8859_2",
    "iso8859_5", "iso8859_7", "iso8859_15", "koi8_r", "cp866", "cp850", "cp437", "mac_roman",
)  # fmt: skip
_RARE = (
    "iso8859_3", "iso8859_4", "iso8859_6", "iso8859_8", "iso8859_9", "iso8859_10", "iso8859_11", "iso8859_13",
    "iso8859_14", "iso8859_16", "koi8_u", "koi8_t", "ptcp154", "cp437", "cp720", "cp737", "cp775", "cp852", "cp855",
    "cp857", "cp858", "cp860", "cp861", "cp862", "cp863", "cp864", "cp865", "cp869", "cp874", "cp1006", "cp1125",
    "mac_croatian", "mac_cyrillic", "mac_greek", "mac_iceland", "mac_latin2", "mac_roman", "mac_romanian",
    "mac_turkish", "johab", "big5hkscs",
)  # fmt: skip
"""Encodings in which a name is searched for as bytes, since whole texts in each would take too much memory."""
_CONTROLS = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
_HIGH_WORD = re.compile(rb"[^\s,;:|\"()<>]*[\x80-\xff][^\s,;:|\"()<>]*")
_HIGH = re.compile(r"[^\0-\x7f]")
_MAX_CONTROLS = 0.05
"""The share of control characters above which bytes are no text."""
_MIN_TEXT = 0.8
"""The share of bytes that are no zeros in a text in which a crash left some."""


class Text(NamedTuple):
    """The text of some bytes.

    Args:
        text: the characters, without a byte order mark.
        encoding: the codec.
        mark: the byte order mark.
        data: all bytes.
        errors: how the codec treats bytes that it cannot decode.
    """

    text: str
    encoding: str
    mark: bytes
    data: bytes
    errors: str = "strict"

    def may_hold(self, subject: str) -> bool:
        """Say whether an id that is not of ASCII alone may be in the text, by its first word in the encoding."""
        word = subject.split()[0]
        for form in {word, unicodedata.normalize("NFD", word)}:
            try:
                if form.encode(self.encoding) in self.data:
                    return True
            except UnicodeEncodeError:
                continue
        return False

    def without(self, spans: Sequence[tuple[int, int]]) -> bytes:
        """Return the bytes without some spans of characters; all other bytes are kept as they are.

        Raises:
            InputError: the encoding shifts states, so that a cut would change the meaning of the bytes behind it.
        """
        return self.replaced([(start, end, "") for start, end in spans])

    def replaced(self, edits: Sequence[tuple[int, int, str]]) -> bytes:
        """Return the bytes with other text in place of some spans of characters."""
        if self.encoding == "iso2022_jp":
            raise InputError("Text in ISO-2022-JP cannot be cut.")
        merged = _merged(edits)
        offsets = self._offsets(sorted({place for start, end, _ in merged for place in (start, end)}))
        kept, last = [], 0
        for start, end, text in merged:
            kept += [self.data[last : offsets[start]], text.encode(self.encoding, self.errors)]
            last = offsets[end]
        return b"".join([*kept, self.data[last:]])

    def _offsets(self, places: Sequence[int]) -> dict[int, int]:
        """Return the byte at which each of some characters begins."""
        found, offset, last = {}, len(self.mark), 0
        if self.text.encode(self.encoding, self.errors) == self.data[len(self.mark) :]:
            for place in places:
                offset += len(self.text[last:place].encode(self.encoding, self.errors))
                found[place], last = offset, place
            return found
        decoder = codecs.getincrementaldecoder(self.encoding)(self.errors)  # two byte sequences for one character
        wanted, count = iter([*places, -1]), 0
        place = next(wanted)
        for offset in range(len(self.mark), len(self.data) + 1):
            if place == count and decoder.getstate()[0] == b"":
                found[place], place = offset, next(wanted)
            count += len(decoder.decode(self.data[offset : offset + 1]))
        return found


def readings(data: bytes) -> list[Text]:
    """Return all ways to read some bytes as text, the likeliest first; none if they are no text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            read = _read(data, encoding, mark)
            return [read] if read else []
    if b"\0" in data:
        if plain := _with_stray_zeros(data):
            return [plain]
        wide = [_read(data, encoding) for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")]
        return [each for each in wide if each and _is_wide_text(each)][:1]
    utf_8 = _read(data, "utf-8")
    if utf_8:
        shifted = _read(data, "iso2022_jp") if b"\x1b$" in data or b"\x1b(" in data else None
        return [shifted or utf_8]
    if _is_ebcdic(data) and (read := _read(data, "cp037")):
        return [read]
    return [*_nearly_utf_8(data), *_older(data)]


def others(data: bytes, first: Text) -> list[Text]:
    """Return the words with bytes beyond ASCII as the other encodings have them that fit a text.

    Args:
        data: the bytes.
        first: how they are read first; nothing is returned if that is sure.
    """
    if first.encoding.startswith("utf"):
        return []
    words = b"\n".join({*_HIGH_WORD.findall(data)})
    rare = (_read(words, encoding) for encoding in _RARE)
    return [read for read in (*readings(words), *rare) if read and read.encoding != first.encoding]


def may_stand_in(data: bytes, first: Text, subject: str) -> bool:
    """Say whether a name stands in bytes of an encoding that is not tried otherwise, or of several.

    Args:
        data: the bytes.
        first: how they are read first.
        subject: the name.
    """
    if "\0" in first.text or first.encoding.startswith(("utf-16", "utf-32")):  # perhaps with other text behind it
        return subject.encode() in data.replace(b"\0", b"")
    if first.encoding.startswith("utf-8") and first.errors == "strict":
        return False
    forms = {unicodedata.normalize(form, subject) for form in ("NFC", "NFD")}
    return not subject.isascii() and any(_encoded(form, encoding) in data for form in forms for encoding in _RARE)


def _encoded(text: str, encoding: str) -> bytes:
    """Return a text in an encoding; bytes that stand nowhere if it has not all of the characters."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return b"\0\0\0\0\0\0\0\0"


def is_text(data: bytes) -> bool:
    """Say whether bytes, or the first of them, are text."""
    return bool(readings(data)) or any(readings(data[:-cut]) for cut in (1, 2, 3) if len(data) > cut)


def _read(data: bytes, encoding: str, mark: bytes = b"", errors: str = "strict") -> Text | None:
    try:
        text = data[len(mark) :].decode(encoding, errors)
    except (UnicodeDecodeError, ValueError):
        return None
    controls = len(_CONTROLS.findall(text))
    return Text(text, encoding, mark, data, errors) if controls <= len(text) * _MAX_CONTROLS else None


def _is_wide_text(read: Text) -> bool:
    """Say whether text of two or four bytes a character, without a mark, is text and no accident."""
    counts = Counter(read.text)
    odd = sum(count for c, count in counts.items() if c == "\0" or unicodedata.category(c) in ("Cn", "Co", "Cs"))
    latin = sum(count for c, count in counts.items() if c < "\x80")
    needed = read.data.count(0) / (2 if read.encoding.startswith("utf-16") else 6)
    return odd == 0 and latin > 0 and latin >= needed


def _with_stray_zeros(data: bytes) -> Text | None:
    """Return a text of one byte a character in which zeros stand, as a crash leaves them; None if it is none."""
    rest = data.replace(b"\0", b"")
    ascii_only = sum(1 for byte in rest if 9 <= byte < 127)
    if len(rest) < len(data) * _MIN_TEXT or ascii_only < len(rest) * (1 - _MAX_CONTROLS):
        return None
    return _read(data, "utf-8")


def _is_ebcdic(data: bytes) -> bool:
    """Say whether bytes are text of IBM's mainframes: its space is 0x40, and ASCII's control characters are absent."""
    return data.count(b"\x40") * 20 > len(data) and not any(data.count(byte) for byte in (b" ", b"\n", b"\r"))


def _nearly_utf_8(data: bytes) -> Iterator[Text]:
    """Yield a text in UTF-8 in which some bytes are damaged, or of another encoding."""
    read = _read(data, "utf-8", errors="surrogateescape")
    if read:
        high = _HIGH.findall(read.text)
        if sum("\udc80" <= c <= "\udcff" for c in high) <= len(high) / 2:
            yield read


def _older(data: bytes) -> list[Text]:
    """Return the texts in encodings from before Unicode that the bytes allow."""
    every = [read for encoding in (*_SINGLE_BYTE, *_EAST_ASIAN) if (read := _read(data, encoding))]
    return sorted(every, key=lambda read: -likelihood(read.text, read.encoding))


def _merged(edits: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return edits in order, those that touch or overlap as one."""
    merged: list[tuple[int, int, str]] = []
    for start, end, text in sorted(edits):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], end), before[2] + text)
        else:
            merged.append((start, end, text))
    return merged
