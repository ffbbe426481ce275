"""What goes with an object's content, on providers that cannot hold all of it as it is.

S3 and Azure send metadata as HTTP headers. A pair that every service between here and the object passes on is stored as
it is, so that other tools see it. All that do not fit are kept together in one entry, as base64 of JSON, and so are the
headers of the content that a provider has no place for, or that no HTTP header can hold.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.errors import HeaderParseError
from typing import NamedTuple

from persona.errors import InputError
from persona.storage.content_headers import NAMES

# One space at most between words, and none around: signatures are made of values so folded (AWS Signature Version 4;
# Azure's Shared Key), and proxies may fold them on the way. “=?” begins what S3 decodes (RFC 2047).
_VALUE = re.compile(r"(?!.*=\?)[!-~]+( [!-~]+)*")
_CODED = re.compile(r"=\?[!-~]+\?[bq]\?[!->@-~]*\?=( =\?[!-~]+\?[bq]\?[!->@-~]*\?=)*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a provider can hold beside an object's content.

    Args:
        name: which names of metadata are stored as they are.
        value: which values of metadata are.
        limit: the most that names and values may take together, in bytes.
        packed: the name of the entry for all others.
        headers: which headers of the content it has.
    """

    name: re.Pattern[str]
    value: re.Pattern[str]
    limit: int
    packed: str
    headers: Collection[str] = tuple(name for name in NAMES if name != "expires")


# Names of S3 are without case (Amazon S3 User Guide, "Working with object metadata"). Ceph turns “_” into “-”; nginx
# drops headers with “_” or “.” as invalid unless told otherwise (nginx, "underscores_in_headers").
S3 = Rules(re.compile("[a-z0-9][a-z0-9-]*"), _VALUE, 2048, "persona-packed", headers=NAMES)
# Names must be C# identifiers, without case (Azure Storage REST API, "Setting and retrieving properties and metadata").
AZURE = Rules(re.compile("[a-z_][a-z0-9_]*"), _VALUE, 8192, "persona_packed")
# JSON holds all text; the limit is that of "Quotas and limits" of Google Cloud Storage.
GCS = Rules(re.compile("(?s).+"), re.compile("(?s).*"), 8192, "persona-packed")


class Held(NamedTuple):
    """What is beside an object's content, as a provider holds it.

    Args:
        headers: the headers of the content, its type among them, by their names in lower case.
        metadata: the metadata.
    """

    headers: dict[str, str]
    metadata: dict[str, str]


def checked(metadata: Mapping[str, str] | None, *others: str) -> dict[str, str]:
    """Return metadata if it is text.

    Raises:
        InputError: a name or value is not valid Unicode.
    """
    pairs = dict(metadata or {})
    try:
        "".join([*pairs, *pairs.values(), *others]).encode()
    except UnicodeEncodeError:
        raise InputError("The metadata is not valid Unicode.", hint="Remove lone surrogates from it.") from None
    return pairs


def pack(metadata: Mapping[str, str], headers: Mapping[str, str], rules: Rules, key: str) -> Held:
    """Return metadata and the headers of the content as a provider can hold them.

    Args:
        metadata: any names and values.
        headers: any values, by the names of `ContentHeaders`, and ``content-type``.
        rules: what the provider can hold.
        key: the object, for the message.

    Raises:
        InputError: it is more than the limit.
    """
    fit = {k: v for k, v in headers.items() if k in ("content-type", *rules.headers) and _VALUE.fullmatch(v)}
    stored = {k: v for k, v in metadata.items() if _fits(k, v, rules)}
    others = {k: v for k, v in metadata.items() if k not in stored}
    unfit = {k: v for k, v in headers.items() if k not in fit}
    if others or unfit:
        apart = [others, unfit] if unfit else others
        text = json.dumps(apart, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        stored[rules.packed] = base64.urlsafe_b64encode(text.encode(errors="surrogatepass")).decode("ascii")
    if (size := sum(len(k.encode()) + len(v.encode()) for k, v in stored.items())) > rules.limit:
        raise InputError(
            f"The metadata of “{key}” takes {size} bytes, and the provider allows {rules.limit}.",
            hint="Use less or shorter metadata.",
        )
    return Held(fit, stored)


def unpack(headers: Mapping[str, str], metadata: Mapping[str, str]) -> Held:
    """Return headers and metadata as `pack` got them; a packed entry that is not ours is left as it is."""
    name = next(filter(_is_packed, metadata), None)
    try:
        found = json.loads(base64.urlsafe_b64decode(metadata[name or ""]))
        others, unfit = found if isinstance(found, list) else (found, {})
        right = all(isinstance(text, str) for text in [*others.values(), *unfit.values()])
    except (KeyError, binascii.Error, ValueError, TypeError, AttributeError, RecursionError):
        right = False
    if not right:
        return Held({**headers}, {**metadata})
    return Held({**headers, **unfit}, {k: v for k, v in metadata.items() if k != name} | others)


def decoded(value: str) -> str:
    """Return a value as it was stored, if S3 has encoded it (Amazon S3 User Guide, "Working with object metadata")."""
    if not _CODED.fullmatch(value):
        return value
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError, HeaderParseError):
        return value


def _fits(name: str, value: str, rules: Rules) -> bool:
    """Say whether a pair is stored as it is."""
    return bool(rules.name.fullmatch(name) and rules.value.fullmatch(value)) and not _is_packed(name)


def _is_packed(name: str) -> bool:
    """Say whether an entry may be the packed one, however a service has spelled its name since."""
    return re.fullmatch("persona[-_]?packed", name, re.IGNORECASE) is not None
