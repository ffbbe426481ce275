"""A question and an answer as a readable statement.

Where the question's form is known, the two become one sentence: “Thinks it is very rude to bring a baby on a
plane”. Everywhere else they stand as they are, “Question: answer”: rather quoted than rewritten wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from persona.personas.generate.grammar import either, lower_first, third_person, upper_first
from persona.personas.generate.rewriting import RULES, Wording, has_second_person

__all__ = ["Wording", "bounds", "label", "lower_first", "third_person", "ungluer", "word", "word_range"]

_GLUE = ("it", "to", "the", "of")
_NOT_GLUED = frozenset(
    {"today", "tonight", "tomorrow", "together", "itself", "items", "often", "other", "then", "them"}
)
_LEADS = re.compile(
    r"(?:in general|generally speaking|generally|overall|typically|normally|on average|currently|in your opinion"
    r"|all things considered|on the whole|thinking about it),? ",
    re.IGNORECASE,
)
_ASIDES = re.compile(r",? (?:if at all|if any|if ever|on average|in general|personally),(?= )", re.IGNORECASE)
_WHEN = re.compile(r"((?:in|during|over|within) the (?:past|last|previous|next) [^,?]{3,40}), (.+)", re.IGNORECASE)
_HINT = re.compile(r"\s*[\[(](?:please |select |choose |check |tick |mark |pick )[^\])]*[\])]\s*$", re.IGNORECASE)


def ungluer(questions: Sequence[str]) -> Callable[[str], str]:
    """Return a function that parts words that lost their space.

    Such a word is “itrude”, if the rest is itself a word of the questions.
    """
    words = {word.lower() for question in questions for word in re.findall(r"[^\W\d_]+", question)}

    def part(match: re.Match[str]) -> str:
        word = match[0].lower()
        for first in _GLUE:
            rest = word.removeprefix(first)
            if word.startswith(first) and len(rest) >= 3 and rest in words and word not in _NOT_GLUED:
                return f"{match[0][: len(first)]} {match[0][len(first) :]}"
        return match[0]

    return lambda question: re.sub(r"[^\W\d_]+", part, question)


def word(question: str, answers: Sequence[str], readable: str = "", *, several: bool = False) -> Wording:
    """Return the statement that the answer to the question is one of some answers.

    Args:
        question: the question, verbatim.
        answers: the answers, verbatim, in their order.
        readable: the question with its typing errors mended, for rewriting only.
        several: whether respondents may give several answers, so that a yes or no is one of many.
    """
    asked = _HINT.sub("", " ".join((readable or question).split()))
    asked = _ASIDES.sub("", _LEADS.sub("", asked, count=1)).strip().rstrip("?.: ")
    when = _WHEN.fullmatch(asked)
    found = _rewritten(when[2], list(answers)) if when else _rewritten(asked, list(answers))
    if found and when:
        found = Wording(f"{found.text} {lower_first(when[1])}")
    if found and not has_second_person(found.text) and not several:
        return found
    if several and found and found.lists:
        return found
    given = list(answers) if len(answers) == 1 else [f"“{answer}”" for answer in answers]
    return Wording(f"{label(question)}: {either(given)}")


def _rewritten(asked: str, answers: list[str]) -> Wording | None:
    return next((found for rule in RULES if (found := rule(upper_first(asked), answers))), None)


def word_range(question: str, at_least: float | None, at_most: float | None) -> Wording:
    """Return the statement that a number is in a range."""
    return Wording(f"{label(question)}: {bounds(at_least, at_most)}")


def bounds(at_least: float | None, at_most: float | None) -> str:
    """Return a range of numbers, as people read it."""
    if at_least is not None and at_most is not None:
        return f"{at_least:g}" if at_least == at_most else f"{at_least:g} to {at_most:g}"
    return f"{at_least:g} or more" if at_least is not None else f"{at_most:g} or less"


def label(heading: str) -> str:
    """Return a question as a label: ``rate_marriage`` is “Rate marriage”, “How old are you?” loses its mark."""
    text = _HINT.sub("", re.sub(r"[_\s]+", " ", heading).strip()).strip("¿¡ ").rstrip("?:.？：。 ") or heading
    return upper_first(text)
