"""How columns of a table become questions: each rule on a small input, with the note that it gives."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from itertools import permutations

import pytest

from persona.errors import InputError
from persona.personas.sources.read import read_files
from persona.personas.sources.records import Answer
from persona.personas.sources.tables import table
from persona.personas.survey import draft, scales
from persona.personas.survey.demographics import asks_gender, is_demographic
from persona.personas.survey.kinds import ordered
from persona.personas.survey.lists import lists_in
from persona.personas.survey.missing import outside
from persona.personas.survey.questions import Kind, Question, Use
from persona.personas.survey.sensitive import is_sensitive
from persona.personas.survey.survey import Survey
from persona.personas.survey.understand import understand

N = 40


def survey_of(**columns: Sequence[str]) -> Survey:
    """Return the survey of a table, with ids in front; short columns are repeated."""
    named = {name.replace("__", " "): [*values] for name, values in columns.items()}
    return read_table(["Participant", *named], [*named.values()])


def read_table(head: list[str], columns: list[list[str]]) -> Survey:
    rows = [[f"P{n}", *(values[n % len(values)] for values in columns)] for n in range(N)]
    text = io.StringIO()
    csv.writer(text).writerows([head, *rows])
    return understand(read_files([("s.csv", text.getvalue().encode())]))


def question(survey: Survey, name: str) -> Question:
    return next(each for each in survey.questions if each.name == name)


def answers(survey: Survey, name: str) -> list[Answer | None]:
    return [*survey.answers(question(survey, name))]


def noted(survey: Survey, *parts: str) -> bool:
    return any(all(part in note for part in parts) for note in survey.notes)


# --- tick boxes


@pytest.mark.parametrize(
    ("ticked", "blank"),
    [
        ("", ""),  # the option itself, or a blank cell
        ("x", ""),
        ("1", "0"),
        ("TRUE", "FALSE"),
        ("Yes", "No"),
        ("Selected", "Not selected"),
        ("1", ""),
        ("genannt", "nicht genannt"),
        ("Checked", "Unchecked"),
        ("☑", "☐"),
    ],
)
@pytest.mark.parametrize(
    "heading", ["Tools? - {}", "Tools? [{}]", "tools/{}", "Tools? (choice={})", "Tools: {}", "Tools?-{}"]
)
def test_tick_boxes_are_one_question(ticked: str, blank: str, heading: str) -> None:
    options = ["Bus", "Bike", "Car and van"]
    columns = [[ticked or option if (n + k) % 3 else blank for n in range(N)] for k, option in enumerate(options)]
    columns = [[""] * 3 + column[3:] for column in columns]
    survey = read_table(["Participant", *map(heading.format, options), "Next"], [*columns, ["a", "b"]])
    stem = heading.split("{")[0].rstrip(" -[/:").removesuffix(" (choice=")
    tools = question(survey, stem)
    assert (tools.kind, tools.use) == (Kind.MULTIPLE, Use.DRIVE)
    assert {*tools.categories} == {*options}
    assert tools.columns == tuple(map(heading.format, options))
    ticks = answers(survey, stem)
    assert ticks[4] == tuple(option for k, option in enumerate(options) if (4 + k) % 3)
    assert noted(survey, stem, "3 tick boxes read as one question")
    assert [each.name for each in survey.questions] == ["Participant", stem, "Next"]


def test_a_row_without_a_tick_is_an_answer_only_if_it_was_surely_asked() -> None:
    boxes = [["x", "", "", ""], ["", "x", "", ""]]
    before, after = ["a", "b", "a", ""], ["c", "d", "c", "d"]
    survey = read_table(["id", "Before", "T - A", "T - B", "After"], [before, *boxes, after])
    assert answers(survey, "T")[:4] == [("A",), ("B",), (), None]
    none_of = read_table(["id", "Before", "T - A", "T - None of these", "After"], [before, *boxes, after])
    assert answers(none_of, "T")[2] is None
    explicit = read_table(["id", "T - A", "T - B"], [["1", "0", "0", ""], ["0", "1", "0", ""]])
    assert answers(explicit, "T")[:4] == [("A",), ("B",), (), None]


def test_a_single_box_and_boxes_under_their_own_names() -> None:
    survey = read_table(
        ["id", "Before", "Shows? - Parade", "After", "Charts", "Alerts"],
        [["a", "b"], ["Parade", "", "Parade", "Parade"], ["c", "d"], ["Charts", "", ""], ["", "Alerts", "Alerts"]],
    )
    assert question(survey, "Shows?").categories == ("Parade",)
    assert answers(survey, "Shows?")[:2] == [("Parade",), ()]
    assert question(survey, "Ticked: Charts, Alerts").categories == ("Alerts", "Charts")


def test_columns_of_yes_or_nothing_beside_one_another() -> None:
    yes = {"Member": ["Yes", "", "Yes"], "Volunteer": ["", "Yes", ""]}
    survey = read_table(["id", *yes, "Score"], [*yes.values(), ["1", "2", "3", ""]])
    assert answers(survey, "Member")[:5] == [("Yes",), (), ("Yes",), ("Yes",), ()]
    assert answers(survey, "Volunteer")[:4] == [(), ("Yes",), (), None]
    survey = read_table(["id", "Member", "Score"], [["Yes", ""], ["1", ""]])
    member = question(survey, "Member")
    assert member.use is Use.IGNORE  # all who were surely asked say so
    assert "may not have been asked" in member.why


def test_options_may_hold_what_parts_headings() -> None:
    options = ["Pie - Apple", "Pie - Cherry", "Cake: any"]
    columns = [[option if (n + k) % 3 else "" for n in range(N)] for k, option in enumerate(options)]
    survey = read_table(["id", *(f"What? - {option}" for option in options)], columns)
    assert {*question(survey, "What?").categories} == {*options}


def test_what_is_no_tick_box() -> None:
    survey = survey_of(
        Finished=["True"],
        Owns_car=["Yes", "No"],
        Likes_bus=["Yes", "No", "Maybe"],
        x1=["0", "1", "1"],
        x2=["1", "0", "0"],
        **{"Rate - A": ["1", "2", "1"], "Rate - B": ["1", "2", "2"]},
    )
    kinds = {each.name: each.kind for each in survey.questions}
    assert kinds == {
        "Participant": Kind.ID,
        "Finished": Kind.CONSTANT,
        "Owns_car": Kind.CHOICE,
        "Likes_bus": Kind.CHOICE,
        "x1": Kind.SCALE,
        "x2": Kind.SCALE,
        "Rate - A": Kind.SCALE,
        "Rate - B": Kind.SCALE,
    }


def test_numbered_columns_take_their_options_from_the_cells() -> None:
    survey = read_table(["id", "Q3_1", "Q3_2"], [["Charts", "", ""], ["", "Alerts", "Alerts"]])
    assert question(survey, "Q3").categories == ("Alerts", "Charts")


def test_wordings_say_what_boxes_with_numbers_are() -> None:
    names = ["ResponseId", "Q2_1", "Q2_2", "Q3"]
    wordings = [
        "Response ID",
        "Which do you use? - Selected Choice - Train",
        "Which do you use? - Selected Choice - Bus",
    ]
    rows = [[f"R{n}", "1" if n % 2 else "", "2" if n % 3 else "", str(n % 5)] for n in range(N)]
    survey = understand(table("s.csv", [names, [*wordings, "How satisfied are you?"], *rows]))
    assert answers(survey, "Which do you use?")[:3] == [(), ("Train", "Bus"), ("Bus",)]
    wordings = [each.replace("use?", "use? (Select all)").replace(" - Selected Choice", "") for each in wordings]
    survey = understand(table("s.csv", [names, [*wordings, "How satisfied are you?"], *rows]))
    assert answers(survey, "Which do you use? (Select all)")[:3] == [(), ("Train", "Bus"), ("Bus",)]


# --- “Other (please specify)”


def test_words_on_other_belong_to_their_question() -> None:
    words = ["", "", "Tofu in a crust of nuts", "Two kinds of soup"]
    survey = read_table(
        ["id", "Dish?", "Dish? - Other (please specify)", "Next"],
        [["Turkey", "Ham", "Other (please specify)", ""], words, ["a", "b"]],
    )
    other = question(survey, "Dish? - Other (please specify)")
    assert (other.kind, other.use, other.of) == (Kind.TEXT, Use.DESCRIBE, "Dish?")
    assert answers(survey, "Dish?")[:4] == ["Turkey", "Ham", "Other (please specify)", "Other (please specify)"]
    assert noted(survey, "“Dish?”: 10 who only wrote what else it is")


def test_words_on_other_beside_tick_boxes() -> None:
    head = ["id", "T - A", "T - Other (please specify)", "T - Other (please specify)"]
    columns = [["A", "", "A"], ["", "Other (please specify)", ""], ["", "By horse", "On foot"]]
    survey = read_table(head, columns)
    assert question(survey, "T - Other (please specify) (2)").of == "T"
    assert answers(survey, "T")[:3] == [("A",), ("Other (please specify)",), ("A", "Other (please specify)")]


def test_a_box_of_other_is_no_words() -> None:
    columns = [["Checked", "Unchecked", "Checked"], ["Unchecked", "Checked", "Checked"]]
    survey = read_table(["id", "Which? (choice=Aspirin)", "Which? (choice=Other, specify)"], columns)
    assert answers(survey, "Which?")[:3] == [("Aspirin",), ("Other, specify",), ("Aspirin", "Other, specify")]


def test_words_on_an_option_that_is_their_heading() -> None:
    survey = survey_of(
        How=["TV", "A website (which one?)"], **{"A website (which one?)": ["", "one.org", "", "two.org", "", "3.net"]}
    )
    assert question(survey, "A website (which one?)").of == "How"


@pytest.mark.parametrize("separator", ["; ", ", ", ";"])
def test_of_a_ranking_what_stands_first_counts(separator: str) -> None:
    orders = [*permutations(["Price", "Speed", "Staff"])]
    survey = survey_of(Rank=[separator.join(each) + ";" * (separator == ";") for each in orders])
    assert question(survey, "Rank").kind is Kind.CHOICE
    assert answers(survey, "Rank")[:6] == [each[0] for each in orders]
    assert noted(survey, "“Rank”: each ranks the same 3 answers, so that the first one counts")
    picked = survey_of(Pick=["A;B;C", "B;A;C", "A;B", "C", "B;C"])
    assert question(picked, "Pick").kind is Kind.MULTIPLE


# --- missing codes


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ({1: 9, 2: 9, 3: 9, -99: 2}, {-99}),
        ({1: 9, 2: 9, 5: 9, -9: 2, -8: 1, -1: 1}, {-9, -8, -1}),
        ({0: 5, 5: 5, 10: 5, -1: 2}, {-1}),
        ({-3: 5, -2: 5, -1: 5, 0: 5, 1: 5, 2: 5, 3: 5}, set()),
        ({-1: 9, 0: 9, 1: 9}, set()),
        ({1: 9, 4: 9, 5: 9, 77: 1, 88: 1, 99: 3}, {77, 88, 99}),
        ({20: 3, 31: 3, 44: 2, 70: 2, 99: 4}, {99}),
        ({20: 3, 31: 3, 91: 2, 99: 4}, set()),
        ({20: 3, 31: 3, 70: 2, 99: 1}, set()),
        ({0: 4, 50: 4, 100: 4, 998: 1, 999: 1}, {998, 999}),
        ({0: 4, 500: 4, 900: 4, 999: 4}, set()),
        ({-12: 4, -5: 3, 0: 4, 9: 4}, set()),
        ({98: 3, 99: 4, 100: 3}, set()),
    ],
)
def test_codes_for_no_answer_lie_outside_of_the_others(table: dict[float, int], codes: set[float]) -> None:
    assert outside(table) == codes


def test_codes_are_gaps_with_a_note_in_numbers_and_in_words() -> None:
    survey = survey_of(
        Trust=["1", "2", "3", "4", "-99"],
        Age__in__years=["20", "31", "45", "99"],
        Mood=["Good", "Bad", "-99"],
        Visits=["3", "4", "5", "11"],
        Hours=["1", "2", "0", "7"],
        Free=["1", "9"],
    )
    assert question(survey, "Trust").categories == ("1", "2", "3", "4")
    assert question(survey, "Trust").missing == ("-99",)
    assert answers(survey, "Age in years")[:4] == ["20", "31", "45", None]
    assert answers(survey, "Mood")[2] is None
    assert noted(survey, "“Trust”: 8 × “-99” counted as no answer.")
    assert {*answers(survey, "Visits")} == {"3", "4", "5", "11"}


def test_short_codes_need_two_columns_that_agree() -> None:
    item = ["1", "2", "3", "4", "5", "8", "9"]
    assert {*answers(survey_of(A=item, B=item[::-1]), "A")} == {"1", "2", "3", "4", "5", None}
    assert "9" in answers(survey_of(A=item, B=["a", "b"]), "A")


def test_what_may_be_a_code_is_an_answer_with_a_note() -> None:
    survey = survey_of(
        A=["1", "2", "3", "4", "5", "9"],
        B=["a", "b"],
        Age=["20", "99", "31", "99", "94", "99", "50", "99"],
        Days=[*"12345", "66"],
    )
    assert "9" in answers(survey, "A")
    assert noted(survey, "“A”: 6 × “9”", "counted as an answer")
    assert noted(survey, "“Age”: 20 × “99”", "counted as an answer")
    assert noted(survey, "“Days”: 6 × “66”", "counted as an answer")
    plain = survey_of(C=["1", "2", "3", "4", "5"], D=["1", "7", "9"], Age=["20", "31", "88", "99"] + ["50"] * 9)
    assert not noted(plain, "counted as an answer")


def test_cells_that_say_na_are_gaps_with_a_note() -> None:
    survey = survey_of(A=["1", "N/A", "2", ""], B=["x", "y", "-", "NA"])
    assert answers(survey, "A")[:4] == ["1", None, "2", None]
    assert noted(survey, "s.csv: 20 cells with “N/A”, “NA” count as no answer")


def test_a_heading_and_words_say_what_is_no_answer() -> None:
    survey = read_table(
        ["id", "Score (0 = no answer)", "How was it?", "Income"],
        [["0", "1", "2"], ["Good", "Refused", "Prefer not to say", "keine Angabe", "Bad"], ["10", "20", "(blank)"]],
    )
    assert answers(survey, "Score (0 = no answer)")[:3] == [None, "1", "2"]
    assert answers(survey, "How was it?")[:5] == ["Good", None, None, None, "Bad"]
    assert answers(survey, "Income")[2] is None


# --- lists in one cell


def counts(*cells: str) -> dict[str, int]:
    return {cell: cells.count(cell) for cell in cells}


@pytest.mark.parametrize(
    ("cells", "cell", "choices"),
    [
        (["A;B", "A", "B;C", "C", "A;C"], "A;C", ("A", "C")),
        (["A;", "B;", "A;B;"], "A;B;", ("A", "B")),
        (["Bus, Bike", "Bus", "Bike, Car", "Car", "Bus, Car"], "Bike, Car", ("Bike", "Car")),
        (
            ["Chips, fries,Soup", "Soup", "Chips, fries", "Chips, fries,Cake", "Cake,Soup"],
            "Chips, fries,Cake",
            ("Chips, fries", "Cake"),
        ),
        (
            ["Chips, fries, Soup", "Soup", "Chips, fries", "Chips, fries, Cake", "Cake, Soup"],
            "Chips, fries, Cake",
            ("Chips, fries", "Cake"),
        ),
        (["TV (live, late), Radio", "Radio", "TV (live, late)", "Radio, Web", "Web"], "Radio, Web", ("Radio", "Web")),
        (["$1,000 a year, Bus", "Bus", "$1,000 a year", "Bus, Car", "Car"], "Bus, Car", ("Bus", "Car")),
        (["bus bike", "bus", "bike car", "car", "bike"], "bike car", ("bike", "car")),
        (["1,3,5", "1", "3", "1,5", "5"], "1,3,5", ("1", "3", "5")),
    ],
)
def test_lists_are_told_by_what_comes_back(cells: list[str], cell: str, choices: tuple[str, ...]) -> None:
    found = lists_in(counts(*cells * 2))
    assert found is not None
    assert found.split(cell) == choices


@pytest.mark.parametrize(
    "cells",
    [
        ["Yes, very rude", "Yes, a little", "No, not at all", "No, not really"],
        ["Strongly agree", "Agree", "Disagree", "Strongly disagree"],
        ["Austin, Texas", "Dallas, Texas", "Boston, Massachusetts", "Salem, Massachusetts"],
        ["It is late, and full, and slow", "I walk, mostly; it is near", "Nothing, really, I suppose"],
        ["$0 - $24,999", "$25,000 - $49,999", "$50,000 - $99,999"],
        ["strongly agree", "somewhat agree", "agree", "disagree", "strongly disagree", "somewhat disagree"],
    ],
)
def test_what_is_no_list(cells: list[str]) -> None:
    assert lists_in(counts(*cells * 3)) is None


@pytest.mark.parametrize(
    ("question", "answers", "about"),
    [
        ("Vous êtes", ["une femme", "un homme"], True),
        ("I am", ["Female", "Male", "Non-binary", "Prefer to self-describe"], True),
        ("Anrede", ["Frau", "Mann", "divers"], True),
        ("Would you rather see a doctor who is", ["male", "female", "no preference"], False),
        ("Contact", ["man", "phone", "post"], False),
    ],
)
def test_gender_is_told_by_its_answers(question: str, answers: list[str], about: bool) -> None:
    assert asks_gender(question, answers) is about


def test_neutral_is_the_middle_of_agreement() -> None:
    for middle in ("Neutral", "Undecided", "Neither agree nor disagree", "Neither agree nor disagree (neutral)"):
        answers = ["Strongly disagree", "Disagree", middle, "Agree", "Strongly agree"]
        assert ordered(Counter([*answers, middle] * 3)) == tuple(answers)


@pytest.mark.parametrize(
    "scale",
    [
        "stimme überhaupt nicht zu|stimme eher nicht zu|teils/teils|stimme eher zu|stimme voll und ganz zu",
        "Trifft gar nicht zu|Trifft eher nicht zu|Trifft eher zu|Trifft voll zu",
        "sehr unzufrieden|eher unzufrieden|teils/teils|eher zufrieden|sehr zufrieden",
        "Nie|Selten|Einmal im Monat|Mehrmals pro Woche|Täglich",
        "Pas du tout d’accord|Plutôt pas d’accord|Plutôt d’accord|Tout à fait d’accord",
        "Jamais|Rarement|Parfois|Souvent|Toujours",
        "Très insatisfait(e)|Plutôt insatisfait(e)|Plutôt satisfait(e)|Très satisfait(e)",
        "Totalmente en desacuerdo|En desacuerdo|Ni de acuerdo ni en desacuerdo|De acuerdo|Totalmente de acuerdo",
        "Nunca|Casi nunca|A veces|Casi siempre|Siempre",
        "Per niente d'accordo|Poco d'accordo|Abbastanza d'accordo|Molto d'accordo",
        "Discordo totalmente|Discordo parcialmente|Não concordo nem discordo|Concordo parcialmente|Concordo totalmente",
        "Helemaal oneens|Oneens|Neutraal|Eens|Helemaal eens",
        "全くそう思わない|あまりそう思わない|どちらとも言えない|ややそう思う|とてもそう思う",
        "とても不満|やや不満|普通|やや満足|とても満足",
    ],
)
def test_scales_of_other_languages_have_their_order(scale: str) -> None:
    steps = scale.split("|")
    assert ordered(Counter(sorted(steps) * 3)) == tuple(steps)


# --- numbers


def test_decimal_commas() -> None:
    assert [scales.number(text) for text in ("3,5", "1.234,50", "12,5 €", "1,234", "−2", "0,125")] == [
        3.5,
        1234.5,
        12.5,
        1234.0,
        -2.0,
        0.125,
    ]
    survey = survey_of(Price=["3,5", "2,375", "10,25", "1.250", *[f"{n},5" for n in range(16)]])
    assert question(survey, "Price").kind is Kind.NUMBER
    assert answers(survey, "Price")[:4] == ["3,5", "2.375", "10,25", "1250"]
    assert noted(survey, "“Price”: numbers with decimal commas (2 that could be thousands")


def test_weights_are_used_and_not_asked() -> None:
    values = ["0.5", "1.5", "0.9", "1.1"]
    survey = survey_of(pspwght=values, Weight=["70.5", "81.2"], dweight=["1.2", "0.8"])
    assert question(survey, "pspwght").kind is Kind.WEIGHT
    assert question(survey, "dweight").kind is Kind.WEIGHT
    assert question(survey, "Weight").kind is Kind.SCALE
    assert survey.weights[:4] == (0.5, 1.5, 0.9, 1.1)
    assert noted(survey, "“pspwght” is read as the survey weight")
    assert survey_of(Weight=["70.5", "81.2"]).weights == ()


@pytest.mark.parametrize("name", ["ZIP code", "isco08", "Region", "FIPS", "group", "occupationCode"])
def test_numbers_that_are_codes_are_choices(name: str) -> None:
    survey = read_table(["id", name], [["101", "102", "203", "304"]])
    assert question(survey, name).kind is Kind.CHOICE


def test_leading_zeros_are_codes_and_sizes_are_numbers() -> None:
    survey = survey_of(Place=["01099", "04109", "50667"], Group__size=["1", "2", "3"])
    assert question(survey, "Place").kind is Kind.CHOICE
    assert question(survey, "Group size").kind is Kind.SCALE


def test_of_many_answers_the_most_frequent_are_counted() -> None:
    text = "id,City\n" + "".join(f"{n},City {n % 60 if n < 300 else n % 10}\n" for n in range(600))
    survey = understand(read_files([("s.csv", text.encode())]))
    city = question(survey, "City")
    assert (city.kind, len(city.categories)) == (Kind.CHOICE, 40)
    assert noted(survey, "“City”: 60 different answers; the 40 most frequent are counted, 100 others are not")
    assert survey.respondents[59].fields["City"] == "City 59"


# --- columns derived of one another


def test_what_follows_from_another_column_counts_once() -> None:
    ages = [str(18 + n) for n in range(N)]
    groups = ["18-29" if n < 12 else "30-44" if n < 27 else "45-59" for n in range(N)]
    vote = ["1", "2", "3"]
    survey = survey_of(
        Age=ages, Age__group=groups, Vote=vote, Vote__recoded=["Left", "Right", "None"], Mood=["a", "b", "c"]
    )
    ignored = {each.name for each in survey.questions if "follows from" in each.why}
    assert ignored == {"Age group", "Vote"}  # words are kept rather than codes for them
    assert noted(survey, "Counted once: “Age group” from “Age”, “Vote” from “Vote recoded”.")
    squares = survey_of(Age=ages, agesq=[str(int(age) ** 2) for age in ages], Mood=["a", "b"])
    assert "follows from “Age”" in question(squares, "agesq").why


def test_questions_that_agree_in_small_data_count_each() -> None:
    survey = survey_of(**{"How often?": ["Daily", "Rarely"], "How satisfied?": ["Very satisfied", "Dissatisfied"]})
    assert {each.use for each in survey.questions[1:]} == {Use.DRIVE}


# --- who they are


def test_demographics_in_many_languages() -> None:
    text = """Wie alt sind Sie?|Geschlecht|Haushaltsnettoeinkommen|Höchster Schulabschluss|Quel est votre âge ?
        |Profession|Tranche d'âge|¿Cuál es su edad?|Sexo|Nivel educativo|Qual è la sua età?|Titolo di studio
        |Qual a sua escolaridade?|Faixa etária|Wat is uw leeftijd?|Geslacht|Opleidingsniveau
        |年齢|性別|お住まいの都道府県
        |agea|age_group|HINCTNTA|What is your gender?|How would you describe where you live?"""
    headings = [each.strip() for each in text.split("|")]
    assert [each for each in headings if not is_demographic(each)] == []
    text = """What role does the price play for you?|Is it rude to talk?|Wie zufrieden sind Sie mit dem Service?
        |Quelle image avez-vous de la marque ?|¿Qué le gusta de la aplicación?|どのくらい満足していますか|Manage
        |How often do you travel with children?|Message|Wat vindt u van de app?"""
    attitudes = [each.strip() for each in text.split("|")]
    assert [each for each in attitudes if is_demographic(each)] == []


def test_special_categories_describe_only() -> None:
    survey = survey_of(
        Religion=["A", "B", "C"],
        Vote=["Left", "Right", "Left", "None"],
        Q7=["Republican", "Democrat", "Independent", "x", "y"],
        **{"How do you like the health app?": ["Good", "Bad", "Fair"]},
    )
    special = {each.name for each in survey.questions if each.sensitive}
    assert special == {"Religion", "Vote", "Q7"}
    assert all(question(survey, name).use is Use.DESCRIBE for name in special)
    assert noted(survey, "Of a special category", "“Vote”", "use: drive")
    assert is_sensitive("Do you typically pray?", ())
    assert is_sensitive("Wie ist Ihre Religion?", ())


def test_if_nothing_but_who_they_are_differs_that_drives() -> None:
    survey = survey_of(Age=["20", "30", "41", "52"], Gender=["Female", "Male", "Female"], Religion=["A", "B"])
    assert {each.name for each in survey.questions if each.use is Use.DRIVE} == {"Age", "Gender"}
    assert noted(survey, "Nothing but who the respondents are differs")


# --- scales and grids


@pytest.mark.parametrize(
    "steps",
    [
        ["Very unlikely", "Somewhat unlikely", "Somewhat likely", "Very likely"],
        ["Very unimportant", "Somewhat unimportant", "Neither important nor unimportant", "Very important"],
        ["Very unfavorably", "Somewhat unfavorably", "Somewhat favorably", "Very favorably"],
        ["Not at all", "Not much", "Some", "A lot"],
        ["Not at all important", "Slightly important", "Moderately important", "Very important", "Extremely important"],
    ],
)
def test_scales_of_two_sides_are_in_their_order(steps: list[str]) -> None:
    assert ordered(Counter(sorted(steps))) == tuple(steps)


@pytest.mark.parametrize(
    ("cells", "scale"),
    [
        (["0 - Not at all likely", "1", "2", "10 (extremely)"], True),
        (["10 - Very likely", "2", "3", "4", "1"], True),
        (["5 (great)", "1", "2"], True),
        (["Very good - 5", "4", "3", "1: bad"], True),
        (["1 - Bus", "2 - Train", "3 - Car"], False),
        (["Bus (2)", "Route 66", "1"], False),
        (["1 - a", "1", "2"], False),
        (["12 - a", "1", "2"], False),
    ],
)
def test_scales_of_which_some_steps_are_worded(cells: list[str], scale: bool) -> None:
    asked = question(survey_of(Rate=cells), "Rate")
    in_order = tuple(sorted(cells, key=lambda cell: int("".join(filter(str.isdigit, cell)))))
    assert (asked.kind, scale and asked.categories) == ((Kind.SCALE, in_order) if scale else (Kind.CHOICE, False))


def test_rows_of_a_grid_share_their_scale() -> None:
    full = ["Very likely", "Likely", "Unlikely", "Very unlikely"]
    odd = [*full, *["No idea at all"] * 3]
    survey = read_table(["id", "Would you? [Buy]", "Would you? [Rent]", "Would you? [Lend]"], [full, full[::-1], odd])
    assert [each.of for each in survey.questions[1:]] == ["Would you?"] * 3
    lend = question(survey, "Would you? [Lend]")
    assert (lend.kind, lend.categories) == (Kind.SCALE, tuple(full[::-1]))


# --- all of it together


def test_a_column_without_answers_is_kept_in_view() -> None:
    survey = survey_of(Empty=[""], Q=["a", "b"])
    assert question(survey, "Empty").kind is Kind.EMPTY


def test_many_small_files_with_questions_of_their_own_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "MAX_PLACES", 10)
    with pytest.raises(InputError, match="2 different questions for 40 respondents"):
        survey_of(Q=["a", "b"])


def test_hostile_headings_and_cells_take_no_time_that_grows_by_a_square() -> None:
    """Each of these took minutes, or a gigabyte, before what is looked at was bounded."""
    commas = "a,(" * 20_000
    cut = ["a_" * 200 + str(n) for n in range(300)]
    survey = read_table(["id", "Long", *cut], [[commas, "b"], *([["x"], ["y"]] * 150)])
    assert len(survey.questions) >= 2
    assert question(survey, "Long").kind is not Kind.MULTIPLE


def test_numbers_beyond_all_bounds_are_none() -> None:
    survey = survey_of(Price=["1.5e400", "2", "9" * 300, "3"], Freq=["1.5e999", "1"])
    assert question(survey, "Price").kind is not Kind.NUMBER
