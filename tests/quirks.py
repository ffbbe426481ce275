"""Services that answer otherwise than their protocol says, each as one act of a `tests.faults.FaultProxy`.

A quirk is put before a real server with ``proxy.always(method, pattern, quirk)``. Each docstring names a service that
behaves so; the sources are public threads.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import Message
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.faults import Act, Answer, Seen, _Handler, answer, asked, changed, forward, html

LISTINGS = r"[?&]list-type=2"
VERSIONS = r"[?&]versions"


def refused(status: int, code: str, message: str = "") -> Act:
    """Refuse as S3 does."""
    return answer(
        status,
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>',
        content_type="application/xml",
    )


def azure_refused(status: int, code: str, message: str = "") -> Act:
    """Refuse as Azure Blob Storage does."""
    return answer(
        status,
        f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}\n'
        "RequestId:1\nTime:2026-01-01T00:00:00Z</Message></Error>",
        content_type="application/xml",
        x_ms_error_code=code,
    )


def gcs_refused(status: int, reason: str, message: str = "") -> Act:
    """Refuse as the JSON API of Google Cloud Storage does."""
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
    return answer(status, json.dumps({"error": error}), content_type="application/json")


lost = answer(
    404,
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>',
    content_type="application/xml",
    x_ms_error_code="BlobNotFound",
)
"""Say of an object that is listed that it is not there: an index that outlives its data (Ceph, Swift, MinIO)."""


def with_body(change: Callable[[bytes], bytes]) -> Act:
    """Change the body of each answer."""
    return changed(lambda _, given: dataclasses.replace(given, body=change(given.body)))


def with_headers(change: Callable[[str, str], tuple[str, str] | None]) -> Act:
    """Change each header of each answer, or leave it out."""

    def change_all(_: Seen, given: Answer) -> Answer:
        pairs = [change(name, text) for name, text in given.headers]
        return dataclasses.replace(given, headers=[pair for pair in pairs if pair is not None])

    return changed(change_all)


def framed(framing: str) -> Act:
    """Tell the end of the body in another way: ``chunked`` or ``close``; ``none`` leaves out the length of a HEAD."""
    return changed(lambda _, given: dataclasses.replace(given, framing=framing))


def _version_1(seen: Seen) -> Seen:
    parts = urlsplit(seen.target)
    known = {"prefix", "delimiter", "max-keys", "marker", "encoding-type"}
    query = [(name, text) for name, text in parse_qsl(parts.query, keep_blank_values=True) if name in known]
    return dataclasses.replace(seen, target=f"{parts.path}?{urlencode(query)}")


def _stripped(handler: _Handler, seen: Seen) -> None:
    if not seen.target.startswith("/s3/"):
        return html(404)(handler, seen)
    return asked(lambda each: dataclasses.replace(each, target=each.target.removeprefix("/s3")))(handler, seen)


stripped_path: Act = _stripped
"""Serve the store below ``/s3``, and strip that, keeping the Host, which is signed: a reverse proxy."""


version_1_listings = asked(_version_1)
"""Know only ListObjects version 1: ``list-type``, ``start-after`` and tokens are ignored (older gateways).

