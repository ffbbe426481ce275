"""The respondent is found in encodings and files that are seldom met, or the file is named."""

from __future__ import annotations

import pytest

from persona.personas.subjects import ids_of, look
from tests.erasure.test_places import zipped

NAMES = {
    "iso8859_4": "Žiga", "iso8859_6": "سعيد", "iso8859_10": "Ūve", "iso8859_11": "สมชาย", "iso8859_13": "Šarūnas",
    "iso8859_16": "Ștefan",
    "mac_cyrillic": "Алиса", "mac_greek": "Νίκος", "mac_latin2": "Łukasz", "mac_turkish": "Işıl",
    "cp737": "Νίκος", "cp775": "Šarūnas", "cp852": "Łukasz", "cp857": "Işıl", "cp862": "דוד", "cp1125": "Євген",
    "koi8_u": "Євген", "johab": "김철수", "big5hkscs": "王小明",
}  # fmt: skip


@pytest.mark.parametrize("encoding", NAMES)
def test_a_name_in_a_rare_encoding_is_found(encoding: str) -> None:
    name = NAMES[encoding]
    data = f"{name}: yes\nAna: no\n".encode(encoding)
    assert look("a.txt", data, name).trace is not None
    assert name in ids_of("a.txt", data)  # so that a migration refuses it


def test_text_that_is_no_plain_ascii_is_read() -> None:
    """Text of a mainframe; with zeros in it, as a crash leaves them; UTF-16 with other text behind it; full width."""
    lines = "P1: hello there\nP9: 12 Elm Street\n"
    for encoding in ("cp037", "cp500", "cp1140"):
        found = look("a.txt", lines.encode(encoding), "P9").trace
        assert found is not None
        assert found.left == lines.splitlines(keepends=True)[0].encode(encoding)
    for data in (
        b"P1: hello\0\nP9: 12 Elm Street\n",
        b"\xff\xfe" + "P1: hello\n".encode("utf-16-le") + b"P9: 12 Elm Street, no\n",
        "Ｐ９： 12 Elm Street\nP1: no\n".encode(),
    ):
        assert look("a.txt", data, "P9").trace is not None, data


def test_files_within_files_are_found_by_name() -> None:
    assert look("a.zip", zipped({"calls/P9/": b"", "x.txt": b"x"}), "P9").trace is not None


@pytest.mark.parametrize(
    "head", [b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x9d", b"\x04\x22\x4d\x18"]
)
def test_a_short_compressed_file_is_no_text(head: bytes) -> None:
    for rest in (b" P9 said so", "一二三四五".encode("utf-16-le")):
        assert look("a.bin", head + rest, "P1").opaque, rest


@pytest.mark.parametrize(
    ("subject", "data", "spelt"),
    [
        ("9", b"id,A\n9.0,x\n8.0,y\n", "9.0"),
        ("9", b'[{"id":9.0,"a":1},{"id":8.0}]', "9.0"),
        ("P9", "Р9: 12 Elm Street\nP1: no\n".encode(), "Р9"),  # a Cyrillic letter
        ("Alisa", "Аlisa: yes\n".encode(), "Аlisa"),
    ],
)
def test_another_spelling_is_offered(subject: str, data: bytes, spelt: str) -> None:
    assert spelt in look("a", data, subject).similar
