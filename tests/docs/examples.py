"""The examples in the documentation: found, run in a shell, and compared with what the pages show.

A fenced block marked ``console`` is an example. A line that begins with ``$`` is run; the lines below it are what it
prints, on both streams. ``...`` alone on a line stands for any lines, and within a line for any text. A command must
end with exit code 0, unless what it prints begins with ``Error:``. The examples of a page are one session, from top to
bottom, in a folder that has ``examples`` in it. The id of a job, which no page can know, stands for the one that is
printed in its place, from there on.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import forking

_SECONDS = 120.0
_SHELL = re.compile(r"[|&;<>$`~*?#\[{\n]")
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_JOB = re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b")


@dataclass(frozen=True)
class Example:
    """One command and what it prints.

    Args:
        line: where it stands in its page, from 1.
        command: what is typed.
        printed: what the page shows below it.
    """

    line: int
    command: str
    printed: str


def examples_of(page: Path) -> list[Example]:
    """Return the examples of a page in their order."""
    text = page.read_text()
    found = []
    for block in _BLOCK.finditer(text):
        line = text[: block.start(1)].count("\n") + 1
        assert block[1].startswith("$ "), f"{page.name}:{line}: a console block begins with a command"
        for part in re.split(r"^(?=\$ )", block[1], flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            found.append(Example(line, command.removeprefix("$ "), printed))
            line += part.count("\n")
    return found


def run(example: Example, folder: Path, environment: Mapping[str, str], stands_for: Mapping[str, str]) -> str:
    """Run an example, and return what it printed in the words of the page.

    Args:
        example: what to run.
        folder: where.
        environment: all variables.
        stands_for: what the page writes in place of what is there in the test, such as an address.
    """
    command = example.command
    for shown, real in stands_for.items():
        command = command.replace(shown, real)
    code, printed = _in_shell(command, folder, environment)
    failed = example.printed.startswith("Error:")
    assert (code != 0) == failed, f"“{command}” ended with {code}:\n{printed}"
    for shown, real in stands_for.items():
        printed = printed.replace(real, shown)
    return printed


def _in_shell(command: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Return exit code and output of a command, for which only what is more than words needs a shell."""
    name, *arguments = shlex.split(command)
    if name == "persona" and not _SHELL.search(command):
        done = forking.run(arguments, folder, environment, one_stream=True, seconds=_SECONDS)
        return done.code, done.out
    ran = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ran.returncode, ran.stdout


def new_jobs(shown: str, printed: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return which ids of jobs stand for which: those that a page shows first here for those printed first here."""
    ours = [job for job in dict.fromkeys(_JOB.findall(shown)) if job not in known]
    theirs = [job for job in dict.fromkeys(_JOB.findall(printed)) if job not in known and job not in known.values()]
    return dict(zip(ours, theirs, strict=False))


def matches(shown: str, printed: str) -> bool:
    """Say whether what was printed is what a page shows, with its ellipses."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(re.escape("..."), ".*?") + r"\n"
        for line in shown.splitlines()
    ]
    return re.fullmatch("".join(lines), printed) is not None
