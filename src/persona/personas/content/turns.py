"""One respondent's turns in an interview: plain text, Markdown, or subtitles, by their lines.

A turn begins at a line with a label (``P9: …``) and ends at the next one. What is cut is what is surely the
respondent's:

1. The turns under a label that is the respondent's id.
2. Below a line ``Participant: P9``, up to the next such line: the lines about the respondent, and the turns of
   whoever is called “Participant”, “A” and so on, or of the only one who answers.
3. A text without labels below such a line, at the top of the file or among other such lines.

What others say stays, whoever the interview is with. What may be either stays, and is named as a doubt.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from persona.personas.content.people import answers, asks, in_series, names, names_person, normalised, same
from persona.personas.content.strangers import Strangers, timed_label
from persona.personas.sources.records import ID_HEADING
from persona.personas.sources.speech import Line, scan
from persona.personas.sources.turns import FIELD_WORDS

_WITHIN = re.compile(r"(?:^|[\n\",;\t]|\\n)\s*([^\W_][^:：*<>\n\",;\\]{0,38}?)\s*[:：](?=\s)")
_DASH = re.compile(r"\s*[-–—]\s")
_SECTIONS = 3
"""How many starts a text has that consists of sections of several respondents: its own, and those of two sections."""
_LABELLED = "Somebody else may speak in, or behind, the respondent's words; that part stays: see whose it is."


@dataclass(slots=True)
class _Line(Line):
    """A line, its kind ``id``, ``field``, ``turn``, ``unclear``, ``frame``, ``rule``, ``blank``, or empty."""

    mine: bool = False
    voice: bool = False
    """Whether its label is that of a voice, which ends with its subtitle."""


class _Place(Enum):
    """Where lines stand that a line such as ``Participant: P9`` begins."""

    TOP = "at the top of the file"
    SECTION = "between other such lines"
    LAST = "behind other such lines, to the end of the file"
    NONE = "amid other text"

    @staticmethod
    def of(end: int, total: int) -> _Place:
        """Return the place of a section that ends with some line."""
        return _Place.LAST if end == total else _Place.SECTION


@dataclass
class Turns:
    """What of a text is a respondent's.

    Args:
        count: how many turns.
        spans: the characters to cut.
        alone: whether nobody else says anything in it.
        doubts: what may be the respondent's as well.
        others: whether others surely speak in it.
    """

    count: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)
    alone: bool = False
    doubts: list[str] = field(default_factory=list)
    others: bool = False


def labels(text: str) -> set[str]:
    """Return everything in a text that may be a speaker's id, or the value of a line that names one."""
    lines = _parse(text)
    found = {each for line in lines if line.label for each in names(line.label)}
    return found | {normalised(line.said) for line in lines if line.said and _is_id_key(line.label)}


def spoken_within(text: str) -> set[str]:
    """Return what stands like a speaker's label in the cells of a table or the strings of JSON."""
    return {each for match in _WITHIN.finditer(text) for each in names(match[1])}


def speak_others(text: str, subject: str) -> bool:
    """Say whether others surely speak in a text, such as the cell of a table."""
    return ":" in text and find_turns(text, subject).others


def speaks_anyone(text: str, subject: str) -> bool:
    """Say whether anyone speaks in an interview under a name or number that is not the respondent's.

    It may be the respondent's own name, where the file is called by the id; or another's, whose words are all that an
    erasure has left in the file.
    """
    lines = _parse(text)
    _classify(lines, subject)
    spoken = {line.label if line.kind == "turn" else timed_label(line.text) for line in lines} - {""}
    return any(not asks(each) and not any(map(answers, names(each))) and subject not in names(each) for each in spoken)


