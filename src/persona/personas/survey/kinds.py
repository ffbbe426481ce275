"""What kind of question a column is, by its heading and its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from persona.personas.sources.records import Hint
from persona.personas.survey import metadata, scales
from persona.personas.survey.demographics import is_demographic
from persona.personas.survey.lists import Lists, lists_in, ranked
from persona.personas.survey.nominal import is_code, is_nominal
from persona.personas.survey.questions import Kind

MAX_CHOICES = 40
"""The most answers of a choice that are counted each; the rest count as others."""
MAX_CHOICE = 200
"""A longer answer, in characters, is no choice but words of somebody's own."""
_FEW = 12
_SCALE_STEPS = 11
_SENTENCE = 4

WHY = {
    Kind.EMPTY: "no answers",
    Kind.CONSTANT: "the same answer everywhere",
    Kind.ID: "names a person or differs everywhere",
    Kind.DATE: "dates",
    Kind.METADATA: "written by the software",
    Kind.NUMBER: "numbers",
    Kind.SCALE: "a scale",
    Kind.CHOICE: "a choice",
    Kind.MULTIPLE: "several choices",
    Kind.TEXT: "words of their own",
}


@dataclass(frozen=True)
class Guess:
    """What a column is taken for.

    Args:
        kind: what can be done with its answers.
        why: in words.
        categories: the answers that can be counted.
        lists: how cells hold several choices; None if they hold one.
        note: what a researcher should know of it; "" if nothing.
        drives: whether it may make groups: answers of a word or two that hardly come back do not, nor do postcodes and
            the strata of a sample.
    """

    kind: Kind
    why: str
    categories: tuple[str, ...] = ()
    lists: Lists | None = None
    note: str = ""
    drives: bool = True


def guess(name: str, hint: Hint, given: Sequence[str]) -> Guess:
    """Return the kind of a question.

    Args:
        name: the heading.
        hint: what the file says beside it.
        given: the answers, in the order of the rows, gaps left out.
    """
    counts = Counter(given)
    wording = hint.label or name
    about = is_demographic(wording) or is_demographic(name)
    if kind := _unusable(name, hint, given, counts, about=about):
        return Guess(kind, WHY[kind])
    if max(map(len, counts)) > MAX_CHOICE and not _lists(counts):
        return Guess(Kind.TEXT, WHY[Kind.TEXT])
    if all(scales.number(answer) is not None for answer in counts):
        return _of_numbers(name, wording, counts)
    if hint.categories and (found := _as_declared(hint, counts)):
        return found
    if order := ordered(counts):
        return Guess(Kind.SCALE, WHY[Kind.SCALE], order)
    if lists := _lists(counts):
        return _of_lists(lists, counts)
    if _is_choice(given, counts) or (about and len(counts) <= len(given) * 0.9):
        return _choice(counts)
    if mean(len(answer.split()) for answer in given) >= _SENTENCE:
        return Guess(Kind.TEXT, WHY[Kind.TEXT])
    if _comes_back(given, counts):
        return _choice(counts)
    return _of_words(name, given, counts)


def _unusable(name: str, hint: Hint, given: Sequence[str], counts: Counter[str], *, about: bool) -> Kind | None:
    """Return why a column cannot be compared, or None if it can."""
    if not given:
        return Kind.EMPTY
    if metadata.names_people(name, counts) or (hint.label and metadata.names_people(hint.label, counts)):
        return Kind.ID
    if metadata.is_software(name):
        return Kind.METADATA
    if metadata.are_dates(name, counts):
        return Kind.DATE
    if metadata.are_ids(name, given, counts, about=about):
        return Kind.ID
    if len(counts) == 1 and len(given[0].split()) < _SENTENCE + 1:
        return Kind.CONSTANT
    return None


def _of_numbers(name: str, wording: str, counts: Counter[str]) -> Guess:
    """Return few different numbers as a scale, many as numbers, and codes as a choice."""
    if is_nominal(name, counts) or is_nominal(wording, counts):
        found = _choice(counts)
        drives = not any(is_code(text) for text in (name, wording))
        return Guess(found.kind, "codes of a choice", found.categories, note=found.note, drives=drives)
    values = {answer: scales.number(answer) or 0.0 for answer in counts}
    order = tuple(sorted(counts, key=lambda answer: (values[answer], answer)))
    whole = all(value == int(value) for value in values.values())
    scale = len(set(values.values())) <= _SCALE_STEPS and (whole or len(order) <= 7)
    return Guess(Kind.SCALE, WHY[Kind.SCALE], order) if scale else Guess(Kind.NUMBER, WHY[Kind.NUMBER])


