from __future__ import annotations

import csv
import hashlib
import io
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona.errors import InputError, PersonaError, UsageError, VerificationError
from persona.personas import document
from persona.personas.evidence import check, numbers
from persona.personas.generate.names import names, slug, unique_ids
from persona.personas.generate.provider import Generated, Options, generate
from persona.personas.model import Persona
from persona.personas.sources import limits
from persona.personas.sources.read import read_files, read_path
from persona.personas.sources.records import Dataset
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand
from tests.personas.conftest import INPUTS, RESEARCH, ROOT

Made = tuple[str, Survey, Generated]


def test_every_statement_follows_from_the_input(made: Made) -> None:
    _, survey, generated = made
    for persona in generated.personas:
        check(persona, survey)
        assert all(statement.evidence for statement in persona.statements())


def test_quotes_are_found_in_the_very_files(made: Made) -> None:
    name, _, generated = made
    root = INPUTS[name]
    raw: dict[str, str] = {}
    for persona in generated.personas:
        items = [item for s in persona.statements() for item in s.evidence]
        for item in [*items, *persona.quotes]:
            if item.file not in raw:
                path = root / item.file if root.is_dir() else root
                text = path.read_text(encoding="utf-8-sig")
                if path.suffix == ".csv":  # a quotation mark in a cell is doubled in the file
                    text = " ".join(cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row)
                raw[item.file] = " ".join(text.split())
            assert item.quote in raw[item.file]


def test_groups_differ_and_titles_say_how(made: Made) -> None:
    name, _, generated = made
    titles = [persona.title for persona in generated.personas]
    expected = {"survey": range(2, 7), "examples": [4], "example survey": [4], "interviews": [1]}[name]
    assert len(generated.personas) in expected
    if len(titles) == 1:  # fifteen interviews: nothing sets everybody apart from everybody
        assert generated.grouping.structure.kind == "none"
        return
    assert len(set(titles)) == len(titles)
    assert all(len(title) <= 70 and "(II)" not in title for title in titles)
    for persona in generated.personas:
        assert persona.statements()
        told = [statement for statement in persona.statements() if statement.kind != "shared"]
        assert told or persona.generation.groups == 1 or "No single answer stands out" in persona.title
        for each in told:
            assert each.group.share >= 0.4
            assert each.group.share - each.rest.share >= 0.1499
            assert each.group.count + each.rest.count <= each.group.total + each.rest.total


def test_every_respondent_is_in_one_group_at_most(made: Made) -> None:
    _, survey, generated = made
    members = [(part.file, record) for p in generated.personas for part in p.members for record in part.records]
    assert len(set(members)) == len(members)
    if "No persona for a group" not in "\n".join(generated.notes):
        assert len(members) == round(generated.coverage * generated.respondents)
        assert len(members) + len(generated.grouping.between) >= 0.8 * len(survey.respondents)
    assert sum(p.respondents.count for p in generated.personas) == len(members)
    assert all(fit.persona == p.id for fit, p in zip(generated.fits, generated.personas, strict=True))


def test_the_examples_hold_the_groups_that_were_written_into_them(examples: Generated) -> None:
    wanted = (
        "Live cost",
        "Half-hourly charts",
        "Rents their home",
        "Heating schedule",
    )  # by group, as they were written
    texts = ["; ".join(s.text for s in persona.statements() if s.kind != "shared") for persona in examples.personas]
    assert sorted([words for words in wanted if words in text] for text in texts) == sorted([words] for words in wanted)
    files = [{part.file for part in persona.members} for persona in examples.personas]
    assert all("survey.csv" in group and len(group) >= 4 for group in files), "interviews join the survey's groups"


def test_what_is_left_out_is_said(made: Made) -> None:
    _, _, generated = made
    notes = "\n".join(generated.notes)
    assert "Not compared (names a person or differs everywhere)" in notes
    if generated.coverage < 1:
        assert "are in no group" in notes


def test_count_is_kept_and_bounded() -> None:
    dataset = read_path(RESEARCH / "survey.csv")
    for count in (1, 2):
        assert len(generate(understand(dataset), Options(count=count)).personas) == count
    with pytest.raises(InputError, match="cannot be 53 personas of 52"):
        generate(understand(dataset), Options(count=53))
    with pytest.raises(InputError, match="cannot be 52 personas: 50 respondents"):
        generate(understand(dataset), Options(count=52))