def find_turns(text: str, subject: str) -> Turns:
    """Return what of an interview is a respondent's."""
    lines = _parse(text)
    _classify(lines, subject)
    found = Turns()
    strangers = Strangers(subject, (line.label for line in lines if line.kind in ("turn", "unclear")))
    starts = [0, *(n for n, line in enumerate(lines) if line.kind == "id" and n), len(lines)]
    body = next((n for n, line in enumerate(lines) if line.kind not in ("blank", "rule", "field")), len(lines))
    for start, end in pairwise(starts):
        place = _Place.TOP if start <= body else _Place.NONE if len(starts) <= _SECTIONS else _Place.of(end, len(lines))
        _mark_section(lines[start:end], subject, found, place, strangers)
    _mark_cues(lines)
    if any(line.mine for line in lines):
        found.spans = [(line.start, line.end) for line in lines if line.mine]
        found.count = max(found.count, 1)
    others = {line.label for line in lines if line.kind == "turn" and not line.mine and not asks(line.label)}
    found.others = len(others) > (0 if found.spans else 1) or any(in_series(label, subject) for label in others)
    unclear = {line.label for line in lines if line.kind == "unclear" and _is_name(line.label)}
    found.others = found.others or (not found.spans and len(unclear) > 1)
    remaining = _remains(lines)
    found.alone = bool(found.spans) and not remaining
    if found.spans and remaining and not others:
        found.doubts.append("Nobody else surely speaks in what is left of it: see whether it is about the respondent.")
    found.doubts = [*dict.fromkeys(found.doubts)]
    return found


def _remains(lines: list[_Line]) -> bool:
    """Say whether anything is left beside an interviewer's questions, headings and blank lines."""
    asked = False
    for line in lines:
        asked = asks(line.label) if line.kind in ("turn", "unclear") else asked and line.kind != "id"
        if not line.mine and not asked and line.kind not in ("rule", "blank", "frame"):
            return True
    return False


def _parse(text: str) -> list[_Line]:
    lines = [_Line(each.start, each.end, each.text, each.label, each.said, each.kind) for each in scan(text)]
    for line in lines:
        line.voice = bool(line.kind) and line.text.lstrip().startswith("<v")
    return lines


def _classify(lines: list[_Line], subject: str) -> None:
    """Say of each line with a label whether it is a turn, describes a respondent, or may be either."""
    counts = Counter(line.label for line in lines if line.label)
    name_labels = _name_labels(lines, subject)
    head = True
    for n, line in enumerate(lines):
        head = head and line.kind != "turn"
        if not line.label or line.kind:
            continue
        before = lines[n - 1].kind if n else "blank"
        if _is_id_line(line, subject, name_labels, top=before in ("blank", "rule", "field", "id")):
            line.kind, head = "id", True
        elif _speaks(line.label, subject, counts):
            line.kind, head = "turn", False
        elif head and len(line.said.split()) <= FIELD_WORDS:
            line.kind = "field"
        else:
            line.kind = "unclear"


def _is_id_key(label: str) -> bool:
    return names_person(label) or ID_HEADING.fullmatch(label) is not None


def _is_id_line(line: _Line, subject: str, name_labels: set[str], *, top: bool) -> bool:
    """Say whether a line is like ``Participant: P3``: it says whose the lines below are."""
    if not _is_id_key(line.label) or not line.said:
        return False
    if same(line.said, subject):
        return True
    return top and (in_series(line.said, subject) or line.label in name_labels)


def _name_labels(lines: list[_Line], subject: str) -> set[str]:
    """Return the labels behind which there are only names, the respondent's among them: ``Participant: Alisa``."""
    if not _is_name(subject):
        return set()
    values: dict[str, list[str]] = {}
    for line in lines:
        if _is_id_key(line.label):
            values.setdefault(line.label, []).append(line.said)
    return {label for label, said in values.items() if subject in said and all(map(_is_name, said))}


def _is_name(said: str) -> bool:
    words = said.split()
    return 0 < len(words) <= 3 and all(word[0].isupper() and word.isalpha() for word in words)


def _speaks(label: str, subject: str, counts: Counter[str]) -> bool:
    """Say whether a label is surely a speaker's."""
    if subject in names(label) or asks(label) or any(map(answers, names(label))):
        return True
    numbered = re.fullmatch(r"(\D+?)[ _-]?\d{1,6}", label)
    return in_series(label, subject) or bool(numbered and answers(numbered[1])) or counts[label] > 1


