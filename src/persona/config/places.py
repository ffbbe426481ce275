"""Where settings would keep objects, so that two workspaces can be told apart."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from persona.config.schema import AzureSettings, StorageSettings
from persona.config.secret import Reference, Secret

PLACE_KEYS = {
    "local": ("storage.local.path",),
    "s3": ("storage.s3.endpoint_url", "storage.s3.bucket", "storage.s3.prefix"),
    "gcs": ("storage.gcs.endpoint_url", "storage.gcs.bucket", "storage.gcs.prefix"),
    "azure": ("storage.azure.account", "storage.azure.container", "storage.azure.prefix"),
}
"""The keys that decide the place of each backend, beside ``storage.backend``."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place for objects.

    Args:
        url: the place for people to read; never a secret.
        container: what holds it: backend, service and bucket; "" for this machine's disk.
        path: the folder in it, without slashes at its ends.
    """

    url: str
    container: str
    path: str

    def meets(self, other: Place) -> bool:
        """Say whether one of the two is in the other, or both are the same."""
        if self.container != other.container:
            return False
        return _inside(self.path, other.path) or _inside(other.path, self.path)


def place_of(storage: StorageSettings, environ: Mapping[str, str]) -> Place | None:
    """Return where these settings keep objects, or None while they do not say it."""
    if storage.backend == "local":
        if storage.local.path is None:
            return None
        real = os.path.normcase(os.path.realpath(storage.local.path)).replace(os.sep, "/")
        return Place(in_utf8(str(storage.local.path)), "", in_utf8(real).replace("\n", "\\n").strip("/"))
    if storage.backend == "azure":
        name, prefix = storage.azure.container, storage.azure.prefix
        scheme, service = "az", _azure_service(storage.azure)
    elif storage.backend == "gcs":
        name, prefix = storage.gcs.bucket, storage.gcs.prefix
        scheme, service = "gs", storage.gcs.endpoint_url or environ.get("STORAGE_EMULATOR_HOST") or "google"
    else:
        from persona.config.profiles import s3_endpoint  # only needed for S3

        name, prefix = storage.s3.bucket, storage.s3.prefix
        scheme, service = "s3", storage.s3.endpoint_url or s3_endpoint(storage.s3, environ) or "aws"
    if name is None:
        return None
    return Place(f"{scheme}://{name}/{prefix}", f"{scheme} {_address(service)} {name}", prefix)


def in_utf8(path: str) -> str:
    """Return a path of this machine as a text that a file can hold: bytes that are not UTF-8 are escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


def _azure_service(azure: AzureSettings) -> str:
    """Return the address of the blob service, also out of a connection string.

    One that is kept elsewhere is not fetched for this, which commands without a network do. Then `account` says it,
    or else the reference stands for it: the answer is the same before and after it is fetched.
    """
    if isinstance(azure.connection_string, Reference):
        return azure.endpoint_url or _blob_address(azure.account or azure.connection_string.spelled)
    sas = azure.sas_token
    if azure.account is None and sas is not None and not isinstance(sas, Reference) and "://" in sas.reveal():
        base = sas.reveal().partition("?")[0].rstrip("/")  # the whole address of a container
        return azure.endpoint_url or (base if base.count("/") == 2 else base.rpartition("/")[0])
    return azure.endpoint_url or string_place(azure.connection_string, azure.account)[1]


def string_place(string: Secret | None, account: str | None) -> tuple[str, str]:
    """Return the account and the address of the blob service that a connection string names.

    Args:
        string: the connection string; None for an account by itself.
        account: the account if the string does not name one.
    """
    text = string.reveal() if string else ""
    parts = {k.strip().lower(): v for k, _, v in (part.partition("=") for part in text.split(";"))}
    account = parts.get("accountname") or account or ""
    suffix = parts.get("endpointsuffix") or "core.windows.net"
    return account, parts.get("blobendpoint") or _blob_address(account, suffix)


def _blob_address(account: str, suffix: str = "core.windows.net") -> str:
    return f"https://{account}.blob.{suffix}"


def _address(service: str) -> str:
    """Return a service's address in one spelling: the scheme does not count."""
    try:
        parts = urlsplit(service if "//" in service else f"//{service}")
    except ValueError:  # no address; opening the storage says so
        return service
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _inside(inner: str, outer: str) -> bool:
    """Say whether a folder is another, or lies in it, by whole segments."""
    return not outer or inner == outer or inner.startswith(outer + "/")