The query changes, so that the server behind must check no signature: moto.
"""

flipped = with_body(lambda body: bytes([body[0] ^ 1]) + body[1:] if body else body)
"""Damage the body, its length and the headers being right: a gateway or a cache on the way."""

plus_raw = with_body(lambda body: body.replace(b"%2B", b"+"))
"""Leave a plus sign in an encoded listing as it is, so that it reads as a space."""

versions_without_markers = with_body(
    lambda body: re.sub(
        rb"<Next\w+>[^<]*</Next\w+>|<Next\w+/>", b"", body.replace(b"<IsTruncated>false", b"<IsTruncated>true")
    )
)
"""Say that a page of versions is not the last, and give nothing to go on from."""


def _without_tokens(body: bytes) -> bytes:
    if body.startswith(b"{"):
        return json.dumps({name: each for name, each in json.loads(body).items() if name != "nextPageToken"}).encode()
    return re.sub(rb"<(Next\w+)>[^<]*</\1>", b"", body)


without_tokens = with_body(_without_tokens)
"""Say that a page is not the last, where the protocol has a word for that, and not where the next one starts."""

ended_early = with_body(lambda body: _without_tokens(body).replace(b"<IsTruncated>true", b"<IsTruncated>false"))
"""Call a full page the last: gateways that merge listings have lost the token so."""


def page_again() -> Act:
    """Answer with the first page of a listing again and again, each time under another token."""
    first: list[Answer] = []
    token = re.compile(rb'(?<=<NextContinuationToken>)[^<]+|(?<=<NextMarker>)[^<]+|(?<="nextPageToken":")[^"]+')

    def change(seen: Seen, given: Answer) -> Answer:
        first.append(first[0] if first else given)
        return dataclasses.replace(first[0], body=token.sub(b"token-%d" % len(first), first[0].body))

    return changed(change)


def copy_error_200(handler: _Handler, seen: Seen) -> None:
    """Answer a copy with status 200 and an error in the body, as Amazon S3 may; nothing was copied."""
    copies = "x-amz-copy-source" in seen.headers
    (refused(200, "InternalError", "We encountered an internal error") if copies else forward)(handler, seen)


complete_error_200 = refused(200, "InternalError", "We encountered an internal error")
"""Answer the completion of an upload so; for ``POST`` on `COMPLETIONS`."""
COMPLETIONS = r"[?&]uploadId="


def object_lock(handler: _Handler, seen: Seen) -> None:
    """Refuse PUTs without a checksum, as a bucket with a default retention does (Amazon S3 with Object Lock)."""
    checked = any(name.lower() == "content-md5" or name.lower().startswith("x-amz-checksum-") for name in seen.headers)
    if checked or "x-amz-copy-source" in seen.headers:
        return forward(handler, seen)
    kind = "Part" if "partNumber" in seen.target else "Object"
    message = (
        f"Content-MD5 OR x-amz-checksum- HTTP header is required for Put {kind} requests with Object Lock parameters"
    )
    return refused(400, "InvalidRequest", message)(handler, seen)


def written_after(write: Callable[[], object]) -> Act:
    """Let the server do it, and let someone else write before the answer arrives."""

    def act(handler: _Handler, seen: Seen) -> None:
        given = handler.ask(seen)
        write()
        handler.reply(given)

    return act


def without(*names: str) -> Act:
    """Leave out headers of each answer: gateways and proxies drop what they do not know."""
    return with_headers(lambda name, text: None if name.lower() in names else (name, text))


no_etags = changed(
    lambda _, given: dataclasses.replace(
        given,
        headers=[(name, text) for name, text in given.headers if name.lower() != "etag"],
        body=re.sub(rb"<(E[Tt]ag)>[^<]*</E[Tt]ag>", rb"<\1></\1>", given.body),
    )
)
"""Give no ETag in headers and an empty one in listings: JuiceFS, unless it is told to keep them."""

empty_etags = with_headers(lambda name, text: (name, '""') if name.lower() == "etag" else (name, text))
"""Give an empty ETag: Ceph, to the end of an upload in parts."""

weak_etags = with_headers(lambda name, text: (name, f"W/{text}") if name.lower() == "etag" else (name, text))
"""Mark ETags as weak: nginx, where it compresses."""

unquoted_etags = changed(
    lambda _, given: dataclasses.replace(
        given,
        headers=[(name, text.strip('"') if name.lower() == "etag" else text) for name, text in given.headers],
        body=re.sub(rb"<ETag>(?:&quot;|&#34;|\")([^<]*?)(?:&quot;|&#34;|\")</ETag>", rb"<ETag>\1</ETag>", given.body),
    )
)
"""Give ETags without their quotes, in headers and listings."""

white_space_first = with_body(lambda body: b"\n  \r\n" + body if body.lstrip()[:1] == b"<" else body)
"""Send white space before XML: S3, while it completes an upload."""


def with_asked_headers(change: Callable[[str, str], tuple[str, str] | None]) -> Act:
    """Change each header of each request, or leave it out; the server behind must check no signature: moto."""

    def change_all(seen: Seen) -> Seen:
        headers = Message()
        for name, text in seen.headers.items():
            if (pair := change(name, text)) is not None:
                headers[pair[0]] = pair[1]
        return dataclasses.replace(seen, headers=headers)

    return asked(change_all)


underscores_to_dashes = with_asked_headers(lambda name, text: (name.replace("_", "-"), text))
"""Turn underscores in the names of metadata into dashes: Ceph RGW."""

odd_headers_dropped = with_asked_headers(lambda name, text: None if set("_.") & set(name) else (name, text))
"""Drop headers with an underscore or a dot in their names: nginx as it is installed."""

metadata_dropped = with_asked_headers(lambda name, text: None if "-meta-" in name.lower() else (name, text))
"""Drop the user's metadata: gateways before a store that has no place for it."""


