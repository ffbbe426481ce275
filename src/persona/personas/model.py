"""The persona: the schema of one YAML file in a library.

Every statement carries how many respondents of the group it holds for, how many of the rest, what was counted
(`Basis`), and verbatim evidence. `persona.personas.evidence` proves all of it against the input.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 2
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
        count: respondents for whom it holds.
        total: respondents who answered.
        share: count / total, or the weighted share, to four places.
        weighted: whether the share is of survey weights; count and total are always of respondents.
    """

    count: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]
    share: _Share
    weighted: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Count:
        plain = self.weighted or abs(self.share - share_of(self.count, self.total)) <= 0.0001
        if self.count > self.total or not plain:
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
        field: the closed question; None if words or topics were counted.
        answers: the answers that count.
        at_least: for numbers, the lowest that counts.
        at_most: for numbers, the highest that counts.
        said: words or phrases. Of each list a respondent must use one form, and all lists in one sentence. A form
            counts as whole words in a row, in any case.
        topics: topics that a researcher coded; a respondent counts with a passage of one of them.
        open_fields: the questions with free text, beside what was said in interviews.
    """

    field: _Text | None = None
    answers: list[_Text] = []
    at_least: float | None = None
    at_most: float | None = None
    said: list[Annotated[list[_Short], Field(min_length=1)]] = []
    topics: list[_Short] = []
    open_fields: list[_Text] = []

    @model_validator(mode="after")
    def _one_way(self) -> Basis:
        closed = bool(self.answers) + (self.at_least is not None or self.at_most is not None)
        spoken = bool(self.said) + bool(self.topics)
        if closed + spoken != 1 or bool(closed) != (self.field is not None):
            raise ValueError("a basis is the answers or the range of a field, or words, or topics")
        return self


StatementKind = Literal["defining", "descriptive", "shared"]
"""``defining``: its question made the group, so that no test of it is valid. ``descriptive``: the group differs in it
from the rest, at a false discovery rate of 5 %. ``shared``: most of the group and of the rest have it in common."""


class Statement(_Strict):
    """Something that can be said about the group.

    Args:
        text: the statement, to be read.
        group: how many of the group's respondents it holds for.
        rest: how many of all other respondents; 0 of 0 if there are none.
        kind: how it is to be taken.
        basis: what was counted.
        evidence: answers that it rests on, verbatim.
    """

    text: _Text
    group: Count
    rest: Count
    kind: StatementKind
    basis: Basis
    evidence: Annotated[list[Evidence], Field(min_length=1, max_length=20)]


class Section(_Strict):
    """Statements under a heading that a codebook gives."""

    heading: _Short
    statements: list[Statement]


class AnswerShare(_Strict):
    """One answer to a question about who the respondents are.

    Args:
        text: the answer, or the range of numbers.
        group: how many of the group give it.
        rest: how many of all other respondents.
        differs: ``more`` or ``less`` if the group differs from the rest; "" if not.
        answers: the answers that count.
        at_least: for numbers, the lowest that counts.
        at_most: for numbers, the highest that counts.
    """

    text: _Text
    group: Count
    rest: Count
    differs: Literal["", "more", "less"] = ""
    answers: list[_Text] = []
    at_least: float | None = None
    at_most: float | None = None


class Distribution(_Strict):
    """The answers to one question about who the respondents are.

    Args:
        field: the question, as the input has it.
        label: the question, to be read.
        shares: its answers.
    """

    field: _Text
    label: _Text
    shares: list[AnswerShare]


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
            those that they answered; what is shared with the rest does not count.
        input: the share of all respondents of the input who are in any group of the same run.
    """

    statements: _Share
    members: _Share
    input: _Share


Structure = Literal["reproducible", "exploratory", "constructed", "none", "by"]
"""How far the groups of a run can be trusted; see `persona.personas.generate.grouping`."""


class Generation(_Strict):
    """How it was made: the same of all of it gives the same bytes.

    Args:
        provider: who made it.
        seed: of what was drawn by chance.
        version: of Persona.
        structure: how far the groups can be trusted.
        groups: how many groups the respondents were parted into; 1 is a profile of everybody.
    """

    provider: _Short
    seed: int
    version: _Short
    structure: Structure
    groups: Annotated[int, Field(ge=1)]


class Persona(_Strict):
    """A described archetype built from research data.

    Goals, pain points, behaviours and motivations hold what questions that ask for them say; the answers to all
    other questions are in `sets_apart`, and what was said in free text in `themes`.
    """

    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION)]
    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=200)]
    name: _Short
    title: _Short
    summary: _Text
    respondents: Count
    coverage: Coverage
    goals: list[Statement]
    pain_points: list[Statement]
    behaviours: list[Statement]
    motivations: list[Statement]
    sets_apart: list[Statement]
    sections: list[Section] = []
    themes: list[Statement]
    shared: list[Statement]
    demographics: list[Distribution]
    quotes: list[Evidence]
    members: list[Members]
    generation: Generation

    def parts(self) -> list[tuple[str, str, list[Statement]]]:
        """Return the statements by section: its key, its heading, what is in it."""
        own = [(section.heading, section.heading, section.statements) for section in self.sections]
        headings = SECTIONS | ({"shared": "What most of them say"} if self.generation.groups == 1 else {})
        fixed = {key: (key, heading, list(getattr(self, key))) for key, heading in headings.items()}
        last = [fixed.pop("themes"), fixed.pop("shared")]
        return [*fixed.values(), *own, *last]

    def statements(self) -> list[Statement]:
        """Return all statements, in the order of their sections."""
        return [statement for _, _, statements in self.parts() for statement in statements]


SECTIONS = {
    "goals": "Goals",
    "pain_points": "Pain points",
    "behaviours": "Behaviours",
    "motivations": "Motivations",
    "sets_apart": "What sets them apart",
    "themes": "In their own words",
    "shared": "As everybody",
}
"""The kinds of statements, with their headings."""