def test_count_above_the_number_of_different_respondents() -> None:
    dataset = read_files([("s.csv", b"Q,R\n" + b"a,b\na,c\n" * 6)])
    with pytest.raises(InputError, match="only 2 different sets of answers"):
        generate(understand(dataset), Options(count=3))


def test_names_follow_seed_and_prefix() -> None:
    dataset = read_path(RESEARCH / "survey.csv")
    one = generate(understand(dataset), Options(seed=1, name_prefix="Customer"))
    other = generate(understand(dataset), Options(seed=2))
    assert all(p.name.startswith("Customer ") and p.id.startswith("customer-") for p in one.personas)
    assert {p.name for p in one.personas}.isdisjoint(f"Customer {p.name}" for p in other.personas)
    assert len(set(names(200, 3, ""))) == 200
    assert names(1, 3, "x-")[0].startswith("x-")
    assert slug("Élan 日本 2") == "elan-2"
    assert unique_ids(["日本", "日本", "A"]) == ["persona", "persona-2", "a"]


def test_unknown_provider() -> None:
    with pytest.raises(UsageError, match="no provider “oracle”"):
        generate(understand(Dataset()), Options(), "oracle")


def test_no_respondents_and_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no respondents"):
        generate(understand(Dataset()), Options())
    monkeypatch.setattr(limits, "MAX_RECORDS", 3)
    with pytest.raises(InputError, match="more than 3 respondents, which is the limit"):
        read_path(RESEARCH / "survey.csv")


def test_numbers_are_described_in_ranges() -> None:
    rows = [f"{20 + i},{2 + i % 3},{30.5 + i},{i % 2}" for i in range(20)]
    rows += [f"{50 + i},{20 + i % 5},{3.5 + i / 10},{i % 2}" for i in range(20)]
    text = "Age,trips_by_bus,km_by_bike,coin\n" + "\n".join(rows)
    generated = generate(understand(read_files([("t.csv", text.encode())])), Options(count=2))
    for persona in generated.personas:
        assert {s.text.split(":")[0] for s in persona.sets_apart} <= {"Trips by bus", "Km by bike"}
    for persona in generated.personas:
        (age,) = persona.demographics
        assert [share.text for share in age.shares] == ["20 to 29", "30 to 39", "50 to 59", "60 to 69"]
        assert [share.group.share for share in age.shares] in ([0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5])
        assert {share.differs for share in age.shares} == {"more", "less"}


def test_respondents_without_answers_in_common_with_any_are_left_out() -> None:
    table = "ID,Q1,Q2,Q3,Q4,Q5\n" + "".join(f"{i},a,b,{'cd'[i % 2]},e,{'fg'[i % 2]}\n" for i in range(12)) + "99,,,,,\n"
    generated = generate(understand(read_files([("t.csv", table.encode())])), Options())
    assert generated.respondents == 13
    assert generated.coverage == pytest.approx(12 / 13, abs=1e-4)
    assert "1 of 13 respondents (8 %) are in no group" in "\n".join(generated.notes)


def test_interviews_unlike_the_survey_are_left_out_and_said() -> None:
    table = "ID,Colour,Shape\n" + "".join(f"{i},{'red' if i % 2 else 'blue'},{'rl'[i % 2]}\n" for i in range(12))
    talk = "Interviewer: Why?\nP1: Because ducks and geese and swans float on ponds in every single park."
    generated = generate(understand(read_files([("t.csv", table.encode()), ("i.txt", talk.encode())])), Options())
    assert "1 interview was too unlike the survey to join a group." in generated.notes
    assert sum(p.respondents.count for p in generated.personas) == 12


SCRIPT = """
import sys
from pathlib import Path
from persona.personas import document
from persona.personas.generate.provider import Options, generate
from persona.personas.sources.read import read_path
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand
for persona in generate(understand(read_path(Path(sys.argv[1]))), Options(seed=7)).personas:
    sys.stdout.buffer.write(document.write(persona))
"""


