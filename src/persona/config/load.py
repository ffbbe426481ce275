"""Loading the configuration: every source merged key by key, each value with where it came from.

Sources, the strongest first: flags, the environment, files in the order in which they are given, defaults.
A value of ``null`` is an answer too: it means the default, and weaker sources are not asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from persona.config import problems
from persona.config.schema import Key, Settings, keys, sections
from persona.config.secret import Reference

ENVIRONMENT_PREFIX = "PERSONA_STORAGE"


class Source(NamedTuple):
    """Where a value came from.

    Args:
        kind: ``flag``, ``environment``, ``file`` or ``default``.
        name: the environment variable or the file.
        line: the line in the file, counted from 1.
    """

    kind: str
    name: str = ""
    line: int = 0

    def __str__(self) -> str:
        if self.kind == "file":
            return f"{self.name}:{self.line}"
        return f"{self.kind} {self.name}".rstrip()


DEFAULT = Source("default")


class Entry(NamedTuple):
    """A value that a source sets, already parsed; None for the default."""

    value: Any
    source: Source


class FileContent(NamedTuple):
    """What one file holds.

    Args:
        entries: what it sets, by key.
        problems: what is wrong with it, as lines of a message.
        digest: the SHA-256 of its bytes, as hexadecimal.
        doubt: why it may not be the user's own, as `persona.ownership.open_file` says it.
    """

    entries: dict[str, Entry]
    problems: list[str]
    digest: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class Config:
    """The configuration in effect.

    Args:
        settings: the typed values.
        values: every key with its value.
        sources: every key with where its value came from.
        files: the files that were read, the strongest first.
        overruled: what the next source says of a key, where more than one sets it.
    """

    settings: Settings
    values: Mapping[str, Any]
    sources: Mapping[str, Source]
    files: tuple[Path, ...] = ()
    overruled: Mapping[str, Any] = field(default_factory=dict)


def load(
    files: Iterable[Path] = (),
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    known: dict[Path, FileContent] | None = None,
) -> Config:
    """Load the configuration. Makes no request, and writes nothing.

    Args:
        files: the files to read, the strongest first. Each must be there.
        environ: the environment; None for this process's own.
        flags: keys that flags set, as text.
        defaults: values, already parsed, for keys whose default depends on where the program runs.
        known: files that an earlier call has read; this call adds those that it reads.

    Raises:
        ConfigError: lists every problem of every source.
    """
    wrong: list[str] = []
    read = tuple(dict.fromkeys(files))
    known = {} if known is None else known
    sources = [
        _from_flags(flags or {}, wrong),
        _from_environment(os.environ if environ is None else environ, wrong),
    ]
    for path in read:
        if path not in known:
            known[path] = read_file(path)
        sources.append(known[path].entries)
        wrong += known[path].problems
    if wrong:
        raise problems.error(wrong)
    return _merged(sources, defaults or {}, read)


def read_file(path: Path, *, regular: bool = False, modes: bool = True) -> FileContent:
    """Read one file, once, with its problems in the order of its lines.

    Args:
        path: the file.
        regular: as for `persona.config.document.read_bytes`.
        modes: as for `persona.ownership.open_file`.
    """
    from persona.config import document  # only needed if there is a file

    try:
        data, doubt = document.read_bytes(path, regular=regular, modes=modes)
    except document.Broken as exc:
        return FileContent({}, [exc.at(path)])
    return parse(path, data)._replace(doubt=doubt)


def parse(path: Path, data: bytes) -> FileContent:
    """Return what the bytes of a file say.

    Args:
        path: as for `content`.
        data: the bytes.
    """
    from persona.config import document

    digest = sha256(data).hexdigest()
    try:
        return content(path, document.compose(document.decoded(data)))._replace(digest=digest)
    except document.Broken as exc:
        return FileContent({}, [exc.at(path)], digest)


def content(path: Path, root: Any) -> FileContent:
    """Check what a file holds.

    Args:
        path: the file; relative paths in it are relative to its folder.
        root: its root node, or None if it is empty.
    """
    from persona.config import document

    found, wrong = document.leaves(root)
    base = document.base_of(root)
    entries: dict[str, Entry] = {}
    for name, leaf in found.items():
        key = keys()[name]
        try:
            value = None if leaf.raw is None else placed(key.parse(leaf.raw), path.parent)
            entries[name] = Entry(value, Source("file", str(path), leaf.line))
        except ValueError as exc:
            wrong.append((leaf.line, document.based(base, problems.wrong(key, leaf.raw, exc))))
    return FileContent(entries, [f"{path}:{line}: {text}" for line, text in sorted(wrong)])


def placed(value: Any, base: Path) -> Any:
    """Return a parsed value; a relative path becomes one below `base`, also in a reference to a file."""
    if isinstance(value, Reference):
        return value.below(base)
    return base / value if isinstance(value, Path) else value


def environment_name(key: str) -> str:
    """Return the environment variable of a key: ``storage.s3.bucket`` is ``PERSONA_STORAGE__S3__BUCKET``."""
    return "PERSONA_" + key.replace(".", "__").upper()


def full_name(key: str) -> str:
    """Return a key's full name: ``backend`` is short for ``storage.backend``.

    Raises:
        ConfigError: there is no such key.
    """
    for name in (key, f"storage.{key}"):
        if name in keys():
            return name
    name = key if key.startswith("storage") else f"storage.{key}"
    if name in sections():
        raise problems.error([f"{name}: found a section, allowed one of its keys"])
    raise problems.error([problems.unknown(name)])


def parse_text(key: Key, text: str, base: Path) -> Any:
    """Return the value that a flag, an environment variable or ``config set`` gives; ``null`` is None.

    Raises:
        ValueError: the value is wrong; says what is allowed.
    """
    return None if text == "null" else placed(key.parse(text), base)


def _from_flags(flags: Mapping[str, str], wrong: list[str]) -> dict[str, Entry]:
    return _from_texts({key: (key, text) for key, text in flags.items()}, lambda _: Source("flag"), wrong)


def _from_environment(environ: Mapping[str, str], wrong: list[str]) -> dict[str, Entry]:
    """Read ``PERSONA_STORAGE__…``; an empty variable counts as not set, as with the vendors' tools."""
    by_variable = {environment_name(key): key for key in keys()}
    texts = {}
    for variable in sorted(environ):
        if variable in by_variable:
            if environ[variable]:
                texts[by_variable[variable]] = (variable, environ[variable])
        elif variable == ENVIRONMENT_PREFIX or variable.startswith(ENVIRONMENT_PREFIX + "_"):
            wrong.append(f"environment: {_unknown_variable(variable, by_variable)}")
    return _from_texts(texts, lambda variable: Source("environment", variable), wrong)


