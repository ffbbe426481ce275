"""Signed requests to a provider's REST API: what listings, properties, multipart uploads and all of GCS go through.

obstore moves the bytes of ordinary objects on S3 and Azure. It cannot do these: one foreign name such as ``a//b``
makes its whole listing fail, its listings leave out the digests of Azure, and its multipart uploads take no
precondition. Blocking calls of urllib3 run in threads of their own.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

import urllib3

from persona.errors import PersonaError, UnreachableError
from persona.storage.backends.faults import WrongEndpointError
from persona.storage.retry import RetryPolicy

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

T = TypeVar("T")
CHUNK_BYTES = 1 << 20
MAX_ANSWER_BYTES = 32 << 20
"""The longest answer that is read whole, in bytes; a page of a listing is a few MiB at most."""
MAX_MARKS = 500_000
"""The most tags or quotes, or commas and brackets, of such an answer, which bound what it makes in memory."""
_NONSENSE = (LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
TLS_SECONDS = 0.5
_PAGE = re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE)


@dataclass(slots=True)
class Request:
    """A request about to be signed; signers add headers, or parameters to the query.

    Args:
        method: the HTTP method.
        path: the path of the URL, percent-encoded.
        query: parameters, in any order, not encoded.
        headers: headers, with lower-case names.
        body: the content.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | bytearray | memoryview = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Signer = Callable[[Request], None]
Translator = Callable[[int, Mapping[str, str], bytes], PersonaError]


def encode_path(path: str) -> str:
    """Return a path percent-encoded as providers sign it: all but unreserved characters and ``/``."""
    return quote(path, safe="/-_.~")


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
    except _NONSENSE as error:
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


class RestClient:
    """One connection pool to one endpoint.

    Args:
        endpoint: the base address; its path is put before that of each request.
        sign: adds credentials to a request; called in a thread, since it may have to fetch a token.
        translate: makes this project's error of a refused answer.
        policy: when to try again.
        timeout: how long to wait for an answer, or for more of one, in seconds.
        connections: how many requests run at once.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        sign: Signer,
        translate: Translator,
        policy: RetryPolicy,
        timeout: float,
        connections: int,
    ) -> None:
        parts = urlsplit(endpoint)
        self.endpoint = endpoint
        self.host = parts.netloc
        self._base = parts.path.rstrip("/")
        self._sign = sign
        self.translate = translate
        self._policy = policy
        self._timeout = urllib3.Timeout(connect=min(5.0, timeout), read=timeout)
        self._http = urllib3.connection_from_url(
            f"{parts.scheme}://{parts.netloc}", maxsize=connections, block=False, retries=False
        )
        self.clock_skew: float | None = None
        """How far the server's clock is ahead of this machine's, in seconds, at its last answer."""
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="persona-http")

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | bytearray | memoryview = b"",
        allow: Iterable[int] = (),
        check: Callable[[bytes], None] | None = None,
    ) -> Reply:
        """Send a request, again after passing failures, and return its answer.

        Args:
            method: the HTTP method.
            path: the path below the endpoint's, percent-encoded.
            query: parameters, not encoded.
            headers: headers, with lower-case names.
            body: the content.
            allow: statuses beside 2xx that are an answer and no error.
            check: raises if the body of an answer is an error after all.

        Raises:
            PersonaError: what `translate` makes of a refusal, or `UnreachableError`.
        """

        def once() -> Reply:
            request = Request(method, self._base + path, dict(query or {}), dict(headers or {}), body)
            response = self._exchange(request)
            content = self._whole(response)
            if 200 <= response.status < 300 or response.status in allow:
                if check is not None:
                    check(content)
                return Reply(response.status, response.headers, content)
            raise self._refusal(response.status, response.headers, content)

        return await self._policy.run(lambda: self.in_thread(once))

    async def open(
        self, path: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Body:
        """Send a GET and return its answer with the body still to be read; parameters as for `send`."""

        def once() -> Body:
            request = Request("GET", self._base + path, dict(query or {}), dict(headers or {}))
            response = self._exchange(request)
            if 200 <= response.status < 300:
                return Body(response, self.in_thread)
            try:
                body = response.read(1 << 16)
            except urllib3.exceptions.HTTPError as error:
                raise unreachable(self.host, error) from error
            finally:
                response.close()
            raise self._refusal(response.status, response.headers, body)

        return await self._policy.run(lambda: self.in_thread(once))

    async def close(self) -> None:
        """Close the connections and end the threads."""
        self._http.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _whole(self, response: BaseHTTPResponse) -> bytes:
        """Read an answer whole, as far as one may be."""
        parts: list[bytes] = []
        size = 0
        try:
            while part := response.read(CHUNK_BYTES):
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise senseless(self.host)
                parts.append(part)
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self.host, error) from error
        except UnreachableError:
            response.close()
            raise
        response.release_conn()
        return b"".join(parts)

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> PersonaError:
        """Return the error for a refusal, which may come from something that is no provider's service at all."""
        if status == 400 and re.search(b"plain HTTP request was sent|HTTP request to an HTTPS server", body):
            return speaks_tls(self.host)
        if status < 500 and _PAGE.match(body):
            return senseless(self.host)
        return self.translate(status, headers, body)

    def _exchange(self, request: Request) -> BaseHTTPResponse:
        """Sign and send a request once, in this thread."""
        self._sign(request)
        target = (
            f"{request.path}?{urlencode(request.query, quote_via=quote, safe='-_.~')}"
            if request.query
            else request.path
        )
        try:
            response = self._http.urlopen(
                request.method,
                target,
                body=request.body,  # type: ignore[arg-type]  # it takes all that has a buffer
                headers=request.headers,
                timeout=self._timeout,
                preload_content=False,
                decode_content=False,
                redirect=False,
            )
        except urllib3.exceptions.ProtocolError as error:
            if (
                self.clock_skew is None
                and self._http.scheme == "http"
                and answers_tls(self._http.host, self._http.port)
            ):
                raise speaks_tls(self.host) from error
            raise unreachable(self.host, error) from error
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self.host, error) from error
        with suppress(*_NONSENSE):  # a server may leave it out, or write it in its own way
            self.clock_skew = parsedate_to_datetime(response.headers["date"]).timestamp() - time.time()
        return response

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread of this client."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class Body:
    """The body of an answer, read in chunks.

    Args:
        response: the answer.
        in_thread: runs a blocking call.
    """

    def __init__(
        self,
        response: BaseHTTPResponse,
        in_thread: Callable[[Callable[[], bytes]], AsyncIterator[bytes] | object],
    ) -> None:
        self.headers = response.headers
        self._response = response
        self._in_thread = in_thread

    async def chunks(self, host: str) -> AsyncIterator[bytes]:
        """Yield the body; raise `UnreachableError` if it breaks off."""
        read = functools.partial(self._response.read, CHUNK_BYTES)
        while True:
            try:
                chunk = await self._in_thread(read)  # type: ignore[misc]
            except urllib3.exceptions.HTTPError as error:
                raise unreachable(host, error) from error
            if not chunk:
                return
            yield chunk

    def close(self) -> None:
        """Let go of the connection; one with content left on it is not used again."""
        self._response.close()
        self._response.release_conn()


