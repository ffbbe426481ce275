"""Reads YAML with the place of every value, and cuts parts out of it by whole lines or between brackets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from persona.errors import InputError
from persona.personas import document
from persona.personas.content.trees import Node, Pair, Pruned, flow_spans

Edit = tuple[int, int, str]


@lru_cache(maxsize=1)  # a text is read to see what it is, and then to cut it
def read_yaml_trees(name: str, text: str) -> list[Node]:
    """Return the trees of all documents of a YAML file.

    Raises:
        InputError: it is not YAML, or uses aliases: what is cut at one place would be missing at another.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if len(text) > document.MAX_BYTES:
        raise document.too_large(name, len(text))
    try:
        document.refuse_traps(name, text.encode("utf-8", "surrogateescape"))
        return [_node(text, each) for each in YAML(typ="safe").compose_all(text) if each is not None]
    except (YAMLError, ValueError, RecursionError, AttributeError, LookupError, TypeError) as error:
        raise InputError(f"{name} is not YAML.") from error


def edits(text: str, pruned: Pruned) -> list[Edit]:
    """Return the edits that cut parts out of a YAML text.

    Raises:
        InputError: something is written in a way that cannot be cut.
    """
    found: list[Edit] = []
    for node, positions in pruned.removed:
        parts: Sequence[Node | Pair] = node.items or node.pairs or []
        gone = set(positions)
        if node.block:
            found += _block_edits(text, node, parts, gone)
        else:
            found += [(start, end, "") for start, end in flow_spans(parts, gone)]
    return found


def _block_edits(text: str, node: Node, parts: Sequence[Node | Pair], gone: set[int]) -> list[Edit]:
    found = [(*_lines(text, parts[n]), "") for n in sorted(gone)]
    if len(gone) == len(parts):  # an empty value would be null
        first, (start, end, _) = parts[0], found[0]
        head = text[start : first.start]
        indent = len(head) - len(head.lstrip(" "))
        found[0] = (start, end, " " * (indent + 1) + ("[]" if node.items else "{}") + "\n")
    return found


def _lines(text: str, part: Node | Pair) -> tuple[int, int]:
    """Return the lines that a part of a block stands on."""
    start = text.rfind("\n", 0, part.start) + 1
    if text[start : part.start].strip(" ") not in ("", "-"):  # it shares its line with something else
        raise InputError("This YAML cannot be cut.")
    if isinstance(part, Pair) and text[start : part.start].strip(" ") == "-":
        raise InputError("This YAML cannot be cut.")
    if part.end > 0 and text[part.end - 1] == "\n":
        return start, part.end
    end = text.find("\n", part.end)
    rest = text[part.end : end if end >= 0 else len(text)].strip()
    if rest and not rest.startswith("#"):
        raise InputError("This YAML cannot be cut.")
    return start, end + 1 if end >= 0 else len(text)


def _node(text: str, node: Any) -> Node:
    start, end = node.start_mark.index, node.end_mark.index
    kind = type(node).__name__
    if kind == "ScalarNode":
        whole = node.tag.endswith(":int") and node.value.isdecimal()
        return Node(start, end, int(node.value) if whole and len(node.value) < 100 else node.value)
    block = not node.flow_style
    if kind == "SequenceNode":
        items = [_node(text, each) for each in node.value]
        return Node(start, items[-1].end if block and items else end, items=items, block=block)
    pairs = [Pair(key.start_mark.index, str(key.value), _node(text, value)) for key, value in node.value]
    return Node(start, pairs[-1].end if block and pairs else end, pairs=pairs, block=block)
