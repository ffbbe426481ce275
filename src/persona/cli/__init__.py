"""The command line: one module a command group, each command flags plus one call."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code; the console script ``persona``."""
    if sys.argv[1:] == ["--version"]:  # the one answer that needs none of the imports below
        from persona import __version__

        print(f"persona {__version__}")
        return
    from persona.cli.app import run

    sys.exit(run(sys.argv[1:]))
