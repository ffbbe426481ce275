"""Reads JSON with the place of every value, so that a part can be cut out and all else stays as it is written."""

from __future__ import annotations

import re
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined] # it has been there since Python 2.7

from persona.errors import InputError
from persona.personas.content.trees import Node, Pair
from persona.personas.sources.limits import MAX_MARKS, too_many

_BLANK = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity")
_MAX_DEPTH = 200
"""How deeply JSON may be nested here."""


def read_json_tree(name: str, text: str, start: int = 0, end: int | None = None) -> Node:
    """Return the tree of one JSON document in a text.

    Args:
        name: the file, for messages.
        text: the text; places are counted in it.
        start: where the document begins.
        end: the character behind it.

    Raises:
        InputError: it is not JSON.
    """
    end = len(text) if end is None else end
    if sum(text.count(mark, start, end) for mark in ",:[{") > MAX_MARKS:
        raise too_many(name, "values", MAX_MARKS)
    try:
        node = _value(text, _blank(text, start), 0)
        if _blank(text, node.end) < end or node.end > end:
            raise ValueError("more than one document")
    except (ValueError, IndexError, JSONDecodeError) as error:
        raise InputError(f"{name} is not JSON.") from error
    return node


def _blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _value(text: str, at: int, depth: int) -> Node:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if text[at] == "{":
        return _mapping(text, at, depth)
    if text[at] == "[":
        return _list(text, at, depth)
    if text[at] == '"':
        value, end = scanstring(text, at + 1, False)
        return Node(at, end, value)
    match = _PLAIN.match(text, at)
    if not match:
        raise ValueError("no value")
    plain = match[0]
    whole = int(plain) if plain.lstrip("-").isdecimal() and len(plain) < 100 else None
    return Node(at, match.end(), whole)


def _list(text: str, at: int, depth: int) -> Node:
    items: list[Node] = []
    end = _blank(text, at + 1)
    while text[end] != "]":
        if items:
            end = _comma(text, end)
        items.append(_value(text, end, depth + 1))
        end = _blank(text, items[-1].end)
    return Node(at, end + 1, items=items)


def _mapping(text: str, at: int, depth: int) -> Node:
    pairs: list[Pair] = []
    end = _blank(text, at + 1)
    while text[end] != "}":
        if pairs:
            end = _comma(text, end)
        if text[end] != '"':
            raise ValueError("no key")
        key, colon = scanstring(text, end + 1, False)
        colon = _blank(text, colon)
        if text[colon] != ":":
            raise ValueError("no colon")
        pairs.append(Pair(end, key, _value(text, _blank(text, colon + 1), depth + 1)))
        end = _blank(text, pairs[-1].end)
    return Node(at, end + 1, pairs=pairs)


def _comma(text: str, at: int) -> int:
    if text[at] != ",":
        raise ValueError("no comma")
    return _blank(text, at + 1)
