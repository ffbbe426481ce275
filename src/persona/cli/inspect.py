"""``persona inspect``: what was understood of an input, before anything is made of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand
from persona.cli.files import on_this_machine
from persona.cli.input import read_codebook, read_input, rows_json, understood_text
from persona.cli.render import fields, heading, shortened
from persona.cli.session import Session
from persona.errors import InputError, UsageError
from persona.neutral import line

if TYPE_CHECKING:
    from persona.personas.survey.questions import Question
    from persona.personas.survey.survey import Survey

_MOST_ANSWERS = 8


@click.command(cls=PersonaCommand)
@click.argument("source", metavar="INPUT")
@click.option("--codebook", metavar="FILE", help="Apply this codebook first.")
@click.option("--write", metavar="FILE|-", help="Write a codebook to edit; - is stdout.")
@click.option("--overwrite", is_flag=True, help="Replace the file of --write.")
@click.pass_obj
def inspect(session: Session, source: str, codebook: str | None, write: str | None, overwrite: bool) -> None:
    """Show how INPUT is understood: respondents, questions, and what each is used for.

    With --write FILE, also write this as a codebook. Correct it, and generate with --codebook FILE.
    """
    from persona.personas.survey.codebook_text import codebook_text
    from persona.personas.survey.understand import understand

    if overwrite and write in (None, "-"):
        raise UsageError("--overwrite goes with --write FILE.", hint="persona inspect INPUT --write FILE --overwrite")
    stated = read_codebook(session, codebook)
    survey = understand(read_input(session, source), stated)
    text = codebook_text(survey, _name(source)) if write else ""
    if write and write != "-":
        _write(write, text, overwrite=overwrite)
    if session.json:
        written = {} if write is None else {"codebook": text} if write == "-" else {"written": write}
        session.emit(_json(survey, source) | written)
    elif write == "-":
        sys.stdout.write(text)
    else:
        print(_text(survey, source))
        if write:
            session.note(f"Wrote {write}. Correct it, then: persona generate INPUT --codebook {write}")


def _name(source: str) -> str:
    """Return the last part of INPUT: a codebook is passed on, and does not tell where the input lies."""
    return source.rstrip("/").rpartition("/")[2] or source


def _write(file: str, text: str, *, overwrite: bool) -> None:
    from persona.config.document import MAX_FILE_BYTES
    from persona.personas.local_file import write_file

    data = text.encode()
    if len(data) > MAX_FILE_BYTES:
        raise InputError(
            f"The codebook would be {len(data):,} bytes, and {MAX_FILE_BYTES:,} is the limit of what is read back.",
            hint="Use --write - and keep the questions that you want to state.",
        )
    write_file(on_this_machine(file), data, option="--write", overwrite=overwrite)


def _json(survey: Survey, source: str) -> dict[str, Any]:
    return {
        "input": source,
        "respondents": len(survey.respondents),
        "rows": rows_json(survey),
        "weighted": bool(survey.weights),
        "questions": [_question_json(survey, question) for question in survey.questions],
        "notes": list(survey.notes),
    }


def _question_json(survey: Survey, question: Question) -> dict[str, Any]:
    return {
        "question": question.name,
        "label": question.label,
        "kind": question.kind.value,
        _categories(question).lower(): list(question.categories),
        "answers": _answers(survey, question),
        "missing": list(question.missing),
        "columns": list(question.columns),
        "section": "demographics" if question.about else question.section,
        "sensitive": question.sensitive,
        "use": question.use.value,
        "why": question.why,
    }


def _categories(question: Question) -> str:
    from persona.personas.survey.questions import Kind

    return "Order" if question.kind is Kind.SCALE else "Options"


def _answers(survey: Survey, question: Question) -> int:
    return sum(answer is not None for answer in survey.answers(question))


def _text(survey: Survey, source: str) -> str:
    facts = [("Input", source), *understood_text(survey)]
    if survey.weights:
        facts.append(("Weights", "shares are weighted"))
    parts = [heading("Input"), fields(facts)]
    for question in survey.questions:
        parts += ["", *_question_text(survey, question)]
    if survey.notes:
        parts += ["", "Notes:", *(f"  - {line(note)}" for note in survey.notes)]
    return "\n".join(parts)


def _question_text(survey: Survey, question: Question) -> list[str]:
    """Return what is shown of one question."""
    count = _answers(survey, question)
    rows = [
        line(shortened(question.name)),
        *([f"  “{line(shortened(question.label))}”"] if question.label else []),
        f"  {question.kind.value}, {count:,} answer{'' if count == 1 else 's'}",
        f"  Use: {question.use.value}{_reason(question)}",
    ]
    if question.categories:
        between = " < " if _categories(question) == "Order" else " | "
        shown = between.join(line(each) for each in question.categories[:_MOST_ANSWERS])
        more = len(question.categories) - _MOST_ANSWERS
        rows.append(f"  {_categories(question)}: {shown}" + (f"{between}… ({more:,} more)" if more > 0 else ""))
    if question.missing:
        rows.append(f"  Missing: {', '.join(map(line, question.missing))}")
    if question.columns[1:]:
        rows.append(f"  Columns: {len(question.columns):,}")
    return rows


def _reason(question: Question) -> str:
    """Return why a question is used so, in parentheses."""
    said = [question.why] if question.why else []
    said += ["who they are"] if question.about else []
    said += ["special category"] if question.sensitive else []
    return f" ({line('; '.join(said))})" if said else ""
