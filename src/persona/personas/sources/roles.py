"""What the label of a turn says of who speaks: an interviewer, a respondent without a name, or nobody.

The words are those of interview guides and transcription services, in the languages that Persona reads.
"""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBER = r"(?:[ _.#-]{0,2}\d{1,4}|[ _-][a-z])?"
_ASKS = re.compile(
    r"(?:the )?(?:"
    r"(?:co-?|user |ux |lead )?interviewer(?:in)?|interview(?!ee)|(?:co-?)?moderator(?:in)?|mod|facilitator|int|q|i|iv"
    r"|befrager(?:in)?|fragesteller(?:in)?|gesprächsleit(?:er|erin|ung)"  # German
    r"|intervieweu(?:r|se)|enquêt(?:eur|rice)|animat(?:eur|rice)|modérat(?:eur|rice)"  # French
    r"|entrevistador(?:a|es)?|moderador(?:a)?|facilitador(?:a)?|encuestador(?:a)?"  # Spanish, Portuguese
    r"|intervistat(?:ore|rice)|moderat(?:ore|rice)|facilitat(?:ore|rice)"  # Italian
    r"|gespreksleider|vragensteller|interviewster"  # Dutch
    r"|インタビュ[ーア]*|聞き手|司会者?|質問者|モデレータ[ー]?|ファシリテータ[ー]?|調査者|調査員"  # Japanese
    rf")\.?{_NUMBER}",
    re.IGNORECASE,
)
_MAY_ASK = re.compile(
    r"(?:the )?(?:(?:ux |user )?researcher|(?:co-?)?host|question|presenter|anchor"
    r"|frage|forscher(?:in)?|chercheu(?:r|se)|pregunta|investigador(?:a)?|pesquisador(?:a)?|pergunta"
    rf"|domanda|ricercat(?:ore|rice)|vraag|onderzoeker|研究者|質問|問)\.?{_NUMBER}",
    re.IGNORECASE,
)
_ROLE = (
    r"(?:the )?(?:participante?|respondent|interviewee|informant|user|subject|answer|speaker|tester|guest|attendee"
    r"|panell?ist|caller|customer|client|patient|employee|expert|person|voice|(?:fe)?male(?: voice)?|(?:wo)?man"
    r"|tn|teilnehmer(?:in)?|befragter?|proband(?:in)?|antwort|sprecher(?:in)?|kund(?:e|in)|nutzer(?:in)?"
    r"|répondante?|enquêtée?|interviewée?|réponse|intervenante?|locuteur"
    r"|entrevistad[oa]|encuestad[oa]|respuesta|resposta|hablante"
    r"|partecipante|intervistat[oa]|risposta|deelne(?:me|em)ster|deelnemer|geïnterviewde|antwoord|spreker"
    r"|参加者|回答者|話し手|答え?|被験者|対象者|協力者|話者|発言者"
    r"|p|r|a|s|b)"
)
_ANSWERS = re.compile(_ROLE, re.IGNORECASE)
_GENERIC = re.compile(rf"{_ROLE}{_NUMBER}|[+(]?\d[\d ()*x-]{{3,}}", re.IGNORECASE)
_QUESTION = re.compile(r"(?:q|question|frage|pregunta|pergunta|domanda|vraag|質問|問)[ .]?\d{1,3}[a-z]?", re.IGNORECASE)
_NOBODY = re.compile(
    r"(?:"
    r"(?:coffee |lunch |ad )?break|narrator|(?:end of )?transcri(?:pt|ption|bed by|ber)|notes?"
    r"|times?(?:stamp| ?code)?|date|location|duration|recording|(?:background )?(?:music|noise)|silence"
    r"|laugh(?:s|ter|ing)?|applause|pause|cross-?talk|inaudible|unintelligible|audio|video|jingle|intro|outro|sponsor|ad|caption(?:s|er)?|subtitles?|summary|agenda"
    r"|topics?|title|theme|themes|task|part|section|chapter|figure|table|example|source|sources|observation|context"
    r"|key ?(?:points?|takeaways?)|takeaways?|insights?|action items?|next steps?|keywords?|warning|tip|update|edit"
    r"|https?|ps|p\.s|nb|n\.b|e\.g|i\.e|re|fyi|url|link|file|unknown(?: speakers?)?|unidentified(?: speaker)?|all"
    r"|everyone|multiple speakers|several"
    r"|notizen?|anmerkung(?:en)?|zeit|datum|ort|dauer|musik|stille|lachen|unverständlich|erzähler(?:in)?|werbung|alle"
    r"|remarques?|heure|lieu|durée|musique|rires?|narrateur|narratrice|inconnu|tous"
    r"|notas?|tiempo|hora|fecha|lugar|duración|risas|silencio|descanso|pausa|narrador(?:a)?|desconocido|todos"
    r"|nota|data|luogo|durata|risate|silenzio|narratore|sconosciuto|tutti|local|duração|risos|intervalo"
    r"|opmerking|tijd|plaats|duur|muziek|stilte|gelach|pauze|verteller|onbekend|iedereen"
    r"|休憩|注|注意|備考|メモ|時間|日時|日付|場所|笑い?|拍手|音楽|沈黙|不明|全員|ナレーター|ナレーション"
    r")(?: ?\d{1,3})?",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\s*[(\[（【](?P<within>[^()\[\]（）【】]*)[)\]）】]\s*$|,\s*(?P<after>[^,]*)$|\s+[-–]\s+(?P<dash>.*)$"
)
_MIN_WORD = 4
"""The shortest word, in characters, that is a role also beside a name: “Interviewer Dana”."""

