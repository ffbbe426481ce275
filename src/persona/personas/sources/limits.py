"""How much input is taken: research data is far smaller, and all of it is held in memory.

Each limit keeps what a hostile file can make of one gigabyte of memory far below: 500 MB is never reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from persona.errors import InputError

MAX_FILE_BYTES = 16 * 1024 * 1024
"""The largest input file, in bytes, that is no table."""
MAX_TABLE_BYTES = 64 * 1024 * 1024
"""The largest table, in bytes."""
MAX_TOTAL_BYTES = 64 * 1024 * 1024
"""The most bytes of all files of one input."""
MAX_EXPANDED = 512 * 1024 * 1024
"""The most bytes that one compressed document expands to; they are read in parts, and not held."""
MAX_MEMBERS = 20_000
"""The most files in one compressed document."""
MAX_TEXT = 128 * 1024 * 1024
"""The most bytes of memory of all texts of a workbook or a project, each counted once."""
MAX_DECODED = 160 * 1024 * 1024
"""The most bytes of memory of the text of one file: beside an emoji each character takes four."""
MAX_FILES = 10_000
"""The most files of one input folder."""
MAX_ENTRIES = 100_000
"""The most files and folders that are looked at for them."""
MAX_NAME = 500
"""The longest name of an input file, relative to the input, in characters."""
MAX_LINES = 300_000
"""The most lines of one file."""
MAX_LINE = 1024 * 1024
"""The longest line, in characters."""
MAX_COLUMNS = 5_000
"""The most columns of a table."""
MAX_CELLS = 2_000_000
"""The most cells of a table that are no gaps."""
MAX_MARKS = 2_000_000
"""The most commas, colons and opening brackets of a JSON file, which bound what it makes in memory."""
MAX_RECORDS = 100_000
"""The most respondents of one input."""
MAX_HEADING = 500
"""The longest question or key, in characters."""
_LINE = re.compile(r"[^\r\n]+(?:\r\n|\r|\n)?|\r\n|\r|\n")
_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # what str.splitlines ends a line at
MAX_ID = 200
"""The longest respondent's id, in characters; a column with longer ones is none of ids."""


def too_large(name: str, size: int, limit: int | None = None) -> InputError:
    """Return the error for a file, or all files, over a limit (a file's, if not given); sizes in bytes."""
    limit = limit or MAX_FILE_BYTES
    return InputError(
        f"{name} is too large: {size / 1024 / 1024:,.1f} MiB, and {limit // (1024 * 1024)} MiB is the limit.",
        hint="Split it, or leave out what is not research data.",
    )


def too_expansive(name: str) -> InputError:
    """Return the error for a compressed document that expands to more than is read."""
    return InputError(
        f"{name} expands to more than {MAX_EXPANDED // (1024 * 1024)} MiB, which is the limit.",
        hint="Split it, or leave out what is not research data.",
    )


def too_much_text(name: str, limit: int) -> InputError:
    """Return the error for texts that take more than a limit in bytes of memory."""
    return InputError(
        f"{name} holds too much text: in memory it takes more than {limit // (1024 * 1024)} MiB, which is the limit.",
        hint="Split it, or leave out what is not research data.",
    )


def too_many(name: str, what: str, limit: int) -> InputError:
    """Return the error for more of something in one input than is taken."""
    return InputError(
        f"{name} has more than {limit:,} {what}, which is the limit.",
        hint="Split it, or leave out what is not research data.",
    )


def too_long(place: str, size: int, limit: int) -> InputError:
    """Return the error for one thing of more characters than is taken."""
    return InputError(
        f"{place} is {size:,} characters long, and {limit:,} is the limit.",
        hint="Check that the file is what its name says, and that no quotation mark is left open.",
    )


def check_lines(name: str, text: str) -> None:
    """Check how many lines a text has.

    Raises:
        InputError: they are too many.
    """
    if sum(text.count(end) for end in _LINE_ENDS) > 2 * MAX_LINES or text.count("\n") > MAX_LINES:
        raise too_many(name, "lines", MAX_LINES)


def lines_of(name: str, text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends.

    Raises:
        InputError: one is too long.
    """
    for number, match in enumerate(_LINE.finditer(text), start=1):  # a StringIO would hold four bytes a character
        if match.end() - match.start() > MAX_LINE:
            raise too_long(f"{name}, line {number}", match.end() - match.start(), MAX_LINE)
        yield match[0]
