"""Bytes of an input file as text."""

from __future__ import annotations

import codecs

from persona.errors import InputError
from persona.personas.content.decoding import readings

_MARKED = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SAMPLE = 262_144
"""How many bytes of lines beyond ASCII tell an encoding."""
_LEAST_ZEROS = 8
_LEAST_LINE_ENDS = 0.3
"""The share of bytes 0x0A that are line ends in wide text, at least; others are halves of characters such as 上."""
_NAMES = {
    "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1252": "Windows-1252", "cp1253": "Windows-1253",
    "cp1254": "Windows-1254", "cp1255": "Windows-1255", "cp1256": "Windows-1256", "cp1257": "Windows-1257",
    "cp1258": "Windows-1258", "cp932": "Shift-JIS", "euc_jp": "EUC-JP", "iso2022_jp": "ISO-2022-JP", "gb18030": "GB1803"
    "0",
    "big5": "Big5", "cp949": "EUC-KR", "koi8_r": "KOI8-R", "latin-1": "ISO-8859-1", "mac_roman": "Mac Roman",
    "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32-le": "UTF-32", "utf-32-be": "UTF-32",
}  # fmt: skip


def decode(name: str, data: bytes) -> tuple[str, list[str]]:
    """Return the text of a file, and a note where its encoding was a guess.

    It is UTF-8, UTF-16 or UTF-32, each with or without a byte order mark, otherwise the older encoding that makes the
    likeliest text of it: Shift-JIS, GB18030, Windows-1250 to 1258 and the like.

    Raises:
        InputError: the bytes are no text.
    """
    for mark, encoding in _MARKED:
        if data.startswith(mark):
            return _strictly(name, data, encoding), []
    if b"\0" in data:
        return _without_mark(name, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _older(name, data, error.start)
    if b"\x1b$" in data and (found := readings(data)) and found[0].encoding == "iso2022_jp":
        return found[0].text, [f"{name} was read as {_NAMES['iso2022_jp']}."]
    return text, []


def _without_mark(name: str, data: bytes) -> tuple[str, list[str]]:
    """Return text of two or four bytes a character that does not say so."""
    sample = data[: _SAMPLE - _SAMPLE % 4]
    found = readings(sample)
    if not found or not found[0].encoding.startswith(("utf-16", "utf-32")) or sample.count(0) < _LEAST_ZEROS:
        raise _binary(name)
    if found[0].text.count("\n") < _LEAST_LINE_ENDS * sample.count(b"\n"):  # text of one byte a character, with zeros
        raise _binary(name)
    encoding = found[0].encoding
    return _strictly(name, data, encoding), [f"{name} has no byte order mark; it was read as {_NAMES[encoding]}."]


def _older(name: str, data: bytes, place: int) -> tuple[str, list[str]]:
    """Return text that is not UTF-8 in the likeliest encoding that can read all of it."""
    sample, lines = 0, set[bytes]()
    for line in data.split(b"\n"):
        if not line.isascii() and line not in lines:
            lines.add(line)
            sample += len(line)
            if sample > _SAMPLE:
                break
    for found in readings(b"\n".join(sorted(lines))):
        if found.encoding == "utf-8":  # nearly: some bytes are damaged
            text = data.decode("utf-8", "replace").lstrip("\ufeff")
            return text, [
                f"{name} is not all UTF-8 (byte {place + 1}); {text.count(chr(0xFFFD)):,} characters are lost."
            ]
        try:
            text = data.decode(found.encoding)
        except UnicodeDecodeError:
            continue
        shown = _NAMES.get(found.encoding, found.encoding.replace("_", "-").upper())
        return text, [f"{name} is not UTF-8 (byte {place + 1}); it was read as {shown}."]
    raise _binary(name)


def _strictly(name: str, data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _binary(name) from error
    if "\0" in text:
        raise _binary(name)
    return text


def _binary(name: str) -> InputError:
    return InputError(
        f"{name} is not a text file.", hint="Export it as CSV, JSON or plain text in UTF-8, and try again."
    )
