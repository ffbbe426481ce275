"""The persona: the schema of one YAML file in a library.

Every statement carries how many respondents of the group it holds for, how many of all, what that was counted
from (`Basis`), and verbatim evidence. `persona.personas.evidence` proves all of it against the input.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1
"""The version of this schema. A file with a newer one was written by a newer Persona."""

_Text = Annotated[str, Field(min_length=1, max_length=5_000)]
_Short = Annotated[str, Field(min_length=1, max_length=1_000)]
_Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class _Strict(BaseModel):
    """Unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Count(_Strict):
    """How many of how many.

    Args:
        count: those for whom it holds.
        total: those who answered.
        share: count / total, to four places.
    """

    count: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]
    share: _Share

    @model_validator(mode="after")
    def _fits(self) -> Count:
        if self.count > self.total or abs(self.share - share_of(self.count, self.total)) > 0.0001:
            raise ValueError("count, total and share do not fit together")
        return self


def share_of(count: int, total: int) -> float:
    """Return count / total to four places; nothing of nothing is 0."""
    return round(count / total, 4) if total else 0.0


def counted(count: int, total: int) -> Count:
    """Return a `Count` with its share."""
    return Count(count=count, total=total, share=share_of(count, total))


def percent(share: float) -> str:
    """Return a share as people read it: ``62 %``."""
    return f"{share * 100:.0f} %"


class Evidence(_Strict):
    """Where in the input a statement comes from.

    Args:
        file: the file, relative to the input.
        record: the respondent's id in it.
        field: the question.
        quote: what the respondent answered, verbatim.
    """

    file: _Short
    record: _Short
    field: _Text
    quote: _Text


class Basis(_Strict):
    """What a statement was counted from.

    Args:
        field: the closed question; None if words were counted.
        answers: the answers that count.
        at_least: for numbers, the lowest that counts.
        at_most: for numbers, the highest that counts.
        mentions: stems of words; a respondent counts who uses one of them in any free text.
        open_fields: the questions with free text, beside what was said in interviews.
    """

    field: _Text | None = None
    answers: list[_Text] = []
    at_least: float | None = None
    at_most: float | None = None
    mentions: list[_Short] = []
    open_fields: list[_Text] = []

    @model_validator(mode="after")
    def _one_way(self) -> Basis:
        numeric = self.at_least is not None or self.at_most is not None
        if sum((bool(self.answers), numeric, bool(self.mentions))) != 1 or bool(self.mentions) == bool(self.field):
            raise ValueError("a basis is the answers or the range of a field, or mentions")
        return self


class Statement(_Strict):
    """Something that can be said about the group.

    Args:
        text: the statement, to be read.
        group: how many of the group's respondents it holds for.
        everyone: how many of all respondents, for comparison.
        distinct: whether the group differs in it from the others by more than chance would.
        basis: what was counted.
        evidence: answers that it rests on, verbatim.
    """

    text: _Text
    group: Count
    everyone: Count
    distinct: bool
    basis: Basis
    evidence: Annotated[list[Evidence], Field(min_length=1, max_length=20)]


class Members(_Strict):
    """The group's respondents out of one file, by their ids.

    They serve to trace statements, and to find a respondent who asks to be erased.
    """

    file: _Short
    records: Annotated[list[_Short], Field(min_length=1)]


class Coverage(_Strict):
    """How well the persona stands on its data.

    Args:
        statements: the share of statements with at least one verbatim evidence.
        members: the share of the group's respondents for whom at least half of the statements hold, out of
            those that they answered.
        input: the share of all respondents of the input who are in any group of the same run.
    """

    statements: _Share
    members: _Share
    input: _Share


class Generation(_Strict):
    """How it was made: the same of all of it gives the same bytes."""

    provider: _Short
    seed: int
    version: _Short


class Persona(_Strict):
    """A described archetype built from research data."""

    schema_version: Annotated[int, Field(ge=1)]
    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=200)]
    name: _Short
    title: _Short
    summary: _Text
    respondents: Count
    coverage: Coverage
    demographics: list[Statement]
    goals: list[Statement]
    pain_points: list[Statement]
    behaviours: list[Statement]
    motivations: list[Statement]
    quotes: list[Evidence]
    members: list[Members]
    generation: Generation

    def statements(self) -> list[Statement]:
        """Return goals, pain points, behaviours and motivations, in this order."""
        return [*self.goals, *self.pain_points, *self.behaviours, *self.motivations]


SECTIONS = {
    "goals": "Goals",
    "pain_points": "Pain points",
    "behaviours": "Behaviours",
    "motivations": "Motivations",
}
"""The kinds of statements, with their headings."""
