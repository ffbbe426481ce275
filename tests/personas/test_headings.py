"""Heading rows of exports, and rows that are no responses."""

from __future__ import annotations

import csv
import io

import pytest

from persona.personas.sources.read import read_files
from persona.personas.sources.records import Dataset


def read(rows: list[list[str]], delimiter: str = ",", before: str = "") -> Dataset:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return read_files([("s.csv", (before + text.getvalue()).encode())])


ANSWERS = [[f"P{n}", str(1 + n % 5), ("Yes", "No")[n % 2], "Some words of their own"] for n in range(12)]


def test_qualtrics_has_three_heading_rows_and_wordings_of_several_lines() -> None:
    names = ["ResponseId", "Q1", "Q2", "Q3_TEXT"]
    wordings = ["Response ID", "How satisfied are you?\n\nPlease choose one.", "Would you come back?", "Why?"]
    imports = [f'{{"ImportId":"QID{n}","timeZone":"Z"}}' for n in range(4)]
    data = read([names, wordings, imports, *ANSWERS])
    assert [record.id for record in data.records] == [row[0] for row in ANSWERS]
    assert data.hints["Q1"].label == "How satisfied are you? Please choose one."
    assert data.notes == ["s.csv: the headings were read from several rows: names, wordings and import ids."]
    assert read([names, wordings, *ANSWERS]).hints == data.hints  # without the row of import ids


def test_a_first_response_is_no_row_of_wordings() -> None:
    long = ["P99", "7", "Never in a hundred years, if you ask me today", "Far more words than others wrote here"]
    assert len(read([["id", "score", "again", "why"], long, *ANSWERS]).records) == 13


QUESTIONS = ["Respondent ID", "How often?", "Which features do you use?", "", "", "What else?"]
OPTIONS = ["", "Response", "Charts", "Alerts", "Other (please specify)", "Open-Ended Response"]
TICKED = [[str(n), "Daily", "Charts" if n % 2 else "", "Alerts", "", "Nothing"] for n in range(5)]


def test_surveymonkey_has_questions_over_their_options() -> None:
    data = read([QUESTIONS, OPTIONS, *TICKED])
    assert len(data.records) == 5
    assert list(data.hints) == [
        "Respondent ID",
        "How often?",
        "Which features do you use? - Charts",
        "Which features do you use? - Alerts",
        "Which features do you use? - Other (please specify)",
        "What else?",
    ]
    hint = data.hints["Which features do you use? - Alerts"]
    assert (hint.question, hint.option) == ("Which features do you use?", "Alerts")


def test_merged_headings_are_questions_over_their_options() -> None:
    top, second = ["Name", "Tools", "", "", "City"], ["", "Bus", "Bike", "Car", ""]
    data = read([top, second, ["A", "x", "", "x", "Leeds"], ["B", "", "x", "", "York"]])
    assert list(data.hints) == ["Name", "Tools - Bus", "Tools - Bike", "Tools - Car", "City"]


def test_sections_over_questions() -> None:
    top, second = ["About you", "", "", "Views", ""], ["ID", "Age", "Mode", "Trust", "Agree"]
    answers = [[f"R{n}", str(20 + n), "ab"[n % 2], str(1 + n % 5), "yn"[n % 2]] for n in range(12)]
    data = read([top, second, *answers])
    assert [record.id for record in data.records] == [row[0] for row in answers]
    assert list(data.hints) == second
    assert "sections over questions" in data.notes[0]
    first = ["", "21", "a", "", "y"]  # a respondent over others
    assert len(read([["ID", "Age", "", "Trust", "Agree"], first, *answers]).records) == 13


def test_short_wordings_over_numbers_are_no_response() -> None:
    names, wordings = ["V1", "V2", "V3", "Q1", "Q2"], ["ResponseID", "Set", "Status", "Satisfied?", "Trips"]
    rows = [[f"R_{n}", "Default Set of Responses", "0", str(1 + n % 5), str(n)] for n in range(12)]
    data = read([names, wordings, *rows])
    assert len(data.records) == 12
    assert data.hints["Q1"].label == "Satisfied?"


def test_totals_on_top_and_a_legend_below_are_no_respondents() -> None:
    answers = [[f"P{n}", str(n % 7), str(1 + n % 5), "ab"[n % 2]] for n in range(12)]
    head = ["Participant", "Visits", "Score", "Mode"]
    legend = [["Legend", "", "", ""], ["1 = very bad", "", "", ""], ["5 = very good", "", "", ""]]
    data = read([head, ["Total", "31", "34", ""], *answers, *legend])
    assert [record.id for record in data.records] == [row[0] for row in answers]
    assert data.left_out == {"totals": 1, "notes and sources": 3}
    last = ["12-abc", "", "", ""]
    assert read([head, *answers, last]).records[-1].id == "12-abc"


def test_gaps_in_the_first_response_make_it_no_heading() -> None:
    data = read([["", "Q1", "", "Q3"], ["1", "a", "b", ""], ["2", "a", "", "c"]])
    assert [record.fields["column 1"] for record in data.records] == ["1", "2"]


def test_titles_above_and_totals_notes_and_sources_below() -> None:
    head = ["Participant", "Score", "Again", "Why"]
    above = [["Survey of visitors", "", "", ""], ["Exported", "2026-03-01", "", ""]]
    below = [["Total", "36", "", ""], ["Source: our own survey, 2026", "", "", ""], ["* one moved away"]]
    data = read([*above, head, *ANSWERS[:6], head, *ANSWERS[6:], *below])
    assert [record.id for record in data.records] == [row[0] for row in ANSWERS]
    assert data.left_out == {"totals": 1, "notes and sources": 2}
    assert data.notes == [
        "s.csv: left out, being rows above the headings: “Survey of visitors” and 1 more.",
        "s.csv: left out, being a row with totals: “Total”.",
        "s.csv: left out, being rows with notes and sources: “Source: our own survey, 2026” and 1 more.",
        "s.csv: left out, being a row equal to the headings: “Participant”.",
    ]


def test_a_last_row_of_sums_without_a_word_is_no_respondent() -> None:
    answers = [[f"P{n}", str(n % 7), str(1 + n % 5)] for n in range(12)]
    sums = ["", str(sum(n % 7 for n in range(12))), str(sum(1 + n % 5 for n in range(12)))]
    data = read([["Participant", "Visits", "Score"], *answers, sums])
    assert [record.id for record in data.records] == [row[0] for row in answers]
    assert data.left_out == {"totals": 1}
    assert len(read([["Participant", "Visits", "Score"], *answers, ["", "0", "5"]]).records) == 13
    assert len(read([["a", "b"], *[["0", "0"]] * 9]).records) == 9


def test_a_last_respondent_who_only_wrote_something_stays() -> None:
    rows = [["The bus is late every day, and full", "4", "Yes"]] * 5
    assert (
        len(read([["Why?", "Score", "Again"], *rows, ["Note: I only write here, nothing else", "", ""]]).records) == 6
    )


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_a_line_declares_the_delimiter(delimiter: str) -> None:
    data = read([["id", "price"], ["1", "3,5"], ["2", "4,75"]], delimiter, f"sep={delimiter}\r\n")
    assert [record.fields["price"] for record in data.records] == ["3,5", "4,75"]


def test_titles_and_decimal_commas_do_not_hide_the_delimiter() -> None:
    data = read([["Results, exported in March"], ["id", "a", "b"], ["1", "3,5", "2,5"], ["2", "4,5", "1,5"]], ";")
    assert list(data.hints) == ["id", "a", "b"]
