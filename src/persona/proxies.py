"""HTTP proxies: which one a request goes through, as the usual variables of the environment say.

They are read as curl reads them ("curl(1)", Environment) and the AWS CLI ("Using an HTTP proxy for the AWS CLI"):
``https_proxy``, ``http_proxy``, ``all_proxy``, ``no_proxy``, or the same in capitals; the standard library does most of
that. What a host in ``no_proxy`` may be beside a name and its suffix is as in Go ("golang.org/x/net/http/httpproxy").
"""

from __future__ import annotations

import ipaddress
import os
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urlsplit

from persona.errors import ConfigError, CredentialsError, PersonaError, UnreachableError
from persona.redaction import register

if TYPE_CHECKING:
    import urllib3

_PORTS = {"http": 80, "https": 443}
_METADATA = ("metadata.google.internal", "168.63.129.16", "fd00:ec2::254")
"""Services of the machine itself beside the link-local 169.254.169.254: of Google, of Azure, and of AWS over IPv6."""
_SUFFIX = "_proxy"
TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})\b")
"""How http.client tells what a proxy answers to CONNECT, and in no other way (its `_tunnel`)."""
_WRITE = "percent-encode what is no letter or digit in them."


class ProxyRefusesError(UnreachableError):
    """A proxy lets no connection through. It will not a moment later either."""

    temporary = False


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that the environment names.

    Args:
        url: scheme, host and port, without user and password.
        variable: which variable names it, as it is spelled.
        authorization: the value of ``proxy-authorization``, or "" if no user is named. A secret: nothing shows it.
    """

    url: str
    variable: str
    authorization: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        """Host and port."""
        return self.url.partition("://")[2]

    def __str__(self) -> str:
        return f"the proxy {self.where} ({self.variable})"

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that go to the proxy, and not to whom it passes the request on."""
        return {"proxy-authorization": self.authorization} if self.authorization else {}

    def pools(self, **options: Any) -> urllib3.PoolManager:
        """Return connection pools that go through it; the options are those of urllib3's pools."""
        import urllib3

        return urllib3.ProxyManager(self.url, proxy_headers=self.headers, **options)

    def silent(self) -> UnreachableError:
        """Return the error for a proxy that accepts no connection."""
        return UnreachableError(f"Nothing answers at {self}.", hint=self._check)

    def refusal(self, status: int, host: str) -> PersonaError:
        """Return the error for an answer of the proxy's own (RFC 9110, sections 9.3.6 and 15.5.8).

        Args:
            status: what it answers with.
            host: whom it was to pass a request on to.
        """
        name = f"The proxy {self.where} ({self.variable})"
        if status == 407 and self.authorization:
            return CredentialsError(
                f"The proxy {self.where} does not accept the user and the password in {self.variable}.",
                hint=f"Correct them there; {_WRITE}",
            )
        if status == 407:
            return CredentialsError(
                f"{name} asks for a user and a password.",
                hint=f"Put them into {self.variable}, as USER:PASSWORD@ before the host; {_WRITE}",
            )
        if status >= 500:
            return UnreachableError(
                f"{name} cannot reach {host}: it answers with {status}.",
                hint="Check the endpoint and the region, or try again later.",
            )
        return ProxyRefusesError(
            f"{name} lets nothing through to {host}: it answers with {status}.",
            hint=f"Ask those who run it to allow {host}, or name that in NO_PROXY if it can be reached without.",
        )

    def trouble(self, error: BaseException, host: str) -> PersonaError | None:
        """Return the error for what urllib3 raised, or None if the proxy is not the cause.

        Args:
            error: the exception.
            host: whom a request was for.
        """
        from urllib3 import exceptions as known

        reached = not isinstance(error, known.ProxyError)
        cause = error.args[-1] if error.args else error  # of both kinds it is the last
        if isinstance(cause, OSError) and (said := TUNNEL_REFUSED.match(str(cause))):
            return self.refusal(int(said[1]), host)
        return None if reached else self._not_reached(cause)

    def _not_reached(self, cause: BaseException) -> PersonaError:
        """Return the error for a connection to the proxy that could not be made."""
        from urllib3 import exceptions as known

        if isinstance(cause, known.NameResolutionError):
            return UnreachableError(f"The name of {self} is not known.", hint=self._check)
        if isinstance(cause, known.NewConnectionError | known.ConnectTimeoutError):
            return self.silent()
        if "CERTIFICATE" in str(cause):
            return ProxyRefusesError(
                f"There is no certificate that this machine trusts at {self}.",
                hint=f"Check {self.variable}; for a private authority set SSL_CERT_FILE.",
            )
        if re.search("WRONG_VERSION_NUMBER|RECORD_LAYER|HTTP_REQUEST", str(cause)):
            return ProxyRefusesError(
                f"No TLS is spoken at {self}.", hint=f"Write http:// in {self.variable}, or correct its port."
            )
        return UnreachableError(f"The connection to {self} broke off, or it did not answer in time.", hint=self._check)

    @property
    def _check(self) -> str:
        return f"Check {self.variable} and the network, or name the provider's host in NO_PROXY to go without."


