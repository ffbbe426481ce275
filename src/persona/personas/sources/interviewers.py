"""Who of all who speak in an input asks, and so is no respondent.

It is decided over the whole input, since a host is known by the files that he has in common. A person is an interviewer

1. whose label says so, in some language, or who is named as such above an interview;
2. who speaks in two or more files, in each of which there is another who speaks in fewer;
3. who asks in at least a fifth of their turns, and 2.5 times as often as the median of the others.

Where a label tells the interviewer of a file, its other speakers are respondents unless they ask in half of
their turns.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from persona.personas.sources import roles
from persona.personas.sources.turns import Interview, Turn

MIN_WORDS = 30
"""Who says fewer words is no respondent beside others who say more."""
_ASKS = 0.2
_TIMES = 2.5
_ASKS_BESIDE = 0.5
_LAST = 300
_ASKED_OF = (
    r"(?:do|does|did|is|are|was|were|would|will|can|could|should|have|has|had|about|made|makes)"
    r"\s+(?:you|your|the|that|this|it|there|they|he|she|people|we|a|an)"
)
_OPENERS = re.compile(
    r"(?:(?:so|and|ok(?:ay)?|well|now|great|good|thanks|thank you|right|al?right|but|then|also|und|et|alors|y|e"
    r"|entonces|então|allora|en|dus)[,.!]?\s+){0,3}(?:"
    rf"(?:how|what|why|when|where|who|which)(?:'s|\s+(?!(?:i|we)\b)(?:\w+\s+){{0,2}}?{_ASKED_OF}|\s+come)\b"
    r"|(?:do|did|can|could|would|are|were|have|had|will)\s+you\b|is there\b|are there\b"
    r"|(?:tell|walk|talk|show)\s+(?:me|us)\b|describe\b|give\s+(?:me|us)\s+an?\s+example"
    r"|(?:wie|was|warum|wieso|weshalb|wann|wo|wer|welche[rsnm]?|wozu)\s+(?:\w+\s+){0,2}?"
    r"(?:sie|du|ihr|man|ist|war|hat|haben|sind|machen|machst)\b|(?:haben|können|könnten|würden|sind)\s+sie\b"
    r"|(?:hast|kannst|könntest|würdest|bist)\s+du\b|erzähl\w*|beschreib\w*"
    r"|pourquoi\b|comment\s+\w+|qu'est-ce\b|est-ce\b|pouvez-vous\b|parlez-\w+|racontez\b|décrivez\b|quels?\b|quelles?\b"
    r"|[¿]|(?:cómo|qué|cuándo|dónde|quién|cuál(?:es)?|cuánt[oa]s?|por qué)\b|cuént[ea]\w*|descríb\w+|háb[le]\w+"
    r"|(?:puede|podría)s?\s+(?:contar|describir|explicar|decir)"
    r"|(?:perché|quando|dove|quale|quali)\s+\w+|mi (?:racconti|parli|descriva)\b|racconta\w*|descriv\w+"
    r"|(?:por que|quando|onde|qual|quais)\s+\w+|me (?:conte|fale)\b|conte-me|descreva\b"
    r"|(?:hoe|waarom|wanneer|waar|welke?)\s+(?:\w+\s+){0,2}?(?:u|je|jij|jullie|is|was|heeft|zijn)\b|kun(?:t)?\s+(?:u|je)\b"
    r"|vertel\w*|beschrijf\b)",
    re.IGNORECASE,
)
_ASKED_IN_JAPANESE = re.compile(r"(?:か|教えてください|聞かせてください|お願いします|でしょう)[。．]?\s*$")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")

Person = tuple[str, str]
"""A file (empty for whoever has the same name in all files) and a label."""


def person(interview: Interview, label: str) -> Person:
    """Return who a label is: a role or number such as ``P1`` is another one in each file."""
    called_as_file = interview.anonymous and label == interview.stem
    return (interview.file if called_as_file or roles.is_generic(label) or roles.is_interviewer(label) else "", label)


def is_known(interview: Interview, label: str) -> bool:
    """Say whether a label is a person's name, rather than a role, a number, the file's name, or nobody's."""
    return person(interview, label)[0] == "" and not roles.is_nobody(label)


def is_asking(said: str) -> bool:
    """Say whether a turn asks: a question mark at its end, or the opening of a question in speech without marks."""
    tail = said[-_LAST:].rstrip()
    ends = _SENTENCE.split(tail)[-2:]
    if any(end.rstrip("\"'”’)»").endswith(("?", "？", "؟")) for end in ends):
        return True
    if "?" in said or "？" in said:
        return False
    sentences = {said[:_LAST], *ends}
    return bool(_ASKED_IN_JAPANESE.search(tail)) or any(_OPENERS.match(each) for each in sentences)


