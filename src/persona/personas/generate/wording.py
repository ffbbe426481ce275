"""A question and an answer as a readable statement.

Where the question's form is known, the two become one sentence: “Thinks it is very rude to bring a baby on a
plane”. Everywhere else they stand as they are, “Question: answer”: rather quoted than rewritten wrongly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from persona.personas.generate.grammar import either, lower_first, they, third_person, upper_first
from persona.personas.generate.rewriting import RULES, Wording, has_second_person
from persona.personas.survey import scales
from persona.personas.survey.questions import Question

__all__ = ["Wording", "bounds", "label", "lower_first", "third_person", "ungluer", "word", "word_range"]

_GLUE = ("it", "to", "the", "of")
_NOT_GLUED = frozenset(
    {"today", "tonight", "tomorrow", "together", "itself", "items", "often", "other", "then", "them"}
)
_LEADS = re.compile(
    r"^(?:in general|generally speaking|generally|overall|typically|normally|on average|currently|in your opinion"
    r"|all things considered|on the whole|thinking about it),? ",
    re.IGNORECASE,
)
_ASIDES = re.compile(r",? (?:if at all|if any|if ever|on average|in general|personally),(?= )", re.IGNORECASE)
_WHEN = re.compile(r"((?:in|during|over|within) the (?:past|last|previous|next) [^,?]{3,40}), (.+)", re.IGNORECASE)
_IF = re.compile(r"((?:if|when|assuming|suppose|supposing) [^?]{3,80}?), (how .* would .+)", re.IGNORECASE)
_HINT = re.compile(
    r"\s*(?:[\[(](?:please |select |choose |check |tick |mark |pick )[^\])]*[\])]"
    r"|(?<=[?.:])\s+(?:please )?(?:select|choose|check|tick|mark|pick) (?:all|any|one|up to|the)[^?]*)\s*$",
    re.IGNORECASE,
)
_ITEM = re.compile(r"(.{12,}?)(?: [-–—:] | ?\[)(.+?)\]?")
_QUOTED_END = re.compile(r"\?([\"”’'])\s*\??\s*$")


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
    asked = _QUOTED_END.sub(r"\1", asked)
    asked = _ASIDES.sub("", _LEADS.sub("", asked, count=1)).strip().rstrip("?.: ")
    found = _in_time(asked, list(answers)) or _on_condition(asked, list(answers)) or _rewritten(asked, list(answers))
    if found and not has_second_person(found.text) and not several:
        return found
    if several and found and found.lists:
        return found
    given = list(answers) if len(answers) == 1 else [f"“{answer}”" for answer in answers]
    return Wording(f"{label(question)}: {either(given)}", label(question), either(given))


def _in_time(asked: str, answers: list[str]) -> Wording | None:
    """“In the last week, have you …?”: the time stands at the end of the sentence."""
    match = _WHEN.fullmatch(asked)
    found = _rewritten(match[2], answers) if match else None
    return Wording(f"{found.text} {lower_first(match[1])}") if match and found else None


def _on_condition(asked: str, answers: list[str]) -> Wording | None:
    """“If you had one, how likely would you be …?”: the condition stands at the beginning."""
    match = _IF.fullmatch(asked)
    found, condition = (_rewritten(match[2], answers), they(match[1])) if match else (None, None)
    if not condition or not found:
        return None
    return Wording(f"{upper_first(condition)}, {lower_first(found.text)}", short=found.text)


def _rewritten(asked: str, answers: list[str]) -> Wording | None:
    return next((found for rule in RULES if (found := rule(upper_first(asked), answers))), None)


def items(questions: Sequence[Question]) -> dict[str, str]:
    """Return for each item of a grid what it asks for: “Han Solo” of “How do you view them? - Han Solo”.

    Args:
        questions: the questions; a grid has two or more with one beginning.
    """
    parted = {question.name: _ITEM.fullmatch(" ".join(question.wording.split())) for question in questions}
    stems = Counter(match[1] for match in parted.values() if match)
    return {name: label(match[2]) for name, match in parted.items() if match and stems[match[1]] > 1}


_NEGATIVE = re.compile(
    r"(?:does|is|has|would|will|could|did|was|feels) (?:not|never)\b|cannot\b|never\b"
    r"|(?:strongly |completely |totally |somewhat |slightly )?disagrees\b",
    re.IGNORECASE,
)


def is_negative(text: str, answers: Sequence[str]) -> bool:
    """Say whether a statement on some answers says what people do not do or think."""
    if text.startswith(("Thinks ", "Finds ")):
        return False  # to think that something is not rude is an opinion as good as any
    return bool(_NEGATIVE.match(text)) or any(
        (scales.polarity(answer) < 0 and len(answer) > 1)  # “N” may be anything
        or any(place.side < 0 and place.family in ("agreement", "degree") for place in scales.level(answer))
        for answer in answers
    )


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
    plain = _QUOTED_END.sub(r"\1", _HINT.sub("", re.sub(r"[_\s]+", " ", heading).strip()))
    text = plain.strip("¿¡ ").rstrip("?:.？：。 ") or heading
    return upper_first(text)
