"""The record of a run, and what a second run does to what the first one wrote."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from persona.cli.app import run
from persona.errors import AlreadyExistsError, ConflictError, InputError, UnreachableError
from persona.personas import document, subjects
from persona.personas.duplicates import copies_of
from persona.personas.generate.grouping import Grouping, Structure
from persona.personas.generate.provider import Generated, Options
from persona.personas.library import find, load
from persona.personas.model import Persona
from persona.personas.publish import Published, publish
from persona.personas.runs import differences, fitting, read_written, run_record
from persona.personas.sources.read import read_files, read_path
from persona.personas.summaries import summaries
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand
from tests.personas.conftest import RESEARCH
from tests.personas.memory import MemoryBackend
from tests.personas.test_cli import storage as storage

RECORD: dict[str, Any] = {"run_version": 1, "version": "1", "options": {"seed": 0, "prefix": ""}, "notes": []}
BACKUP = ".persona-backup/"


@pytest.fixture(scope="module")
def survey() -> Survey:
    return understand(read_path(RESEARCH))


def put(storage: MemoryBackend, personas: list[Persona], *, seed: int = 0, prefix: str = "", **how: bool) -> Published:
    record = RECORD | {"options": {"seed": seed, "prefix": prefix}}
    return asyncio.run(publish(storage, "team", personas, record, **how))


def files(storage: MemoryBackend, folder: str = "team/") -> set[str]:
    return {path.removeprefix(folder) for path in storage.objects if path.startswith(folder)}


def kept(storage: MemoryBackend) -> set[str]:
    return {path.split("/", 2)[2] for path in storage.objects if path.startswith(BACKUP)}


def named(examples: Generated, *names: str) -> list[Persona]:
    """Return personas of these ids."""
    return [each.model_copy(update={"id": key}) for each, key in zip(examples.personas, names, strict=False)]


def test_a_record_says_what_was_read_used_and_found_and_names_nobody(survey: Survey, examples: Generated) -> None:
    tried = Structure(True, "exploratory", 4.5, {2: 0.8, 4: 0.61}, 4, 2, 0.02)
    grouping = Grouping([[0, 1]], [2, 3], list(range(4, 12)), tried, ["Age"], [])
    made = replace(examples, grouping=grouping)
    seen = replace(survey, read=70, left_out={"preview": 3})
    record = run_record(seen, made, Options(seed=7, by="Age"), input_digest="abc", codebook_digest="def")
    assert record["rows"] == {"read": 70, "left_out": [{"reason": "preview", "rows": 3}]}
    assert record["options"] | {"seed": 7, "by": "Age", "codebook_sha256": "def"} == record["options"]
    assert record["structure"]["tried"] == [{"groups": 2, "split_half": 0.8}, {"groups": 4, "split_half": 0.61}]
    assert (record["structure"]["groups"], record["structure"]["runner_up"]) == (4, 2)
    assert record["questions"]["driving"] == ["Age"]
    assert [(each["why"], each["respondents"]) for each in record["in_no_group"]] == [
        ("answered too little", 2),
        ("between groups", 8),
    ]
    assert [each["persona"] for each in record["groups"]] == [persona.id for persona in examples.personas]
    for group, fit in zip(record["groups"], examples.fits, strict=True):
        assert group["fit"]["group"] == [fit.group.count, fit.group.total]
        assert [each["statement"] for each in group["intervals"]] == [each.text for each in fit.intervals]
    assert fitting(made)[1] > 0
    text = document.to_yaml(record).decode()
    assert document.to_yaml(
        run_record(seen, made, Options(seed=7, by="Age"), input_digest="abc", codebook_digest="def")
    )
    ids = {respondent.id for respondent in survey.respondents}
    assert {each for each in ids if subjects.trace("team/run.yaml", text.encode(), each)} == set()


def test_who_is_in_no_group_is_compared_with_the_others() -> None:
    rows = "".join(f"{n},{'Yes' if n < 6 else 'No'},{n % 3}\n" for n in range(30))
    survey = understand(read_files([("t.csv", f"id,Smokes,Level\n{rows}".encode())]))
    found = differences(survey, list(range(6)))
    assert found[0] == {"question": "Smokes", "answer": "Yes", "here": 6, "of": 6, "elsewhere": 0, "of_others": 24}
    assert all(each["question"] == "Smokes" for each in found)
    assert differences(survey, [0, 1]) == []


def test_the_digest_of_an_input_is_that_of_sha256sum(tmp_path: Path) -> None:
    from hashlib import sha256

    one, two = b"id,a\n1,x\n2,y\n", b"id,a\n3,x\n4,y\n"
    assert read_files([("a.csv", one)]).digest == sha256(one).hexdigest()
    lines = f"{sha256(one).hexdigest()}  a.csv\n{sha256(two).hexdigest()}  b.csv\n"
    assert read_files([("a.csv", one), ("b.csv", two)]).digest == sha256(lines.encode()).hexdigest()


def test_the_record_is_no_persona_for_any_reader(examples: Generated) -> None:
    storage = MemoryBackend()
    put(storage, list(examples.personas))
    library = asyncio.run(load(storage, "team"))
    assert (len(library.personas), library.refused) == (4, [])
    listed = asyncio.run(summaries(storage, "team"))
    assert (len(listed.personas), listed.refused) == (4, [])
    with pytest.raises(InputError, match=r"team/run\.yaml is the record of a run, not a persona"):
        asyncio.run(find(storage, "team/run"))
    path, persona = library.personas[0]
    storage.put(f"{path.removesuffix('.yaml')} 2.yaml", storage.objects["team/run.yaml"][0])
    assert asyncio.run(copies_of(storage, path, persona)) == []


def test_a_second_run_refuses_whatever_it_would_be_called(examples: Generated) -> None:
    storage = MemoryBackend()
    put(storage, named(examples, "a", "b"))
    before = dict(storage.objects)
    with pytest.raises(AlreadyExistsError, match=r"These are there already: team/a\.yaml, team/b\.yaml"):
        put(storage, named(examples, "a", "b"))
    with pytest.raises(AlreadyExistsError, match=r"another run \(--seed 0\)") as caught:
        put(storage, named(examples, "c"), seed=1)
    assert "--replace" in caught.value.hint
    assert storage.objects == before
    assert put(storage, named(examples, "c"), seed=1, overwrite=True).remaining == ["team/a.yaml", "team/b.yaml"]
    assert files(storage) == {"a.yaml", "b.yaml", "c.yaml", "run.yaml"}
    written = read_written("r", storage.objects["team/run.yaml"][0])
    assert (set(written.files), set(written.earlier), written.seed) == ({"c.yaml"}, {"a.yaml", "b.yaml"}, 1)
    made = put(storage, named(examples, "d"), seed=2, replace=True)
    assert sorted(made.removed) == ["team/a.yaml", "team/b.yaml", "team/c.yaml"]
    assert files(storage) == {"d.yaml", "run.yaml"}
    assert read_written("r", storage.objects["team/run.yaml"][0]).known.keys() == {"d.yaml"}
    assert made.backup.startswith(BACKUP)
    assert kept(storage) >= {"team/a.yaml", "team/b.yaml", "team/c.yaml", "team/run.yaml"}


def test_another_prefix_keeps_the_personas_of_both_runs(examples: Generated) -> None:
    storage = MemoryBackend()
    put(storage, named(examples, "a"))
    assert put(storage, named(examples, "x-a"), prefix="X").remaining == ["team/a.yaml"]
    with pytest.raises(AlreadyExistsError, match="another run"):
        put(storage, named(examples, "x-b"), prefix="X", seed=1)
    assert put(storage, named(examples, "b"), replace=True).removed == ["team/a.yaml", "team/x-a.yaml"]
    assert files(storage) == {"b.yaml", "run.yaml"}


def test_replace_leaves_what_somebody_changed_or_made(examples: Generated) -> None:
    storage = MemoryBackend()
    put(storage, named(examples, "a", "b", "c"))
    storage.put("team/a.yaml", b"edited")
    storage.put("team/mine.yaml", b"mine")
    with pytest.raises(AlreadyExistsError, match=r"changed since: team/a\.yaml\. Nothing was written") as caught:
        put(storage, named(examples, "a", "d"), replace=True)
    assert "--overwrite as well" in caught.value.hint
    assert files(storage) == {"a.yaml", "b.yaml", "c.yaml", "mine.yaml", "run.yaml"}
    with pytest.raises(AlreadyExistsError, match="team/mine"):
        put(storage, named(examples, "mine"), replace=True)
    made = put(storage, named(examples, "b", "d"), replace=True)
    assert (made.removed, made.remaining) == (["team/c.yaml"], ["team/a.yaml"])
    assert storage.objects["team/a.yaml"][0] == b"edited"
    assert storage.objects["team/mine.yaml"][0] == b"mine"
    put(storage, named(examples, "a"), replace=True, overwrite=True)
    assert files(storage) == {"a.yaml", "mine.yaml", "run.yaml"}
    assert b"edited" in [data for path, (data, *_) in storage.objects.items() if path.startswith(BACKUP)]


def test_an_interrupted_run_is_known_by_its_record_and_done_again_by_replace(examples: Generated) -> None:
    storage = MemoryBackend()
    put(storage, named(examples, "a"))

    def fail(path: str) -> None:
        if path == "team/c.yaml":
            raise UnreachableError("No answer.")

    storage.before_write = fail
    with pytest.raises(UnreachableError, match=r"Written before: team/b\.yaml"):
        put(storage, named(examples, "b", "c"), seed=1, replace=True)
    storage.before_write = lambda path: None
    assert files(storage) == {"a.yaml", "b.yaml", "run.yaml"}
    assert put(storage, named(examples, "b", "c"), seed=1, replace=True).removed == ["team/a.yaml"]
    assert files(storage) == {"b.yaml", "c.yaml", "run.yaml"}


def test_a_file_that_changes_while_it_is_looked_at_is_left(
    examples: Generated, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = MemoryBackend()
    put(storage, named(examples, "a", "b"))

    async def refuse(path: str, **how: object) -> None:
        raise ConflictError(f"{path} has changed.")

    monkeypatch.setattr(storage, "delete", refuse)
    made = put(storage, named(examples, "c"), replace=True)
    assert made.failed.keys() == {"team/a.yaml", "team/b.yaml"}
    assert read_written("r", storage.objects["team/run.yaml"][0]).earlier.keys() == {"a.yaml", "b.yaml"}


def test_somebodys_own_run_yaml_is_not_taken_for_a_record(examples: Generated) -> None:
    storage = MemoryBackend()
    storage.put("team/run.yaml", b"mine: 1")
    for replacing in (False, True):
        with pytest.raises(AlreadyExistsError, match=r"team/run\.yaml"):
            put(storage, named(examples, "a"), replace=replacing)
    put(storage, named(examples, "a"), overwrite=True)
    assert kept(storage) == {"team/run.yaml"}
    storage.put("team/run.yaml", b"run_version: 1\nfiles: [{file: ../x.yaml, sha256: a}, 3, {file: run.yaml}]\n")
    assert read_written("r", storage.objects["team/run.yaml"][0]).known == {}
    with pytest.raises(InputError, match="form that this Persona does not know"):
        read_written("r", b"run_version: 2\n")


def test_an_erasure_takes_the_notes_that_name_somebody_and_a_transfer_sees_them() -> None:
    record = RECORD | {"notes": ["“Anna Berg” speaks in two files.", "12 of 67 respondents are in no group."]}
    data = document.to_yaml(record)
    cut = subjects.trace("team/run.yaml", data, "Anna Berg")
    assert cut is not None
    assert (cut.certain, cut.what) == (True, ("1 note on a run",))
    assert cut.left is not None
    assert b"Anna" not in cut.left
    assert b"12 of 67" in cut.left
    assert subjects.trace("team/run.yaml", data, "12") is None
    assert "Anna Berg" in subjects.ids_of("team/run.yaml", data)
    assert "12" not in subjects.ids_of("team/run.yaml", data)


def test_generate_replaces_and_says_what_remains(storage: MemoryBackend, capsys: pytest.CaptureFixture[str]) -> None:
    survey = str(RESEARCH / "survey.csv")
    assert run(["generate", survey, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["run"] == "personas/run.yaml"
    assert run(["generate", survey, "--seed", "3"]) == 6
    assert run(["generate", survey, "--seed", "3", "--overwrite"]) == 0
    captured = capsys.readouterr()
    assert "personas of an earlier run are still there" in captured.err
    assert run(["generate", survey, "--seed", "4", "--replace"]) == 0
    captured = capsys.readouterr()
    assert "of an earlier run: personas/" in captured.out
    assert "Old contents kept in: memory://.persona-backup/" in captured.out
    assert "still there" not in captured.err
    assert run(["list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["personas"]) == len(files(storage, "personas/")) - 1
