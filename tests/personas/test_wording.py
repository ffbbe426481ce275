from __future__ import annotations

import pytest

from persona.personas.generate.sections import section_of
from persona.personas.generate.titles import Group, common_endings, titles
from persona.personas.generate.wording import label, third_person, ungluer, word, word_range
from persona.personas.generate.words import sentences, stem, stems_of
from persona.personas.sources.records import Dataset, Record
from persona.personas.survey import scales
from persona.personas.survey.demographics import is_demographic
from persona.personas.survey.questions import Kind, Question, Use
from persona.personas.survey.understand import understand


@pytest.mark.parametrize(
    ("question", "answers", "says"),
    [
        (
            "In general, is it rude to bring a baby?",
            ["Yes, very rude"],
            "Thinks it is very rude to bring a baby",
        ),
        ("Is it rude to talk?", ["Yes, somewhat rude", "Yes, very rude"], "Thinks it is rude to talk"),
        ("Is it rude to talk?", ["No, not at all rude"], "Thinks it is not rude to talk"),
        ("Is it rude to talk?", ["Perhaps"], "Is it rude to talk: Perhaps"),
        ("How often do you travel by plane?", ["Never"], "Never travels by plane"),
        ("How often do you fly?", ["A few times per month"], "Flies a few times per month"),
        ("How often do you cook?", ["Hm"], "How often do you cook: Hm"),
        (
            "Do you ever recline your seat when you fly?",
            ["Once in a while"],
            "Once in a while reclines their seat when they fly",
        ),
        ("Do you have any children under 18?", ["Yes"], "Has children under 18"),
        ("Do you have any children under 18?", ["No"], "Does not have any children under 18"),
        ("Do you rent or own your home?", ["Own"], "Owns their home"),
        ("Do you rent or own your home?", ["Neither"], "Do you rent or own your home: Neither"),
        ("Who do you live with?", ["Partner"], "Lives with: Partner"),
        ("Have you ever smoked on your balcony?", ["No"], "Has never smoked on their balcony"),
        ("Have you ever smoked on your balcony?", ["Yes"], "Has smoked on their balcony"),
        ("Have you moved?", ["Maybe"], "Have you moved: Maybe"),
        ("Given the opportunity, would you ban seats?", ["Yes"], "Would ban seats"),
        ("If it were free, would you use it?", ["No"], "If it were free, would not use it"),
        ("Would you?", ["Yes"], "Would you: Yes"),
        ("Are you married?", ["No"], "Is not married"),
        ("Are you married?", ["It depends"], "Are you married: It depends"),
        (
            "How worried are you about your bills?",
            ["A little worried"],
            "Is a little worried about their bills",
        ),
        ("How easy is it to pay?", ["Very difficult"], "Finds it very difficult to pay"),
        ("How easy do you find it to pay?", ["Easy"], "Finds it easy to pay"),
        ("How important is price to you?", ["Very important"], "Finds price very important"),
        ("How long is the trip?", ["Long"], "How long is the trip: Long"),
        ("I plan my meals", ["Agree", "Strongly agree"], "Agrees: “I plan my meals”"),
        ("I plan my meals", ["Strongly disagree"], "Strongly disagrees: “I plan my meals”"),
        ("I plan my meals", ["Neutral"], "I plan my meals: Neutral"),
        ("What is your main reason?", ["Price"], "Main reason: Price"),
        ("Which features do you use?", ["Maps", "Alerts"], "Features they use: Maps or Alerts"),
        ("favourite_tool", ["Pen", "Ink", "Chalk"], "Favourite tool: “Pen”, “Ink” or “Chalk”"),
    ],
)
def test_question_and_answer_become_a_statement(question: str, answers: list[str], says: str) -> None:
    assert word(question, answers).text == says


def test_ranges_read_as_ranges() -> None:
    assert word_range("age", 18, 18).text == "Age: 18"
    assert word_range("age", 18, 30).text == "Age: 18 to 30"
    assert word_range("How old?", 18.5, None).text == "How old: 18.5 or more"
    assert word_range("age", None, 30).text == "Age: 30 or less"


def test_glued_words_are_parted_only_where_the_rest_is_a_word() -> None:
    mend = ungluer(["Is itrude to talk tothe stranger today?", "Is it rude the day before?"])
    assert mend("Is itrude to talk tothe stranger today?") == "Is it rude to talk to the stranger today?"


def test_third_person_and_labels() -> None:
    assert [third_person(verb) for verb in ("go", "watch", "try", "play", "have")] == [
        "goes",
        "watches",
        "tries",
        "plays",
        "has",
    ]
    assert label("rate_marriage") == "Rate marriage"


@pytest.mark.parametrize(
    ("answer", "amount"),
    [
        ("30-44", 30),
        ("> 60", 60.5),
        ("under 18", 17.5),
        ("65+", 65.5),
        ("$100,000 - $149,999", 100000),
        ("150000", 150000),
        ("6'3\"", 75),
        ("under 5 ft.", 59.5),
        ("6'6\" and above", 78.5),
        ("25 or older", 25.5),
    ],
)
def test_amounts(answer: str, amount: float) -> None:
    assert scales.amount_of(answer) == amount


