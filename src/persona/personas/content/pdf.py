"""The text of PDF files, by the reader that `persona[pdf]` installs."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

from persona.personas.content.containers import Part
from persona.personas.sources.limits import MAX_FILE_BYTES

INSTALL = "PDF files are searched with persona[pdf]: pip install 'persona[pdf]'."
_MAX_PAGES = 5_000
"""The most pages of one file."""


def is_pdf(data: bytes) -> bool:
    """Say whether bytes are a PDF file: the mark is in its first 1,024 bytes (PDF 1.7, appendix H.3, note 13)."""
    return b"%PDF-" in data[:1024]


def parts(data: bytes) -> Iterator[Part]:
    """Yield the text of a PDF file, its properties and attachments, and what of it cannot be read."""
    try:
        from pypdf import PdfReader
    except ImportError:
        yield Part("", None, INSTALL)
        return
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports each oddity of a file
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            yield Part("", None, "It is encrypted.")
            return
        yield Part("properties.txt", "\n".join(map(str, (reader.metadata or {}).values())).encode("utf-8", "replace"))
        yield from _pages(reader)
        for name, contents in reader.attachments.items():
            yield from (Part(name, content) for content in contents)
    except Exception as error:  # whatever a hostile file makes of the reader
        yield Part("", None, f"It is damaged ({type(error).__name__}).")


def _pages(reader: Any) -> Iterator[Part]:
    total, images = 0, 0
    for number, page in enumerate(reader.pages, start=1):
        text = page.extract_text()
        total += len(text)
        if number > _MAX_PAGES or total > MAX_FILE_BYTES:
            yield Part(f"page {number}", None, "It expands to more than is searched.")
            return
        notes = [str(each.get_object().get("/Contents", "")) for each in page.get("/Annots") or ()]
        yield Part(f"page {number}", "\n".join([text, *notes]).encode("utf-8", "replace"))
        images += _images(page)
    if images:
        yield Part("", None, f"Its images ({images:,}) are not searched.")


def _images(page: Any) -> int:
    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    found = objects.get_object().values() if objects is not None else ()
    return sum(each.get_object().get("/Subtype") == "/Image" for each in found)
