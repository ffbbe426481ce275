"""Credentials for Google Cloud Storage, by google-auth.

The order (Google Cloud, "How Application Default Credentials works"):

1. ``credentials_file`` of the configuration;
2. ``GOOGLE_APPLICATION_CREDENTIALS`` of the environment;
3. gcloud's application default credentials;
4. the metadata server of the machine.

A file may be of any kind that google-auth reads: a service account, a person's own, a workload identity federation, or
one that impersonates a service account. An emulator on this machine gets no credentials.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from persona.certificates import authorities
from persona.config.schema import GCSSettings
from persona.credentials.chain import Chain, Step, within
from persona.errors import CredentialsError, PersonaError, UnreachableError
from persona.proxies import Proxy, proxy_for
from persona.redaction import register

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
FIX = "Run “gcloud auth application-default login”, or: persona storage config set gcs.credentials_file FILE"
TOKENINFO = "https://oauth2.googleapis.com/tokeninfo"
METADATA_SECONDS = 0.8
"""How long the metadata server may take to say that it is there: it is next to the machine."""
TOKENINFO_SECONDS = 1.0
_FILE, _VARIABLE, _GCLOUD, _METADATA = (
    "storage.gcs.credentials_file",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "gcloud's application default credentials",
    "metadata server",
)
_KINDS = {
    "service_account": "a service account",
    "credentials": "a person's own",
    "external_account_authorized_user": "a person's own, federated",
    "impersonated_credentials": "an impersonated service account",
    "identity_pool": "workload identity federation",
    "aws": "workload identity federation, from AWS",
    "pluggable": "workload identity federation, from a program",
}


@dataclass(frozen=True, slots=True)
class GoogleCredentials:
    """Credentials that were found.

    Args:
        source: which way they were found, for people.
        identity: the service account, where it is known without a request.
        headers: returns the headers that authorise a request, fetching a new token shortly before the old expires.
        expires: returns when the token expires, once there is one.
        account: returns the service account, as far as it is known by now.
        chain: the steps as they were tried.
    """

    source: str
    identity: str | None
    headers: Callable[[], dict[str, str]]
    expires: Callable[[], datetime | None]
    account: Callable[[], str | None]
    chain: tuple[Step, ...] = ()

    def obtain(self) -> datetime | None:
        """Obtain a token that can be used now, and return when it expires."""
        self.headers()
        return self.expires()

    def identify(self) -> str:
        """Return the service account, or whom Google's tokeninfo says that the token is of."""
        return self.account() or _token_info(self.headers().get("authorization", "").removeprefix("Bearer "))


def find(settings: GCSSettings, *, emulator: bool) -> GoogleCredentials | None:
    """Find credentials, or return None where requests go without: to an emulator, or because it was asked for.

    Raises:
        CredentialsError: there are none, or google-auth is not installed.
    """
    if settings.anonymous or (emulator and settings.credentials_file is None):
        return None
    chain = Chain()
    try:
        import google.auth
        import google.oauth2.credentials
    except ImportError:
        missing = "Google Cloud Storage needs google-auth, which is not installed."
        raise chain.error(CredentialsError(missing, hint="pip install 'persona[gcs]'"), "google-auth") from None
    found, source, step = _looked(settings, chain)
    person: Any = google.oauth2.credentials.Credentials
    if settings.project and isinstance(found, person):
        # A person's own requests are counted against a project; those of a service account have theirs.
        found = found.with_quota_project(settings.project)
    kind = type(found).__module__.rpartition(".")[2]
    steps = chain.won(step, _KINDS.get(kind, kind))
    headers = _headers_of(found)
    return GoogleCredentials(source, _account(found), headers, lambda: _expiry(found), lambda: _account(found), steps)


