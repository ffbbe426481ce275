"""Words and sentences of free text."""

from __future__ import annotations

import re
from functools import lru_cache
from sys import intern

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)]))\s+(?=[\"'“‘(]?[A-Z0-9À-ÞА-Я])")
ADDRESS = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|(?<!\w)(?:[\w-]+\.)+(?:com|org|net|info|io|dev|app|gov|edu|co|uk|de|fr)\b\S*",
    re.IGNORECASE,
)
"""Addresses of pages and people: no words."""

FILLERS = frozenset(
    """
    able about above across actually after again against ah all almost alone along already also although
    always am among an and another any anyone anything anyway april are arent around as ask at august
    away back bad basically be became because become been before behind being below best better between
    big bit both but by came can cannot cant certainly come could couldnt course day days december
    definitely did didnt different do does doesnt doing done dont down during each easy eh eight either
    else end enough especially even evening ever every everyone everything far february feel felt fifty
    find fine first five for forty four friday from get gets getting give go goes going gone good got
    great guess had hadnt half happen happened hard has hasnt have havent having he hear help her here
    herself him himself his hmm honest honestly hour hours how however hundred i if im in into is isn
    isnt it its itself ive january july june just keep kind know last least left less let like literally
    little ll long look looking lot lots made make makes making many march may maybe mean might mind mine
    minute minutes moment monday month months more morning most mostly much must my myself need needed
    needs neither never new next nice night nine no nor not nothing november now obviously october of off
    often oh ok okay old on once one ones only open or other ought our ours ourselves out over own part
    people per perhaps person place please pretty probably put quite rather re real really rest right
    said same saturday saw say says see seem seems september set seven shall she should side simply since
    six small so some somebody someone something sometimes somewhere sort start started still stop stuff
    such sunday super suppose sure take takes taking talk tell ten than thank thanks that thats the their
    theirs them themselves then there these they thing things think thirty this those though thought
    three through thursday time times to today together told tomorrow tonight too took toward towards
    tried true try trying tuesday turn twenty two um under unless until up upon us use used using usually
    very via wait want wanted was wasnt way we wednesday week weeks well went were werent what whatever
    when whenever where whether which while who whole whose why will with within without wont work works
    worse worst would wouldnt yeah year years yes yesterday yet you your yourself
    """.split()  # noqa: SIM905 - a list literal of this length cannot be read
)


def content_words(text: str) -> list[str]:
    """Return the words of a text that say something, in lower case, in their order, without fillers."""
    words = (word.lower().replace("’", "'").removesuffix("'s") for word in _WORD.findall(text))
    return [word for word in words if len(word) > 2 and not _is_filler(word.replace("'", ""))]


def _is_filler(word: str) -> bool:
    return word in FILLERS or stem(word) in _filler_stems()


@lru_cache(maxsize=1)
def _filler_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in FILLERS)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return a word without its ending, so that “waste”, “wasted” and “wasting” meet. Light, for English.

    What is returned is one object for each stem: of a large input there are millions.
    """
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
    return intern(word[:-1] if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "sl" else word)


@lru_cache(maxsize=10_000)
def stems_of(text: str) -> frozenset[str]:
    """Return the stems of a text's content words."""
    return frozenset(map(stem, content_words(text)))


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each a verbatim piece of it."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def word_count(text: str) -> int:
    """Return the number of words, of any length."""
    return len(_WORD.findall(text))
