"""The little English grammar that turns “do you …” into “does …”. What it is not sure of, it leaves undone."""

from __future__ import annotations

import re

_IN_LY = frozenset({"fly", "apply", "rely", "supply", "reply", "comply"})
_IRREGULAR = {"have": "has", "do": "does", "be": "is", "go": "goes", "are": "is"}
_NO_VERBS = frozenset(
    """
    or and not the a an in on at if when who what which how any anyone anybody your yourself you both either
    also all each every more most much many very so to for of with it they there that this
    """.split()  # noqa: SIM905 - a list literal of this length cannot be read
)
_OBJECT_AFTER = frozenset(
    """
    about above after against among around at behind below beside between beyond by for from in inside into
    like near of off on onto over past to toward towards under upon with without help helps helped make
    makes made let lets allow allows allowed give gives gave tell tells told show shows showed ask asks
    asked offer offers offered enable enables motivate motivates motivated bother bothers bothered stop
    stops prevent prevents send sends sent keep keeps concern concerns affect affects affected suit suits
    describe describes described encourage encourages encouraged cause causes caused teach teaches taught
    treat treats treated want wants wanted expect expects expected force forces
    """.split()  # noqa: SIM905 - a list literal of this length cannot be read
)
_SUBJECT_AFTER = frozenset(
    """
    that when if where what how which whom who because while whenever wherever until unless once though
    although whether and or but since before as than time times way day days week month year thing things
    people place places one ones
    """.split()  # noqa: SIM905 - a list literal of this length cannot be read
)
_SUBJECT_BEFORE = frozenset(
    """
    are have had were do did can could will would should may might must feel think use live work own know
    like want need go see say get buy eat drink watch read play spend travel fly drive make take visit
    choose prefer consider receive
    """.split()  # noqa: SIM905 - a list literal of this length cannot be read
)


def third_person(verb: str) -> str:
    """Return “recline” as “reclines”."""
    if verb.lower() in _IRREGULAR:
        return _IRREGULAR[verb.lower()]
    if re.search(r"(?:s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def is_verb(word: str) -> bool:
    """Say whether a word after “do you” can be a verb."""
    return (
        re.fullmatch(r"[a-z]+(?:-[a-z]+)?", word) is not None
        and word not in _NO_VERBS
        and (word in _IN_LY or not word.endswith("ly"))
    )


def is_participle(word: str) -> bool:
    """Say whether a word after “have you” can be a participle."""
    return re.fullmatch(r"[a-z]+", word) is not None and word not in _NO_VERBS and not word.endswith("ly")


def they(text: str) -> str | None:
    """Return a text about “you” as one about “they”; None if the role of a “you” is not sure."""
    swaps = {"yourself": "themselves", "yourselves": "themselves", "yours": "theirs", "your": "their", "my": "their"}
    swaps |= {"you're": "they're", "you’re": "they’re", "you've": "they've", "you’ve": "they’ve"}
    words = re.split(r"(\s+)", text)
    for place in range(0, len(words), 2):
        before = words[place - 2].lower().strip("“\"'(,") if place else ""
        after = words[place + 2].lower() if place + 2 < len(words) else ""
        match = re.fullmatch(r"(\W*)([\w'’]+)(\W*)", words[place])
        if match is None:
            continue
        core = match[2]
        if core.lower() in swaps:
            new: str | None = swaps[core.lower()]
        elif core.lower() == "you":
            new = _you(before, after, ends=not after or bool(match[3]))
        elif core in ("I", "me", "mine", "myself") or core.lower() in ("i'm", "i’m"):
            new = None
        else:
            continue
        if new is None:
            return None
        words[place] = f"{match[1]}{new}{match[3]}"
    return "".join(words)


def _you(before: str, after: str, *, ends: bool) -> str | None:
    if (
        not ends
        and after.strip("?.,") in _SUBJECT_BEFORE
        and before not in ("help", "helps", "makes", "make", "let", "lets")
    ):
        return "they"
    if before in _OBJECT_AFTER or ends:
        return "them"
    return "they" if before in _SUBJECT_AFTER else None


def either(parts: list[str]) -> str:
    """Return “a, b or c”."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def upper_first(text: str) -> str:
    """Return a text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """Return a sentence to stand inside another one; quotations and acronyms keep their capitals."""
    return text if re.match(r"[^\W\d_]{2}", text) and text[:2].isupper() else text[:1].lower() + text[1:]
