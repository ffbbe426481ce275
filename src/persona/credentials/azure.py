"""Credentials for Azure Blob Storage.

The order, that of Azure's own tools:

1. ``connection_string``, ``account_key`` or ``sas_token`` of the configuration;
2. ``AZURE_STORAGE_CONNECTION_STRING``, ``AZURE_STORAGE_KEY`` or ``AZURE_STORAGE_SAS_TOKEN`` of the environment;
3. azure-identity, by `persona.credentials.azure_identity`: service principal, workload identity, managed identity,
   Azure CLI.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from persona.config.schema import AzureSettings
from persona.config.secret import Secret
from persona.config.values import url
from persona.credentials.chain import Chain, Step
from persona.errors import ConfigError, CredentialsError
from persona.neutral import line

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
        token: returns a bearer token and when it expires, fetching a new one shortly before the old expires.
        chain: the steps as they were tried.
    """

    source: str
    account: str
    endpoint: str
    account_key: Secret | None = None
    sas: Secret | None = None
    token: Callable[[], tuple[str, datetime]] | None = None
    chain: tuple[Step, ...] = ()

    def obtain(self) -> datetime | None:
        """Obtain a token that can be used now, if there is to be one; return when it or the signature expires."""
        if self.token is not None:
            return self.token()[1]
        return sas_end(self.sas) if self.sas is not None else None

    def identify(self) -> str:
        """Return whom the token says that it is of, unverified; otherwise the account."""
        if self.token is not None:
            from persona.credentials.azure_identity import claimed

            return claimed(self.token()[0])
        return f"account {self.account}"


def find(settings: AzureSettings) -> AzureCredentials:
    """Find the account and the credentials.

    Raises:
        ConfigError: the account is not set, or the connection string cannot be read.
        CredentialsError: there are no credentials.
    """
    chain = Chain()
    for step, look in _WAYS.items():
        if (found := look(settings, step)) is not None:
            detail = f"{_SET} ({step})" if step.startswith("storage.") else f"the environment ({step})"
            if step == _ANONYMOUS:
                detail = f"no credentials ({step})"
            try:
                named = replace(found, source=detail, chain=chain.won(step, ""))
                return _place(settings, _of_url(named, settings.container))
            except CredentialsError as error:
                raise chain.error(error) from error
        chain.unset(step)
    _check_account(settings.account or os.environ.get("AZURE_STORAGE_ACCOUNT", ""))  # before anybody is asked
    from persona.credentials.azure_identity import identity

    source, token, steps = identity(chain)
    return _place(settings, AzureCredentials(source, "", "", token=token, chain=steps))


def _connection_string(settings: AzureSettings, step: str) -> AzureCredentials | None:
    found = settings.connection_string
    return None if found is None else _of_string(f"{_SET} ({step})", found)


def _string_of_environment(settings: AzureSettings, step: str) -> AzureCredentials | None:
    found = os.environ.get(step)
    return _of_string(f"the environment ({step})", Secret(found)) if found else None


def _key(secret: Secret | None) -> AzureCredentials | None:
    return None if secret is None else AzureCredentials("", "", "", account_key=secret)


def _sas(secret: Secret | None) -> AzureCredentials | None:
    return None if secret is None else AzureCredentials("", "", "", sas=secret)


def _variable(name: str) -> Secret | None:
    found = os.environ.get(name)
    return Secret(found) if found else None


_PARAMETER = "[A-Za-z0-9_-]{1,64}"
_SET = "the configuration"
_ANONYMOUS = "storage.azure.anonymous"
_WAYS: dict[str, Callable[[AzureSettings, str], AzureCredentials | None]] = {
    "storage.azure.connection_string": _connection_string,
    "storage.azure.account_key": lambda settings, _: _key(settings.account_key),
    "storage.azure.sas_token": lambda settings, _: _sas(settings.sas_token),
    _ANONYMOUS: lambda settings, _: AzureCredentials("", "", "") if settings.anonymous else None,
    "AZURE_STORAGE_CONNECTION_STRING": _string_of_environment,
    "AZURE_STORAGE_KEY": lambda _, step: _key(_variable(step)),
    "AZURE_STORAGE_SAS_TOKEN": lambda _, step: _sas(_variable(step)),
}
"""The ways that need no library, in their order."""


