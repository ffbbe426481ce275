"""The record of a run: ``run.yaml`` beside its personas.

It says what was read, how far the groups can be trusted, and what was written. It holds counts, and no id of a
respondent. Its keys are none that name or number people, since an erasure takes what stands below such a key for a
respondent (`persona.personas.content.people`). For the same reason counts by some value are a list, not a mapping with
that value as its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from persona import __version__
from persona.errors import InputError
from persona.personas import document
from persona.personas.document import RUN_KEY, RunRecordError
from persona.personas.sources.records import Answer, parts
from persona.personas.survey.questions import Use

if TYPE_CHECKING:
    from persona.personas.generate.provider import Generated, Options
    from persona.personas.model import Persona
    from persona.personas.survey.survey import Survey

RUN_FILE = "run.yaml"
"""The name of the record in the folder of a library."""
RUN_VERSION = 1
"""The version of its form."""
_LEAST_DIFFERENCE = 0.15
_LEAST_PEOPLE = 5
_MOST_DIFFERENCES = 3


@dataclass(frozen=True)
class Written:
    """What the record of an earlier run says that it wrote.

    Args:
        seed: of that run.
        prefix: what stands before the names of its personas.
        files: the SHA-256 of each file of its personas, by the file's name.
        earlier: likewise, of runs before it whose personas it left.
    """

    seed: int
    prefix: str
    files: Mapping[str, str]
    earlier: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> dict[str, str]:
        """All files that Persona wrote, and what each held."""
        return {**self.earlier, **self.files}


def run_record(
    survey: Survey,
    made: Generated,
    options: Options,
    *,
    provider: str = "offline",
    input_digest: str = "",
    codebook_digest: str = "",
) -> dict[str, Any]:
    """Return the record of a run as plain values: the same run gives the same.

    Args:
        survey: what was asked and answered.
        made: what was made of it.
        options: what was asked for.
        provider: who made it.
        input_digest: the SHA-256 of what was read.
        codebook_digest: that of the codebook; "" without one.
    """
    return {
        RUN_KEY: RUN_VERSION,
        "version": __version__,
        "input_sha256": input_digest,
        "options": {
            "provider": provider,
            "count": options.count,
            "seed": options.seed,
            "by": options.by,
            "prefix": options.name_prefix,
            "codebook_sha256": codebook_digest,
        },
        "rows": {
            "read": survey.read,
            "left_out": [{"reason": reason, "rows": count} for reason, count in survey.left_out.items()],
        },
        "questions": _questions(survey, made),
        "structure": _structure(made),
        "groups": [_group(persona, made) for persona in made.personas],
        "in_no_group": [
            {"why": why, "respondents": len(rows), "answers": differences(survey, rows)}
            for why, rows in (
                ("answered too little", made.grouping.left_out),
                ("between groups", made.grouping.between),
            )
            if rows
        ],
        "notes": list(made.notes),
    }


def _questions(survey: Survey, made: Generated) -> dict[str, Any]:
    counts = {use.value: sum(question.use is use for question in survey.questions) for use in Use}
    return counts | {"driving": list(made.grouping.driving)}


def _structure(made: Generated) -> dict[str, Any]:
    structure = made.grouping.structure
    return {
        "found": structure.found,
        "kind": structure.kind,
        "z": structure.z,
        "groups": structure.number,
        "runner_up": structure.runner_up,
        "held_out": structure.held_out,
        "tried": [
            {"groups": groups, "split_half": agreement} for groups, agreement in sorted(structure.split_half.items())
        ],
    }


def _group(persona: Persona, made: Generated) -> dict[str, Any]:
    """Return a persona in short, with how far its own members and the rest fit its top statements."""
    found: dict[str, Any] = {
        "persona": persona.id,
        "title": persona.title,
        "respondents": persona.respondents.count,
        "share": persona.respondents.share,
    }
    for fit in (each for each in made.fits if each.persona == persona.id):
        found["fit"] = {
            "top_statements": fit.statements,
            "group": [fit.group.count, fit.group.total],
            "rest": [fit.rest.count, fit.rest.total],
        }
        found["intervals"] = [
            {
                "statement": each.text,
                "group": [each.group, *each.group_interval],
                "rest": [each.rest, *each.rest_interval] if each.rest_interval else [],
            }
            for each in fit.intervals
        ]
    return found


def fitting(made: Generated) -> tuple[int, int]:
    """Return for how many members the top three statements of their persona hold, and how many answered them all."""
    return sum(fit.group.count for fit in made.fits), sum(fit.group.total for fit in made.fits)


def differences(survey: Survey, rows: Sequence[int]) -> list[dict[str, Any]]:
    """Return the answers that some respondents give more often than the others, the largest difference first.

    Args:
        survey: what was asked and answered.
        rows: the places of these respondents.
    """
    inside = set(rows)
    found: list[dict[str, Any]] = []
    for column in survey.columns():
        if not column.question.closed:
            continue
        ours = [answer for place, answer in enumerate(column.answers) if place in inside and answer is not None]
        others = [answer for place, answer in enumerate(column.answers) if place not in inside and answer is not None]
        if len(ours) < _LEAST_PEOPLE or not others:
            continue
        ours_give, others_give = _given(ours), _given(others)
        for answer in column.question.categories:
            here, there = ours_give[answer], others_give[answer]
            if here / len(ours) - there / len(others) >= _LEAST_DIFFERENCE:
                found.append(
                    {
                        "question": column.question.name,
                        "answer": answer,
                        "here": here,
                        "of": len(ours),
                        "elsewhere": there,
                        "of_others": len(others),
                    }
                )
    found.sort(key=lambda each: each["elsewhere"] / each["of_others"] - each["here"] / each["of"])
    return found[:_MOST_DIFFERENCES]


def _given(answers: Sequence[Answer]) -> Counter[str]:
    """Return by how many respondents each answer was given."""
    return Counter(each for answer in answers for each in dict.fromkeys(parts(answer)))


def without_erased(record: Mapping[str, Any], erased: Callable[[Iterable[str]], set[str]]) -> dict[str, Any]:
    """Return a record without the notes, and the names of questions, that name a respondent who was erased.

    Args:
        record: as `run_record` returns it.
        erased: returns those of some ids that were erased.
    """
    from persona.personas.content.mentions import words
    from persona.personas.content.people import normalised

    def clear(texts: Iterable[str]) -> list[str]:
        return [text for text in texts if not erased({normalised(word) for word in words(text)})]

    questions = record["questions"] | {"driving": clear(record["questions"]["driving"])}
    return {**record, "questions": questions, "notes": clear(record["notes"])}


def with_files(record: Mapping[str, Any], contents: Mapping[str, bytes], earlier: Mapping[str, str]) -> bytes:
    """Return the YAML of a record that also says what was written.

    Args:
        record: as `run_record` returns it.
        contents: the files of the personas, by name.
        earlier: the digests of the files of earlier runs that stay, by name.
    """
    digests = {name: digest(data) for name, data in contents.items()}
    found = {**record, "files": _files(digests)}
    return document.to_yaml(found | ({"earlier_files": _files(earlier)} if earlier else {}))


def _files(digests: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"file": name, "sha256": value} for name, value in sorted(digests.items())]


def digest(data: bytes) -> str:
    """Return the SHA-256 of a file's content, as hexadecimal."""
    return sha256(data).hexdigest()


