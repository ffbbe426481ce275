"""The rules by which something is stated of a group, on small inputs whose answers are known."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from persona.errors import VerificationError
from persona.personas.evidence import check
from persona.personas.generate.claims import Claim
from persona.personas.generate.comparison import wilson
from persona.personas.generate.describe import Describer
from persona.personas.generate.grouping import Grouping, Standing, Structure
from persona.personas.generate.offline import Run
from persona.personas.generate.provider import Options
from persona.personas.generate.voices import Voices
from persona.personas.model import Persona
from persona.personas.sources.records import Answer, Passage, Record
from persona.personas.survey.questions import Kind, Question, Use
from persona.personas.survey.survey import Survey

TABLE = dict[str, Sequence[Answer | None]]


def question(name: str, kind: Kind = Kind.CHOICE, answers: Sequence[Answer | None] = (), **more: object) -> Question:
    parts = [part for each in answers if each is not None for part in (each if isinstance(each, tuple) else (each,))]
    categories = () if kind is Kind.TEXT else tuple(dict.fromkeys(parts))
    return Question(name, kind, Use.DESCRIBE, categories=categories, **more)  # type: ignore[arg-type]


def survey(table: TABLE, kinds: dict[str, Question], weights: tuple[float, ...] = ()) -> Survey:
    size = len(next(iter(table.values())))
    respondents = [
        Record("t.csv", f"r{i}", {name: given for name, each in table.items() if (given := each[i]) is not None})
        for i in range(size)
    ]
    questions = [kinds.get(name) or question(name, answers=each) for name, each in table.items()]
    return Survey(respondents, questions, weights)


def personas(
    of: Survey, groups: list[list[int]], driving: Sequence[str] = (), kind: Standing = "reproducible", by: str = ""
) -> list[Persona]:
    """Return the personas of given groups, each proved."""
    inside = {i for members in groups for i in members}
    left_out = [i for i in range(len(of.respondents)) if i not in inside]
    grouping = Grouping(groups, left_out, [], Structure(True, kind, number=len(groups)), list(driving))
    open_fields = [each.name for each in of.questions if each.kind is Kind.TEXT]
    describer = Describer(of, Voices(of.respondents, open_fields, of.speakers), grouping, lambda text: text)
    made = Run(describer, grouping, Options(by=by)).personas().personas
    for persona in made:
        check(persona, of)
    return made


def halves(size: int) -> list[list[int]]:
    return [list(range(size // 2)), list(range(size // 2, size))]


def test_the_rest_is_everybody_else_also_those_in_no_group() -> None:
    table: TABLE = {"Fruit": ["apple"] * 10 + ["pear"] * 10 + ["fig"] * 5}
    (first, second) = personas(survey(table, {}), [list(range(10)), list(range(10, 20))], ["Fruit"])
    (told,) = first.sets_apart
    assert (told.text, told.kind) == ("Fruit: apple", "defining")
    assert (told.group.count, told.group.total, told.rest.count, told.rest.total) == (10, 10, 0, 15)
    assert [first.title, second.title] == ["Fruit: apple", "Fruit: pear"]


@pytest.mark.parametrize(
    ("holding", "others", "answered", "stated"),
    [
        (20, 0, 40, True),
        (15, 0, 40, False),  # 38 %: less than 40 %
        (24, 19, 40, False),  # 60 % against 48 %: less than 15 points
        (24, 12, 40, True),
        (19, 0, 19, False),  # less than half of the group answered
        (20, 0, 20, True),
    ],
)
def test_what_is_stated(holding: int, others: int, answered: int, stated: bool) -> None:
    def column(yes: int, of: int) -> list[Answer | None]:
        return ["tea"] * yes + ["coffee" if i % 2 else "milk" for i in range(of - yes)] + [None] * (40 - of)

    table: TABLE = {"Drink": column(holding, answered) + column(others, 40)}
    found = personas(survey(table, {}), halves(80))
    texts = {statement.text for persona in found[:1] for statement in persona.sets_apart}
    assert ("Drink: tea" in texts) is stated


def test_five_people_must_answer() -> None:
    table: TABLE = {"Drink": ["tea"] * 4 + ["coffee"] * 40, "Other": ["x", "y"] * 22}
    found = personas(survey(table, {}), [list(range(4, 44)), list(range(4))])
    assert [persona.respondents.count for persona in found] == [40]


def test_chance_makes_no_statements() -> None:
    """Of 60 questions answered by chance at most a few are stated, at a rate of 5 % of what is stated."""
    rng = random.Random(4)
    wrong = 0
    for _ in range(10):
        table: TABLE = {f"Q{k}": [rng.choice("abc") for _ in range(40)] for k in range(60)}
        wrong += sum(len(persona.sets_apart) for persona in personas(survey(table, {}), halves(40)))
    assert wrong <= 1


def test_what_repeats_a_statement_is_not_told_again() -> None:
    same: Sequence[Answer | None] = ["a"] * 20 + ["b"] * 20
    nearly: Sequence[Answer | None] = ["x"] * 19 + ["y"] * 21
    other: Sequence[Answer | None] = (["p"] * 6 + ["q"] * 4) * 2 + (["p"] * 2 + ["q"] * 8) * 2
    table: TABLE = {"One": same, "Two": nearly, "Three": other}
    first, _ = personas(survey(table, {}), halves(40))
    assert [statement.basis.field for statement in first.sets_apart] == ["One", "Three"]


def test_a_box_that_is_not_ticked_is_never_stated() -> None:
    ticks: Sequence[Answer | None] = [("Sauna", "Pool")] * 12 + [()] * 3 + [("Gym",)] * 15
    boxes: Sequence[Answer | None] = ["Selected"] * 15 + ["Not selected"] * 15
    kinds = {"Uses": question("Uses", Kind.MULTIPLE, ticks)}
    first, second = personas(survey({"Uses": ticks, "Box": boxes}, kinds), halves(30), ["Uses", "Box"])
    assert {s.text for s in first.statements()} <= {"Uses: Sauna", "Uses: Pool", "Box: Selected"}
    assert {s.text for s in second.statements()} == {"Uses: Gym"}
    assert first.sets_apart[0].group.total == 15, "who ticks nothing was asked"


def test_weights_change_shares_and_not_counts() -> None:
    table: TABLE = {"Drink": ["tea"] * 6 + ["milk"] * 9 + ["tea"] * 2 + ["milk"] * 13}
    weights = (4.0,) * 6 + (1.0,) * 24
    plain = personas(survey(table, {}), halves(30))
    first, _ = personas(survey(table, {}, weights), halves(30))
    assert not [s for persona in plain for s in persona.sets_apart if s.basis.answers == ["tea"]]
    told = next(s for s in first.sets_apart if s.basis.answers == ["tea"])
    assert (told.group.count, told.group.total) == (6, 15)
    assert (told.group.share, told.group.weighted, told.rest.share) == (round(24 / 33, 4), True, round(2 / 15, 4))
    assert first.respondents.share == round(33 / 48, 4)
    with pytest.raises(VerificationError):
        check(first, survey(table, {}))


def test_sensitive_answers_are_in_no_title_and_no_summary() -> None:
    table: TABLE = {"Creed": ["x"] * 10 + ["y"] * 10, "Drink": ["tea"] * 8 + ["milk"] * 2 + ["milk"] * 9 + ["tea"]}
    kinds = {"Creed": question("Creed", answers=table["Creed"], sensitive=True)}
    for persona in personas(survey(table, kinds), halves(20)):
        assert "Creed" in " ".join(s.text for s in persona.sets_apart)
        assert "Creed" not in persona.title + persona.summary
    first, _ = personas(survey(table, kinds), halves(20), ["Creed"])  # the codebook says that it drives
    assert first.title.startswith("Creed: x")


def test_sections_of_a_codebook_and_of_the_form() -> None:
    table: TABLE = {
        "How often do you fly?": ["Often"] * 10 + ["Never"] * 10,
        "Airline": ["A"] * 9 + ["B"] * 10 + ["A"],
        "Seat": ["aisle"] * 8 + ["window"] * 10 + ["aisle"] * 2,
    }
    kinds = {"Seat": question("Seat", answers=table["Seat"], section="Comfort")}
    for persona in personas(survey(table, kinds), halves(20)):
        fields = {heading: {s.basis.field for s in told} for _, heading, told in persona.parts() if told}
        assert fields.get("Behaviours") == {"How often do you fly?"}
        assert set(fields) <= {"Behaviours", "What sets them apart", "Comfort"}


def test_who_they_are_shows_all_answers() -> None:
    ages: Sequence[Answer | None] = ["18-29"] * 12 + ["30-44"] * 8 + ["30-44"] * 8 + ["45+"] * 12
    towns: Sequence[Answer | None] = [f"Town {i % 15}" for i in range(38)] + ["Alone", None]
    table: TABLE = {"Drink": ["tea"] * 20 + ["milk"] * 20, "Age": ages, "Town": towns}
    kinds = {name: question(name, answers=table[name], about=True) for name in ("Age", "Town")}
    first, _ = personas(survey(table, kinds), halves(40), ["Drink"])
    age, town = first.demographics
    assert [(s.text, s.group.share, s.rest.share, s.differs) for s in age.shares] == [
        ("18-29", 0.6, 0.0, "more"),
        ("30-44", 0.4, 0.4, ""),
        ("45+", 0.0, 0.6, "less"),
    ]
    assert [s.text for s in town.shares][-1] == "Other answers"
    assert sum(s.group.count for s in town.shares) == 20
    assert "Alone" not in {s.text for s in town.shares}, "an answer of one person alone is not shown"
    assert {s.basis.field for s in first.statements()} == {"Drink"}


def test_titles_of_exploratory_and_constructed_groups_say_so() -> None:
    table: TABLE = {
        "A very long question indeed, longer than any title may be, about fruit": ["apple"] * 8 + ["pear"] * 8
    }
    for kind, mark in (("exploratory", "(exploratory)"), ("constructed", "(constructed)"), ("reproducible", "")):
        found = personas(survey(table, {}), halves(16), kind=kind)  # type: ignore[arg-type]
        assert all(persona.title.endswith(mark) and len(persona.title) <= 70 for persona in found)
        assert [word in persona.title for word, persona in zip(("apple", "pear"), found, strict=True)] == [True, True]
        assert all((mark.strip("()").capitalize() in persona.summary) for persona in found)


def test_a_title_joins_only_what_people_say_together() -> None:
    """Each of two answers holds for half of the group; nobody gives both."""
    one: Sequence[Answer | None] = ["tea"] * 10 + ["none"] * 10 + ["none"] * 20
    two: Sequence[Answer | None] = ["none"] * 10 + ["cake"] * 10 + ["none"] * 20
    table: TABLE = {"Drink": one, "Food": two}
    kinds = {name: question(name, Kind.CHOICE, table[name]) for name in table}
    first, _ = personas(survey(table, kinds), halves(40))
    assert first.title in ("Drink: tea", "Food: cake")


def test_titles_prefer_what_people_do() -> None:
    table: TABLE = {
        "Do you own a car?": ["No"] * 20 + ["Yes"] * 20,
        "Smoke": ["0"] * 20 + ["1"] * 20,
        "Drink": ["tea"] * 14 + ["milk"] * 6 + ["tea"] * 4 + ["milk"] * 16,
    }
    kinds = {"Smoke": question("Smoke", Kind.SCALE, ["0", "1"])}
    first, second = personas(survey(table, kinds), halves(40), list(table))
    assert first.title == "Drink: tea"
    assert "Owns a car" in second.title or "Smoke: 1" in second.title
    del table["Drink"]
    first, second = personas(survey(table, kinds), halves(40), list(table))
    assert first.title in ("Does not own a car", "Smoke: 0"), "nothing else sets the group apart, and it does"


def test_one_profile_of_everybody_says_what_most_say() -> None:
    table: TABLE = {"Drink": ["tea"] * 15 + ["milk"] * 5, "Day": ["Monday", "Tuesday", "Friday", "Sunday"] * 5}
    (persona,) = personas(survey(table, {}), [list(range(20))], kind="none")
    assert persona.title == "Everybody: no groups found"
    assert [(s.text, s.kind, s.rest.total) for s in persona.statements()] == [("Drink: tea", "shared", 0)]
    assert ("shared", "What most of them say") in [part[:2] for part in persona.parts()]


def test_groups_by_an_answer_are_called_by_it() -> None:
    table: TABLE = {"Role": ["Nurse"] * 9 + ["Cook"] * 9, "Shift": ["early"] * 7 + ["late"] * 9 + ["early"] * 2}
    found = personas(survey(table, {}), halves(18), ["Role"], kind="by", by="Role")
    assert [persona.title.split(";")[0] for persona in found] == ["Role: Nurse", "Role: Cook"]
    assert not any(of.field == "Role" for persona in found for of in persona.demographics)


def test_groups_by_a_no_are_called_by_it_too() -> None:
    table: TABLE = {"Do you cook?": ["Yes"] * 9 + ["No"] * 9, "Shift": ["early"] * 7 + ["late"] * 9 + ["early"] * 2}
    found = personas(survey(table, {}), halves(18), ["Do you cook?"], kind="by", by="Do you cook?")
    assert [persona.title.split(";")[0] for persona in found] == ["Cooks", "Does not cook"]


@pytest.mark.parametrize("heading", ["How far do you agree with it? [{}]", "How far do you agree with it? - {}"])
def test_the_row_of_a_grid_is_its_title(heading: str) -> None:
    names = [heading.format(row) for row in ("Es ist zu laut hier", "Es ist sauber hier")]
    answers = [["voll"] * 9 + ["gar nicht"] * 9, ["gar nicht"] * 9 + ["voll"] * 7 + ["gar nicht"] * 2]
    made = survey(dict(zip(names, answers, strict=True)), {})
    made.questions = [replace(each, of="How far do you agree with it?") for each in made.questions]
    made_of = personas(made, halves(18), names)
    titles = [persona.title for persona in made_of]
    assert "How far do you agree" not in made_of[0].summary
    assert "How far do you agree" in made_of[0].statements()[0].text
    assert titles[0].startswith(("Es ist zu laut hier: voll", "Es ist sauber hier: gar nicht")), titles


def test_ranges_of_one_score_have_an_order() -> None:
    """One is open below, the other above: as likely, and as far from the rest."""
    assert sorted([Claim("x", at_least=3.0), Claim("x", at_most=3.0), Claim("x", ("a",))], key=lambda c: c.order) == [
        Claim("x", at_most=3.0),
        Claim("x", at_least=3.0),
        Claim("x", ("a",)),
    ]
    rows: list[Answer | None] = ["0", "0", "4", "4"] * 12
    numbers = {"x": question("x", Kind.NUMBER), "y": question("y", Kind.NUMBER)}
    table: TABLE = {"x": rows, "y": [str(n % 7) for n in range(48)], "By": (["a", "b"] * 24)}
    assert personas(survey(table, numbers), [list(range(0, 48, 2)), list(range(1, 48, 2))], ["By"], kind="by", by="By")


NIGHT = "The night bus to the harbour never waits. Google Play services crash, see https://harbour.example.com/bus now."
CYCLE = "I cycle along the canal with Zora. Drivers shout; the harbour is far! I cycle at night, as Zora does."


def told(size: int = 12) -> Survey:
    texts: Sequence[Answer | None] = [NIGHT] * size + [CYCLE] * (size - 1) + [None]
    found = survey({"Why?": texts}, {"Why?": question("Why?", Kind.TEXT)})
    found.speakers = frozenset({"Zora Neale"})
    return found


def test_themes_are_phrases_as_they_are_written() -> None:
    first, second = personas(told(), halves(24), ["Why?"])
    texts = [theme.text for theme in first.themes]
    assert "Speaks of “Google Play services”" in texts
    assert all(theme.kind == "defining" for theme in first.themes)
    assert (second.themes[0].group.total, second.themes[0].rest.total) == (11, 12), "of those who wrote"
    everything = " ".join(s.text for persona in (first, second) for s in persona.themes)
    assert not re.search("zora|example|https", everything, re.IGNORECASE), "no names of speakers, no addresses"
    for theme in (*first.themes, *second.themes):
        assert 2 <= len({item.record for item in theme.evidence}) == len(theme.evidence) <= 3
        assert all(len(item.quote.split()) < 30 for item in theme.evidence)


def test_and_means_in_one_sentence() -> None:
    one = "My landlord turned the heating off. Fine."
    two = "My landlord is kind. The heating works."
    texts: Sequence[Answer | None] = [one] * 9 + [two] * 9
    found = survey({"Why?": texts}, {"Why?": question("Why?", Kind.TEXT)})
    claims = {
        claim.said: flags
        for claim, flags in Voices(found.respondents, ["Why?"]).claims(
            Grouping([list(range(9)), list(range(9, 18))], [])
        )
    }
    pair = claims[("heating",), ("landlord",)]
    assert list(pair) == [True] * 9 + [False] * 9
    assert all(claims[(("landlord",),)])


def test_long_sentences_are_quoted_in_part() -> None:
    long = " ".join(["word"] * 40 + ["zeppelin"] + ["more"] * 40) + "."
    texts: Sequence[Answer | None] = [long] * 8 + ["Nothing much to tell about it at all."] * 8
    (first, *_) = personas(survey({"Why?": texts}, {"Why?": question("Why?", Kind.TEXT)}), halves(16))
    theme = next(theme for theme in first.themes if "zeppelin" in theme.text)
    assert all("zeppelin" in item.quote and len(item.quote.split()) == 29 for item in theme.evidence)


def test_topics_that_a_researcher_coded_are_themes() -> None:
    said = "It was all right, as far as I can say about the thing."
    respondents = [
        Record("i.txt", f"P{i}", {}, (Passage("turn 1", said, ("Trust",) if i < 8 else ("Cost",)),)) for i in range(16)
    ]
    respondents.append(Record("i.txt", "P16", {}, (Passage("turn 1", said),)))
    first, _ = personas(Survey(respondents, []), [list(range(8)), list(range(8, 16))])
    theme = next(theme for theme in first.themes if theme.basis.topics)
    assert (theme.text, theme.group.count, theme.group.total) == ("Topic: Trust", 8, 8)
    assert (theme.rest.count, theme.rest.total) == (0, 8), "who is not coded is not counted"


def test_of_few_people_each_is_quoted() -> None:
    texts = ["The landlord never calls back.", "I asked my landlord about the mould.", "Nothing to report from here."]
    respondents = [Record(f"{n}.txt", f"P{n}", {}, (Passage("turn 1", text),)) for n, text in enumerate(texts)]
    (persona,) = personas(Survey(respondents, []), [[0, 1, 2]], kind="none")
    (theme,) = [theme for theme in persona.themes if "landlord" in theme.text]
    assert (theme.group.count, theme.group.total) == (2, 3)
    assert sorted(item.record for item in theme.evidence) == ["P0", "P1"]


def test_other_languages_are_not_rewritten() -> None:
    table: TABLE = {
        "Wie oft kochen Sie?": ["Täglich"] * 10 + ["Nie"] * 10,
        "料理は好きですか？": ["はい"] * 10 + ["いいえ"] * 10,
    }
    (first, second) = personas(survey(table, {}), halves(20))
    assert {s.text for s in first.statements()} <= {"Wie oft kochen Sie: Täglich", "料理は好きですか: はい"}
    assert first.title != second.title


def test_intervals() -> None:
    low, high = wilson(0.5, 10)
    assert (low, high) == (0.2366, 0.7634)  # the textbook's values for 5 of 10
    assert wilson(0.0, 10)[0] == 0.0
    assert wilson(0.3, 0) == (0.0, 1.0)
