"""What a provider answers, read with care: whatever sits at an endpoint can send anything."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree

from persona.redaction import shortened
from persona.storage.backend import Digest
from persona.storage.backends.faults import MalformedResponseError, WrongEndpointError
from persona.storage.paths import printable

T = TypeVar("T")

MAX_ANSWER_BYTES = 32 << 20
"""The longest answer that is read whole, in bytes; a page of a listing is a few MiB at most."""
MAX_OBJECT_BYTES = 1 << 50
"""No provider holds a larger object: Azure holds 190.7 TiB, S3 and GCS less. The sizes of thousands still add up."""
MAX_TOKEN = 8192
"""The longest version id, marker or upload id that is taken, in characters."""
MAX_MARKS = 500_000
"""The most tags or quotes, or commas and brackets, of such an answer, which bound what it makes in memory."""


class NonsenseError(ValueError):
    """A field of an answer is missing, or is not what its protocol says. The functions here alone raise it.

    What else is raised while an answer is read is a bug of ours, and is never blamed on the provider.
    """


class ListingError(NonsenseError):
    """A listing whose pages do not lead to its end: it must not be taken for the whole."""


_FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


class ElsewhereError(NonsenseError):
    """It names another host to go on at, which gets none of what we send."""


_PAGE = re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE)


@contextmanager
def understood(host: str, key: str | None = None, body: bytes = b"") -> Iterator[None]:
    """Turn a `NonsenseError` within into an error of this project.

    Args:
        host: who answers.
        key: the object that the answer is about; one odd answer says nothing of the others.
        body: the answer, in which an HTML page is none of a provider's, whatever it is about.

    Raises:
        MalformedResponseError: the answer is about one object.
        WrongEndpointError: it is not, so that whatever gave it is not the provider.
    """
    try:
        yield
    except ListingError as error:
        raise WrongEndpointError(
            f"{host} did not return a complete listing: {error}.",
            hint="Nothing was concluded from the part that was returned. Check the endpoint, or ask its provider.",
        ) from error
    except ElsewhereError as error:
        raise WrongEndpointError(
            f"{host} sends the upload to another host. Nothing was sent there.", hint="Check endpoint_url."
        ) from error
    except NonsenseError as error:
        if key is None or is_page(body):
            raise senseless(host) from error
        raise MalformedResponseError(
            f"{host} returned an unexpected response for “{printable(key)}”: {error}.",
            hint="Try again; if it stays so, ask who runs the endpoint.",
        ) from error


def is_page(body: bytes) -> bool:
    """Say whether an answer is an HTML page, as captive portals and proxies give it."""
    return _PAGE.match(body) is not None


def parse_xml(body: bytes, tag: str) -> ElementTree.Element:
    """Parse an answer in XML, without its namespace: some services give one and others do not.

    Raises:
        NonsenseError: it is no XML or not the answer expected, which a login page would pass for with an empty listing.
    """
    root = xml_or_none(body)
    if root is None or root.tag != tag:
        raise NonsenseError(f"it is no {tag}")
    return root


def xml_or_none(body: bytes) -> ElementTree.Element | None:
    """Do as `parse_xml`, but return None if it is no XML.

    One with a document type, which alone can define entities, is none: no provider sends it. White space may come
    first, which S3 sends while it completes an upload (Amazon S3 API Reference, "CompleteMultipartUpload").
    """
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
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
        NonsenseError: it is no object, or larger than an answer is.
    """
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_MARKS:
        raise NonsenseError("it is too large")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NonsenseError("it is no JSON") from error
    return _as_object(document, "it")


def text_in(item: Mapping[str, Any], name: str) -> str:
    """Return a text of an answer in JSON, or a header.

    Raises:
        NonsenseError: it is missing, or something else.
    """
    value = item.get(name)
    if not isinstance(value, str):
        raise NonsenseError(f"“{name}” is missing" if value is None else f"“{name}” is no text")
    return value


def number_in(item: Mapping[str, Any], name: str) -> str:
    """Return a whole number of an answer in JSON, which some services write as a text, as its digits.

    Raises:
        NonsenseError: it is missing, or something else.
    """
    value = item.get(name)
    if value is None:
        raise NonsenseError(f"“{name}” is missing")
    if isinstance(value, bool | float) or not re.fullmatch("[0-9]{1,19}", digits := str(value)):
        raise NonsenseError(f"“{name}” is no number")
    if int(digits) >= 1 << 63:
        raise NonsenseError(f"“{name}” is too large")
    return digits


def generation_in(item: Mapping[str, Any], name: str) -> str:
    """Return a generation of Google Cloud Storage: a whole number above 0, which stands for no object.

    Raises:
        NonsenseError: it is missing, or something else.
    """
    digits = number_in(item, name)
    if not digits.lstrip("0"):
        raise NonsenseError(f"“{name}” is no generation")
    return digits


def token_in(text: str) -> str:
    """Return an opaque token: a version id, a marker, the id of an upload; "" stands for none.

    It is sent back, and shown. It must be printable and of one line ("Using Amazon S3 versioning": “URL-ready”).

    Raises:
        NonsenseError: it is none.
    """
    if not text.isprintable() or len(text) > MAX_TOKEN:
        raise NonsenseError(f"“{printable(shortened(text, 40))}” is no id or marker")
    return text


