"""Patterns as in a .gitignore, held against storage paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from unicodedata import normalize

Matches = Callable[[str], bool]
"""Says whether a storage path is one that the patterns mean."""


def matching(patterns: Sequence[str]) -> Matches:
    """Return what says whether a path is one that the patterns mean; without patterns none is.

    ``transcripts/`` and ``transcripts/**`` mean all below that folder, ``*.raw`` is found in every folder, ``!`` takes
    back, and the last pattern that fits decides: https://git-scm.com/docs/gitignore. As everywhere in a storage path,
    ``./`` at the beginning is the root. A pattern matches a name in any Unicode form: what a user types is in the
    keyboard's form, and what a Mac has written in another.

    Raises:
        ValueError: a pattern cannot be read, or can mean nothing, like a comment; says which.
    """
    if not patterns:
        return lambda path: False
    import re
    import warnings

    from pathspec import GitIgnoreSpec

    spelt = [_spelt(pattern) for pattern in patterns]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd in a regular expression is a plain character in a pattern
            spec = GitIgnoreSpec.from_lines(spelt)
    except (ValueError, re.error) as error:  # pathspec's GitIgnorePatternError is a ValueError
        raise ValueError(str(error)) from error
    for given in patterns:
        if any("\ud800" <= char <= "\udfff" for char in given):
            raise ValueError(f"“{ascii(given)[1:-1]}” is not valid UTF-8")
    for given, read in zip(patterns, spec.patterns, strict=True):
        if read.include is None:
            raise ValueError(f"“{given}” means nothing")
    return lambda path: spec.match_file(path if path.isascii() else normalize("NFC", path))


def _spelt(pattern: str) -> str:
    """Return a pattern with its root as storage paths have it, in NFC."""
    negation = "!" if pattern.startswith("!") else ""
    rest = normalize("NFC", pattern[len(negation) :])
    return negation + (rest[1:] if rest.startswith("./") else rest)
