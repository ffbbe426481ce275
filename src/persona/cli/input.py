"""INPUT, as ``generate`` and ``inspect`` read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from persona.cli.files import on_this_machine
from persona.cli.session import Session

if TYPE_CHECKING:
    from persona.personas.sources.records import Dataset
    from persona.personas.survey.codebook import Codebook
    from persona.personas.survey.survey import Survey


def read_input(session: Session, source: str) -> Dataset:
    """Read INPUT from this machine or, given as a URL, from a storage.

    Raises:
        InputError: it cannot be used.
        NotFoundError: there is no such thing.
    """
    from persona.personas.sources.read import read_path

    if "://" not in source:
        return read_path(on_this_machine(source))
    import asyncio

    from persona.personas.sources.remote import read_storage
    from persona.storage.outage import require
    from persona.storage.stack import open_url

    async def run() -> Dataset:
        storage, path = open_url(source, session.workspace.settings.storage)
        try:
            await require(storage.address())
            return await read_storage(storage, path)
        finally:
            await storage.close()

    return asyncio.run(run())


def read_codebook(session: Session, file: str | None) -> Codebook | None:
    """Read the file of ``--codebook``, if it is given.

    Raises:
        ConfigError: it may not be the user's own, and is not approved as it is.
        InputError: it cannot be read.
    """
    from persona.config.context import Context
    from persona.personas.survey import codebook

    if file is None:
        return None
    context = Context.of(session.config_file, session.overrides)
    return codebook.read_codebook(on_this_machine(file), context.home, context.project and context.project.parent)


def understood_text(survey: Survey) -> list[tuple[str, str]]:
    """Return in two lines what was understood: the respondents, and what the questions are used for."""
    read = f"{survey.read:,} respondents"
    if survey.left_out:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in survey.left_out.items())
        read += f"; {sum(survey.left_out.values()):,} left out ({reasons})"
    used = uses(survey)
    return [
        ("Read", read),
        ("Questions", f"{used['drive']:,} drive, {used['describe']:,} describe, {used['ignore']:,} ignored"),
    ]


def uses(survey: Survey) -> dict[str, int]:
    """Return how many questions are of each use."""
    from persona.personas.survey.questions import Use

    return {use.value: sum(question.use is use for question in survey.questions) for use in Use}


def rows_json(survey: Survey) -> dict[str, object]:
    """Return how many respondents were read and left out, for JSON."""
    left_out = dict(survey.left_out)
    return {"read": survey.read, "left_out": sum(left_out.values()), "reasons": left_out}
