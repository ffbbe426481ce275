"""The codebook of an input: what a researcher says of its questions, where a guess is wrong.

::

    codebook: 1
    questions:
    - question: How often do you open the app?
      kind: scale
      order: [Never, Sometimes, Always]
      missing: [Don't know]
      use: drive

What a codebook does not state is guessed as without it. Every answer is text, as it is written: ``1``, ``Yes`` and
``2024-01-01`` need no quotes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from persona.config import document
from persona.config.approvals import open_approved
from persona.errors import InputError, PersonaError
from persona.personas.sources.records import tidy
from persona.personas.survey.questions import Kind, Use
from persona.storage.paths import printable

VERSION = 1
"""The version of the codebook's form."""
ABOUT: Final = "demographics"
"""The section of questions on who respondents are."""
SECTIONS = (ABOUT, "goals", "pain_points", "behaviours", "motivations")
"""The sections that every persona knows; any other text is a heading of its own."""
_TEXTS = ("question", "label", "section")
_LISTS = ("order", "options", "missing")
_FLAGS = ("weight", "id")
_WORDS = {"kind": tuple(kind.value for kind in Kind), "use": tuple(use.value for use in Use)}
KEYS = ("question", "label", "kind", "order", "options", "missing", "section", "use", "weight", "id")
"""The keys of a question, in the order in which they are written."""
_ALLOWED = {
    **dict.fromkeys(_TEXTS, "a text"),
    **dict.fromkeys(_LISTS, "a list of answers"),
    **dict.fromkeys(_FLAGS, "true or false"),
    **{key: ", ".join(words) for key, words in _WORDS.items()},
}
_MAX_SHOWN = 80
_NULL = "tag:yaml.org,2002:null"

Problem = tuple[int, str]
"""A line of the codebook, from 1, and what is wrong there."""


@dataclass(frozen=True)
class Entry:
    """What a codebook states of one question; None leaves it as it is guessed.

    Args:
        question: the name of the question.
        lines: where each key stands.
        label: its wording.
        kind: what can be done with its answers.
        order: the answers of a scale, from low to high.
        options: the answers that are counted.
        missing: the answers that stand for no answer; empty if none does.
        section: one of `SECTIONS`, or a heading of its own.
        use: what it does in a run.
        weight: whether it holds the survey weights.
        id: whether it holds the ids of the respondents.
    """

    question: str
    lines: Mapping[str, int]
    label: str | None = None
    kind: Kind | None = None
    order: tuple[str, ...] | None = None
    options: tuple[str, ...] | None = None
    missing: tuple[str, ...] | None = None
    section: str | None = None
    use: Use | None = None
    weight: bool = False
    id: bool = False

    def line(self, *keys: str) -> int:
        """Return the line of the first of some keys that is stated, else of the question."""
        return next((self.lines[key] for key in keys if key in self.lines), self.lines["question"])


@dataclass(frozen=True)
class Codebook:
    """A codebook as it was read.

    Args:
        file: its name, for messages.
        entries: one a question, in its order.
        digest: the SHA-256 of its bytes, as hexadecimal.
        problems: what is wrong with it, so that all of it can be said at once.
    """

    file: str
    entries: tuple[Entry, ...] = ()
    digest: str = ""
    problems: tuple[Problem, ...] = field(default=())

    def require(self, more: list[Problem] | None = None) -> None:
        """Raise `InputError` if there are problems, or more problems, with all of them."""
        if found := sorted({*self.problems, *(more or ())}):
            raise wrong(self.file, found)


def wrong(file: str, problems: list[Problem]) -> InputError:
    """Return one error that lists all problems of a codebook, each on a line of its own."""
    head = "The codebook cannot be used:" if len(problems) == 1 else f"The codebook has {len(problems)} problems:"
    rows = [f"{file}:{line}: {text}" if line else f"{file}: {text}" for line, text in problems]
    return InputError(
        "\n  ".join([head, *rows]),
        hint="Correct these lines. “persona inspect INPUT --write FILE” writes a codebook that is right.",
    )


