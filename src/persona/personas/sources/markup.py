"""XML as a stream of events, without document types: so there are no entities that could expand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from persona.errors import InputError
from persona.personas.sources.limits import too_many

MAX_ELEMENTS = 400_000
"""The most elements of a document that is held as a tree."""

_MAX_DEPTH = 200
"""How deeply elements may be nested; documents of Office have under 30 levels."""
_MAX_TAG = 4 * 1024 * 1024
"""The most bytes of one tag or comment, which the parser has to hold."""
Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


def parse(name: str, chunks: Iterable[bytes], start: Start, end: End, text: Text) -> None:
    """Call a function for each start, end and text of an XML document; prefixes of names are left out.

    Attributes keep their prefix. A text may come in several parts.

    Args:
        name: the document, for messages.
        chunks: its bytes.
        start: takes an element's name and attributes.
        end: takes an element's name.
        text: takes what stands between.

    Raises:
        InputError: it is not well-formed, has a document type, or is nested too deeply.
    """
    depth = 0
    local: dict[str, str] = {}

    def started(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise InputError(f"{name} is nested too deeply to be a document.")
        if tag not in local:
            local[tag] = tag.rpartition(":")[2]
        start(local[tag], attributes)

    def ended(tag: str) -> None:
        nonlocal depth
        depth -= 1
        end(local[tag])

    def refused(*_: object) -> None:
        raise InputError(f"{name} has a document type, which Persona does not read.", hint="Export it again.")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refused
    try:
        read = 0
        for chunk in chunks:
            parser.Parse(chunk, False)
            read += len(chunk)
            if read - max(0, parser.CurrentByteIndex) > _MAX_TAG:
                raise InputError(f"{name} is damaged: it has a tag without end.", hint="Export it again.")
        parser.Parse(b"", True)
    except InputError:
        raise
    except (expat.ExpatError, ValueError) as error:  # ValueError: an encoding of several bytes that expat lacks
        raise InputError(f"{name} is damaged: {error}.", hint="Export it again.") from error


@dataclass(slots=True)
class Element:
    """An element of a small document.

    Args:
        tag: its name, without a prefix.
        attributes: as they are written.
        children: the elements in it.
        text: what it holds of text itself.
    """

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def get(self, name: str) -> str:
        """Return an attribute; "" if it is not there."""
        return self.attributes.get(name, "")

    def all(self, *tags: str) -> Iterator[Element]:
        """Yield the children of some names."""
        return (child for child in self.children if child.tag in tags)

    def first(self, tag: str) -> Element:
        """Return the first child of a name; one without content if there is none."""
        return next(self.all(tag), Element(tag, {}))

    def walk(self) -> Iterator[Element]:
        """Yield the element and all below it, in their order."""
        below = [self]
        while below:
            element = below.pop()
            yield element
            below += reversed(element.children)


def tree(name: str, chunks: Iterable[bytes]) -> Element:
    """Return the root of a small XML document.

    Raises:
        InputError: as `parse` does, or it has more than `MAX_ELEMENTS` elements.
    """
    path, count = [Element("", {})], 0
    texts: list[list[str]] = [[]]

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS:
            raise too_many(name, "elements", MAX_ELEMENTS)
        element = Element(tag, attributes)
        path[-1].children.append(element)
        path.append(element)
        texts.append([])

    def end(_: str) -> None:
        path.pop().text = "".join(texts.pop())

    parse(name, chunks, start, end, lambda text: texts[-1].append(text))
    return path[0].children[0]
