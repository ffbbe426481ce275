"""A question by the name that a user gives it."""

from __future__ import annotations

import unicodedata

from persona.errors import InputError
from persona.personas.survey.codebook import near
from persona.personas.survey.questions import Question
from persona.personas.survey.survey import Survey
from persona.storage.paths import printable


def find_question(survey: Survey, name: str) -> Question:
    """Return a question by its name, or by its wording; case and the form of Unicode do not count.

    Raises:
        InputError: there is none, or there are several; the hint names those that may be meant.
    """
    exact = [question for question in survey.questions if question.name == name]
    found = exact or [each for each in survey.questions if _folded(name) in (_folded(each.name), _folded(each.label))]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{len(found)} questions are called “{printable(name)}”.",
            hint=f"Name one of them: {', '.join(f'“{printable(each.name)}”' for each in found)}.",
        )
    names = [each for question in survey.questions for each in (question.name, question.label) if each]
    meant = near(name, names).removeprefix("; did you mean ")
    hint = f"Did you mean {meant}" if meant else "“persona inspect INPUT” lists the questions."
    raise InputError(f"The input has no question “{printable(name)}”.", hint=hint)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split())).casefold()
