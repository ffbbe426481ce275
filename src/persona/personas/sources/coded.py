"""Projects of qualitative analysis: interviews with what researchers coded in them, and the cases that they are of."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from persona.errors import InputError
from persona.personas.sources.limits import too_many
from persona.personas.sources.records import Dataset, Passage, Record, tidy
from persona.personas.sources.transcripts import read_transcript, respondents

_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*\s+|\n\s*")
_ENDING = re.compile(r"\.(?:txt|docx?|odt|rtf|pdf|md|html?)$", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_MAX_CODINGS = 50_000
_FIRST, _LAST = 6, 4
_WINDOW = 200_000
"""How far behind the one before a passage is looked for, in characters."""


@dataclass(frozen=True)
class Span:
    """A part of a source, by its characters; `end` is behind the last one."""

    source: str
    start: int
    end: int


@dataclass(frozen=True)
class Coding:
    """A part of a source that a researcher gave a topic."""

    span: Span
    topic: str


@dataclass
class Source:
    """One document of a project.

    Args:
        key: what names it in the project.
        title: what researchers call it.
        text: its words.
        fields: what the project says of it, such as variables of a document.
    """

    key: str
    title: str
    text: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Case:
    """A unit of analysis, which is mostly a person.

    Args:
        name: its name.
        fields: its variables.
        spans: the parts of sources that are about it.
    """

    name: str
    fields: dict[str, str] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class _Piece:
    """A passage, or a part of one, with its place."""

    record: Record
    span: Span
    passage: Passage


def read_project(name: str, sources: Sequence[Source], codings: Sequence[Coding], cases: Sequence[Case]) -> Dataset:
    """Return the respondents of a project: its cases, and whoever else speaks in its sources.

    Passages are parted at the sentences in which a coded part begins and ends, so that a topic has its own words.

    Args:
        name: the file, for messages and evidence.
        sources: its documents.
        codings: what was coded.
        cases: the cases; empty if the project has none.

    Raises:
        InputError: nobody says anything in it.
    """
    if len(codings) > _MAX_CODINGS:
        raise too_many(name, "coded passages", _MAX_CODINGS)
    cases = [replace(case, name=own) for case, own in zip(cases, _distinct(c.name for c in cases), strict=True)]
    titles = _distinct(_ENDING.sub("", source.title).replace("/", "-") for source in sources)
    by_place = {f"{name}/{title}": source for source, title in zip(sources, titles, strict=True)}
    result = _transcripts(by_place)
    pieces = [*_all_pieces(by_place, result.records, codings, cases)]
    result.records, of_cases = _respondents(name, pieces, result.records, cases)
    if not result.records:
        raise InputError(f"{name} holds no text of a respondent.", hint="Check that its sources hold interviews.")
    if of_cases:
        result.notes.append(f"{name}: the respondents are the cases of the project ({of_cases:,}).")
    result.notes += _notes(name, codings, pieces)
    return result


def _respondents(
    name: str, pieces: Sequence[_Piece], people: Sequence[Record], cases: Sequence[Case]
) -> tuple[list[Record], int]:
    """Return the cases as respondents, then whoever else speaks; and how many are cases."""
    of_cases, rest = _assigned(pieces, cases)
    found = [_of_case(name, case, of_cases.get(case.name, ())) for case in cases]
    found = [record for record in found if record.fields or record.passages]
    own: dict[tuple[str, str], list[Passage]] = {}
    for piece in rest:
        own.setdefault(piece.record.key, []).append(piece.passage)
    others = [replace(record, passages=tuple(own[record.key])) for record in people if record.key in own]
    return [*found, *others], len(found)


def _transcripts(sources: Mapping[str, Source]) -> Dataset:
    """Return who speaks in some sources, given by what they are called in evidence."""
    result = Dataset()
    for place, source in sources.items():
        read = read_transcript(f"{place}.txt", source.text)  # whose ending is taken off where the name is an id
        for interview in read.interviews:
            interview.fields = {**source.fields, **interview.fields}
        result.extend(read)
    interviews, result.interviews = result.interviews, []
    try:
        result.extend(respondents(interviews) if interviews else Dataset())
    except InputError:
        return result
    result.records = [_without_ending(record) for record in result.records]
    for place in sources:
        result.notes = [note.replace(f"{place}.txt", place) for note in result.notes]
    return result


def _without_ending(record: Record) -> Record:
    said = tuple(replace(each, file=each.file.removesuffix(".txt")) for each in record.passages)
    return replace(record, file=record.file.removesuffix(".txt"), passages=said)


def _spans(codings: Sequence[Coding], cases: Sequence[Case], key: str) -> Iterator[Span]:
    yield from (coding.span for coding in codings)
    yield from (span for case in cases for span in case.spans if span.source == key)


def _edges(text: str, spans: Iterable[Span]) -> list[int]:
    """Return where the sentences begin and end that spans of a text begin and end in."""
    starts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    edges: set[int] = set()
    for span in spans:
        edges |= {
            starts[bisect_right(starts, span.start) - 1],
            starts[min(bisect_left(starts, span.end), len(starts) - 1)],
        }
    return sorted(edges)


def _all_pieces(
    sources: Mapping[str, Source], people: Sequence[Record], codings: Sequence[Coding], cases: Sequence[Case]
) -> Iterator[_Piece]:
    """Yield all that respondents say, by the source and then by the respondent."""
    said: dict[str, dict[int, list[Passage]]] = {}
    for number, record in enumerate(people):
        for passage in record.passages:
            said.setdefault(passage.file or record.file, {}).setdefault(number, []).append(passage)
    for place, source in sources.items():
        bounds = [coding for coding in codings if coding.span.source == source.key]
        edges = _edges(source.text, _spans(bounds, cases, source.key))
        for number, passages in said.get(place, {}).items():
            yield from _pieces(source, people[number], passages, bounds, edges)


def _pieces(
    source: Source, record: Record, said: Sequence[Passage], codings: Sequence[Coding], edges: Sequence[int]
) -> Iterator[_Piece]:
    """Yield what a respondent says in a source with places and topics, parted at some characters of the source."""
    at, label = 0, _words(_WORD.findall(record.id))
    plain = re.sub(rf"(?m)^\W*{label}\b", lambda match: " " * len(match[0]), source.text)  # turns in a row are joined
    for passage in said:
        start, at = _place(source.text, plain, label, passage.text, at)
        inside = [edge for edge in edges if start < edge < at]
        for begin, end, text in _parted(plain, start, at, passage.text, inside):
            topics = dict.fromkeys(
                coding.topic for coding in codings if coding.span.start < end and begin < coding.span.end
            )
            piece = replace(passage, text=text, topics=(*passage.topics, *topics))
            yield _Piece(record, Span(source.key, begin, end), piece)


def _words(words: Sequence[str]) -> str:
    """Return a pattern of words, with anything but letters between them, such as the time of a turn."""
    return r"[\W\d_]+".join(map(re.escape, words))


def _place(text: str, plain: str, label: str, said: str, at: int) -> tuple[int, int]:
    """Return where a passage stands in a source, behind a place: behind its speaker's name if that can be.

    Args:
        text: the source.
        plain: the same without the speaker's name before turns.
        label: the pattern of the speaker's name.
        said: the passage.
        at: the place.
    """
    words = _WORD.findall(said)
    first = _words(words[:_FIRST])
    for pattern, where in ((rf"\b{label}\b[\W\d_]{{0,40}}?({first})\b", text), (rf"\b({first})\b", plain)):
        if found := re.compile(pattern).search(where, at, at + _WINDOW):
            start = found.start(1)
            break
    else:
        return at, at
    last = re.compile(rf"\b{_words(words[-_LAST:])}\b")
    ended = last.search(plain, max(start, start + len(said) * 9 // 10 - 60), start + _WINDOW)
    return start, ended.end() if ended else start + len(said)


def _parted(source: str, start: int, end: int, said: str, edges: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    """Yield the parts of a passage between edges; all of it where its letters are not those of the source."""
    letters = [n for n, c in enumerate(said) if c.isalpha()]
    if not edges or sum(c.isalpha() for c in source[start:end]) != len(letters):
        yield start, end, said
        return
    begin, cut, count = start, 0, 0
    for edge in [*edges, end]:
        count += sum(c.isalpha() for c in source[begin:edge])
        behind = letters[count] if edge < end and count < len(letters) else len(said)
        if part := said[cut:behind].strip():
            yield begin, edge, part
        begin, cut = edge, behind


def _assigned(pieces: Sequence[_Piece], cases: Sequence[Case]) -> tuple[dict[str, list[_Piece]], list[_Piece]]:
    """Return the pieces of each case, and those that are of none, or of several and of no one's name."""
    found: dict[str, list[_Piece]] = {}
    rest = []
    for piece in pieces:
        own = [case.name for case in cases if any(_overlap(span, piece.span) for span in case.spans)]
        if len(own) > 1:
            own = [each for each in own if each == piece.record.id]
        if own:
            found.setdefault(own[0], []).append(piece)
        else:
            rest.append(piece)
    return found, rest


