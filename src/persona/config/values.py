"""How a configuration value is read: one small parser for each kind of value.

A parser takes what YAML or an environment variable holds and returns the value, or raises ValueError with what
is allowed. Sizes: ``MB`` and ``GB`` are powers of ten, ``MiB`` and ``GiB`` of two. Durations: ``30s``, ``5m``, ``1h``,
``7d``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from persona.config.secret import Secret

Parser = Callable[[Any], Any]

_UNITS = {"": 1, "B": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for suffix, base in (("B", 1000), ("iB", 1024))
}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def text(value: Any) -> str:
    """Read text that is not empty; numbers are taken as they are written."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError("text")
    return str(value)


def secret(value: Any) -> Secret:
    """Read a secret text."""
    return Secret(text(value))


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
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return parse


def choice(*allowed: str) -> Parser:
    """Return a parser for one of a few words."""

    def parse(value: Any) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(allowed))
        return str(value)

    return parse


def size(value: Any) -> int:
    """Read a size and return bytes: ``5MB`` is 5,000,000 and ``5MiB`` is 5,242,880."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B|B|)", str(value))
    if isinstance(value, bool) or not match or (number := int(float(match[1]) * _UNITS[match[2]])) < 1:
        raise ValueError("a size such as 5MB, 64MiB or 1GB")
    return number


def duration(value: Any) -> float:
    """Read a duration and return seconds: ``30s``, ``5m``, ``1h``, ``7d``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", str(value))
    if not match:
        raise ValueError("a duration such as 500ms, 30s, 5m, 1h or 7d")
    return float(match[1]) * _SECONDS[match[2]]


def folder(value: Any) -> Path:
    """Read a path on this machine; ``~`` is the home folder."""
    return Path(text(value)).expanduser()


def url(value: Any) -> str:
    """Read an http or https address, without user and password."""
    found = text(value)
    try:
        parts = urlsplit(found)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good or parts.username or parts.query or parts.fragment:
        raise ValueError("an address such as https://s3.example.org, without user, password or query")
    return found.rstrip("/")


def prefix(value: Any) -> str:
    """Read a key prefix, a folder such as ``workspaces/product-research/``; "" is the whole bucket."""
    return "" if value == "" else text(value).removeprefix("./").strip("/")
