"""User metadata on providers that cannot hold every name and value.

S3 and Azure send metadata as HTTP headers, whose names are case-insensitive and whose values are ASCII; Azure's names
must be C# identifiers besides (Microsoft, "Setting and retrieving properties and metadata"). A pair that fits is
stored as it is, so that other tools see it. All pairs that do not are kept together in one entry, as base64 of JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping

from persona.errors import InputError

PACKED = "persona_packed"
"""The entry that holds the pairs which do not fit."""

S3_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
AZURE_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


def checked(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return metadata if it is text.

    Raises:
        InputError: a name or value is not valid Unicode.
    """
    pairs = dict(metadata or {})
    try:
        "".join([*pairs, *pairs.values()]).encode()
    except UnicodeEncodeError:
        raise InputError("The metadata is not valid Unicode.", hint="Remove lone surrogates from it.") from None
    return pairs


def pack(metadata: Mapping[str, str] | None, name: re.Pattern[str], limit: int) -> dict[str, str]:
    """Return metadata as a provider can hold it.

    Args:
        metadata: any names and values.
        name: what the provider allows as a name.
        limit: the most that names and values may take together, in bytes.

    Raises:
        InputError: it is more than the limit.
    """
    pairs = dict(metadata or {})
    packed = {k: v for k, v in pairs.items() if k != PACKED and name.fullmatch(k) and _VALUE.fullmatch(v)}
    if rest := {k: v for k, v in pairs.items() if k not in packed}:
        text = json.dumps(rest, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        packed[PACKED] = base64.urlsafe_b64encode(text.encode()).decode("ascii")
    if (size := sum(len(k) + len(v) for k, v in packed.items())) > limit:
        raise InputError(
            f"The metadata takes {size} bytes, and the provider allows {limit}.",
            hint="Use less or shorter metadata.",
        )
    return packed


def unpack(stored: Mapping[str, str]) -> dict[str, str]:
    """Return metadata as `pack` got it; a packed entry that is not ours is left as it is."""
    pairs = dict(stored)
    try:
        rest = json.loads(base64.urlsafe_b64decode(pairs[PACKED]))
    except (KeyError, binascii.Error, ValueError):
        return pairs
    if not isinstance(rest, dict) or not all(isinstance(value, str) for value in rest.values()):
        return pairs
    del pairs[PACKED]
    return pairs | rest
