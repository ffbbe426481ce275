"""Workbooks to read: by the writers of real programs, and by hand where those would not write them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xlsxwriter

_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def xlsx(fill: Callable[[Any], None], **options: object) -> bytes:
    """Return a workbook of XlsxWriter's that a function fills."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True, **options}) as book:
        fill(book)
    return target.getvalue()


def sheets(tables: Mapping[str, Sequence[Sequence[object]]], hidden: Sequence[str] = ()) -> bytes:
    """Return a workbook with some sheets, given as rows."""

    def fill(book: Any) -> None:
        for title, rows in tables.items():
            sheet = book.add_worksheet(title)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
            if title in hidden:
                sheet.hide()

    return xlsx(fill)


def by_hand(sheet: str, *, strings: str = "", workbook: str = "", **members: str) -> bytes:
    """Return a workbook of one sheet, given as XML between its ``sheetData`` tags.

    Args:
        sheet: the rows, or the whole part if it begins with ``<?xml`` or ``<!``.
        strings: the items of the shared strings.
        workbook: what stands in the workbook before its sheets.
        members: more files by name, with ``__`` for a slash and ``_`` for a dot.
    """
    main = f'<workbook xmlns:r="x">{workbook}<sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>'
    related = (
        f'<Relationships><Relationship Id="r1" Type="{_TYPE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{_TYPE}/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>'
    )
    parts = {
        "_rels/.rels": f'<Relationships><Relationship Id="r1" Type="{_TYPE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": main,
        "xl/_rels/workbook.xml.rels": related,
        "xl/sharedStrings.xml": f"<sst>{strings}</sst>",
        "xl/worksheets/sheet1.xml": sheet
        if sheet.startswith(("<?xml", "<!"))
        else f"<worksheet><sheetData>{sheet}</sheetData></worksheet>",
        **{name.replace("__", "/").replace("_", "."): text for name, text in members.items()},
    }
    return zipped(parts)


def zipped(parts: dict[str, str] | dict[str, bytes]) -> bytes:
    """Return a zip file."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return target.getvalue()


def row(*cells: object) -> str:
    """Return a row of inline strings."""
    return "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells) + "</row>"
