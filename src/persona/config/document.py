"""Reading one persona.yaml: from its text to checked values, each with its line.

Only the syntax comes from ruamel.yaml, as a tree of nodes with marks; nothing is constructed from tags.
Anchors, aliases and merge keys are refused: they make one value depend on another, and a small file grow
without bound.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from persona.config import problems
from persona.config.schema import keys, sections
from persona.ownership import NotRegularError, open_file

MAX_FILE_BYTES = 1024 * 1024
WRAPPER = "persona"
"""The key below which everything may stand, in a file that has no other at its top."""
_TAG = "tag:yaml.org,2002:"
_SCALARS = {_TAG + kind for kind in ("null", "bool", "int", "float", "str", "timestamp")}


Scalar = bool | str | None
Raw = Scalar | list[Scalar]


class Leaf(NamedTuple):
    """One value of a file: None, a boolean, else its text as written, or a list of these; and its line, from 1."""

    raw: Raw
    line: int


class Broken(Exception):  # noqa: N818 - never leaves this package
    """A file that cannot be read at all: the line, or 0, and what is wrong."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason

    def at(self, file: Path) -> str:
        """Return the line of an error message for this file."""
        return f"{file}:{self.line}: {self.reason}" if self.line else f"{file}: {self.reason}"


def read_bytes(path: Path, *, regular: bool = False, modes: bool = True) -> tuple[bytes, str]:
    """Return what a file holds, or the beginning of a large one, and why it may not be the user's own.

    Args:
        path: the file.
        regular: refuse a pipe or a device, which might never end. Only the user may name one: ``--config <(…)``.
        modes: as for `persona.ownership.open_file`, which gives the reason.

    Raises:
        Broken: it cannot be read.
    """
    try:
        stream, doubt = _opened(path, regular=regular, modes=modes)
        with stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise Broken(0, f"it cannot be read: {exc.strerror}") from exc
    return data, doubt


def _opened(path: Path, *, regular: bool, modes: bool) -> tuple[BinaryIO, str]:
    try:
        return open_file(path, modes=modes)
    except NotRegularError:
        if regular:
            raise
        return path.open("rb"), ""


