"""Reading SPSS data files (``.sav``, ``.zsav``), by the reader that `persona[spss]` installs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from sys import getsizeof
from typing import Any

from persona.errors import InputError
from persona.personas.sources import limits, spss_reader
from persona.personas.sources.records import Dataset, Hint, Record, identify, is_missing, tidy
from persona.personas.sources.xlsx import plain_number

INSTALL = "SPSS files are read with persona[spss]: pip install 'persona[spss]'"
_NOT_TICKED = "No"
"""The answer to an option that a respondent did not choose."""
_MOST_NAMED = 5
Values = Sequence[Any]


class NotInstalledError(InputError):
    """The reader of SPSS files is not installed."""


def texts(name: str, data: bytes) -> Iterator[str]:
    """Yield all texts of a data file: names, labels and values, each once.

    Raises:
        InputError: as `read_sav` does.
    """
    columns, meta = _read(name, data)
    with _damage_named(name):
        yield from _texts(columns, meta)


def _texts(columns: Mapping[str, Values], meta: Any) -> Iterator[str]:
    yield from (each for each in (*columns, *meta["labels"].values(), *meta["notes"]) if each)
    yield from (str(text) for labels in meta["values"].values() for _, text in labels)
    for values in columns.values():
        yield from sorted({_plain(value) for value in values})


def read_sav(name: str, data: bytes) -> Dataset:
    """Read a data file with what its dictionary says of the variables.

    A variable's label is the question's wording. If each value that occurs has a label, the labels are the answers, in
    the order of their codes. Declared missing values are in the hints. A multiple response set is one question.

    Raises:
        InputError: the reader is not installed; the file is damaged, or larger than what is taken.
    """
    columns, meta = _read(name, data)
    with _damage_named(name):
        return _understood(name, columns, meta)


def _understood(name: str, columns: Mapping[str, Values], meta: Any) -> Dataset:
    variables = [_Variable(column, values, meta) for column, values in columns.items()]
    sets = {key: each for key, each in meta["sets"].items() if set(each["variable_list"]) <= columns.keys()}
    inside = {each for found in sets.values() for each in found["variable_list"]}
    known = {variable.name: variable for variable in variables}
    answers: dict[str, tuple[list[str], Hint]] = {}
    for variable in variables:
        if variable.name not in inside:
            answers[variable.name] = variable.answers(), variable.hint()
        for key, found in sets.items():
            if found["variable_list"][0] == variable.name:
                answers |= _options(key, found, [known[each] for each in found["variable_list"]])
    return _dataset(name, answers, _notes(name, variables))


class _Variable:
    """A variable: its values, and what the dictionary says of them."""

    def __init__(self, name: str, values: Values, meta: Any) -> None:
        self.name, self.values = tidy(name), values
        self.label = tidy(meta["labels"].get(name) or "")
        self._labels = {value: tidy(text) for value, text in meta["values"].get(name, ())}
        self._ranges = meta["missing"].get(name, ())
        self.declared = Counter(value for value in values if self._is_missing(value))
        rest = {value for value in values if not (value is None or value == "" or value in self.declared)}
        self.labelled = bool(self._labels) and rest <= self._labels.keys()
        self.ends = {} if self.labelled else {value: text for value, text in self._labels.items() if value in rest}

    def text(self, value: Any) -> str:
        """Return a value as it is shown."""
        if value in self._labels and (self.labelled or value in self.declared):
            return self._labels[value] or _plain(value)
        return _plain(value)

    def answers(self) -> list[str]:
        """Return the answer of each respondent; "" is a gap."""
        texts = {value: self.text(value) for value in set(self.values)}
        return [texts.get(value, "") for value in self.values]

    def hint(self) -> Hint:
        """Return what the dictionary says beside the name."""
        order = sorted(self._labels, key=lambda value: (isinstance(value, str), value))
        categories = [self._labels[value] for value in order if not self._is_missing(value)] if self.labelled else ()
        missing = [self.text(value) for value in sorted(self.declared, key=str)]
        return Hint(self.label, categories=tuple(dict.fromkeys(categories)), missing=tuple(dict.fromkeys(missing)))

    def _is_missing(self, value: Any) -> bool:
        if value is None or value == "":
            return False
        for each in self._ranges:
            low, high = (each["lo"], each["hi"]) if isinstance(each, Mapping) else (each, each)
            if isinstance(value, str) == isinstance(low, str) and low <= value <= high:
                return True
        return False


def _options(key: str, found: Mapping[str, Any], variables: Sequence[_Variable]) -> dict[str, tuple[list[str], Hint]]:
    """Return the options of a multiple response set, one column each.

    Source: MRSETS in “IBM SPSS Statistics Command Syntax Reference”: a dichotomy counts one value of each variable; in
    a set of categories each variable holds one of the choices.
    """
    question = tidy(found.get("label") or "") or key.removeprefix("$")
    chosen: list[tuple[str, str, list[bool]]] = []
    if found.get("is_dichotomy"):
        counted = str(found.get("counted_value"))
        for each in variables:
            chosen.append((each.name, each.label or each.name, [_plain(value) == counted for value in each.values]))
    else:
        answers = [each.answers() for each in variables]
        for option in dict.fromkeys(text for each in answers for text in each if text):
            chosen.append((f"{question} - {option}", option, [option in row for row in zip(*answers, strict=True)]))
    asked = [any(row) for row in zip(*(each.answers() for each in variables), strict=True)]
    return {
        name: (
            [(option if hit else _NOT_TICKED) if was_asked else "" for hit, was_asked in zip(hits, asked, strict=True)],
            Hint(question=question, option=option),
        )
        for name, option, hits in chosen
    }


def _dataset(name: str, answers: Mapping[str, tuple[list[str], Hint]], notes: list[str]) -> Dataset:
    rows: list[dict[str, str]] = [{} for _ in range(max((len(each) for each, _ in answers.values()), default=0))]
    for heading, (texts, _) in answers.items():
        for row, text in zip(rows, texts, strict=True):
            if not is_missing(text):
                row[heading] = text
    if not any(rows):
        raise InputError(f"{name} holds no answers.", hint="Check that it is the right file.")
    ids = identify(rows, answers)
    records = [Record(name, key, row) for key, row in zip(ids, rows, strict=True) if row]
    return Dataset(records, notes, {heading: hint for heading, (_, hint) in answers.items()})


def _notes(name: str, variables: Sequence[_Variable]) -> list[str]:
    notes = []
    if ends := [each for each in variables if each.ends]:
        shown = [
            f"{each.name} ({', '.join(f'{_plain(v)} = {t}' for v, t in [*each.ends.items()][:3])})" for each in ends
        ]
        notes.append(f"{name}: only some values have a label, so the numbers were read: {_first(shown)}.")
    return notes


def _first(shown: Sequence[str]) -> str:
    more = len(shown) - _MOST_NAMED
    return ", ".join(shown[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _read(name: str, data: bytes) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Return the values of all variables by their names, and the dictionary."""
    if find_spec("pyreadstat") is None:
        raise NotInstalledError(f"{name} is an SPSS data file, whose reader is not installed.", hint=INSTALL)
    with _damage_named(name), closing(spss_reader.lines(name, data)) as lines:
        meta = next(lines)
        _check_size(name, meta)
        columns: dict[str, list[Any]] = {each: [] for each in meta["names"]}
        size = 0
        for each, values in lines:
            columns[each] += values
            size += sum(getsizeof(value) for value in set(values) if isinstance(value, str))
            if size > limits.MAX_TEXT:
                raise limits.too_much_text(name, limits.MAX_TEXT)
    return columns, meta


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Make an error of the input of whatever a hostile file makes of the reader, or of what it read."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name} is damaged, or no SPSS data file: {tidy(str(error))[:100]}.") from error


def _check_size(name: str, meta: Mapping[str, Any]) -> None:
    for what, count, most in (
        ("variables", len(meta["names"]), limits.MAX_COLUMNS),
        ("rows", meta["rows"], limits.MAX_RECORDS),
        ("cells", meta["rows"] * len(meta["names"]), limits.MAX_CELLS),
    ):
        if count > most:
            raise limits.too_many(name, what, most)


def _plain(value: Any) -> str:
    """Return a value as text: numbers without needless digits."""
    if value is None:
        return ""
    return plain_number(value) if isinstance(value, float) else tidy(str(value))
