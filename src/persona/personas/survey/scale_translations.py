"""Scales of agreement, frequency and satisfaction in German, French, Spanish, Italian, Portuguese, Dutch and Japanese.

Their families are not those of the English ones, since only English is rewritten into sentences.
"""

from __future__ import annotations

from collections.abc import Mapping

_AGREEMENT = {
    -3: (
        r"(?:stimme|trifft) (?:überhaupt|gar|absolut) nicht zu"
        r"|(?:pas du tout|absolument pas) d'accord|tout à fait en désaccord"
        r"|(?:totalmente|muy|completamente) en desacuerdo|nada de acuerdo"
        r"|(?:totalmente|completamente|del tutto|fortemente) in disaccordo|per (?:niente|nulla) d'accordo"
        r"|discordo (?:totalmente|completamente|fortemente|plenamente)"
        r"|(?:helemaal|zeer|volledig) (?:mee )?oneens|helemaal niet (?:mee )?eens"
        r"|(?:全く|まったく)そう思わない"
    ),
    -2: (
        r"stimme nicht zu|trifft nicht zu|pas d'accord|en désaccord|en desacuerdo|in disaccordo|non d'accordo"
        r"|discordo|(?:mee )?oneens|そう思わない"
    ),
    -1: (
        r"(?:stimme|trifft) (?:eher|weniger) nicht zu|trifft weniger zu|plutôt (?:pas d'accord|en désaccord)"
        r"|algo en desacuerdo|poco d'accordo|discordo (?:parcialmente|em parte)|enigszins (?:mee )?oneens"
        r"|あまりそう思わない"
    ),
    0: (
        r"teils ?[,/-]? ?teils|weder noch|unentschieden|neutral|neutre|ni d'accord,? ni (?:pas d'accord|en désaccord)"
        r"|ni de acuerdo,? ni en desacuerdo|indiferente|né d'accordo,? né in disaccordo|neutrale|neutro"
        r"|(?:não|nem) concordo,? nem discordo|neutraal|niet eens,? (?:en )?niet oneens|どちらとも(?:言|い)えない"
    ),
    1: (
        r"(?:stimme|trifft) (?:eher|teilweise) zu|plutôt d'accord|algo de acuerdo|abbastanza d'accordo"
        r"|concordo (?:parcialmente|em parte)|enigszins (?:mee )?eens|(?:やや|まあ)そう思う"
    ),
    2: r"stimme zu|trifft zu|d'accord|de acuerdo|d'accordo|concordo|(?:mee )?eens|そう思う",
    3: (
        r"(?:stimme|trifft) (?:voll und ganz|völlig|vollkommen|voll|sehr|absolut) zu"
        r"|(?:tout à fait|totalement|entièrement) d'accord|(?:totalmente|muy|completamente) de acuerdo"
        r"|(?:molto|totalmente|completamente|del tutto|pienamente) d'accordo"
        r"|concordo (?:totalmente|completamente|plenamente|fortemente)|(?:helemaal|zeer|volledig) (?:mee )?eens"
        r"|(?:強く|とても|非常に)そう思う"
    ),
}
_FREQUENCY = {
    0: r"nie|niemals|jamais|nunca|mai|nooit|全くない|まったくない",
    1: (
        r"(?:sehr )?selten|fast nie|seltener|rarement|presque jamais|rara vez|raramente|casi nunca|quase nunca"
        r"|quasi mai|zelden|bijna nooit|ほとんどない|めったにない"
    ),
    2: (
        r"(?:einmal|1[ -]?mal) (?:im|pro) monat|monatlich|une fois par mois|una vez al mes|una volta al mese"
        r"|uma vez por mês"
    ),
    3: (
        r"manchmal|gelegentlich|ab und zu|hin und wieder|parfois|de temps en temps|a veces|ocasionalmente|a volte"
        r"|qualche volta|às vezes|ocasionalmente|soms|af en toe|時々|ときどき|たまに"
    ),
    4: (
        r"oft|häufig|meistens|souvent|a menudo|frecuentemente|con frecuencia|spesso|frequentemente|muitas vezes"
        r"|vaak|よく(?:ある)?"
    ),
    4.2: (
        r"(?:einmal|1[ -]?mal) (?:in der|pro) woche|wöchentlich|une fois par semaine|una vez (?:a la|por) semana"
        r"|una volta (?:a|alla) settimana|uma vez por semana|wekelijks"
    ),
    4.5: (
        r"mehrmals (?:in der|pro|die) woche|plusieurs fois par semaine|varias veces (?:a la|por) semana"
        r"|più volte (?:a|alla) settimana|várias vezes por semana"
    ),
    5: r"sehr oft|fast immer|très souvent|presque toujours|casi siempre|quase sempre|quasi sempre|bijna altijd",
    6: (
        r"immer|täglich|jeden tag|toujours|tous les jours|quotidiennement|siempre|todos los días|diariamente|sempre"
        r"|ogni giorno|todos os dias|altijd|dagelijks|いつも|毎日"
    ),
}
_UNHAPPY = (
    r"(?:unzufrieden|unwichtig|insatisfait(?:e|\(e\))?|mécontent(?:e|\(e\))?|insatisfech[oa]|insoddisfatt[oa]"
    r"|insatisfeit[oa]|ontevreden|不満)"
)
_HAPPY = (
    r"(?:zufrieden|wichtig|satisfait(?:e|\(e\))?|content(?:e|\(e\))?|satisfech[oa]|soddisfatt[oa]|satisfeit[oa]"
    r"|tevreden|満足)"
)
_VERY = r"(?:sehr|äußerst|très|muy|molto|muito|zeer|heel|とても|非常に|大変) ?"
_RATHER = r"(?:(?:eher|plutôt|algo|bastante|abbastanza|um pouco|enigszins|やや|まあ) ?)?"
_SATISFACTION = {
    -3: rf"{_VERY}{_UNHAPPY}|überhaupt nicht {_HAPPY}|pas du tout {_HAPPY}",
    -2: rf"{_RATHER}{_UNHAPPY}|(?:eher nicht|plutôt pas|peu|poco|pouco) {_HAPPY}",
    0: (
        r"teils ?[,/-]? ?teils|weder noch|weder .* noch .*|neutral|neutre|indiferente|neutrale|neutro|neutraal|普通"
        r"|どちらでもない"
    ),
    2: rf"{_RATHER}{_HAPPY}",
    3: rf"{_VERY}{_HAPPY}",
}
_MIDDLE_OF_FREQUENCY = 3


def _rules(
    family: str, steps: Mapping[int, str] | Mapping[float, str], middle: float
) -> list[tuple[str, str, float, int]]:
    return [(family, pattern, rank, (rank > middle) - (rank < middle)) for rank, pattern in steps.items()]


TRANSLATED = [
    *_rules("agreement, translated", _AGREEMENT, 0),
    *_rules("frequency, translated", _FREQUENCY, _MIDDLE_OF_FREQUENCY),
    *_rules("satisfaction, translated", _SATISFACTION, 0),
]
"""Family, pattern over the lower-case answer, rank, side: as the rules of `scales`."""
