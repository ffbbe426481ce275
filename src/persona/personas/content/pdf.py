"""The text of PDF files, by the reader that `persona[pdf]` installs.

The reader runs in a process of its own, which can be ended and whose memory is limited: a small file can keep it busy
for hours. What it prints is JSON, a line for each part. It is isolated: it loads nothing from the current folder.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from persona.personas.content.containers import Part
from persona.personas.sources.limits import MAX_FILE_BYTES

INSTALL = "PDF files are searched with persona[pdf]: pip install 'persona[pdf]'."
MAX_SECONDS = 60
"""How long one file may take."""
MAX_MEMORY = 2 << 30
"""The most memory that the reader may ask for, in bytes."""
_MAX_PAGES = 5_000
"""The most pages of one file."""


def is_pdf(data: bytes) -> bool:
    """Say whether bytes are a PDF file: the mark is in its first 1,024 bytes (PDF 1.7, appendix H.3, note 13)."""
    return b"%PDF-" in data[:1024]


def parts(data: bytes) -> Iterator[Part]:
    """Yield the text of a PDF file, its properties and attachments, and what of it cannot be read."""
    if find_spec("pypdf") is None:
        yield Part("", None, INSTALL)
        return
    command = [sys.executable, "-I", "-m", __name__]
    try:
        ran = subprocess.run(  # noqa: S603  (Python's own path and this module)
            command, input=data, capture_output=True, timeout=MAX_SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        yield Part("", None, f"It takes longer than {MAX_SECONDS} seconds to read.")
        return
    except (OSError, subprocess.SubprocessError) as error:
        yield Part("", None, f"Its reader failed ({type(error).__name__}).")
        return
    for line in ran.stdout.splitlines():
        name, text, reason = json.loads(line)
        yield Part(name, None if text is None else base64.b64decode(text), reason)


def main() -> None:
    """Read a PDF file from the standard input, and print its parts."""
    _limit_memory()
    for part in _read(sys.stdin.buffer.read()):
        text = None if part.data is None else base64.b64encode(part.data).decode()
        sys.stdout.write(json.dumps([part.name, text, part.reason]) + "\n")


def _limit_memory() -> None:
    """Limit the memory of this process, where the system can."""
    if sys.platform != "win32":
        import resource

        with suppress(ValueError, OSError):  # of macOS, and where less is allowed already
            resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _read(data: bytes) -> Iterator[Part]:
    from pypdf import PdfReader

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


if __name__ == "__main__":
    main()
