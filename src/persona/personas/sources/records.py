"""What every reader of input returns: respondents as records, and notes on what was left out or assumed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from persona.personas.sources.limits import MAX_ID

if TYPE_CHECKING:
    from persona.personas.sources.turns import Interview

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "nil", "-", "--", "–", "—", "."})


Answer = str | tuple[str, ...]
"""What a respondent answered; a tuple holds several choices, in the order of the input."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that a respondent said in their own words.

    Args:
        field: the question it answers, or where it stands: ``turn 4``, ``paragraph 2``.
        text: the words, with runs of white space as single spaces.
        topics: what a researcher coded it as.
        file: the file that it stands in, if that is not the respondent's first; "" otherwise.
    """

    field: str
    text: str
    topics: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One respondent.

    Args:
        file: the file's name, relative to the input; the first of them where one person speaks in several.
        id: the respondent's id in that file, or ``row 12`` where the file gives none; unique within the file.
        fields: answers by question, gaps left out.
        passages: turns of an interview and the like.
    """

    file: str
    id: str
    fields: Mapping[str, Answer]
    passages: tuple[Passage, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What names the respondent within the data set."""
        return self.file, self.id

    @property
    def keys(self) -> set[tuple[str, str]]:
        """What names the respondent in each file that holds something of them: evidence names one of these."""
        return {self.key, *((passage.file, self.id) for passage in self.passages if passage.file)}

    def texts(self, name: str, file: str = "") -> list[str]:
        """Return everything that the respondent said under a field or question, in one file (the first if "")."""
        first = file in ("", self.file)
        said = [
            passage.text
            for passage in self.passages
            if passage.field == name and (passage.file or self.file) == (file or self.file)
        ]
        return [*parts(self.fields[name]), *said] if first and name in self.fields else said

    def source(self, name: str, quote: str) -> str:
        """Return the file that a quote of what the respondent said under a field or question stands in."""
        found = (said.file for said in self.passages if said.file and said.field == name and quote in said.text)
        return self.file if quote in "\n".join(self.texts(name)) else next(found, self.file)


def parts(answer: Answer) -> tuple[str, ...]:
    """Return the choices of an answer; one that is not several is the only one."""
    return answer if isinstance(answer, tuple) else (answer,)


@dataclass(frozen=True)
class Hint:
    """What a file says of one of its columns beside the heading.

    Args:
        label: the wording of the question; "" if the heading is all there is.
        question: the question of which the column is one option; "" if it is a question of its own.
        option: that option.
        categories: the answers that the file allows, in its order, as from value labels.
        missing: the answers that the file declares to be none.
        metadata: whether the software wrote it rather than a respondent.
    """

    label: str = ""
    question: str = ""
    option: str = ""
    categories: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    metadata: bool = False


@dataclass
class Dataset:
    """All respondents of an input.

    Args:
        records: in the order of the files' names and of the rows in them.
        notes: what a researcher should know: skipped files, guessed encodings, renamed headings.
        hints: what the files say of their columns, by heading; a table has one for each column, in its order.
        left_out: how many rows or speakers are no respondents, by the reason.
        speakers: the names of all who speak in interviews, the interviewers' too: they are never themes.
        interviews: interviews whose speakers are not parted into respondents and interviewers yet.
        digest: the SHA-256 of the file; of several files, of what ``sha256sum`` prints for them in their order.
    """

    records: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hints: dict[str, Hint] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    speakers: set[str] = field(default_factory=set)
    interviews: list[Interview] = field(default_factory=list)
    digest: str = ""

    def extend(self, other: Dataset) -> None:
        """Add the respondents, notes and hints of another input."""
        self.records += other.records
        self.notes += other.notes
        self.hints |= {name: hint for name, hint in other.hints.items() if hint != Hint() or name not in self.hints}
        self.left_out += other.left_out
        self.speakers |= other.speakers
        self.interviews += other.interviews


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


RESPONDENT = (
    r"(?:respondent|participant|interviewee|informant"
    r"|teilnehme(?:r|rin|nde|nder)|teilnehmer(?:[*:_/]|/-)?in|proband(?:[*:_]?in)?|befragter?|respondente|rispondente"
    r"|répondante?|enquêtée?|interviewée?|participante?|encuestad[oa]|entrevistad[oa]|partecipante|intervistat[oa]"
    r"|deelne(?:mer|emster)|geïnterviewde|参加者|回答者|対象者)"
)
"""What calls a respondent, in the languages of the exports."""
_NUMBERED = r"(?:[ ._-]*(?:id|nr|no\.?|number|code|key|uuid|#|nummer|numéro|número|kennung|番号))?"

ID_HEADING = re.compile(
    rf"{RESPONDENT}{_NUMBERED}|(?:respondent|resp|participant|response|record|user|interviewee|subject|case|person|customer|survey|submission"
    r"|instance|panelist|prolific|worker|serial|panel|teilnehmer|antwort|fall)?[ ._-]*"
    r"(?:id|nr|no\.?|number|code|key|uuid|pid|#)|column 1|kürzel|pseudonym"
    r"|id\. (?:response|antwort) id",  # LimeSurvey
    re.IGNORECASE,
)
"""What the heading of a column says that holds the respondents' ids."""


_WHO = re.compile(rf"{RESPONDENT}{_NUMBERED}", re.IGNORECASE)
_MOST = 0.5
"""The share of rows with an id that no other has, from which on the others are exceptions."""


def id_column(
    headings: Sequence[str], values_of: Callable[[int], Sequence[str]], *, repeated: bool = True
) -> int | None:
    """Return the place of the column that holds the ids of respondents, None if there is none.

    It is the first whose heading says so and whose values are all there and all differ. Else it is the one of which
    half at least do: where two rows have one id, all others keep theirs.

    Args:
        headings: one a column; "" is “column 1” and so on.
        values_of: gives the values of a column, by its place; "" is a gap.
        repeated: whether a column will do of which no value is alone, if its heading names respondents.
    """
    best: tuple[float, int] | None = None
    for place, heading in enumerate(headings):
        plain = heading.strip() or f"column {place + 1}"
        if not ID_HEADING.fullmatch(plain):
            continue
        values = values_of(place)
        if not values or any(len(value) > MAX_ID for value in values):
            continue
        alone = sum(count == 1 for count in _times(values).values()) / len(values)
        if alone == 1:
            return place
        if (alone >= _MOST or (repeated and _WHO.fullmatch(plain) and any(values))) and (
            best is None or alone > best[0]
        ):
            best = alone, place
    return best[1] if best else None


def _times(values: Iterable[str]) -> Counter[str]:
    """Return how often each value is there, in the form in which ids are compared."""
    return Counter(unicodedata.normalize("NFC", value) for value in values if value)


def identify(rows: Iterable[Mapping[str, str]], headings: Iterable[str]) -> list[str]:
    """Return an id for each row, all different: the value of `id_column`, otherwise ``row 1``, ``row 2``, ….

    Two rows of one id are two respondents, ``P7 (row 7)`` and ``P7 (row 12)``: a search for P7 finds both.
    """
    table, names = list(rows), list(headings)
    place = id_column(names, lambda place: [row.get(names[place], "") for row in table])
    values = [row.get(names[place], "") for row in table] if place is not None else [""] * len(table)
    times = _times(values)
    ids, taken = [], {value for value in values if times[unicodedata.normalize("NFC", value)] == 1}
    for number, value in enumerate(values, start=1):
        each = value
        if value not in taken:
            each = f"{value} (row {number})" if value else f"row {number}"
            while each in taken:  # somebody's own id reads “row 3”
                each += "'"
            taken.add(each)
        ids.append(each)
    return ids


def id_note(name: str, ids: Sequence[str]) -> str:
    """Return what to say of ids that are not all of the respondents' own, "" if they are, or if none is.

    Args:
        name: the file.
        ids: as `identify` gives them.
    """
    shared = [each for each in ids if re.search(r".\(row \d+\)'*$", each)]
    none = [each for each in ids if re.fullmatch(r"row \d+'*", each)]
    if not shared and (not none or len(none) == len(ids)):
        return ""
    parts = [f"{len(shared):,} rows share their id with others, as “{shared[0]}”"] if shared else []
    parts += [f"{len(none):,} have no id, as “{none[0]}”"] if none else []
    return f"{name}: {'; '.join(parts)}. Each row is a respondent."
