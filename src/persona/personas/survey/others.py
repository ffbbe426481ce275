"""“Other (please specify)”: what is written there belongs to its question."""

from __future__ import annotations

import re

from persona.personas.survey.draft import Draft, some
from persona.personas.survey.questions import Kind, Question, Use
from persona.personas.survey.stems import last_option, parts_of
from persona.personas.survey.tick_boxes import MARKS

_OTHER = (
    r"others?|something else|sonstige\w*|andere\w*|anderes|etwas anderes|autres?|otros?|otras?|outros?|outras?|altro"
    r"|altri|anders|overige?|その他|其他"
)
_SPECIFY = (
    r"specify|describe|explain|state|which|text|write|name|angeben|nennen|welche|précis|especifi|specific|namelijk"
)
_IS_OTHER = re.compile(rf"(?:{_OTHER})\b.{{0,80}}", re.IGNORECASE)
_ASKS_WHICH = re.compile(
    rf"(?:.*\b)?(?:{_OTHER})\b.*(?:{_SPECIFY}).*|(?:please )?specify.*|if other\b.*", re.IGNORECASE
)
_LONGEST = 120
_MOST_WORDS = 12
_QUALTRICS = re.compile(r"(.+?)(?:_\d+)?_TEXT", re.IGNORECASE)
_CODED = re.compile(r"(.+?)[_./](?:other|oth|specify)(?:_specify|_text|_oth)?", re.IGNORECASE)


def others(draft: Draft) -> None:
    """Take the columns that say what “Other” is, give them to their question, and count it as answered “Other”."""
    names = list(draft.columns)
    found = []
    for place, name in enumerate(names):
        if name in draft.decided:
            continue
        owner = _worded(draft, name, names[:place]) or (_asks(draft, name) and _owner(draft, name, names[:place]))
        if owner:
            found.append(name)
            draft.owner[name] = owner
            draft.decided[name] = Question(
                name, Kind.TEXT, Use.DESCRIBE, f"says what “Other” is in “{owner}”", draft.hint(name).label, of=owner
            )
    if found:
        draft.notes.append(f"Words on what “Other” is, which belong to the question before them: {some(found)}.")


def settle(draft: Draft) -> None:
    """Give each such text to the question that its column is a part of now, and count who wrote one as “Other”."""
    homes = {column: each.name for each in draft.decided.values() for column in each.columns}
    for name, owner in list(draft.owner.items()):
        home = homes.get(owner, owner if owner in draft.columns else "")
        if not home or name not in draft.columns:
            continue
        question = draft.decided[name]
        draft.owner[name] = home
        draft.decided[name] = Question(
            name, question.kind, question.use, f"says what “Other” is in “{home}”", question.label, of=home
        )
        if added := _count(draft, name, home):
            draft.notes.append(f"“{home}”: {added:,} who only wrote what else it is, in “{name}”, count as “Other”.")


def _worded(draft: Draft, name: str, before: list[str]) -> str:
    """Return the column before of which a heading is an answer, as SurveyMonkey asks for words on one option."""
    counts = draft.counts(name)
    if len(counts) < 3 or draft.hint(name).question:
        return ""
    near = [column for column in before[-2:] if name in draft.counts(column)]
    return near[-1] if near else ""


def _asks(draft: Draft, name: str) -> bool:
    """Say whether a heading asks what “Other” is, and words are what stands there."""
    counts = draft.counts(name)
    option = last_option(draft, name)
    texts = [
        text for text in (option, draft.wording(name)) if len(text) <= _LONGEST and len(text.split()) <= _MOST_WORDS
    ]
    named = any(_ASKS_WHICH.fullmatch(each) or _IS_OTHER.fullmatch(each) for each in texts)
    coded = (_QUALTRICS.fullmatch(name) and _IS_OTHER.search(draft.wording(name))) or _CODED.fullmatch(name)
    if not (named or coded):
        return False
    answers = {answer.casefold() for answer in counts}
    boxes = answers <= MARKS | {option.casefold()}
    return not (boxes and len(answers) <= 2)


def _owner(draft: Draft, name: str, before: list[str]) -> str:
    """Return the column before that a text belongs to: the nearest of the same question, else its neighbour."""
    stems = {part.stem for part in parts_of(draft, name)}
    if match := _QUALTRICS.fullmatch(name) or _CODED.fullmatch(name):
        stems |= {match[1]}
    for column in reversed(before):
        if column in draft.owner or not draft.counts(column):
            continue
        if column in stems or draft.wording(column) in stems or stems & {part.stem for part in parts_of(draft, column)}:
            return column
    bare = len(draft.wording(name).split()) <= 5 and not stems
    last = next((column for column in reversed(before) if column not in draft.owner), "")
    return last if bare and last and _is_closed(draft, last) else ""


def _is_closed(draft: Draft, name: str) -> bool:
    """Say whether answers come back, so that “Other” may be one of them."""
    counts = draft.counts(name)
    return bool(counts) and len(counts) <= max(2, counts.total() / 2)


def _count(draft: Draft, name: str, home: str) -> int:
    """Count who wrote a text and has no answer as “Other”, and return how many they are."""
    column, texts = draft.columns[home], draft.columns[name]
    counts = draft.counts(home)
    question = draft.decided.get(home)
    known = question.categories if question else tuple(counts)
    label = next((each for each in known if _IS_OTHER.fullmatch(each)), "Other")
    if question is None and not _is_closed(draft, home):
        return 0
    several = question is not None and question.kind is Kind.MULTIPLE
    places = []
    for place, text in enumerate(texts):
        answer = column[place]
        if text is None or answer == label or (isinstance(answer, tuple) and label in answer):
            continue
        if several or answer is None:
            chosen = answer if isinstance(answer, tuple) else ()
            column[place] = (*chosen, label) if several else label
            places.append(place)
    if places and question and label not in question.categories:
        draft.decided[home] = Question(
            home, question.kind, question.use, question.why, question.label, (*question.categories, label),
            columns=question.columns,
        )  # fmt: skip
    return len(places)
