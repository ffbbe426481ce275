"""Tick boxes: one column an option, read as one question with several answers.

A box is ticked where its cell holds the option's label, or ``x``, ``1``, ``TRUE``, ``Yes``, ``Selected`` and the like;
a blank cell, ``0``, ``No``, ``FALSE`` or ``Not selected`` is a box that is not ticked. That is never an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

from persona.personas.sources.records import Answer
from persona.personas.survey.draft import Draft, some
from persona.personas.survey.metadata import is_id
from persona.personas.survey.questions import Kind, Question, Use
from persona.personas.survey.stems import Part, by_stem, last_option, parts_of

_TICKED = frozenset(
    {"x", "✓", "✔", "☑", "☒", "1", "1.0", "true", "yes", "y", "selected", "checked", "ticked", "marked", "chosen", "on"}
    | {"mentioned", "quoted", "ja", "oui", "sí", "si", "sì", "sim", "はい", "是", "genannt", "ausgewählt", "gewählt"}
    | {"angekreuzt", "coché", "seleccionado", "selezionato", "selecionado", "geselecteerd"}
)
_OPEN = frozenset(
    {
        "0",
        "0.0",
        "-99",
        "false",
        "no",
        "n",
        "not selected",
        "unselected",
        "not checked",
        "unchecked",
        "not ticked",
        "off",
    }
    | {"not chosen", "not mentioned", "not quoted", "nein", "non", "não", "nee", "いいえ", "否", "nicht genannt"}
    | {"nicht gewählt", "nicht ausgewählt", "non coché", "no seleccionado", "non selezionato", "não selecionado", "☐"}
)
MARKS = _TICKED | _OPEN
"""What a cell of a box says, in small letters, where it does not hold the option."""
_NONE_OF = (
    "none",
    "keine",
    "nichts davon",
    "aucun",
    "ningun",
    "nessun",
    "nenhum",
    "geen",
    "no answer",
    "i do not",
    "i don",
)


@dataclass(frozen=True)
class Box:
    """One tick box.

    Args:
        name: its column.
        option: what is ticked.
        ticked: the answer that says so; "" if nobody ticked it.
        explicit: whether a box that is not ticked has an answer of its own.
        labelled: whether the ticked cell holds the option itself.
    """

    name: str
    option: str
    ticked: str
    explicit: bool
    labelled: bool = False


def tick_boxes(draft: Draft) -> None:
    """Make one question with several answers of each row of tick boxes, and of a box that stands alone."""
    boxes = {name: box for name in draft.open() if (box := _box(draft, name))}
    for stem, parts in _groups(draft, boxes):
        _merge(draft, stem, [_named(boxes[part.name], part) for part in parts])
        for part in parts:
            boxes.pop(part.name)
    for run in _runs(draft, boxes):
        _merge(draft, f"Ticked: {', '.join(box.option for box in run)}"[:120], run)
        for box in run:
            boxes.pop(box.name)
    alone = [box for box in boxes.values() if _is_alone(draft, box)]
    beside = {box.name for box in alone} | {_alone(draft, box) for box in alone}
    for box in alone:
        _merge(draft, _alone(draft, box), [_worded(box)], beside)


def _box(draft: Draft, name: str) -> Box | None:
    """Return a column as a tick box, or None if it cannot be one."""
    counts = draft.counts(name)
    if any(isinstance(answer, tuple) for answer in draft.columns[name]):
        return None
    marks = [answer for answer in counts if answer.lower() not in _OPEN]
    opened = len(counts) - len(marks)
    if len(marks) > 1 or opened > 1:
        return None
    mark = marks[0] if marks else ""
    labelled = bool(mark) and _is_label(draft, name, mark)
    if opened and mark and not labelled and mark.lower() not in _TICKED:
        return None
    if mark and not opened and not labelled and None not in draft.columns[name] and mark.lower() not in _TICKED:
        return None  # everybody gives this answer
    return Box(name, mark if labelled else last_option(draft, name), mark, bool(opened), labelled)


def _is_label(draft: Draft, name: str, mark: str) -> bool:
    """Say whether an answer is what the heading ends with; a number behind it says nothing, and numbers tick boxes."""
    options = {part.option.casefold() for part in parts_of(draft, name) if not part.numbered}
    return mark.casefold() in options | {draft.wording(name).casefold(), name.casefold()}


def _groups(draft: Draft, boxes: dict[str, Box]) -> Iterable[tuple[str, list[Part]]]:
    """Return the questions whose columns are all tick boxes, each column in one of them.

    Where the cells hold the options, these say where the question ends. Otherwise the question with the most columns
    is taken, and of those the longest one, as in ``group/question/option``: what all options begin with is asked.
    """
    every = by_stem(draft, [name for name in draft.open() if name not in draft.owner])
    usable = {stem: parts for stem, parts in every.items() if _are_boxes(parts, boxes)}
    order = sorted(usable, key=lambda stem: _preference(stem, usable[stem], boxes))
    taken = set[str]()
    for stem in order:
        parts = [part for part in usable[stem] if part.name not in taken]
        if len(parts) > 1:
            taken |= {part.name for part in parts}
            yield stem, parts


def _preference(stem: str, parts: Sequence[Part], boxes: dict[str, Box]) -> tuple[int, bool, int]:
    """Return what sorts the questions: most columns first, then those whose headings word the options, the longest."""
    return -_fitting(parts, boxes), all(part.numbered for part in parts), -len(stem)


def _fitting(parts: Sequence[Part], boxes: dict[str, Box]) -> int:
    """Return how many columns hold their options as this question has them; columns of marks fit any."""
    return sum(not boxes[p.name].labelled or boxes[p.name].option.casefold() == p.option.casefold() for p in parts)


def _are_boxes(parts: Sequence[Part], boxes: dict[str, Box]) -> bool:
    """Say whether all columns of a question are tick boxes, and somebody ticked two of them."""
    found = [boxes[part.name] for part in parts if part.name in boxes]
    if len(found) < len(parts) or sum(bool(box.ticked) for box in found) < 2:
        return False
    marks = {box.ticked.lower() for box in found if box.ticked and not box.labelled}
    known = marks <= _TICKED or not any(box.explicit for box in found)
    bare = all(part.numbered for part in parts) and not any("_" in part.name or "." in part.name for part in parts)
    return known and not (bare and any(box.explicit for box in found))


def _named(box: Box, part: Part) -> Box:
    """Return a box with its option: the heading's, or the cell's where the heading has only a number."""
    if box.labelled:
        return box
    told = box.ticked if part.numbered and box.ticked.lower() not in _TICKED and not box.ticked.isdigit() else ""
    return Box(box.name, told or part.option, box.ticked, box.explicit)


def _runs(draft: Draft, boxes: dict[str, Box]) -> Iterable[list[Box]]:
    """Return neighbouring columns that hold their own headings or nothing, as Typeform writes them."""
    run: list[Box] = []
    for name in [*draft.columns, ""]:
        box = boxes.get(name)
        if box is not None and box.labelled and box.ticked.casefold() == draft.wording(name).casefold():
            run.append(box)
            continue
        if len(run) > 1:
            yield run
        run = []


def _is_alone(draft: Draft, box: Box) -> bool:
    """Say whether a column of its own is a box: ticked in some rows, blank in others, and never anything else."""
    known = box.labelled or box.ticked.lower() in _TICKED
    return bool(box.ticked) and known and not box.explicit and None in draft.columns[box.name]


def _alone(draft: Draft, box: Box) -> str:
    """Return the question of a single box."""
    stems = [part.stem for part in parts_of(draft, box.name) if part.option.casefold() == box.option.casefold()]
    return stems[0] if box.labelled and stems else box.name


def _worded(box: Box) -> Box:
    """Return a box that stands alone with the word that ticks it, such as “Yes”; a mark says less than its heading."""
    words = not box.labelled and len(box.ticked) > 1 and box.ticked.isalpha()
    return replace(box, option=box.ticked) if words else box


def _merge(draft: Draft, stem: str, boxes: list[Box], alone: Set[str] = frozenset()) -> None:
    """Put one question in the place of its boxes; those that stand alone, as others do, tell not who was asked."""
    columns = [draft.columns[box.name] for box in boxes]
    answers: list[Answer | None] = []
    for cells in zip(*columns, strict=True):
        ticked = tuple(
            dict.fromkeys(box.option for box, cell in zip(boxes, cells, strict=True) if cell and cell == box.ticked)
        )
        answers.append(ticked if ticked or any(cell is not None for cell in cells) else None)
    _asked(draft, boxes, answers, alone)
    counts = {box.option: sum(box.option in (answer or ()) for answer in answers) for box in boxes}
    name = stem
    while name in draft.columns and name not in {box.name for box in boxes}:
        name += " (ticked)"
    if name != stem:
        _count_once(draft, stem, name, answers)
    draft.merge(name, [box.name for box in boxes], answers)
    boxes_word = "tick box" if len(boxes) == 1 else "tick boxes"
    why = f"{len(boxes)} {boxes_word}, one column an option"
    told = len(boxes) > 1 or () in answers  # else all who were surely asked ticked it
    draft.decided[name] = Question(
        name,
        Kind.MULTIPLE,
        Use.DRIVE if told else Use.IGNORE,
        why if told else f"{why}; who left it blank may not have been asked",
        categories=tuple(sorted((o for o in counts if counts[o]), key=lambda option: (-counts[option], option))),
        columns=tuple(box.name for box in boxes),
    )
    options = some([box.option for box in boxes], 3)
    draft.notes.append(f"“{name}”: {len(boxes)} {boxes_word} read as one question with several answers ({options}).")


def _count_once(draft: Draft, summary: str, name: str, answers: Sequence[Answer | None]) -> None:
    """Ignore a column that holds in one cell what the boxes of its name hold, as KoBo's “both” does."""
    for separator in (None, ";", ","):
        lists = [
            tuple(part.strip() for part in cell.split(separator) if part.strip()) if isinstance(cell, str) else None
            for cell in draft.columns[summary]
        ]
        both = [(cell, ticked) for cell, ticked in zip(lists, answers, strict=True) if cell and ticked]
        if both and sum(len(cell) == len(ticked) for cell, ticked in both) >= 0.95 * len(both):
            draft.columns[summary] = [*lists]
            why = f"the same as “{name}”, which is compared"
            draft.decided[summary] = Question(summary, Kind.MULTIPLE, Use.IGNORE, why, draft.hint(summary).label)
            draft.notes.append(f"“{summary}” holds the same as its tick boxes, and counts once.")
            return


def _asked(draft: Draft, boxes: Sequence[Box], answers: list[Answer | None], alone: Set[str]) -> None:
    """Make no answer of a row without a tick an empty one, where the respondent was surely asked.

    That is so if they answered the questions before and after, no box stands for “none of these”, and a box that is not
    ticked has no answer of its own.
    """
    if any(box.explicit for box in boxes) or any(box.option.lower().startswith(_NONE_OF) for box in boxes):
        return
    beside = _neighbours(draft, {box.name for box in boxes}, alone)
    if beside:
        for place, answer in enumerate(answers):
            if answer is None and all(column[place] is not None for column in beside):
                answers[place] = ()


def _neighbours(draft: Draft, names: set[str], alone: Set[str]) -> list[list[Answer | None]]:
    """Return the answers to the questions before and after some columns; ids and remarks on “Other” are none."""
    passed = {name for name in draft.columns if name in alone or name in draft.owner or is_id(name)}
    order = [name for name in draft.columns if name in names or name not in passed]
    places = [n for n, name in enumerate(order) if name in names]
    beside = [n for n in (places[0] - 1, places[-1] + 1) if 0 <= n < len(order)]
    return [draft.columns[order[n]] for n in beside]
