"""The command line: one module a command group, each command flags plus one call."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line and leave with its exit code; the console script ``persona``."""
    if sys.argv[1:] == ["--version"]:  # the one answer that needs none of the imports below
        from persona import __version__

        print(f"persona {__version__}")
        return
    from persona.cli.app import run

    code = run(sys.argv[1:])
    if code == INTERRUPTED:  # a thread may still wait for a server that does not answer; the user does not
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
