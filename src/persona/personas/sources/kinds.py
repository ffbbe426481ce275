"""What a file is by its content, whatever its name says; and how to convert what is not read."""

from __future__ import annotations

import io
import re
import zipfile

from persona.errors import InputError
from persona.personas.sources.archive import encrypted

_MAGIC = (
    (b"%PDF-", ".pdf"),
    (b"{\\rtf", ".rtf"),
    (b"SQLite format 3\0", ".sqlite3"),
    (b"$FL2", ".sav"),
    (b"$FL3", ".sav"),
    (b"<stata_dta>", ".dta"),
    (b"\x1f\x8b", ".gz"),
    (b"7z\xbc\xaf\x27\x1c", ".7z"),
    (b"Rar!\x1a\x07", ".rar"),
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"\xff\xfb", ".mp3"),
)
_BINARY_MAGIC = ((b"PAR1", ".parquet"), (b"ID3", ".mp3"), (b"OggS", ".ogg"), (b"RIFF", ".wav"))
"""How files begin that are no text; a table may begin with the same letters."""
_MEMBERS = (
    ("xl/workbook.bin", ".xlsb"),
    ("xl/workbook.xml", ".xlsx"),
    ("word/document.xml", ".docx"),
    ("ppt/presentation.xml", ".pptx"),
    ("project.qde", ".qdpx"),
)
"""A file that tells what a zip file is, and its ending."""
_MIME = {
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/epub+zip": ".epub",
}
_OLE, _SAS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011")
_OLE_STREAMS = (("Workbook", ".xls"), ("Book", ".xls"), ("WordDocument", ".doc"), ("PowerPoint Document", ".ppt"))
_WEB = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|table|meta)\b", re.I | re.S)
_XML_SHEET = re.compile(rb"\s*(?:\xef\xbb\xbf)?<\?xml.{0,400}?(?:Excel\.Sheet|office:spreadsheet\")", re.S)

_TO_XLSX = "Open it in Excel or LibreOffice, and choose File → Save As → Excel Workbook (.xlsx)."
_TO_DOCX = "Open it in Word or LibreOffice, and choose File → Save As → Word Document (.docx) or Plain Text (.txt)."
_TO_TRANSCRIPT = "Give its transcript: Teams, Zoom and Otter export one as .vtt, .docx or .txt."
_TO_QDPX = "export it as a REFI-QDA project (.qdpx)."
_UNPACK = "Unpack it, and give the folder."
_NO_TEXT = "Give the answers as text: .csv, .xlsx or .txt."
_ADVICE = {
    **dict.fromkeys((".xls", ".xlsb", ".xlt", ".fods", ".et", ".gnumeric"), ("a workbook", _TO_XLSX)),
    ".xml-sheet": ("an XML Spreadsheet 2003", _TO_XLSX),
    **dict.fromkeys((".html", ".htm", ".mht"), ("a web page (HTML)", _TO_XLSX)),
    ".numbers": ("a Numbers spreadsheet", "In Numbers, choose File → Export To → Excel."),
    **dict.fromkeys((".doc", ".rtf", ".odt", ".wpd"), ("a text document", _TO_DOCX)),
    ".docx": ("a Word document", _TO_DOCX),
    ".pages": ("a Pages document", "In Pages, choose File → Export To → Word."),
    ".pdf": ("a PDF document", "Give the file that it was made from, as .docx, .txt, .csv or .xlsx."),
    ".epub": ("a book", _NO_TEXT),
    **dict.fromkeys((".ppt", ".pptx", ".key", ".odp"), ("a presentation", _NO_TEXT)),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".heic", ".tif", ".tiff", ".webp"), ("an image", _NO_TEXT)),
    **dict.fromkeys((".mp3", ".wav", ".m4a", ".ogg", ".flac", ".aac", ".wma"), ("a sound recording", _TO_TRANSCRIPT)),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".wmv"), ("a video", _TO_TRANSCRIPT)),
    ".por": ("an SPSS portable file", "In SPSS, choose File → Save As → SPSS Statistics (.sav)."),
    ".spv": ("the output of SPSS", "Give the data instead: in SPSS, choose File → Save As → SPSS Statistics (.sav)."),
    ".dta": (
        "a Stata data set",
        "In Stata, choose File → Export → Text data, or type: export delimited using FILE.csv",
    ),
    ".sas7bdat": ("a SAS data set", "In SAS, run: proc export data=NAME outfile='FILE.xlsx' dbms=xlsx; run;"),
    ".xpt": ("a SAS transport file", "In SAS, run: proc export data=NAME outfile='FILE.xlsx' dbms=xlsx; run;"),
    **dict.fromkeys((".rds", ".rdata", ".rda"), ("data of R", "In R, run: write.csv(DATA, 'FILE.csv')")),
    **dict.fromkeys(
        (".parquet", ".feather"), ("data of Python", "In Python, run: pandas.read_parquet('FILE').to_csv('FILE.csv')")
    ),
    **dict.fromkeys(
        (".nvp", ".nvpx", ".nvcx"),
        ("an NVivo project", f"In NVivo, choose Share → Export Project → REFI-QDA Project, to {_TO_QDPX}"),
    ),
    **dict.fromkeys(
        (".mx11", ".mx12", ".mx18", ".mx20", ".mx22", ".mx24", ".mx26"),
        ("a MAXQDA project", f"In MAXQDA, {_TO_QDPX}"),
    ),
    **dict.fromkeys(
        (".atlproj", ".atlproj22", ".atlproj23", ".atlproj24", ".atlproj25", ".hpr7", ".hpr", ".atlcb"),
        ("an ATLAS.ti project", f"In ATLAS.ti, {_TO_QDPX}"),
    ),
    **dict.fromkeys((".f4p", ".f4a"), ("an f4analyse project", f"In f4analyse, {_TO_QDPX}")),
    ".qdc": ("a codebook of REFI-QDA, without data", "Export the project (.qdpx) rather than its codes."),
    ".qde": ("a project of REFI-QDA without its sources", "Export it with its sources, as .qdpx."),
    **dict.fromkeys((".zip", ".gz", ".7z", ".rar", ".tar", ".tgz"), ("a compressed file", _UNPACK)),
}
"""What is not read, by its ending: what it is, and what to do."""


