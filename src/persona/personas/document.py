"""The YAML of one persona: the same persona gives the same bytes, and nothing but a persona is read back."""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING, Any

from persona.errors import InputError
from persona.storage.paths import printable

if TYPE_CHECKING:
    from persona.personas.model import Persona

MAX_BYTES = 8 * 1024 * 1024
"""The largest persona file that is read, in bytes."""
MAX_NODES = 250_000
"""The most values that are read; one of 100,000 respondents has as many ids."""
MAX_DEPTH = 20
"""The deepest nesting that is read; a persona has six levels."""
_BAD_VALUES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, RecursionError)
CONTENT_TYPE = "application/yaml"
_ALIKE = r" -&(-~\xa0-\u2027\u202a-\ud7ff"
_WRITTEN_ALIKE = re.compile(rf"[{_ALIKE}]*+|(?=[^\W_])(?:(?![:#])[{_ALIKE}'])+(?<! )")
"""Texts that both emitters write alike: of simple characters, and with apostrophes only where no quotes are needed."""
_LONGEST_KEY = 60
RUN_KEY = "run_version"
"""The key by which the record of a run is known (`persona.personas.runs`)."""


class RunRecordError(InputError):
    """The file is the record of a run, which stands beside the personas that it made.

    Args:
        name: the file.
        content: what stands in it.
    """

    def __init__(self, name: str, content: dict[str, Any]) -> None:
        super().__init__(f"{name} is the record of a run, not a persona.", hint="“persona list” shows the personas.")
        self.content = content


def write(persona: Persona) -> bytes:
    """Return a persona as YAML: keys in the schema's order, Unicode kept, long lines whole, no aliases.

    Raises:
        InputError: it is larger than what is read back.
    """
    data = to_yaml(plain(persona))
    if len(data) > MAX_BYTES:
        raise too_large(f"Persona {persona.name}", len(data))
    return data


def plain(persona: Persona) -> dict[str, Any]:
    """Return a persona as plain values, without what is at its default in the bases of statements."""
    return persona.model_dump(mode="json", exclude_defaults=True)


def to_yaml(value: Any) -> bytes:
    """Return plain values as YAML.

    The bytes are those of ruamel.yaml's emitter in Python. The one in C, four times as fast, folds and escapes some
    texts differently, and writes only values that hold none of these.
    """
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=not _is_written_alike(value))
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 1_000_000
    yaml.sort_base_mapping_type_on_output = False
    yaml.representer.ignore_aliases = lambda _: True
    stream = io.BytesIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _is_written_alike(value: Any) -> bool:
    if isinstance(value, str):
        return _WRITTEN_ALIKE.fullmatch(value) is not None
    if isinstance(value, dict):
        keys = all(isinstance(key, str) and len(key) <= _LONGEST_KEY and key.isascii() for key in value)
        return keys and all(map(_is_written_alike, value)) and all(map(_is_written_alike, value.values()))
    if isinstance(value, list):
        return all(map(_is_written_alike, value))
    return value is None or isinstance(value, bool | int | float)


def read(name: str, data: bytes) -> Persona:
    """Read a persona.

    Args:
        name: the file, for messages.
        data: its content.

    Raises:
        RunRecordError: it is the record of a run.
        InputError: it is not YAML, not a persona, or of a newer schema; the message names the field.
    """
    content = _load(name, data)
    if isinstance(content, dict) and RUN_KEY in content and "schema_version" not in content:
        raise RunRecordError(name, content)
    from pydantic import ValidationError

    from persona.personas.model import SCHEMA_VERSION, Persona

    if not isinstance(content, dict) or "schema_version" not in content:
        raise InputError(f"{name} is not a persona: it has no schema_version.", hint="Keep other files elsewhere.")
    version = content["schema_version"]
    if isinstance(version, int) and SCHEMA_VERSION < version < 10**6:  # a larger one is no version
        raise InputError(
            f"{name} has schema_version {version}, and this Persona knows up to {SCHEMA_VERSION}.",
            hint="Update Persona to read it.",
        )
    if isinstance(version, int) and 0 < version < SCHEMA_VERSION:
        raise InputError(
            f"{name} has schema_version {version}, which this Persona no longer reads.",
            hint="Generate the personas again.",
        )
    try:
        return Persona.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = printable(".".join(str(part)[:100] for part in first["loc"])) or "the document"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise InputError(
            f"{name} is not a valid persona: {place}: {first['msg']}{more}.",
            hint="Correct the field, or generate it again.",
        ) from error


def _load(name: str, data: bytes) -> Any:
    """Parse YAML that holds no aliases and is not nested beyond reason."""
    if len(data) > MAX_BYTES:
        raise too_large(name, len(data))
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        refuse_traps(name, data)
        yaml = YAML(typ="safe")  # the C parser, where it is installed
        return yaml.load(data)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise InputError(
            f"{name}{place}: not YAML: {printable(problem[:200])}.", hint="Correct it, or generate it again."
        ) from error
    except InputError:
        raise
    except _BAD_VALUES as error:  # of a value whose tag says that it is something else
        reason = printable(str(error)[:200])
        raise InputError(f"{name} is not a YAML text: {reason}.", hint="Correct it, or generate it again.") from error


def too_large(name: str, size: int) -> InputError:
    """Return the error for a file over the limit; size in bytes."""
    return InputError(
        f"{name} is too large for a persona: {size:,} bytes, and {MAX_BYTES:,} is the limit.",
        hint="Keep other files elsewhere.",
    )


def refuse_traps(name: str, data: bytes) -> None:
    """Refuse aliases, which can make a small file enormous, nesting that would exhaust the stack, and too much."""
    text = data.decode("utf-8")
    if sum(text.count(mark) for mark in ("\n", "\r", ",", "- ", "? ", "[", "{")) > MAX_NODES:
        raise InputError(f"{name} has more than {MAX_NODES:,} values, which no persona has.")
    nested = (
        max(text.count("["), text.count("{")) > MAX_DEPTH or "- " * MAX_DEPTH in text or _indent(text) > 8 * MAX_DEPTH
    )
    if not nested and "*" not in text:
        return
    from ruamel.yaml import YAML

    depth = 0
    for event in YAML(typ="safe").parse(data):
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if kind == "AliasEvent":
            raise InputError(f"{name} uses YAML aliases, which no persona has.", hint="Write the values out.")
        if depth > MAX_DEPTH:
            raise InputError(f"{name} is nested more than {MAX_DEPTH} levels deep, which no persona is.")


def _indent(text: str) -> float:
    """Return the deepest indentation of a line, in spaces."""
    return max((len(line) - len(line.lstrip(" ")) for line in text.splitlines()), default=math.nan)
