from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from persona.errors import InputError
from persona.personas import document
from persona.personas.generate.provider import Generated
from persona.personas.model import Basis, Count, Persona, counted, share_of
from persona.personas.sources.records import tidy


@pytest.fixture
def persona(examples: Generated) -> Persona:
    return examples.personas[0]


@pytest.fixture
def text(persona: Persona) -> str:
    return document.write(persona).decode()


def test_round_trip_keeps_order_unicode_and_long_lines(persona: Persona, text: str) -> None:
    assert document.read("p.yaml", text.encode()) == persona
    assert text.startswith("schema_version: 2\nid: ")
    assert persona.summary in text
    assert "\\u" not in text
    assert "&id" not in text


@settings(max_examples=60)
@given(st.text(min_size=1).map(tidy).filter(bool))
def test_any_tidy_text_survives_yaml(value: str) -> None:
    from ruamel.yaml import YAML

    data = document.to_yaml({"text": value})
    assert YAML(typ="safe").load(data) == {"text": value}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("schema_version: 2", "schema_version: 3", "schema_version 3, and this Persona knows up to 2"),
        ("schema_version: 2", "schema_version: 1", "schema_version 1, which this Persona no longer reads"),
        ("schema_version: 2", "schema_version: one", "schema_version: Input should be a valid integer"),
        ("schema_version: 2", "version: 2", "it has no schema_version"),
        ("schema_version: 2", "schema_version: 2\nextra: 1", "extra: Extra inputs are not permitted"),
        ("\nname: ", "\nname: 1 #", "name: Input should be a valid string"),
        ("\nname: ", "\nnom: ", "name: Field required"),
        ("\nid: ", "\nid: ../", "id: String should match pattern"),
        ("  count: ", "  count: 90 #", "respondents: Value error, count, total and share do not fit"),
        ("  share: ", "  share: 7 #", "respondents.share: Input should be less than or equal to 1"),
        ("  seed: 0", "  seed: zero", "generation.seed"),
        ("\nname: ", "\nname: [", "not YAML"),
        ("\nname: ", "\nname: &a x\nother: *a #", "uses YAML aliases"),
        ("\nname: ", "\nname: " + "[" * 60 + "]" * 60 + " #", "nested more than 20 levels"),
        ("\nname: ", "\nname:\n  " + "- " * 60 + "x\nnom: ", "nested more than 20 levels"),
    ],
)
def test_what_is_no_persona(text: str, old: str, new: str, says: str) -> None:
    assert old in text
    with pytest.raises(InputError, match=says) as caught:
        document.read("team/p.yaml", text.replace(old, new, 1).encode())
    assert "team/p.yaml" in caught.value.message


@pytest.mark.parametrize(
    "data", [b"", b"- 1\n", b"text", b"\xff\xfe", b"\0", b"a: \x01", b"a: 1\na: 2\n", b"a: !!python/x 1"]
)
def test_foreign_bytes(data: bytes) -> None:
    with pytest.raises(InputError, match=r"p\.yaml"):
        document.read("p.yaml", data)


def test_bombs_are_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(InputError, match="aliases"):
        document.read("p.yaml", "\n".join(lines).encode())
    with pytest.raises(InputError, match="nested"):
        document.read("p.yaml", b"[" * 100_000)
    deep = "".join(" " * i + "a:\n" for i in range(300))
    with pytest.raises(InputError, match="nested"):
        document.read("p.yaml", deep.encode())


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="too large for a persona: 11 bytes"):
        document.read("p.yaml", b"x" * 11)


def test_counts_and_bases() -> None:
    assert counted(1, 3) == Count(count=1, total=3, share=0.3333)
    assert share_of(0, 0) == 0.0
    assert Count(count=1, total=3, share=0.5, weighted=True).share == 0.5
    wrong: dict[str, Any]
    for wrong in (
        {},
        {"field": "Q"},
        {"said": [["a"]], "field": "Q"},
        {"said": [[]]},
        {"said": [["a"]], "topics": ["b"]},
        {"answers": ["a"]},
        {"at_least": 1.0},
    ):
        with pytest.raises(ValidationError):
            Basis(**wrong)
    with pytest.raises(ValidationError):
        Count(count=True, total=3, share=0.3333)
    with pytest.raises(ValidationError):
        Count(count=1, total=3, share=float("nan"))


_TEXTS = st.one_of(
    st.text("ab01' \"\"'.,-:#éx日[]{}%&*!|>@`~=_?…\t\n\u2028😀", max_size=9),
    st.sampled_from(
        ["yes", "on", "1:20", "0o7", "012", "1e3", "1_000", "<<", "~", "null", ".inf", "2001-01-01", "---"]
    ),
    st.text(max_size=150),
)


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        _TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
        lambda each: (
            st.lists(each, max_size=4) | st.dictionaries(_TEXTS | st.text("ab", min_size=100), each, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_both_emitters_write_the_same_bytes_where_the_one_in_c_is_used(value: object) -> None:
    from unittest.mock import patch

    written = document.to_yaml(value)
    with patch.object(document, "_is_written_alike", lambda _: False):
        assert document.to_yaml(value) == written


def test_common_answers_are_written_by_the_emitter_in_c() -> None:
    answers = ["I don't know", "5'10\"", "Yes: often", "“Sí”, 日本", "", "1-2 times", "Don't know / other", "P-01"]
    assert document._is_written_alike({"text": answers, "share": 0.5, "count": 3, "weighted": True, "field": None})
    for each in ("it's: so", "two\nlines", "😀", "a\u2028b", "don't "):
        assert not document._is_written_alike([each])