def decoded(data: bytes, *, keep_mark: bool = False) -> str:
    """Return the text of a file, without a byte order mark unless it is to be kept.

    Raises:
        Broken: it is too large, or is not UTF-8.
    """
    if len(data) > MAX_FILE_BYTES:
        raise Broken(0, "it is larger than 1 MiB")
    try:
        return data.decode("utf-8" if keep_mark else "utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Broken(data.count(b"\n", 0, exc.start) + 1, "it is not UTF-8") from exc


def compose(text: str) -> Any:
    """Return the root node of a YAML text, or None if it holds nothing.

    Raises:
        Broken: the text is not one YAML document.
    """
    import warnings

    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of anchors used twice: all anchors are refused later
            return YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        reason = _without_content(exc.problem or exc.context or "")
        raise Broken(mark.line + 1, f"it is not valid YAML: column {mark.column + 1}: {reason}") from exc
    except RecursionError as exc:
        raise Broken(0, "it is nested too deeply") from exc
    except (YAMLError, ValueError, OverflowError, AssertionError) as exc:
        raise Broken(0, f"it is not valid YAML: {_without_content(str(exc).splitlines()[0])}") from exc


def leaves(root: Any) -> tuple[dict[str, Leaf], list[tuple[int, str]]]:
    """Return the values of a document by key, and its problems, each with its line.

    Args:
        root: what `compose` returned.
    """
    found: dict[str, Leaf] = {}
    wrong: list[tuple[int, str]] = []
    base = base_of(root)
    if base:
        _walk_wrapped(root, found, wrong)
    elif root is not None:
        _walk(root, "", found, wrong)
    return found, wrong


def base_of(root: Any) -> str:
    """Return what the names of a document's keys begin with: ``persona.`` if all stands below that key, else ""."""
    is_section = root is not None and root.id == "mapping"
    return f"{WRAPPER}." if is_section and any(key.value == WRAPPER for key, _ in root.value) else ""


def based(base: str, problem: str) -> str:
    """Return a problem with the names of its keys as they stand in the document."""
    if not base:
        return problem
    if problem.startswith("the file:"):
        return base.removesuffix(".") + problem.removeprefix("the file")
    return base + re.sub(r"(?<=did you mean )storage|(?<= or )storage(?=[.?])", f"{base}storage", problem)


def _walk_wrapped(root: Any, found: dict[str, Leaf], wrong: list[tuple[int, str]]) -> None:
    """Collect what stands below the one key that holds everything."""
    seen: dict[str, int] = {}
    for key_node, value in root.value:
        line, name = key_node.start_mark.line + 1, str(key_node.value)
        if name == WRAPPER and name not in seen:
            inner: list[tuple[int, str]] = []
            _walk(value, "", found, inner)
            wrong += [(at, based(f"{WRAPPER}.", text)) for at, text in inner]
        elif name in seen:
            wrong.append((line, f"{problems.shown(name)[1:-1]}: found a second time, allowed once (line {seen[name]})"))
        elif name in sections():
            wrong.append((line, f"{name}: found beside {WRAPPER}, allowed at the top or below {WRAPPER}, not both"))
        else:
            wrong.append((line, problems.unknown(name)))
        seen.setdefault(name, line)


def _walk(node: Any, name: str, found: dict[str, Leaf], wrong: list[tuple[int, str]]) -> None:
    """Collect what stands at a node and below; `name` is a section's, a key's, or "" for the root."""
    line = node.start_mark.line + 1
    if node.anchor is not None:
        wrong.append((line, f"{name or 'the file'}: found an anchor or alias, allowed the value itself"))
    elif key := keys().get(name):
        if node.id == "scalar" and node.tag in _SCALARS:
            found[name] = Leaf(_raw(node), line)
        elif key.listed and node.id == "sequence" and node.tag == _TAG + "seq":
            _walk_list(node, name, found, wrong)
        else:
            wrong.append((line, f"{name}: found {_kind(node)}, allowed {key.allowed}"))
    elif node.id == "mapping" and node.tag == _TAG + "map":
        _walk_section(node, name, found, wrong)
    elif node.tag != _TAG + "null":
        wrong.append((line, f"{name or 'the file'}: found {_kind(node)}, allowed a section of keys"))


def _walk_list(node: Any, name: str, found: dict[str, Leaf], wrong: list[tuple[int, str]]) -> None:
    """Collect a list of plain values."""
    bad = [item for item in node.value if item.anchor is not None or item.id != "scalar" or item.tag not in _SCALARS]
    for item in bad:
        kind = "an anchor or alias" if item.anchor is not None else _kind(item)
        wrong.append((item.start_mark.line + 1, f"{name}: found {kind} in the list, allowed {keys()[name].allowed}"))
    if not bad:
        found[name] = Leaf([_raw(item) for item in node.value], node.start_mark.line + 1)


def _walk_section(node: Any, name: str, found: dict[str, Leaf], wrong: list[tuple[int, str]]) -> None:
    """Collect the entries of a section, and check that each is known and there once."""
    seen: dict[str, int] = {}
    for key_node, value in node.value:
        line = key_node.start_mark.line + 1
        if key_node.id != "scalar":
            wrong.append((line, f"{name or 'the file'}: found {_kind(key_node)} as a key, allowed a name"))
            continue
        child = f"{name}.{key_node.value}" if name else key_node.value
        if child in seen:
            wrong.append(
                (
                    line,
                    f"{problems.shown(child)[1:-1]}: found a second time, allowed once (line {seen[child]})",
                )
            )
        elif child in keys() or child in sections():
            _walk(value, child, found, wrong)
        else:
            wrong.append((line, problems.unknown(child)))
        seen.setdefault(child, line)


def _raw(node: Any) -> Scalar:
    """Return a scalar's value; numbers and dates stay as they are written."""
    if node.tag == _TAG + "null":
        return None
    if node.tag == _TAG + "bool":
        return str(node.value).lower() in ("true", "yes", "on", "y")
    return str(node.value)


def _kind(node: Any) -> str:
    """Say what kind of node this is."""
    if node.id == "mapping":
        return "a section"
    if node.id == "sequence":
        return "a list"
    return "a value" if node.tag in _SCALARS else "a value with a tag"


def _without_content(reason: str) -> str:
    """Return a parser's words without what it quotes from the file: that could be part of a secret."""
    quoted = reason.replace("'\\t'", "TAB")
    safe = re.sub(r"'([^']*)'", lambda match: match[0] if len(match[1]) < 2 or match[1][0] == "<" else "…", quoted)
    return safe.strip()
