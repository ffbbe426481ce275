"""An interview as turns: who speaks, what is said, and the lines above that are about the respondent."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from persona.personas.sources import roles
from persona.personas.sources.records import is_missing, tidy
from persona.personas.sources.speech import Line, has_cues, scan, written_as_name

FIELD_WORDS = 6
"""The most words of a value that describes the respondent; a longer one is something said."""
_ROLLING = 0.3
"""The share of captions that repeat the one before, above which they roll, as those of YouTube do."""
_MIN_ROLLING = 3
_MARKUP = re.compile(r"(?<!\w)[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}(?!\w)")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,80}>|<\d\d:[\d:.]{3,12}>|\{\\[^{}\n]{1,40}\}")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,20});")
_ESCAPED = re.compile(r"\\([\[\]()*_#.!>-])")
_CLOCK = r"(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_TIME_FIRST = re.compile(rf"\s*+\\?[\[(]{_CLOCK}(?:\s+-->\s+{_CLOCK})?\\?[\])]\s*+")
_BARE_TIME = re.compile(rf"\s*+\[?{_CLOCK}(?:\s*(?:-->|[-–])\s*{_CLOCK})?\]?(?=\s|$)\s*+")
_TIMED = 0.4
"""The share of lines that begin with a time, above which such a time is no word of anybody's."""
_BRACKETED = re.compile(r"\s*(?:\[[^\[\]]{1,60}\]|\([^()]{1,40}\)|♪.*)\s*[.]?\s*")
_UNSPACED = re.compile(r"[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_ANSWER = re.compile(
    r"(?:a|r|answer|antwort|respuesta|resposta|risposta|réponse|antwoord|答え?)[ .]?\d{1,3}", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_FOOTER = re.compile(
    r"\s*(?:transcribed by|transcription ended|transcript (?:ended|generated)|this (?:editable )?transcript was"
    r"|(?:started|stopped) transcription)\b",
    re.IGNORECASE,
)
_HEADINGS = ("#", "---", "***", "===")


@dataclass(slots=True)
class Turn:
    """What one speaker says without a break.

    Args:
        speaker: the label.
        said: the words, with runs of white space as single spaces.
    """

    speaker: str
    said: str


@dataclass
class Interview:
    """One file of an interview.

    Args:
        file: its name.
        fields: the lines above the first turn, such as ``Age: 34``.
        turns: in order; empty if the file names no speaker.
        paragraphs: the text of a file that names no speaker.
        labelled: how many lines begin a turn.
        anonymous: whether the file names the interviewer alone, so that the respondent is called as the file.
        repeated: how many captions repeated the one before.
        sounds: how many lines such as ``[laughter]`` were passed over.
        unread: how many headings, comments, and lines above the first turn were passed over.
    """

    file: str
    fields: dict[str, str] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    paragraphs: list[str] = field(default_factory=list)
    labelled: int = 0
    anonymous: bool = False
    repeated: int = 0
    sounds: int = 0
    unread: int = 0

    @property
    def stem(self) -> str:
        """The file's name without folders and ending: the id of a respondent whom it does not name."""
        return self.file.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def read_interview(name: str, text: str) -> Interview:
    """Return the turns of an interview; what its format is, its content tells.

    Args:
        name: the file's name.
        text: its content.
    """
    lines = scan(text)
    interview = Interview(name)
    cues = has_cues(lines)
    _drop_times(lines)
    interview.sounds = sum(_is_sound(line) for line in lines)
    interview.repeated = _without_repeats(lines) if cues else 0
    speakers = _speakers(lines)
    interview.labelled = sum(line.label in speakers for line in lines)
    interview.fields, interview.turns = _split(lines, speakers, cues=cues)
    interview.unread = _count_unread(lines, speakers if interview.turns else set())
    if not interview.turns:
        interview.fields = _fields_on_top(lines, interview.fields)
        interview.paragraphs = _paragraphs(lines, interview.fields, cues=cues)
        said = [line.said for line in lines if line.label]
        if not interview.paragraphs and any(len(each.split()) > FIELD_WORDS for each in said):  # each speaks but once
            speakers = {line.label for line in lines if line.label and _is_speaker(line.label, 2)}
            interview.fields, interview.turns = {}, _split(lines, speakers, cues=True)[1]
    elif all(roles.is_interviewer(turn.speaker) for turn in interview.turns):
        interview.turns, interview.anonymous = _answered(lines, speakers, interview.stem), True
    if any(roles.is_question(turn.speaker) for turn in interview.turns):
        for turn in interview.turns:
            if _ANSWER.fullmatch(turn.speaker):
                turn.speaker, interview.anonymous = interview.stem, True
    return interview


def _is_sound(line: Line) -> bool:
    return not line.kind and not line.label and _BRACKETED.fullmatch(line.text.rstrip("\r\n")) is not None


def _count_unread(lines: list[Line], speakers: set[str]) -> int:
    """Return how many lines are headings or comments, or stand above the first turn without a label."""
    above = next((n for n, line in enumerate(lines) if line.label in speakers), 0)
    return sum(
        line.kind == "rule" or (n < above and not line.kind and not line.label)
        for n, line in enumerate(lines)
        if not line.text.startswith(("WEBVTT", "\ufeffWEBVTT", "---", "***", "===", "___"))
    )


def _drop_times(lines: list[Line]) -> None:
    """Take the times away with which lines begin: those in brackets, and all if most lines have one."""
    plain = [line for line in lines if not line.kind and not line.label]
    often = sum(_BARE_TIME.match(line.text) is not None for line in plain) > _TIMED * len(plain)
    for line in plain:
        alone = _BARE_TIME.fullmatch(line.text) is not None
        line.text = _behind(_BARE_TIME if often or alone else _TIME_FIRST, line.text)
        if _FOOTER.match(line.text):
            line.kind = "rule"
    for line in lines:
        line.said = _behind(_TIME_FIRST, line.said)


def _behind(start: re.Pattern[str], text: str) -> str:
    """Return a text without what it begins with."""
    match = start.match(text)
    return text[match.end() :] if match else text


def _speakers(lines: list[Line]) -> set[str]:
    """Return the labels that speakers have, and those of turns that are nobody's."""
    counts = Counter(line.label for line in lines if line.label)
    sure = {line.label for line in lines if line.kind in ("turn", "unclear")}
    sure |= {label for label, count in counts.items() if _is_speaker(label, count)}
    turns = [n for n, line in enumerate(lines) if line.label in sure and (counts[line.label] > 1 or line.kind)]
    turns = turns or [n for n, line in enumerate(lines) if line.label in sure]
    if not turns:
        return sure
    apart = all(lines[n - 1].kind in ("blank", "rule", "frame") for n in turns[1:])
    single = all(lines[n].label or lines[n].kind for n in range(turns[0], len(lines)))
    for n, line in enumerate(lines[turns[0] :], start=turns[0]):
        if line.label and line.label not in sure and not roles.is_nobody(line.label) and written_as_name(line.label):
            named = len(line.label.split()) > 1 or any(map(str.isdigit, line.label))
            if named or single or (apart and lines[n - 1].kind in ("blank", "rule", "frame")):
                sure.add(line.label)
    return sure | {line.label for line in lines[turns[0] :] if line.label and roles.is_nobody(line.label)}


def _is_speaker(label: str, count: int) -> bool:
    """Say whether a label is a speaker's by itself, or because it comes again."""
    if roles.is_nobody(label):
        return False
    if roles.is_interviewer(label) or roles.is_generic(label):
        return True
    return count > 1 and (written_as_name(label) or len(label.split()) <= min(count - 1, 3))


def _split(lines: list[Line], speakers: set[str], *, cues: bool) -> tuple[dict[str, str], list[Turn]]:
    """Return the fields above the first turn, and the turns."""
    counts = Counter(line.label for line in lines if line.label)
    fields: dict[str, str] = {}
    said: list[tuple[str, list[str]]] = []
    for line in lines:
        if cues and speakers and not said and line.label not in speakers and not line.kind:
            said.append((roles.UNKNOWN, []))
        if line.label in speakers and (said or cues or not _is_field(line, counts)):
            if not said or said[-1][0] != line.label:
                said.append((line.label, []))
            said[-1][1].append(line.said)
        elif line.label and not said:
            value = _plain(line.said, cues=cues)
            if not is_missing(value):
                fields[tidy(line.label)] = value
        elif said and not line.kind and not line.text.lstrip().startswith(_HEADINGS):
            said[-1][1].append(line.text)
    return fields, [Turn(tidy(label), _joined(parts, cues=cues)) for label, parts in said]


def _fields_on_top(lines: list[Line], fields: dict[str, str]) -> dict[str, str]:
    """Return the fields that stand above all text of a file without speakers."""
    above: set[str] = set()
    for line in lines:
        if not line.label and not line.kind:
            break
        above.add(tidy(line.label))
    return {key: value for key, value in fields.items() if key in above}


def _is_field(line: Line, counts: Counter[str]) -> bool:
    """Say whether ``Participant: P3`` above the interview is about the respondent rather than said by one."""
    if line.kind or counts[line.label] > 1 or not line.said:
        return False
    if roles.is_interviewer(line.label):
        return written_as_name(line.said) and not line.said.endswith(("?", ".", "!")) and sum(counts.values()) > 2
    numbered = roles.is_generic(line.label) and any(map(str.isdigit, line.label))
    return not numbered and len(line.said.split()) <= FIELD_WORDS


def _answered(lines: list[Line], speakers: set[str], person: str) -> list[Turn]:
    """Return the turns of an interview that labels only the questions: what stands apart from one is the answer."""
    turns: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.label in speakers:
            turns.append((line.label, [line.said]))
            continue
        asked = "".join(turns[-1][1]).rstrip() if turns and roles.is_interviewer(turns[-1][0]) else ""
        if asked and (line.kind == "blank" or asked.endswith(("?", "？"))):
            turns.append((person, []))
        if turns and not line.kind:
            turns[-1][1].append(line.text)
    joined = [Turn(tidy(label), _joined(parts, cues=False)) for label, parts in turns]
    return [turn for turn in joined if turn.said or roles.is_interviewer(turn.speaker)]


def _joined(parts: list[str], *, cues: bool) -> str:
    """Return lines as one text: a sentence that is split over captions is one sentence again."""
    plain = [text for part in parts if not _BRACKETED.fullmatch(part) and (text := _plain(part, cues=cues))]
    pieces = plain[:1]
    for before, after in pairwise(plain):
        pieces += ["" if _UNSPACED.match(before[-1]) and _UNSPACED.match(after[0]) else " ", after]
    return tidy("".join(pieces))


def _plain(text: str, *, cues: bool) -> str:
    """Return a line without tags, mark-up, and the escapes of Markdown and HTML."""
    if cues:
        text = re.sub(r"^\s*>>+\s*", "", _TAG.sub("", text))
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if "\\" in text:
        text = _ESCAPED.sub(r"\1", text)
    return tidy(_MARKUP.sub("", text) if "*" in text or "_" in text else text)


def _without_repeats(lines: list[Line]) -> int:
    """Blank what captions repeat of the one before, if they roll; return how many do."""
    cues: list[list[Line]] = []
    for line in lines:
        if line.kind == "frame":
            if not cues or cues[-1]:
                cues.append([])
        elif cues and line.kind in ("", "turn"):
            cues[-1].append(line)
    words = [[_plain(line.said if line.label else line.text, cues=True) for line in cue] for cue in cues]
    who = [next((line.label for line in cue if line.label), "") for cue in cues]
    pairs = [n for n in range(1, len(words)) if who[n] in ("", who[n - 1]) and _repeats(words[n - 1], words[n])]
    if len(pairs) < max(_MIN_ROLLING, _ROLLING * (len(words) - 1)):
        return 0
    for n in pairs:
        _blank(cues[n - 1], words[n - 1], cues[n], words[n])
    return len(pairs)


def _repeats(before: list[str], after: list[str]) -> bool:
    """Say whether a caption begins with the last line of the one before."""
    last = next((text for text in reversed(before) if text), "")
    first = next((text for text in after if text), "")
    return bool(last) and first.startswith(last)


def _blank(before: list[Line], earlier: list[str], after: list[Line], later: list[str]) -> None:
    first = next(n for n, text in enumerate(later) if text)
    last = max(n for n, text in enumerate(earlier) if text)
    line = after[first] if later[first] in earlier else before[last]  # if a caption grew, the shorter one goes
    line.said = ""
    if not line.label:
        line.kind = "rule"


def _paragraphs(lines: list[Line], fields: dict[str, str], *, cues: bool) -> list[str]:
    """Return the paragraphs of a text without speakers, headings and rules left out; of captions, the sentences."""
    if cues:
        text = _joined([line.text for line in lines if not line.kind], cues=True)
        return _sentences(text)
    blocks: list[list[Line]] = [[]]
    for line in lines:
        if line.kind == "blank":
            blocks.append([])
        elif line.kind != "rule":
            blocks[-1].append(line)
    found = []
    for block in blocks:
        about = bool(block) and bool(fields) and all(line.label and tidy(line.label) in fields for line in block)
        said = _joined([re.sub(r"^\s*(?:[-*>]|\d+\.)\s+", "", line.text) for line in block], cues=False)
        if said and not about:
            found.append(said)
    return found


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text with their marks."""
    return [each for each in _SENTENCE.split(text) if each] or [text]


def _sentences(text: str) -> list[str]:
    """Return a text in paragraphs of some sentences each, so that a quote says about where it stands."""
    found, words = [""], 0
    for sentence in sentences_of(text):
        words += len(sentence.split()) + len(_UNSPACED.findall(sentence)) // 2
        found[-1] = f"{found[-1]} {sentence}".strip()
        if words > 80:
            found.append("")
            words = 0
    return [each for each in found if each]
