"""A secret for ``config set`` and ``workspace create``: typed without an echo, or read from stdin."""

from __future__ import annotations

import sys
import warnings

import click

from persona.config import keep
from persona.config.schema import keys
from persona.errors import UsageError

_MAX_CHARACTERS = 64 * 1024


def read_value(name: str, *, workspace: str, plain: bool = False) -> str:
    """Return the value that ``-`` stands for: from stdin, or of a secret, at a terminal, as it is typed unseen.

    Args:
        name: the key's full name.
        workspace: the workspace's name.
        plain: whether a secret goes into the file itself; else the keyring must take it, before it is asked for.

    Raises:
        UsageError: stdin holds no text, or the terminal cannot hide what is typed.
        ConfigError: there is no keyring to keep it in.
    """
    if keys()[name].secret and sys.stdin.isatty():
        if not plain:
            keep.check(workspace, name)
        return _typed(name)
    try:
        return sys.stdin.read(_MAX_CHARACTERS).removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as exc:
        raise UsageError(f"What stdin holds for {name} is not UTF-8.", hint="Give text.") from exc


def _typed(name: str) -> str:
    from getpass import GetPassWarning  # imports what Windows and others have each of their own

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return str(click.prompt(f"{name} (not shown)", hide_input=True, err=True))
    except GetPassWarning as error:
        raise UsageError(
            f"This terminal cannot hide what is typed, and {name} is a secret.",
            hint=f"Read it from a file: persona storage config set {name.removeprefix('storage.')} - < FILE",
        ) from error