def test_same_bytes_in_other_processes_and_after_shuffling(tmp_path: Path) -> None:
    files = [path for path in sorted(RESEARCH.rglob("*")) if path.is_file()]
    random.Random(5).shuffle(files)
    for path in files:  # written in another order, so that the folder lists them in another one
        target = tmp_path / "research" / path.relative_to(RESEARCH)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    digests = set()
    for folder, hash_seed in ((RESEARCH, "0"), (tmp_path / "research", "4711")):
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")}
        run = subprocess.run([sys.executable, "-c", SCRIPT, str(folder)], env=env, capture_output=True, check=True)
        assert run.stdout.startswith(b"schema_version: 2\n")
        digests.add(hashlib.sha256(run.stdout).hexdigest())
    assert len(digests) == 1


def changed(persona: Persona, **update: object) -> Persona:
    return persona.model_copy(update=update)


def test_the_proof_finds_what_was_made_up(examples: Generated) -> None:
    survey = understand(read_path(RESEARCH))
    persona = next(each for each in examples.personas if each.behaviours and each.themes)
    first, theme, who = persona.behaviours[0], persona.themes[0], persona.demographics[0]
    other = next(each for each in examples.personas if each is not persona)
    weighted = first.group.model_copy(update={"weighted": True})
    both = theme.basis.model_copy(update={"said": [*theme.basis.said, ["zeppelin"]]})
    lower = who.shares[0].model_copy(update={"rest": who.shares[0].group})
    lies = [
        changed(persona, title="99999 reasons"),
        changed(persona, summary=persona.summary + " 12345 agree."),
        changed(persona, respondents=first.group),
        changed(persona, members=[persona.members[0].model_copy(update={"records": ["nobody"]})]),
        changed(persona, quotes=[persona.quotes[0].model_copy(update={"quote": "Never said."})]),
        changed(persona, quotes=[persona.quotes[0].model_copy(update={"record": "nobody"})]),
        changed(persona, coverage=persona.coverage.model_copy(update={"members": 0.0})),
        changed(persona, title="A title of more than seventy characters, which nobody could tell apart at once"),
        changed(persona, quotes=[*persona.quotes, other.quotes[0]]),
        changed(persona, behaviours=[first.model_copy(update={"text": "Lost 777 pounds"})]),
        changed(persona, behaviours=[first.model_copy(update={"group": first.rest})]),
        changed(persona, behaviours=[first.model_copy(update={"rest": first.group})]),
        changed(persona, behaviours=[first.model_copy(update={"group": weighted})]),
        changed(persona, behaviours=[first.model_copy(update={"evidence": [other.quotes[0]]})]),
        changed(persona, themes=[theme.model_copy(update={"evidence": first.evidence})]),
        changed(persona, themes=[theme.model_copy(update={"basis": both})]),
        changed(persona, demographics=[who.model_copy(update={"shares": [lower, *who.shares[1:]]})]),
    ]
    for lie in lies:
        with pytest.raises(VerificationError, match="does not follow from its input"):
            check(lie, survey)
    assert numbers("1,040 of 12,5 and 3.5") == {"1040", "12", "5", "3"}


cells = st.one_of(
    st.sampled_from(
        ["", "Yes", "No", "Yes, very rude", "No, not rude at all", "1", "2", "30-44", "> 60", "a; b", "b; c"]
    ),
    st.sampled_from(
        ["Agree", "Strongly disagree", "Never", "Always", "2024-01-01", "6'3\"", "$1,000", "1e9", "-", "=x"]
    ),
    st.sampled_from(["I want a bus that comes. I hate waiting in the rain!", "We never wait for the bus; it is slow."]),
    st.text(max_size=12),
)
headings = st.one_of(
    st.sampled_from(
        [
            "Age",
            "ID",
            "Is it rude to talk?",
            "Do you ever talk?",
            "How often do you talk?",
            "I like talking a lot",
        ]
    ),
    st.text(max_size=10),
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_odd_tables_give_personas_or_an_input_error(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 5))
    rows = [data.draw(st.lists(headings, min_size=width, max_size=width))]
    rows += data.draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=9))
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    count = data.draw(st.one_of(st.none(), st.integers(1, 4)))
    try:
        dataset = read_files([("t.csv", stream.getvalue().encode("utf-8", "surrogatepass"))])
        generated = generate(understand(dataset), Options(count=count, seed=data.draw(st.integers(0, 9))))
    except PersonaError as error:
        assert isinstance(error, InputError)
        return
    assert len(generated.personas) <= (count or len(generated.grouping.groups))
    for persona in generated.personas:
        assert document.read("p.yaml", document.write(persona)) == persona
