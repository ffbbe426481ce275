"""Workbooks of Excel and LibreOffice: read as their programs show them, and nothing of them lost in silence."""

from __future__ import annotations

import datetime
import io
import zipfile
from typing import Any

import pytest
from odf.office import Annotation
from odf.opendocument import OpenDocumentSpreadsheet
from odf.style import Style, TableProperties
from odf.table import CoveredTableCell, Table, TableCell, TableRow
from odf.text import P, S

from persona.errors import InputError
from persona.personas.sources import cell_dates, limits
from persona.personas.sources.cell_dates import Shown
from persona.personas.sources.read import read_files
from persona.personas.sources.records import Dataset
from tests.personas.workbooks import by_hand, row, sheets, xlsx, zipped

SURVEY = [["Respondent ID", "Works well?"], *([f"P{n}", "Yes" if n % 2 else "No"] for n in range(8))]


def read(data: bytes, name: str = "a.xlsx") -> Dataset:
    return read_files([(name, data)])


def test_dates_numbers_formulas_errors_and_merged_cells() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("Data")
        shown = {
            "When": (datetime.date(2026, 3, 1), "dd.mm.yyyy", "2026-03-01"),
            "Began": (datetime.datetime(2026, 3, 1, 14, 5, 59), "[$-407]d. mmm yyyy hh:mm", "2026-03-01 14:05:59"),
            "At": (datetime.time(9, 30), "h:mm AM/PM", "09:30"),
            "Took": (1.25, "[h]:mm:ss", "30:00:00"),
            "Score": (0.1 + 0.2, '0.00 "days"', "0.3"),
            "Many": (1234567.0, "#,##0", "1234567"),
            "Glad?": (True, "General", "TRUE"),
            "Code": ("007", "@", "007"),
        }
        sheet.write_row(0, 0, ["Respondent ID", *shown, "Team", "Sum", "Bad"])
        for number in range(1, 5):
            sheet.write(number, 0, f"P{number}")
            for column, (value, code, _) in enumerate(shown.values(), start=1):
                sheet.write(number, column, value, book.add_format({"num_format": code}))
            sheet.write_formula(number, 10, "=1+1", None, 2)
            sheet.write_formula(number, 11, "=NA()", None, "#N/A" if number > 1 else "fine")
        sheet.merge_range(1, 9, 2, 9, "Red")
        sheet.merge_range(3, 9, 4, 9, "Blue")
        expected.update({name: text for name, (_, _, text) in shown.items()})

    expected: dict[str, str] = {}
    for since_1904 in (False, True):
        dataset = read(xlsx(fill, default_date_format="yyyy", date_1904=since_1904))
        first = dict(dataset.records[0].fields)
        assert first == {"Respondent ID": "P1", **expected, "Team": "Red", "Sum": "2", "Bad": "fine"}
        assert [record.fields["Team"] for record in dataset.records] == ["Red", "Red", "Blue", "Blue"]
        assert dataset.notes == ["a.xlsx, sheet “Data”: 3 cells with an error (#N/A), read as gaps."]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("General", Shown.NUMBER),
        ('0.0 "m/d"', Shown.NUMBER),
        ("[Red]#,##0.00;[Blue]-0", Shown.NUMBER),
        ("0.00E+00", Shown.NUMBER),
        (r"0\d", Shown.NUMBER),
        ("yyyy", Shown.YEAR),
        ("mmm yy", Shown.DATE),
        ('yyyy"年"m"月"d"日"', Shown.DATE),
        ("[$-F800]dddd, mmmm dd, yyyy", Shown.DATE),
        ("m/d/yy h:mm", Shown.MOMENT),
        ("mm:ss.0", Shown.TIME),
        ("[mm]:ss", Shown.DURATION),
    ],
)
def test_what_a_number_format_shows(code: str, shown: Shown) -> None:
    assert cell_dates.shown_as(170, code) is shown


