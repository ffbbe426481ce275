"""How a configuration value is read: one small parser for each kind of value.

A parser takes what YAML or an environment variable holds (a boolean, or text as it is written) and returns
the value, or raises ValueError with what is allowed. Sizes: ``MB`` and ``GB`` are powers of ten, ``MiB`` and
``GiB`` of two. Durations: ``30s``, ``5m``, ``1h``, ``7d``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from persona.config.secret import KINDS, Reference, Secret

Parser = Callable[[Any], Any]

_UNITS = {"": 1, "B": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for suffix, base in (("B", 1000), ("iB", 1024))
}
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,15})?)"
_MAX_DAYS = 3650
_MAX_PREFIX_BYTES = 512
"""Half of what providers allow for a key, so that the names below it have room."""


def text(value: Any) -> str:
    """Read text that is not empty and has no control characters; numbers are taken as they are written."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError("text")
    found = str(value)
    if any(c < " " or "\x7f" <= c < "\xa0" or "\ud800" <= c < "\ue000" for c in found):
        raise ValueError("text without control characters, in UTF-8")
    return found


def secret(value: Any) -> Secret:
    """Read a secret text, or a reference to one: ``keyring:NAME``, ``env:NAME``, ``file:PATH``, ``command:…``."""
    found = text(value)
    kind, colon, name = found.partition(":")
    if not colon or kind not in KINDS:
        return Secret(found)
    if not name.strip():
        raise ValueError(f"what is meant after {kind}: - keyring:NAME, env:NAME, file:PATH or command:PROGRAM")
    return Reference(kind, name.strip())


def identifier(value: Any) -> str | Reference:
    """Read text that is shown, such as the id of a key, or a reference to it as `secret` reads one."""
    found = secret(value)
    return found if isinstance(found, Reference) else text(value)


def boolean(value: Any) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("true or false")


def integer(low: int, high: int) -> Parser:
    """Return a parser for whole numbers from low to high."""

    def parse(value: Any) -> int:
        number = -1 if isinstance(value, bool) or not re.fullmatch("[0-9]{1,9}", str(value)) else int(value)
        if not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return parse


def choice(*allowed: str) -> Parser:
    """Return a parser for one of a few words."""

    def parse(value: Any) -> str:
        if value not in allowed:
            raise ValueError(", ".join(allowed[:-1]) + " or " + allowed[-1])
        return str(value)

    return parse


def requester(value: Any) -> str:
    """Read who pays for requests: whoever makes them is the only one that can be named."""
    if value != "requester":
        raise ValueError("requester")
    return "requester"


encryption_kind = choice("AES256", "aws:kms", "aws:kms:dsse")
"""Read how S3 encrypts."""


def signature(value: Any) -> str:
    """Read the signature version, of which one is left.

    AWS takes version 2 only for buckets made before 24 June 2020, and no newer region ever took it:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingAWSSDK.html
    """
    if value != "s3v4":
        raise ValueError(
            "s3v4, which is the only one: AWS refuses older signatures on buckets made since June 2020, "
            "and S3-compatible services take s3v4"
        )
    return "s3v4"


def size(value: Any) -> int:
    """Read a size and return bytes: ``5MB`` is 5,000,000 and ``5MiB`` is 5,242,880."""
    match = re.fullmatch(_NUMBER + r" ?([KMGT]i?B|B|)", str(value))
    if isinstance(value, bool) or not match or (number := _scaled(match[1], _UNITS[match[2]])) < 1:
        raise ValueError("a size such as 5MB, 64MiB or 1GB")
    return number


def cache_size(value: Any) -> int:
    """Read the size of a cache, and return bytes; one below a megabyte would hold nothing beside its index."""
    number = size(value)
    if number < 1_000_000:
        raise ValueError("a size of at least 1MB, such as 200MB or 1GB")
    return number


def duration(value: Any) -> float:
    """Read a duration and return seconds: ``30s``, ``5m``, ``1h``, ``7d``."""
    match = re.fullmatch(_NUMBER + " ?(ms|s|m|h|d)", str(value))
    seconds = _scaled(match[1], _MILLISECONDS[match[2]]) / 1000 if match else -1
    if not 0 <= seconds <= _MAX_DAYS * 86_400:
        raise ValueError(f"a duration such as 500ms, 30s, 5m, 1h or 7d, of at most {_MAX_DAYS}d")
    return seconds


def positive_duration(value: Any) -> float:
    """Read a duration of at least a millisecond and return seconds."""
    seconds = duration(value)
    if not seconds:
        raise ValueError("a duration above zero such as 500ms, 30s or 5m")
    return seconds


