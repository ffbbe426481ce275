"""What every reader of input returns: respondents as records, and notes on what was left out or assumed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from persona.personas.sources.limits import MAX_ID

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "nil", "-", "--", "–", "—", "."})


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that a respondent said in their own words.

    Args:
        field: the question it answers, or where it stands: ``turn 4``, ``paragraph 2``.
        text: the words, with runs of white space as single spaces.
    """

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """One respondent.

    Args:
        file: the file's name, relative to the input.
        id: the respondent's id in that file, or ``row 12`` where the file gives none; unique within the file.
        fields: answers by question, gaps left out.
        passages: turns of an interview and the like.
    """

    file: str
    id: str
    fields: Mapping[str, str]
    passages: tuple[Passage, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What names the respondent within the data set."""
        return self.file, self.id

    def texts(self, name: str) -> list[str]:
        """Return everything that the respondent said under a field or question."""
        said = [passage.text for passage in self.passages if passage.field == name]
        return [self.fields[name], *said] if name in self.fields else said


@dataclass
class Dataset:
    """All respondents of an input.

    Args:
        records: in the order of the files' names and of the rows in them.
        notes: what a researcher should know: skipped files, guessed encodings, renamed headings.
    """

    records: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def extend(self, other: Dataset) -> None:
        """Add the respondents and notes of another input."""
        self.records += other.records
        self.notes += other.notes


def tidy(text: str) -> str:
    """Return text with runs of white space as one space, without control characters and lone surrogates."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # as nearly all are
    safe = text.encode("utf-8", "replace").decode("utf-8")
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in safe)
    return re.sub(r"\s+", " ", plain).strip()


def is_missing(text: str) -> bool:
    """Say whether a cell is a gap rather than an answer."""
    return text.lower() in _MISSING


ID_HEADING = re.compile(
    r"(?:respondent|participant|response|record|user|interviewee|subject|case|person|customer|survey)?[ _-]*"
    r"(?:id|nr|no\.?|number|code|key|uuid|#)|respondent|participant|interviewee|column 1",
    re.IGNORECASE,
)
"""What the heading of a column says that holds the respondents' ids."""


def identify(rows: Iterable[Mapping[str, str]], headings: Iterable[str]) -> list[str]:
    """Return an id for each row: out of the first column that is one, otherwise ``row 1``, ``row 2``, ….

    A column is an id if its heading says so and its values are all there and all differ.
    """
    table = list(rows)
    for heading in headings:
        if not ID_HEADING.fullmatch(heading.strip()):
            continue
        ids = [row.get(heading, "") for row in table]
        if all(0 < len(each) <= MAX_ID for each in ids) and len(set(ids)) == len(ids):
            return ids
    return [f"row {number}" for number in range(1, len(table) + 1)]
