"""Azure's Shared Key signatures, after "Authorize with Shared Key" of the Azure Storage REST API reference."""

from __future__ import annotations

import base64
import hmac
from email.utils import formatdate

from persona.storage.backends.rest import Request

_STANDARD = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def sign(request: Request, account: str, key: str, path: str = "") -> None:
    """Add the signature's headers to a request.

    Args:
        request: the request, with its ``x-ms-version``.
        account: the storage account.
        key: its key, in base64.
        path: the path as the server sees it, if a proxy on the way changes that of the request.
    """
    request.headers["x-ms-date"] = formatdate(usegmt=True)
    if request.body:
        request.headers["content-length"] = str(len(request.body))
    own = [(name, request.headers[name]) for name in sorted(request.headers, key=_rank) if name.startswith("x-ms-")]
    lines = [
        request.method,
        *(request.headers.get(name, "") for name in _STANDARD),
        *(f"{name}:{text}" for name, text in own),
        f"/{account}{path or request.path}",
        *(f"{name.lower()}:{text}" for name, text in sorted(request.query.items(), key=lambda pair: pair[0].lower())),
    ]
    signature = base64.b64encode(hmac.digest(base64.b64decode(key), "\n".join(lines).encode(), "sha256")).decode(
        "ascii"
    )
    request.headers["authorization"] = f"SharedKey {account}:{signature}"


def _rank(name: str) -> tuple[str, str]:
    """Return what the service sorts a header by: in the order of its culture (en-US), not of ASCII.

    There ``_`` comes before digits, digits before letters, and ``-`` counts only between names that are equal without
    (azure-storage-blob, ``_shared/authentication.py``; Azure/azure-sdk-for-net, issue 41328).
    """
    return name.replace("-", "").replace("_", "!"), name
