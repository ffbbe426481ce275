"""What Microsoft's own library finds: service principals, workload and managed identities, the Azure CLI.

azure-identity's `DefaultAzureCredential` tries the same in the same order, but does not say what each of them gave, and
may take minutes where a metadata service hangs. So its parts are called one by one.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import shutil
from collections.abc import Callable
from datetime import datetime
from typing import Any

from persona.certificates import authorities
from persona.credentials.chain import Chain, Step, within
from persona.errors import CredentialsError, PersonaError
from persona.moments import moment
from persona.proxies import TUNNEL_REFUSED, ProxyRefusesError, proxy_for
from persona.redaction import register

SCOPE = "https://storage.azure.com/.default"
FIX = "Set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_KEY, or install persona[azure] and run “az login”."
AUTHORITY = "login.microsoftonline.com"
METADATA = "http://169.254.169.254"
PROBE_SECONDS = 0.8
"""How long the metadata service may take to say that it is there: it is next to the machine."""
MANAGED_SECONDS = 3.0
"""How long it may take to give a token, once it has said so."""
_PRINCIPAL = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
_SECRETS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")
_WORKLOAD = "AZURE_FEDERATED_TOKEN_FILE"
_HINTS = {
    "service principal": "Check AZURE_TENANT_ID, AZURE_CLIENT_ID and the secret or certificate: it may have expired.",
    "workload identity": "Check AZURE_FEDERATED_TOKEN_FILE, and the federated credential of AZURE_CLIENT_ID.",
    "managed identity": "Assign an identity to this machine; a user-assigned one is named in AZURE_CLIENT_ID.",
    "Azure CLI": "Run “az login”.",
}

Token = Callable[[], tuple[str, datetime]]


def identity(chain: Chain) -> tuple[str, Token, tuple[Step, ...]]:
    """Return where tokens come from, what returns one with its end, and the chain.

    Raises:
        ChainError: there is nothing that gives tokens.
    """
    try:
        import azure.identity  # noqa: F401
    except ImportError:
        chain.unset("identities", "persona[azure] is not installed")
        raise chain.error(CredentialsError("No Azure credentials were found.", hint=FIX)) from None
    logging.getLogger("azure").setLevel(logging.ERROR)  # it warns of each way that is not set
    for step, look in (
        ("service principal", _principal),
        ("workload identity", _workload),
        ("managed identity", _managed),
        ("Azure CLI", _cli),
    ):
        if (credential := look(step, chain)) is not None:
            return f"azure-identity ({step})", _tokens_of(credential, step), chain.won(step, "")
    raise chain.error(CredentialsError("No Azure credentials were found.", hint=FIX))


def _principal(step: str, chain: Chain) -> Any:
    import azure.identity

    missing = [name for name in _PRINCIPAL if not os.environ.get(name)]
    if not any(os.environ.get(name) for name in _SECRETS):
        chain.unset(step, f"{' and '.join(_SECRETS)} are not set")
        return None
    if missing:
        half = f"The service principal in the environment is not whole: {' and '.join(missing)} not set."
        raise chain.error(CredentialsError(half, hint=f"Set {' and '.join(missing)} as well."), step)
    _check_tenant(step, chain)
    for name in ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD"):
        register(os.environ.get(name, ""))
    try:
        return azure.identity.EnvironmentCredential(**_network())
    except (ValueError, TypeError, OSError) as error:  # a certificate that cannot be read, or not with this password
        refused = f"The certificate of AZURE_CLIENT_CERTIFICATE_PATH cannot be used: {type(error).__name__}."
        hint = (
            "Name a PEM or PKCS12 file with its private key; AZURE_CLIENT_CERTIFICATE_PASSWORD is its password, if any."
        )
        raise chain.error(CredentialsError(refused, hint=hint), step) from None


def _workload(step: str, chain: Chain) -> Any:
    import azure.identity

    missing = [name for name in (_WORKLOAD, *_PRINCIPAL) if not os.environ.get(name)]
    if missing:
        chain.unset(step, f"{' and '.join(missing)} not set")
        return None
    _check_tenant(step, chain)
    return azure.identity.WorkloadIdentityCredential(**_network())


def _check_tenant(step: str, chain: Chain) -> None:
    """Refuse what cannot be a tenant, and the library takes for none."""
    if not re.fullmatch("[A-Za-z0-9.-]+", os.environ["AZURE_TENANT_ID"]):
        none = CredentialsError("AZURE_TENANT_ID cannot be a tenant.", hint="Set it to the tenant's id or its domain.")
        raise chain.error(none, step)


def _managed(step: str, chain: Chain) -> Any:
    """Return the managed identity if a service for it answers, and gives a token."""
    import azure.identity

    for name in ("IDENTITY_HEADER", "MSI_SECRET"):  # a service may repeat in its refusal what it was shown
        register(os.environ.get(name, ""))
    if not _answers(step, chain):
        return None
    client = os.environ.get("AZURE_CLIENT_ID") or None
    # The environment's settings are proxies, and a service next to the machine is not asked through one.
    credential = azure.identity.ManagedIdentityCredential(client_id=client, use_env_settings=False)
    try:
        within(MANAGED_SECONDS, lambda: credential.get_token(SCOPE))
    except TimeoutError as error:
        chain.failed(step, str(error))
    except _errors() as error:
        chain.failed(step, _first_line(error))
    else:
        return credential
    return None


def _answers(step: str, chain: Chain) -> bool:
    """Say whether a service for identities answers: without its header it refuses, at once."""
    import urllib3

    environ = os.environ.get
    machine = (environ("AZURE_POD_IDENTITY_AUTHORITY_HOST") or METADATA).rstrip("/") + "/metadata/identity/oauth2/token"
    address = environ("IDENTITY_ENDPOINT") or environ("MSI_ENDPOINT") or machine

    def ask() -> None:
        with urllib3.PoolManager(timeout=PROBE_SECONDS, retries=False) as pool:
            pool.request("GET", address)

    try:
        within(PROBE_SECONDS, ask)
    except TimeoutError:
        chain.failed(step, f"the metadata service did not answer within {PROBE_SECONDS:g} s")
    except urllib3.exceptions.HTTPError:
        chain.failed(step, "no metadata service answers: this is no machine in Azure")
    else:
        return True
    return False


def _cli(step: str, chain: Chain) -> Any:
    import azure.identity

    if shutil.which("az") is None:
        chain.unset(step, "there is no program az")
        return None
    return azure.identity.AzureCliCredential()


def _errors() -> tuple[type[Exception], ...]:
    """Return what the library raises: of its own, of files that it reads, and of answers that make no sense."""
    import azure.core.exceptions

    return azure.core.exceptions.AzureError, OSError, ValueError, AttributeError, KeyError, TypeError


def _tokens_of(credential: Any, step: str) -> Token:
    def token() -> tuple[str, datetime]:
        try:
            found = credential.get_token(SCOPE)
        except _errors() as error:
            raise _of_proxy(error) or CredentialsError(
                f"Azure gives no token: {step}: {_code(error)}", hint=_HINTS[step]
            ) from error
        register(str(found.token))
        return str(found.token), moment(found.expires_on)

    return token


def _of_proxy(error: Exception) -> PersonaError | None:
    """Return the error for a proxy that is in the way to Microsoft's token endpoint, or None if there is none.

    azure-core says nothing of the kind by types: what it repeats is the message of requests.
    """
    if "connect to proxy" not in str(error):
        return None
    authority = _authority()
    if (proxy := proxy_for(f"https://{authority}")) is None:
        return None
    refused = TUNNEL_REFUSED.search(str(error))
    told = proxy.refusal(int(refused[1]), authority) if refused else proxy.silent()
    if told.temporary:  # the library has tried again already
        return ProxyRefusesError(str(told), hint=told.hint)
    return told


def _authority() -> str:
    """Return the host that gives tokens."""
    return (os.environ.get("AZURE_AUTHORITY_HOST") or AUTHORITY).rpartition("://")[2].rstrip("/")


def _network() -> dict[str, Any]:
    """Return how the library connects: which certificates it trusts, and how often it tries again.

    Through a proxy it does so once, at once, since that refuses for good.
    """
    retries = {"retry_connect": 1} if proxy_for(f"https://{_authority()}") else {}
    return retries | ({"connection_verify": path} if (path := authorities().path) else {})


def _code(error: Exception) -> str:
    """Return the code of Microsoft's refusal, or the beginning of the message; the rest may name a lot."""
    text = str(error)
    if found := re.search(r"AADSTS\d+", text):
        return found[0]
    return _first_line(error) if "az login" in text or "CLI" in text else type(error).__name__


def claimed(token: str) -> str:
    """Return whom a token says that it is of; its signature is not verified here, the storage does that.

    The names are of Microsoft identity platform, "Access token claims reference".
    """
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        found = {name: claims[name] for name in ("upn", "oid", "appid", "azp") if claims.get(name)}
    except (IndexError, ValueError, TypeError, AttributeError):
        return "unknown: the token does not say"
    said = ", ".join(f"{name} {value}" for name, value in found.items())
    return f"{said} (as the token says, unverified)" if said else "unknown: the token does not say"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
