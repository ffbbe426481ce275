"""Files that are bombs, or no files at all: refused in words, in time, and in bounded memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from persona.errors import InputError
from persona.moments import moment
from persona.personas import document
from persona.personas.sources import limits
from persona.personas.sources.read import read_files, read_path
from tests import unmeasured
from tests.hostile.torment import MOST_MB
from tests.personas.workbooks import by_hand, row, zipped

FULL = limits.MAX_FILE_BYTES - 64
SURVEY = b"id,q,r\n" + b"".join(b"%d,%s,The bus is late\n" % (n, b"yes" if n % 2 else b"no") for n in range(12))
BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a line without end": ("a.csv", lambda: b"q,r\n" + b"x" * FULL, "characters long, and 1,048,576 is the limit"),
    "a quote never closed": ("a.csv", lambda: b'q,r\n"' + b"x\n" * 200_000, "field larger than field limit"),
    "millions of columns": ("a.csv", lambda: b"q,r\n" + b"," * 1_000_000, "more than 5,000 columns"),
    "millions of rows": ("a.csv", lambda: b"q,r\n" + b"a,b\n" * (FULL // 4), "more than 300,000 lines"),
    "millions of cells": ("a.csv", lambda: (b"aa," * 4999 + b"b\n") * 401, "more than 2,000,000 cells"),
    "one heading for all": ("a.csv", lambda: b"q," * 4999 + b"q\n" + b"1," * 4999 + b"2\n", ""),
    "a heading of a novel": (
        "a.csv",
        lambda: b"q" * 9000 + b",r\n1,2\n",
        "the heading of column 1 is 9,000 characters",
    ),
    "empty lists": ("a.json", lambda: b"[" + b"[]," * (FULL // 3) + b"1]", "more than 2,000,000 values"),
    "nesting": ("a.json", lambda: b"[" * 900_000, "nested too deeply"),
    "numbers of a megabyte": ("a.json", lambda: b'[{"a": ' + b"9" * (1 << 20) + b', "b": NaN, "c": -Infinity}]', ""),
    "a key twice": ("a.json", lambda: b'[{"a": 1, "b": 2, "a": 3}]', "the key “a” is there twice"),
    "a record without end": ("a.jsonl", lambda: b'{"a": "' + b"x" * FULL, "line 1 is .* characters long"),
    "a transcript of blanks": ("a.txt", lambda: b"P1: a\nb" + b" " * 3_000_000 + b"c\nP1: d\n", ""),
    "a transcript of people": (
        "a.txt",
        lambda: b"Interviewer: Why?\n" + b"".join(b"P%d: hi\n" % n for n in range(150_000)),
        "respondents",
    ),
    "a question without a mark": ("a.txt", lambda: b"Interviewer: " + b"why " * 900_000 + b"\nP1: yes it is\n", ""),
    "ends of lines of Unicode": ("a.txt", lambda: "\u2028".encode() * (FULL // 3), "lines"),
    "a NUL": ("a.csv", lambda: b"a,b\n1,\0\n", "not a text file"),
    "UTF-16 cut short": ("a.csv", lambda: "a,b\n1,2\n".encode("utf-16")[:-1], "not a text file"),
    "an emoji in each line": ("a.csv", lambda: ("🚲" + "x" * 999 + ",y\n").encode() * 43_000, "too much text"),
    "a workbook of two far cells": (
        "a.xlsx",
        lambda: by_hand('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'),
        "more than 5,000 columns",
    ),
    "a workbook of one text": ("a.xlsx", lambda: by_hand(row("x" * 40_000_000)), "characters long"),
    "a workbook of one tag": ("a.xlsx", lambda: by_hand(f'<row a="{"x" * 40_000_000}"/>'), "a tag without end"),
    "a workbook of blanks": ("a.xlsx", lambda: by_hand(" " * 100_000_000 + "<row/>"), "is empty"),
    "a project of elements": (
        "a.qdpx",
        lambda: zipped({"project.qde": "<Project>" + "<a/>" * 3_000_000 + "</Project>"}),
        "more than 400,000 elements",
    ),
    "too large": ("a.txt", lambda: b"x" * (limits.MAX_FILE_BYTES + 1), "16 MiB is the limit"),
    "too large a table": ("a.csv", lambda: b"x" * (limits.MAX_TABLE_BYTES + 1), "64 MiB is the limit"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_or_read(kind: str) -> None:
    name, make, says = BOMBS[kind]
    if not says:
        assert read_files([(name, make())]).records
        return
    with pytest.raises(InputError, match=says) as caught:
        read_files([(name, make())])
    assert name in caught.value.message or "The input" in caught.value.message
    assert len(caught.value.message) < 400


READ_ALL = """
import json, sys, time
from tests.hostile.test_files import BOMBS
from persona.errors import InputError
from persona.personas.sources.read import read_files
started = time.monotonic()
for name, make, _ in BOMBS.values():
    try:
        read_files([(name, make())])
    except InputError:
        pass
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # not that of whoever began it
print(json.dumps([int(peak.split()[1]) // 1024, time.monotonic() - started]))
"""


def test_no_bomb_takes_much_memory() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", READ_ALL],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=unmeasured.environment(),
    )
    peak, seconds = json.loads(ran.stdout)
    assert peak < MOST_MB
    assert seconds < 60


def test_many_files_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_TOTAL_BYTES", 2 * len(SURVEY))
    with pytest.raises(InputError, match="The input is too large"):
        read_files((f"{n}.csv", SURVEY) for n in range(9))


@pytest.mark.parametrize("where", ["itself", "in a folder"])
def test_what_is_no_file(tmp_path: Path, where: str) -> None:
    (tmp_path / "a.csv").write_bytes(SURVEY)
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "circle").symlink_to(".", target_is_directory=True)
    (tmp_path / "secret.txt").symlink_to("/etc/passwd")
    listening = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(tmp_path)  # an address of a socket is short
    try:
        listening.bind("socket.csv")
    finally:
        os.chdir(here)
        listening.close()
    if where == "itself":
        for name in ("pipe.csv", "device.csv", "socket.csv", "loop.csv"):
            with pytest.raises(InputError, match=r"neither a file nor a folder|cannot be read"):
                read_path(tmp_path / name)
        return
    dataset = read_path(tmp_path)
    assert {record.file for record in dataset.records} == {"a.csv"}
    note = next(note for note in dataset.notes if "links" in note)
    assert all(name in note for name in ("secret.txt", "device.csv", "loop.csv")), note


def test_a_link_within_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.csv").write_bytes(SURVEY)
    (tmp_path / "b.csv").symlink_to("real/a.csv")
    assert {record.file for record in read_path(tmp_path).records} == {"real/a.csv", "b.csv"}


def test_a_folder_of_a_thousand_levels(tmp_path: Path) -> None:
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1200):
            Path("d").mkdir()
            os.chdir("d")
        Path("a.csv").write_bytes(SURVEY)
    finally:
        os.chdir(here)
    try:
        with pytest.raises(InputError):
            read_path(tmp_path)
    finally:  # which Python's own way of removing a folder cannot
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_a_folder_of_very_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ENTRIES", 50)
    for number in range(60):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(InputError, match="more than 50 files and folders"):
        read_path(tmp_path)


PERSONA_BOMBS: dict[str, tuple[bytes, str]] = {
    "a program": (b"schema_version: !!python/object/apply:os.system [id]\n", "not YAML"),
    "values without end": (b"schema_version: 1\nx: [" + b"a," * 300_000 + b"]", "more than 250,000 values"),
    "a huge number": (b"schema_version: 0x" + b"f" * 100_000, "not a valid persona"),
    "a huge decimal": (b"schema_version: " + b"9" * 100_000, "not a YAML text"),
    "a truth that is none": (b"schema_version: !!bool maybe\n", "not a YAML text"),
    "a time that is none": (b"schema_version: !!timestamp maybe\n", "not YAML"),
    "an empty number": (b"schema_version: !!int ''\n", "not a YAML text"),
    "a merge": (b"schema_version: 1\n<<: [{a: 1}, 3]\n", "not YAML"),
    "a scalar of megabytes": (b"schema_version: 1\nname: " + b"x" * document.MAX_BYTES, "too large for a persona"),
}


@pytest.mark.parametrize("kind", PERSONA_BOMBS)
def test_a_persona_that_is_a_bomb(kind: str) -> None:
    data, says = PERSONA_BOMBS[kind]
    with pytest.raises(InputError, match=says) as caught:
        document.read("p.yaml", data)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("seconds", [2**40, -(2**40), 10**400, float("nan"), float("inf"), float("-inf")])
def test_times_that_no_date_can_hold(seconds: float) -> None:
    assert moment(seconds).tzinfo is UTC
    assert moment(0.5) == datetime(1970, 1, 1, 0, 0, 0, 500_000, UTC)
