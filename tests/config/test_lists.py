"""A key that takes a list: how it is written in each source, shown, changed, and what a mistake says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona.config import values
from persona.config.edit import set_value
from persona.config.load import load
from persona.errors import ConfigError
from persona.patterns import matching

from .conftest import Ran

Write = Callable[[Path, str], Path]
Run = Callable[..., Ran]
KEY = "storage.cache.never"
BOTH = ("transcripts/**", "raw/**")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[transcripts/**, 'raw/**']", BOTH),
        ("\n    - transcripts/**  # personal\n    - raw/**\n", BOTH),
        ("transcripts/**, raw/**", BOTH),
        ("[]", ()),
        ("null", ()),
        ("[007, 2024-01-01]", ("007", "2024-01-01")),
        ("['a,b']", ("a,b",)),
    ],
)
def test_a_file_lists_values(tmp_path: Path, write: Write, text: str, expected: tuple[str, ...]) -> None:
    file = write(tmp_path / "persona.yaml", f"storage:\n  cache:\n    never: {text}")
    found = load([file], environ={})
    assert found.settings.storage.cache.never == expected
    assert found.sources[KEY].line in (3, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("transcripts/**,raw/**", BOTH),
        (" transcripts/** , raw/** ", BOTH),
        ('["transcripts/**", "raw/**"]', BOTH),
        ("[transcripts/**, 'raw/**']", BOTH),
        ("[]", ()),
        ("*.[ab]", ("*.[ab]",)),
        ('["[ab]"]', ("[ab]",)),
        ("null", ()),
    ],
)
def test_a_variable_and_a_flag_list_values(text: str, expected: tuple[str, ...]) -> None:
    assert load(environ={"PERSONA_STORAGE__CACHE__NEVER": text}).settings.storage.cache.never == expected
    assert load(environ={}, flags={KEY: text}).settings.storage.cache.never == expected


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[a, true]", 3, 'storage.cache.never: found “["a", true]”, allowed a list of patterns such as'),
        ("[a, null]", 3, 'found “["a", null]”, allowed a list of patterns such as ["transcripts/**"]'),
        ("[a, '']", 3, "allowed a list of patterns"),
        ("true", 3, "storage.cache.never: found true, allowed a list of patterns"),
        ("{a: b}", 3, "storage.cache.never: found a section, allowed list of patterns"),
        ("\n    - a\n    - [b]", 5, "found a list in the list, allowed list of patterns"),
        ("\n    - a\n    - b: c", 5, "found a section in the list"),
        ("\n    - a\n    - !!binary aGk=", 5, "found a value with a tag in the list"),
        ("\n    - &a x\n    - *a", 4, "found an anchor or alias in the list"),
        ("&a [x]", 3, "storage.cache.never: found an anchor or alias"),
        ("!mine [x]", 3, "storage.cache.never: found a list, allowed list of patterns"),
        ("[x, '!']", 3, "allowed patterns as in a .gitignore; Invalid git pattern: '!'"),
        ("['#transcripts/**']", 3, "“#transcripts/**” means nothing"),
        ("['/']", 3, "“/” means nothing"),
        ("['[z-a]']", 3, "bad character range"),
        ("a,,b", 3, "found “a,,b”, allowed a list of patterns"),
    ],
)
def test_a_wrong_list_names_file_line_and_key(tmp_path: Path, write: Write, text: str, line: int, message: str) -> None:
    file = write(tmp_path / "persona.yaml", f"storage:\n  cache:\n    never: {text}\n")
    with pytest.raises(ConfigError) as caught:
        load([file], environ={})
    found = caught.value.message.splitlines()[1:]
    assert any(f"{file}:{line}: " in problem and message in problem for problem in found), found


def test_a_list_where_one_value_belongs_is_refused(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "persona.yaml", "storage:\n  cache:\n    strategy: [lru]\n")
    with pytest.raises(ConfigError, match=r":3: storage\.cache\.strategy: found a list, allowed lru, lfu, fifo"):
        load([file], environ={})


def test_a_wrong_list_in_a_variable_names_it() -> None:
    with pytest.raises(ConfigError, match=r"environment: PERSONA_STORAGE__CACHE__NEVER: storage\.cache\.never: found"):
        load(environ={"PERSONA_STORAGE__CACHE__NEVER": "a,,b"})


LAYOUTS = {
    "lines": (
        "never:  # why\n      # people\n      - a  # one\n      - 'b'\n    ttl: 1h  # t\n",
        "never: NEW  # why\n      # people\n    # one\n    ttl: 1h  # t\n",
    ),
    "lines at the key": ("never:\n    - a # x\n    # y\n    - b\n    # z\n", "never: NEW\n    # x\n    # y\n    # z\n"),
    "the end of the file": ("never:\n    - a", "never: NEW\n"),
    "brackets": ("never: [a, 'b']  # c\n    ttl: 1h\n", "never: NEW  # c\n    ttl: 1h\n"),
    "brackets over lines": ("never: [\n      a,  # one\n      b]  # c\n", "never: NEW  # c\n    # one\n"),
    "block scalar": ("never:\n    - a\n    - |-\n      b\n\n    # c\n", "never: NEW\n    # c\n"),
    "no comment": ("never:\n    - 'a # b'\n    - c#d\n", "never: NEW\n"),
    "windows": ("never:\r\n    - a # x\r\n    ttl: 1h\r\n", "never: NEW\r\n    # x\r\n    ttl: 1h\r\n"),
    "explicit key": ("? never\n    : - a\n      - b\n", "? never\n    : NEW\n"),
    "text": ("never: a,b  # c\n", "never: NEW  # c\n"),
    "empty": ("never:  # c\n    ttl: 1h\n", "never: NEW  # c\n    ttl: 1h\n"),
    "another key": ("ttl: 1h\n", "ttl: 1h\n    never: NEW\n"),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(
    ("value", "written"), [("transcripts/**,raw/**", '["transcripts/**", "raw/**"]'), ("[]", "[]")]
)
def test_a_list_is_set_in_every_layout(tmp_path: Path, name: str, value: str, written: str) -> None:
    before, after = LAYOUTS[name]
    file = tmp_path / "persona.yaml"
    file.write_bytes(f"# mine\nstorage:\n  cache:\n    {before}".encode())
    set_value(file, "cache.never", value, locks=tmp_path)
    assert file.read_bytes().decode() == f"# mine\nstorage:\n  cache:\n    {after.replace('NEW', written)}"


def test_a_list_of_lines_is_taken_back_and_others_are_set_below_it(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "persona.yaml", "storage:\n  cache:\n    never:\n    - a # x\n")
    set_value(file, "cache.strategy", "lfu", locks=tmp_path)
    assert file.read_text() == "storage:\n  cache:\n    never:\n    - a # x\n    strategy: lfu\n"
    set_value(file, "cache.never", "null", locks=tmp_path)
    assert file.read_text() == "storage:\n  cache:\n    never: null\n    # x\n    strategy: lfu\n"


def test_a_list_inside_braces_is_set(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "persona.yaml", "storage: {cache: {never: [a, b], ttl: 1h}}  # c\n")
    set_value(file, "cache.never", "x", locks=tmp_path)
    assert file.read_text() == 'storage: {cache: {never: ["x"], ttl: 1h}}  # c\n'


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(st.text("ab/*,'\"# []{}&:é-", min_size=1), max_size=4), layout=st.sampled_from(list(LAYOUTS)))
def test_any_list_comes_back(tmp_path: Path, items: list[str], layout: str) -> None:
    try:
        expected = values.patterns(items)
    except ValueError:
        return
    file = tmp_path / "persona.yaml"
    file.write_bytes(f"storage:\n  cache:\n    {LAYOUTS[layout][0]}".encode())
    set_value(file, "cache.never", values.written(values.patterns, expected), locks=tmp_path)
    assert load([file], environ={}).settings.storage.cache.never == expected


def test_show_and_set_have_lists(persona: Run, home: Path) -> None:
    assert persona("config", "set", "cache.never", "transcripts/**,raw/**").code == 0
    file = home / "persona.yaml"
    assert file.read_text() == 'storage:\n  cache:\n    never: ["transcripts/**", "raw/**"]\n'
    row = next(line for line in persona("config", "show").out.splitlines() if line.startswith(KEY))
    assert '["transcripts/**", "raw/**"]' in row
    assert persona("config", "show", "--json").json["values"][KEY] == {"value": list(BOTH), "source": f"{file}:3"}
    assert persona("config", "set", "cache.never", "null").code == 0
    assert persona("config", "show", "--json").json["values"][KEY]["value"] == []
    wrong = persona("config", "set", "cache.never", "a,!")
    assert wrong.code == 3
    assert "storage.cache.never: found “a,!”" in wrong.err


@pytest.mark.parametrize(
    ("patterns", "inside", "outside"),
    [
        (["transcripts/"], ["transcripts/a.txt", "x/transcripts/a/b"], ["transcripts.txt"]),
        (["transcripts/**"], ["transcripts/a.txt", "transcripts/a/b"], ["x/transcripts/a"]),
        (["./transcripts/**"], ["transcripts/a/b"], ["x/transcripts/a"]),
        (["./a.yaml"], ["a.yaml"], ["x/a.yaml"]),
        (["*.raw", "!keep.raw"], ["a.raw", "x/b.raw"], ["keep.raw", "x/keep.raw"]),
        (["*", "!./personas/**"], ["a"], ["personas/a.yaml"]),
        (["cafe\u0301/"], ["caf\u00e9/a"], ["cafe/a"]),
        ([], [], ["a"]),
    ],
)
def test_what_patterns_mean(patterns: list[str], inside: list[str], outside: list[str]) -> None:
    match = matching(patterns)
    assert [path for path in inside if not match(path)] == []
    assert [path for path in outside if match(path)] == []