def patterns(value: Any) -> tuple[str, ...]:
    """Read a list of patterns; as text, of an environment variable say, with commas between them or as JSON."""
    from persona.patterns import matching  # only needed where there are patterns

    try:
        found = tuple(text(pattern) for pattern in (value if isinstance(value, list) else _parts(text(value))))
    except ValueError as error:
        raise ValueError('a list of patterns such as ["transcripts/**"]') from error
    try:
        matching(found)
    except ValueError as error:
        raise ValueError(f"patterns as in a .gitignore; {error}") from error
    return found


def kms_key_name(value: Any) -> str:
    """Read the name of a key of Google Cloud KMS (Google Cloud KMS, "Object hierarchy")."""
    found = text(value)
    if not re.fullmatch("projects/[^/ ]+/locations/[^/ ]+/keyRings/[^/ ]+/cryptoKeys/[^/ ]+", found):
        raise ValueError("a key's full name, projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version")
    return found


def word(value: Any) -> str:
    """Read visible ASCII characters without blanks, as HTTP headers carry them."""
    found = text(value)
    if not re.fullmatch("[!-~]{1,2048}", found):
        raise ValueError("ASCII characters without blanks")
    return found


def region(value: Any) -> str:
    """Read a region's name in lower case: ``eu-west-2``, ``europe-west2``; ``UK South`` is ``uksouth``."""
    found = text(value).lower().replace(" ", "")
    if not re.fullmatch("[a-z0-9][a-z0-9._-]{0,62}", found):
        raise ValueError("a region's name such as eu-west-2, europe-west2 or uksouth")
    return found


def regions(value: Any) -> tuple[str, ...]:
    """Read a list of regions, as `patterns` are read."""
    try:
        return tuple(dict.fromkeys(map(region, value if isinstance(value, list) else _parts(text(value)))))
    except ValueError as error:
        raise ValueError("a list of regions such as [eu-west-2, europe-west2, uksouth]") from error


LISTS: tuple[Parser, ...] = (patterns, regions)
"""The parsers that read a list."""


def _parts(given: str) -> list[Any]:
    """Return what a text lists: brackets around all of it are those of a list, as in a file."""
    inner = given.strip()
    if not (inner.startswith("[") and inner.endswith("]")):
        return [part.strip() for part in given.split(",")]
    try:
        found = json.loads(inner)
    except ValueError:  # without quotes, as YAML allows it
        return [part.strip().strip("'\"") for part in inner[1:-1].split(",")]
    return found if isinstance(found, list) else [found]


def folder(value: Any) -> Path:
    """Read a path on this machine; ``~`` is the home folder."""
    try:
        return Path(text(value)).expanduser()
    except RuntimeError as exc:
        raise ValueError("a path; there is no such user's home") from exc


def url(value: Any) -> str:
    """Read an http or https address, without user and password."""
    from urllib.parse import urlsplit  # only needed where there is an address

    found = text(value)
    try:
        parts = urlsplit(found)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment or re.search(r"[\s\\?#]", found):
        raise ValueError("an address such as https://s3.example.org, without user, password or query")
    return found.rstrip("/")


def bucket(value: Any) -> str:
    """Read the name of a bucket or container, without a scheme or a path."""
    found = text(value)
    if not re.fullmatch(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,221}", found):
        raise ValueError("a bucket's bare name, without s3:// and without a path")
    return found


def prefix(value: Any) -> str:
    """Read a key prefix, a folder such as ``workspaces/product-research/``; "" is the whole bucket."""
    found = "" if value == "" else text(value).removeprefix("./").strip("/")
    segments = found.split("/") if found else []
    if {"", ".", ".."} & set(segments) or len(found.encode()) > _MAX_PREFIX_BYTES:
        raise ValueError(f"a folder such as team/personas, of at most {_MAX_PREFIX_BYTES} bytes, without . and ..")
    return found


def _scaled(number: str, unit: int) -> int:
    """Multiply a decimal number by a unit, exactly, and drop what is left below one."""
    whole, _, rest = number.partition(".")
    return int(whole + rest) * unit // int(10 ** len(rest))


def written(parse: Parser, value: Any) -> str:
    """Return a parsed value as a file would have it."""
    if parse in (size, cache_size):
        unit = max((u for u in _UNITS if value % _UNITS[u] == 0), key=_UNITS.__getitem__)
        return f"{value // _UNITS[unit]}{unit}"
    if parse in (duration, positive_duration):
        count = round(value * 1000)
        unit = max((u for u in _MILLISECONDS if count % _MILLISECONDS[u] == 0), key=_MILLISECONDS.__getitem__)
        return f"{count // _MILLISECONDS[unit]}{unit}" if count else "0s"
    if isinstance(value, bool):
        return str(value).lower()
    if parse in LISTS:
        return json.dumps(value, ensure_ascii=False)
    return str(value) if value != "" else '""'
