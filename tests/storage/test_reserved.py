"""Names that begin with ``.persona-`` are Persona's own, at any depth below the folder that is looked at."""

from __future__ import annotations

import pytest

from persona.storage.paths import sort_key
from persona.storage.reserved import SHOWN, LeftOut, is_reserved, reserved_part
from tests.personas.memory import MemoryBackend


@pytest.mark.parametrize(
    ("path", "folder", "part"),
    [
        (".persona-backup/1/a", "", ".persona-backup"),
        ("a/.persona-x", "", "a/.persona-x"),
        ("a/.persona-x/.persona-y/b", "", "a/.persona-x"),
        ("a/.persona-x/.persona-y/b", "a/.persona-x", "a/.persona-x/.persona-y"),
        (".persona-backup/1/a", ".persona-backup/1", None),
        (".persona-x", ".persona-x", None),
        (".persona-xy", ".persona-x", ".persona-xy"),
        ("a\n/.persona-x", "", "a\n/.persona-x"),
        ("x.persona-y", "", None),
        (".persona/meta", "", None),
        ("", "", None),
    ],
)
def test_a_reserved_segment_counts_below_the_folder_that_is_looked_at(path: str, folder: str, part: str | None) -> None:
    assert reserved_part(path, folder) == part
    assert is_reserved(path, folder) == (part is not None)


def test_what_is_left_out_is_counted_once_and_named_where_it_may_be_the_users() -> None:
    storage = MemoryBackend()
    names = [f".persona-{number:02}/x" for number in range(SHOWN + 2)]
    paths = [*names, ".persona-backup/1/a", ".persona-probe-1", ".persona-tombstones/s/h", "a"]
    objects = sorted((storage.put(path, b"12") for path in paths), key=lambda each: sort_key(each.path))
    left_out = LeftOut()
    assert [each.path for each in left_out.without(objects[:4])] == []
    left_out = LeftOut.of(left_out.document())  # a job that was interrupted after a page
    assert [each.path for each in left_out.without(objects)] == ["a"]
    assert (left_out.objects, left_out.bytes) == (len(paths) - 1, 2 * (len(paths) - 1))
    assert left_out.names == [name.removesuffix("/x") for name in names[:SHOWN]]