def test_days_of_both_calendars() -> None:
    """The last days before and the first after the 29 February 1900 that Excel has and the calendar has not."""
    days = {serial: cell_dates.in_words(serial, Shown.DATE) for serial in (1, 59, 60, 61, 46082, 2958465, 2958466, -1)}
    assert list(days.values()) == [
        "1900-01-01", "1900-02-28", "1900-02-29", "1900-03-01", "2026-03-01", "9999-12-31", None, None,
    ]  # fmt: skip
    assert cell_dates.in_words(44620, Shown.DATE, since_1904=True) == "2026-03-01"
    assert cell_dates.in_words(0, Shown.DATE, since_1904=True) == "1904-01-01"


def test_texts_as_other_writers_have_them() -> None:
    """Inline, in runs, with a reading aloud, escaped, in the result of a formula, without places of cells."""
    strings = (
        "<si><t>id</t></si><si><r><t>How </t></r><r><t xml:space='preserve'>often?</t></r></si>"
        "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si><si><t>two_x000D_\nlines _x005F_x</t></si>"
    )
    data = by_hand(
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>'
        '<row r="4"><c r="A4" t="inlineStr"><is><t>P1</t></is></c><c r="C4" t="s"><v>2</v></c></row>'
        '<row><c t="str"><f>A1&amp;"2"</f><v>P2</v></c><c/><c t="s"><v>3</v></c></row>'
        '<row hidden="1"><c t="str"><f>x</f><v>P3</v></c><c><f>y</f></c><c t="d"><v>2026-03-01T00:00:00</v></c></row>',
        strings=strings,
    )
    dataset = read(data)
    assert [(record.id, record.fields["How often?"]) for record in dataset.records] == [
        ("P1", "東京"),
        ("P2", "two lines _x"),
        ("P3", "2026-03-01"),
    ]
    assert any("1 formula without a value" in note for note in dataset.notes)
    assert any("1 row hidden" in note for note in dataset.notes)


def test_sheets_that_are_waves_are_all_read_and_others_are_named() -> None:
    again = [SURVEY[0], *([f"Q{n}", "Yes"] for n in range(3))]
    dataset = read(
        sheets(
            {
                "Read me": [["This is a survey."], ["Ask us."]],
                "Wave 1": SURVEY,
                "Wave 2": again,
                "Codes": [["Variable", "Meaning"], ["Works well?", "Does it?"]],
                "Lists": [["a"], ["b"]],
                "Empty": [],
            },
            hidden=["Lists"],
        )
    )
    assert [record.file for record in dataset.records] == ["a.xlsx, sheet “Wave 1”"] * 8 + [
        "a.xlsx, sheet “Wave 2”"
    ] * 3
    named = {title: [note for note in dataset.notes if f"“{title}”" in note] for title in ("Read me", "Codes", "Lists")}
    assert all(len(notes) == 1 and "not" in notes[0] for notes in named.values()), dataset.notes
    assert not any("Empty" in note for note in dataset.notes)


def test_sheets_about_the_same_people_are_joined() -> None:
    about: list[list[object]] = [
        ["Respondent ID", "Age", "Works well?"],
        *([f"P{n}", 20 + n, "Yes"] for n in range(7)),
        ["P9", 31, "No"],
    ]
    dataset = read(sheets({"Answers": SURVEY, "People": about}))
    assert [record.id for record in dataset.records] == [*(f"P{n}" for n in range(8)), "P9"]
    assert {record.file for record in dataset.records} == {"a.xlsx"}
    assert dict(dataset.records[0].fields) == {
        "Respondent ID": "P0",
        "Works well?": "No",
        "Age": "20",
        "Works well? (People)": "Yes",
    }
    assert "Works well? (People)" not in dataset.records[1].fields
    assert "the sheet “People” has the same respondents" in " ".join(dataset.notes)


def test_a_workbook_of_hidden_sheets_is_read_and_says_so() -> None:
    hidden = zipped(
        {
            **_members(by_hand(row("id", "q") + row("P1", "a"))),
            "xl/workbook.xml": b'<workbook xmlns:r="x"><sheets><sheet name="A" state="veryHidden" r:id="r1"/></sheets>'
            b"</workbook>",
        }
    )
    assert read(hidden).notes == ["a.xlsx: the sheet “A” is hidden, and was read."]