def read_codebook(file: Path, home: Path, root: Path | None = None) -> Codebook:
    """Read a codebook from this machine.

    Args:
        file: the codebook.
        home: PERSONA_HOME.
        root: the project's folder, if there is one.

    Raises:
        ConfigError: it may not be the user's own, and is not approved as it is.
        InputError: it cannot be read. What is wrong inside is in `Codebook.problems`.
    """
    name = printable(str(file))
    try:
        with open_approved(file, home, root=root) as stream:
            data = stream.read(document.MAX_FILE_BYTES + 1)
    except PersonaError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"The codebook {name} cannot be read: {reason}.", hint="Check the path.") from error
    return parse(name, data)


def parse(name: str, data: bytes) -> Codebook:
    """Return a codebook of its bytes; what is wrong is in its problems."""
    digest = sha256(data).hexdigest()
    try:
        root = document.compose(document.decoded(data))
    except document.Broken as error:
        return Codebook(name, (), digest, ((error.line, error.reason),))
    problems: list[Problem] = []
    entries = _entries(root, problems)
    return Codebook(name, tuple(entries), digest, tuple(problems))


def is_codebook(data: bytes) -> bool:
    """Say whether a file is a codebook, right or wrong: no persona.yaml has its first key."""
    try:
        root = document.compose(document.decoded(data))
    except document.Broken:
        return False
    return root is not None and root.id == "mapping" and any(key.value == "codebook" for key, _ in root.value)


def quoted(text: str) -> str:
    """Return what stands in a codebook or in an input, for a message: short, on one line."""
    return f"“{printable(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + '…')}”"


def near(name: str, names: list[str]) -> str:
    """Return which of some names may have been meant, as the end of a message; "" if none is like it."""
    folded = {each.casefold(): each for each in reversed(names)}
    close = get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)
    within = [each for key, each in folded.items() if name.casefold() in key][:3] if len(name) > 1 else []
    meant = [folded[key] for key in close] or within
    return f"; did you mean {' or '.join(map(quoted, meant))}?" if meant else ""


def _entries(root: Any, problems: list[Problem]) -> list[Entry]:
    """Return what a document states of each question."""
    top = _pairs(root, "the file", ("codebook", "questions"), problems)
    if "codebook" not in top:
        problems.append((1, f"codebook: found nothing, allowed {VERSION}"))
    elif _text(top["codebook"][1]) != str(VERSION):
        line, node = top["codebook"]
        problems.append((line, f"codebook: found {_shown(node)}, allowed {VERSION}"))
    if "questions" not in top:
        return []
    line, node = top["questions"]
    if node.id != "sequence" or not _is_plain(node):
        problems.append((line, f"questions: found {_shown(node)}, allowed a list of questions"))
        return []
    entries: list[Entry] = []
    for item in node.value:
        entry = _entry(item, problems)
        if entry is None:
            continue
        if known := next((each for each in entries if each.question == entry.question), None):
            again = f"question: found {quoted(known.question)} a second time, allowed once (line {known.line()})"
            problems.append((entry.line(), again))
        else:
            entries.append(entry)
    return entries


def _entry(node: Any, problems: list[Problem]) -> Entry | None:
    """Return what is stated of one question; None if it does not say which one."""
    pairs = _pairs(node, "a question", KEYS, problems)
    line = node.start_mark.line + 1
    name = _text(pairs["question"][1]) if "question" in pairs else None
    if not name:
        if pairs:
            problems.append((line, f"question: found {'an empty text' if name == '' else 'nothing'}, allowed its name"))
        return None
    lines = {key: at for key, (at, _) in pairs.items()}
    stated = {key: _value(key, name, at, value, problems) for key, (at, value) in pairs.items() if key != "question"}
    entry = Entry(name, lines, **{key: value for key, value in stated.items() if value is not None})
    problems += _contradictions(entry)
    return entry


