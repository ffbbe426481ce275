"""Taking secrets out of a text before anybody sees it: those of a known shape, and those that this process has used.

Every error and every warning goes through `redacted`. It is the second line: secrets should not get into a text at all,
but what a library or a provider says may repeat a signed address or a header.

Every pattern takes time in proportion to the text, and a text without any of a few words is not looked at by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from urllib.parse import quote, quote_plus, unquote

MASK = "••••"
MIN_KNOWN = 8
"""Shorter secrets are not searched for: they would blacken parts of ordinary words."""

_CLUES = (
    "=",
    "//",
    "bearer",
    "authorization",
    "-token",
    "_token",
    "private",
    "eyj",
    "sharedkey",
    ":/",
    "secret",
    "sessiontoken",
)
_PATTERNS = (
    # PEM, also with the line breaks of JSON, and also cut off
    (r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", MASK),
    # parameters of signed addresses (Amazon S3, "Authenticating Requests: Using Query Parameters"; Google Cloud
    # Storage, "Signed URLs"; Azure, "Create a service SAS"), and parts of connection strings
    (
        r"(?i)(?<![\w-])(SharedAccessSignature|AccountKey|SharedAccessKey)(\s{0,3}=\s{0,3})[^;\s\"'<>]{4,}",
        rf"\1\2{MASK}",
    ),
    (
        r"(?i)(?<![\w-])((?:X-(?:Amz|Goog)-)(?:Signature|Credential|Security-Token)|Signature|Credential|sig|"
        r"AWSAccessKeyId|client_secret|refresh_token|access_token|password)=[^&;,\s\"'<>]{4,}",
        rf"\1={MASK}",
    ),
    # settings and variables, as programs print them: AWS_SECRET_ACCESS_KEY=…, db_password = …, SecretAccessKey: …
    (
        r"(?i)(?<![\w-])([\w-]{0,40}(?:secret|token|password|passwd|passphrase|api[_-]?key|access[_-]?key))"
        rf"(\s{{0,2}}=\s{{0,2}})(?!{MASK})[^&;,\s\"'<>]{{4,}}",
        rf"\1\2{MASK}",
    ),
    (  # a key of ours, storage.s3.secret_access_key, comes before a message
        r"(?i)(?<![\w.-])((?:aws[_-]?)?(?:secret[_-]?access[_-]?key|session[_-]?token)|x-[\w-]{1,40}-token)"
        rf"(\s{{0,2}}:\s{{0,2}})(?!{MASK})[^&;,\s\"'<>]{{4,}}",
        rf"\1\2{MASK}",
    ),
    # headers, as HTTP has them and as a dictionary is printed
    (
        r"(?i)(?<![\w-])(Proxy-Authorization|Authorization|X-Amz-Security-Token|X-Identity-Header)"
        r"([\"']?\s{0,3}[:=]\s{0,3}[\"']?)(?!•)[^\r\n\"']+",
        rf"\1\2{MASK}",
    ),
    (
        r"(?i)(?<![\w-])(Bearer|SharedKey(?:Lite)?)( {1,3})(?=[^\s\"'<>]{0,200}[0-9_.+/=:-])[^\s\"'<>,;]{16,}",
        rf"\1\2{MASK}",
    ),
    # JSON: what token endpoints answer, and key files hold
    (
        r"(?i)([\"'](?:private_key|access_token|refresh_token|id_token|client_secret|secret_?access_?key|"
        r"session_?token|account_?key)\\?[\"']\s{0,3}:\s{0,3}\\?[\"'])[^\"'\\]+",
        rf"\1{MASK}",
    ),
    (r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", MASK),  # a JSON Web Token
    # the password in an address, also in one that was taken for a path
    (r"((?:/|:)/[^/\s@:\"'<>]{0,200}:)[^/\s@\"'<>]{1,500}@", rf"\1{MASK}@"),
)
_known: set[str] = set()
"""The secrets of this process, in every spelling that is searched for."""
_MAX_CUT = 4096  # no token of a provider is longer, and each character of it is indexed
_FIELD = re.compile(r"(?i)(?:^|[;&?=])\s*(?:sig|AccountKey|SharedAccessKey|password)=([^;&]{8,})")
_FIELDS = re.compile(r"[\w-]+=[^;&]*[;&]\s*[\w-]+=")
_TELLING = re.compile(r"[0-9]|[A-Za-z].*[A-Z]")
_LONG_WORD = re.compile(r"[a-z]{16,}")


def register(secret: str) -> None:
    """Let a secret be searched for from now on, whole and in parts, also encoded.

    Of a connection string or a shared access signature the parts of its keys are searched for, since the others, such
    as ``core.windows.net``, stand in many a text.

    Args:
        secret: the text; one shorter than `MIN_KNOWN` characters is not searched for.
    """
    if len(secret) < MIN_KNOWN or secret in _known:
        return
    _known.update(form for form in _forms(secret) if len(form) >= MIN_KNOWN)
    if _FIELDS.search(secret):
        for found in _FIELD.finditer(secret):
            register(found[1])
            register(unquote(found[1]))


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as servers and libraries spell it: in an address, in JSON, HTML, base64 and hexadecimal."""
    from html import escape  # only needed where there is a secret

    yield secret
    yield secret.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    yield secret.replace("/", "\\/")
    yield (entities := escape(secret))
    yield entities.replace("/", "&#x2F;").replace("=", "&#x3D;")
    yield entities.replace("+", "&#43;")
    data = secret.encode("utf-8", "surrogateescape")
    coded = [secret] if _FIELDS.search(secret) else [secret, *_base64(data)]
    for text in coded:
        for once in (quote(text, safe=""), quote(text), quote_plus(text)):
            yield once
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), once)
            yield quote(once, safe="")
    yield from coded[1:]
    yield data.hex()
    yield data.hex().upper()