@pytest.mark.parametrize("answer", ["Pacific", "1 2 3", "Platform 9 at King's Cross", "", "$"])
def test_what_is_no_amount(answer: str) -> None:
    assert scales.amount_of(answer) is None


def test_numbers() -> None:
    assert [scales.number(text) for text in ("1,040", "£2.50", "10 %", "5'4\"", "-3", "1e9", "", ".", "9" * 400)] == [
        *(1040, 2.5, 10, 64, -3, None, None, None, None)
    ]


def column(name: str, *answers: str) -> Question:
    records = [Record("f", str(i), {name: answer}) for i, answer in enumerate(answers)]
    return understand(Dataset(records)).questions[0]


@pytest.mark.parametrize(
    ("name", "answers", "kind"),
    [
        ("Email", ["a@b.c", "d@e.f"], Kind.ID),
        ("key", [f"x{i}" for i in range(9)], Kind.ID),
        ("Started", ["2024-01-01", "2024-01-02 10:00"], Kind.DATE),
        ("Timestamp", ["1/2/2024 9:00", "1/3/2024 9:00"], Kind.DATE),
        ("Q", ["same", "same"], Kind.CONSTANT),
        ("Rating", ["1", "5", "3", "5"], Kind.SCALE),
        ("Weight", [f"{i}.5" for i in range(20)], Kind.NUMBER),
        ("Q", ["Agree", "Strongly agree", "Disagree", "Agree"], Kind.SCALE),
        ("Q", ["Often", "Never", "Other"] + ["Always"] * 20, Kind.SCALE),
        ("Q", ["Pacific", "Mountain", "Pacific"], Kind.CHOICE),
        ("Tools", ["a; b", "b; c", "a", "a; c"], Kind.MULTIPLE),
        ("Tools", ["a, b", "b, c", "a", "a, c", "a, b, c"], Kind.MULTIPLE),
        ("Why?", [f"I go by bus on day {i} of the month" for i in range(9)], Kind.TEXT),
        ("City", ["York", "Leeds", "Bath", "York", "Hull", "Ely", "Wells", "Ripon"], Kind.CHOICE),
        ("Nickname", ["Yo", "Le", "Ba", "Hu", "El"], Kind.ID),
    ],
)
def test_kinds_of_columns(name: str, answers: list[str], kind: Kind) -> None:
    assert column(name, *answers).kind is kind


def test_scales_are_in_order() -> None:
    assert column("Q", "Always", "Never", "Usually", "Once in a while").categories == (
        "Never",
        "Once in a while",
        "Usually",
        "Always",
    )
    assert (
        column("Q", "Yes, very rude", "No, not rude at all", "Yes, somewhat rude").categories[0]
        == "No, not rude at all"
    )
    assert column("Q", "> 60", "18-29", "45-60", "18-29").categories == ("18-29", "45-60", "> 60")
    assert column("Q", "Twice", "More than five times times", "Once").categories[-1] == "More than five times times"


def test_demographics_are_short_headings_or_plain_questions() -> None:
    assert all(
        map(
            is_demographic,
            ["Age", "Household Income", "How tall are you?", "What is your job?", "yrs_married"[4:]],
        )
    )
    assert not any(map(is_demographic, ["What role does the price play for you?", "Is it rude to talk?"]))


def test_sections_follow_from_the_question() -> None:
    def section(wording: str, named: str = "") -> str:
        return section_of(Question("q", Kind.CHOICE, Use.DRIVE, label=wording, section=named))

    assert section("How often do you fly?") == "behaviours"
    assert section("What is your main reason for flying?") == "motivations"
    assert section("What are your main goals for this year?") == "goals"
    assert section("How worried are you about your bills?") == "pain_points"
    assert section("Is it rude to talk?") == ""
    assert section("How many times is it acceptable to get up?") == ""
    assert section("Is it rude to talk?", "Pain points") == "pain_points"
    assert section("Is it rude to talk?", "Manners") == "Manners"


def test_words_and_sentences() -> None:
    assert {stem(word) for word in ("waste", "wasted", "wasting", "wastes")} == {"wast"}
    assert stems_of("The landlord's bills and the bill!") == {"landlord", "bill"}
    assert sentences("Really? I go at 3.4 degrees. “Yes.” Then no…") == [
        "Really?",
        "I go at 3.4 degrees.",
        "“Yes.”",
        "Then no…",
    ]


def test_groups_that_nothing_tells_apart_have_different_titles() -> None:
    groups = [Group(name, [], lambda *_: 1.0) for name in ("Ada", "Ben")]
    assert titles(groups, (), "(exploratory)") == [
        "No single answer stands out (exploratory)",
        "Ben: no single answer stands out (exploratory)",
    ]
    asked = [
        "Is it rude to sit on a plane?",
        "Is it rude to sing on a plane?",
        "Is it rude to stand on a plane?",
    ]
    assert "on a plane" in common_endings(asked)
