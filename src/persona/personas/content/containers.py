"""Opens what holds other files or compressed text: zip and Office documents, tar, gzip, bzip2, xz, and e-mail.

All of it is bounded: a small file can expand to any size.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from typing import Any, NamedTuple

from persona.personas.sources.limits import MAX_FILE_BYTES

MAX_DEPTH = 4
"""How many containers may lie in each other."""
MAX_TOTAL = 8 * MAX_FILE_BYTES
"""The most bytes that are expanded of one object."""
MAX_PARTS = 10_000
"""The most files in one object."""
_STREAMS: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=1 << 26)),
)
_PACKED = {
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"\x1f\x9d": "compress",
    b"\x04\x22\x4d\x18": "LZ4",
    b"LZIP\x01": "lzip",
}
"""What compressed files begin with that are not opened: none of it is text, however short."""
_MAIL = re.compile(rb"(?:From |(?:[A-Za-z-]{2,40}: .*\r?\n(?:[ \t].*\r?\n)*){2,})")
_MAIL_FIELD = re.compile(rb"^(?:MIME-Version|Content-Type|Message-ID|Received):", re.IGNORECASE | re.MULTILINE)
_BAD = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError,
    LookupError, MessageError, NotImplementedError, AttributeError, TypeError,
)  # fmt: skip


class Part(NamedTuple):
    """A file in a container.

    Args:
        name: its name in it; empty where there is none.
        data: its content; None if it cannot be read.
        reason: why it cannot.
    """

    name: str
    data: bytes | None
    reason: str = ""


class Budget:
    """How much of one object may still be expanded, in bytes and in files."""

    def __init__(self) -> None:
        self.left, self.parts = MAX_TOTAL, MAX_PARTS

    def take(self, part: Part) -> Part:
        """Return a part, without its content where that is too much."""
        self.parts -= 1
        if part.data is None:
            return part
        if len(part.data) > MAX_FILE_BYTES or len(part.data) > self.left or self.parts < 0:
            self.left = 0 if len(part.data) > self.left or self.parts < 0 else self.left
            return Part(part.name, None, "It expands to more than is searched.")
        self.left -= len(part.data)
        return part


def parts(data: bytes, budget: Budget) -> Iterator[Part] | None:
    """Return the files in a container, or None if the data is none."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _bounded(_in_zip(data), budget)
    if data[257:262] == b"ustar":
        return _bounded(_in_tar(data), budget)
    for magic, decompressor in _STREAMS:
        if data.startswith(magic):
            return _bounded(_expanded(data, decompressor), budget)
    if is_mail(data):
        return _bounded(_in_mail(data), budget)
    return None


def is_mail(data: bytes) -> bool:
    """Say whether bytes are an e-mail, or a mailbox of several."""
    return _MAIL.match(data[:4096]) is not None and _MAIL_FIELD.search(data[:65_536]) is not None


def is_compressed(data: bytes) -> bool:
    """Say whether bytes are one compressed file, which can be compressed again."""
    return data.startswith(b"\x1f\x8b")


def packed(data: bytes) -> str:
    """Return what kind of compressed file bytes are that is not opened; "" if none."""
    return next((kind for magic, kind in _PACKED.items() if data.startswith(magic)), "")


def _bounded(found: Iterator[Part], budget: Budget) -> Iterator[Part]:
    """Yield parts while there is a budget; what is damaged is a part that cannot be read."""
    try:
        for part in found:
            yield budget.take(part)
            if budget.left <= 0 or budget.parts < 0:
                yield Part("", None, "It expands to more than is searched.")
                return
    except _BAD as error:
        yield Part("", None, f"It is damaged ({type(error).__name__}).")


def _expanded(data: bytes, decompressor: Callable[[], Any]) -> Iterator[Part]:
    """Yield the content of a compressed file; there may be several streams one behind the other."""
    name, expanded = _gzip_name(data), b""
    while data:
        stream = decompressor()
        expanded += stream.decompress(data, MAX_FILE_BYTES + 1 - len(expanded))
        if len(expanded) > MAX_FILE_BYTES:
            break
        if not stream.eof:
            raise EOFError
        data = stream.unused_data.lstrip(b"\0")  # gzip allows zeros at its end
    yield Part("", expanded)
    if name:
        yield Part("name.txt", name)


def _gzip_name(data: bytes) -> bytes:
    """Return the name of the file that gzip was given, which stands behind ten bytes (RFC 1952, section 2.3.1)."""
    flags = data[3] if data.startswith(b"\x1f\x8b") and len(data) > 10 else 0
    return data[10:].split(b"\0", 1)[0][:1024] if flags & 8 and not flags & 4 else b""


def _in_zip(data: bytes) -> Iterator[Part]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if archive.comment:
            yield Part("comment", archive.comment)
        for info in archive.infolist():
            if info.comment:
                yield Part("comment", info.comment)
            if info.is_dir():
                yield Part(info.filename, b"")
                continue
            if info.flag_bits & 1:
                yield Part(info.filename, None, "It is encrypted.")
                continue
            try:
                with archive.open(info) as file:
                    yield Part(info.filename, file.read(MAX_FILE_BYTES + 1))
            except _BAD:
                yield Part(info.filename, None, "It is damaged, or compressed in a way that Persona cannot read.")


def _in_tar(data: bytes) -> Iterator[Part]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for info in archive:
            file = archive.extractfile(info) if info.isfile() else None
            if file:
                yield Part(info.name, file.read(MAX_FILE_BYTES + 1))
            else:
                yield Part(info.name, info.linkname.encode("utf-8", "surrogateescape"))


def _in_mail(data: bytes) -> Iterator[Part]:
    for each in data.split(b"\nFrom ") if data.startswith(b"From ") else [data]:
        message = message_from_bytes(each, policy=policy.compat32)
        for part in message.walk():
            from email.header import decode_header, make_header

            heads = [str(make_header(decode_header(str(value)))) for value in part.values()]
            yield Part("headers.txt", "\n".join(heads).encode("utf-8", "surrogateescape"))
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                yield Part(part.get_filename() or "", content)