def _overlap(a: Span, b: Span) -> bool:
    return a.source == b.source and a.start < b.end and b.start < a.end


def _of_case(name: str, case: Case, pieces: Sequence[_Piece]) -> Record:
    fields = dict(case.fields)
    speakers = {piece.record.key: piece.record for piece in pieces}
    for record in speakers.values():
        fields = {**{key: str(value) for key, value in record.fields.items()}, **fields}
    return Record(name, case.name, fields, tuple(replace(piece.passage, file="") for piece in pieces))


def _notes(name: str, codings: Sequence[Coding], pieces: Sequence[_Piece]) -> list[str]:
    """Return how many coded parts are among what respondents say."""
    spans = [piece.span for piece in pieces]
    by_source = {span.source: [each for each in spans if each.source == span.source] for span in spans}
    hit = [any(_overlap(coding.span, span) for span in by_source.get(coding.span.source, ())) for coding in codings]
    topics = Counter(coding.topic for coding, inside in zip(codings, hit, strict=True) if inside)
    notes = [f"{name}: topics that researchers coded: {len(topics):,}, in {sum(hit):,} places."] if codings else []
    if missed := hit.count(False):
        notes.append(f"{name}: left out, being no words of a respondent: {missed:,} of {len(hit):,} coded places.")
    return notes


def _distinct(names: Iterable[str]) -> list[str]:
    """Return names that all differ: the second “Interview” is “Interview (2)”."""
    counts: Counter[str] = Counter()
    found = []
    for name in names:
        counts[name] += 1
        found.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return found


def unique_names(names: Sequence[tuple[str, str]]) -> list[str]:
    """Return names that all differ, those that are there twice with the name above them.

    Args:
        names: each with what stands above it; "" for nothing.
    """
    counts = Counter(tidy(name) for _, name in names)
    return [f"{tidy(above)}: {tidy(name)}" if counts[tidy(name)] > 1 and above else tidy(name) for above, name in names]