def interviewers(interviews: Sequence[Interview]) -> dict[Person, str]:
    """Return who asks, each with the reason in words, in the order in which they speak first."""
    files = _turns_by_file(interviews)
    places: defaultdict[Person, list[str]] = defaultdict(list)
    for file, people in files.items():
        for each in people:
            places[each].append(file)
    found = _labelled(interviews)
    told = {file for file, people in files.items() if any(each in found for each in people)}
    shares, fewest = _shares(files), _fewest(files, places)
    for each, spoken in places.items():
        if each in found or not _is_in_common(spoken, fewest):
            continue
        if not told.intersection(spoken) or shares[each] >= _ASKS_BESIDE:
            found[each] = f"speaks in {len(spoken)} files"
    for each, reason in _by_questions(files, shares, found, told).items():
        found.setdefault(each, reason)
    return {each: found[each] for each in places if each in found}


def _turns_by_file(interviews: Sequence[Interview]) -> dict[str, dict[Person, list[Turn]]]:
    files: dict[str, dict[Person, list[Turn]]] = {}
    for interview in interviews:
        people = files.setdefault(interview.file, {})
        for turn in interview.turns:
            if not roles.is_nobody(turn.speaker):
                people.setdefault(person(interview, turn.speaker), []).append(turn)
    return files


def _labelled(interviews: Sequence[Interview]) -> dict[Person, str]:
    found: dict[Person, str] = {}
    for interview in interviews:
        labels = dict.fromkeys(turn.speaker for turn in interview.turns)
        sure = [label for label in labels if roles.asks(label) or roles.is_question(label)]
        for label in sure or [label for label in labels if roles.may_ask(label)]:
            found[person(interview, label)] = "by the label"
        names = [said for key, said in interview.fields.items() if roles.asks(key) or roles.may_ask(key)]
        for label in labels:
            if any(_is_name_of(label, name) for name in names):
                found[person(interview, label)] = "named as such above the interview"
    return found


def _is_name_of(label: str, name: str) -> bool:
    """Say whether a label is a name, its first or last word, or its initials."""
    words = name.split()
    initials = "".join(word[0] for word in words)
    return label == name or (bool(words) and label in (words[0], words[-1])) or (len(words) > 1 and label == initials)


def _fewest(files: dict[str, dict[Person, list[Turn]]], places: Mapping[Person, list[str]]) -> dict[str, int]:
    """Return for each file in how few files one of those speaks who say enough in it."""
    return {
        file: min((len(places[each]) for each, turns in people.items() if words_of(turns) >= MIN_WORDS), default=0)
        for file, people in files.items()
    }


def _is_in_common(spoken: list[str], fewest: Mapping[str, int]) -> bool:
    """Say whether somebody speaks in several files, in most of which another speaks who does in fewer."""
    return len(spoken) > 1 and sum(0 < fewest[file] < len(spoken) for file in spoken) * 2 > len(spoken)


def words_of(turns: Sequence[Turn]) -> int:
    """Return how many words turns have; in a script without spaces, two characters count as a word."""
    total = 0
    for turn in turns:
        wide = sum("\u2e80" <= c <= "\u9fff" for c in turn.said) if not turn.said.isascii() else 0
        total += len(turn.said.split()) + wide // 2
    return total


def _shares(files: dict[str, dict[Person, list[Turn]]]) -> dict[Person, float]:
    """Return in which share of their turns people ask, over all files."""
    asked, turns = Counter[Person](), Counter[Person]()
    for people in files.values():
        for each, said in people.items():
            spoken = [turn for turn in said if turn.said]
            asked[each] += sum(is_asking(turn.said) for turn in spoken)
            turns[each] += len(spoken)
    return {each: asked[each] / count if count else 0.0 for each, count in turns.items()}


def _by_questions(
    files: dict[str, dict[Person, list[Turn]]], shares: dict[Person, float], known: dict[Person, str], told: set[str]
) -> dict[Person, str]:
    """Return who asks far more often than the others of their files."""
    found: dict[Person, str] = {}
    for file, people in files.items():
        if len(people) < 2:
            continue
        order = sorted(shares[each] for each in people)
        for each in people:
            least = _ASKS_BESIDE if file in told else _ASKS
            if each not in known and shares[each] >= max(least, _TIMES * _median_without(order, shares[each])):
                found[each] = f"asks in {shares[each]:.0%} of their turns".replace("%", " %")
        if file not in told:
            found |= _pair_of_hosts(people, shares)
    return found


def _median_without(order: list[float], share: float) -> float:
    """Return the median of two or more numbers in order without one of them."""
    place, middle = bisect_left(order, share), (len(order) - 1) // 2
    upper = order[middle + (middle >= place)]
    return upper if len(order) % 2 == 0 else (order[middle - 1 + (middle - 1 >= place)] + upper) / 2


def _pair_of_hosts(people: dict[Person, list[Turn]], shares: dict[Person, float]) -> dict[Person, str]:
    """Return two who both ask, beside a third who does not."""
    order = sorted(people, key=lambda each: -shares[each])
    if len(order) != 3 or shares[order[1]] < _ASKS:
        return {}
    first, second, third = (shares[each] for each in order)
    if first >= _TIMES * second or second < _TIMES * third:
        return {}
    return {each: f"asks in {shares[each]:.0%} of their turns".replace("%", " %") for each in order[:2]}
