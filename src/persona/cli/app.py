"""The root of the command line: lazy groups, the global options, and errors turned into exit codes.

Click rather than Typer, and no import of a command before it is called: start-up is most of what a user waits for.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from persona import __version__
from persona.cli.files import LocalFile
from persona.cli.render import error_json
from persona.cli.session import Session
from persona.disks import is_full
from persona.errors import INCOMPLETE, PersonaError
from persona.neutral import harmless
from persona.redaction import redacted

EXIT_CODES = """\b
Exit codes:
  0    done
  1    done in part, or an object failed
  2    wrong usage, a refused name, or input that cannot be used
  3    configuration
  4    credentials or permission
  5    not found
  6    conflict: someone else wrote
  7    the provider is unreachable
  8    data failed verification
  130  paused or interrupted
"""


_DEFECTS = (ArithmeticError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError)
"""What only a defect of the program raises as far as here."""
_MAX_DEFECT = 200


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Store what an option got in the session."""
    if value not in (None, False):
        setattr(ctx.ensure_object(Session), str(param.name), value)


fresh_option = click.option(
    "--fresh",
    is_flag=True,
    expose_value=False,
    callback=_store,
    help="Ask the provider even for what was read a moment ago.",
)
"""The option of every command that reads from the storage."""


def _global_options() -> list[click.Parameter]:
    """Return the options that every command understands; each stores what it got in the session."""

    def option(*names: str, **kwargs: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_store, **kwargs)

    return [
        option("--json", is_flag=True, help="Print one JSON document on stdout."),
        option("--verbose", "-v", is_flag=True, help="Say more on stderr."),
        option("--quiet", "-q", is_flag=True, help="Print only errors, and what is incomplete, on stderr."),
        option("--workspace", "workspace_name", metavar="NAME", help="Use this workspace."),
        option("--config", "config_file", type=LocalFile(), metavar="FILE", help="Use this file."),
    ]


class PersonaCommand(click.Command):
    """A command that understands the global options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *_global_options()]


class PersonaGroup(click.Group):
    """A group that understands the global options and imports a command when it is called.

    Args:
        lazy: for each command, ``module:attribute`` where it is and its line in the help.
    """

    command_class = PersonaCommand
    group_class = type

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *_global_options()]
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were declared."""
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, attribute = self.lazy[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their one-line helps, without an import of any."""
        rows = [(name, line) for name, (_, line) in self.lazy.items()]
        rows += [(name, command.get_short_help_str(90)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=PersonaGroup,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    lazy={
        "inspect": ("persona.cli.inspect:inspect", "Show how an input is understood, and write a codebook."),
        "generate": ("persona.cli.generate:generate", "Make personas from interviews and surveys."),
        "list": ("persona.cli.personas:list_", "List the personas of a library."),
        "show": ("persona.cli.personas:show", "Show one persona with its evidence."),
        "export": ("persona.cli.personas:export", "Export personas as YAML, JSON, Markdown or CSV."),
        "diff": ("persona.cli.diff:diff", "Compare the personas of two libraries."),
        "storage": ("persona.cli.storage:storage", "Look at the storage, configure it, test it."),
        "workspace": ("persona.cli.workspace:workspace", "Keep several storages apart by name."),
        "trust": ("persona.cli.trust:trust", "Allow a project's persona.yaml what only you may allow."),
    },
)
@click.version_option(__version__, prog_name="persona", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn interviews and surveys into user personas, and share the library on local disk, S3, GCS or Azure."""


def run(argv: Sequence[str], session: Session | None = None) -> int:
    """Run a command line and return its exit code; every error ends here.

    Args:
        argv: the arguments.
        session: is filled with the global options.
    """
    session = session or Session()
    _show_warnings(session)
    try:
        result = cli.main(args=list(argv), prog_name="persona", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except PersonaError as error:
        return _fail(session, error.message, error.hint, error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:  # a group without a command: the help, and no reproach
        if session.json:
            return _fail(session, "There is no command.", f"See “{error.ctx.command_path} --help”.", 2)
        with suppress(BrokenPipeError):
            print(error.format_message(), file=sys.stderr)
        return 2
    except click.UsageError as error:
        session.json = session.json or "--json" in argv  # which may stand after what could not be read
        usage = f"See “{error.ctx.command_path} --help”." if error.ctx else "See “persona --help”."
        return _fail(session, error.format_message(), usage, 2)
    except click.ClickException as error:
        return _fail(session, error.format_message(), "", 2)
    except (KeyboardInterrupt, click.Abort):
        return _fail(session, "Interrupted.", "", 130)
    except (BrokenPipeError, SystemExit):  # the reader, such as `head`, has seen enough; Click exits by itself then
        _drop_output()
        return 0
    except OSError as error:  # a full disk behind stdout; what happens to storage is a PersonaError
        if error.filename is not None:  # no stream: a file of this machine that nobody else has spoken for
            hint = "Free some space on its disk." if is_full(error) else "Check its permissions and its disk."
            return _fail(session, f"{error.filename} cannot be used: {error.strerror}.", hint, 1)
        _drop_output()
        return _fail(session, f"The output cannot be written: {error.strerror}.", "Send it elsewhere.", 1)
    except _DEFECTS as error:
        return internal_error(session, error)
    code = result if isinstance(result, int) else 0
    if code and not session.told:
        session.warn_if_quiet(f"Error: The result is not complete (exit code {code}).")
    return code


def internal_error(session: Session, error: Exception) -> int:
    """Say that the program itself is at fault: in one line, or with ``--verbose`` by the traceback, without secrets."""
    if session.verbose:
        from traceback import format_exception

        with suppress(BrokenPipeError):
            print(harmless(redacted("".join(format_exception(error)))), end="", file=sys.stderr)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    hint = "This is a defect of Persona. Run the command again with --verbose, and report the traceback."
    return _fail(session, f"Internal error: {text[:_MAX_DEFECT]}", hint, 1)


def _fail(session: Session, message: str, hint: str, code: int) -> int:
    """Say what went wrong, on stderr and with ``--json`` on stdout, without secrets, and return the exit code."""
    message, hint = redacted(message), redacted(hint)
    if session.json and not session.emitted:
        session.emit({"error": error_json(message, hint, code)})
    with suppress(BrokenPipeError):
        print(f"Error: {harmless(message)}", file=sys.stderr)
        if hint:
            print(f"  → {harmless(hint)}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Let what stdout still holds go nowhere, so that the end of the process does not fail at it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warnings(session: Session) -> None:
    """Send the library's warnings, each once, and with ``--verbose`` its notes, to stderr, without secrets.

    With ``--quiet`` only those that say that something is not complete: they have the attribute `INCOMPLETE`.
    """
    said: set[str] = set()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = harmless(redacted(record.getMessage()))
            if record.levelno >= logging.WARNING and (not session.quiet or hasattr(record, INCOMPLETE)):
                if text not in said:
                    print(f"Warning: {text}", file=sys.stderr)
                said.add(text)
            elif session.verbose:
                print(text, file=sys.stderr)

    logger = logging.getLogger("persona")
    logger.handlers = [Handler()]
    logger.setLevel(logging.INFO)
    logger.propagate = False
