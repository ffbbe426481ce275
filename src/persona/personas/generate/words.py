"""Words and sentences of free text."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9À-ÞА-Я])")

_FILLERS = frozenset(
    """
    actually ah also always anyway ask back bit can cannot come could course day days did do does doing done dont eh
    else end even ever every everyone everything far feel felt find fine first for get gets getting give go goes going
    gone good got great guess had happen happened has have having hear he help here him his hmm honest honestly how
    i if im in into is isnt it its ive just keep kind know last left less let like little ll long look looking lot lots
    made make makes making many may maybe mean might mind mine more most mostly much must my need needed needs never
    new next nice no not nothing now of off oh ok okay old on once one ones only open or other out over own part
    people perhaps person place probably put quite rather re really right said same saw say says see seem seems set she
    should side so some somebody someone something sometimes somewhere sort start started still stop stuff such suppose
    sure take takes taking talk tell than thank thanks that thats the them then there these they thing things think
    this those though thought through time times to today together told too took tried try trying turn two um up us use
    used using usually very wait want wanted was way we week weeks well went were what when where which while who whole
    why will with without wont work works would year years yeah yes yet you your able about above across after again
    against all almost alone along already although am among an and another any anyone anything are arent around as at
    away be became because become been before behind being below between both but by came cant couldnt didnt doesnt
    down during each either enough especially from hadnt hasnt havent her herself himself however isn itself least
    myself neither nor often ought our ours ourselves per please shall since than their theirs themselves toward
    towards under until unless upon via wasnt werent whatever whenever whether whose within wouldnt yourself three four thirty twenty forty fifty hundred
    five six seven eight nine ten half moment basically literally simply definitely certainly obviously pretty super
    different big small easy hard bad better best worse worst real true rest minute minutes hour hours month months
    morning evening night tonight tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday
    january february march april june july august september october november december
    """.split()
)


def content_words(text: str) -> list[str]:
    """Return the words of a text that say something, in lower case and in their order; fillers are left out."""
    words = (word.lower().replace("’", "'") for word in _WORD.findall(text))
    return [word for word in words if len(word) > 2 and not _is_filler(word.replace("'", ""))]


def _is_filler(word: str) -> bool:
    return word in _FILLERS or stem(word) in _FILLER_STEMS


def stem(word: str) -> str:
    """Return a word without its ending, so that “waste”, “wasted” and “wasting” meet. Light, for English."""
    word = word.removesuffix("'s")
    for ending, least in (
        ("ies", 5),
        ("ing", 6),
        ("ied", 5),
        ("ed", 5),
        ("es", 5),
        ("s", 4),
        ("e", 4),
        ("y", 4),
    ):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "sl" else word


_FILLER_STEMS = frozenset(stem(word) for word in _FILLERS)


@lru_cache(maxsize=200_000)
def stems_of(text: str) -> frozenset[str]:
    """Return the stems of a text's content words."""
    return frozenset(stem(word) for word in content_words(text))


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each a verbatim piece of it."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def word_count(text: str) -> int:
    """Return the number of words, of any length."""
    return len(_WORD.findall(text))
