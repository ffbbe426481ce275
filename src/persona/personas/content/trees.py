"""One respondent in a tree of mappings and lists, such as JSON and YAML: which parts go, and where they stand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from persona.personas.content.people import (
    Naming,
    answers,
    asks,
    in_series,
    is_people,
    names_person,
    normalised,
    same,
)
from persona.personas.content.turns import speak_others

_NUMBERED = "Parts of the respondent's record may be other people's, and stay: see whose they are."


@dataclass(slots=True)
class Node:
    """A value in a text.

    Args:
        start: the first character.
        end: the character behind it.
        value: of a scalar.
        items: of a list, in order.
        pairs: of a mapping, in order; a key may be there twice.
        block: written on lines of its own rather than between brackets.
    """

    start: int
    end: int
    value: object = None
    items: list[Node] | None = None
    pairs: list[Pair] | None = None
    block: bool = False


@dataclass(slots=True)
class Pair:
    """A key of a mapping with its value; `start` is the key's first character."""

    start: int
    key: str
    node: Node

    @property
    def end(self) -> int:
        """Return the character behind the value."""
        return self.node.end


@dataclass
class Pruned:
    """What of a tree is a respondent's.

    Args:
        count: how many records.
        doubt: why parts that stay may be the respondent's as well.
        removed: the parts of each list or mapping that go, by their positions in it.
    """

    count: int = 0
    doubt: str = ""
    removed: list[tuple[Node, list[int]]] = field(default_factory=list)


def prune(root: Node, subject: str) -> tuple[Pruned, bool]:
    """Return which parts of a tree are a respondent's, and whether nothing else is left."""
    pruned = Pruned()
    gone = _prune(root, subject, pruned, key="", others=False)
    left = root.items if root.items is not None else root.pairs
    last = [positions for node, positions in pruned.removed if node is root]
    return pruned, gone or (bool(left) and bool(last) and len(last[0]) == len(left or ()))


def ids(value: object) -> Iterator[str]:
    """Yield everything in plain values that may be somebody's id."""
    if isinstance(value, dict):
        yield from Naming(_plain_fields(value)).ids()
        for key, inner in value.items():
            yield normalised(str(key))
            if is_people(str(key)) and isinstance(inner, list):
                yield from (normalised(str(each)) for each in inner if isinstance(each, str | int))
            yield from ids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from ids(inner)


def plain(node: Node) -> object:
    """Return a tree as plain values."""
    if node.pairs is not None:
        return {pair.key: plain(pair.node) for pair in node.pairs}
    return node.value if node.items is None else [plain(each) for each in node.items]


def holds_others(node: Node, subject: str) -> bool:
    """Say whether other people may be in a tree: whoever is named is one, if it is not the respondent."""
    if bool(Naming(_fields(node)).others(subject)) or _holds_others(node, subject):
        return True
    return any(value != subject for value in _named(node))


def _named(node: Node) -> Iterator[str]:
    for key, value in _fields(node):
        if names_person(key) and isinstance(value, str) and not (asks(value) or answers(value)):
            yield normalised(value)
    for inner in (*(node.items or ()), *(pair.node for pair in node.pairs or ())):
        yield from _named(inner)


def spans(pruned: Pruned) -> list[tuple[int, int]]:
    """Return the characters to cut, each part with its comma. For what stands between brackets."""
    found = []
    for node, positions in pruned.removed:
        found += flow_spans(node.items or node.pairs or [], set(positions))
    return found


def flow_spans(parts: Sequence[Node | Pair], gone: set[int]) -> list[tuple[int, int]]:
    """Return what goes of one list: each part up to the next one, and the last ones from the end of what stays."""
    stays = [n for n in range(len(parts)) if n not in gone]
    if not stays:
        return [(parts[0].start, parts[-1].end)]
    tail = stays[-1]
    found = [(parts[n].start, parts[n + 1].start) for n in gone if n < tail]
    return [*found, (parts[tail].end, parts[-1].end)] if tail < len(parts) - 1 else found


