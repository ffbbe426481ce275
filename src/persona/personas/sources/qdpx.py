"""Reading REFI-QDA projects (``.qdpx``), which ATLAS.ti, MAXQDA, NVivo, QualCoder and others export.

Source: “REFI-QDA Standard, version 1.5” (2019), sections 8 to 10, and its schema ``Project.xsd``
(``urn:QDA-XML:project:1.0``), https://www.qdasoftware.org.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sys import getsizeof

from persona.personas.sources import limits, markup
from persona.personas.sources.archive import Archive
from persona.personas.sources.coded import Case, Coding, Source, Span, read_project, unique_names
from persona.personas.sources.decode import decode
from persona.personas.sources.markup import Element
from persona.personas.sources.records import Dataset, is_missing, tidy

_PROJECT = "project.qde"
_MEDIA = ("AudioSource", "VideoSource")
_VALUES = ("TextValue", "BooleanValue", "IntegerValue", "FloatValue", "DateValue", "DateTimeValue")


def read_qdpx(name: str, data: bytes) -> Dataset:
    """Read a project: its cases are respondents, and its codes are topics of what they say.

    Raises:
        InputError: it is damaged, larger than what is taken, or holds no text of a respondent.
    """
    archive = Archive(name, data)
    project = markup.tree(f"{_PROJECT} in {name}", [archive.read(_PROJECT)])
    return _Project(name, archive, project).read()


class _Project:
    """A project file with the texts of its sources."""

    def __init__(self, name: str, archive: Archive, root: Element) -> None:
        self._name, self._archive, self._root = name, archive, root
        self._members = {member.rpartition("/")[2].lower(): member for member in archive.names}
        self._variables = {_id(each.get("guid")): tidy(each.get("name")) for each in root.first("Variables").children}
        self._codes = dict(self._named_codes())
        self._selections: dict[str, Span] = {}
        self._codings: list[Coding] = []
        self._unread: list[str] = []
        self._size = 0

    def read(self) -> Dataset:
        sources = [source for each in self._root.first("Sources").children for source in self._sources(each)]
        lengths = {source.key: len(source.text) for source in sources}
        cases = [self._case(each, lengths) for each in self._root.first("Cases").all("Case")]
        dataset = read_project(self._name, sources, self._codings, [case for case in cases if case.name])
        if self._unread:
            more = f" and {len(self._unread) - 5:,} more" if len(self._unread) > 5 else ""
            shown = ", ".join(self._unread[:5]) + more
            dataset.notes.append(f"{self._name}: not read, having no plain text in the project: {shown}.")
        return dataset

    def _named_codes(self) -> Iterator[tuple[str, str]]:
        found: list[tuple[str, str, str]] = []
        below = [("", code) for code in self._root.first("CodeBook").first("Codes").all("Code")]
        while below:
            above, code = below.pop()
            found.append((_id(code.get("guid")), above, code.get("name")))
            below += [(code.get("name"), child) for child in code.all("Code")]
        names = unique_names([(above, name) for _, above, name in found])
        return ((key, name) for (key, _, _), name in zip(found, names, strict=True))

    def _sources(self, element: Element) -> Iterator[Source]:
        """Yield the texts of a source: its own, that of a PDF file, or the transcripts of a recording."""
        title = tidy(element.get("name")) or "a source without a name"
        inner = [element]
        if element.tag == "PDFSource":
            inner = [*element.all("Representation")]
        elif element.tag in _MEDIA:
            inner = [*element.all("Transcript")]
        elif element.tag != "TextSource":
            inner = []
        texts = [(each, text) for each in inner if (text := self._text(each))]
        if not texts:
            self._unread.append(title)
        fields = self._values(element)
        for each, text in texts:
            key = _id(each.get("guid"))
            source = Source(key, title, text, fields)
            self._read_selections(each, source)
            self._codings += self._coded(element, Span(key, 0, len(text)))
            if each is not element:
                self._selections[_id(element.get("guid"))] = Span(key, 0, len(text))
            self._selections[key] = Span(key, 0, len(text))
            yield source

    def _text(self, element: Element) -> str:
        inline = element.first("PlainTextContent").text
        path = element.get("plainTextPath").rpartition("/")[2].lower()
        if not inline and path in self._members:
            inline, _ = decode(f"{path} in {self._name}", self._archive.read(self._members[path]))
        self._size += getsizeof(inline)
        if self._size > limits.MAX_TEXT:
            raise limits.too_much_text(self._name, limits.MAX_TEXT)
        return inline

    def _read_selections(self, element: Element, source: Source) -> None:
        """Read what is coded in a text; its lines may end with one character or two, as the names tell."""
        points = {_id(each.get("guid")): _whole(each.get("position")) for each in element.all("SyncPoint")}
        found: list[tuple[Element, int, int]] = []
        for each in element.all("PlainTextSelection"):
            found.append((each, _whole(each.get("startPosition")), _whole(each.get("endPosition"))))
        for each in element.all("TranscriptSelection"):
            start, end = (points.get(_id(each.get(key)), -1) for key in ("fromSyncPoint", "toSyncPoint"))
            found.append((each, start, end if end >= 0 else len(source.text)))
        source.text = _as_counted(source.text, found)
        for each, start, end in found:
            if 0 <= start < end:
                span = Span(source.key, start, min(end, len(source.text)))
                self._selections[_id(each.get("guid"))] = span
                self._codings += self._coded(each, span)

    def _coded(self, element: Element, span: Span) -> Iterator[Coding]:
        for coding in element.all("Coding"):
            topic = self._codes.get(_id(coding.first("CodeRef").get("targetGUID")))
            if topic:
                yield Coding(span, topic)

    def _values(self, element: Element) -> dict[str, str]:
        """Return the variables of a source or case."""
        found = {}
        for value in element.all("VariableValue"):
            heading = self._variables.get(_id(value.first("VariableRef").get("targetGUID")))
            text = tidy(next((each.text for each in value.all(*_VALUES)), ""))
            if heading and not is_missing(text):
                found[heading] = text
        return found

    def _case(self, element: Element, lengths: dict[str, int]) -> Case:
        targets = [_id(each.get("targetGUID")) for each in element.all("SourceRef", "SelectionRef")]
        spans = [self._selections[each] for each in targets if each in self._selections]
        return Case(tidy(element.get("name")), self._values(element), [s for s in spans if s.source in lengths])


def _as_counted(text: str, selections: Sequence[tuple[Element, int, int]]) -> str:
    """Return a text with the ends of lines that its selections count.

    Most programs give a selection the name of its first words; the text that has more of them in place is the right
    one. Programs that read the file as text count the end of a line as one character.
    """
    if "\r\n" not in text:
        return text

    def hits(candidate: str) -> int:
        return sum(
            (wanted := tidy(each.get("name"))[:12]) != "" and tidy(candidate[start:end][:40]).startswith(wanted)
            for each, start, end in selections
        )

    return max((text.replace("\r\n", "\n"), text), key=hits)


def _id(guid: str) -> str:
    """Return a GUID as GUIDs are compared: with braces or without, in any case."""
    return guid.strip("{} ").lower()


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else -1
