"""What an endpoint has shown of itself, remembered for a while, so that a command need not ask each time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from persona.storage.private import private_folder, write_durably

log = logging.getLogger(__name__)


class PlaceMemory:
    """A JSON document about one place. A file that is damaged, or of another place, is as good as none.

    Args:
        folder: where the file is.
        place: what tells the bucket or container from every other; without secrets.
        seconds: how long the document is good.
        clock: the wall clock, in seconds.
    """

    def __init__(self, folder: Path, place: str, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._file = folder / f"{sha256(place.encode()).hexdigest()[:24]}.json"
        self._place = place
        self._seconds = seconds
        self._clock = clock

    def load(self) -> dict[str, Any] | None:
        """Return the document, or None if there is none, or it is too old."""
        try:
            document: Any = json.loads(self._file.read_bytes())
            age = self._clock() - document["asked_at"]
            if document["place"] != self._place or not 0 <= age < self._seconds:
                return None
            return dict(document)
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

    def save(self, document: Mapping[str, Any], asked_at: float | None = None) -> float:
        """Save a document; on a disk that takes none it is asked again the next time.

        Args:
            document: what is known.
            asked_at: since when, in seconds of the clock, if only a part of it is new.

        Returns:
            Since when.
        """
        since = self._clock() if asked_at is None else asked_at
        try:
            private_folder(self._file.parent)
            kept = {**document, "place": self._place, "asked_at": since}
            write_durably(self._file, json.dumps(kept).encode())
        except OSError as error:
            log.info("%s cannot be written: %s.", self._file, error.strerror)
        return since
