"""A data set whose questions are understood: what a run is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from persona.personas.sources.records import Answer, Record
from persona.personas.survey.questions import Question


@dataclass
class Survey:
    """Respondents and the questions that they were asked.

    Args:
        respondents: with their answers as they count: missing codes are gone, several choices are a tuple, which is
            empty if the question was answered by ticking nothing.
        questions: in the order of the input; each respondent's fields are among their names.
        weights: the survey weight of each respondent; empty if there is none.
        read: how many respondents the input has, with those who were left out.
        left_out: how many of them were left out, by the reason.
        notes: what a researcher should know of how the input was read.
        speakers: the names of all who speak in interviews, the interviewers' too: they are never themes.
    """

    respondents: list[Record]
    questions: list[Question]
    weights: tuple[float, ...] = ()
    read: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    speakers: frozenset[str] = frozenset()

    def answers(self, question: Question) -> tuple[Answer | None, ...]:
        """Return the answer of each respondent to a question; None is a gap."""
        return tuple([respondent.fields.get(question.name) for respondent in self.respondents])

    def columns(self, questions: Sequence[Question] | None = None) -> list[Column]:
        """Return questions with all answers to them."""
        return [Column(question, self.answers(question)) for question in questions or self.questions]


@dataclass(frozen=True)
class Column:
    """One question over all respondents.

    Args:
        question: what was asked.
        answers: one a respondent; None is a gap, a tuple holds several choices.
    """

    question: Question
    answers: tuple[Answer | None, ...]

    def part(self, rows: Sequence[int]) -> Column:
        """Return the answers of some respondents."""
        return Column(self.question, tuple([self.answers[i] for i in rows]))