def _mark_section(lines: list[_Line], subject: str, found: Turns, place: _Place, strangers: Strangers) -> None:
    """Mark what is the respondent's of the lines up to the next that says whose they are.

    Args:
        lines: the lines; the first may say whose they are.
        subject: the id.
        found: takes the counts and doubts.
        place: where the lines stand in the file.
        strangers: finds what others may say.
    """
    named = bool(lines) and lines[0].kind == "id"
    own = named and same(lines[0].said, subject)
    speakers = {line.label for line in lines if line.kind == "turn" and not asks(line.label)}
    mine = {label for label in speakers if subject in names(label)}
    if own and not speakers and place is _Place.NONE:
        return  # a line in a text that has another form
    if own:
        lines[0].mine = True
        found.count += 1
        if not speakers:
            _mark_text(lines, found, strangers, whole=place is not _Place.LAST)
        elif not mine:
            mine = _answering(speakers, found)
    if mine and (own or not named) and any(answers(label) for label in speakers - mine):
        found.doubts.append(
            "Somebody who is called by a role, such as “Participant”, may be the respondent, and stays."
        )
    found.count += _mark_turns(lines, mine, found, strangers)
    _mark_fields(lines, own=own, alone=bool(mine) and speakers == mine)


def _answering(speakers: set[str], found: Turns) -> set[str]:
    """Return who of the speakers is the respondent that the line above names."""
    roles = {label for label in speakers if answers(label)}
    if len(roles) == 1 or len(speakers) == 1:
        return roles if len(roles) == 1 else speakers
    found.doubts.append("Several people speak below the line that names the respondent; which one it is, is not clear.")
    return set()


def _mark_text(lines: list[_Line], found: Turns, strangers: Strangers, *, whole: bool) -> None:
    """Mark a text without speakers: up to a line that has a label, or to the first blank line if not all of it."""
    for n, line in enumerate(lines[1:], start=1):
        if not whole and line.kind == "blank":
            if any(each.kind not in ("blank", "rule") for each in lines[n:]):
                found.doubts.append("It is not clear how far the text below the line that names the respondent goes.")
            return
        if line.kind == "unclear" or strangers.may_speak(line.text):
            found.doubts.append(_LABELLED)
            return
        line.mine = True


def _mark_turns(lines: list[_Line], mine: set[str], found: Turns, strangers: Strangers) -> int:
    count, turn = 0, None
    cues = any(line.kind == "frame" for line in lines)
    for line in lines:
        if line.kind in ("turn", "unclear"):
            if turn and line.kind == "unclear":
                found.doubts.append(_LABELLED)
            turn = line if line.label in mine else None
            count += turn is not None
        elif turn and line.kind == "frame":
            turn = None if turn.voice else turn
        if turn and _ends(line, turn, strangers, cues=cues):
            found.doubts.append(_LABELLED)
            count -= turn is line
            turn = None
        if turn and line.kind not in ("frame", "rule"):
            line.mine = True
    return count


def _ends(line: _Line, turn: _Line, strangers: Strangers, *, cues: bool) -> bool:
    """Say whether somebody else may speak in a line of a turn; in subtitles a dash begins another's words."""
    if line is turn:
        return strangers.may_speak_within(line.said)
    return strangers.may_speak(line.text) or (cues and line.kind != "frame" and _DASH.match(line.text) is not None)


def _mark_fields(lines: list[_Line], *, own: bool, alone: bool) -> None:
    """Mark the lines above the turns that describe the respondent: ``Age: 41``."""
    fields = [n for n, line in enumerate(lines) if line.kind == "field" and not line.mine]
    turns = [n for n, line in enumerate(lines) if line.kind == "turn"]
    if not fields or not (own or alone):
        return
    parted = bool(turns) and any(line.kind in ("blank", "rule") for line in lines[fields[-1] : turns[0]])
    for n in fields if own or parted else []:
        lines[n].mine = True


def _mark_cues(lines: list[_Line]) -> None:
    """Mark the numbers and times of subtitles of which every line is marked, and the blank lines behind them."""
    cues: list[list[_Line]] = []
    for line in lines:
        if line.kind == "frame" and not (cues and cues[-1][-1].kind == "frame"):
            cues.append([line])
        elif cues:
            cues[-1].append(line)
    for cue in cues:
        words = [line for line in cue if line.kind not in ("frame", "blank", "rule")]
        whole = bool(words) and all(line.mine for line in words)
        for line in cue:
            if line.kind in ("frame", "blank"):
                line.mine = whole
