"""Signed requests to a provider's REST API: what everything on S3, GCS and Azure goes through.

No redirect is followed, since credentials would go along; no answer is read further than an answer may be long; every
wait has a limit. Blocking calls of urllib3 run in threads of their own.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from persona.certificates import Authorities, authorities
from persona.errors import ConflictError, PersonaError, ThrottledError, UnreachableError
from persona.proxies import proxy_for
from persona.storage.backends.answers import (
    MAX_ANSWER_BYTES,
    NonsenseError,
    http_time_in,
    is_no_service,
    is_page,
    senseless,
)
from persona.storage.backends.deadlines import TimedResponse
from persona.storage.backends.faults import RepeatedError, WrongEndpointError, too_large
from persona.storage.backends.primitives import Part
from persona.storage.retry import RetryPolicy

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

# An object's metadata comes as headers, a few bytes each: 2 KiB on S3 may be 500 of them, and 100 are read by default.
http.client._MAXHEADERS = 600  # type: ignore[attr-defined]

T = TypeVar("T")
CHUNK_BYTES = 1 << 20
REFUSAL_BYTES = 64 << 10
"""How much of a refusal is looked at where content was asked for."""
_SENT_BYTES = 64 << 10
"""How much is given to a connection at once: each piece has all the time of a timeout, however slow the line."""
TLS_SECONDS = 0.5
_OF_PROXIES = (403, 502, 503, 504)
"""What a proxy may answer with by itself; a provider may as well."""
_OF_GATEWAYS = (408, 414, 429, 431)
"""What a web server before a service answers with by itself, in HTML: the status says all that there is to say."""
_REFUSAL = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml|<Error|\{|$)")
"""How a provider's refusal begins: XML, JSON, or nothing."""

_LISTING = {"list-type", "versions", "comp", "prefix", "maxResults"}
"""Parameters that make a GET one of a listing."""


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
    body: Part = b""

    @property
    def target(self) -> str:
        """The path and the query, encoded, as they stand in the request's first line."""
        if not self.query:
            return self.path
        return f"{self.path}?{urlencode(self.query, quote_via=quote, safe='-_.~', errors='replace')}"


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


