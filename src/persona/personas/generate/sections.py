"""Which section of a persona a statement belongs to, by the words in it. Plain rules, in a fixed order."""

from __future__ import annotations

import re

_RULES: tuple[tuple[str, str], ...] = (
    # Asking and wishing come before what is wrong: “I wish it were not so hard” is a goal.
    (
        "goals",
        r"\b(?:wants?|wanted|wish(?:es)?|hop(?:e|es|ing)|goals?|aims?"
        r"|would (?:love|like|eliminate|change|use|pay|rather)"
        r"|plan(?:s|ning)? to|trying to|would be (?:great|nice|good|lovely)|i'd (?:love|like|rather|want)"
        r"|need(?:s)? (?:to|a|an|it|something)|looking for|look for|if only|ideally|dream|hope to|improve)\b",
    ),
    (
        "pain_points",
        r"\b(?:frustrat\w*|annoy\w*|difficult\w*|rude\w*|hat(?:e|es|ed)|problems?|wast(?:e|es|ed|ing)"
        r"|stress\w*|worr(?:y|ied|ies)"
        r"|struggl\w*|hard(?:er|est)?|confus\w*|fail(?:s|ed|ure)?|broken?|slow|expensive|overwhelm\w*"
        r"|guilt\w*|pain\w*|worst"
        r"|awful|terribl\w*|unhappy|dissatisfied|never works?|gives? up|gave up|tired|exhaust\w*"
        r"|fed up|irritat\w*|barriers?"
        r"|challeng\w*|obstacles?|complain\w*|disappoint\w*|unreliable|scared|afraid|anxious|panic\w*"
        r"|chaos|nightmare|sick of"
        r"|drives me|gets in the way|puts? (?:you|me|them) off"
        r"|too (?:much|many|long|little|few|small)|lonely|boring|bored|dread\w*)\b",
    ),
    (
        "motivations",
        r"\b(?:because|so that|valu(?:e|es|ed)|important|matters?|reasons?|why|motivat\w*"
        r"|care(?:s)? about|enjoy\w*|love(?:s|d)?"
        r"|proud|believ\w*|should|agrees?|disagrees?|thinks?|prefer\w*|worth|trust\w*"
        r"|feels? (?:good|right|like)|obligation"
        r"|rather|fun|healthy|health|meaning\w*|opinion|priority|priorities|satisfied|happy|in favour)\b",
    ),
    (
        "behaviours",
        r"\b(?:how often|how many|how much|do you|usually|always|often|sometimes|never|every"
        r"|use(?:s|d)?|does|buy|buys|cooks?"
        r"|have you|has|per (?:day|week|month)|i (?:do|go|keep|make|write|check|plan|order|shop))\b",
    ),
)
_COMPILED = [(section, re.compile(pattern, re.IGNORECASE)) for section, pattern in _RULES]
_DENIED = re.compile(
    r"\bnot (?:\w+ ){0,2}(?:rude|difficult|hard|annoy\w*|stress\w*|worr\w*|at all|a problem)\b|^does not\b",
    re.IGNORECASE,
)


_OPINION = re.compile(r"^(?:thinks|finds|(?:strongly |completely |totally )?(?:dis)?agrees?)\b", re.IGNORECASE)
_WISH = re.compile(
    r"^would (?!not)|^(?:wants|hopes|plans)\b|\b(?:wish|goal|want|hope|would you like|looking for)\b",
    re.IGNORECASE,
)

_ASKS_FOR_WISHES = re.compile(
    r"\bwould you (?:like|want|change|need|wish)\b|\byou (?:wish|hope|want|could change|need)\b"
    r"|\b(?:goals?|ideal\w*|wish list)\b"
    r"|\bwould (?:help|make|change|a good)\b|\bgave you one thing\b",
    re.IGNORECASE,
)
_ASKS_FOR_TROUBLE = re.compile(
    r"\b(?:in the way|worries|missing|goes wrong|went wrong|do you dislike|least)\b", re.IGNORECASE
)


def of_statement(text: str, question: str) -> str:
    """Return the section of a statement from a closed question.

    What somebody wishes is a goal; an opinion is a pain point if it finds something wrong, and otherwise what
    they value; the question decides where the answer does not; what no rule knows is behaviour.
    """
    plain = text.replace("’", "'")
    pain = bool(_COMPILED[1][1].search(plain)) and not _DENIED.search(plain)
    if _OPINION.search(plain):
        return "pain_points" if pain else "motivations"
    if _WISH.search(plain) or (_WISH.search(question) and not plain.lower().startswith("would not")):
        return "goals"
    if pain:
        return "pain_points"
    if _COMPILED[2][1].search(plain) or _COMPILED[2][1].search(question):
        return "motivations"
    return "behaviours"


def of_sentence(sentence: str, question: str) -> str:
    """Return the section of something that somebody said, or "" if no rule knows it.

    A question that asks for wishes or for what is wrong decides; otherwise the words do.
    """
    if _ASKS_FOR_WISHES.search(question):
        return "goals"
    if _COMPILED[1][1].search(question) or _ASKS_FOR_TROUBLE.search(question):
        return "pain_points"
    plain = sentence.replace("’", "'")
    return next((section for section, pattern in _COMPILED if pattern.search(plain)), "")
