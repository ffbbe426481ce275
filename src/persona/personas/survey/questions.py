"""One question of a survey: what kind it is, what it is used for, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What can be done with the answers to a question; the values are a codebook's words."""

    EMPTY = "empty"
    CONSTANT = "constant"
    ID = "id"
    DATE = "date"
    METADATA = "metadata"
    WEIGHT = "weight"
    NUMBER = "number"
    SCALE = "scale"
    CHOICE = "choice"
    MULTIPLE = "multiple"
    TEXT = "text"


class Use(Enum):
    """What a question does in a run."""

    DRIVE = "drive"
    """It makes groups, and describes them."""
    DESCRIBE = "describe"
    """It describes groups, and makes none."""
    IGNORE = "ignore"


CLOSED = frozenset({Kind.NUMBER, Kind.SCALE, Kind.CHOICE, Kind.MULTIPLE})
"""The kinds whose answers can be counted."""


@dataclass(frozen=True)
class Question:
    """One question, as it was understood or as a codebook says it.

    Args:
        name: what evidence calls it: the heading as the input has it. Unique in a survey.
        kind: what can be done with its answers.
        use: what it does in a run.
        why: why it is of this kind and use, for a researcher; "" if a codebook says so.
        label: the question's wording, where the input has one beside the heading; "" otherwise.
        categories: the answers that can be counted: of a scale from low to high, otherwise the most frequent first.
            An answer that is not among them, as where there are too many, counts as something else.
        missing: answers that stand for no answer.
        columns: the headings of the columns that it was read from; empty if there is one, of its own name.
        section: the section of a persona that its statements belong to; "" leaves it to the wording.
        about: whether it tells who a respondent is rather than what they do or think.
        sensitive: whether it is of a special category (health, origin, orientation, religion, politics).
        of: the question that it belongs to: the grid of which it is a row, or the question whose “Other” it words; ""
            if it stands alone.
    """

    name: str
    kind: Kind
    use: Use
    why: str = ""
    label: str = ""
    categories: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    section: str = ""
    about: bool = False
    sensitive: bool = False
    of: str = ""

    @property
    def wording(self) -> str:
        """The question as people read it."""
        return self.label or self.name

    @property
    def closed(self) -> bool:
        """Whether its answers can be counted."""
        return self.kind in CLOSED and self.use is not Use.IGNORE
