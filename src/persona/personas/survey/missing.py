"""Answers that stand for no answer: codes such as −99, words such as “Refused”, and what a heading says is one.

Codes follow the habits of SPSS and of the large surveys: −9 to −1, 77, 88, 98, 99 and 997 to 999, and at the end of a
short scale 7, 8 and 9. They count as codes only outside the run of the other numbers.
Source: European Social Survey, “Data protocol”, missing values, https://www.europeansocialsurvey.org/.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from persona.personas.survey import scales
from persona.personas.survey.draft import Draft, some

_LOW = frozenset({*range(-9, 0), -66, -77, -88, -96, -97, -98, -99, -777, -888, -997, -998, -999, -7777, -8888, -9999})
_HIGH = frozenset(
    {77, 88, 97, 98, 99, 777, 888, 997, 998, 999, 7777, 8888, 9997, 9998, 9999, 77777, 88888, 99999, 999999}
)
_SHORT_CODES = frozenset({7, 8, 9})
_LONGEST_SHORT = 5
_SCALE_END = 11
"""The highest step of a scale; a code of two digits is always outside of one."""
_SIXTY_SIX = 66
_NEIGHBOURS = 5
"""How many numbers below the highest one tell how often such a number is given."""
_NONE_IN_TEXT = frozenset({"-99", "-9", "-999", "-98", "-97", "-88", "-77", "-1"})

_NOTHING = (
    r"no (?:answer|response|reply)|not answered|no data|refus(?:ed|al)(?: to answer)?|declined(?: to (?:answer|state))?"
    r"|(?:i(?:'d| would)? )?(?:prefer|rather|choose|wish) not (?:to )?(?:say|answer|respond|disclose|state)(?: this)?"
    r"|skipped|missing|not (?:asked|applicable|available|stated|reported|specified)|seen but (?:un|not )answered"
    r"|#n/?a|#null!|iap|inap\.?|inapplicable|<na>|\(blank\)|\(?(?:null|none given)\)?|system missing"
    r"|keine angaben?|k\. ?a\.|nicht beantwortet|möchte ich nicht (?:sagen|angeben|beantworten)|trifft nicht zu"
    r"|sans réponse|pas de réponse|non réponse|ne souhaite pas répondre|je préfère ne pas (?:répondre|le dire)"
    r"|sin respuesta|no contesta|no responde|ns/nc|prefiero no (?:decirlo|responder|contestar|decir)"
    r"|nessuna risposta|non risponde|preferisco non (?:rispondere|dirlo)|sem resposta|não respondeu"
    r"|prefiro não (?:responder|dizer)|geen antwoord|wil niet zeggen|zeg ik liever niet"
    r"|無回答|回答なし|答えたくない|回答しない"
)
_NO_ANSWER = re.compile(rf"[(\[<]?(?:{_NOTHING})[)\]>]?[.!]?", re.IGNORECASE)
_NAMED = re.compile(
    rf"(?<![\d.])([-−]?\d+)\s*(?:=|:|is|means|for)\s*[\"'“]?(?:{_NOTHING}|don[’']?t know|do not know|dk|unknown|n/?a"
    r"|weiß nicht|ne sait pas|no sabe|ns|weet niet|non so|não sei|わからない)",
    re.IGNORECASE,
)


def declared(draft: Draft) -> None:
    """Discard what a file or a heading declares to be no answer, and words that say so."""
    for name in draft.open():
        counts = draft.counts(name)
        said = {*draft.hint(name).missing, *_named(f"{name} {draft.hint(name).label}", counts)}
        gone = [answer for answer in counts if answer in said or (len(answer) < 60 and _NO_ANSWER.fullmatch(answer))]
        if gone:
            _discard(draft, name, gone)


def _named(heading: str, counts: Mapping[str, int]) -> list[str]:
    """Return the answers whose number a heading says to be none: ``Age (99 = no answer)``."""
    codes = {float(match[1].replace("−", "-")) for match in _NAMED.finditer(heading)}
    return [answer for answer in counts if scales.number(answer) in codes] if codes else []


def codes(draft: Draft) -> None:
    """Discard codes among numbers, and negative codes among words.

    A code that is sure in one column is one in others too, if it is outside of their numbers. 7, 8 and 9 need two
    columns that agree.
    """
    tables = {name: table for name in draft.open() if (table := _numbers(draft.counts(name)))}
    found = {name: outside(table) for name, table in tables.items()}
    sure = Counter(code for each in found.values() for code in each)
    short = Counter(each for table in tables.values() if (each := _short(table))[0])
    for name, table in tables.items():
        gone = found[name] | {code for code in sure if code in table and _is_apart(table, code)}
        if short[_short(table)] >= 2:
            gone |= _short(table)[0]
        if gone:
            _discard(draft, name, [a for a in draft.counts(name) if scales.number(a) in gone])
        _doubt(draft, name, _short(table)[0] | _suspects(table))
    for name in draft.open():
        if name not in tables and (gone_words := _in_words(draft.counts(name))):
            _discard(draft, name, gone_words)


def _discard(draft: Draft, name: str, answers: list[str]) -> None:
    count = draft.discard(name, answers)
    draft.notes.append(f"“{name}”: {count:,} × {some(sorted(answers))} counted as no answer.")


def _doubt(draft: Draft, name: str, values: frozenset[float]) -> None:
    """Say of numbers that may be codes for no answer that they count as answers."""
    counts = draft.counts(name)
    kept = [answer for answer in counts if scales.number(answer) in values]
    if kept:
        draft.notes.append(
            f"“{name}”: {sum(counts[each] for each in kept):,} × {some(sorted(kept))} counted as an answer, though it "
            "may stand for none. If so, name it under “missing” in a codebook."
        )


def _suspects(table: Mapping[float, int]) -> frozenset[float]:
    """Return numbers that are usual codes, but lie too near to the others, or come too seldom, to be told as such.

    One on a scale lies far behind its end. One among numbers is the highest, and is given far more often than its
    neighbours.
    """
    high = sorted(value for value in table if value in _HIGH or value == _SIXTY_SIX)
    others = [value for value in table if value not in high]
    if not high or len(others) < 2:
        return frozenset()
    if max(others) <= _SCALE_END:
        return frozenset(high)
    top = max(table)
    near = [table[value] for value in sorted(table)[-_NEIGHBOURS - 1 : -1]]
    return frozenset({top}) if top in high and table[top] >= 3 and table[top] > 2 * max(near) else frozenset()


def _numbers(counts: Mapping[str, int]) -> Counter[float]:
    """Return how often each number is answered; nothing if there is anything but numbers."""
    table: Counter[float] = Counter()
    for answer, count in counts.items():
        value = scales.number(answer)
        if value is None:
            return Counter()
        table[value] += count
    return table


def outside(table: Mapping[float, int]) -> frozenset[float]:
    """Return the codes for no answer among numbers: those that lie apart from the run of the others.

    Args:
        table: how often each number is answered.
    """
    below = frozenset(value for value in table if value < 0)
    if below and not (below <= _LOW and len(below) < len(table) and not _is_bipolar(table)):
        below = frozenset()
    rest = sorted(value for value in table if value not in below)
    above: set[float] = set()
    while rest and rest[-1] in _HIGH:
        above.add(rest.pop())
    if not rest or (len(rest) < 2 and len(table) - len(below) > 3):
        return below
    total = sum(table.values())
    return below | {code for code in above if _is_code(code, table[code], rest, min(above), total)}


def _is_bipolar(table: Mapping[float, int]) -> bool:
    """Say whether numbers run through zero in whole steps, as from −3 to 3; −1 before 0 to 10 does not."""
    low, high = min(table), max(value for value in table if value not in _HIGH or value < 0)
    run = all(step in table for step in range(int(low), 1))
    below = sum(count for value, count in table.items() if value < 0)
    return run and (-low >= high or below > 0.25 * sum(table.values()))


def _is_code(code: float, count: int, rest: list[float], lowest: float, total: int) -> bool:
    """Say whether a high number is a code, by how far it lies from the others and how often it comes."""
    highest, spread = rest[-1], rest[-1] - rest[0]
    if highest <= _SCALE_END:
        return all(value == int(value) for value in rest)
    if code >= 777:
        return highest <= code / 4 or (count >= 3 and highest <= 0.7 * code)
    return count >= max(3, 0.01 * total) and lowest - highest > max(8, 0.15 * spread)


def _is_apart(table: Mapping[float, int], code: float) -> bool:
    """Say whether a code of another column is outside of these numbers as well."""
    others = [value for value in table if value != code and value not in _HIGH]
    if not others or (code > 0 and table[code] < 2 and max(others) > _SCALE_END):
        return False
    return code < min(others) - 0.5 and not _is_bipolar(table) if code < 0 else code > max(others) + 5


def _short(table: Mapping[float, int]) -> tuple[frozenset[float], float]:
    """Return 7, 8 and 9 where they stand apart from a scale of at most five steps, from 0 or 1, and its last step."""
    ends = frozenset(value for value in table if value in _SHORT_CODES)
    run = sorted(value for value in table if 0 <= value <= _LONGEST_SHORT)
    whole = bool(run) and run == [float(step) for step in range(int(run[0]), int(run[-1]) + 1)]
    others = [value for value in table if value not in ends and value not in run and value >= 0 and value not in _HIGH]
    apart = whole and len(run) >= 2 and run[0] <= 1 and not others and bool(ends) and min(ends) - run[-1] >= 2
    often = sum(table[value] for value in ends) >= max(3, 0.005 * sum(table.values()))
    return (ends, run[-1]) if apart and often else (frozenset(), 0.0)


def _in_words(counts: Mapping[str, int]) -> list[str]:
    """Return the negative codes among answers in words, as Qualtrics writes for a question that was seen only."""
    gone = [answer for answer in counts if answer.replace("−", "-") in _NONE_IN_TEXT]
    others = [answer for answer in counts if answer not in gone]
    return gone if len(others) >= 2 and all(scales.number(answer) is None for answer in others) else []