def _prune(node: Node, subject: str, pruned: Pruned, *, key: str, others: bool) -> bool:
    """Note which parts of a value are a respondent's; return whether all of it is.

    Args:
        node: the value.
        subject: the id.
        pruned: takes the notes.
        key: the field that holds it.
        others: whether it is part of another respondent's record, in which ``id`` and keys number other things.
    """
    if node.items is not None:
        people = is_people(key)
        gone = [
            n
            for n, item in enumerate(node.items)
            if (people and same(item.value, subject)) or _prune(item, subject, pruned, key="", others=others)
        ]
        pruned.count += sum(people and same(node.items[n].value, subject) for n in gone)
        _note(node, gone, pruned)
        return False
    if node.pairs is None:
        return False
    naming = Naming(_fields(node))
    if naming.mine(subject, numbers=not others):
        return _counted(node, subject, pruned, naming.keys(subject))
    others = others or bool(naming.others(subject))
    gone = []
    for n, pair in enumerate(node.pairs):
        keyed = not others and normalised(pair.key) == subject
        if (
            _counted(pair.node, subject, pruned, ())
            if keyed
            else _prune(pair.node, subject, pruned, key=pair.key, others=others)
        ):
            gone.append(n)
    _note(node, gone, pruned)
    return False


def _counted(node: Node, subject: str, pruned: Pruned, keys: Collection[str]) -> bool:
    """Do as `_prune_own`, and count the record if any of it goes."""
    before = len(pruned.removed)
    gone = _prune_own(node, subject, pruned, keys)
    pruned.count += gone or len(pruned.removed) > before
    return gone


def _prune_own(node: Node, subject: str, pruned: Pruned, keys: Collection[str]) -> bool:
    """Note which parts of a respondent's record go: all but those in which other people or an interviewer speak.

    Args:
        node: the record, or a part of it.
        subject: the id.
        pruned: takes the notes.
        keys: the fields that name the respondent; where one names somebody else, the part is that person's.

    Returns:
        Whether all of it goes.
    """
    if not _holds_others(node, subject, keys):
        return True
    children = node.items if node.items is not None else [pair.node for pair in node.pairs or ()]
    gone = []
    for n, child in enumerate(children):
        naming = Naming(_fields(child))
        if _is_others(node, n, child, subject, keys):
            pruned.doubt = pruned.doubt or ("" if naming.surely_others(subject) else _NUMBERED)
            _prune(child, subject, pruned, key="", others=True)
        elif any(asks(str(value)) for value in naming.speakers):
            continue
        elif _prune_own(child, subject, pruned, keys):
            gone.append(n)
    _note(node, gone, pruned)
    return False


def _note(node: Node, gone: list[int], pruned: Pruned) -> None:
    if gone:
        pruned.removed.append((node, gone))


def _holds_others(node: Node, subject: str, keys: Collection[str] = ()) -> bool:
    """Say whether a value holds records, or turns, of other people."""
    nested = node.items if node.items is not None else [pair.node for pair in node.pairs or ()]
    return any(
        _is_others(node, n, each, subject, keys) or _holds_others(each, subject, keys) for n, each in enumerate(nested)
    )


def _is_others(parent: Node, position: int, node: Node, subject: str, keys: Collection[str]) -> bool:
    """Say whether a part of a record is of other people: by what it names, by its key, or by who speaks in a text."""
    key = parent.pairs[position].key if parent.pairs is not None else ""
    if in_series(key, subject) and normalised(key) != subject:
        return True
    if isinstance(node.value, str):
        return speak_others(node.value, subject)
    if node.items is None and node.pairs is None:
        return False
    fields = _fields(node)
    naming = Naming(fields)
    if naming.others(subject) or naming.beside(keys, subject):
        return True
    return any(isinstance(value, str) and in_series(value, subject) and not same(value, subject) for _, value in fields)


def _fields(node: Node) -> list[tuple[str, object]]:
    """Return the scalar fields of a mapping, with those of ``participant: {id: …}`` as ``participant id``."""
    found = [(pair.key, pair.node.value) for pair in node.pairs or ()]
    for pair in node.pairs or ():
        inner = ((f"{pair.key} {each.key}", each.node.value) for each in pair.node.pairs or ())
        found += [(key, value) for key, value in inner if names_person(key)]
    return found


def _plain_fields(value: dict[str, object]) -> Iterator[tuple[str, object]]:
    for key, inner in value.items():
        yield str(key), inner
        if isinstance(inner, dict):
            for name, each in inner.items():
                if names_person(joined := f"{key} {name}"):
                    yield joined, each