def _replacing(seen: Seen) -> Seen:
    if "x-amz-copy-source" in seen.headers:
        seen.headers["x-amz-metadata-directive"] = "REPLACE"
    return seen


copied_without = asked(_replacing)
"""Copy the content, and nothing of what goes with it; for a server that checks no signature."""


def header_dropped(header: str) -> Act:
    """Drop one header of what is asked: JuiceFS loses Content-Encoding."""
    return with_asked_headers(lambda name, text: None if name.lower() == header else (name, text))


def is_conditional(seen: Seen) -> bool:
    """Say whether a request has a precondition, in headers or, at Google, in its query."""
    return bool(seen.headers.get("if-match") or seen.headers.get("if-none-match") or "ifGenerationMatch" in seen.target)


def conditional(act: Act) -> Act:
    """Do something to requests with a precondition, and pass on the others."""
    return lambda handler, seen: (act if is_conditional(seen) else forward)(handler, seen)


def quoted_if_match(handler: _Handler, seen: Seen) -> None:
    """Refuse each quoted ``If-Match`` with 412, and take an unquoted one (Ceph RGW on PUT).

    A header changes, so that the server behind must check no signature: moto.
    """
    value = seen.headers.get("if-match", "")
    if value.startswith('"'):
        return refused(412, "PreconditionFailed")(handler, seen)
    if value:
        seen.headers.replace_header("if-match", f'"{value}"')
    return forward(handler, seen)


def _unconditional(seen: Seen) -> Seen:
    del seen.headers["if-match"], seen.headers["if-none-match"]
    return dataclasses.replace(seen, target=re.sub(r"[?&]ifGenerationMatch=\d+", "", seen.target))


unconditional = asked(_unconditional)
"""Ignore preconditions without an error (rclone, JuiceFS). The server behind must check no signature."""

metadata_not_returned = with_headers(lambda name, text: None if "-meta-" in name.lower() else (name, text))
"""Return no metadata."""

metadata_renamed = with_headers(lambda name, text: (name.replace("_", "-") if "-meta-" in name.lower() else name, text))
"""Return ``_`` in the names of metadata as ``-`` (Ceph RGW)."""


def clock_off(seconds: float) -> Act:
    """Have a clock that differs from this machine's: in the date of each answer, and in the times of objects."""

    def moved(found: re.Match[bytes]) -> bytes:
        moment = datetime.fromisoformat(found[0].decode()) + timedelta(seconds=seconds)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()

    def change(_: Seen, given: Answer) -> Answer:
        body = re.sub(rb"(?<=<LastModified>)[^<]+", moved, given.body)
        headers = [
            (name, format_datetime(parsedate_to_datetime(text) + timedelta(seconds=seconds), usegmt=True))
            if name.lower() in ("date", "last-modified")
            else (name, text)
            for name, text in given.headers
        ]
        return dataclasses.replace(given, headers=headers, body=body)

    return changed(change)
