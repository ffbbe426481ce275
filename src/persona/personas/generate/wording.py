"""A question and an answer as a readable statement.

Where the question's form is known, the two become one sentence: “Thinks it is very rude to bring a baby on a
plane”. Everywhere else they are quoted as they are: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from persona.personas.survey import scales

_GLUE = ("it", "to", "the", "of")
_NOT_GLUED = frozenset(
    {"today", "tonight", "tomorrow", "together", "itself", "items", "often", "other", "then", "them"}
)
_LEADS = re.compile(
    r"(?:in general|generally speaking|generally|overall|typically|normally|on average|currently),? ",
    re.I,
)
_FRONT = re.compile(r"(?:always|usually|often|frequently|sometimes|occasionally|rarely|seldom|never|regularly)", re.I)


@dataclass(frozen=True)
class Wording:
    """How a statement reads.

    Args:
        text: the sentence, without a full stop.
        lead: what several statements may share, as “Thinks it is rude”; "" if nothing.
        rest: what follows the lead.
    """

    text: str
    lead: str = ""
    rest: str = ""


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


def word(question: str, answers: Sequence[str], readable: str = "") -> Wording:
    """Return the statement that the answer to the question is one of some answers.

    Args:
        question: the heading, verbatim.
        answers: the answers, verbatim, in their order.
        readable: the heading with its typing errors mended, for rewriting only.
    """
    asked = _LEADS.sub("", " ".join((readable or question).split()), count=1)
    asked = asked.strip().rstrip("?.: ")
    asked = asked[:1].upper() + asked[1:] if asked else question
    for rule in _RULES:
        if found := rule(asked, list(answers)):
            return found
    quoted = _either([f"“{answer}”" for answer in answers])
    if "?" in question or len(question.split()) > 4:
        return Wording(f"“{question}” — {quoted}")
    return Wording(f"{label(question)}: {_either(list(answers))}")


def word_range(question: str, at_least: float | None, at_most: float | None) -> Wording:
    """Return the statement that a number is in a range."""
    if at_least is not None and at_most is not None:
        bound = f"{at_least:g}" if at_least == at_most else f"{at_least:g} to {at_most:g}"
    else:
        bound = f"{at_least:g} or more" if at_least is not None else f"{at_most:g} or less"
    shown = f"“{question}” —" if "?" in question else f"{label(question)}:"
    return Wording(f"{shown} {bound}")


def label(heading: str) -> str:
    """Return a heading as a label: ``rate_marriage`` is “Rate marriage”."""
    text = re.sub(r"[_\s]+", " ", heading).strip() or heading
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """Return a sentence to stand inside another one; quotations and acronyms keep their capitals."""
    return text if re.match(r"[^\W\d_]{2}", text) and text[:2].isupper() else text[:1].lower() + text[1:]


def third_person(verb: str) -> str:
    """Return “recline” as “reclines”."""
    known = {"have": "has", "do": "does", "be": "is", "go": "goes", "are": "is"}
    if verb.lower() in known:
        return known[verb.lower()]
    if re.search(r"(?:s|x|z|ch|sh)$", verb):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def _they(text: str) -> str:
    """Return a text about “you” as one about “they”."""
    swaps = (
        ("yourself", "themselves"), ("you're", "they're"), ("you’re", "they’re"), ("yours", "theirs"),
        ("your", "their"), ("with you", "with them"), ("to you", "to them"), ("for you", "for them"),
        ("you", "they"), ("I", "they"), ("my", "their"), ("me", "them"),
    )  # fmt: skip
    for old, new in swaps:
        text = re.sub(rf"\b{old}\b", new, text)
    return text


def _either(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _side(answers: list[str]) -> int:
    """Return 1 if all answers are a plain or graded yes, -1 for no, otherwise 0."""
    sides = {scales.polarity(answer) for answer in answers}
    return sides.pop() if len(sides) == 1 else 0


def _plain(answers: list[str]) -> bool:
    """Say whether the answer is “Yes” or “No” and nothing else."""
    return all(re.fullmatch(r"yes|no|true|false|y|n", answer, re.I) for answer in answers)


def _is_it(asked: str, answers: list[str]) -> Wording | None:
    """“Is it rude to X?” with a yes or no, graded or not."""
    match = re.fullmatch(r"is it (\w+) (to|that|if|when) (.+)", asked, re.I)
    side = _side(answers)
    if not match or not side:
        return None
    adjective, to, what = match.groups()
    degree = re.fullmatch(rf"yes, (\w+) {adjective}", answers[0], re.I) if len(answers) == 1 else None
    graded = f"{degree[1].lower()} {adjective}" if degree else adjective
    lead = f"Thinks it is {'' if side > 0 else 'not '}{graded if side > 0 else adjective}"
    return Wording(f"{lead} {to} {what}", lead, f"{to} {what}")


def _do_you(asked: str, answers: list[str]) -> Wording | None:
    """“Do you (ever) X?” with a yes, a no, or how often."""
    match = re.fullmatch(r"do you (ever |usually |normally |generally |currently )?(\w+) (.+)", asked, re.I)
    if not match:
        return None
    verb, what = match[2], _they(match[3])
    side = _side(answers)
    if side and _plain(answers):
        some = re.sub(r"^any ", "", what) if side > 0 else what
        text = f"{third_person(verb).capitalize()} {some}" if side > 0 else f"Does not {verb} {what}"
        return Wording(text)
    return _how_often(verb, what, answers) if not side else None


def _how_often_asked(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(r"how (?:often|frequently) do you (?:usually |normally )?(\w+)(?: (.+))?", asked, re.I)
    return _how_often(match[1], _they(match[2] or ""), answers) if match else None


def _how_often(verb: str, what: str, answers: list[str]) -> Wording | None:
    """Return how often somebody does something; the answers must be frequencies."""
    if not all(any(place.family == "frequency" for place in scales.level(answer)) for answer in answers):
        return None
    often = _either([lower_first(answer) for answer in answers])
    does = f"{third_person(verb)} {what}".strip()
    if all(_FRONT.fullmatch(answer) for answer in answers):
        return Wording(f"{often[:1].upper()}{often[1:]} {does}")
    if " when " in f" {what} " or " if " in f" {what} ":
        return Wording(f"{often[:1].upper()}{often[1:]} {does}")
    return Wording(f"{does[:1].upper()}{does[1:]} {often}")


def _have_you(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(r"have you (ever )?(.+)", asked, re.I)
    if not match or not _side(answers) or not _plain(answers):
        return None
    yes = _side(answers) > 0
    return Wording(f"Has {'' if yes else 'never ' if match[1] else 'not '}{_they(match[2])}")


def _would_you(asked: str, answers: list[str]) -> Wording | None:
    """“Would you X?”, also after a condition: “If it were free, would you X?”."""
    match = re.fullmatch(r"(?:(.+), )?(would|could|will|can) you (ever |still )?(.+)", asked, re.I)
    if not match or not _side(answers) or not _plain(answers):
        return None
    condition, modal, _, what = match.groups()
    text = f"{modal.lower()}{' not' if _side(answers) < 0 else ''} {_they(what)}"
    front = f"{_they(condition)}, " if condition and not condition.lower().startswith("given the") else ""
    whole = front + text
    return Wording(whole[:1].upper() + whole[1:])


def _are_you(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(r"are you (?:currently )?(.+)", asked, re.I)
    if not match or not _side(answers) or not _plain(answers):
        return None
    return Wording(f"Is {'not ' if _side(answers) < 0 else ''}{_they(match[1])}")


def _how_adjective(asked: str, answers: list[str]) -> Wording | None:
    """“How confident are you …”, “How important is X to you”, and the like, with an answer that grades it."""
    match = re.fullmatch(r"how (\w+) (are|do|is|would|was|were) (.+)", asked, re.I)
    if not match:
        return None
    adjective, verb, what = match[1].lower(), match[2].lower(), match[3]
    graded = _either([lower_first(answer) for answer in answers])
    stems = {"easy": "easy|difficult|hard", "difficult": "easy|difficult|hard", "happy": "(?:un)?happy"}
    graded_by = stems.get(adjective, rf"(?:un|dis)?{re.escape(adjective[:5])}")
    if not all(re.search(rf"\b(?:{graded_by})", answer, re.I) for answer in answers):
        return None
    if verb in ("are", "do", "would") and (you := re.fullmatch(r"you (?:feel |be |find it )?(?:that )?(.+)", what)):
        if what.startswith("you find it"):
            return Wording(f"Finds it {graded} {_they(you[1])}")
        return Wording(f"Is {graded} {_they(you[1])}")
    if it := re.fullmatch(r"it (?:for you )?to (.+)", what):
        return Wording(f"Finds it {graded} to {_they(it[1])}")
    if to_you := re.fullmatch(r"(.+) (?:to|for) you", what):
        return Wording(f"Finds {_they(to_you[1])} {graded}")
    return None


def _agrees(asked: str, answers: list[str]) -> Wording | None:
    """A statement with how far somebody agrees."""
    places = [next((p for p in scales.level(a) if p.family == "agreement"), None) for a in answers]
    if not all(places) or len(asked.split()) < 3:
        return None
    sides = {place.side for place in places if place}
    if len(sides) != 1 or 0 in sides:
        return None
    agrees = "Agrees" if 1 in sides else "Disagrees"
    if len(answers) == 1 and re.match(r"strongly|completely|totally", answers[0], re.I):
        agrees = f"{answers[0].split()[0].capitalize()} {agrees.lower()}"
    statement = re.sub(r"^(?:to what extent|how much) do you agree(?: that|:)? ", "", asked, flags=re.I)
    return Wording(f"{agrees}: “{statement}”", agrees, f"“{statement}”")


def _what_is_your(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(r"(?:what|which) (?:is|are|was|were) your (.+)", asked, re.I)
    if not match:
        return None
    return Wording(f"{label(_they(match[1]))}: {_either([f'“{answer}”' for answer in answers])}")


def _this_or_that(asked: str, answers: list[str]) -> Wording | None:
    """“Do you rent or own your home?” with one of the two."""
    match = re.fullmatch(r"do you (\w+) or (\w+) (.+)", asked, re.I)
    if not match or len(answers) != 1 or answers[0].lower() not in (match[1].lower(), match[2].lower()):
        return None
    return Wording(f"{third_person(answers[0].lower()).capitalize()} {_they(match[3])}")


def _what_do_you(asked: str, answers: list[str]) -> Wording | None:
    """“Who do you live with?” with anything."""
    match = re.fullmatch(
        r"(?:who|where|what|when) do you (\w+)((?: (?:with|at|from|in|for|most|on|about))?)", asked, re.I
    )
    if not match:
        return None
    return Wording(f"{third_person(match[1]).capitalize()}{match[2]}: {_either([f'“{a}”' for a in answers])}")


def _which_do_you(asked: str, answers: list[str]) -> Wording | None:
    """“Which X do you use?” with what is used."""
    match = re.fullmatch(
        r"(?:which|what) (.+?) do you (?:currently |usually |mainly |mostly )?(use|own|have|prefer)",
        asked,
        re.I,
    )
    if not match:
        return None
    return Wording(f"{third_person(match[2]).capitalize()} {_either([f'“{answer}”' for answer in answers])}")


_RULES: tuple[Callable[[str, list[str]], Wording | None], ...] = (
    _is_it, _how_often_asked, _this_or_that, _what_do_you, _do_you, _have_you, _would_you, _are_you,
    _how_adjective, _agrees, _what_is_your,
    _which_do_you,
)  # fmt: skip
