"""``storage.residency`` from the command line: nothing is written outside of it, and every command says so."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from persona.config.schema import StorageSettings
from tests.cli.conftest import Configure, Run, changed, small_input
from tests.faults import FaultProxy
from tests.outage.gates import Door
from tests.servers import Moto
from tests.serving import Server

LONDON, VIRGINIA = "eu-west-2", "us-east-1"
Rule = Callable[..., None]


@pytest.fixture
def rule(monkeypatch: pytest.MonkeyPatch) -> Rule:
    """A function that sets the rule."""

    def put(*allow: str, enforce: bool = True) -> None:
        monkeypatch.setenv("PERSONA_STORAGE__RESIDENCY__ALLOW", json.dumps(allow))
        monkeypatch.setenv("PERSONA_STORAGE__RESIDENCY__ENFORCE", str(enforce).lower())

    return put


@pytest.fixture
def london(moto: Server) -> StorageSettings:
    """A bucket of moto in London."""
    assert isinstance(moto, Moto)
    return moto.settings(moto.make_bucket_in(LONDON, f"london-{secrets.token_hex(4)}"))


def at(settings: StorageSettings, proxy: FaultProxy | Door) -> StorageSettings:
    return changed(settings, endpoint_url=f"http://{proxy.address}")


def objects(persona: Run) -> list[str]:
    return [found["path"] for found in persona("storage", "list", "--json", "--fresh").json["objects"]]


def test_a_place_outside_gets_nothing(
    persona: Run, configure: Configure, project: Path, london: StorageSettings, rule: Rule
) -> None:
    configure(london)
    small_input(project)
    rule("europe-west2", VIRGINIA)
    ran = persona("generate", "input.csv")
    assert ran.code == 3
    assert f"is in {LONDON}, and storage.residency allows only europe-west2, {VIRGINIA}." in ran.failed
    assert objects(persona) == []
    rule()
    assert persona("generate", "input.csv").code == 0  # without a rule


@pytest.mark.parametrize("writes", ["fail", "outbox"])
def test_generate_is_told_before_it_works(
    persona: Run,
    configure: Configure,
    london: StorageSettings,
    rule: Rule,
    monkeypatch: pytest.MonkeyPatch,
    writes: str,
) -> None:
    configure(london)
    monkeypatch.setenv("PERSONA_STORAGE__OFFLINE__WRITES", writes)
    rule("uksouth")
    ran = persona("generate", "missing.csv")  # not even its input has been looked for
    assert ran.code == 3
    assert "is in eu-west-2" in ran.failed
    rule(LONDON)
    assert persona("generate", "missing.csv").code == 5


def test_it_is_asked_once_a_day(
    persona: Run, configure: Configure, project: Path, london: StorageSettings, rule: Rule, moto: Server, home: Path
) -> None:
    small_input(project)
    rule(LONDON)
    with FaultProxy(moto.address) as proxy:
        configure(at(london, proxy))
        assert persona("generate", "input.csv", "--output", "one").code == 0
        asked = proxy.requests("HEAD", r"^/[^/]+/$")
        assert persona("generate", "input.csv", "--output", "two").code == 0
        assert persona("storage", "status", "--json").json["residency"]["source"] == "provider"
        assert len(asked) == 1
        assert proxy.requests("HEAD", r"^/[^/]+/$") == asked
    assert len(list(home.rglob("residency/*.json"))) == 1


def test_a_rule_that_only_warns(
    persona: Run, configure: Configure, project: Path, london: StorageSettings, rule: Rule
) -> None:
    configure(london)
    small_input(project)
    rule(VIRGINIA, enforce=False)
    ran = persona("generate", "input.csv")
    assert ran.code == 0
    assert ran.err.count("Warning: ") == 1
    assert "is not enforced" in ran.err
    assert objects(persona)
    document = persona("storage", "config", "test", "--json").json
    assert document["ok"]
    [check] = [check for check in document["checks"] if check["name"] == "residency"]
    assert check["detail"] == f"{LONDON}; it is not allowed, which is not enforced"


def test_status_and_test_say_it(persona: Run, configure: Configure, london: StorageSettings, rule: Rule) -> None:
    configure(london)
    rule("uksouth", LONDON)
    document = persona("storage", "status", "--json").json
    assert document["region"] == LONDON
    expected = {"allow": ["uksouth", LONDON], "enforce": True, "region": LONDON, "source": "provider", "ok": True}
    assert document["residency"] == expected
    plain = persona("storage", "status").out
    assert f"Region: {LONDON}\nResidency: ✅ allowed\n" in plain
    assert f"✅ residency: {LONDON}\n" in persona("storage", "config", "test").out

    rule(VIRGINIA)
    assert persona("storage", "status", "--json").json["residency"]["ok"] is False
    assert f"Residency: ❌ only {VIRGINIA} is allowed; nothing is written there\n" in persona("storage", "status").out
    tested = persona("storage", "config", "test", "--json")
    assert tested.code == 3
    names = {check["name"]: check["ok"] for check in tested.json["checks"]}
    assert (names["list"], names["residency"]) == (True, False)
    assert "write" not in names


def test_without_a_rule_status_says_so(persona: Run, configure: Configure, london: StorageSettings) -> None:
    configure(london)
    document = persona("storage", "status", "--json").json
    expected = {"allow": [], "enforce": True, "region": None, "source": "unknown", "ok": True}
    assert document["residency"] == expected
    assert document["region"] == VIRGINIA  # as configured
    assert "Residency" not in persona("storage", "status").out


def test_this_machine_is_allowed(persona: Run, project: Path, rule: Rule) -> None:
    rule(LONDON)
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    assert persona("storage", "status", "--json").json["residency"]["source"] == "machine"
    assert "Region: this machine\nResidency: ✅ allowed\n" in persona("storage", "status").out
    assert "✅ residency: this machine\n" in persona("storage", "config", "test").out


@pytest.mark.parametrize("name", ["azurite", "fake-gcs", "seaweedfs"])
def test_every_provider(
    persona: Run, configure: Configure, project: Path, place: Callable[[str], StorageSettings], rule: Rule, name: str
) -> None:
    small_input(project)
    told = name == "fake-gcs"
    settings = place(name)
    rule("us-central1")
    configure(changed(settings, region=None))
    ran = persona("generate", "input.csv")
    assert ran.code == (0 if told else 3)
    if not told:
        assert "cannot be found out" in ran.failed
        assert "declare it: persona storage config set" in ran.failed
        configure(changed(settings, region="us-central1"))
        assert persona("generate", "input.csv").code == 0
        assert "Region: us-central1, declared, not checked." in persona("storage", "status").out
    rule("eu")
    ran = persona("generate", "input.csv", "--output", "elsewhere")
    assert ran.code == 3
    assert ("is in us-central1" if told else "is declared to be in us-central1") in ran.failed


def test_transfers_are_refused_before_anything(
    persona: Run, configure: Configure, project: Path, london: StorageSettings, rule: Rule
) -> None:
    small_input(project)
    configure(london)
    assert persona("generate", "input.csv").code == 0
    before = objects(persona)
    rule(VIRGINIA)
    migrate = ["storage", "migrate", "--from", "local", "--to", "s3"]
    (project / "folder").mkdir()
    (project / "folder" / "a.txt").write_text("a")
    sync = ["storage", "sync", "--from", str(project / "folder"), "--to"]
    bucket = london.s3.bucket
    for line in (
        migrate, [*migrate, "--dry-run"],
        [*sync, "more"], [*sync, "more", "--dry-run"], [*sync, f"s3://{bucket}/x"],
    ):  # fmt: skip
        ran = persona(*line)
        assert ran.code == 3, line
        assert f"is in {LONDON}" in ran.err
    assert objects(persona) == before
    out = project / "out"  # what is in a wrong place can be fetched out of it
    assert persona("storage", "sync", "--from", "personas", "--to", str(out)).code == 0
    assert list(out.iterdir())


def test_a_job_goes_on_only_where_it_may(
    persona: Run, configure: Configure, project: Path, london: StorageSettings, rule: Rule
) -> None:
    small_input(project)
    assert persona("generate", "input.csv").code == 0  # on this machine
    configure(changed(london, prefix="moved"))
    rule(LONDON)
    plan = project / "plan.jsonl"
    line = ("storage", "migrate", "--from", "local", "--to", "s3")
    assert persona(*line, "--dry-run", "--plan", str(plan)).code == 0
    rule(VIRGINIA)
    ran = persona("storage", "migrate", "--plan", str(plan))
    assert ran.code == 3
    assert f"is in {LONDON}" in ran.err
    assert objects(persona) == []
    rule(LONDON)
    assert persona("storage", "migrate", "--plan", str(plan)).code == 0
    assert objects(persona)


def test_another_workspace_has_a_rule_of_its_own(
    persona: Run, configure: Configure, project: Path, london: StorageSettings, home: Path
) -> None:
    (project / "folder").mkdir()
    (project / "folder" / "a.txt").write_text("a")
    assert persona("workspace", "create", "other", "--backend", "local").code == 0
    file = configure(london, home / "workspaces" / "other" / "persona.yaml")
    sync = ("storage", "sync", "--from", str(project / "folder"), "--to", "workspace:other/x")
    assert persona(*sync).code == 0
    document = json.loads(file.read_text())
    document["storage"]["residency"] = {"allow": [VIRGINIA]}
    file.write_text(json.dumps(document))
    ran = persona(*sync)
    assert ran.code == 3
    assert f"is in {LONDON}" in ran.err


def test_what_waits_in_the_outbox_is_sent_only_where_it_may(
    persona: Run,
    configure: Configure,
    project: Path,
    london: StorageSettings,
    rule: Rule,
    moto: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_input(project)
    monkeypatch.setenv("PERSONA_STORAGE__OFFLINE__WRITES", "outbox")
    monkeypatch.setenv("PERSONA_STORAGE__PERFORMANCE__RETRY_ATTEMPTS", "0")
    rule(VIRGINIA)
    door = Door(moto.address)
    try:
        configure(at(london, door))
        door.shut()
        assert persona("generate", "input.csv").code == 0
        waiting = len(persona("storage", "outbox", "list", "--json").json["entries"])
        assert waiting
        door.open()
        ran = persona("storage", "outbox", "flush")
        assert ran.code != 0
        assert f"is in {LONDON}" in ran.out + ran.err
        configure(london)
        assert objects(persona) == []
        configure(at(london, door))
        rule(LONDON)
        assert persona("storage", "outbox", "flush").code == 0
        assert len(objects(persona)) == waiting
    finally:
        door.shut()


def test_a_rule_in_a_file(persona: Run, project: Path) -> None:
    file = project / "persona.yaml"
    file.write_text("storage:\n  residency: {allow: [eu-west-2, UK South], enforce: false}\n")
    assert '["eu-west-2", "uksouth"]' in persona("storage", "config", "show").out
    assert persona("storage", "config", "set", "residency.allow", "eu-west-2,eu").code == 0
    assert "eu" in file.read_text()
    file.write_text("storage:\n  residency: {allow: [eu/west]}\n")
    ran = persona("storage", "status")
    assert ran.code == 3
    assert "storage.residency.allow" in ran.failed
