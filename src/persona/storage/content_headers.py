"""The headers that say how an object's content is to be served, beside its media type.

S3, GCS and Azure keep them with an object and send them with it: RFC 9110, section 8 (encoding, language), RFC 6266
(disposition) and RFC 9111, section 5 (caching). Content whose encoding is lost is damaged: gzip under a plain type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ContentHeaders:
    """Headers of an object's content; None for one that it does not have.

    Args:
        content_encoding: ``gzip``, say: the stored bytes are encoded so.
        content_language: the audience's language, or languages with commas between.
        content_disposition: whether a browser shows or saves it, and under which name.
        cache_control: how long it may be cached, and by whom.
        expires: until when, as an HTTP date. Only S3 has it.
    """

    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    expires: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, Any]) -> Self:
        """Return those that there are among headers with lower-case names.

        Clients that sign uploads in chunks have left their own ``aws-chunked`` in the encoding; it is no part of it
        (Amazon S3 API Reference, "Transferring Payload in Multiple Chunks").

        Raises:
            TypeError: one is no text.
        """
        found = {name: headers[name] for name in NAMES if headers.get(name)}
        if not all(isinstance(text, str) for text in found.values()):
            raise TypeError("a header is no text")
        if "content-encoding" in found:
            codings = (coding.strip() for coding in found["content-encoding"].split(","))
            found["content-encoding"] = ", ".join(each for each in codings if each.lower() not in ("", "aws-chunked"))
        return cls(**{name.replace("-", "_"): text for name, text in found.items() if text})

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield the names of the headers that there are, in lower case, and their values."""
        for name in NAMES:
            if (text := getattr(self, name.replace("-", "_"))) is not None:
                yield name, text

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return self != NO_HEADERS


NAMES = tuple(field.name.replace("_", "-") for field in fields(ContentHeaders))
"""The names of all of them, in lower case."""
NO_HEADERS = ContentHeaders()
