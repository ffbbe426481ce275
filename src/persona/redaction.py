"""Taking secrets out of a text before anybody sees it: those of a known shape, and those that this process has used.

Every error and every warning goes through `redacted`. It is the second line: secrets should not get into a text at all,
but what a library or a provider says may repeat a signed address or a header.

Every pattern takes time in proportion to the text, and a text without any of a few words is not looked at by them.
"""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import quote

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
    (
        r"(?i)(?<![\w-])((?:aws[_-]?)?(?:secret[_-]?access[_-]?key|session[_-]?token)|x-[\w-]{1,40}-token)"
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


def register(secret: str) -> None:
    """Let a secret be searched for from now on, also as it stands in an address or in JSON.

    Args:
        secret: the text; one shorter than `MIN_KNOWN` characters is not searched for.
    """
    if len(secret) >= MIN_KNOWN and secret not in _known:
        escaped = secret.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        _known.update((secret, quote(secret, safe=""), quote(secret), escaped))


def redacted(text: str) -> str:
    """Return a text with every secret in it replaced by ``••••``."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    lower = text.lower()
    if any(clue in lower for clue in _CLUES):
        for pattern, mask in _compiled():
            text = pattern.sub(mask, text)
    return text


@cache
def _compiled() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), mask) for pattern, mask in _PATTERNS]
