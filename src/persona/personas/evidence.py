"""Whether a statement holds for a respondent, and the proof that a persona says what its input does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from persona.errors import VerificationError
from persona.personas.generate.words import mentions
from persona.personas.model import Basis, Count, Evidence, Persona, Statement, counted, percent
from persona.personas.sources.records import Record, parts
from persona.personas.survey import scales


def holds(basis: Basis, record: Record) -> bool | None:
    """Say whether a statement holds for a respondent; None if the respondent did not answer."""
    if basis.mentions:
        said = spoken(record, basis.open_fields)
        return any(mentions(text, basis.mentions) for text in said) if said else None
    cell = record.fields.get(basis.field or "")
    if cell is None:
        return None
    if basis.answers:
        return not set(parts(cell)).isdisjoint(basis.answers)
    value = scales.number(str(cell))
    if value is None:
        return None
    return (basis.at_least is None or value >= basis.at_least) and (basis.at_most is None or value <= basis.at_most)


def spoken(record: Record, open_fields: Iterable[str]) -> list[str]:
    """Return everything that a respondent said in their own words."""
    return [str(record.fields[name]) for name in open_fields if name in record.fields] + [
        passage.text for passage in record.passages
    ]


def count(basis: Basis, records: Iterable[Record]) -> Count:
    """Count for how many respondents a statement holds, of those who answered."""
    verdicts = [verdict for record in records if (verdict := holds(basis, record)) is not None]
    return counted(sum(verdicts), len(verdicts))


def check(persona: Persona, records: Sequence[Record]) -> None:
    """Prove a persona against its input: every quote is found in it, every number computed from it.

    Args:
        persona: the persona.
        records: all respondents of the input.

    Raises:
        VerificationError: something is not so; the message says what.
    """
    by_key = {key: record for record in records for key in record.keys}
    members = _members(persona, by_key)
    _require(
        persona,
        persona.respondents == counted(len(members), len(records)),
        "the number of respondents is wrong",
    )
    statements = [*persona.statements(), *persona.demographics]
    for statement in statements:
        _check_statement(persona, statement, members, records)
        for item in statement.evidence:
            _check_quote(persona, item, by_key)
            record = by_key[item.file, item.record]
            _require(
                persona,
                record in members and holds(statement.basis, record) is True,
                f"no evidence: {item.quote}",
            )
    for item in persona.quotes:
        _check_quote(persona, item, by_key)
    _check_words(persona, statements)
    _require(persona, persona.coverage.members == covered(persona, members), "the coverage of members is wrong")


def covered(persona: Persona, members: Sequence[Record]) -> float:
    """Return the share of members for whom at least half of the statements hold that they answered."""
    return covered_by([statement.basis for statement in persona.statements()], members)


def covered_by(bases: Sequence[Basis], members: Sequence[Record]) -> float:
    """Return the share of members for whom at least half of what was counted holds, of what they answered."""
    fitting = 0
    for record in members:
        verdicts = [verdict for basis in bases if (verdict := holds(basis, record)) is not None]
        fitting += bool(verdicts) and sum(verdicts) * 2 >= len(verdicts)
    return counted(fitting, len(members)).share


def _members(persona: Persona, by_key: dict[tuple[str, str], Record]) -> list[Record]:
    keys = [(part.file, record) for part in persona.members for record in part.records]
    missing = [key for key in keys if key not in by_key]
    _require(persona, not missing and len(set(keys)) == len(keys), f"unknown or repeated members: {missing[:3]}")
    return [by_key[key] for key in keys]


def _check_statement(
    persona: Persona, statement: Statement, members: Sequence[Record], records: Sequence[Record]
) -> None:
    group, everyone = count(statement.basis, members), count(statement.basis, records)
    _require(persona, statement.group == group, f"“{statement.text}”: counted {group}, stated {statement.group}")
    _require(persona, statement.everyone == everyone, f"“{statement.text}”: counted {everyone} of all")


def _check_quote(persona: Persona, item: Evidence, by_key: dict[tuple[str, str], Record]) -> None:
    record = by_key.get((item.file, item.record))
    found = record is not None and any(item.quote in text for text in record.texts(item.field, item.file))
    _require(persona, found, f"“{item.quote}” is not in {item.file}, {item.record}, {item.field}")


def _check_words(persona: Persona, statements: Sequence[Statement]) -> None:
    """Check that every number in the texts comes from a question, an answer or a count."""
    for statement in statements:
        _require(persona, numbers(statement.text) <= _known(statement), f"a made-up number in “{statement.text}”")
    known = set[str]().union(*(_known(statement) for statement in statements), _counts(persona.respondents))
    known |= numbers(persona.name)
    _require(persona, numbers(persona.title) <= known, f"a made-up number in the title “{persona.title}”")
    _require(persona, numbers(persona.summary) <= known, f"a made-up number in the summary “{persona.summary}”")


def numbers(text: str) -> set[str]:
    """Return the runs of digits in a text; separators of thousands are passed over."""
    return set(re.findall(r"\d+", re.sub(r"(?<=\d),(?=\d{3})", "", text)))


def _counts(*counts: Count) -> set[str]:
    return {text for c in counts for text in (str(c.count), str(c.total), percent(c.share).split()[0])}


def _known(statement: Statement) -> set[str]:
    basis = statement.basis
    bounds = [f"{bound:g}" for bound in (basis.at_least, basis.at_most) if bound is not None]
    words = [basis.field or "", *basis.answers, *bounds, *(item.quote for item in statement.evidence)]
    return numbers(" ".join(words)) | _counts(statement.group, statement.everyone)


def _require(persona: Persona, condition: bool, what: str) -> None:
    if not condition:
        raise VerificationError(
            f"Persona {persona.name} does not follow from its input: {what}.",
            hint="The input may have changed since; generate the personas again.",
        )