def address_in(text: str, host: str) -> str:
    """Return the path and query of an address at a host: credentials go to no other.

    Raises:
        NonsenseError: it is no address.
        ElsewhereError: it is one of another host.
    """
    parts = by(urlsplit, text)
    address = urlunsplit(("", "", parts.path, parts.query, ""))
    if not re.fullmatch("/[!-~]*", address) or len(address) > MAX_TOKEN or parts.fragment:
        raise NonsenseError(f"“{printable(shortened(text, 40))}” is no address")
    if parts.netloc != host:
        raise ElsewhereError
    return address


def count_in(text: str) -> int:
    """Return a number of rows that an answer may state; 0 for what states none."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def objects_in(item: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects of an answer in JSON; none if it is missing.

    Raises:
        NonsenseError: it is something else.
    """
    return [_as_object(each, f"“{name}”") for each in _as_list(item, name)]


def texts_in(item: Mapping[str, Any], name: str) -> list[str]:
    """Do as `objects_in`, for texts."""
    return [text_in({name: each}, name) for each in _as_list(item, name)]


def object_in(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object of an answer in JSON; an empty one if it is missing.

    Raises:
        NonsenseError: it is something else.
    """
    return _as_object(item.get(name, {}), f"“{name}”")


def _as_list(item: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = item.get(name, [])
    if not isinstance(value, list):
        raise NonsenseError(f"“{name}” is no list")
    return value


def _as_object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NonsenseError(f"{name} is no object")
    return value


def size_in(text: str) -> int:
    """Return a size in bytes.

    Raises:
        NonsenseError: it is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= MAX_OBJECT_BYTES):
        raise NonsenseError("it states no size" if not text else f"“{printable(shortened(text, 40))}” is no size")
    return int(text)


def etag_in(text: str) -> str:
    """Return the opaque part of an ETag, without quotes, and without the mark of a weak one.

    A proxy that compresses marks an ETag as weak; the server behind compares it without the mark (RFC 9110, 8.8.3).

    Raises:
        NonsenseError: it cannot be one: it is sent back in a header, so it is printable ASCII.
    """
    found = text.strip().removeprefix("W/").strip('"')
    if not re.fullmatch("[ !#-~]{0,1024}", found):
        raise NonsenseError(f"“{printable(shortened(found, 40))}” is no ETag")
    return found


def digest_in(algorithm: str, text: str, *, vouched: bool = True) -> Digest:
    """Return a digest that is given in base64.

    Raises:
        NonsenseError: it is none.
    """
    return Digest(algorithm, by(lambda given: base64.b64decode(given, validate=True), text).hex(), vouched)


def time_in(text: str) -> datetime:
    """Return a time in ISO 8601, in UTC.

    Raises:
        NonsenseError: it is none, or says no zone.
    """
    found = by(datetime.fromisoformat, text)
    if found.tzinfo is None:
        raise NonsenseError("a time has no zone")
    return _bounded(by(_in_utc, found))


def http_time_in(text: str) -> datetime:
    """Return the time of a header (RFC 9110, section 5.6.7), in UTC.

    Raises:
        NonsenseError: it is none.
    """
    found = by(parsedate_to_datetime, text)
    return _bounded(found.replace(tzinfo=UTC) if found.tzinfo is None else by(_in_utc, found))


def _bounded(time: datetime) -> datetime:
    """Return a time that every zone can show: some services state the year 1 for a time that they do not know."""
    return min(max(time, _FIRST), _LAST)


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)  # which cannot hold some times of other zones


def by(parse: Callable[[Any], T], given: object) -> T:
    """Return what a parser of a library, or of this project, makes of one field of an answer.

    Raises:
        NonsenseError: it makes nothing of it.
    """
    try:
        return parse(given)
    except (ValueError, OverflowError, LookupError, TypeError) as error:  # the last two of email.utils, for dates
        raise NonsenseError(f"“{printable(shortened(str(given), 40))}” cannot be read") from error


def text_of(element: ElementTree.Element, name: str) -> str:
    """Return the text of a child, or ""."""
    return element.findtext(name) or ""


def is_no_service(host: str, status: int) -> WrongEndpointError:
    """Return the error for a refusal that is a web page: something between here and the service gives it."""
    if status == 407:
        return WrongEndpointError(
            f"{host} is behind a proxy that asks for a user and a password (407).",
            hint="Set https_proxy to its address, with the user and password; or ask for a way around the proxy.",
        )
    return WrongEndpointError(
        f"{host} answers with {status} and a web page, as no storage service does.",
        hint="Check the endpoint. If it is right, a firewall or a proxy before it refuses the request: ask its owner.",
    )


def senseless(host: str) -> WrongEndpointError:
    """Return the error for an answer that no provider gives."""
    return WrongEndpointError(
        f"{host} gives an answer that makes no sense.",
        hint="Check that the endpoint is right, and that no login page of the network stands before it.",
    )