def test_a_calc_workbook() -> None:
    dataset = read(_ods(), "a.ods")
    assert [record.id for record in dataset.records] == ["P0", "P1", "P2"]
    assert dict(dataset.records[2].fields) == {
        "Participant": "P2",
        "When": "2026-03-03 10:00",
        "At": "09:30",
        "Score": "0.3",
        "Glad?": "TRUE",
        "Team": "Red",
        "Said": "One two three",
    }
    assert dataset.notes == ["a.ods: the sheet “Hidden” is hidden, and was not read."]


def test_a_file_that_is_another_than_its_name_says_is_read_as_what_it_is() -> None:
    book = sheets({"A": SURVEY})
    expected = [(record.id, record.fields) for record in read(book).records]
    for name, data, kind in (
        ("a.csv", book, ".xlsx"),
        ("a.xls", book, ".xlsx"),
        ("a.xlsx", b"Respondent ID\tWorks well?\n" + b"".join(b"%s\t%s\n" % _bytes(r) for r in SURVEY[1:]), ""),
        ("a.xls", "Respondent ID;Works well?\nP1;Yes\nP2;No\n".encode("utf-16"), ""),
        ("a.xlsx", _ods(), ".ods"),
    ):
        dataset = read(data, name)
        assert dataset.records
        assert any("by its content" in note for note in dataset.notes), (name, kind, dataset.notes)
    assert [(record.id, record.fields) for record in read(book, "a.csv").records] == expected


