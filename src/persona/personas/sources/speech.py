"""The lines of an interview: which begin a turn, which belong to the frame of subtitles, which are neither.

Reading an interview and erasing a respondent from one both go by this, so that whoever is read is found.

1. Subtitles (WebVTT, https://www.w3.org/TR/webvtt1/, and SubRip): the header, NOTE, STYLE and REGION blocks, and the
   number and time of each cue are frame. A cue names who speaks by a voice tag (``<v Ana>``) or by ``Ana:``.
2. Transcripts of Otter, Zoom, Rev and the like: a name and a time on a line of their own begin a turn.
3. Everything else: ``Ana:`` at the start of a line does, also in Markdown, with a time before or behind the name.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from persona.personas.sources import roles

HEAD = 200
"""How much of a line is searched for its label, in characters."""
MAX_WORDS = 4
"""The most words of a label; a longer one is a sentence with a colon, unless each word is written like a name's."""
_MAX_NAME_WORDS = 6
_MAX_ALONE = 80
"""The longest line, in characters, that is a label and nothing else."""
_NAMED = 0.8
"""The share of cues above which their first lines are names."""
_DATE = r"(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4},?[ T]*)"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?(?:\s?[AaPp]\.?[Mm]\.?)?"
_TIME = rf"\\?[\[(]?{_DATE}?{_CLOCK}(?:\s*[-–]\s*{_CLOCK})?\\?[\])]?"
_NAME = r"(?P<label>[^\W_](?:[^:：*<>\s]|\s(?!\s\s)){0,58}?)"  # wide gaps within it would take time by their square
_LABEL = re.compile(
    rf"\s*+(?:<(?!v[ .])/?\w[^<>]{{0,40}}>\s*+)*"
    rf"(?:(?:[-–*•]\s++)|>+\s*+)?(?:{_TIME}\s*+(?:[-–]\s++)?)?(?:\*\*|__)?(?:{_TIME}\s*+)?[\[(<【［]?"
    rf"{_NAME}[\])>】］]?(?:\*\*|__|</\w{{1,8}}>)?\s*+(?:{_TIME})?\s*+"
    r"(?::(?:\*\*|__|(?:</\w{1,8}>)+)?(?:\s++|$)|：(?:\*\*|__)?\s*+|(?P<close>:)(?:\*\*|__)?(?=[^\W\d_]|[\"“„«¿¡]))(?P<said>.*)"
)
_TIMED = re.compile(
    rf"\s*+(?:(?:#{{1,6}}|[-–*•])\s++)?(?:\*\*|__)?(?:(?P<first>{_TIME})\s*+(?:[-–|]\s*+)?(?:\*\*|__)?)?"
    rf"\\?[\[(【［]?{_NAME}\\?[\])】］]?(?:\*\*|__)?"
    rf"(?(first)|\s*+(?:[,|–-]\s*+)?(?<=[\s\])】］*_,|–-]){_TIME}):?(?:\*\*|__)?\s*+$"
)
_TABBED = re.compile(rf"\s*+(?:(?P<first>{_TIME})[ ]?\t\s*+)?{_NAME}[ ]?\t\s*+(?(first)|{_TIME}[ ]?\t\s*+)(?P<said>.*)")
_ALONE = re.compile(r"\s*+(?:#{1,6}\s++)?(?:\*\*|__)?(?P<label>[^\W_][^:：*<>\n]{0,40}?)\s*+[:：]?(?:\*\*|__)?\s*+$")
_TITLE = re.compile(r"(?:the )?interview\W{0,2}\d*", re.IGNORECASE)
_ASIDE = re.compile(r"\s*[(\[（][^()\[\]（）]*[)\]）]$")  # “(she/her)”
_CHAT = re.compile(r"From\s+(?P<label>.+?)(?:\s+to\s+.+)?", re.IGNORECASE)
_STARTS_WITH_TIME = re.compile(rf"\s*+(?:\*\*)?{_TIME}")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?(?:\s+(?P<label>[^>\n]{0,80}))?>")
_CUE = re.compile(r"\s*(?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,6}\s+-->\s")
_COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_RULE = re.compile(r"\s*(?:#|---|\*\*\*|===|___)")
_ENDS = r"\n\r\x0b\x0c\x85\u2028\u2029"
_BREAK = re.compile(rf"[^{_ENDS}]*(?:\r\n|[{_ENDS}]|$)")
_CLOSED = re.compile(r"</v>(?=\s*[^\s<])")
_LETTER = re.compile(r"\s*+(?P<label>[QA])(?:\.\s+|\t\s*|\s{2,})(?=\S)")
_FULL_STOP = re.compile(r"[.!?…。！？][\"'”’»)\]]*\s*$")
_LEAST_LABELS = 2
_WEEKDAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,? )?"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DAY = re.compile(
    rf"{_WEEKDAY}(?:{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?|\d{{1,2}}(?:st|nd|rd|th|\.)? {_MONTH}),? \d{{4}}", re.IGNORECASE
)
"""What Teams writes above a transcript, with the time: no name."""
_SENTENCE_END = re.compile(r"(?:…|-|(?<!\b\w)\.)$")
_PARTICLE = re.compile(
    r"d|de|da|do|dos|das|del|della|di|du|des|van|von|der|den|ten|ter|la|le|el|al|bin|ibn|bint|of|the|and|und|et|y|e|i"
    r"|zu|zur|vom|[&+/-]",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Line:
    """A line, or the part of one that one voice speaks.

    Args:
        start, end: where it stands in the text, in characters, with its line break.
        text: it.
        label: who is named at its start; empty if nobody is.
        said: what follows the label.
        kind: ``frame`` of subtitles, ``rule`` (headings, comments), ``blank``; ``turn`` if the label surely begins a
            turn by its form; ``unclear`` for words of an unknown voice; empty otherwise.
    """

    start: int
    end: int
    text: str
    label: str = ""
    said: str = ""
    kind: str = ""


def scan(text: str) -> list[Line]:
    """Return the lines of an interview with their labels, in order; together they are the whole text."""
    lines = [Line(m.start(), m.end(), m[0]) for m in _BREAK.finditer(text) if m[0]]
    cues = _mark_frames(lines)
    voices = cues and any("<v" in line.text[:HEAD] and _VOICE.search(line.text) for line in lines)
    if cues and not voices:
        _mark_names_above(lines)
    found: list[Line] = []
    for n, line in enumerate(lines):
        if line.kind:
            found.append(line)
        elif voices:
            found += _by_voice(line, first=n > 0 and lines[n - 1].kind == "frame")
        else:
            _label(line, _next(lines, n))
            found.append(line)
    if not cues:
        _mark_letters(found)
    elif not voices:
        _mark_unlabelled_questions(found)
    return found


def has_cues(lines: list[Line]) -> bool:
    """Say whether lines are those of subtitles."""
    return any(line.kind == "frame" for line in lines)


def written_as_name(label: str) -> bool:
    """Say whether a label is written as names are: capitals, codes, or a script without capitals."""
    words = re.split(r"[\s.,]+", _ASIDE.sub("", label).strip(" .,"))
    if not 0 < len(words) <= _MAX_NAME_WORDS or label.endswith(("?", "!", ";", ",")):
        return False
    return all(map(_is_name_word, words)) and not all(map(_PARTICLE.fullmatch, words))


def _is_name_word(word: str) -> bool:
    plain = word.strip("()[]'’\"-_/&+")
    if not plain or _PARTICLE.fullmatch(plain) or not plain[0].isalpha():
        return True
    return plain[0].isupper() or not plain[0].islower() or any(c.isdigit() for c in plain)


def _mark_frames(lines: list[Line]) -> bool:
    """Mark blank lines, headings and the frame of subtitles; say whether there are any cues."""
    webvtt = bool(lines) and lines[0].text.lstrip("\ufeff").startswith("WEBVTT")
    cues, comment, fresh = False, webvtt, True
    for n, line in enumerate(lines):
        head = line.text[:HEAD]
        if not line.text.strip():
            line.kind, comment, fresh = "blank", False, True
            continue
        comment = comment or (webvtt and fresh and _COMMENT.match(head) is not None)
        if _CUE.match(head):
            line.kind, cues, comment = "frame", True, False
        elif _is_cue_name(lines, n, fresh=fresh):
            line.kind, comment = "frame", False
        elif comment or _is_rule(head):
            line.kind = "rule"
        fresh = False
    return cues


def _is_cue_name(lines: list[Line], n: int, *, fresh: bool) -> bool:
    """Say whether a line is the number or name of the cue whose time is in the next line."""
    if n + 1 == len(lines) or not (fresh or lines[n].text.strip().isdecimal()):
        return False
    return _CUE.match(lines[n + 1].text[:HEAD]) is not None


def _mark_names_above(lines: list[Line]) -> None:
    """Label the first lines of cues if they are names, as in the Word documents of Teams.

    They are if nearly all cues have a line more than a name, and few names there are.
    """
    firsts = [n + 1 for n, line in enumerate(lines[:-2]) if _CUE.match(line.text[:HEAD]) and not lines[n + 1].kind]
    named = [n for n in firsts if not lines[n + 1].kind and _is_name_alone(lines[n].text)]
    labels = {lines[n].text.strip() for n in named}
    if len(named) > 1 and len(named) >= _NAMED * len(firsts) and len(labels) <= len(named) / 2:
        for n in named:
            lines[n].label, lines[n].kind = lines[n].text.strip(), "turn"


def _mark_letters(lines: list[Line]) -> None:
    """Label the lines of a deposition or an oral history, ``Q. Where?`` and ``A. Here.``, if both come again."""
    found = [(line, match) for line in lines if not line.kind and (match := _LETTER.match(line.text[:HEAD]))]
    counts = Counter(match["label"] for _, match in found)
    if min(counts["Q"], counts["A"]) > 1 and counts["A"] <= 2 * counts["Q"] and found[0][1]["label"] == "Q":
        for line, match in found:
            line.label, line.said, line.kind = match["label"], line.text[match.end() :].strip(), "turn"


def _mark_unlabelled_questions(lines: list[Line]) -> None:
    """Label questions in cues that name nobody, if the first cue names nobody either: such a speaker has no name.

    Elsewhere a cue without a name goes on with what the one before says, and so does one within a sentence.
    """
    spoken = [line for line in lines if not line.kind or line.kind == "turn"]
    if not spoken or spoken[0].label or sum(bool(line.label) for line in spoken) < _LEAST_LABELS:
        return
    run: list[Line] = []
    before = spoken[0]
    for line in [*spoken[1:], Line(0, 0, "", "end")]:
        if not line.label:
            run.append(line)
            continue
        if run and run[-1].text.rstrip().endswith(("?", "？")):
            ends = [_FULL_STOP.search(each.text) is not None for each in [before, *run[:-1]]]
            begin = max((n for n, ended in enumerate(ends) if ended), default=len(run))
            for each in run[begin:]:
                each.label, each.said, each.kind = roles.UNKNOWN, each.text.strip(), "unclear"
        run, before = [], line


def _is_name_alone(text: str) -> bool:
    label = text.strip()
    return len(label) <= HEAD and ":" not in label and not _SENTENCE_END.search(label) and _may_be_name(label)


def _is_rule(head: str) -> bool:
    return _RULE.match(head) is not None and not _of_role(head) and not _TIMED.match(head)


def _next(lines: list[Line], n: int) -> str:
    """Return what follows a line, one blank line passed over; empty if nothing does."""
    for line in lines[n + 1 : n + 3]:
        if line.kind not in ("blank", "frame"):
            return line.text[:HEAD]
    return ""


def _label(line: Line, follows: str) -> None:
    """Find the label of a line."""
    head = line.text[:HEAD]
    colon = ":" in head or "：" in head
    timed = _TIMED.match(head) if colon and len(line.text) <= HEAD else None
    if timed and follows and not _STARTS_WITH_TIME.match(follows) and _may_be_name(_balanced(timed["label"])):
        line.label, line.kind = _balanced(timed["label"]), "turn"
    elif colon and "\t" in head and (match := _TABBED.match(head)) and _may_be_name(_balanced(match["label"])):
        line.label, line.said = _balanced(match["label"]), line.text[match.start("said") :].strip()
    elif colon and (match := _LABEL.match(head)):
        chat = _CHAT.fullmatch(match["label"].strip()) if _STARTS_WITH_TIME.match(head) else None
        label = _balanced(chat["label"] if chat else match["label"])
        if _may_be_label(label) and not (match["close"] and not _may_be_name(label)):
            line.label, line.said = label, line.text[match.start("said") :].strip()
    elif follows and (label := _of_role(head)):
        line.label, line.kind = label, "turn"


def _of_role(head: str) -> str:
    """Return the label of a line that has nothing but one that no sentence is: ``**Interviewer**``, ``## P3``."""
    match = _ALONE.match(head) if len(head) <= _MAX_ALONE else None
    label = match["label"].strip() if match else ""
    if (
        len(label) < 2
        or _TITLE.fullmatch(label)
        or not (roles.asks(label) or (roles.is_generic(label) and any(map(str.isdigit, label))))
    ):
        return ""
    return label


def _may_be_name(label: str) -> bool:
    if _DAY.fullmatch(label):
        return False
    return any(map(str.isalpha, label)) and (written_as_name(label) or roles.asks(label) or roles.is_generic(label))


def _may_be_label(label: str) -> bool:
    words = len(label.split())
    return (
        any(map(str.isalpha, label))
        and not _DAY.fullmatch(label)
        and (words <= MAX_WORDS or (words <= 2 * MAX_WORDS and _may_be_name(label)))
    )


def _balanced(label: str) -> str:
    label = label.strip().rstrip("\\")
    return label + ")" if label.count("(") > label.count(")") else label


def _by_voice(line: Line, *, first: bool) -> Iterator[Line]:
    """Yield the parts of a cue's line, one a voice; the first line of a cue without a voice is of nobody known."""
    marks = list(_VOICE.finditer(line.text))
    begin = marks[0].start() if marks and line.text[: marks[0].start()].strip() else 0
    if begin or not marks:
        end = begin or len(line.text)
        part = Line(line.start, line.start + end, line.text[:end], said=line.text[:end].strip())
        if first:
            part.label, part.kind = roles.UNKNOWN, "unclear"
        yield part
    if not marks:
        return
    ends = [*(mark.start() for mark in marks[1:]), len(line.text)]
    for mark, end in zip(marks, ends, strict=True):
        start = begin if mark is marks[0] else mark.start()
        closed = _CLOSED.search(line.text, mark.end(), end)
        stop = closed.end() if closed else end
        label = html.unescape(mark["label"] or "").strip()
        said, kind = line.text[mark.end() : stop].strip(), "turn" if label else "unclear"
        yield Line(line.start + start, line.start + stop, line.text[start:stop], label or roles.UNKNOWN, said, kind)
        if closed:
            said = line.text[stop:end]
            yield Line(line.start + stop, line.start + end, said, roles.UNKNOWN, said.strip(), "unclear")
