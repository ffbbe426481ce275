"""Who a respondent is, told from what they do or think, in the languages that surveys are often asked in.

English, German, French, Spanish, Italian, Portuguese, Dutch and Japanese.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_SHORT = 4
"""The most words of a heading that is a noun such as “Household income” rather than a question."""
_WORDS = (
    # English
    "age|aged|female|male|gender|sex|income|earnings|salary|education|degree|location|region|country|county|city|town|postcode|zip"
    "|state|province|occupation|job|role|profession|industry|household|hh|marit\\w*|married|wages?|unemploy\\w*|ethnic\\w*|race|nationality"
    "|employment|employed|height|weight|child|children|kids|born|birth\\w*|seniority|department|area|lives?|living|educ\\w*"
    "|tenure|participant|ses|population|religion|citizen\\w*|generation|cohort|urban\\w*|housing|siblings|language"
    "|employees|company size|job title|years of experience|yrs|year of study|major|grade|class|school|schooling"
    "|university|retired"
    # German
    "|alter|altersgruppe|geschlecht|einkommen|haushaltseinkommen|haushalt\\w*|bildung\\w*|schulabschluss"
    "|abschluss|beruf\\w*"
    "|wohnort|bundesland|familienstand|staatsangehörigkeit|geburtsjahr|kinder|erwerbs\\w*|plz|postleitzahl|stadt|größe"
    "|branche|herkunft|konfession|land"
    # French
    "|âge|tranche d.âge|genre|sexe|revenus?|diplôme|niveau d.études|études|profession|métier|pays|région|ville"
    "|département"
    "|code postal|situation familiale|état civil|nationalité|enfants|csp|foyer|statut"
    # Spanish and Portuguese
    "|edad|grupo de edad|género|sexo|ingresos?|estudios|educación|nivel educativo|ocupación|profesión|país"
    "|ciudad|provincia"
    "|estado civil|nacionalidad|hijos|código postal|hogar|comunidad autónoma|idade|faixa etária|gênero|renda|rendimento"
    "|escolaridade|ocupação|profissão|cidade|região|estado|nacionalidade|filhos|cep"
    # Italian
    "|età|fascia d.età|genere|sesso|reddito|titolo di studio|istruzione|professione|paese|città|regione|stato civile"
    "|nazionalità|figli|cap|occupazione"
    # Dutch
    "|leeftijd\\w*|geslacht|inkomen|opleiding\\w*|beroep|woonplaats|provincie|burgerlijke staat|nationaliteit|kinderen"
    "|huishouden|gemeente|geboortejaar"
)
_NOUN = re.compile(rf"(?<!\w)(?:{_WORDS})(?!\w)", re.IGNORECASE)
_CODED = re.compile(
    r"(?:age|sex|gender|gndr|educ?|income|inc|hinc\w*|region|race|marital|occup\w*|isco|agea|eduyrs|yrbrn)"
    r"(?:_?\d{1,4}|_?(?:gr(?:ou)?p?|cat(?:egory)?|bin|class|rec(?:ode)?d?|band|level|code|r|c))?",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"\bhow (?:old|tall)\b|\bany (?:children|kids)\b|\bwh(?:ere|o) do you (?:currently |mainly )?(?:live|work)\b"
    r"|\bchildren under\b|\bwhere you live\b|\b(?:what|which) (?:gender|sex|age|country|state|region|city)\b"
    r"|\byour (?:[\w-]+ ){0,2}(?:age|gender|sex|income|education|occupation|job|role|profession|location|ethnicity|race"
    r"|nationality|marital status|employment|degree|household|industry|department)\b"
    r"|\bhousehold (?:earn|income)\b|\bmembers of your household\b|\bwhat year were you born\b"
    r"|\b(?:year|date|month) of (?:your )?birth\b|\bhighest (?:level|degree|education)\b"
    r"|\byears? of (?:professional |work |working |full-time )?(?:experience|schooling|education)\b"
    r"|\bdo you (?:identify|describe yourself) as\b|\bare you (?:a )?(?:male|female|man|woman|married|employed"
    r"|retired)\b"
    r"|\bwhat (?:do you do|is your job)\b|\bhow many (?:people|children)\b.*\b(?:household|home|live|have)\b"
    r"|\bwie alt\b|\bwelches geschlecht\b|\bin welchem (?:land|bundesland|jahr)\b.*|\bwo wohnen sie\b"
    r"|\bihr(?:e|en)? (?:\w+ )?(?:alter|geschlecht|beruf|einkommen|wohnort|abschluss|familienstand|bildungsabschluss)\b"
    r"|\bhöchste\w* \w*(?:abschluss|bildung)\w*|\bwie viele (?:personen|kinder)\b"
    r"|\bquel(?:le)? (?:âge|est votre (?:\w+ )?(?:âge|sexe|genre|profession|niveau|situation|revenu))"
    r"|\bvotre (?:âge|sexe"
    r"|genre|profession|revenu|niveau d.études)\b|\boù (?:habitez|vivez)[- ]vous\b|\bvous êtes (?:un|une)\b"
    r"|\bqué edad\b|\bcuántos años\b|\bsu (?:edad|sexo|género|profesión|ocupación|nivel)\b|\bdónde vive\b"
    r"|\bcuál es su (?:\w+ )?(?:edad|sexo|género|nivel|ocupación|profesión)\b|\bdónde reside\b"
    r"|\bquanti anni\b|\bla sua (?:età|professione)\b|\bil suo (?:sesso|genere|titolo|reddito)\b|\bdove vive\b"
    r"|\bqual è (?:la sua|il suo) (?:età|sesso|genere|titolo|professione)|\bqual (?:é )?(?:a )?sua (?:idade|profissão"
    r"|escolaridade|renda)|\bqual (?:é )?(?:o )?seu (?:sexo|gênero|género|nível)|\bquantos anos\b"
    r"|\bonde (?:você )?(?:mora"
    r"|vive|reside)\b|\bhoe oud\b|\bwat is (?:uw|je) (?:\w+ )?(?:leeftijd|geslacht|beroep|opleiding\w*|inkomen)\b"
    r"|\bwaar woont\b",
    re.IGNORECASE,
)
_JAPANESE = re.compile(
    r"年齢|年代|性別|職業|業種|職種|役職|学歴|最終学歴|年収|収入|居住|お住まい|都道府県|出身|国籍|婚姻|未婚"
    r"|既婚|家族構成"
    r"|世帯|生年|郵便番号|子ども(?:の)?(?:有無|人数)|子供(?:の)?(?:有無|人数)"
)


_GENDER = re.compile(
    r"(?:an? |une? |eine? |una |uma |een )?"
    r"(?:man|woman|men|women|male|female|non-?binary|mann|frau|männlich|weiblich|divers|homme|femme|masculin|féminin"
    r"|non-binaire|hombre|mujer|masculino|femenino|feminino|homem|mulher|uomo|donna|maschio|femmina|vrouw"
    r"|mannelijk|vrouwelijk|男性?|女性?)",
    re.IGNORECASE,
)


def asks_gender(question: str, answers: Collection[str]) -> bool:
    """Say whether a question asks for the gender by its answers, as “Vous êtes” does; a longer one may ask for more."""
    known = sum(_GENDER.fullmatch(each.strip()) is not None for each in answers)
    return known >= 2 and known >= len(answers) - 2 and len(question.split()) <= _SHORT


def is_demographic(question: str) -> bool:
    """Say whether a question asks who the respondent is.

    Such is a short heading as “Age”, or “How old are you?”.
    """
    plain = re.sub(r"[_.\s]+", " ", question).strip()
    if _ASKED.search(plain) or _JAPANESE.search(plain) or _CODED.fullmatch(question.strip()):
        return True
    return len(plain.split()) <= _SHORT and bool(_NOUN.search(plain)) and not plain.endswith(("?", "!"))