@pytest.mark.parametrize(
    ("name", "data", "says", "hint"),
    [
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password", "save it"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook".encode("utf-16-le"), "is a workbook", "Save As"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "whatever its name says", "Save As"),
        ("a.xls", b"<html><table><tr><td>id</td></tr></table></html>", "a web page", "Save As"),
        ("a.csv", b"\n<!DOCTYPE html><title>Sign in</title>", "a web page.*whatever", "Save As"),
        ("a.xls", b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><x/>', "XML Spreadsheet", "Save As"),
        ("a.csv", zipped({"b.csv": "id,q\n1,2\n"}), "a compressed file, whatever", "Unpack"),
        ("a.zip", zipped({"b.csv": "id,q\n1,2\n"}), "a compressed file,", "Unpack"),
        ("a.xlsx", sheets({"A": SURVEY})[:-30], "damaged", "again"),
        ("a.xlsx", sheets({"A": []}), "is empty", "right file"),
        ("a.xlsx", b"\x00\x01\x02", "damaged", "again"),
        ("a.xlsx", by_hand('<row><c t="s"><v>7</v></c></row>'), "row 1 has a text that is not in", ""),
        ("a.xlsx", by_hand("<row><c>"), "is damaged: mismatched tag", "again"),
        ("a.ods", zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "content.xml is missing", ""),
        ("a.ods", zipped(
            {"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "x",
             "META-INF/manifest.xml": "<manifest:encryption-data/>"}), "password", "save it"),
        ("a.numbers", zipped({"Index/Document.iwa": "", "Index/CalculationEngine.iwa": ""}), "Numbers", "Export To"),
        ("a.pdf", b"%PDF-1.7", "a PDF document", "made from"),
        ("a.mp3", b"ID3\0", "a sound recording", "transcript"),
        ("a.dta", b"<stata_dta>", "Stata", "export delimited"),
        ("a.nvp", b"x", "NVivo", "REFI-QDA"),
        ("a.mx22", b"x", "MAXQDA", "REFI-QDA"),
        ("a.xyz", b"x", "of no kind", "It reads"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_said_with_what_to_do(name: str, data: bytes, says: str, hint: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read(data, name)
    assert name in caught.value.message
    assert hint in caught.value.hint


def test_a_csv_file_that_begins_like_something_else_is_read() -> None:
    for first in ("PK", "ID3", "RIFF", "OggS", "PAR1", "Rar!"):
        assert read(f"{first},q\na,b\n".encode(), "a.csv").records[0].fields == {first: "a", "q": "b"}


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = '<c t="inlineStr"><is><t>x</t></is></c>'
    monkeypatch.setattr(limits, "MAX_CELLS", 9_000)
    entity = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'
    cases = {
        "far column": (by_hand('<row><c r="XFD1"><v>1</v></c></row>'), "5,000 columns"),
        "many cells": (by_hand(f"<row>{cell * 3_000}</row>" * 4), "more than 9,000 cells"),
        "deep": (by_hand("<row>" + "<x>" * 10_000 + "</x>" * 10_000 + "</row>"), "nested too deeply"),
        "entities": (by_hand(entity), "has a document type"),
        "a long text": (by_hand(row("x" * 1_100_000)), "characters long"),
        "a long tag": (by_hand(f'<row a="{"x" * 5_000_000}"/>'), "a tag without end"),
        "texts": (by_hand("", strings="<si/>" * 9_001), "more than 9,000 texts"),
    }  # fmt: skip
    for kind, (data, says) in cases.items():
        with pytest.raises(InputError, match=says):
            read(data)
            pytest.fail(kind)
    monkeypatch.setattr(limits, "MAX_EXPANDED", 100_000)
    with pytest.raises(InputError, match="expands to more than"):
        read(by_hand("<row/>" * 20_000))
    monkeypatch.setattr(limits, "MAX_TEXT", 1000)
    with pytest.raises(InputError, match="too much text"):
        read(by_hand(row("x" * 1001)))


def test_what_a_zip_file_says_of_its_size_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(by_hand("<row/>" * 20_000))
    for place in range(len(data) - 4):
        if bytes(data[place : place + 4]) in (b"PK\x01\x02", b"PK\x03\x04"):
            size = place + (24 if data[place + 2] == 1 else 22)
            data[size : size + 4] = (10).to_bytes(4, "little")
    with pytest.raises(InputError, match="damaged"):
        read(bytes(data))


def test_a_calc_workbook_of_rows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row may say that it stands a million times, and a cell too; blank ones cost nothing."""
    for rows, columns, text, says in (
        (1, 16_384, "x", "columns"),
        (1_048_576, 9, "x", "cells"),
        (9, 9, "", "is empty"),
    ):
        document = OpenDocumentSpreadsheet()
        table = Table(name="A")
        document.spreadsheet.addElement(table)
        line = TableRow(numberrowsrepeated=str(rows))
        table.addElement(line)
        line.addElement(_cell(text, numbercolumnsrepeated=str(columns)))
        with pytest.raises(InputError, match=says):
            read(_saved(document), "a.ods")


def _bytes(cells: list[str]) -> tuple[bytes, ...]:
    return tuple(cell.encode() for cell in cells)


def _members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _cell(text: str, **options: str) -> Any:
    cell = TableCell(valuetype="string", **options)
    cell.addElement(P(text=text))
    return cell


def _value(kind: str, shown: str, **value: str) -> Any:
    cell = TableCell(valuetype=kind, **value)
    cell.addElement(P(text=shown))
    return cell


def _saved(document: Any) -> bytes:
    target = io.BytesIO()
    document.write(target)
    return target.getvalue()


def _ods() -> bytes:
    document = OpenDocumentSpreadsheet()
    style = Style(name="unseen", family="table")
    style.addElement(TableProperties(display="false"))
    document.automaticstyles.addElement(style)
    table = Table(name="Data")
    document.spreadsheet.addElement(table)
    rows = [[_cell(each) for each in ("Participant", "When", "At", "Score", "Glad?", "Team", "Said")]]
    for number in range(3):
        said, comment, first = TableCell(valuetype="string"), Annotation(), P(text="One")
        comment.addElement(P(text="Look here"))
        first.addElement(S(c=2))
        first.addText("two")
        for part in (comment, first, P(text="three")):
            said.addElement(part)
        rows.append(
            [
                _cell(f"P{number}"),
                _value("date", "1.3.26", datevalue=f"2026-03-0{number + 1}T10:00:00"),
                _value("time", "9 Uhr 30", timevalue="PT09H30M00S"),
                _value("float", "0,30", value="0.30000000000000004"),
                _value("boolean", "WAHR", booleanvalue="true"),
                CoveredTableCell() if number else _cell("Red", numberrowsspanned="3"),
                said,
            ]
        )
    rows.append([TableCell(numbercolumnsrepeated="1024")])
    for cells in rows:
        line = TableRow()
        table.addElement(line)
        for cell in cells:
            line.addElement(cell)
    hidden = Table(name="Hidden", stylename=style)
    document.spreadsheet.addElement(hidden)
    line = TableRow()
    hidden.addElement(line)
    line.addElement(_cell("x"))
    return _saved(document)
