"""What a provider answers, read with care: whatever sits at an endpoint can send anything."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from persona.errors import PersonaError
from persona.storage.backend import Digest
from persona.storage.backends.faults import WrongEndpointError

MAX_ANSWER_BYTES = 32 << 20
"""The longest answer that is read whole, in bytes; a page of a listing is a few MiB at most."""
MAX_MARKS = 500_000
"""The most tags or quotes, or commas and brackets, of such an answer, which bound what it makes in memory."""


class ListingError(ValueError):
    """A listing whose pages do not lead to its end: it must not be taken for the whole."""


NONSENSE = (LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading an answer that makes no sense may raise."""


def parse_xml(body: bytes, tag: str) -> ElementTree.Element:
    """Parse an answer in XML, without its namespace: some services give one and others do not.

    Raises:
        ValueError: it is no XML or not the answer expected, which a login page would pass for with an empty listing.
    """
    root = xml_or_none(body)
    if root is None or root.tag != tag:
        raise ValueError(f"no {tag}")
    return root


@contextmanager
def understood(host: str) -> Iterator[None]:
    """Raise `UnreachableError` if an answer cannot be read within: whatever gave it is not the provider."""
    try:
        yield
    except PersonaError:
        raise
    except ListingError as error:
        raise WrongEndpointError(
            f"{host} did not return a complete listing: {error}.",
            hint="Nothing was concluded from the part that was returned. Check the endpoint, or ask its provider.",
        ) from error
    except NONSENSE as error:
        raise senseless(host) from error


def xml_or_none(body: bytes) -> ElementTree.Element | None:
    """Do as `parse_xml`, but return None if it is no XML.

    One with a document type, which alone can define entities, is none: no provider sends it.
    """
    if b"<!DOCTYPE" in body or body.count(b"<") > MAX_MARKS or body.count(b'"') + body.count(b"'") > MAX_MARKS:
        return None
    parser = ElementTree.XMLParser(encoding="utf-8")  # noqa: S314  (no entities; whatever encoding it claims to have)
    try:
        return ElementTree.fromstring(re.sub(rb'\sxmlns="[^"]*"', b"", body, count=1), parser)  # noqa: S314
    except ElementTree.ParseError:
        return None


def parse_json(body: bytes) -> dict[str, Any]:
    """Parse an answer in JSON.

    Raises:
        ValueError: it is no object, or larger than an answer is.
    """
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_MARKS:
        raise ValueError("too much")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def text_in(item: Mapping[str, Any], name: str) -> str:
    """Return a text of an answer in JSON.

    Raises:
        KeyError: it is not there.
        TypeError: it is something else.
    """
    value = item[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def size_in(text: str) -> int:
    """Return a size in bytes.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ValueError("no size")
    return int(text)


def etag_in(text: str) -> str:
    """Return the opaque part of an ETag, without quotes, and without the mark of a weak one.

    A proxy that compresses marks an ETag as weak; the server behind compares it without the mark (RFC 9110, 8.8.3).
    """
    return text.strip().removeprefix("W/").strip('"')


def digest_in(algorithm: str, text: str, *, vouched: bool = True) -> Digest:
    """Return a digest that is given in base64.

    Raises:
        ValueError: it is none.
    """
    return Digest(algorithm, base64.b64decode(text, validate=True).hex(), vouched)


def time_in(text: str) -> datetime:
    """Return a time in ISO 8601, in UTC.

    Raises:
        ValueError: it is none, or says no zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("no zone")
    return found.astimezone(UTC)


def text_of(element: ElementTree.Element, name: str) -> str:
    """Return the text of a child, or ""."""
    return element.findtext(name) or ""


def senseless(host: str) -> WrongEndpointError:
    """Return the error for an answer that no provider gives."""
    return WrongEndpointError(
        f"{host} gives an answer that makes no sense.",
        hint="Check that the endpoint is right, and that no login page of the network stands before it.",
    )
