"""How a wrong configuration is described: one line for each problem, all of them in one error."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from persona.config.schema import Key, keys, sections
from persona.errors import ConfigError

HIDDEN = "a value that is not shown"
_MAX_SHOWN = 80

_SECRET_PARTS = (  # compiled when first used, since every start imports this
    (r"//[^/]*@", "//••••@"),
    (r"(?s)\?.*", "?••••"),
    (r"(?i)(AccountKey|SharedAccessSignature|sig)=[^;&\s]+", r"\1=••••"),
)


def error(problems: Sequence[str]) -> ConfigError:
    """Return one error that lists all problems, each on a line of its own."""
    head = (
        "The configuration cannot be used:"
        if len(problems) == 1
        else f"The configuration has {len(problems)} problems:"
    )
    return ConfigError(
        "\n  ".join([head, *problems]),
        hint="Correct what is named here and try again. docs/configuration.md describes every key.",
    )


def wrong(key: Key, found: Any, allowed: object) -> str:
    """Say that a key's value is wrong; a secret is not shown."""
    return f"{key.name}: found {HIDDEN if key.secret else shown(found)}, allowed {allowed}"


def shown(found: Any) -> str:
    """Return what was found, for a message: quoted, short, printable, without passwords in addresses."""
    if isinstance(found, bool):
        return str(found).lower()
    text = json.dumps(found, ensure_ascii=False) if isinstance(found, list) else str(found)
    for pattern, mask in _SECRET_PARTS:
        text = re.sub(pattern, mask, text)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return f"“{text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + '…'}”"


def unknown(name: str) -> str:
    """Say that there is no such key, what is allowed in its place, and which one may have been meant."""
    from difflib import get_close_matches  # slow to import, and only needed for a mistake

    known = [*keys(), *sections()]
    parent, _, last = name.rpartition(".")
    beside = [k for k in known if k.rpartition(".")[0] == parent] or ["storage"]
    meant = (
        [k for k in known if k.rpartition(".")[2] == last][:3]
        or get_close_matches(name, beside, n=1, cutoff=0.7)
        or get_close_matches(name, known, n=1, cutoff=0.8)
    )
    allowed = ", ".join(k.rpartition(".")[2] for k in beside)
    question = f"; did you mean {' or '.join(meant)}?" if meant else ""
    return f"{shown(name)[1:-1]}: found an unknown key, allowed {allowed}{question}"
