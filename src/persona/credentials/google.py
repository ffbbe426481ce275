"""Credentials for Google Cloud Storage, by google-auth.

The order (Google Cloud, "How Application Default Credentials works"):

1. ``credentials_file`` of the configuration;
2. ``GOOGLE_APPLICATION_CREDENTIALS`` of the environment;
3. gcloud's application default credentials;
4. the metadata server of the machine.

An emulator on this machine gets none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from persona.config.schema import GCSSettings
from persona.errors import CredentialsError, UnreachableError

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
FIX = "Run “gcloud auth application-default login”, or: persona storage config set gcs.credentials_file FILE"


@dataclass(frozen=True, slots=True)
class GoogleCredentials:
    """Credentials that were found.

    Args:
        source: which way they were found, for people.
        identity: the service account, where it is known without a request.
        headers: returns the headers that authorise a request, fetching a new token shortly before the old expires.
    """

    source: str
    identity: str | None
    headers: Callable[[], dict[str, str]]


def find(settings: GCSSettings, *, emulator: bool) -> GoogleCredentials | None:
    """Find credentials, or return None where requests go without: to an emulator, or because it was asked for.

    Raises:
        CredentialsError: there are none, or google-auth is not installed.
    """
    if settings.anonymous or (emulator and settings.credentials_file is None):
        return None
    try:
        import google.auth
        import google.auth.exceptions
        import google.oauth2.credentials
        import google.oauth2.service_account
    except ImportError:
        raise CredentialsError(
            "Google Cloud Storage needs google-auth, which is not installed.", hint="pip install 'persona[gcs]'"
        ) from None
    try:
        if settings.credentials_file is not None:
            kind: Any = google.oauth2.service_account.Credentials
            found = kind.from_service_account_file(str(settings.credentials_file), scopes=[SCOPE])
            source = f"the file {settings.credentials_file} (storage.gcs.credentials_file)"
        else:
            found, _ = google.auth.default(scopes=[SCOPE])
            source = f"application default credentials ({type(found).__module__.rpartition('.')[2]})"
        if settings.project and isinstance(found, google.oauth2.credentials.Credentials):
            # A person's own requests are counted against a project; those of a service account have theirs.
            found = found.with_quota_project(settings.project)
    except (google.auth.exceptions.GoogleAuthError, OSError, ValueError, TypeError, AttributeError) as error:
        raise CredentialsError(f"No Google credentials can be used: {first_line(error)}", hint=FIX) from error
    return GoogleCredentials(source, getattr(found, "service_account_email", None), _headers_of(found))


def _headers_of(credentials: Any) -> Callable[[], dict[str, str]]:
    import google.auth.exceptions
    import google.auth.transport.urllib3
    import urllib3

    request: Any = google.auth.transport.urllib3.Request
    transport = request(urllib3.PoolManager(timeout=10.0))
    lock = threading.Lock()

    def headers() -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            with lock:
                credentials.before_request(transport, "GET", "https://storage.googleapis.com/", found)
        except google.auth.exceptions.TransportError as error:
            raise UnreachableError("Google's token endpoint cannot be reached.", hint="Check the network.") from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise CredentialsError(f"Google gives no token: {first_line(error)}", hint=FIX) from error
        return found

    return headers


def first_line(error: BaseException) -> str:
    """Return the first line of a library's message, which says what; the rest is for its developers."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