def _value(key: str, name: str, line: int, node: Any, problems: list[Problem]) -> Any:
    """Return the value of a key, or None if it is wrong, which is then among the problems."""
    found: Any = None
    if key in _LISTS:
        items = node.value if node.id == "sequence" and _is_plain(node) else None
        texts = [text for item in items or () if (text := _text(item)) is not None]
        if items is not None and len(texts) == len(items) and (texts or key == "missing"):
            found = tuple(texts)
            twice = sorted({text for text in texts if texts.count(text) > 1})
            problems += [(line, f"{key} of {quoted(name)}: found {quoted(text)} twice, allowed once") for text in twice]
    elif key in _FLAGS:
        found = {"true": True, "false": False}.get((_text(node) or "").lower())
    elif key in _WORDS:
        found = _text(node) if _text(node) in _WORDS[key] else None
    else:
        found = _text(node)
    if found is None:
        meant = near(_text(node) or "", list(_WORDS[key])) if key in _WORDS else ""
        problems.append((line, f"{key} of {quoted(name)}: found {_shown(node)}, allowed {_ALLOWED[key]}{meant}"))
        return None
    return Kind(found) if key == "kind" else Use(found) if key == "use" else found


def _contradictions(entry: Entry) -> list[Problem]:
    """Return what two keys of one question say against each other."""
    name, found = quoted(entry.question), []
    if entry.order and entry.kind not in (None, Kind.SCALE):
        found.append((entry.line("order"), f"order of {name}: found with kind {entry.kind.value}, allowed with scale"))
    if entry.options and entry.kind not in (None, Kind.CHOICE, Kind.MULTIPLE):
        kinds = "with choice and multiple"
        found.append((entry.line("options"), f"options of {name}: found with kind {entry.kind.value}, allowed {kinds}"))
    if entry.order and entry.options:
        found.append((entry.line("options"), f"options of {name}: found with order, allowed one of the two"))
    for key, kind in (("weight", Kind.WEIGHT), ("id", Kind.ID)):
        if getattr(entry, key) and entry.kind not in (None, kind):
            allowed = f"allowed with kind {kind.value}"
            found.append((entry.line(key), f"{key} of {name}: found with kind {entry.kind.value}, {allowed}"))
        if getattr(entry, key) and entry.use not in (None, Use.IGNORE):
            found.append((entry.line("use"), f"use of {name}: found {entry.use.value} with {key}, allowed ignore"))
    return found


def _pairs(node: Any, what: str, keys: tuple[str, ...], problems: list[Problem]) -> dict[str, tuple[int, Any]]:
    """Return the values of a mapping by their keys, each with its line."""
    if node is None or node.id != "mapping" or not _is_plain(node):
        line = node.start_mark.line + 1 if node is not None else 1
        allowed = f"a section with the keys {', '.join(keys)}"
        problems.append((line, f"{what}: found {_shown(node)}, allowed {allowed}"))
        return {}
    found: dict[str, tuple[int, Any]] = {}
    for key_node, value in node.value:
        line, key = key_node.start_mark.line + 1, _text(key_node)
        if key not in keys:
            meant = near(key or "", list(keys))
            problems.append((line, f"{_shown(key_node)[1:-1]}: found an unknown key, allowed {', '.join(keys)}{meant}"))
        elif key in found:
            problems.append((line, f"{key}: found a second time, allowed once (line {found[key][0]})"))
        else:
            found[key] = (line, value)
    return found


def _is_plain(node: Any) -> bool:
    """Say whether a node has no anchor, is no alias, and has no tag that makes something else of it."""
    kinds = {"scalar": ("null", "bool", "int", "float", "str", "timestamp"), "sequence": ("seq",), "mapping": ("map",)}
    return node.anchor is None and node.tag in {f"tag:yaml.org,2002:{kind}" for kind in kinds.get(node.id, ())}


def _text(node: Any) -> str | None:
    """Return a scalar as it is written, as answers are read; None for anything else."""
    if node.id != "scalar" or not _is_plain(node) or node.tag == _NULL:
        return None
    return tidy(str(node.value))


def _shown(node: Any) -> str:
    """Return what was found, for a message."""
    if node is None or (node.id == "scalar" and node.tag == _NULL):
        return "nothing"
    if not _is_plain(node):
        return "an anchor, an alias or a tag"
    return quoted(str(node.value)) if node.id == "scalar" else "a list" if node.id == "sequence" else "a section"
