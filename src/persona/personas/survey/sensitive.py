"""Special categories of personal data: they describe, and make groups only if a codebook says so.

Health, racial or ethnic origin, sexual orientation, religion or belief, political opinions and trade unions.
Source: Regulation (EU) 2016/679, Article 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SHORT = 5
_NOUNS = re.compile(
    r"(?<!\w)(?:health|disabilit\w+|disabled|illness\w*|diseases?|diagnos\w+|disorders?|medications?"
    r"|pregnan\w+|hiv|cancer"
    r"|diabet\w+|depress\w+|mental health|symptoms?|allerg\w+|asthma"
    r"|race|racial|ethnic\w*|hispanic|latino|caste|origin|migration background|tribe|indigenous"
    r"|sexual (?:orientation|identity)|sexuality|orientation|transgender"
    r"|relig\w*|faith|denomination|church\w*|prayer|pray|praying|god|worship|attend(?:s|ance)? services?"
    r"|politic\w*|party ?(?:id|affiliation|identification|lean\w*)?|partyid\d*|polviews|ideology|left[- ]right"
    r"|vote\w*|voting"
    r"|election|republican|democrat|partisan\w*|trade union|union member\w*|relig\d*|rlg\w+|prtv\w+|lrscale"
    r"|gesundheit\w*|krankheit\w*|behinderung\w*|herkunft|migrationshintergrund|ethnie|religion\w*|konfession|glaube"
    r"|sexuelle orientierung|partei\w*|politische\w*|wahlabsicht|gewerkschaft\w*"
    r"|santé|maladie|handicap|origine|orientation sexuelle|confession|parti politique|syndicat"
    r"|salud|enfermedad\w*|discapacidad|raza|etnia|orientación sexual|religión|partido|ideología|sindicato"
    r"|saúde|doença\w*|deficiência|raça|cor ou raça|orientação sexual|religião|salute|malatti\w+|disabilità"
    r"|religione|partito"
    r"|gezondheid|ziekte|etniciteit|seksuele (?:geaardheid|voorkeur)|geloof|godsdienst|politieke\w*|vakbond\w*)(?!\w)",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"black|white|asian|hisp\w*|afam|cauc\w*|minority|immigrant\w*|foreign ?born|native ?born", re.I)
_CODED = re.compile(r"(?:relig|church|pray|vote|prty|prtv|polit|ideo|lrscale|pid|racis|god)[a-z]*\d*", re.IGNORECASE)
_ASKED = re.compile(
    r"\byour (?:\w+ )?(?:health|disabilit\w+|illness|ethnic\w*|race|religio\w*|faith|sexual\w*|orientation"
    r"|political \w+"
    r"|party)\b|\bhave you (?:ever )?(?:been diagnosed|had (?:cancer|a stroke))|\bdiagnosed with\b|\bsuffer from\b"
    r"|\bare you (?:pregnant|disabled|religious|gay|hispanic|transgender)\b|\bdo you (?:typically |ever |often )?pray\b"
    r"|\bwh(?:o|ich (?:party|candidate)) (?:did|do|will|would) you (?:vote|support)|\b(?:did|do|will|would) you vote\b"
    r"|\bconsider yourself (?:to be )?(?:a )?(?:republican|democrat|liberal|conservative|religious|left|right)"
    r"|\bbelong to (?:a|any) (?:religion|church|denomination|party|union)|\bmember of (?:a|any) (?:trade union|party)"
    r"|\bwelche partei|\bwelcher (?:religion|konfession)|\bihre? (?:religion|konfession|gesundheit\w*)\b"
    r"|\bpour (?:qui|quel parti) |\bvotre (?:santé|religion|orientation)|\bsu (?:salud|religión|raza|etnia)\b",
    re.IGNORECASE,
)
_JAPANESE = re.compile(r"健康|病気|障害|疾患|宗教|信仰|政党|支持政党|投票|人種|民族|性的指向")
_ANSWERS = (
    {"republican", "democrat", "independent", "conservative", "liberal", "labour", "cdu", "spd", "libertarian"},
    {"christian", "muslim", "jewish", "hindu", "buddhist", "catholic", "protestant", "atheist", "agnostic"},
    {"white", "black", "asian", "hispanic", "latino", "caucasian", "african american", "black or african american"},
    {"heterosexual", "homosexual", "gay", "lesbian", "bisexual", "straight", "queer"},
)
_COLOURS = frozenset({"white", "black"})


def is_sensitive(question: str, answers: Iterable[str]) -> bool:
    """Say whether a question is of a special category: by what it asks, or by what is answered.

    Args:
        question: its wording.
        answers: the different answers to it.
    """
    plain = re.sub(r"[_.\s]+", " ", question).strip()
    if _ASKED.search(plain) or _JAPANESE.search(plain):
        return True
    if _WHOLE.fullmatch(plain) or _CODED.fullmatch(question.strip()):
        return True
    if len(plain.split()) <= _SHORT and _NOUNS.search(plain):
        return True
    given = {answer.casefold() for answer in answers}
    return any(len(given & words) >= 2 and not given & words <= _COLOURS for words in _ANSWERS)
