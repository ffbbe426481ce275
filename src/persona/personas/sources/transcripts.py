"""Reading interviews: plain text and Markdown, with speakers or without."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from persona.errors import InputError
from persona.personas.sources.records import Dataset, Passage, Record, is_missing, tidy

_TURN = re.compile(
    r"^\s*(?:[-*>]\s+)?(?:[\[(]?\d{1,2}:\d{2}(?::\d{2})?[\])]?\s*)?(?:\*\*|__)?"
    r"(?P<label>[^\W\d_][^:*\n]{0,38}?)(?:\*\*|__)?\s*(?:[\[(]\d{1,2}:\d{2}(?::\d{2})?[\])])?\s*:(?:\*\*|__)?"
    r"(?:\s+|$)(?P<said>.*)$"
)
_ASKS = re.compile(
    r"(?:the )?(?:interviewer|moderator|facilitator|researcher|interview|host|question|int|q|i)(?: ?\d+)?",
    re.IGNORECASE,
)
_ANSWERS = re.compile(r"(?:p|participant|respondent|interviewee|user|r|a|answer|s)[ -]?\d*", re.IGNORECASE)
_MARKUP = re.compile(r"(?<!\w)[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}(?!\w)")
_SENTENCE_END = re.compile(r"[.!?]")
_HEAD = 160
"""What of a line is looked at for its speaker, in characters: more would take time that grows by its square."""


_LONGEST_QUESTION = 1_000


@dataclass(slots=True)
class _Turn:
    speaker: str
    said: str


def read_transcript(name: str, text: str) -> Dataset:
    """Read an interview: every speaker but the interviewer is a respondent.

    A turn answers the question before it. ``Name: value`` lines above the first turn are the respondent's
    fields when there is just one. A text without speakers is one respondent, paragraph by paragraph.

    Raises:
        InputError: nobody says anything in it.
    """
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    fields, turns = _split(text)
    people = _answers(turns, _interviewers(turns))
    if turns:
        about = fields if len(people) == 1 else {}
        records = [Record(name, person, about, tuple(said)) for person, said in people.items()]
    else:
        records = [Record(name, stem, fields, tuple(_paragraphs(text, fields)))]
    records = [record for record in records if record.passages]
    if not records:
        raise InputError(f"{name} holds no text of a respondent.", hint="Write turns as “Interviewer:” and “P1:”.")
    notes = [] if len(people) < 2 or not fields else [f"{name}: the lines above the interview were not used."]
    return Dataset(records, notes)


def labels_in(text: str) -> set[str]:
    """Return what stands before a colon like a speaker, also if only once."""
    return {match["label"].strip() for line in text.splitlines() if (match := _TURN.match(line))}


def cut(text: str, person: str) -> tuple[int, str]:
    """Return how many turns of an interview are somebody's, and the text without them."""
    speakers = {turn.speaker for turn in _split(text)[1]} | {person}
    if any(c.isdigit() for c in person):  # where one is called P3, P4 is another, also if that one speaks but once
        speakers |= {label for label in labels_in(text) if _shape(label) == _shape(person)}
    kept: list[str] = []
    count, inside = 0, False
    for line in text.splitlines(keepends=True):
        match = _TURN.match(line.rstrip("\r\n"))
        if match and (label := match["label"].strip()) in speakers:
            inside = label == person
            count += inside
        if not inside:
            kept.append(line)
    return count, "".join(kept)


def _shape(label: str) -> str:
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d]+", "a", label))


def is_transcript(text: str) -> bool:
    """Say whether a text holds an interview with speakers."""
    if "\n" not in text:
        return False
    _, turns = _split(text)
    return len(turns) > 1 and not {turn.speaker for turn in turns} <= _interviewers(turns)


def answers_in(text: str) -> list[Passage]:
    """Return what everybody but the interviewer says in a text."""
    _, turns = _split(text)
    return [passage for said in _answers(turns, _interviewers(turns)).values() for passage in said]


def _split(text: str) -> tuple[dict[str, str], list[_Turn]]:
    """Return the fields above the first turn, and the turns."""
    lines = text.splitlines()
    matches = [_TURN.match(line[:_HEAD]) for line in lines]
    labels = Counter(match["label"].strip() for match in matches if match)
    speakers = {
        label
        for label, count in labels.items()
        if _ASKS.fullmatch(label) or _ANSWERS.fullmatch(label) or (count > 1 and len(label.split()) <= 4)
    }
    fields: dict[str, str] = {}
    turns: list[_Turn] = []
    said: list[list[str]] = []
    for line, match in zip(lines, matches, strict=True):
        label = match["label"].strip() if match else ""
        if match and label in speakers and not (not turns and _is_field(label, labels, match["said"])):
            turns.append(_Turn(label, ""))
            said.append([line[match.start("said") :]])
        elif match and not turns:
            value = tidy(_MARKUP.sub("", line[match.start("said") :]))
            if not is_missing(value):
                fields[tidy(label)] = value
        elif turns and not line.lstrip().startswith(("#", "---", "***")):
            said[-1].append(line.strip())
    for turn, parts in zip(turns, said, strict=True):
        turn.said = tidy(_MARKUP.sub("", " ".join(parts)))
    return fields, turns


def _is_field(label: str, labels: Counter[str], said: str) -> bool:
    """Say whether ``Participant: P3`` above the interview is about the respondent rather than said by one."""
    return labels[label] == 1 and not _ASKS.fullmatch(label) and len(said.split()) <= 6


def _interviewers(turns: list[_Turn]) -> set[str]:
    """Return who asks: by name, or of two speakers the one whose turns are mostly questions."""
    speakers = list(dict.fromkeys(turn.speaker for turn in turns))
    named = {speaker for speaker in speakers if _ASKS.fullmatch(speaker)}
    if named or len(speakers) != 2:
        return named

    def asking(speaker: str) -> float:
        own = [turn.said for turn in turns if turn.speaker == speaker]
        return sum(said.endswith("?") for said in own) / len(own)

    first, second = sorted(speakers, key=asking, reverse=True)
    return {first} if asking(first) >= 0.6 and asking(first) > asking(second) else set()


def _answers(turns: list[_Turn], asking: set[str]) -> dict[str, list[Passage]]:
    """Return the turns of each respondent, each under the question that came before it."""
    people: dict[str, list[Passage]] = {}
    question = ""
    for number, turn in enumerate(turns, start=1):
        if turn.speaker in asking:
            question = _question(turn.said)
            continue
        passages = people.setdefault(turn.speaker, [])
        if turn.said:
            passages.append(Passage(question or f"turn {number}", turn.said))
    return people


def _question(said: str) -> str:
    """Return the last question of an interviewer's turn."""
    end = said.rfind("?")
    asked = _SENTENCE_END.split(said[max(0, end - _LONGEST_QUESTION) : end])[-1] + "?" if end >= 0 else said
    return tidy(asked)[:200]


def _paragraphs(text: str, fields: dict[str, str]) -> list[Passage]:
    """Return the paragraphs of a text without speakers, headings and rules left out."""
    passages: list[Passage] = []
    for block in re.split(r"\n\s*\n", text):
        lines = [re.sub(r"^\s*(?:[-*>]|\d+\.)\s+", "", line) for line in block.splitlines()]
        kept = [line for line in lines if not line.lstrip().startswith(("#", "---", "***"))]
        said = tidy(_MARKUP.sub("", " ".join(kept)))
        about = len(kept) > 0 and all(_TURN.match(line[:_HEAD]) for line in kept) and bool(fields)
        if said and not about:
            passages.append(Passage(f"paragraph {len(passages) + 1}", said))
    return passages
