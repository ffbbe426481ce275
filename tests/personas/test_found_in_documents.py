"""Whoever `generate` counts as a respondent of a document is found in it by `persona storage erase`."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from persona.personas.sources.read import read_files
from persona.personas.subjects import HEAD_BYTES, ids_of, is_opaque, look
from tests.personas.projects import ANNA, BEN, CODED, qdpx, qualcoder, taguette
from tests.personas.test_workbooks import _ods
from tests.personas.workbooks import sheets

TEXTS = {"a": ANNA, "b": BEN}
CASES = '<Case guid="k1" name="P1"><SourceRef targetGUID="a"/></Case>'


def spss(folder: Path) -> bytes:
    table = pd.DataFrame({"Participant": [101.0, 102.0, 103.0], "name": ["Anna", "Ben", "Cleo"]})
    pyreadstat.write_sav(table, folder / "s.sav", column_labels={"name": "Known as Zoë"})
    return (folder / "s.sav").read_bytes()


def documents(folder: Path) -> dict[str, bytes]:
    numbered: list[list[object]] = [["Respondent ID", "Q"], *([118000 + n, "Yes"] for n in range(4))]
    titled: list[list[str]] = [["Results of 2026"], ["Participant", "Q"], *([f"P{n}", "Yes"] for n in range(4))]
    return {
        "numbers.xlsx": sheets({"A": numbered}),
        "waves.xlsx": sheets({"A": titled[1:], "B": [["Participant", "Q"], *([f"N{n}", "No"] for n in range(4))]}),
        "titled.xlsx": sheets({"A": titled}),
        "a.ods": _ods(),
        "s.sav": spss(folder),
        "s.qdpx": qdpx(TEXTS, CODED, cases=CASES),
        "s.sqlite3": taguette(TEXTS, CODED),
        "data.qda": qualcoder(TEXTS, CODED, "INSERT INTO cases (caseid, name) VALUES (1, 'P1')",
                              "INSERT INTO case_text (caseid, fid, pos0, pos1) VALUES (1, 1, 0, 200)"),
    }  # fmt: skip


def test_each_respondent_of_each_document_is_named(tmp_path: Path) -> None:
    for name, data in documents(tmp_path).items():
        respondents = [record.id for record in read_files([(name, data)]).records]
        assert respondents
        assert not is_opaque(data[:HEAD_BYTES])
        for subject in respondents:
            seen = look(f"study/{name}", data, subject)
            assert seen.trace is not None, (name, subject)
            assert not seen.trace.certain
            assert seen.trace.left == data
            assert subject in ids_of(f"study/{name}", data)
        stranger = look(f"study/{name}", data, "118999")
        assert stranger.trace is None
        assert not stranger.opaque, (name, stranger.opaque)


def test_what_a_database_has_deleted_is_named() -> None:
    base = sqlite3.connect(":memory:")
    base.execute("PRAGMA secure_delete = 0")
    base.execute("CREATE TABLE t (who TEXT, said TEXT)")
    base.executemany("INSERT INTO t VALUES (?, ?)", [(f"P{n}", "words " * 9) for n in range(90)])
    base.commit()
    data = base.serialize()
    assert look("x.db", data, "P7").trace is not None
    for statement in ("DELETE FROM t WHERE who = 'P7'", "DELETE FROM t"):
        base.execute(statement)
        base.commit()
        seen = look("x.db", base.serialize(), "P7")
        assert seen.trace is not None
        assert seen.trace.what == ("a mention among deleted rows",)
        assert look("x.db", base.serialize(), "P700").trace is None
    base.close()
    assert look("x.db", data[:4096] + b"\xff" * (len(data) - 4096), "P7").opaque


def test_an_spss_file_without_its_reader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = spss(tmp_path)
    assert look("s.sav", data, "Zoë").trace is not None
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    (named,) = look("s.sav", data, "P1").opaque
    assert "pip install 'persona[spss]'" in named.reason
