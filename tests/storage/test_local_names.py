"""How a storage path becomes a file, and back: reversible, legible, inside the root, safe on every system."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona.errors import NameRefusedError
from persona.storage.paths import clean_object, from_file, to_file, to_names

ROOT = Path("/some/root")
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

characters = st.one_of(
    st.sampled_from('%\\:*?"<>|. aAcCoOnNuUlLxX1éüß日🙂-=tmp~'),
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"),
)
texts = st.one_of(
    st.text(characters, min_size=1, max_size=12),
    st.text(characters, min_size=150, max_size=300),
    st.sampled_from(["CON", "nul.txt", ".persona", "com1", "%-", "%=", "%tmp-1", "a%=", "x" * 200, "é" * 101]),
)
segments = texts.map(lambda text: unicodedata.normalize("NFC", text)).filter(lambda text: text not in (".", ".."))
storage_paths = st.lists(segments, min_size=1, max_size=4).map("/".join).filter(lambda path: len(path.encode()) <= 1024)


@given(storage_paths)
def test_every_path_comes_back(path: str) -> None:
    assert from_file(ROOT, to_file(ROOT, path)) == path


@given(storage_paths)
def test_no_path_leaves_the_root(path: str) -> None:
    file = to_file(ROOT, path)
    assert Path(os.path.normpath(file)) == file
    assert file.is_relative_to(ROOT)
    assert file != ROOT
    assert file.relative_to(ROOT).parts[0].casefold() != ".persona"


@given(storage_paths)
def test_every_name_is_safe_on_windows_and_macos(path: str) -> None:
    for name in to_file(ROOT, path).relative_to(ROOT).parts:
        assert not set(name) & set('\\:*?"<>|')
        assert not name.endswith((".", " "))
        assert not DEVICES.fullmatch(name)
        assert len(name.encode()) <= 202
        assert not name.startswith("%tmp-")


@given(storage_paths, storage_paths)
def test_two_paths_never_meet(one: str, other: str) -> None:
    assert (to_file(ROOT, one) == to_file(ROOT, other)) == (one == other)


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("personas/customer-sarah.yaml", "personas/customer-sarah.yaml"),
        ("ein Ordner/日本.yaml", "ein Ordner/日本.yaml"),
        ("50%", "50%25"),
        ("a:b*c", "a%3Ab%2Ac"),
        ("back\\slash", "back%5Cslash"),
        ("etc.", "etc%2E"),
        ("...", "..%2E"),
        ("space ", "space%20"),
        ("CON", "%43ON"),
        ("x/lpt1.txt", "x/%6Cpt1.txt"),
        ("console", "console"),
        (".persona", "%2Epersona"),
        (".Persona/x", "%2EPersona/x"),
        ("x/.persona", "x/.persona"),
        ("n" * 250, "n" * 198 + "%-/" + "n" * 52),
    ],
)
def test_names_stay_legible(path: str, file: str) -> None:
    assert str(to_file(ROOT, path).relative_to(ROOT)) == file


@pytest.mark.parametrize("name", ["n" * 198 + "CON", "%" * 100, "é" * 300, "🙂%" * 80])
def test_a_long_name_is_cut_between_characters(name: str) -> None:
    names = to_names(name, first=False)
    assert len(names) > 1
    assert all(part.endswith("%-") for part in names[:-1])
    assert from_file(ROOT, to_file(ROOT, name)) == name


@pytest.mark.parametrize(
    "file",
    [
        "a%2fb",  # lower-case hexadecimal
        "%41",  # needs no escape
        "50%",  # a bare percent sign
        "%2F",  # stands for a slash
        "%00",
        "a%-/b",  # short enough to need no split
        "a%-",
        "n" * 201,  # too long not to be split
        "%2E",
        "%2E%2E",
        "trailing.",
        "CON",
        "a:b",
        unicodedata.normalize("NFD", "é"),
        "\udcff.yaml",  # not UTF-8
        "a\nb",
        "%2Epersona2",
    ],
)
def test_a_file_with_another_name_is_refused(file: str) -> None:
    with pytest.raises(NameRefusedError):
        from_file(ROOT, ROOT / file)


def test_a_file_beside_a_folder_is_the_object() -> None:
    assert from_file(ROOT, ROOT / "a" / "x%=") == "a/x"


@pytest.mark.parametrize("path", ["..", "a/../b", "a//b", "", "a\0"])
def test_what_is_no_path_is_no_file(path: str) -> None:
    with pytest.raises(NameRefusedError):
        to_file(ROOT, path)


@given(storage_paths)
def test_the_strategy_makes_clean_paths(path: str) -> None:
    assert clean_object(path) == path