UNKNOWN = "Unknown speaker"
"""The label of words of which the file does not say whose they are."""


@lru_cache(maxsize=4096)
def asks(label: str) -> bool:
    """Say whether a label surely is an interviewer's: ``Moderator``, ``I``, ``Dana Fox (Interviewer)``."""
    return _has_role(label, _ASKS) and not is_question(label)


@lru_cache(maxsize=4096)
def may_ask(label: str) -> bool:
    """Say whether a label is an interviewer's where no label surely is: ``Researcher``, ``Host``."""
    return _has_role(label, _MAY_ASK) and not is_question(label)


def is_interviewer(label: str) -> bool:
    """Say whether a label may be an interviewer's, or numbers a question."""
    return asks(label) or may_ask(label) or is_question(label)


def answers(label: str) -> bool:
    """Say whether a label is the role of a respondent, without a name or number: ``Participant``, ``A``."""
    return _ANSWERS.fullmatch(label) is not None


@lru_cache(maxsize=4096)
def is_generic(label: str) -> bool:
    """Say whether a label stands for different people in different files: ``P1``, ``Speaker 2``, ``Guest``."""
    return _GENERIC.fullmatch(label) is not None


def is_question(label: str) -> bool:
    """Say whether a label numbers a question: ``Q1``, ``Question 12``."""
    return _QUESTION.fullmatch(label) is not None


@lru_cache(maxsize=4096)
def is_nobody(label: str) -> bool:
    """Say whether a label is no person's: ``Break``, ``[laughter]``, ``Time``."""
    return _NOBODY.fullmatch(label.strip("[]()<>*{} ")) is not None


def _has_role(label: str, roles: re.Pattern[str]) -> bool:
    if roles.fullmatch(label):
        return True
    aside = _ASIDE.search(label)
    beside = (aside["within"] or aside["after"] or aside["dash"] or "").strip() if aside else ""
    if aside and (roles.fullmatch(label[: aside.start()]) or (len(beside) >= _MIN_WORD and roles.fullmatch(beside))):
        return True
    first, _, rest = label.partition(" ")
    return len(first) >= _MIN_WORD and bool(rest) and rest[:1].isupper() and roles.fullmatch(first) is not None
