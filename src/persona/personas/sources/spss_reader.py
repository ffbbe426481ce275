"""The reader of SPSS files, in a process of its own: it is a library in C, which a hostile file can crash.

What it prints is JSON, a line each: the dictionary, then parts of the rows, column by column. It is isolated: it loads
nothing from the current folder.
"""

from __future__ import annotations

import datetime
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from threading import Timer
from typing import Any

from persona.errors import InputError
from persona.personas.sources.limits import MAX_CELLS, MAX_LINE, MAX_RECORDS

MAX_SECONDS = 120
"""How long one file may take."""
MAX_MEMORY = 2 << 30
"""The most memory that the reader may ask for, in bytes."""
_CHUNK = 64 * 1024 * 1024
"""The most bytes of rows, without compression, that are read at once."""


def lines(name: str, data: bytes) -> Generator[Any, None, None]:
    """Yield what the reader prints of a file.

    Raises:
        InputError: the file is damaged, or takes too long.
    """
    command = [sys.executable, "-I", "-m", __name__]
    with tempfile.TemporaryFile() as source:
        source.write(data)
        source.seek(0)
        with subprocess.Popen(  # noqa: S603  (Python's own path and this module)
            command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            timer = Timer(MAX_SECONDS, child.kill)
            timer.start()
            complete = False
            try:
                for line in child.stdout or ():
                    found = json.loads(line)
                    if isinstance(found, str):
                        raise InputError(f"{name} is damaged, or no SPSS data file: {found}.")
                    complete = found is None
                    if not complete:
                        yield found
            except ValueError as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{name} is damaged, or takes too long to read.") from error
            finally:
                timer.cancel()
                child.kill()
        if not complete:
            raise InputError(f"{name} is damaged, or takes too long: its reader failed.", hint="Export it again.")


def main() -> None:
    """Read an SPSS file from the standard input, and print its dictionary and rows."""
    if sys.platform != "win32":
        import resource

        with suppress(ValueError, OSError):  # of macOS, and where less is allowed already
            resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        for each in _read(sys.stdin.buffer.read()):
            sys.stdout.write(json.dumps(each) + "\n")
        sys.stdout.write("null\n")  # so that what is cut short is not taken for all
    except Exception as error:  # whatever a hostile file makes of the reader
        sys.stdout.write(json.dumps(" ".join(str(error).split())[:100] or type(error).__name__) + "\n")


def _read(data: bytes) -> Iterator[Any]:
    from pyreadstat import read_sav

    _, meta = read_sav(io.BytesIO(data), metadataonly=True, user_missing=True)
    rows = meta.number_rows if meta.number_rows is not None and meta.number_rows >= 0 else MAX_RECORDS
    yield {
        "names": list(meta.column_names),
        "rows": rows,
        "labels": meta.column_names_to_labels,
        "values": {name: [*labels.items()] for name, labels in meta.variable_value_labels.items()},
        "missing": meta.missing_ranges,
        "sets": meta.mr_sets or {},
        "notes": meta.notes,
    }
    width, count = sum(meta.variable_storage_width.values()), len(meta.column_names)
    step = max(1, min(rows, _CHUNK // max(1, width), MAX_CELLS // max(1, count)))
    for start in range(0, rows, step):
        part, _ = read_sav(
            io.BytesIO(data),
            user_missing=True,
            output_format="dict",
            row_offset=start,
            row_limit=min(step, rows - start),
        )
        for name, values in part.items():
            yield [name, [_plain(value) for value in values]]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: dates as ISO 8601 writes them, with a space before the time."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "seconds").removesuffix(" 00:00:00").removesuffix(":00")
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return str(value).removesuffix(":00")
    return value[:MAX_LINE] if isinstance(value, str) else value


if __name__ == "__main__":
    main()