def read_written(name: str, data: bytes) -> Written:
    """Return what the record of a run says that it wrote.

    Raises:
        InputError: it is no such record, or of a newer form.
    """
    record = _record(name, data)
    if record is None:
        raise InputError(f"{name} is not the record of a run.", hint="Keep other files elsewhere.")
    if record[RUN_KEY] != RUN_VERSION:
        raise InputError(
            f"{name} is of a form that this Persona does not know: {RUN_KEY} {str(record[RUN_KEY])[:20]}.",
            hint="Update Persona to read it.",
        )
    options = record.get("options")
    options = options if isinstance(options, dict) else {}
    seed, prefix = options.get("seed"), options.get("prefix")
    files, earlier = (_digests(record.get(key)) for key in ("files", "earlier_files"))
    return Written(seed if isinstance(seed, int) else 0, prefix if isinstance(prefix, str) else "", files, earlier)


def _digests(found: object) -> dict[str, str]:
    """Return the digests of files by name; only names of files in the record's own folder count."""
    rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    pairs = [(str(each.get("file", "")), str(each.get("sha256", ""))) for each in rows]
    return {name: value for name, value in pairs if name and "/" not in name and name != RUN_FILE}


def _record(name: str, data: bytes) -> dict[str, Any] | None:
    """Return what stands in the record of a run, None if a file is none."""
    if RUN_KEY.encode() not in data:
        return None
    try:
        document.read(name, data)
    except RunRecordError as error:
        return error.content
    except InputError:
        return None
    return None


def words_of(name: str, data: bytes) -> set[str]:
    """Return what the notes of a run's record may call somebody; nothing of other files."""
    from persona.personas.content.mentions import words

    notes = (_record(name, data) or {}).get("notes")
    return {word for note in notes for word in words(str(note))} if isinstance(notes, list) else set()


def without_subject(name: str, data: bytes, subject: str) -> tuple[int, bytes]:
    """Return how many notes of a run's record mention a respondent, and the record without them.

    Args:
        name: the file.
        data: its content; what is no record is returned as it is.
        subject: the respondent's id.
    """
    from persona.personas.content.mentions import mentions

    record = _record(name, data)
    notes = record.get("notes") if record else None
    if record is None or not isinstance(notes, list):
        return 0, data
    kept = [note for note in notes if not mentions(str(note), subject)]
    return len(notes) - len(kept), document.to_yaml({**record, "notes": kept}) if len(kept) < len(notes) else data