def _as_declared(hint: Hint, counts: Counter[str]) -> Guess | None:
    """Return a question with the answers that its file allows: in the file's order, if that is a scale's."""
    known = tuple(answer for answer in hint.categories if answer in counts)
    if len(known) < len(counts):
        return None
    placed = ordered(Counter(dict.fromkeys(known, 1)))
    if len(placed) >= max(2, len(known) - 1):
        kept = tuple(answer for answer in known if answer in placed)
        return Guess(Kind.SCALE, WHY[Kind.SCALE], kept if kept in (placed, placed[::-1]) else placed)
    return _choice(counts)


def ordered(counts: Counter[str]) -> tuple[str, ...]:
    """Return the answers from low to high if they are of one scale, otherwise ().

    One that is not of it, such as “Other”, is passed over.
    """
    if len(counts) > MAX_CHOICES:
        return ()
    if steps := scales.steps(counts):
        return tuple(sorted(steps, key=lambda answer: steps[answer]))
    places = {answer: {place.family: place.rank for place in scales.level(answer)} for answer in counts}
    families = sorted({family for found in places.values() for family in found})
    if not families:
        return ()

    def fit(family: str) -> tuple[int, int]:
        ranks = [found[family] for found in places.values() if family in found]
        return len(ranks), len(set(ranks))

    best = max(families, key=fit)
    order = sorted((a for a in counts if best in places[a]), key=lambda a: (places[a][best], a))
    ranks = {places[answer][best] for answer in order}
    covered = sum(counts[answer] for answer in order) / counts.total()
    enough = len(order) >= max(2, len(counts) - 1) and covered >= 0.85
    return tuple(order) if enough and len(ranks) >= 2 else ()


def _lists(counts: Counter[str]) -> Lists | None:
    return lists_in(counts)


def _of_ranks(lists: Lists, counts: Counter[str], number: int) -> Guess:
    """Return what each puts first as a choice: everybody names all answers, which says nothing."""
    first = replace(lists, first=True)
    firsts: Counter[str] = Counter()
    for cell, count in counts.items():
        firsts[first.split(cell)[0]] += count
    found = _choice(firsts)
    note = f"each ranks the same {number} answers, so that the first one counts"
    return replace(found, why="what is ranked first", lists=first, note=note)


def _of_lists(lists: Lists, counts: Counter[str]) -> Guess:
    if number := ranked(counts, lists):
        return _of_ranks(lists, counts, number)
    choices: Counter[str] = Counter()
    for cell, count in counts.items():
        for choice in lists.split(cell):
            choices[choice] += count
    categories, note = _top(choices)
    shown = {" ": "space", ";": "semicolon", "|": "bar", ",": "comma"}[lists.separator]
    return Guess(Kind.MULTIPLE, f"several choices in a cell, with a {shown} between them", categories, lists, note)


def _choice(counts: Counter[str]) -> Guess:
    categories, note = _top(counts)
    return Guess(Kind.CHOICE, WHY[Kind.CHOICE], categories, note=note)


def _top(counts: Counter[str]) -> tuple[tuple[str, ...], str]:
    """Return the most frequent answers, and a note where there are others."""
    frequent = tuple(sorted(counts, key=lambda answer: (-counts[answer], answer)))
    if len(frequent) <= MAX_CHOICES:
        return frequent, ""
    rest = sum(counts[answer] for answer in frequent[MAX_CHOICES:])
    note = f"{len(frequent):,} different answers; the {MAX_CHOICES} most frequent are counted, {rest:,} others are not"
    return frequent[:MAX_CHOICES], note


def _is_choice(given: Sequence[str], counts: Counter[str]) -> bool:
    """Say whether answers repeat enough to be choices, the rare ones aside."""
    repeated = sum(count for count in counts.values() if count > 1)
    few = len(counts) <= max(2, min(_FEW, len(given) * 0.6))
    return few or (len(counts) <= MAX_CHOICES and repeated >= 0.8 * len(given))


def _comes_back(given: Sequence[str], counts: Counter[str]) -> bool:
    """Say whether many different answers are choices: the most frequent ones cover most of what is given."""
    frequent = sum(count for _, count in counts.most_common(MAX_CHOICES))
    return len(counts) <= len(given) / 3 or (len(counts) <= len(given) / 2 and frequent >= 0.6 * len(given))


def _of_words(name: str, given: Sequence[str], counts: Counter[str]) -> Guess:
    """Return short answers that hardly come back as words of their own, or as names if each is another."""
    if len(counts) >= 0.95 * len(given) and mean(len(answer.split()) for answer in given) < 2:
        return Guess(Kind.ID, WHY[Kind.ID])
    return Guess(Kind.TEXT, "short words of their own", drives=False)