def answers_tls(host: str, port: int | None) -> bool:
    """Say whether a service answers a TLS handshake; with a certificate of anybody's, since nothing is sent to it."""
    import socket
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port or 80), timeout=TLS_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False) as tls,
        ):
            tls.do_handshake()
    except OSError:
        return False
    return True


def speaks_tls(host: str) -> WrongEndpointError:
    """Return the error for a service that speaks TLS and was spoken to without."""
    return WrongEndpointError(
        f"{host} speaks TLS, and the endpoint begins with http://.", hint="Write https:// in the endpoint_url."
    )


def senseless(host: str) -> WrongEndpointError:
    """Return the error for an answer that no provider gives."""
    return WrongEndpointError(
        f"{host} gives an answer that makes no sense.",
        hint="Check that the endpoint is right, and that no login page of the network stands before it.",
    )


def late(host: str) -> UnreachableError:
    """Return the error for an answer that did not come in time."""
    return UnreachableError(f"{host} did not answer in time.", hint="Check the network, or raise performance.timeout.")


def unreachable(host: str, error: BaseException) -> UnreachableError:
    """Return the error for a provider that does not answer; never with the URL, which may bear a signature."""
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return UnreachableError(
            f"The name {host} is not known.", hint="Check the endpoint, the region and the network."
        )
    if isinstance(error, urllib3.exceptions.SSLError):
        if re.search("WRONG_VERSION_NUMBER|RECORD_LAYER|HTTP_REQUEST|UNKNOWN_PROTOCOL", str(error)):
            return WrongEndpointError(
                f"{host} does not speak TLS, and the endpoint begins with https://.",
                hint="Correct the endpoint_url: its port, or http:// if it is a service of this machine.",
            )
        if "CERTIFICATE" not in str(error):
            return UnreachableError(f"{host} breaks off before the connection is secure.", hint="Check the address.")
        return WrongEndpointError(
            f"{host} has no certificate that this machine trusts.",
            hint="Check the address; for a private authority set SSL_CERT_FILE.",
        )
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    ):
        return late(host)
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return UnreachableError(f"Nothing answers at {host}.", hint="Check the endpoint and the network.")
    return UnreachableError(f"The connection to {host} broke off.", hint="Try again.")
