"""Each field of each answer of each provider with thirty bad values, through the commands that read: never a traceback.

Between the command line and a real server, in this process. What a terminal would get has no control characters.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import unicodedata
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from persona.config.schema import StorageSettings
from tests.cli.conftest import Configure, Run, configure, persona, place, project
from tests.erasure.conftest import personas, put
from tests.faults import Answer, FaultProxy, Seen, _Handler
from tests.hostile.raw import WAYS, Mutilator
from tests.hostile.spoiling import TEXTS, Spoiler

__all__ = ["configure", "persona", "personas", "place", "project"]
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 8, 130}
ROUNDS = 1
ANSWERS = int(os.environ.get("PERSONA_SPOILED", "0"))
"""How many answers of each provider are spoiled at least; ``make torture`` asks for more than the rounds bring."""
SEED = int(os.environ.get("PERSONA_SPOILED_SEED", "0"))
PLACES = {"moto": "s3", "fake-gcs": "gcs", "azurite": "azure"}
Place = Callable[[str], StorageSettings]


def commands(folder: Path, name: str, turn: int) -> Iterator[tuple[str, ...]]:
    """Yield the commands of one round."""
    yield ("list",)
    yield ("storage", "list", "--json")
    yield ("storage", "list")
    yield ("storage", "stats", "--detailed")
    yield ("storage", "status")
    yield ("export", "--format", "json")
    yield ("storage", "migrate", "--from", name, "--to", f"file://{folder}/copy-{turn}")
    yield ("storage", "migrate", "--from", f"file://{folder}/library", "--to", name, "--overwrite")
    yield ("storage", "erase", "--subject", "Z99")
    yield ("storage", "erase", "--subject", f"R{turn}", "--yes", "--versions")


def check(ran: object, arguments: tuple[str, ...]) -> None:
    """Hold one run to the contract."""
    code, out, err = ran.code, ran.out, ran.err  # type: ignore[attr-defined]
    assert code in CODES, (arguments, code)
    assert "Traceback" not in out + err, (arguments, err)
    assert "unexpected error" not in err.lower(), (arguments, err)
    for text in (out, err):
        bad = {char for char in text if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"}
        bad |= {*text} & {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
        assert not bad, (arguments, bad, text[:2000])


@pytest.mark.parametrize("kind", PLACES)
def test_no_value_of_an_answer_leads_to_a_traceback(
    kind: str,
    place: Place,
    configure: Configure,
    persona: Run,
    personas: dict[str, bytes],
    tmp_path: Path,
    home: Path,
) -> None:
    settings = place(kind)
    library = {**personas, **{f"research/{n}.csv": b"Respondent,Answer\nR%d,yes\nE09,no\n" % n for n in range(50)}}
    put(settings, library)
    (tmp_path / "library").mkdir()
    for n in range(5):
        (tmp_path / "library" / f"new-{n}.csv").write_bytes(b"Respondent,Answer\nE09,%d\n" % n)
    section = getattr(settings, PLACES[kind])
    address = section.endpoint_url.split("//")[1].split("/")[0]
    spoiler = Spoiler()
    with FaultProxy(address) as proxy:
        through = dataclasses.replace(section, endpoint_url=section.endpoint_url.replace(address, proxy.address))
        _quick(configure(dataclasses.replace(settings, **{PLACES[kind]: through})))
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            proxy.always(method, "", spoiler.act())
        for fault in proxy.faults:
            fault.least = 0
        turn, few = 0, True
        while turn < ROUNDS or spoiler.answers < ANSWERS or (few and turn < 4 * ROUNDS):
            for arguments in commands(tmp_path, PLACES[kind], turn):
                check(persona(*arguments), arguments)
            turn += 1
            rows = {field for field in spoiler.given if {"Contents", "Version", "Blob", "items"} & {*field}}
            few = any(left > len(TEXTS) // 2 for field, left in spoiler.missing().items() if field in rows)
    assert rows
    assert not few, spoiler.missing()
    assert len(spoiler.given) - len(rows) > 5, [*spoiler.given]
    if ANSWERS:
        assert not rows & {*spoiler.missing()}, spoiler.missing()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # urllib3 closes what it refuses late
@pytest.mark.parametrize("kind", PLACES)
def test_no_mutated_bytes_of_an_answer_lead_to_a_traceback(
    kind: str,
    place: Place,
    configure: Configure,
    persona: Run,
    personas: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor to content that is not the object's: what a migration put under a name is what has that name."""
    settings = place(kind)
    library = {**personas, **{f"research/{n}.csv": b"Respondent,Answer\nR%d,yes\nE09,no\n" % n for n in range(5)}}
    put(settings, library)
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "new.csv").write_bytes(b"Respondent,Answer\nE09,1\n")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # what libraries log goes where it goes in a process
    section = getattr(settings, PLACES[kind])
    address = section.endpoint_url.split("//")[1].split("/")[0]
    mutilator = Mutilator(SEED)
    with FaultProxy(address) as proxy:
        through = dataclasses.replace(section, endpoint_url=section.endpoint_url.replace(address, proxy.address))
        _quick(configure(dataclasses.replace(settings, **{PLACES[kind]: through})))
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            proxy.always(method, "", mutilator.act())
        for fault in proxy.faults:
            fault.least = 0
        turn = 0
        while mutilator.answers < max(ANSWERS, 2 * len(WAYS)):
            for arguments in commands(tmp_path, PLACES[kind], turn):
                check(persona(*arguments), arguments)
            _check_copy(tmp_path / f"copy-{turn}", library)
            put(settings, library)  # what an erasure took out
            turn += 1
    assert all(mutilator.taken.values()), mutilator.taken