def kind_of(name: str, data: bytes) -> str:
    """Return the ending that a file's content calls for; "" if it is text, or nothing that is known.

    Args:
        name: the file, for messages.
        data: its content.

    Raises:
        InputError: a password protects it.
    """
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(name, data)
    if data.startswith(_OLE):
        return _ole_kind(name, data)
    known = _MAGIC + _BINARY_MAGIC if b"\0" in data[:4096] else _MAGIC
    for magic, ending in known:
        if data.startswith(magic):
            return ending
    if data[4:8] == b"ftyp":
        return ".mp4"
    if data[12:32] == _SAS:
        return ".sas7bdat"
    head = data[:2048].replace(b"\0", b"")  # which parts the letters of UTF-16
    if _XML_SHEET.match(head):
        return ".xml-sheet"
    return ".html" if _WEB.match(head.removeprefix(b"\xff\xfe")) else ""


def refusal(name: str, kind: str, reads: str) -> InputError:
    """Return the error for a file that is not read, with how to convert it.

    Args:
        name: the file.
        kind: the ending that its content or its name calls for.
        reads: the kinds that are read, in words.
    """
    what, advice = _ADVICE.get(kind, ("", ""))
    if not what:
        return InputError(f"{name} is of no kind that Persona reads.", hint=f"It reads {reads}.")
    though = "" if name.lower().endswith(kind) else ", whatever its name says"
    return InputError(f"{name} is {what}{though}, which Persona does not read.", hint=advice)


def _zip_kind(name: str, data: bytes) -> str:
    """Return what a zip file is by the files in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = set(archive.namelist())
            if "mimetype" in members:
                with archive.open("mimetype") as file:
                    mime = str(file.read(200), "ascii", "replace").strip()
                    return _MIME.get(mime, ".zip")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{name} is damaged: it begins like a workbook or an archive, and ends early.",
            hint="Export or download it again.",
        ) from error
    if any(member.endswith(".iwa") for member in members):
        return ".numbers" if "Index/CalculationEngine.iwa" in members and name.lower().endswith("numbers") else ".pages"
    found = (ending for member, ending in _MEMBERS if member in members)
    return next(found, ".xlsx" if "xl/worksheets/sheet1.xml" in members else ".zip")


def _ole_kind(name: str, data: bytes) -> str:
    """Return what a file in the container of Office 97 is; Office encrypts newer documents into it ([MS-OFFCRYPTO])."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise encrypted(name)
    found = (ending for stream, ending in _OLE_STREAMS if stream.encode("utf-16-le") in data)
    return next(found, ".doc" if name.lower().endswith(".doc") else ".xls")
