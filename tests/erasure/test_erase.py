"""``persona storage erase`` on this disk and on servers: found, shown, taken out, and kept out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import StorageSettings
from persona.errors import ConflictError, UnreachableError
from persona.personas.named import named_in
from persona.personas.subjects import persona_in
from persona.storage.backend import StorageBackend
from persona.storage.backends.local import LocalBackend
from persona.storage.content_headers import ContentHeaders
from tests.cli.conftest import Configure, Run, files_below
from tests.erasure.conftest import OTHER, SAID, SUBJECT, contents, file_with, on, put

PLACES = ["local", "moto", "seaweedfs", "fake-gcs", "azurite"]
Place = Callable[[str], StorageSettings]
ERASE = ("storage", "erase", "--subject", SUBJECT)


@pytest.fixture(params=PLACES)
def filled(
    request: pytest.FixtureRequest, place: Place, configure: Configure, library: dict[str, bytes]
) -> StorageSettings:
    """A workspace whose storage holds the library."""
    settings = place(request.param)
    put(settings, library)
    configure(settings)
    return settings


@pytest.fixture
def local(place: Place, configure: Configure, library: dict[str, bytes]) -> StorageSettings:
    """Such a workspace on this disk."""
    settings = place("local")
    put(settings, library)
    configure(settings)
    return settings


def holding(found: dict[str, bytes]) -> list[str]:
    """Return the objects that hold the respondent, by a look of the test's own."""
    return sorted(path for path, data in found.items() if SUBJECT in path or SUBJECT.encode() in data)


def test_all_is_found_and_nothing_is_changed(filled: StorageSettings, persona: Run, library: dict[str, bytes]) -> None:
    ran = persona(*ERASE, "--json")
    assert ran.code == 0, ran.err
    assert [each["path"] for each in ran.json["objects"]] == holding(library)
    assert {each["action"] for each in ran.json["objects"]} == {"redact", "remove"}
    assert contents(filled) == library


def test_all_is_taken_out_and_a_tombstone_stands(
    filled: StorageSettings, persona: Run, library: dict[str, bytes], tmp_path: Path
) -> None:
    receipt = tmp_path / "receipt.json"
    ran = persona(*ERASE, "--yes", "--json", "--receipt", str(receipt))
    assert ran.code == 0, ran.out
    after = contents(filled)
    (stone,) = [path for path in after if path.startswith(".persona-tombstones/")]
    assert ran.json["subject"] in stone
    assert SUBJECT.encode() not in after.pop(stone)
    assert holding(after) == []
    assert set(library) - set(after) == {"research/E08.mp3"}
    assert after["research/untouched.csv"] == library["research/untouched.csv"]
    assert len(after["research/survey.csv"].splitlines()) == len(library["research/survey.csv"].splitlines()) - 1
    assert after["research/pair.md"] == b"Interviewer: Why?\nE09: I disagree.\n"
    others = [path for path in library if path.startswith("personas/") and path in after]
    assert others
    assert all(SUBJECT not in named_in(read) for path in others if (read := persona_in(path, after[path])))
    assert json.loads(receipt.read_bytes()) == ran.json
    assert not re.search(rf"\b{SUBJECT}\b", receipt.read_text())
    assert SAID not in receipt.read_text()
    assert ran.json["complete"] is True
    assert len(ran.json["erased"]) == len(holding(library))

    again = persona(*ERASE, "--yes", "--json")
    assert again.code == 0
    assert again.json["erased"] == []
    assert again.json["subject"] == ran.json["subject"]


def test_an_erased_respondent_does_not_come_back(
    local: StorageSettings, persona: Run, library: dict[str, bytes], tmp_path: Path
) -> None:
    assert persona(*ERASE, "--yes").code == 0
    for name, data in library.items():
        file = file_with(tmp_path / "old" / Path(name).parent, Path(name).name, data)
        assert file.exists()
    ran = persona("storage", "sync", "--from", str(tmp_path / "old"), "--to", "restored/", "--json")
    assert ran.code == 1
    refused = {each["path"] for each in ran.json["failures"]}
    assert refused == {path for path in holding(library) if not path.startswith(".persona-backup/")}
    assert all("erased" in each["error"] for each in ran.json["failures"])
    assert not [path for path in holding(contents(local)) if path.startswith("restored/")]
    resumed = persona("storage", "migrate", "resume", ran.json["id"], "--json")
    assert resumed.code == 1
    assert not [path for path in holding(contents(local)) if path.startswith("restored/")]


