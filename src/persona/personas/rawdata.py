"""Research data as it lies in files: who is in it, and the same without one respondent, the rest as it was to the byte.

What a file is, its content tells; its ending only settles what the content leaves open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from persona.errors import InputError
from persona.personas.content import json_text, trees, yaml_text
from persona.personas.content.decoding import Text, readings
from persona.personas.content.mentions import words
from persona.personas.content.people import same
from persona.personas.content.tables import Table
from persona.personas.content.turns import find_turns, labels, spoken_within
from persona.personas.library import SUFFIXES
from persona.personas.sources.limits import check_lines
from persona.personas.sources.transcripts import is_transcript

_TABLES = (".csv", ".tsv")
_LINE = re.compile(r"[^\n]*(?:\n|$)")
_MARKUP = re.compile(r"\s*(?:<[!?A-Za-z/]|\{\\rtf)")


class Cut(NamedTuple):
    """A file without a respondent.

    Args:
        what: what was the respondent's, in words; empty if nothing surely is.
        data: what is left; None if nothing is left that is of anybody else.
        doubts: what is left and may be the respondent's.
        others: whether other people are surely in it.
    """

    what: str
    data: bytes | None
    doubts: tuple[str, ...] = ()
    others: bool = False


def ids(name: str, read: Text) -> set[str]:
    """Return the ids of the people in a text; all its words if it has no form that tells people apart."""
    found = people(name, read)
    return found | spoken_within(read.text) if found else words(read.text)


def people(name: str, read: Text) -> set[str]:
    """Return the ids of the people in a text that has a form that tells them apart."""
    try:
        check_lines(name, read.text)
        return set(_ids(name, read.text))
    except InputError:
        return set()


def without(name: str, read: Text, subject: str) -> Cut:
    """Return a text without a respondent.

    What was cut is read again: if that does not give the same file without the respondent, nothing is cut.
    """
    try:
        check_lines(name, read.text)
        cut = _without(name, read, subject)
    except InputError:
        return Cut("", read.data)
    if cut.what and cut.data is not None:
        again = [_without(name, each, subject) for each in readings(cut.data) if each.encoding == read.encoding]
        if cut.data.strip() and (not again or again[0].what):
            return Cut("", read.data, others=cut.others)
    return cut


def _without(name: str, read: Text, subject: str) -> Cut:
    kind = _kind(name, read.text)
    if kind == "table":
        return _table_without(name, read, subject)
    if kind in ("json", "yaml"):
        return _tree_without(name, read, subject, kind)
    if kind == "json lines":
        return _lines_without(name, read, subject)
    if kind == "markup":
        return Cut("", read.data)
    found = find_turns(read.text, subject)
    if not found.spans:
        return Cut("", read.data, tuple(found.doubts), found.others)
    left = None if found.alone else read.without(found.spans)
    return Cut(_many(found.count, "turn"), left, tuple(found.doubts), found.others)


def _kind(name: str, text: str) -> str:
    """Return which form a text has: ``json``, ``json lines``, ``yaml``, ``table``, ``markup`` or ``turns``."""
    ending, head = f".{name.lower().rpartition('.')[2]}", text.lstrip()[:1]
    if head in ("{", "[") and not text.lstrip().startswith("{\\rtf"):
        try:
            _json(text)
            return "json"
        except (ValueError, RecursionError):
            if _is_json_lines(text):
                return "json lines"
    if ending in SUFFIXES or text.startswith("%YAML"):
        return "yaml" if _is_yaml(name, text) else "markup"
    if ending in _TABLES:
        return "table"
    if _MARKUP.match(text):
        return "markup"
    return "table" if _is_table(name, text) else "turns"


def _json(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str)  # Python refuses a number of thousands of digits


def _is_json_lines(text: str) -> bool:
    first = next((m[0] for m in _LINE.finditer(text) if m[0].strip()), "")
    try:
        _json(first)
    except (ValueError, RecursionError):
        return False
    return True


def _is_yaml(name: str, text: str) -> bool:
    try:
        return any(node.items or node.pairs for node in yaml_text.read_yaml_trees(name, text))
    except InputError:
        return False


def _is_table(name: str, text: str) -> bool:
    try:
        return _read_table(name, text).is_regular()
    except InputError:
        return False


@lru_cache(maxsize=1)  # a text is read to see what it is, and then to cut it
def _read_table(name: str, text: str) -> Table:
    return Table(name, text)


def _table_without(name: str, read: Text, subject: str) -> Cut:
    table = _read_table(name, read.text)
    mine, rest = table.parted(subject)
    others = any(not same(each, subject) for each in table.ids())
    if not mine:
        return Cut("", read.data, others=others)
    left = read.without([(row.start, row.end) for row in mine]) if rest else None
    doubt = table.doubt(subject)
    return Cut(_many(len(mine), "record"), left, (doubt,) if doubt else (), others)


def _tree_without(name: str, read: Text, subject: str, kind: str) -> Cut:
    if kind == "json":
        roots = [json_text.read_json_tree(name, read.text)]
    else:
        roots = yaml_text.read_yaml_trees(name, read.text)
    pruned = [trees.prune(root, subject) for root in roots]
    others = any(trees.holds_others(root, subject) for root in roots)
    count = sum(each.count for each, _ in pruned)
    if not count:
        return Cut("", read.data, others=others)
    if all(gone for _, gone in pruned):
        return Cut(_many(count, "record"), None, others=others)
    edits: list[yaml_text.Edit] = []
    for root, (each, gone) in zip(roots, pruned, strict=True):
        if kind == "json":
            edits += [(start, end, "") for start, end in trees.spans(each)]
        else:
            edits += [(root.start, root.end, "{}\n")] if gone else yaml_text.edits(read.text, each)
    doubts = tuple({each.doubt for each, _ in pruned} - {""})
    return Cut(_many(count, "record"), read.replaced(edits), doubts, others)


def _lines_without(name: str, read: Text, subject: str) -> Cut:
    """Cut records out of JSON Lines: a line that is not JSON stays, and is searched for mentions."""
    spans: list[tuple[int, int]] = []
    count, rest, others, doubts = 0, False, False, set[str]()
    for line in _LINE.finditer(read.text):
        if not line[0].strip():
            continue
        try:
            root = json_text.read_json_tree(name, read.text, line.start(), line.end())
        except InputError:
            rest = True
            continue
        pruned, gone = trees.prune(root, subject)
        count += pruned.count
        doubts |= {pruned.doubt} - {""}
        others = others or trees.holds_others(root, subject)
        spans += [line.span()] if gone else trees.spans(pruned)
        rest = rest or not gone
    if not count:
        return Cut("", read.data, others=others)
    return Cut(_many(count, "record"), read.without(spans) if rest else None, tuple(doubts), others)


def _ids(name: str, text: str) -> Iterator[str]:
    kind = _kind(name, text)
    if kind == "table":
        yield from _read_table(name, text).ids()
    elif kind == "json":
        yield from trees.ids(_json(text))
    elif kind == "json lines":
        for line in _LINE.findall(text):
            yield from _line_ids(line)
    elif kind == "yaml":
        yield from (each for root in yaml_text.read_yaml_trees(name, text) for each in trees.ids(trees.plain(root)))
    elif kind == "turns" and is_transcript(text):
        yield from labels(text)


def _line_ids(line: str) -> Sequence[str]:
    try:
        value = _json(line) if line.strip() else None
    except (ValueError, RecursionError):
        return [*words(line)]
    return [*trees.ids(value)]


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
