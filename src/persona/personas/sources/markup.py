"""XML as a stream of events, without document types: so there are no entities that could expand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.parsers import expat

from persona.errors import InputError

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
