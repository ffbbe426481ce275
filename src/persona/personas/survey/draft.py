"""A survey while rules work on it: columns of answers, and what is already known of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from persona.errors import InputError
from persona.personas.sources.records import Answer, Dataset, Hint
from persona.personas.survey.questions import Question

MAX_PLACES = 20_000_000
"""The most answers and gaps of all columns, so that many small files with columns of their own fit into memory."""


class Draft:
    """Columns of answers, one place a respondent; rules take columns, change answers and decide on questions.

    Args:
        dataset: what was read.

    Attributes:
        columns: the answers by heading; None is a gap.
        hints: what the files say of the columns.
        decided: the questions that a rule has decided on, by name.
        missing: the answers that were taken for none, by heading.
        owner: the question that a column belongs to without being one of its options: the grid of a row, the question
            of an “Other (please specify)”.
        notes: what a researcher should know.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.records = dataset.records
        self.hints = dict(dataset.hints)
        self.columns = _columns(dataset)
        self.decided: dict[str, Question] = {}
        self.missing: dict[str, tuple[str, ...]] = {}
        self.owner: dict[str, str] = {}
        self.weights: tuple[float, ...] = ()
        self.notes: list[str] = []

    def hint(self, name: str) -> Hint:
        """Return what the files say of a column; nothing if they say nothing."""
        return self.hints.get(name, _NONE)

    def wording(self, name: str) -> str:
        """Return a question as people read it."""
        return self.hint(name).label or name

    def open(self) -> list[str]:
        """Return the columns that no rule has decided on."""
        return [name for name in self.columns if name not in self.decided]

    def counts(self, name: str) -> Counter[str]:
        """Return how often each answer is given; of several choices none."""
        counts = Counter(self.columns[name])
        return Counter({answer: count for answer, count in counts.items() if isinstance(answer, str)})

    def discard(self, name: str, answers: Iterable[str]) -> int:
        """Make gaps of some answers, and return how many there were."""
        gone = {*answers}
        column = self.columns[name]
        places = [i for i, answer in enumerate(column) if answer in gone]
        for i in places:
            column[i] = None
        self.missing[name] = tuple(sorted({*self.missing.get(name, ()), *gone}))
        return len(places)

    def rewrite(self, name: str, answers: Mapping[str, Answer]) -> None:
        """Put other answers in the place of some."""
        self.columns[name] = [
            answers.get(answer, answer) if isinstance(answer, str) else answer for answer in self.columns[name]
        ]

    def merge(self, name: str, members: Iterable[str], answers: list[Answer | None]) -> None:
        """Put one column in the place of the first of several, and remove these."""
        gone = {*members}
        first = next(each for each in self.columns if each in gone)
        merged: dict[str, list[Answer | None]] = {}
        for each, column in self.columns.items():
            if each == first:
                merged[name] = answers
            elif each not in gone:
                merged[each] = column
        self.columns = merged


_NONE = Hint()


def _columns(dataset: Dataset) -> dict[str, list[Answer | None]]:
    names = dict.fromkeys(dataset.hints)
    for record in dataset.records:
        names |= dict.fromkeys(record.fields)
    if len(names) * len(dataset.records) > MAX_PLACES:
        raise InputError(
            f"The input has {len(names):,} different questions for {len(dataset.records):,} respondents, "
            f"and {MAX_PLACES:,} answers and gaps are the limit.",
            hint="Give the same question the same heading in each file, or make personas of fewer files at once.",
        )
    columns: dict[str, list[Answer | None]] = {name: [None] * len(dataset.records) for name in names}
    for place, record in enumerate(dataset.records):
        for name, answer in record.fields.items():
            columns[name][place] = answer
    return columns


def some(names: Iterable[str], most: int = 5) -> str:
    """Return the first of some names in quotation marks, and how many more there are."""
    every = list(names)
    shown = ", ".join(f"“{name}”" for name in every[:most])
    return shown + (f" and {len(every) - most:,} more" if len(every) > most else "")
