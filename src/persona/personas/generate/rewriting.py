"""The rules by which a question and its answer become one sentence; each returns None where it is not sure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from persona.personas.generate.grammar import (
    either,
    is_participle,
    is_verb,
    lower_first,
    they,
    third_person,
    upper_first,
)
from persona.personas.survey import scales

_HOW_OFTEN = (
    r"(?:(?:almost|nearly) (?:always|never)|(?:very|quite|fairly) often|(?:very )?rarely|hardly ever|always|usually"
    r"|often|frequently|sometimes|occasionally|seldom|never|regularly|mostly)"
)
_FRONT = re.compile(rf"{_HOW_OFTEN}(?: or {_HOW_OFTEN})*", re.IGNORECASE)
_ADVERBS = (
    "ever|usually|normally|generally|currently|personally|still|regularly|always|often|typically|already|sometimes|also"
)
_UNSURE = re.compile(
    r"\bor (?:not|do|did|does|are|is|was|have|has|would|will|don't|don’t|what|how|something|other|neither)\b"
    r"|, or\b|\?|;"
    r"|\bthe following\b|\bplease\b|\band (?:if|why|how|what|do|are|have)\b|\.\s",
    re.IGNORECASE,
)
_ANY = re.compile(r"^any (?:(?:kind|type|sort)s? of )?")
_ONLY_ASKED = re.compile(r"\b(?:any|anyone|anybody|anything|anywhere|ever|yet|at all|either)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Wording:
    """How a statement reads.

    Args:
        text: the sentence, without a full stop.
        lead: what several statements may share, as “Thinks it is rude”; "" if nothing.
        rest: what follows the lead.
        lists: whether it reads well where a respondent may give several answers.
        short: the item of a grid and its answer, for titles; "" if the question is no item of a grid.
    """

    text: str
    lead: str = ""
    rest: str = ""
    lists: bool = False
    short: str = ""


def has_second_person(text: str) -> bool:
    """Say whether a text speaks to somebody, outside of what it quotes."""
    plain = re.sub(r"“[^”]*”", "", text)
    return re.search(r"\b(?:[Yy]ou|[Yy]our|[Yy]ours|[Yy]ourself|I|me|my)\b", plain) is not None


def _yes_or_no(answers: list[str]) -> int:
    """Return 1 if the answer is a plain yes, -1 if a plain no, otherwise 0."""
    if not all(re.fullmatch(r"yes|no|true|false|y|n", answer.strip(), re.IGNORECASE) for answer in answers):
        return 0
    sides = {scales.polarity(answer) for answer in answers}
    return sides.pop() if len(sides) == 1 else 0


def _sure(text: str | None, side: int) -> str | None:
    """Return what was asked if it can be said of those who answered yes or no."""
    if text is None or _UNSURE.search(text) or (side > 0 and _ONLY_ASKED.search(text)):
        return None
    return text


def _is_it(asked: str, answers: list[str]) -> Wording | None:
    """“Is it rude to X?” with a yes or no, graded or not."""
    match = re.fullmatch(r"is it (?:ever )?(\w+) (to|that|if|when) (.+)", asked, re.IGNORECASE)
    sides = {scales.polarity(answer) for answer in answers}
    if not match or len(sides) != 1 or 0 in sides:
        return None
    side = sides.pop()
    what = _sure(they(match[3]), -1)
    if what is None:
        return None
    degree = re.fullmatch(rf"yes, (\w+) {match[1]}", answers[0], re.IGNORECASE) if len(answers) == 1 else None
    graded = f"{degree[1].lower()} {match[1]}" if degree else match[1]
    lead = f"Thinks it is {'' if side > 0 else 'not '}{graded if side > 0 else match[1]}"
    return Wording(f"{lead} {match[2]} {what}", lead, f"{match[2]} {what}")


def _do_you(asked: str, answers: list[str]) -> Wording | None:
    """“Do you (ever) X?” with a yes, a no, or how often."""
    match = re.fullmatch(rf"do you ((?:{_ADVERBS}) )?([a-z-]+)(?: (.+))?", asked, re.IGNORECASE)
    if not match or not is_verb(match[2]):
        return None
    adverb, verb = (match[1] or "").strip().lower(), match[2]
    side = _yes_or_no(answers)
    if not side:
        what = they(match[3] or "")
        return None if what is None or _UNSURE.search(what) else _how_often(verb, what, answers)
    plain = _ANY.sub("", match[3] or "") if side > 0 else match[3] or ""
    what = _sure(they(plain), side)
    if what is None:
        return None
    does = f"{third_person(verb)} {what}".strip()
    if adverb == "ever":
        return Wording(f"At least sometimes {does}" if side > 0 else f"Never {does}")
    if side > 0:
        return Wording(upper_first(f"{adverb} {does}".strip()))
    return Wording(" ".join(f"Does not {adverb} {verb} {what}".split()))


def _how_often_asked(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(
        rf"how (?:often|frequently) do you (?:(?:{_ADVERBS}) )?([a-z-]+)(?: (.+))?", asked, re.IGNORECASE
    )
    if not match or not is_verb(match[1]):
        return None
    what = they(match[2] or "")
    return (
        None
        if what is None or _UNSURE.search(what) or _ONLY_ASKED.search(what)
        else _how_often(match[1], what, answers)
    )


def _how_often(verb: str, what: str, answers: list[str]) -> Wording | None:
    """Return how often somebody does something; the answers must be frequencies."""
    frequency = all(any(place.family == "frequency" for place in scales.level(answer)) for answer in answers)
    if not frequency or any(
        re.search(r"\bI\b|\byou\b|not at all|\bor less\b.*\bor less\b", answer) for answer in answers
    ):
        return None
    in_front = all(_FRONT.fullmatch(answer) for answer in answers)
    if len(answers) > 1 and not in_front and (len(answers) > 2 or any(_FRONT.match(answer) for answer in answers)):
        return None  # “never or once a year or less travels” is no English
    often = either([lower_first(answer) for answer in answers])
    does = f"{third_person(verb)} {what}".strip()
    if in_front or re.search(r"\b(?:when|if|while|because|that)\b", what):
        return Wording(upper_first(f"{often} {does}"))
    return Wording(upper_first(f"{does} {often}"))


def _have_you(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(r"have you (ever |already |personally )?(?:ever )?([a-z]+)(?: (.+))?", asked, re.IGNORECASE)
    side = _yes_or_no(answers)
    if not match or not side or not is_participle(match[2]):
        return None
    what = _sure(they(match[3] or ""), side)
    if what is None:
        return None
    ever = "ever" in asked.lower().split()[:4]
    has = "Has" if side > 0 else "Has never" if ever else "Has not"
    return Wording(f"{has} {match[2]} {what}".strip())


def _would_you(asked: str, answers: list[str]) -> Wording | None:
    """“Would you X?”, also after a condition: “If it were free, would you X?”."""
    match = re.fullmatch(
        r"(?:((?:if|when|given|assuming|provided) .+), )?(would|could|will|can) you (ever |still )?([a-z-]+)(?: (.+))?",
        asked,
        re.IGNORECASE,
    )
    side = _yes_or_no(answers)
    if not match or not side or not is_verb(match[4]) or not match[5] or match[4] in ("rather", "prefer"):
        return None
    plain = _ANY.sub("", match[5]) if side > 0 else match[5]
    what, condition = _sure(they(plain), side), they(match[1] or "")
    if what is None or condition is None or match[3] == "ever ":
        return None
    modal = match[2].lower() + (" not" if side < 0 else "")
    modal = modal.replace("can not", "cannot")
    front = f"{condition}, " if condition and not condition.lower().startswith("given the") else ""
    return Wording(upper_first(f"{front}{modal} {match[3] or ''}{match[4]} {what}"))


def _are_you(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(r"are you (currently |now |still |personally )?(.+)", asked, re.IGNORECASE)
    side = _yes_or_no(answers)
    if not match or not side or match[2].split()[0] in ("or", "and"):
        return None
    what = _sure(they(match[2]), side)
    return Wording(f"Is {'not ' if side < 0 else ''}{match[1] or ''}{what}") if what else None


def _did_you(asked: str, answers: list[str]) -> Wording | None:
    """“Did you vote?” with a no; a yes would need the past tense, and is said with “did”."""
    match = re.fullmatch(r"did you (ever )?([a-z-]+)(?: (.+))?", asked, re.IGNORECASE)
    if not match or _yes_or_no(answers) >= 0 or not is_verb(match[2]):
        return None
    what = _sure(they(match[3] or ""), -1)
    return None if what is None else Wording(f"Did {'never' if match[1] else 'not'} {match[2]} {what}".strip())


def _how_adjective(asked: str, answers: list[str]) -> Wording | None:
    """“How confident are you …”, “How important is X to you”, and the like, with an answer that grades it."""
    match = re.fullmatch(r"how (\w+)(?: or (\w+))? (are|do|is|would|was) (.+)", asked, re.IGNORECASE)
    if not match:
        return None
    verb, what = match[3].lower(), match[4]
    if any(re.search(r"\b(?:I|you|nor)\b|,", answer) for answer in answers) or _UNSURE.search(what):
        return None
    if not all(_grades(answer, match[1].lower(), (match[2] or "").lower()) for answer in answers):
        return None
    return _graded(verb, what, either([lower_first(answer) for answer in answers]))


def _grades(answer: str, adjective: str, other: str) -> bool:
    """Say whether an answer is how much of an adjective somebody is: “very likely” to “how likely”."""
    opposites = {"easy": "difficult|hard", "difficult": "easy", "happy": "unhappy", "safe": "unsafe"}
    words = [adjective, other, opposites.get(adjective, "")]
    known = "|".join(each if "|" in each else rf"(?:un|dis)?{re.escape(each)}" for each in words if each)
    return re.search(rf"\b(?:{known})$", answer.strip(), re.IGNORECASE) is not None


_OPINION = re.compile(r"\b(?:un)?(?:important|useful|necessary|acceptable|helpful|serious)$")


def _graded(verb: str, what: str, graded: str) -> Wording | None:
    finds = "Found" if verb == "was" else "Finds"
    if verb in ("is", "are") and _OPINION.search(graded) and not re.match(r"(?:it|you)\b", what):
        rest = they(re.sub(r" (?:to|for) you(?: personally)?$", "", what))
        return Wording(f"{finds} {lower_first(rest)} {graded}") if rest else None
    if verb in ("are", "would"):
        you = re.fullmatch(r"you (?:be )?(.+)", what)
        rest = they(you[1]) if you else None
        if verb == "would" and not (you and what.startswith("you be ")):
            return None
        return Wording(f"{'Is' if verb == 'are' else 'Would be'} {graded} {rest}") if rest else None
    if verb == "do":
        it = re.fullmatch(r"you (find it|find|feel|consider it) (.+)", what)
        rest = they(it[2]) if it else None
        if it is None or rest is None:
            return None
        does = it[1].split()
        if does == ["find"]:
            return Wording(f"Finds {rest} {graded}")
        return Wording(f"{upper_first(third_person(does[0]))} {' '.join([*does[1:], graded])} {rest}")
    if it := re.fullmatch(r"it (?:(?:for|to) you )?(to|that) (.+)", what):
        rest = they(it[2])
        return Wording(f"{finds} it {graded} {it[1]} {rest}") if rest else None
    if to_you := re.fullmatch(r"(.+) (?:to|for) you(?: personally)?", what):
        rest = they(to_you[1])
        return Wording(f"{finds} {lower_first(rest)} {graded}") if rest else None
    return None


def _how_well(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(r"how well do you ([a-z-]+)(?: (.+))?", asked, re.IGNORECASE)
    if not match or not is_verb(match[1]) or not all(re.fullmatch(r"(?:\w+ )?well", a, re.IGNORECASE) for a in answers):
        return None
    what = _sure(they(match[2] or ""), 1)
    if what is None or any(answer.lower().startswith("not") for answer in answers):
        return None
    return Wording(upper_first(f"{third_person(match[1])} {what} {either([lower_first(a) for a in answers])}"))


_GRID = re.compile(r"(?:.*(?:agree|following|statement).*?)(?:\s[-–—:]\s|:\s|\s?\[|\.\.\.\s?)(.+?)\]?", re.IGNORECASE)
_TO_AGREE = re.compile(
    r"^(?:to what extent|how much|how strongly) do you agree(?: or disagree)?(?: that|:)? ", re.IGNORECASE
)
_ASKS = re.compile(
    r"^(?:how|what|which|do|does|did|are|is|have|has|would|to what|please|when|where|who|why|rate|in)\b", re.I
)


def _agrees(asked: str, answers: list[str]) -> Wording | None:
    """A statement with how far somebody agrees."""
    places = [next((p for p in scales.level(a) if p.family == "agreement"), None) for a in answers]
    sides = {place.side for place in places if place}
    if not all(places) or len(sides) != 1 or 0 in sides:
        return None
    grid = _GRID.fullmatch(asked)
    statement = grid[1] if grid else _TO_AGREE.sub("", asked)
    if len(statement.split()) < 3 or _ASKS.match(statement):
        return None
    agrees = "Agrees" if 1 in sides else "Disagrees"
    if len(answers) == 1 and (
        degree := re.search(r"\b(?:strongly|completely|totally|somewhat|slightly)\b", answers[0], re.IGNORECASE)
    ):
        agrees = f"{degree[0].capitalize()} {agrees.lower()}"
    statement = statement.strip("“”\"' ")
    return Wording(f"{agrees}: “{statement}”", agrees, f"“{statement}”")


def _what_is_your(asked: str, answers: list[str]) -> Wording | None:
    match = re.fullmatch(r"(?:what|which)(?: is|'s|’s| are| was| were) your (.+)", asked, re.IGNORECASE)
    what = they(match[1]) if match else None
    if not what or _UNSURE.search(what):
        return None
    return Wording(f"{upper_first(what)}: {either(answers)}", lists=True)


def _this_or_that(asked: str, answers: list[str]) -> Wording | None:
    """“Do you rent or own your home?” with one of the two."""
    match = re.fullmatch(r"do you ([a-z]+) or ([a-z]+) (.+)", asked, re.IGNORECASE)
    given = answers[0].lower()
    if not match or len(answers) != 1 or given not in (match[1].lower(), match[2].lower()) or not is_verb(given):
        return None
    what = they(match[3])
    return None if what is None or _UNSURE.search(what) else Wording(f"{upper_first(third_person(given))} {what}")


def _who_do_you(asked: str, answers: list[str]) -> Wording | None:
    """“Who do you live with?” with anything."""
    match = re.fullmatch(r"(who|what) do you ([a-z]+)( (?:with|at|from|for|most|about))?", asked, re.IGNORECASE)
    if not match or not is_verb(match[2]) or match[2] in ("do", "think", "mean", "feel", "say"):
        return None
    return Wording(f"{upper_first(third_person(match[2]))}{match[3] or ''}: {either(answers)}", lists=True)


def _which_do_you(asked: str, answers: list[str]) -> Wording | None:
    """“Which X do you use?” with what is used."""
    match = re.fullmatch(
        r"(?:which|what) (?!of )(.+?) do you (currently |usually |mainly |mostly |regularly |typically )?"
        r"(use|own|have|prefer|speak|follow|drink|eat|watch|read|visit|play)"
        r"((?: for| at| in| when| while| every| most).*)?",
        asked,
        re.IGNORECASE,
    )
    tail, what = (they(match[4] or ""), they(match[1])) if match else (None, None)
    if not match or tail is None or what is None or _UNSURE.search(f"{what}{tail}"):
        return None
    lead = f"{upper_first(what)} they {match[2] or ''}{match[3]}{tail}"
    return Wording(f"{lead}: {either(answers)}", lead, either(answers), lists=True)


RULES: tuple[Callable[[str, list[str]], Wording | None], ...] = (
    _is_it, _how_often_asked, _this_or_that, _who_do_you, _do_you, _did_you, _have_you, _would_you, _are_you,
    _how_adjective, _how_well, _agrees, _what_is_your, _which_do_you,
)  # fmt: skip
"""All rules; the first that is sure is taken."""
