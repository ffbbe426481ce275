"""The command line in processes of their own, with a home that has all places configured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from persona.config.schema import StorageSettings
from persona.config.secret import Secret
from tests import forking

ROOT = Path(__file__).parents[2]
RUN_SECONDS = 240.0
_OTHERS = ("AWS_", "AZURE_", "GOOGLE_", "GCS_", "GCLOUD_", "STORAGE_EMULATOR_HOST", "PERSONA_", "COVERAGE_")


@dataclass(frozen=True)
class Ran:
    """What a command line gave.

    Args:
        arguments: what came after ``persona``.
        code: the exit code; negative for a signal.
        out: stdout.
        err: stderr.
    """

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


class CommandFailedError(AssertionError):
    """A command ended otherwise than it should have."""


class Command:
    """The command line of one user.

    Args:
        folder: where the home and the project go.
        places: the settings of each backend that has a section, by its name.
        **performance: keys of ``storage.performance``.
    """

    def __init__(self, folder: Path, *places: StorageSettings, **performance: str | int) -> None:
        self.home = folder / "home"
        self.project = folder / "project"
        for each in (self.home, self.project):
            each.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.environment = {name: text for name, text in os.environ.items() if not name.startswith(_OTHERS)}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled already
        self.environment |= {
            "PERSONA_HOME": str(self.home),
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT / "src"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_GCE_CHECK": "true",
        }
        sections = {place.backend: section(place) for place in places}
        for backend, values in sections.items():  # what is secret stands in the environment, not in the file
            for name in values.keys() & {"secret_access_key", "account_key"}:
                variable = f"PERSONA_TEST_{backend}_{name}".upper()
                self.environment[variable] = values[name]
                values[name] = f"env:{variable}"
        written = {"storage": {"backend": "local", **sections, "performance": performance}}
        file = self.home / "persona.yaml"
        file.touch(0o600)
        file.write_text(json.dumps(written), "utf-8")

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command; the caller waits for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "persona", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.project,
            env=self.environment | environment,
        )

    def run(self, *arguments: str, good: tuple[int, ...] | None = (0,), **environment: str) -> Ran:
        """Run a command to its end.

        Args:
            *arguments: the command.
            good: the exit codes that it may have; None for any.
            **environment: variables beside the usual ones.

        Raises:
            CommandFailedError: it ended otherwise, or showed a traceback.
        """
        try:
            done = forking.run(arguments, self.project, self.environment | environment, seconds=RUN_SECONDS)
        except TimeoutError as error:
            raise CommandFailedError(f"{arguments} did not end in {RUN_SECONDS} s") from error
        return _checked(Ran(arguments, done.code, done.out, done.err), good)


def ended(process: subprocess.Popen[str], arguments: tuple[str, ...], good: tuple[int, ...] | None = (0,)) -> Ran:
    """Wait for a command's end and check it, as `Command.run` does."""
    try:
        out, err = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        out, err = process.communicate()
        raise CommandFailedError(
            f"{arguments} did not end in {RUN_SECONDS} s:\n{out[-2000:]}\n{err[-2000:]}"
        ) from error
    return _checked(Ran(arguments, process.returncode, out, err), good)


def _checked(ran: Ran, good: tuple[int, ...] | None) -> Ran:
    if "Traceback" in ran.err or (good is not None and ran.code not in good):
        raise CommandFailedError(f"{ran.arguments} ended with {ran.code}:\n{ran.out[-2000:]}\n{ran.err[-4000:]}")
    return ran


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill a process at once, and say whether it was still alive."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def section(settings: StorageSettings) -> dict[str, Any]:
    """Return the section of a backend as a file has it, with its secrets, and nothing that is not set."""
    chosen = getattr(settings, settings.backend)
    values: Mapping[str, Any] = {item.name: getattr(chosen, item.name) for item in fields(chosen)}
    shown = {name: value.reveal() if isinstance(value, Secret) else value for name, value in values.items() if value}
    return {name: str(value) if isinstance(value, Path) else value for name, value in shown.items()}
