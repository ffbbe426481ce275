"""AWS Signature Version 4 for requests to S3.

After "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", Amazon S3 API Reference.
botocore can sign too, but is an optional extra and costs 0.15 s to import.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from persona.credentials.aws import AWSKeys
from persona.storage.backends.rest import Request


def sign(
    request: Request,
    keys: AWSKeys,
    *,
    region: str,
    host: str,
    path: str | None = None,
    hashes: bool = True,
    now: datetime | None = None,
) -> None:
    """Add the signature's headers to a request.

    Args:
        request: the request; its path is percent-encoded once, as S3 wants it.
        keys: the keys to sign with.
        region: the bucket's region.
        host: the Host header.
        path: the path as the server sees it, if a proxy on the way changes that of the request.
        hashes: whether the signature covers the content; where not, something else has to protect it on its way.
        now: the time of the signature; the present by default.
    """
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    request.headers |= {
        "host": host,
        "x-amz-content-sha256": hashlib.sha256(request.body).hexdigest() if hashes else "UNSIGNED-PAYLOAD",
        "x-amz-date": stamp,
    }
    if keys.session_token:
        request.headers["x-amz-security-token"] = keys.session_token.reveal()
    signed = {name: " ".join(text.split()) for name, text in sorted(request.headers.items())}
    names = ";".join(signed)
    pairs = sorted((_quote(name), _quote(text)) for name, text in request.query.items())  # in the order of the encoded
    query = "&".join(f"{name}={text}" for name, text in pairs)
    lines = [f"{name}:{text}" for name, text in signed.items()]
    canonical = "\n".join(
        [request.method, path or request.path, query, *lines, "", names, request.headers["x-amz-content-sha256"]]
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = _signer(keys.secret_access_key.reveal(), stamp[:8], region).copy()
    signature.update(to_sign.encode())
    request.headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature.hexdigest()}"
    )


@lru_cache(maxsize=4)
def _signer(secret: str, day: str, region: str) -> hmac.HMAC:
    """Return what signs with the key of a day, which takes four times as long to derive as to use."""
    key = b"AWS4" + secret.encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


def _quote(text: str) -> str:
    return quote(text, safe="-_.~")
