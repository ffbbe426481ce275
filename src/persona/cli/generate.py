"""persona generate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand
from persona.cli.input import read_codebook, read_input, rows_json, understood_text, uses
from persona.cli.render import fields, heading, shortened, some, table
from persona.cli.session import Session
from persona.cli.typed import storage_path
from persona.errors import UsageError
from persona.neutral import line
from persona.storage.paths import printable
from persona.storage.reserved import RULE, is_reserved

if TYPE_CHECKING:
    from persona.personas.generate.grouping import Structure
    from persona.personas.generate.provider import Generated
    from persona.personas.model import Persona
    from persona.personas.publish import Published
    from persona.personas.survey.codebook import Codebook
    from persona.personas.survey.survey import Survey
    from persona.storage.backend import StorageBackend
    from persona.storage.tombstones import Tombstones

_FEW_FIT = 0.25
"""Below this share of members who fit the top statements, a warning says so."""


@click.command(cls=PersonaCommand)
@click.argument("source", metavar="INPUT")
@click.option("--output", default="personas/", show_default=True, metavar="PATH", help="The library to write to.")
@click.option("--codebook", metavar="FILE", help="What the questions are; “persona inspect” writes one.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="How many personas; else as many as fit the data.")
@click.option("--by", default="", metavar="FIELD", help="One persona for each answer to this question.")
@click.option("--provider", "provider_name", default="offline", show_default=True, help="Who makes them.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of what is drawn by chance.",
)
@click.option("--name-prefix", default="", metavar="TEXT", help="What stands before each name.")
@click.option("--overwrite", is_flag=True, help="Replace personas that are there under the same names.")
@click.option("--replace", is_flag=True, help="Take away what an earlier run wrote to the library.")
@click.pass_obj
def generate(
    session: Session,
    source: str,
    output: str,
    codebook: str | None,
    count: int | None,
    by: str,
    provider_name: str,
    seed: int,
    name_prefix: str,
    overwrite: bool,
    replace: bool,
) -> int:
    """Make personas from interviews and surveys.

    INPUT is a CSV, JSON, JSON Lines, text or Markdown file, a folder of these, or a storage URL such as
    s3://bucket/research. The same input and seed give the same personas.
    """
    from persona.personas.generate.provider import Options, provider
    from persona.personas.generate.provider import generate as make
    from persona.personas.publish import publish
    from persona.personas.runs import run_record, without_erased

    folder = storage_path(output, writes=True)
    if is_reserved(folder):
        raise UsageError(f"“{printable(folder)}” is no place for a library. {RULE}", hint="Name another --output.")
    if by and count is not None:
        raise UsageError("--by and --count exclude each other.", hint="--by makes one persona for each answer.")
    provider(provider_name)
    stated = read_codebook(session, codebook)
    survey, digest, erased = _surveyed(session, source, stated)
    options = Options(count, seed, name_prefix, _question(survey, by))
    made = make(survey, options, provider_name)
    digests = {"input_digest": digest, "codebook_digest": stated.digest if stated else ""}
    record = run_record(survey, made, options, provider=provider_name, **digests)
    if erased:
        record = without_erased(record, erased.among)

    async def work(storage: StorageBackend) -> tuple[Published, Callable[[str], str]]:
        return await publish(storage, folder, made.personas, record, overwrite=overwrite, replace=replace), storage.url

    published, url = session.with_storage(work)
    if session.json:
        session.emit(generated_json(made, survey, published, url, folder))
    else:
        print(generated_text(made, survey, published, url, folder))
    return _report(session, published, wanted=bool(name_prefix))


def _report(session: Session, published: Published, *, wanted: bool) -> int:
    """Say on stderr which personas of earlier runs are still there, unless they are wanted; return the exit code."""
    for path, reason in published.failed.items():
        session.warn(f"Not removed: {line(path)}: {line(reason)}")
    if published.remaining and not wanted:
        session.warn(
            f"Warning: personas of an earlier run are still there: {line(some(published.remaining))}\n"
            "  → Use --replace to take away those that nobody changed; delete the others yourself."
        )
    return 1 if published.failed else 0


def _surveyed(session: Session, source: str, stated: Codebook | None) -> tuple[Survey, str, Tombstones]:
    """Return INPUT as it is understood, without respondents who were erased; its digest; and who was erased."""
    from persona.cli.erased import leave_out
    from persona.personas.survey.apply import identified
    from persona.personas.survey.understand import understand

    session.check_writable()
    dataset = read_input(session, source)
    erased = leave_out(session, dataset, [each.id for each in identified(dataset, stated).records] if stated else ())
    return understand(dataset, stated), dataset.digest, erased


def _question(survey: Survey, by: str) -> str:
    """Return the name of the question of ``--by``, or "" without one."""
    from persona.personas.survey.lookup import find_question

    return find_question(survey, by).name if by else ""


def generated_json(
    made: Generated, survey: Survey, published: Published, url: Callable[[str], str], folder: str
) -> dict[str, Any]:
    """Return what ``generate --json`` shows."""
    structure = made.grouping.structure
    document: dict[str, Any] = {
        "personas": [
            _brief(persona, path) | {"respondents": persona.respondents.count, "share": persona.respondents.share}
            for persona, path in zip(made.personas, published.paths, strict=True)
        ],
        "respondents": made.respondents,
        "coverage": made.coverage,
        "rows": rows_json(survey),
        "questions": uses(survey),
        "structure": {
            "found": structure.found,
            "kind": structure.kind,
            "z": structure.z,
            "split_half": structure.split_half.get(structure.number),
        },
        "warnings": warnings(made),
        "notes": list(made.notes),
        "location": url(folder),
        "run": published.record,
    }
    document |= {"backup": url(published.backup)} if published.backup else {}
    document |= {"removed": published.removed} if published.removed else {}
    return document | ({"remaining": published.remaining} if published.remaining else {})


def generated_text(
    made: Generated, survey: Survey, published: Published, url: Callable[[str], str], folder: str
) -> str:
    """Return what ``generate`` shows to a person."""
    from persona.personas.model import percent

    rows = [
        (p.name, f"{p.respondents.count:,}", percent(p.respondents.share), shortened(p.title)) for p in made.personas
    ]
    covered = round(made.coverage * made.respondents)
    facts = [
        ("Location", url(folder)),
        ("Personas", str(len(made.personas))),
        ("Respondents", f"{made.respondents:,}"),
        ("Coverage", f"{percent(made.coverage)} ({covered:,} respondents are in a group)"),
    ]
    if published.removed:
        facts.append(("Removed", f"{len(published.removed):,} of an earlier run: {some(published.removed)}"))
    if published.backup:
        facts.append(("Old contents kept in", url(published.backup)))
    parts = [
        heading("Generated Personas"),
        fields(facts),
        "",
        fields([*understood_text(survey), ("Groups", groups_text(made.grouping.structure)), *_fit_text(made)]),
        "",
        table(("Name", "Respondents", "Share", "Title"), rows),
    ]
    for warning in warnings(made):
        parts += ["", f"Warning: {line(warning)}"]
    if made.notes:
        parts += ["", "Notes:", *(f"  - {line(note)}" for note in made.notes)]
    return "\n".join(parts)


def _fit_text(made: Generated) -> list[tuple[str, str]]:
    """Return who is in no group, and how many fit the personas."""
    from persona.personas.runs import fitting

    grouping = made.grouping
    outside = {"between groups": len(grouping.between), "answered too little": len(grouping.left_out)}
    reasons = [f"{count:,} {why}" for why, count in outside.items() if count]
    fit, total = fitting(made)
    rows = [("In no group", ", ".join(reasons))] if reasons else []
    return rows + ([("Fit", f"{fit:,} of {total:,} fit all top statements of their persona")] if total else [])


def warnings(made: Generated) -> list[str]:
    """Return what a reader of the personas must know before anything else."""
    from persona.personas.runs import fitting

    structure = made.grouping.structure
    agreement = structure.split_half.get(structure.number)
    halves = f" (agreement of split halves: {agreement:.2f})" if agreement is not None else ""
    said = {
        "none": "No groups were found. The one persona is a profile of everybody.",
        "exploratory": f"These groups are exploratory{halves}: other respondents may give others.",
        "constructed": f"These groups are constructed{halves}: they are there because --count asked for them.",
    }
    found = [said[structure.kind]] if structure.kind in said else []
    fit, total = fitting(made)
    if fit < _FEW_FIT * total:
        found.append(f"Few fit: the top statements of a persona hold for {fit:,} of {total:,} of its members.")
    return found


def groups_text(structure: Structure) -> str:
    """Return in one line how many groups there are, and how far they can be trusted."""
    if structure.kind == "none":
        return "none found: one profile of everybody"
    agreement = structure.split_half.get(structure.number)
    measured = [f"split-half agreement {agreement:.2f}"] if agreement is not None else []
    measured += [f"z {structure.z:.1f}"] if structure.z is not None else []
    kind = "one for each answer" if structure.kind == "by" else structure.kind
    return f"{structure.number:,}, {kind}" + (f" ({', '.join(measured)})" if measured else "")


def _brief(persona: Persona, path: str) -> dict[str, Any]:
    return {"id": persona.id, "name": persona.name, "title": persona.title, "path": path}