class RestClient:
    """One connection pool to one endpoint, through a proxy if the environment names one for it.

    Args:
        endpoint: the base address; its path is put before that of each request.
        sign: adds credentials to a request; called in a thread, since it may have to fetch a token.
        translate: makes this project's error of a refused answer.
        policy: when to try again.
        timeout: how long to wait for an answer, or for more of one, in seconds.
        connections: how many requests run at once.
        trusted: the certificate authorities; None for those that the environment names.

    Raises:
        ConfigError: what the environment names is no HTTP proxy, or holds no certificates.
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
        trusted: Authorities | None = None,
    ) -> None:
        parts = urlsplit(endpoint)
        self.endpoint = endpoint
        self.host = parts.netloc
        self.base = parts.path.rstrip("/")
        """What comes before the path of each request."""
        self._sign = sign
        self.translate = translate
        self._policy = policy
        self._timeout = urllib3.Timeout(connect=min(5.0, timeout), read=timeout)
        self.proxy = proxy_for(endpoint)
        """The proxy that requests go through, or None if they go straight."""
        origin = f"{parts.scheme}://{parts.netloc}"
        # With TLS they go through a tunnel; without, the proxy has to be told in each of them whom it is for.
        self._origin = origin if self.proxy and parts.scheme == "http" else ""
        pools = self.proxy.pools if self.proxy else urllib3.PoolManager
        secure = parts.scheme == "https" or (self.proxy is not None and self.proxy.url.startswith("https:"))
        self._trusted = trusted or (authorities() if secure else Authorities())
        options = self._trusted.options if secure else {}
        self._http = pools(maxsize=connections, block=False, retries=False, **options).connection_from_url(origin)
        connection = self._http.ConnectionCls
        self._http.ConnectionCls = type("TimedConnection", (connection,), {"response_class": TimedResponse})
        self.reading: Counter[str] = Counter()
        """How many requests that only read were made, by kind: see `StorageBackend.reading_requests`."""
        self._dated: tuple[str, float] | None = None
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="persona-http")
        self._running: set[Future[Any]] = set()

    @property
    def clock_skew(self) -> float | None:
        """How far the server's clock is ahead of this machine's, in seconds, at its last answer, if it says that."""
        if self._dated is not None:
            with suppress(NonsenseError):  # a server may leave it out, or write it in its own way
                return http_time_in(self._dated[0]).timestamp() - self._dated[1]
        return None

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Part = b"",
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
            RepeatedError: a condition does not hold, and an earlier attempt may have been done all the same.
            PersonaError: what `translate` makes of a refusal, or `UnreachableError`.
        """
        if method in ("GET", "HEAD"):
            self.reading["head" if _LISTING.isdisjoint(query or ()) else "list"] += 1
        unsure = False  # whether an earlier attempt may have been done

        def once() -> Reply:
            nonlocal unsure
            request = Request(method, self.base + path, dict(query or {}), dict(headers or {}), body)
            try:
                return self._answer(request, allow, check)
            except ConflictError as error:
                if unsure:
                    raise RepeatedError(str(error), hint=error.hint) from error
                raise
            except UnreachableError as error:
                unsure = unsure or not isinstance(error, ThrottledError)
                raise

        return await self._policy.run(lambda: self.in_thread(once))

    async def open(
        self, path: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Body:
        """Send a GET and return its answer with the body still to be read; parameters as for `send`."""
        self.reading["read"] += 1

        def once() -> Body:
            request = Request("GET", self.base + path, dict(query or {}), dict(headers or {}))
            response = self._exchange(request)
            if 200 <= response.status < 300:
                return Body(response, self)
            try:
                body = response.read(REFUSAL_BYTES)
            except urllib3.exceptions.HTTPError as error:
                raise self.trouble(error) from error
            finally:
                response.close()
            raise self._refusal(response.status, response.headers, body)

        return await self._policy.run(lambda: self.in_thread(once))

    async def close(self) -> None:
        """Close the connections and end the threads."""
        self._http.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answer(self, request: Request, allow: Iterable[int], check: Callable[[bytes], None] | None) -> Reply:
        """Send a request once, and return its answer; raise what a refusal means."""
        response = self._exchange(request)
        content = self._whole(response)
        if 200 <= response.status < 300 or response.status in allow:
            if check is not None:
                check(content)
            return Reply(response.status, response.headers, content)
        raise self._refusal(response.status, response.headers, content)

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
            raise self.trouble(error) from error
        except UnreachableError:
            response.close()
            raise
        response.release_conn()
        return b"".join(parts)

    def trouble(self, error: BaseException) -> PersonaError:
        """Return the error for a request without an answer, be it for the proxy or for the provider."""
        if self.proxy is None:
            return unreachable(self.host, error, self._trusted)
        return self.proxy.trouble(error, self.host) or unreachable(
            f"{self.host}, through {self.proxy},", error, self._trusted
        )

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> PersonaError:
        """Return the error for a refusal, which may come from something that is no provider's service at all."""
        if self.proxy and self._origin and (status == 407 or (status in _OF_PROXIES and not _REFUSAL.match(body))):
            return self.proxy.refusal(status, self.host)
        if status == 400 and re.search(b"plain HTTP request was sent|HTTP request to an HTTPS server", body):
            return speaks_tls(self.host)
        if status == 413 and not _REFUSAL.match(body):
            return too_large(self.host)
        if status < 500 and status not in _OF_GATEWAYS and is_page(body):
            return is_no_service(self.host, status)
        return self.translate(status, headers, body)

    def ask(self, request: Request) -> Reply:
        """Send a signed request once, in this thread, and return its answer whatever it is, as far as one may be."""
        response = self._send_signed(request)
        try:
            return Reply(response.status, response.headers, response.read(REFUSAL_BYTES))
        except urllib3.exceptions.HTTPError as error:
            raise self.trouble(error) from error
        finally:
            response.close()

    def _exchange(self, request: Request) -> BaseHTTPResponse:
        """Sign and send a request once, in this thread."""
        self._sign(request)
        return self._send_signed(request)

    def _send_signed(self, request: Request) -> BaseHTTPResponse:
        body: object = request.body
        if len(request.body) > _SENT_BYTES:
            request.headers["content-length"] = str(len(request.body))
            body = _pieces(request.body)
        try:
            response = self._http.urlopen(
                request.method,
                self._origin + request.target,
                body=body,  # type: ignore[arg-type]  # it takes all that has a buffer
                headers=request.headers,
                timeout=self._timeout,
                preload_content=False,
                decode_content=False,
                redirect=False,
                assert_same_host=False,  # with a proxy, the pool is that of its host
            )
        except urllib3.exceptions.ProtocolError as error:
            straight = self.proxy is None and self._http.scheme == "http"
            if self._dated is None and straight and answers_tls(self._http.host, self._http.port):
                raise speaks_tls(self.host) from error
            raise self.trouble(error) from error
        except urllib3.exceptions.HTTPError as error:
            raise self.trouble(error) from error
        self._dated = response.headers.get("date", ""), time.time()
        return response

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread of this client."""
        running = self._threads.submit(work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(running)

    async def settled(self, seconds: float) -> None:
        """Wait until the requests that are on their way have ended, also of callers that were cancelled."""
        await asyncio.to_thread(wait, [*self._running], seconds)


class Body:
    """The body of an answer, read in chunks: the first at once, so that a small object is there with its answer.

    Args:
        response: the answer; this is called in a thread.
        client: the client that it came to.
    """

    def __init__(self, response: BaseHTTPResponse, client: RestClient) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._client = client
        self._first = self._read()

    @property
    def first(self) -> bytes:
        """The first chunk, until it is taken."""
        return self._first

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body; raise `UnreachableError` if it breaks off."""
        chunk, self._first = self._first, b""
        while chunk:
            yield chunk
            chunk = b"" if self._response.length_remaining == 0 else await self._client.in_thread(self._read)

    def close(self) -> None:
        """Let go of the connection; one with content left on it is not used again."""
        self._response.close()
        self._response.release_conn()

    def _read(self) -> bytes:
        try:
            return self._response.read(CHUNK_BYTES)
        except urllib3.exceptions.HTTPError as error:
            self.close()
            raise self._client.trouble(error) from error


def _pieces(body: Part) -> Iterator[memoryview]:
    """Yield a body in pieces: `socket.sendall` has one time limit for all that it is given, not for each step."""
    view = memoryview(body)
    for start in range(0, len(view), _SENT_BYTES):
        yield view[start : start + _SENT_BYTES]


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


def late(host: str) -> UnreachableError:
    """Return the error for an answer that did not come in time."""
    return UnreachableError(f"{host} did not answer in time.", hint="Check the network, or raise performance.timeout.")


def unreachable(host: str, error: BaseException, trusted: Authorities) -> UnreachableError:
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
            f"{host} has no certificate that {trusted} trusts.",
            hint="Check the address; for a private authority set SSL_CERT_FILE."
            if not trusted.path
            else f"Check the address, or add the authority to {trusted.path}.",
        )
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    ):
        return late(host)
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return UnreachableError(f"Nothing answers at {host}.", hint="Check the endpoint and the network.")
    return UnreachableError(f"The connection to {host} broke off.", hint="Try again.")