def _looked(settings: GCSSettings, chain: Chain) -> tuple[Any, str, str]:
    """Return the credentials of the first step that is set up, with where they are from and the step's name."""
    import google.auth._cloud_sdk

    sdk: Any = google.auth._cloud_sdk
    if settings.credentials_file is not None:
        source = f"the file {settings.credentials_file} ({_FILE})"
        return _from_file(settings.credentials_file, _FILE, chain), source, _FILE
    chain.unset(_FILE)
    if named := os.environ.get(_VARIABLE):
        return _from_file(Path(named), _VARIABLE, chain), f"the file {named} ({_VARIABLE})", _VARIABLE
    chain.unset(_VARIABLE)
    login = Path(sdk.get_application_default_credentials_path())
    if login.is_file():
        return _from_file(login, _GCLOUD, chain), f"{_GCLOUD} ({login})", _GCLOUD
    chain.unset(_GCLOUD, f"there is no {login}")
    return _from_metadata(chain), _METADATA, _METADATA


def _from_file(file: Path, step: str, chain: Chain) -> Any:
    """Return the credentials of a file.

    Raises:
        ChainError: it cannot be read, or is none that google-auth knows.
    """
    import google.auth
    import google.auth.exceptions

    library: Any = google.auth
    try:
        with warnings.catch_warnings():  # it may hold a reference to a program or an address: the user chose the file
            warnings.simplefilter("ignore")
            return _federated(file) or library.load_credentials_from_file(str(file), scopes=[SCOPE])[0]
    except (google.auth.exceptions.GoogleAuthError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        hint = FIX if step == _GCLOUD else f"{FIX}. {step} names {file}."
        raise chain.error(
            CredentialsError(f"No Google credentials can be used: {first_line(error)}", hint=hint), step
        ) from error


def _federated(file: Path) -> Any:
    """Return the credentials of a workload identity federation, or None if the file is of another kind.

    google-auth's loader would ask for the project's name at once, by two requests or three.
    """
    import json

    import google.auth.aws
    import google.auth.identity_pool
    import google.auth.pluggable

    info = json.loads(file.read_text("utf-8"))
    if not isinstance(info, dict) or info.get("type") != "external_account":
        return None
    kind: Any = google.auth.identity_pool.Credentials
    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        kind = google.auth.aws.Credentials
    elif "executable" in info.get("credential_source", {}):
        kind = google.auth.pluggable.Credentials
    return kind.from_info(info, scopes=[SCOPE])


def _from_metadata(chain: Chain) -> Any:
    """Return the credentials of the machine, if a metadata server answers.

    Raises:
        ChainError: there is none.
    """
    import google.auth.compute_engine
    import google.auth.compute_engine._metadata

    engine: Any = google.auth.compute_engine
    ping = engine._metadata.ping
    if os.environ.get("NO_GCE_CHECK", "").lower() == "true":
        chain.unset(_METADATA, "NO_GCE_CHECK is set")
    else:
        try:
            ask = _transport(METADATA_SECONDS, straight=True)
            if within(METADATA_SECONDS, lambda: ping(ask, METADATA_SECONDS, 1)):
                return engine.Credentials(scopes=[SCOPE], universe_domain="googleapis.com")
            chain.failed(_METADATA, "nothing answers there: this is no machine on Google Cloud")
        except TimeoutError:
            chain.failed(_METADATA, f"it did not answer within {METADATA_SECONDS:g} s")
    raise chain.error(CredentialsError("No Google credentials were found.", hint=FIX))


def _transport(seconds: float, *, straight: bool = False) -> Any:
    import google.auth.transport.urllib3

    request: Any = google.auth.transport.urllib3.Request
    return request(_Web(seconds, straight=straight))


class _Web:
    """What google-auth sends its requests by: pools of urllib3, for each address through the proxy that it needs.

    Args:
        seconds: how long to wait for a connection, and for an answer.
        straight: whether no address needs one.
    """

    def __init__(self, seconds: float, *, straight: bool) -> None:
        self._options: dict[str, Any] = {"timeout": seconds, "retries": False}
        self._straight = straight
        self._pools: dict[Proxy | None, Any] = {}

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request, as `urllib3.PoolManager` does.

        Raises:
            ConfigError: what the environment names holds no certificates, or is no proxy.
            CredentialsError, UnreachableError: the proxy is the cause that there is no answer.
            urllib3.exceptions.HTTPError: it is not.
        """
        import urllib3

        proxy = None if self._straight else proxy_for(url)
        if proxy not in self._pools:
            trusted = {} if self._straight else authorities().options
            self._pools[proxy] = (proxy.pools if proxy else urllib3.PoolManager)(**self._options, **trusted)
        host = urlsplit(url).netloc
        try:
            response = self._pools[proxy].request(method, url, **options)
        except urllib3.exceptions.HTTPError as error:
            if proxy is not None and (told := proxy.trouble(error, host)) is not None:
                raise told from error
            raise
        if proxy is not None and response.status == 407:
            raise proxy.refusal(response.status, host)
        return response


def _headers_of(credentials: Any) -> Callable[[], dict[str, str]]:
    import google.auth.exceptions

    machine = type(credentials).__module__.startswith("google.auth.compute_engine")  # asks what is next to it
    transport = _transport(10.0, straight=machine)
    lock = threading.Lock()
    for name in ("refresh_token", "client_secret"):  # a token endpoint may repeat in its refusal what it was shown
        register(str(getattr(credentials, name, None) or ""))

    def headers() -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            with lock:
                credentials.before_request(transport, "GET", "https://storage.googleapis.com/", found)
                register(found.get("authorization", "").removeprefix("Bearer "))
        except PersonaError:  # of a proxy
            raise
        except google.auth.exceptions.TransportError as error:
            raise UnreachableError("Google's token endpoint cannot be reached.", hint="Check the network.") from error
        except (google.auth.exceptions.GoogleAuthError, OSError, ValueError) as error:
            raise CredentialsError(f"Google gives no token: {first_line(error)}", hint=_fix(error)) from error
        return found

    return headers


def _fix(error: BaseException) -> str:
    """Return what helps against a refusal of Google's token endpoint (Google Identity, "Errors")."""
    text = str(error)
    if "reasonable timeframe" in text or "iat" in text.split():
        return "This machine's clock is off: set it, by NTP say."
    if "Invalid JWT Signature" in text or "account not found" in text.lower():
        return f"The key was deleted, or the account: make a new key. {FIX}"
    if "impersonat" in text.lower() or "iam.serviceAccounts" in text:
        return "Give this identity the role Service Account Token Creator on the service account. " + FIX
    return FIX


def _account(credentials: Any) -> str | None:
    """Return the service account of credentials; the machine's is known once a token was fetched."""
    found = getattr(credentials, "service_account_email", None)
    return found if found and found != "default" else None


def _expiry(credentials: Any) -> datetime | None:
    """Return when the token expires; google-auth gives it in UTC, and without saying so."""
    found: datetime | None = credentials.expiry
    return found and found.replace(tzinfo=UTC)


def _token_info(token: str) -> str:
    """Ask Google whom a token is of (Google Identity, "OAuth 2.0: tokeninfo"); the token goes to Google alone."""
    import json
    from urllib.parse import urlencode

    import google.auth.exceptions

    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"access_token": token}).encode()
    try:
        ask = _transport(TOKENINFO_SECONDS)
        reply = within(TOKENINFO_SECONDS, lambda: ask(TOKENINFO, "POST", body, headers, TOKENINFO_SECONDS))
        said = json.loads(reply.data)
        return str(said.get("email") or said.get("sub") or said.get("azp") or "unknown to Google's tokeninfo")
    except (PersonaError, google.auth.exceptions.GoogleAuthError, OSError, ValueError, AttributeError):
        return "unknown: Google's tokeninfo does not answer"


def first_line(error: BaseException) -> str:
    """Return the first line of a library's message, which says what; the rest is for its developers."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