def _base64(data: bytes) -> Iterator[str]:
    """Yield what base64 makes of bytes wherever they stand in others: each character holds six bits of three bytes."""
    from base64 import b64encode

    for before in range(3):
        coded = b64encode(bytes(before) + data).decode().rstrip("=")
        inner = coded[(0, 2, 3)[before] : len(coded) - ((before + len(data)) % 3 != 0)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def redacted(text: str) -> str:
    """Return a text with every secret in it replaced by ``••••``, and every part of one of at least 8 characters."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    text = _without_parts(text)
    lower = text.lower()
    if any(clue in lower for clue in _CLUES):
        for pattern, mask in _compiled():
            text = pattern.sub(mask, text)
    return text


def shortened(text: str, limit: int) -> str:
    """Return the beginning of a text for a message: cut once its secrets are out, since a part of one has no shape."""
    return redacted(text)[:limit]


def _without_parts(text: str) -> str:
    """Return a text without the parts of secrets; those that may be ordinary words count only beside others."""
    parts, telling = _index(frozenset(_known))
    if not parts:
        return text
    kept, end, start = [], 0, 0
    last = len(text) - MIN_KNOWN
    while start <= last:
        if text[start : start + MIN_KNOWN] not in parts:
            start += 1
            continue
        stop, tells = start, False
        while stop <= last and (part := text[stop : stop + MIN_KNOWN]) in parts:
            tells = tells or part in telling
            stop += 1
        if tells:
            kept += [text[end:start], MASK]
            end = stop + MIN_KNOWN - 1
        start = max(stop, end)
    return "".join([*kept, text[end:]])


@lru_cache(maxsize=1)
def _index(known: frozenset[str]) -> tuple[set[str], set[str]]:
    """Return all parts of secrets of `MIN_KNOWN` characters, and those of them that no ordinary word has.

    These have a digit or capitals, or are cut from a word of at least 16 letters.
    """
    from html import unescape

    parts: set[str] = set()
    telling: set[str] = set()
    for form in known:
        if _FIELDS.search(unquote(unquote(unescape(form)))):
            continue
        found = {form[at : at + MIN_KNOWN] for at in range(min(len(form), _MAX_CUT) - MIN_KNOWN + 1)}
        parts |= found
        telling |= {part for part in found if _TELLING.search(part)}
        for word in _LONG_WORD.findall(form):
            telling |= {word[at : at + MIN_KNOWN] for at in range(len(word) - MIN_KNOWN + 1)}
    return parts, telling


@cache
def _compiled() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), mask) for pattern, mask in _PATTERNS]
