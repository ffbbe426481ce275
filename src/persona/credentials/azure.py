"""Credentials for Azure Blob Storage.

The order, that of Azure's own tools:

1. ``connection_string``, ``account_key`` or ``sas_token`` of the configuration;
2. ``AZURE_STORAGE_CONNECTION_STRING``, ``AZURE_STORAGE_KEY`` or ``AZURE_STORAGE_SAS_TOKEN`` of the environment;
3. azure-identity's chain: service principal, workload identity, managed identity, Azure CLI and its like.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from persona.config.schema import AzureSettings
from persona.config.secret import Secret
from persona.config.values import url
from persona.errors import ConfigError, CredentialsError

SCOPE = "https://storage.azure.com/.default"
FIX = "Set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_KEY, or install persona[azure] and run “az login”."
# The emulator's account is published (Microsoft, "Use the Azurite emulator"), so that it is no secret.
_EMULATOR = (
    "AccountName=devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1"
)


@dataclass(frozen=True, slots=True)
class AzureCredentials:
    """An account, where it is, and one way to sign requests to it.

    Args:
        source: which way they were found, for people.
        account: the storage account.
        endpoint: the address of its blob service.
        account_key: the key for Shared Key signatures.
        sas: the parameters of a shared access signature.
        token: returns a bearer token, fetching a new one shortly before the old expires.
    """

    source: str
    account: str
    endpoint: str
    account_key: Secret | None = None
    sas: Secret | None = None
    token: Callable[[], str] | None = None


def find(settings: AzureSettings) -> AzureCredentials:
    """Find the account and the credentials.

    Raises:
        ConfigError: the account is not set, or the connection string cannot be read.
        CredentialsError: there are no credentials.
    """
    string = settings.connection_string
    if string is not None:
        return _place(settings, _of_string("the configuration (storage.azure.connection_string)", string))
    environ = os.environ.get
    if settings.account_key is not None:
        found = AzureCredentials("the configuration (storage.azure.account_key)", "", "", settings.account_key)
    elif settings.sas_token is not None:
        found = AzureCredentials("the configuration (storage.azure.sas_token)", "", "", sas=settings.sas_token)
    elif settings.anonymous:
        found = AzureCredentials("no credentials (storage.azure.anonymous)", "", "")
    elif text := environ("AZURE_STORAGE_CONNECTION_STRING"):
        found = _of_string("the environment (AZURE_STORAGE_CONNECTION_STRING)", Secret(text))
    elif text := environ("AZURE_STORAGE_KEY"):
        found = AzureCredentials("the environment (AZURE_STORAGE_KEY)", "", "", Secret(text))
    elif text := environ("AZURE_STORAGE_SAS_TOKEN"):
        found = AzureCredentials("the environment (AZURE_STORAGE_SAS_TOKEN)", "", "", sas=Secret(text))
    else:
        found = AzureCredentials("azure-identity's chain", "", "", token=_identity())
    return _place(settings, found)


def sas_pairs(sas: Secret) -> list[tuple[str, str]]:
    """Return the parameters of a shared access signature."""
    return parse_qsl(sas.reveal().removeprefix("?"), keep_blank_values=True)


def _place(settings: AzureSettings, found: AzureCredentials) -> AzureCredentials:
    """Return the credentials with the account and endpoint: as set, as in the connection string, by the rule."""
    account = settings.account or found.account or os.environ.get("AZURE_STORAGE_ACCOUNT", "")
    if found.account and settings.account and found.account != settings.account:
        raise ConfigError(
            f"storage.azure.account is “{settings.account}”, but the connection string is for “{found.account}”.",
            hint="Remove one of the two, or make them agree.",
        )
    if not account:
        raise ConfigError("storage.azure.account is not set.", hint="persona storage config set azure.account NAME")
    if not re.fullmatch("[A-Za-z0-9-]{1,64}", account):
        raise ConfigError(
            f"{account!a} cannot be a storage account.", hint="An account's name has 3 to 24 of a-z and 0-9."
        )
    _check_secrets(found)
    endpoint = settings.endpoint_url or found.endpoint or f"https://{account}.blob.core.windows.net"
    try:
        return replace(found, account=account, endpoint=url(endpoint))
    except ValueError as allowed:
        raise ConfigError(f"The blob endpoint of {found.source} cannot be used.", hint=f"Give {allowed}.") from None


def _check_secrets(found: AzureCredentials) -> None:
    """Refuse what cannot be a key or a signature, such as half of one."""
    if found.account_key is not None:
        try:
            base64.b64decode(found.account_key.reveal().encode("ascii"), validate=True)
        except ValueError:
            raise CredentialsError(
                f"The Azure account key from {found.source} is not valid base64.",
                hint="Copy it whole, with the == at its end, and nothing with it.",
            ) from None
    if found.sas is not None:
        text = found.sas.reveal().removeprefix("?")
        if not re.fullmatch("[!-~]+", text) or not all("=" in part for part in text.split("&")):
            raise CredentialsError(
                f"The shared access signature from {found.source} is none.",
                hint="Copy it whole: it begins with sv= or another parameter, and holds sig=.",
            )


def _of_string(source: str, string: Secret) -> AzureCredentials:
    """Read a connection string (Microsoft, "Configure Azure Storage connection strings")."""
    text = string.reveal()
    pairs = _pairs(text)
    if pairs.get("usedevelopmentstorage", "").lower() == "true":
        pairs = _pairs(_EMULATOR)
    account = pairs.get("accountname", "")
    endpoint = pairs.get("blobendpoint", "")
    key, sas = pairs.get("accountkey"), pairs.get("sharedaccesssignature")
    if not (key or sas) or not (account or endpoint):
        raise ConfigError(
            f"The connection string of {source} has no AccountKey or SharedAccessSignature, or names no account.",
            hint="Copy it whole from “Access keys” of the storage account; put it in quotes.",
        )
    account = account or _account_of(endpoint)
    endpoint = endpoint or _endpoint(account, pairs)
    return AzureCredentials(
        source, account, endpoint, Secret(key) if key else None, Secret(sas) if sas and not key else None
    )


def _pairs(text: str) -> dict[str, str]:
    """Return the parts of a connection string; their names are case-insensitive, as for Azure's own libraries."""
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in parts}


def _endpoint(account: str, pairs: Mapping[str, str]) -> str:
    scheme = pairs.get("defaultendpointsprotocol", "https")
    return f"{scheme}://{account}.blob.{pairs.get('endpointsuffix', 'core.windows.net')}"


def _account_of(endpoint: str) -> str:
    return endpoint.partition("://")[2].partition(".")[0]


def _identity() -> Callable[[], str]:
    try:
        import azure.core.exceptions
        import azure.identity
    except ImportError:
        raise CredentialsError("No Azure credentials were found.", hint=FIX) from None
    credential = azure.identity.DefaultAzureCredential()

    def token() -> str:
        try:
            return str(credential.get_token(SCOPE).token)
        except azure.core.exceptions.ClientAuthenticationError as error:
            raise CredentialsError("Azure gives no token: no way of azure-identity's chain works.", hint=FIX) from error

    return token
