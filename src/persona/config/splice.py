"""Setting one value in a YAML text, and leaving every other character of it alone.

A round trip through a YAML writer would settle the indentation, the quotes and the blank lines anew; a
person's file is not ours to lay out. So the value's own place is found by the marks of the parser, and only
that is replaced. The caller reads the result again: what does not say exactly what it should is not written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple


class _Found(NamedTuple):
    """The node that is as far along a key as there is one, with its key's node and the mapping around it."""

    parent: Any
    key: Any
    node: Any
    missing: list[str]


def candidates(text: str, root: Any, name: str, value: str | None) -> Iterator[str]:
    """Yield texts in which a key has a value, the likeliest spelling first; not each needs to be right.

    Args:
        text: the document.
        root: its root node, or None if it is empty.
        name: the key's full name.
        value: the new value as text; None writes ``null``.
    """
    found = _deepest(root, name.split("."))
    spellings = ["null"]
    if value is not None:
        quote = None if found.missing else getattr(found.node, "style", None)
        spellings = [value, "'" + value.replace("'", "''") + "'", json.dumps(value, ensure_ascii=False)]
        spellings.sort(key=lambda spelling: quote is None or not spelling.startswith(quote))
    for spelling in spellings:
        yield _spliced(text, found, spelling)


def _deepest(root: Any, parts: list[str]) -> _Found:
    """Follow a key through the document as far as it goes."""
    found = _Found(None, None, root, parts)
    while found.missing and found.node is not None and found.node.id == "mapping":
        child = next(((k, v) for k, v in found.node.value if k.value == found.missing[0]), None)
        if child is None:
            break
        found = _Found(found.node, *child, found.missing[1:])
    return found


def _spliced(text: str, found: _Found, spelling: str) -> str:
    """Return the text with a value put at a node, below the keys that are still missing there."""
    newline = "\r\n" if "\r\n" in text else "\n"
    parent, key, node, missing = found
    if node is None:  # an empty document, or nothing but comments
        return _with_lines(text, len(text), _block(missing, spelling, 0, 2, newline), newline)
    if node.id != "mapping" and key is not None and _is_empty(node):
        at = _after_colon(text, key)
        if not missing or parent.flow_style:
            return f"{text[:at]} {_flow(missing, spelling)}{text[at:]}"
        step = _step(parent)
        block = _block(missing, spelling, parent.start_mark.column + step, step, newline)
        return _with_lines(text, _line_end(text, at), block, newline)
    if node.id == "sequence":
        return _unlisted(text, found, spelling, newline)
    if node.id != "mapping":
        start, end = node.start_mark.index, node.end_mark.index
        tail = newline if text[start:end].endswith("\n") else ""  # a block scalar ends with its line
        return text[:start] + _flow(missing, spelling) + tail + text[end:]
    if node.flow_style:
        start = node.start_mark.index + 1
        return text[:start] + _flow(missing, spelling)[1:-1] + (", " if node.value else "") + text[start:]
    block = _block(missing, spelling, node.start_mark.column, _step(node, parent), newline)
    return _with_lines(text, _end_of(text, node), block, newline)


def _unlisted(text: str, found: _Found, spelling: str, newline: str) -> str:
    """Return the text with a value in place of a list; the comments in the list stay, on lines below it."""
    node, start = found.node, found.node.start_mark.index
    if node.flow_style:
        end = node.end_mark.index
        rest = _line_end(text, end)
        head = text[:start] + spelling + text[end:rest]
    else:  # the value goes beside its key: where lines may stand, it itself may not
        colon, first = _after_colon(text, found.key), text.rfind("\n", 0, start) + 1
        end = rest = _line_end(text, node.value[-1].end_mark.index)
        head = f"{text[:colon]} {spelling}{text[colon:first] or newline}"
    ends = [start, *(item.end_mark.index for item in node.value)]
    starts = [*(item.start_mark.index for item in node.value), end]
    between = newline.join(text[a:b] for a, b in zip(ends, starts, strict=True))
    comments = re.findall(r"(?:^|(?<=\s))#[^\r\n]*", between)
    if not comments:
        return head + text[rest:]
    lines = "".join(f"{' ' * found.key.start_mark.column}{comment}{newline}" for comment in comments)
    return _with_lines(head, len(head), lines, newline) + text[rest:]


def _block(keys: list[str], spelling: str, indent: int, step: int, newline: str) -> str:
    """Return lines that hold a value below nested keys."""
    lines = [f"{' ' * (indent + step * i)}{key}:" for i, key in enumerate(keys)]
    return newline.join(lines) + f" {spelling}{newline}"


def _flow(keys: list[str], spelling: str) -> str:
    """Return a value below nested keys in braces."""
    return "".join(f"{{{key}: " for key in keys) + spelling + "}" * len(keys)


def _with_lines(text: str, at: int, lines: str, newline: str) -> str:
    """Insert whole lines, with a line break before them if there is none."""
    head = text[:at]
    return head + (newline if head and not head.endswith("\n") else "") + lines + text[at:]


def _step(mapping: Any, parent: Any = None) -> int:
    """Return by how many columns the document indents what is in this mapping, or this in its parent, or 2."""
    for _, value in mapping.value:
        if value.id == "mapping" and not value.flow_style:
            return max(int(value.start_mark.column - mapping.start_mark.column), 1)
    if parent is not None and not parent.flow_style and mapping.start_mark.column > parent.start_mark.column:
        return int(mapping.start_mark.column - parent.start_mark.column)
    return max(int(mapping.start_mark.column), 2) if mapping.start_mark.column <= 8 else 2


def _end_of(text: str, mapping: Any) -> int:
    """Return where the last line of a block mapping ends."""
    key, node = mapping.value[-1]
    while node.id != "scalar" and not node.flow_style:
        key, node = node.value[-1] if node.id == "mapping" else (key, node.value[-1])
    if _is_empty(node):
        return _line_end(text, _after_colon(text, key))
    end = int(node.end_mark.index)
    return end if text[end - 1] == "\n" else _line_end(text, end)  # a block scalar ends with its line


def _is_empty(node: Any) -> bool:
    """Say whether nothing at all is written for a value; its marks then are those of what follows."""
    return bool(node.start_mark.index == node.end_mark.index)


def _after_colon(text: str, key: Any) -> int:
    """Return the place right behind a key and its colon."""
    return text.find(":", key.end_mark.index) + 1


def _line_end(text: str, at: int) -> int:
    """Return the start of the next line."""
    return text.find("\n", at) + 1 or len(text)
