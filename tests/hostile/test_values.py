"""Each field of each answer of each provider with thirty bad values, through the commands that read: never a traceback.

Between the command line and a real server, in this process. What a terminal would get has no control characters.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from persona.config.schema import StorageSettings
from tests.cli.conftest import Configure, Run, configure, persona, place, project
from tests.erasure.conftest import personas, put
from tests.faults import FaultProxy
from tests.hostile.spoiling import Spoiler

__all__ = ["configure", "persona", "personas", "place", "project"]
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 8, 130}
ROUNDS = 12
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
    library = {**personas, **{f"research/{n}.csv": b"Respondent,Answer\nR%d,yes\nE09,no\n" % n for n in range(30)}}
    put(settings, library)
    (tmp_path / "library").mkdir()
    for n in range(5):
        (tmp_path / "library" / f"new-{n}.csv").write_bytes(b"Respondent,Answer\nE09,%d\n" % n)
    section = getattr(settings, PLACES[kind])
    address = section.endpoint_url.split("//")[1].split("/")[0]
    spoiler = Spoiler()
    with FaultProxy(address) as proxy:
        through = dataclasses.replace(section, endpoint_url=section.endpoint_url.replace(address, proxy.address))
        file = configure(dataclasses.replace(settings, **{PLACES[kind]: through}))
        document = json.loads(file.read_text())
        document["storage"]["performance"] = {"retry_attempts": 0, "timeout": "5s"}
        file.write_text(json.dumps(document))
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            proxy.always(method, "", spoiler.act())
        for fault in proxy.faults:
            fault.least = 0
        for turn in range(ROUNDS):
            for arguments in commands(tmp_path, PLACES[kind], turn):
                check(persona(*arguments), arguments)
            if not spoiler.missing():
                break
    assert len(spoiler.given) > 12, [*spoiler.given]