class ProxyAddress(tuple[str, int]):
    """Host and port of a proxy, as the address that requests go to.

    Args:
        proxy: the proxy.
    """

    proxy: Proxy

    def __new__(cls, proxy: Proxy) -> ProxyAddress:  # noqa: D102  (the class says it)
        parts = urlsplit(proxy.url)
        made = super().__new__(cls, (parts.hostname or "", parts.port or _PORTS[parts.scheme]))
        made.proxy = proxy
        return made


def proxy_at(address: tuple[str, int] | None) -> Proxy | None:
    """Return the proxy that requests to an address go to, or None if it is the provider's own address."""
    return address.proxy if isinstance(address, ProxyAddress) else None


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy that the environment names for an address, or None if requests go straight there.

    This machine itself and the services next to it that know of its identity are never asked through a proxy.

    Args:
        url: the address; its scheme and its host decide.

    Raises:
        ConfigError: the variable names no HTTP proxy.
    """
    if not any(name[-len(_SUFFIX) :].lower() == _SUFFIX for name in os.environ):
        return None  # and so the start of a command does not get slower
    from urllib.request import getproxies_environment

    named = getproxies_environment()
    parts = urlsplit(url)
    kind = parts.scheme if parts.scheme in named else "all"
    if kind not in named or _goes_straight(parts, named):
        return None
    # in small letters if it is there twice, as those come after capitals
    spellings = [name for name, text in os.environ.items() if name.lower() == kind + _SUFFIX and text == named[kind]]
    return _parsed(named[kind], max(spellings), parts)


def _goes_straight(parts: SplitResult, named: Mapping[str, str]) -> bool:
    """Say whether a host needs no proxy: for what it is, or since ``no_proxy`` has it."""
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed does not have it

    host = (parts.hostname or "").rstrip(".")
    address = _ip(host)
    if host in ("localhost", *_METADATA) or (address and (address.is_loopback or address.is_link_local)):
        return True
    entries = [entry.removeprefix("*") if entry != "*" else entry for entry in re.split(r"[,\s]+", named.get("no", ""))]
    if "*" in entries or (address and any(_holds(entry, address) for entry in entries)):
        return True
    written = f"[{host}]" if ":" in host else host
    where = f"{written}:{parts.port or _PORTS.get(parts.scheme, 80)}"
    return bool(proxy_bypass_environment(where, {"no": ",".join(entries)}))


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Say whether an entry of ``no_proxy`` is an address, or a range of them, that an address is in."""
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _parsed(value: str, variable: str, wanted: SplitResult) -> Proxy:
    """Return the proxy that a variable names; no error repeats what it holds, since that may be a password."""
    value = value.strip()
    spelled = value if "://" in value else f"http://{value}"
    scheme = spelled.partition("://")[0].lower()
    if scheme not in _PORTS:
        raise ConfigError(
            f"{variable} names a proxy of a kind that Persona does not speak to: only HTTP proxies will do.",
            hint=f"Set {wanted.scheme}_proxy to one, as http://HOST:PORT, or name {wanted.hostname} in NO_PROXY.",
        )
    try:
        parts = urlsplit(spelled)
        host, port = parts.hostname or "", _PORTS[scheme] if parts.port is None else parts.port
    except ValueError:
        host, port = "", 0
    if not re.fullmatch(r"[\w.-]+|[\da-f:.]+", host, re.ASCII) or not port:
        raise ConfigError(
            f"{variable} is no address of a proxy.",
            hint=f"Write http://HOST:PORT, with USER:PASSWORD@ before the host if it asks for them; {_WRITE}",
        )
    where = f"[{host}]" if ":" in host else host
    return Proxy(f"{scheme}://{where}:{port}", variable, _basic(parts))


def _basic(parts: SplitResult) -> str:
    """Return user and password as the Basic scheme has them (RFC 7617), or ""; nothing shows them from now on."""
    if parts.username is None:
        return ""
    user, password = parts.username, parts.password or ""
    coded = b64encode(unquote_to_bytes(user) + b":" + unquote_to_bytes(password)).decode()
    for secret in (password, unquote(password), coded):
        register(secret)
    return f"Basic {coded}"
