"""Which section of a persona the statements on a question belong to: the codebook says it, or the question's form."""

from __future__ import annotations

import re

from persona.personas.model import SECTIONS
from persona.personas.survey.questions import Question

_BY_NAME = {"pain point": "pain_points", "behavior": "behaviours", "behaviour": "behaviours", "goal": "goals"} | {
    "motivation": "motivations",
    "frustrations": "pain_points",
}
_FORMS = (
    (
        "goals",
        r"\b(?:your|main|primary|biggest|top) (?:\w+ ){0,2}goals?\b|^goals?\b"
        r"|\bwould you (?:most )?(?:like|want|wish)\b|\bdo you (?:most )?(?:want|hope|wish|aim|plan)\b"
        r"|\bare you (?:hoping|planning|trying|aiming|looking) (?:to|for)\b"
        r"|\bwould you change\b|\byou (?:were|are) looking for\b",
    ),
    (
        "pain_points",
        r"\bfrustrat\w*|\bannoy\w*|\bchalleng\w*|\bpain points?\b|\bbarriers?\b|\bobstacles?\b|\bstruggl\w*"
        r"|\bworr(?:y|ies|ied)\b|\bgets? in (?:the|your) way\b|\b(?:prevents?|stops?|keeps?) you\b|\bdo you dislike\b"
        r"|\bproblems? (?:do|did|have|are)\b|\bdifficult(?:y|ies)\b|\bhow (?:difficult|hard|stress\w*)\b"
        r"|\bgo(?:es)? wrong\b",
    ),
    (
        "motivations",
        r"^why\b|\breasons?\b|\bmotivat\w*|\bwhat made you\b|\bhow important\b|\bmatters? (?:most )?to you\b"
        r"|\bdo you value\b|\bimportan(?:t|ce) (?:is|are|of)\b|\bdecided? you\b",
    ),
    (
        "behaviours",
        r"\bhow (?:often|frequently) (?:do|did|have)\b|\bhow many times (?:do|did|have|a|per|in)\b"
        r"|\bdo you (?:ever|usually|normally|typically|regularly|currently|generally)\b|^have you (?:ever|already)\b"
        r"|\bwhen (?:did|do) you\b|^(?:which|what)\b.* (?:do|did|have) you "
        r"(?:currently |regularly |usually |mostly |mainly )?"
        r"(?:use|used|buy|bought|do|read|watch|visit|play|eat|drink)\b"
        r"|\bhow (?:much|many)\b.*\bdo you (?:spend|use|buy|drink|eat|smoke|work|read|watch|travel)\b"
        r"|^how do you (?:usually|typically|normally|mainly|get|travel|pay|find)\b",
    ),
)
_COMPILED = [(section, re.compile(pattern, re.IGNORECASE)) for section, pattern in _FORMS]


def section_of(question: Question) -> str:
    """Return the section of the statements on a question.

    Returns:
        A key of `persona.personas.model.SECTIONS`, a heading of the codebook's own, or "" if nothing says so.
    """
    named = " ".join(question.section.replace("_", " ").split())
    if named:
        plain = named.lower()
        fixed = {heading.lower(): key for key, heading in SECTIONS.items()} | {k.replace("_", " "): k for k in SECTIONS}
        return fixed.get(plain) or _BY_NAME.get(plain) or named
    wording = " ".join(question.wording.split())
    return next((section for section, pattern in _COMPILED if pattern.search(wording)), "")
