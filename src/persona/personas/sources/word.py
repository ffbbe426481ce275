"""Word documents (.docx) as the text that a reader sees: paragraphs as lines, rows of tables as turns.

The parts are those of ECMA-376, part 1, section 17: what a tracked deletion took out (``w:del``, ``w:moveFrom``) is
not read, nor are comments, headers and footers, footnotes, field codes and hidden text. What was inserted is.
"""

from __future__ import annotations

import re
from collections import Counter

from persona.errors import InputError
from persona.personas.sources.archive import Archive
from persona.personas.sources.limits import MAX_CELLS, check_lines, too_many
from persona.personas.sources.markup import parse
from persona.personas.sources.records import Dataset, tidy
from persona.personas.sources.transcripts import read_transcript

_DOCUMENT = "word/document.xml"
_PARTS = {"comments": "word/comments.xml", "footnotes": "word/footnotes.xml", "endnotes": "word/endnotes.xml"}
_UNREAD = {"del": "tracked deletions", "moveFrom": "tracked moves", "txbxContent": "text boxes"}
_SKIPPED = frozenset({"del", "moveFrom", "Fallback", "rPrChange", "pPrChange", "instrText", "delText", "txbxContent"})
"""Elements of which nothing is read: what was deleted, and what repeats in another form what is read."""
_BREAKS = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "-", "softHyphen": ""}
_TIME = re.compile(r"[\[(]?(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d+)?(?:\s*[-–]\s*(?:\d{1,2}:)?\d{1,2}:\d{2})?[\])]?")
_HEADING = re.compile(
    r"(?:speaker|name|who|participant) (?:text|transcript|utterance|content|what was said|said|dialogue)", re.IGNORECASE
)
_LONGEST_LABEL = 60


def read_word(name: str, data: bytes) -> Dataset:
    """Read an interview in a Word document.

    Args:
        name: the file's name, for messages and evidence.
        data: its bytes.

    Raises:
        InputError: it is damaged, protected, or larger than is taken.
    """
    archive = Archive(name, data)
    document = _Document(name)
    parse(f"{_DOCUMENT} in {name}", archive.chunks(_DOCUMENT), document.start, document.end, document.text)
    text = document.content()
    if not text.strip():
        raise InputError(f"{name} holds no text.", hint="Check that the text is not in pictures, and export it again.")
    check_lines(name, text)
    dataset = read_transcript(name, text)
    unread = [f"{what} ({count:,})" for what, count in document.unread.items() if count]
    unread += [what for what, part in _PARTS.items() if part in archive]
    if unread:
        dataset.notes.append(f"{name}: not read: {', '.join(unread)}.")
    return dataset


class _Document:
    """Takes the events of a document's XML, and makes lines of them.

    Args:
        name: the file, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: list[str] = []
        self._line: list[str] = []
        self._rows: list[list[list[str]]] = []
        self._path: Counter[str] = Counter()
        self._skipping = 0
        self._hidden = False
        self._cells = 0
        self.unread: Counter[str] = Counter()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if self._skipping or tag in _SKIPPED:
            self._skipping += 1
            if self._skipping == 1 and tag in _UNREAD and not self._path["rPr"]:
                self.unread[_UNREAD[tag]] += 1
            return
        self._path[tag] += 1
        if tag == "tr":
            self._rows.append([])
        elif tag == "tc" and self._rows:
            self._rows[-1].append([])
            self._cells += 1
            if self._cells > MAX_CELLS:
                raise too_many(self._name, "cells", MAX_CELLS)
        elif tag == "r":
            self._hidden = False
        elif tag == "vanish":
            self._hidden = attributes.get("w:val", "true") not in ("0", "false")
        elif tag in _BREAKS and self._path["r"]:
            self._line.append(_BREAKS[tag])

    def end(self, tag: str) -> None:
        """End an element."""
        if self._skipping:
            self._skipping -= 1
            return
        self._path[tag] -= 1
        if tag == "p":
            self._put("".join(self._line))
            self._line = []
        elif tag == "tr" and self._rows:
            row = _row(self._rows.pop())
            self._put(row)

    def text(self, data: str) -> None:
        """Take text; only that of runs is the document's."""
        if self._path["t"] and not self._skipping and not self._hidden:
            self._line.append(data)

    def content(self) -> str:
        """Return the lines, a blank one behind each paragraph that is in no table; among the times of cues none."""
        cues = any(" --> " in line for line in self._lines)
        return "\n".join(line for line in self._lines if line.strip() or not cues)

    def _put(self, text: str) -> None:
        if self._rows and self._rows[-1]:
            self._rows[-1][-1].append(text)
        elif not self._rows:
            self._lines += [*text.split("\n"), ""]


def _row(cells: list[list[str]]) -> str:
    """Return a row of a table as a turn: a speaker, perhaps a time, and what is said; other rows as they are."""
    texts = [text for cell in cells if (text := "\n".join(line for line in cell if line.strip()).strip())]
    spoken = [text for text in texts if not _TIME.fullmatch(text)]
    spoken = spoken[1:] if len(spoken) == 3 and spoken[0].rstrip(".").isdecimal() else spoken
    if len(spoken) == 2 and _HEADING.fullmatch(" ".join(spoken)):
        return ""
    if len(spoken) == 2 and len(cells) > 1 and len(spoken[0]) <= _LONGEST_LABEL and "\n" not in spoken[0]:
        return f"{tidy(spoken[0]).rstrip(':：')}: {spoken[1]}"
    return "\t".join(spoken)
