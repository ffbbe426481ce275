"""Files of this machine as a user names them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.errors import UsageError
from persona.neutral import harmless

if TYPE_CHECKING:
    _PathType = click.ParamType[Path]
else:
    _PathType = click.ParamType  # generic from Click 8.3 on


def on_this_machine(text: str) -> Path:
    """Return the path of this machine that a user means; ``~`` is the home folder.

    Raises:
        UsageError: it names the home of a user who does not exist.
    """
    try:
        return Path(text).expanduser() if text.startswith("~") else Path(text)  # a Path of “./~x” is one of “~x”
    except RuntimeError as error:
        raise UsageError(
            f"“{harmless(text)}” names the home folder of an unknown user.", hint="Write the whole path, or ./~…"
        ) from error


class LocalFile(_PathType):
    """A file of this machine, as `on_this_machine` takes it."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path that was typed."""
        return value if isinstance(value, Path) else on_this_machine(value)