def _unknown_variable(variable: str, known: Iterable[str]) -> str:
    """Say that a variable is unknown, and which one may have been meant."""
    from difflib import get_close_matches

    close = get_close_matches(variable, known, n=1, cutoff=0.8)
    question = f"; did you mean {close[0]}?" if close else ""
    name = problems.shown(variable)[1:-1]
    return f"{name}: found an unknown variable, allowed PERSONA_STORAGE__SECTION__KEY{question}"


def _from_texts(
    texts: Mapping[str, tuple[str, str]], source: Callable[[str], Source], wrong: list[str]
) -> dict[str, Entry]:
    """Parse texts by key; each comes with the name under which it was given."""
    entries = {}
    for key, (name, text) in texts.items():
        try:
            entries[key] = Entry(parse_text(keys()[key], text, Path.cwd()), source(name))
        except ValueError as exc:
            label = f"{source(name).kind}: " + (f"{name}: " if name != key else "")
            wrong.append(label + problems.wrong(keys()[key], text, exc))
    return entries


def _merged(sources: Sequence[Mapping[str, Entry]], defaults: Mapping[str, Any], files: tuple[Path, ...]) -> Config:
    """Merge the sources, the strongest first, over the defaults."""
    values: dict[str, Any] = {}
    origins: dict[str, Source] = {}
    overruled: dict[str, Any] = {}
    for name, key in keys().items():
        default = defaults.get(name, key.default)
        entry, *weaker = [source[name] for source in sources if name in source] or [Entry(None, DEFAULT)]
        if weaker:
            overruled[name] = weaker[0].value
        values[name] = default if entry.value is None else entry.value
        origins[name] = entry.source
    return Config(_build(Settings, "", values), values, origins, files, overruled)


def _build(section: Any, name: str, values: Mapping[str, Any]) -> Any:
    """Return a section's dataclass, filled with the values of its keys."""
    arguments = {}
    for item in fields(section):
        child = f"{name}.{item.name}" if name else item.name
        arguments[item.name] = values[child] if child in values else _build(item.default_factory, child, values)
    return section(**arguments)
