"""The command line: one module a command group, each command flags plus one call."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from types import TracebackType

INTERRUPTED = 130


def main() -> None:
    """Run the command line and leave with its exit code; the console script ``persona``."""
    if sys.argv[1:] == ["--version"]:  # the one answer that needs none of the imports below
        from persona import __version__

        print(f"persona {__version__}")
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy loads; see persona.personas.generate
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them reads each package's metadata
    gc.set_threshold(20_000, 20, 20)  # a command makes few cycles: looking for them was a tenth of its time
    _mend_streams()
    sys.excepthook = _crash
    try:
        code = _run()
    except KeyboardInterrupt:  # before the command line itself could take it
        code = INTERRUPTED
    _leave_at_once(code)


def _run() -> int:
    """Run the command line; what nobody foresaw, of a library say, ends here."""
    from persona.cli.app import internal_error, run
    from persona.cli.session import Session

    session = Session()
    try:
        return run(sys.argv[1:], session)
    except Exception as error:
        return internal_error(session, error)


def _mend_streams() -> None:
    """Let nothing fail for a stream that was closed by the caller, or whose encoding lacks a character."""
    from persona.cli.streams import HANDLER, register

    register()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # opened, so that no other file gets its number
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        else:
            stream.reconfigure(errors=HANDLER)


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an error that nobody foresaw as Python does, but without secrets."""
    from traceback import format_exception

    from persona.redaction import redacted

    print(redacted("".join(format_exception(kind, error, trace))), end="", file=sys.stderr)


def _leave_at_once(code: int) -> None:
    """End without taking the interpreter apart, which is a quarter of a short command's time.

    Nor are threads waited for, which may wait for a silent server for as long as its timeout. All that has to be kept
    is closed by then: a command closes its storage and its journal itself.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
