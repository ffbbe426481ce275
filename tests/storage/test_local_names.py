"""How a storage path becomes a file, and back: reversible, as it is wherever a system can hold it, inside the root."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from persona.config.schema import StorageSettings
from persona.errors import NameRefusedError
from persona.storage.backends import local_draft
from persona.storage.backends.local import LocalBackend
from persona.storage.paths import (
    MAX_NAME_BYTES,
    beside,
    clean_object,
    from_file,
    from_names,
    is_part,
    is_temporary,
    to_file,
    to_names,
    without_beside,
)
from persona.storage.urls import url_settings
from tests.storage.local_helpers import files, paths_of, refused_by

ROOT = Path("/some/root")
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
TEMPORARY = "%~tmp-01234567e24922b0"

characters = st.one_of(
    st.sampled_from('%~%~\\:*?"<>|. aAcCoOnNuUlLxX1éüß日🙂-=0123456789ABCDEF'),
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"),
)
odd = st.sampled_from(
    [
        *("CON", "nul.txt", "com1", ".persona", ".PERSONA", "%~-", "%~=", "a%~=", "a%~-", "%~2Epersona"),
        *(TEMPORARY, "%~25~tmp-01234567e24922b0", "%~41", "%~00", "%~2F", "%~3A", "%~25~3A", "%~25~25~3A", "a%~25~="),
        *("x" * 255, "x" * 256, "é" * 127, "é" * 128, "n" * 252 + "%~-", "n" * 252 + "%~=", "%~" * 127, "%~25" * 60),
        *("x" * 249 + "con.txt", "x" * 249 + TEMPORARY, "x" * 246 + ".persona", "%~25" + "~25" * 330),
    ]
)
segments = st.one_of(
    st.text(characters, min_size=1, max_size=12),
    st.text(characters, min_size=150, max_size=300),
    odd,
    st.tuples(odd, odd).map("".join),
).filter(lambda text: text not in (".", "..") and len(text.encode()) <= 1024)
storage_paths = st.lists(segments, min_size=1, max_size=4).map("/".join).filter(lambda path: len(path.encode()) <= 1024)
file_names = segments.filter(lambda name: len(name.encode()) <= MAX_NAME_BYTES)


@given(storage_paths)
def test_every_path_comes_back(path: str) -> None:
    assert clean_object(path) == path
    assert from_file(ROOT, to_file(ROOT, path)) == path


@given(storage_paths)
def test_no_path_leaves_the_root_or_takes_a_name_of_ours(path: str) -> None:
    file = to_file(ROOT, path)
    assert Path(os.path.normpath(file)) == file
    assert file.is_relative_to(ROOT)
    assert file != ROOT
    assert file.relative_to(ROOT).parts[0] != ".persona"
    assert without_beside(file.name) == file.name
    for name in file.relative_to(ROOT).parts:
        assert not is_temporary(name)
        assert len(name.encode()) <= MAX_NAME_BYTES


@given(storage_paths, storage_paths)
def test_two_paths_never_meet(one: str, other: str) -> None:
    assert (to_file(ROOT, one) == to_file(ROOT, other)) == (one == other)


@given(segments, st.booleans())
def test_every_segment_is_safe_on_windows(segment: str, first: bool) -> None:
    names = to_names(segment, first=first, windows=True)
    assert from_names(names, first=first, windows=True) == segment
    for name in names:
        assert not set(name) & set('\\:*?"<>|')
        assert not name.endswith((".", " "))
        assert not DEVICES.fullmatch(name)
        assert len(name.encode()) <= MAX_NAME_BYTES
    assert not first or names[0].casefold() != ".persona"


@given(file_names)
@example("%~41")
@example("%~3A")
@example("%~25~3A")
def test_every_file_name_is_the_name_of_a_path(name: str) -> None:
    """What somebody else's folder holds has a path: its own name, unless that is a form which this program writes."""
    ours = is_part(name) or is_temporary(name) or without_beside(name) != name
    if ours:
        with pytest.raises(NameRefusedError, match="for itself"):
            from_names([name], first=False)
        return
    segment = from_names([name], first=False)
    assert to_names(segment, first=False) == [name]
    assert segment == name or "%~25" in name


ORDINARY = [
    *("Interview 10:30.txt", "100%.txt", 'C++ "draft".md', "CON", "aux.md", "trailing dot.", "trailing space ", "a\\b"),
    *("%2F.txt", "%41", "a%-", "x%=", "%tmp-x", "50%~", "%~3A.txt", "%~", "what?*<>|", "~", "-rf", "...", "🙂.yaml"),
    *("x" * 255, "é" * 127, ".PERSONA", ".persona-notes", unicodedata.normalize("NFD", "Zoë Müller.md"), "ﬁ", "\u2028"),
]


