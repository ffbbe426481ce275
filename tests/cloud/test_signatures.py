"""Signatures, against what is published and what the provider's own client computes."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from persona.config.secret import Secret
from persona.credentials.aws import AWSKeys
from persona.storage.backends import sharedkey, sigv4
from persona.storage.backends.rest import Request, encode_path

NOW = datetime(2013, 5, 24, tzinfo=UTC)
KEYS = AWSKeys("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
HOST = "examplebucket.s3.amazonaws.com"


def signature(request: Request) -> str:
    return request.headers["authorization"].rpartition("Signature=")[2]


def test_the_published_example() -> None:
    """Amazon S3 API Reference, "Signature calculations for the Authorization header", "GET Object"."""
    request = Request("GET", "/test.txt", headers={"range": "bytes=0-9"})
    sigv4.sign(request, KEYS, region="us-east-1", host=HOST, now=NOW)
    assert signature(request) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date," in request.headers["authorization"]


def test_the_published_example_of_a_listing() -> None:
    request = Request("GET", "/", query={"prefix": "J", "max-keys": "2"})
    sigv4.sign(request, KEYS, region="us-east-1", host=HOST, now=NOW)
    assert signature(request) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


class Signer(S3SigV4Auth):  # type: ignore[misc]
    """botocore's signer at a time of our own."""

    def __init__(self, credentials: Credentials, stamp: str) -> None:
        super().__init__(credentials, "s3", "eu-west-1")
        self.stamp = stamp

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self.stamp
        request.context["payload_signing_enabled"] = True
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        found = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, found)


@given(
    name=TEXT,
    query=st.dictionaries(TEXT, TEXT | st.just(""), max_size=4),
    metadata=st.dictionaries(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), ASCII, max_size=3),
    body=st.binary(max_size=40),
    token=st.none() | ASCII,
)
@settings(max_examples=100)
def test_as_botocore_signs(
    name: str, query: dict[str, str], metadata: dict[str, str], body: bytes, token: str | None
) -> None:
    headers = {f"x-amz-meta-{key}": value for key, value in metadata.items()}
    path = encode_path(f"/{name}")
    request = Request("PUT", path, dict(query), dict(headers), body)
    keys = AWSKeys("AK", Secret("secret"), Secret(token) if token else None)
    sigv4.sign(request, keys, region="eu-west-1", host="bucket.example.org", now=NOW)
    url = f"https://bucket.example.org{path}" + (f"?{urlencode(query, quote_via=quote, safe='-_.~')}" if query else "")
    theirs = AWSRequest("PUT", url, headers=headers, data=body)
    Signer(Credentials("AK", "secret", token), "20130524T000000Z").add_auth(theirs)
    assert signature(request) == theirs.headers["Authorization"].rpartition("Signature=")[2]


def test_azure_sorts_headers_as_its_culture_does() -> None:
    """Underscores before digits before letters, and dashes count for nothing: not the order of ASCII.

    The order is that of Microsoft's own clients; see also Azure/azure-sdk-for-net, issue 41328: FOO_BAR and FOO2_BAR.
    """
    names = ["foo_bar", "foo2_bar", "foobar", "a", "a_", "a_1", "a_b", "a1", "ab", "_x", "zz"]
    right = ["_x", "a", "a_", "a_1", "a_b", "a1", "ab", "foo_bar", "foo2_bar", "foobar", "zz"]
    headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "1"} | {f"x-ms-meta-{name}": name for name in names}
    request = Request("PUT", "/c/a", headers=dict(reversed(headers.items())))
    sharedkey.sign(request, "account", base64.b64encode(b"key").decode())
    own = ["x-ms-blob-type:BlockBlob", f"x-ms-date:{request.headers['x-ms-date']}"]
    own += [*(f"x-ms-meta-{name}:{name}" for name in right), "x-ms-version:1"]
    text = "\n".join(["PUT", *[""] * 11, *own, "/account/c/a"])
    wanted = base64.b64encode(hmac.digest(b"key", text.encode(), "sha256")).decode()
    assert request.headers["authorization"] == f"SharedKey account:{wanted}"