def test_a_kept_backup_that_others_put_back_is_refused_too(
    local: StorageSettings, persona: Run, library: dict[str, bytes]
) -> None:
    assert persona(*ERASE, "--yes").code == 0
    kept = ".persona-backup/20260102-000000-abcd/research/survey.csv"
    put(local, {kept: library["research/survey.csv"]})
    ran = persona("storage", "sync", "--from", ".persona-backup/20260102-000000-abcd", "--to", "back/", "--json")
    assert ran.code == 1
    assert [each["path"] for each in ran.json["failures"]] == ["research/survey.csv"]


def test_a_migration_carries_the_tombstones(local: StorageSettings, persona: Run, tmp_path: Path) -> None:
    assert persona(*ERASE, "--yes").code == 0
    target = tmp_path / "new"
    assert persona("storage", "migrate", "--from", "local", "--to", f"file://{target}").code == 0
    stones = [path for path in contents(local) if path.startswith(".persona-tombstones/")]
    assert [path for path in files_below(target) if path.startswith(".persona-tombstones/")] == stones


def test_generate_leaves_an_erased_respondent_out(
    local: StorageSettings, persona: Run, library: dict[str, bytes], tmp_path: Path
) -> None:
    said = b"I keep my notes on paper as E08 does since the app loses them."
    table = b"Respondent,Answer,On E08\nE10,%s,\nE11,I keep my notes in the app.,no\n" % said
    file_with(tmp_path / "input", "survey.csv", library["research/survey.csv"])
    file_with(tmp_path / "input", "more.csv", table)
    talk = b"Interviewer: Why?\nE77: %s\n\nInterviewer: So?\nE77: I lose notes whenever I change my phone.\n" % said
    source = file_with(tmp_path / "input", "talk, E08 there.txt", talk).parent
    assert persona(*ERASE, "--yes").code == 0
    before = persona("generate", str(source), "--output", "more/", "--json")
    assert before.code == 0, before.err
    assert "Left out, having been erased: 1 respondent." in before.json["notes"]
    assert "Left out: 3 answers name a respondent who was erased." in before.json["notes"]
    assert "1 file's name has the id of an erased respondent, as will evidence. Rename first." in before.json["notes"]
    made = {path: data for path, data in contents(local).items() if path.startswith("more/")}
    assert made
    assert {line for data in made.values() for line in data.splitlines() if b"E08" in line} <= {
        *(b"    - file: talk, E08 there.txt", b"  file: talk, E08 there.txt", b"- file: talk, E08 there.txt")
    }