def _check_copy(folder: Path, library: dict[str, bytes]) -> None:
    """Hold what a migration wrote to what has these names."""
    for path, data in library.items():
        file = folder / path
        assert not file.is_file() or file.read_bytes() == data, path


REFUSALS = (400, 403, 404, 409, 412, 416, 429, 503)
HEADERS = ("retry-after", "x-amz-bucket-region", "x-ms-error-code", "location", "date", "content-range", "etag")


@pytest.mark.parametrize("kind", PLACES)
def test_no_refusal_leads_to_a_traceback(kind: str, place: Place, configure: Configure, persona: Run) -> None:
    """Codes, sentences and headers of refusals, each with each value, by script alone."""
    settings = place(kind)
    section = getattr(settings, PLACES[kind])
    address = section.endpoint_url.split("//")[1].split("/")[0]
    turn = 0

    def refuse(handler: _Handler, seen: Seen) -> None:
        nonlocal turn
        value, status = TEXTS[turn % len(TEXTS)], REFUSALS[turn // 3 % len(REFUSALS)]
        text = value.replace("\ud800", "").replace("\0", "")
        headers = [(name, text.replace("\n", "").encode().decode("latin-1")) for name in HEADERS]
        if kind == "fake-gcs":
            error = {"code": status, "message": value, "errors": [{"reason": value, "message": value}]}
            body = json.dumps({"error": error}).encode()
        else:
            shown = escape(text)
            body = f"<Error><Code>{shown}</Code><Message>{shown}</Message><Region>{shown}</Region></Error>".encode()
        turn += 1
        handler.reply(Answer(status, headers, b"" if seen.method == "HEAD" else body))

    with FaultProxy() as proxy:
        through = dataclasses.replace(section, endpoint_url=section.endpoint_url.replace(address, proxy.address))
        _quick(configure(dataclasses.replace(settings, **{PLACES[kind]: through})))
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            proxy.always(method, "", refuse)
        for fault in proxy.faults:
            fault.least = 0
        commands = cycle([("list",), ("storage", "status"), ("storage", "erase", "--subject", "E9")])
        for number, arguments in zip(range(1_000), commands, strict=False):
            if number >= 105 and turn >= len(TEXTS) * 3:  # on a busy machine the circuit opens, and some ask nothing
                break
            check(persona(*arguments), arguments)
    assert turn >= len(TEXTS) * 3


def _quick(file: Path) -> None:
    """Let commands neither try again nor wait for long."""
    document = json.loads(file.read_text())
    document["storage"]["performance"] = {"retry_attempts": 0, "timeout": "5s"}
    file.write_text(json.dumps(document))