def sas_pairs(sas: Secret) -> list[tuple[str, str]]:
    """Return the parameters of a shared access signature, as they are once decoded.

    A signature is base64, in which a blank can only have been a plus sign: of a text that was decoded already, it is
    the same.
    """
    pairs = parse_qsl(_plain(sas), keep_blank_values=True)
    return [(name, _signature(value) if name == "sig" else value) for name, value in pairs]


def _plain(sas: Secret) -> str:
    """Return a text without what people copy along: quotes, a question mark, the ampersands of HTML."""
    return sas.reveal().strip().strip("\"'").removeprefix("?").replace("&amp;", "&")


def _signature(text: str) -> str:
    while "%" in text and unquote(text) != text:  # encoded twice
        text = unquote(text)
    return text.replace(" ", "+")


def _of_url(found: AzureCredentials, container: str | None) -> AzureCredentials:
    """Return credentials whose signature was given as a whole address, as the Azure portal shows it, with its parts.

    Raises:
        ConfigError: it is for another container, or for a single blob.
    """
    text = found.sas.reveal().strip().strip("\"'") if found.sas else ""
    if not re.match("https?://", text, re.IGNORECASE):
        return found
    parts = urlsplit(text)
    host = (parts.hostname or "").lower()
    virtual = re.fullmatch(r"([a-z0-9-]+)\.blob\..+", host)
    names = [unquote(name) for name in parts.path.split("/") if name]
    account, names = (virtual[1], names) if virtual else (names[0] if names else "", names[1:])
    if len(names) > 1 or (names and container and names[0] != container):
        what = "the container" if len(names) == 1 else "the blob"
        raise ConfigError(
            f"The shared access signature from {found.source} is for {what} “{line('/'.join(names))}”.",
            hint=f"Make one for the container {container}, with rights to read, write, list and delete (sp=rcwdl).",
        )
    base = f"{parts.scheme.lower()}://{parts.netloc}" + ("" if virtual else f"/{account}")
    return replace(found, account=account, endpoint=base, sas=Secret(parts.query))


def sas_end(sas: Secret) -> datetime | None:
    """Return when a shared access signature expires; one by a stored policy does not say."""
    with suppress(ValueError):
        if end := dict(sas_pairs(sas)).get("se"):
            found = datetime.fromisoformat(end)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _place(settings: AzureSettings, found: AzureCredentials) -> AzureCredentials:
    """Return the credentials with the account and endpoint: as set, as in the connection string, by the rule."""
    account = settings.account or found.account or os.environ.get("AZURE_STORAGE_ACCOUNT", "")
    if found.account and settings.account and found.account != settings.account:
        raise ConfigError(
            f"storage.azure.account is “{settings.account}”, but {found.source} is for “{found.account}”.",
            hint="Remove one of the two, or make them agree.",
        )
    _check_account(account)
    _check_secrets(found)
    endpoint = settings.endpoint_url or found.endpoint or f"https://{account}.blob.core.windows.net"
    try:
        return replace(found, account=account, endpoint=url(endpoint))
    except ValueError as allowed:
        raise ConfigError(f"The blob endpoint of {found.source} cannot be used.", hint=f"Give {allowed}.") from None


def _check_account(account: str) -> None:
    """Raise ConfigError if no account is set, or what cannot be one."""
    if not account:
        raise ConfigError("storage.azure.account is not set.", hint="persona storage config set azure.account NAME")
    if not re.fullmatch("[A-Za-z0-9-]{1,64}", account):
        raise ConfigError(
            f"{account!a} cannot be a storage account.", hint="An account's name has 3 to 24 of a-z and 0-9."
        )


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
        text = _plain(found.sas)
        parts = [part.partition("=") for part in text.split("&")]
        # another secret, put here by mistake or by a project's file, would go along in the address
        if (
            not re.fullmatch("[ -~]+", text)
            or not all(sign and re.fullmatch(_PARAMETER, name) for name, sign, _ in parts)
            or not re.fullmatch("[A-Za-z0-9+/=_-]+", dict(sas_pairs(found.sas)).get("sig", ""))
        ):
            raise CredentialsError(
                f"The shared access signature from {found.source} is none.",
                hint="Copy it whole: it begins with sv= or another parameter, and holds sig=.",
            )


def _of_string(source: str, string: Secret) -> AzureCredentials:
    """Read a connection string (Microsoft, "Configure Azure Storage connection strings")."""
    text = string.reveal()
    if re.match("https?://[^;]+[?&]sig=", text.strip(), re.IGNORECASE):  # the address of a shared access signature
        return AzureCredentials(source, "", "", sas=string)
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