def test_what_was_cut_short_is_completed(
    local: StorageSettings, persona: Run, library: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write, calls = LocalBackend.write, []

    async def away(*_: Any, **__: Any) -> Any:
        raise UnreachableError("The disk is away.", hint="Wait.")

    async def failing(self: LocalBackend, path: str, *rest: Any, **more: Any) -> Any:
        calls.append(path)
        if len(calls) == 4:
            outage.setattr(LocalBackend, "exists", away)
            return await away()
        return await write(self, path, *rest, **more)

    outage = pytest.MonkeyPatch()
    monkeypatch.setattr(LocalBackend, "write", failing)
    receipt = tmp_path / "receipt.json"
    ran = persona(*ERASE, "--yes", "--receipt", str(receipt))
    assert ran.code == 7
    assert "not complete" in ran.err
    assert not receipt.exists()
    assert holding(contents(local))
    assert any(path.startswith(".persona-tombstones/") for path in contents(local))
    outage.undo()
    assert persona(*ERASE, "--yes", "--receipt", str(receipt)).code == 0
    assert holding(contents(local)) == []


def test_one_object_that_cannot_be_changed_is_named_and_stops_no_other(
    local: StorageSettings, persona: Run, library: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, delete = LocalBackend.write, LocalBackend.delete

    async def failing(self: LocalBackend, path: str, *rest: Any, **more: Any) -> Any:
        if path == "research/calls.json":
            raise UnreachableError("It takes no writes of this object.", hint="Wait.")
        return await write(self, path, *rest, **more)

    async def raced(self: LocalBackend, path: str, *rest: Any, **more: Any) -> Any:
        if path == "research/E08.mp3":
            await write(self, path, b"again")
        await delete(self, path, *rest, **more)

    monkeypatch.setattr(LocalBackend, "write", failing)
    monkeypatch.setattr(LocalBackend, "delete", raced)
    ran = persona(*ERASE, "--yes", "--json")
    assert ran.code == 1, ran.err
    reasons = {each["path"]: each["reason"] for each in ran.json["left"]}
    assert reasons.keys() == {"research/calls.json", "research/[subject].mp3"}
    assert reasons["research/calls.json"] == "It takes no writes of this object."
    assert "Others changed it" in reasons["research/[subject].mp3"]
    assert holding(contents(local)) == ["research/E08.mp3", "research/calls.json"]


def test_what_others_write_meanwhile_is_not_lost_and_is_looked_at_again(
    local: StorageSettings, persona: Run, library: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = LocalBackend.write
    theirs = b"Respondent,Answer\nE08,new\nE10,new\n"

    async def raced(self: LocalBackend, path: str, data: bytes, **more: Any) -> Any:
        if path == "research/survey.csv" and data != theirs and more.get("condition"):
            monkeypatch.setattr(LocalBackend, "write", write)
            await write(self, path, theirs)
            raise ConflictError("Someone else wrote.")
        return await write(self, path, data, **more)

    monkeypatch.setattr(LocalBackend, "write", raced)
    assert persona(*ERASE, "--yes").code == 0
    assert contents(local)["research/survey.csv"] == b"Respondent,Answer\nE10,new\n"


def test_what_others_write_in_the_moment_of_a_delete_is_not_lost(
    local: StorageSettings, persona: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete, put_at = LocalBackend.delete, "research/one.json"
    put(local, {put_at: json.dumps({"respondent": SUBJECT, "answer": "yes"}).encode()})

    async def raced(self: LocalBackend, path: str, **more: Any) -> None:
        if path == put_at:
            monkeypatch.setattr(LocalBackend, "delete", delete)
            await self.write(path, b'{"respondent": "E99"}')
        await delete(self, path, **more)

    monkeypatch.setattr(LocalBackend, "delete", raced)
    assert persona(*ERASE, "--yes").code == 0
    assert LocalBackend.delete is delete
    assert contents(local)[put_at] == b'{"respondent": "E99"}'


def test_a_mention_is_named_and_left_to_a_person(local: StorageSettings, persona: Run) -> None:
    note = b"Interviewer: Who?\nE09: I know E08 well.\nE09: Yes.\n"
    put(local, {"notes/talk.md": note})
    found = persona(*ERASE, "--json")
    assert found.code == 0
    assert {e["path"]: e["action"] for e in found.json["objects"]}["notes/talk.md"] == "look"
    ran = persona(*ERASE, "--yes", "--json")
    assert ran.code == 1
    assert ran.json["complete"] is False
    assert [each["path"] for each in ran.json["left"]] == ["notes/talk.md"]
    assert contents(local)["notes/talk.md"] == note


@pytest.mark.parametrize("name", PLACES)
def test_metadata_is_looked_through_too(name: str, place: Place, configure: Configure, persona: Run) -> None:
    """Where the object is changed, they go; where only they name the respondent, a person has to decide."""
    settings = place(name)
    table = b"Respondent,Answer\nE08,yes\nE09,no\n"
    pairs = {"participant": SUBJECT, "about": f"{SUBJECT} and others", "study": "energy"}
    headers = ContentHeaders(content_language="en", content_disposition=f'attachment; filename="{SUBJECT}.csv"')

    async def fill(storage: StorageBackend) -> None:
        await storage.write("calls/17.mp3", b"voice", metadata=pairs)
        await storage.write("calls/18.mp3", b"voice", metadata={"participant": "E081"})
        await storage.write("survey.csv", table, metadata=pairs, headers=headers)

    on(settings, fill)
    configure(settings)
    found = {each["path"]: each for each in persona(*ERASE, "--json").json["objects"]}
    assert {path: each["action"] for path, each in found.items()} == {"calls/17.mp3": "look", "survey.csv": "redact"}
    assert found["calls/17.mp3"]["what"] == ["a mention in its metadata (about, participant)"]
    ran = persona(*ERASE, "--yes", "--json")
    assert ran.code == 1
    assert [each["path"] for each in ran.json["left"]] == ["calls/17.mp3"]
    tags = [each[key] for each in ran.json["erased"] for key in ("version", "now") if each[key]]
    assert SUBJECT not in reduce(lambda text, tag: text.replace(tag, ""), tags, ran.out)  # an ETag has any letters
    kept = on(settings, lambda storage: storage.stat("survey.csv"))
    assert (kept.metadata, kept.headers) == ({"study": "energy"}, ContentHeaders(content_language="en"))
    assert contents(settings)["survey.csv"] == b"Respondent,Answer\nE09,no\n"


def test_what_cannot_be_looked_through_is_named(
    local: StorageSettings, persona: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persona.personas.erasure.MAX_BYTES", 10_000)
    large = b"Respondent,Answer\nE09,no\n" * 1000
    on(local, lambda storage: storage.write("tagged.csv", large, metadata={"of": SUBJECT}))
    ran = persona(*ERASE, "--json")
    assert ran.code == 1
    assert ran.json["complete"] is False
    unread = {each["path"]: each["reason"] for each in ran.json["unread"]}
    assert "research/survey.csv" in unread
    assert unread["tagged.csv"].endswith("Its metadata names the respondent.")


def test_the_cache_forgets_in_every_workspace(
    place: Place, configure: Configure, library: dict[str, bytes], persona: Run, home: Path, project: Path
) -> None:
    settings = place("moto")
    put(settings, library)
    mine = configure(settings)
    theirs = configure(settings, project / "other" / "persona.yaml")
    both = json.loads(mine.read_text())
    for file, prefix in ((mine, "team/research"), (theirs, "team")):
        both["storage"]["s3"]["prefix"] = prefix
        both["storage"]["cache"] = {"enabled": True, "path": str(home / "cache")}
        file.write_text(json.dumps(both))
    assert persona("storage", "cache", "warm", "").code == 0
    assert persona("list").code == 0
    assert persona("--config", str(theirs), "storage", "cache", "warm", "research").code == 0
    assert any(SAID.encode() in data for data in files_below(home / "cache").values())
    ran = persona(*ERASE, "--yes", "--json")
    assert ran.code == 0, ran.out
    assert ran.json["cache_entries"] > 2
    left = {name: data for name, data in files_below(home / "cache").items() if SUBJECT.encode() in data}
    assert left == {}


def test_an_index_of_personas_spares_reading_them(
    place: Place, configure: Configure, persona: Run, tmp_path: Path, library: dict[str, bytes], monkeypatch: Any
) -> None:
    configure(place("local"))
    assert persona("storage", "config", "set", "cache.enabled", "true").code == 0
    source = file_with(tmp_path, "survey.csv", library["research/survey.csv"])
    assert persona("generate", str(source)).code == 0
    opened: list[str] = []
    real = LocalBackend.open

    async def noted(self: LocalBackend, path: str, **more: Any) -> Any:
        opened.append(path)
        return await real(self, path, **more)

    monkeypatch.setattr(LocalBackend, "open", noted)
    assert persona("storage", "erase", "--subject", "Zebedee").code == 0
    assert opened == ["personas/run.yaml"]
    ran = persona(*ERASE, "--json")
    assert [path for path in opened if path != "personas/run.yaml"] == [each["path"] for each in ran.json["objects"]]


def test_what_waits_in_the_outbox_is_dropped(
    place: Place, configure: Configure, persona: Run, home: Path, library: dict[str, bytes]
) -> None:
    settings = place("moto")
    configure(settings)
    from persona.storage.outbox_entry import Entry
    from persona.storage.stack import Keeping, open_outbox
    from persona.workspace import resolve

    here = resolve(None)
    box = open_outbox(here.settings.storage, Keeping(workspace=here.name, folder=here.folder))
    for path in ("research/survey.csv", "research/untouched.csv"):
        draft = box.draft()
        draft.write(library[path])
        box.add(draft, Entry("", path=path))
    assert [each["path"] for each in persona(*ERASE, "--json").json["outbox"]] == ["research/survey.csv"]
    ran = persona(*ERASE, "--yes", "--json")
    assert [each["path"] for each in ran.json["outbox"]] == ["research/survey.csv"]
    assert [entry.path for entry in box.everything()] == ["research/untouched.csv"]


def test_journals_lose_the_rows_that_name_the_respondent(
    local: StorageSettings, persona: Run, tmp_path: Path, home: Path
) -> None:
    assert persona("storage", "sync", "--from", "research/", "--to", str(tmp_path / "copy")).code == 0
    assert any(b"E08.mp3" in data for name, data in files_below(home / "transfers").items())
    ran = persona(*ERASE, "--yes", "--json")
    assert ran.json["journal_rows"] >= 1
    assert not [name for name, data in files_below(home / "transfers").items() if b"E08.mp3" in data]


def test_an_outage_claims_nothing(place: Place, configure: Configure, persona: Run, tmp_path: Path) -> None:
    settings = place("moto")
    file = configure(settings)
    text = json.loads(file.read_text())
    text["storage"]["s3"]["endpoint_url"] = "http://127.0.0.1:9"
    text["storage"]["performance"] = {"retry_attempts": 0}
    file.write_text(json.dumps(text))
    receipt = tmp_path / "receipt.json"
    ran = persona(*ERASE, "--yes", "--receipt", str(receipt))
    assert ran.code == 7
    assert not receipt.exists()


@pytest.mark.parametrize(
    "arguments", [("--receipt", "x.json"), ("--yes", "--receipt", "there.json"), ("--yes", "--receipt", "no/x.json")]
)
def test_a_receipt_that_cannot_be_is_said_before(
    local: StorageSettings, persona: Run, project: Path, library: dict[str, bytes], arguments: tuple[str, ...]
) -> None:
    (project / "there.json").write_text("{}")
    assert persona(*ERASE, *arguments).failed
    assert contents(local) == library


def test_the_terminal_shows_what_is_where(local: StorageSettings, persona: Run) -> None:
    put(local, {"notes/talk.md": b"Interviewer: Who?\nE09: I know E08.\nE09: Yes.\n"})
    found = persona(*ERASE)
    assert "research/survey.csv" in found.out
    assert "Nothing was changed" in found.out
    ran = persona(*ERASE, "--yes")
    assert ran.code == 1
    assert "Complete: no" in ran.out
    assert "[subject].mp3: removed" in ran.out
    assert "notes/talk.md: It mentions the id" in ran.out
    assert "Traceback" not in ran.err


def test_two_at_once_end_clean(
    local: StorageSettings, process: Callable[..., Any], library: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [process(*ERASE, "--yes", "--json") for _ in range(2)]
    for each in both:
        out, err = each.communicate(timeout=60)
        assert each.returncode == 0, f"{out}\n{err}"
    assert holding(contents(local)) == []
    assert OTHER.encode() in contents(local)["research/survey.csv"]


def test_a_fresh_place_has_nothing_to_erase(place: Place, configure: Configure, persona: Run) -> None:
    settings = place("local")
    configure(settings)
    ran = persona(*ERASE)
    assert ran.code == 0
    assert "No object holds this respondent." in ran.out
    wrong = persona("storage", "erase", "--subject", "E8O", "--yes")
    assert wrong.code == 0
    assert "Nothing here held this respondent" in wrong.err
