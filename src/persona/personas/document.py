"""The YAML of one persona: the same persona gives the same bytes, and nothing but a persona is read back."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from persona.errors import InputError

if TYPE_CHECKING:
    from persona.personas.model import Persona

MAX_BYTES = 16 * 1024 * 1024
"""The largest persona file that is read, in bytes."""
MAX_DEPTH = 20
"""The deepest nesting that is read; a persona has six levels."""
CONTENT_TYPE = "application/yaml"


def write(persona: Persona) -> bytes:
    """Return a persona as YAML: keys in the schema's order, Unicode kept, long lines whole, no aliases."""
    return to_yaml(plain(persona))


def plain(persona: Persona) -> dict[str, Any]:
    """Return a persona as plain values, without what is at its default in the bases of statements."""
    return persona.model_dump(mode="json", exclude_defaults=True)


def to_yaml(value: Any) -> bytes:
    """Return plain values as YAML."""
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)  # the C emitter folds and escapes differently
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 1_000_000
    yaml.sort_base_mapping_type_on_output = False
    yaml.representer.ignore_aliases = lambda _: True
    stream = io.BytesIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def read(name: str, data: bytes) -> Persona:
    """Read a persona.

    Args:
        name: the file, for messages.
        data: its content.

    Raises:
        InputError: it is not YAML, not a persona, or of a newer schema; the message names the field.
    """
    from pydantic import ValidationError

    from persona.personas.model import SCHEMA_VERSION, Persona

    content = _load(name, data)
    if not isinstance(content, dict) or "schema_version" not in content:
        raise InputError(f"{name} is not a persona: it has no schema_version.", hint="Keep other files elsewhere.")
    version = content["schema_version"]
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"{name} has schema_version {version}, and this Persona knows up to {SCHEMA_VERSION}.",
            hint="Update Persona to read it.",
        )
    try:
        return Persona.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise InputError(
            f"{name} is not a valid persona: {place}: {first['msg']}{more}.",
            hint="Correct the field, or generate it again.",
        ) from error


def _load(name: str, data: bytes) -> Any:
    """Parse YAML that holds no aliases and is not nested beyond reason."""
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} is too large for a persona: {len(data):,} bytes.")
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        _refuse_traps(name, data)
        yaml = YAML(typ="safe")  # the C parser, where it is installed
        return yaml.load(data)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise InputError(f"{name}{place}: not YAML: {problem}.", hint="Correct it, or generate it again.") from error
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is not a YAML text: {error}.", hint="Correct it, or generate it again.") from error


def _refuse_traps(name: str, data: bytes) -> None:
    """Refuse aliases, which can make a small file enormous, and nesting that would exhaust the stack."""
    text = data.decode("utf-8")
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
