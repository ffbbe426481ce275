"""Bytes of an input file as text."""

from __future__ import annotations

from persona.errors import InputError

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def decode(name: str, data: bytes) -> tuple[str, list[str]]:
    """Return the text of a file, and a note where its encoding was a guess.

    It is UTF-8 with or without a byte order mark, UTF-16 with one, otherwise Windows-1252.

    Raises:
        InputError: the bytes are no text.
    """
    if data.startswith(_UTF16):
        return _strictly(name, data, "utf-16"), []
    if b"\0" in data:
        raise _binary(name)
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        position = error.start
    note = f"{name} is not UTF-8 (byte {position + 1}); it was read as Windows-1252."
    return _strictly(name, data, "cp1252"), [note]


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