def test_an_ordinary_name_is_itself() -> None:
    for name in ORDINARY:
        assert to_file(ROOT, name) == ROOT / name
        assert from_file(ROOT, ROOT / name) == name
        assert to_file(ROOT, f"a/{name}/b") == ROOT / "a" / name / "b"


async def test_a_folder_of_ordinary_names_is_carried(tmp_path: Path) -> None:
    for number, name in enumerate(ORDINARY):
        (tmp_path / name).write_bytes(str(number).encode())
    storage = LocalBackend(tmp_path)
    assert await refused_by(storage) == {}
    assert await paths_of(storage) == sorted(ORDINARY, key=str.encode)
    for number, name in enumerate(ORDINARY):
        assert await storage.read(name) == str(number).encode()
        await storage.write(name, b"new")
        await storage.write(f"{name}-folder/{name[:-40] or name}", b"new")
    assert {name for name in files(tmp_path) if "/" not in name} == {*ORDINARY} - {".persona-notes"}


async def test_a_name_that_windows_could_not_hold_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(local_draft, "_noted", False)
    storage = LocalBackend(tmp_path)
    for name in ("plain.txt", "Zoë/🙂 100%.md", "console"):
        await storage.write(name, b"x")
    assert caplog.records == []
    for name in ("Interview 10:30.txt", "CON", "etc./x"):
        await storage.write(name, b"x")
    assert [record.getMessage() for record in caplog.records] == [
        "“Interview 10:30.txt” is not a valid file name on Windows. It was written as it is."
    ]


async def test_a_location_can_be_given_as_a_url(tmp_path: Path) -> None:
    root = tmp_path / "100%41"
    await LocalBackend(root).write("50%25", b"x")
    settings, name = url_settings(LocalBackend(root).url("50%25"), StorageSettings())
    assert (settings.local.path, name) == (root, "50%25")


@pytest.mark.parametrize(
    ("path", "windows", "file"),
    [
        ("50%", True, "50%"),
        ("a:b*c", True, "a%~3Ab%~2Ac"),
        ("a:b*c", False, "a:b*c"),
        ("back\\slash", True, "back%~5Cslash"),
        ("etc.", True, "etc%~2E"),
        ("...", True, "..%~2E"),
        ("space ", True, "space%~20"),
        ("CON", True, "%~43ON"),
        ("lpt1.txt", True, "%~6Cpt1.txt"),
        ("console", True, "console"),
        ("a%~3Ab", True, "a%~25~3Ab"),  # looks like an escape here
        ("a%~3Ab", False, "a%~3Ab"),  # and not here, where no colon is escaped
        (".persona", False, "%~2Epersona"),
        ("%~2Epersona", False, "%~25~2Epersona"),
        (".Persona", False, ".Persona"),
        (".Persona", True, "%~2EPersona"),
        ("%~tmp-0123456789abcdef", False, "%~tmp-0123456789abcdef"),  # which only looks like one
        (TEMPORARY, False, "%~25~tmp-01234567e24922b0"),
        ("x%~=", False, "x%~25~="),
        ("n" * 300, False, "n" * 249 + "%~-/" + "n" * 51),
    ],
)
def test_what_a_system_cannot_hold_is_escaped(path: str, windows: bool, file: str) -> None:
    assert "/".join(to_names(path, first=True, windows=windows)) == file
    assert from_names(file.split("/"), first=True, windows=windows) == path


@pytest.mark.parametrize("name", ["n" * 249 + "CON.txt", "%~" * 150, "é" * 300, "🙂%~" * 80])
def test_a_long_name_is_cut_between_characters(name: str) -> None:
    for windows in (False, True):
        names = to_names(name, first=False, windows=windows)
        assert len(names) > 1
        assert all(is_part(part) for part in names[:-1])
        assert from_names(names, first=False, windows=windows) == name


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (".persona", "for itself"),
        (".persona/x", "for itself"),
        (TEMPORARY, "for itself"),
        ("n" * 249 + "%~-/b", "for itself"),  # short enough to need no parts
        ("\udcff.yaml", "not valid UTF-8"),
        ("a\nb", "control character"),
        ("a\x85b", "control character"),
    ],
)
def test_a_file_that_no_path_stands_for_is_refused(file: str, reason: str) -> None:
    with pytest.raises(NameRefusedError, match=reason):
        from_file(ROOT, ROOT / file)


def test_a_file_beside_a_folder_is_the_object() -> None:
    assert from_file(ROOT, ROOT / "a" / "x%~=") == "a/x"
    assert beside("x") == "x%~="
    assert beside("x" * 253) is None


@pytest.mark.parametrize("path", ["..", "a/../b", "a//b", "", "a\0", "/a"])
def test_what_is_no_path_is_no_file(path: str) -> None:
    with pytest.raises(NameRefusedError):
        to_file(ROOT, path)
