"""SPSS data files, written by the library that reads them: labels, missing values and multiple response sets."""

from __future__ import annotations

import datetime
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

from persona.errors import InputError
from persona.personas.sources import limits, spss_reader
from persona.personas.sources.read import read_files
from persona.personas.sources.records import Dataset, Hint
from persona.personas.survey.understand import understand

TABLE = {
    "resp_id": ["a1", "a2", "a3", "a4"],
    "sat": [1.0, 3.0, -9.0, None],
    "nps": [0.0, 7.0, 10.0, 99.0],
    "age": [30.5, 41.0, 997.0, 20.0],
    "day": [datetime.date(2026, 3, 1)] * 4,
    "said": ["Über", "", "It's late", "n/a"],
    "tv": [1.0, 0.0, 0.0, None],
    "web": [1.0, 1.0, 0.0, None],
    "red": [1.0, 2.0, None, None],
    "blue": [2.0, None, None, None],
}
LABELS: dict[str, str | None] = {"sat": "How satisfied are you?", "tv": "Television", "web": "The web"}
VALUES = {
    "sat": {1.0: "Bad", 2.0: "Fair", 3.0: "Good", -9.0: "No answer"},
    "nps": {0.0: "Unlikely", 10.0: "Likely", 99.0: "Don't know"},
    "tv": {0.0: "No", 1.0: "Yes"},
    "red": {1.0: "First", 2.0: "Second"},
    "blue": {1.0: "First", 2.0: "Second"},
}
MISSING: dict[str, Any] = {"sat": [-9], "nps": [99], "age": [{"lo": 990, "hi": 999}]}


def written(path: Path, *, sets: str = "", compress: bool = False) -> bytes:
    """Return a file of SPSS's; a record of its dictionary with multiple response sets is put in by hand."""
    pyreadstat.write_sav(
        pd.DataFrame(TABLE),
        path,
        column_labels=LABELS,
        variable_value_labels=VALUES,
        missing_ranges=MISSING,
        compress=compress,
    )
    data, text = path.read_bytes(), sets.encode()
    end = data.index(struct.pack("<ii", 999, 0))
    return data[:end] + (struct.pack("<iiii", 7, 7, 1, len(text)) + text if sets else b"") + data[end:]


def read(data: bytes) -> Dataset:
    return read_files([("s.sav", data)])


def test_labels_missing_values_and_dates(tmp_path: Path) -> None:
    plain, packed = (read(written(tmp_path / "s.sav", compress=each)) for each in (False, True))
    assert plain == replace(packed, digest=plain.digest)
    assert plain.records[2].fields["sat"] == "No answer"
    survey = understand(plain)
    assert [(record.id, dict(record.fields)) for record in survey.respondents][2:] == [
        ("a3", {"resp_id": "a3", "nps": "10", "day": "2026-03-01", "said": "It's late", "tv": "No", "web": "0"}),
        ("a4", {"resp_id": "a4", "age": "20", "day": "2026-03-01"}),
    ]
    assert any("No answer" in note for note in survey.notes)
    assert plain.records[0].fields["sat"] == "Bad"
    assert plain.records[0].fields["age"] == "30.5"
    assert plain.hints["sat"] == Hint(
        "How satisfied are you?", categories=("Bad", "Fair", "Good"), missing=("No answer",)
    )
    assert plain.hints["age"] == Hint(missing=("997",))
    assert plain.notes == [
        "s.sav: only some values have a label, so the numbers were read: nps (0 = Unlikely, 10 = Likely).",
    ]


def test_a_multiple_response_set_is_one_question(tmp_path: Path) -> None:
    data = written(tmp_path / "s.sav", sets="$media=D1 1 19 Which media you use tv web\n$col=C 7 Colours red blue\n")
    dataset = read(data)
    options = {name: (hint.question, hint.option) for name, hint in dataset.hints.items() if hint.option}
    assert options == {
        "tv": ("Which media you use", "Television"),
        "web": ("Which media you use", "The web"),
        "Colours - First": ("Colours", "First"),
        "Colours - Second": ("Colours", "Second"),
    }
    assert [[record.fields.get(name) for name in options] for record in dataset.records] == [
        ["Television", "The web", "First", "Second"],
        ["No", "The web", "No", "Second"],
        ["No", "No", None, None],
        [None] * 4,
    ]


def test_limits_and_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(tmp_path / "s.sav")
    for bad in (data[:300], data[:-40], b"$FL2" + b"\0" * 400, b"$FL2"):
        with pytest.raises(InputError, match="damaged"):
            read(bad)
    for name, value, says in (
        ("MAX_COLUMNS", 3, "variables"),
        ("MAX_RECORDS", 3, "rows"),
        ("MAX_CELLS", 9, "cells"),
        ("MAX_TEXT", 5, "too much text"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(limits, name, value)
            with pytest.raises(InputError, match=says):
                read(data)


def test_without_the_reader_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written(tmp_path / "s.sav")
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    with pytest.raises(InputError, match="reader is not installed") as caught:
        read(data)
    assert "pip install 'persona[spss]'" in caught.value.hint


def test_a_file_that_crashes_its_reader_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is a process of its own: what ends it, or cuts its answer short, ends nothing else."""
    data = written(tmp_path / "s.sav")
    python = sys.executable
    for program in ("import os; os.abort()", "print('{}')", "print('[')", "import time; time.sleep(60)"):
        with monkeypatch.context() as patch:
            fake = tmp_path / "python"
            fake.write_text(f'#!/bin/sh\nexec {python} -c "{program}"\n')
            fake.chmod(0o700)
            patch.setattr(sys, "executable", str(fake))
            patch.setattr(spss_reader, "MAX_SECONDS", 0.5)
            with pytest.raises(InputError, match="is damaged"):
                read(data)
