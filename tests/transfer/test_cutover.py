"""The switch comes last and only when all is proved, and can be taken back while nothing would be lost."""

from __future__ import annotations

import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

from persona.cli import cutover
from persona.transfer.engine import Engine
from tests.quirks import clock_off
from tests.transfer.conftest import Bucket, Run, Side, journals

CONTENTS = {"a.yaml": b"a", "b/c.yaml": b"bc"}
MoveTo = tuple[str, ...]
SWITCH: MoveTo = ("--from", "local", "--to", "s3", "--switch")


@pytest.fixture
def config(home: Path, local: Side, s3: Bucket) -> Path:
    """The user's file as a person writes it, with comments."""
    section = s3.through.s3
    file = home / "persona.yaml"
    file.write_text(
        f"""# our storage
storage:
  backend: local   # until we move
  local:
    path: {local.settings.local.path}  # old
  s3:
    bucket: {section.bucket}
    prefix: {section.prefix}
    # the server in the cellar
    endpoint_url: {section.endpoint_url}
    access_key_id: testkey
    secret_access_key: testsecret
""",
        "utf-8",
    )
    local.fill(CONTENTS)
    return file


def test_a_switch_changes_one_word_of_the_file(migrate: Run, persona: Run, config: Path, s3: Bucket) -> None:
    before = config.read_text("utf-8")
    document = migrate(*SWITCH).done()
    assert document["switched"]["after"] == "s3"
    assert config.read_text("utf-8") == before.replace("backend: local ", "backend: s3 ", 1)
    assert persona("storage", "list", "--json").json["objects"][0]["path"] == "a.yaml"
    assert persona("storage", "status", "--json").json["backend"] in ("s3", "AWS S3")


def test_a_rollback_changes_it_back(migrate: Run, config: Path, s3: Bucket) -> None:
    before = config.read_text("utf-8")
    job = migrate(*SWITCH).done()["id"]
    assert migrate("rollback", job).done()["backend"] == "local"
    assert config.read_text("utf-8") == before
    assert s3.all == CONTENTS
    assert "not switched" in migrate("rollback", job).failed(2)


@pytest.mark.parametrize("drift", ["new", "changed", "deleted"])
def test_a_write_to_the_old_place_after_the_inventory_refuses_the_switch(
    migrate: Run, config: Path, local: Side, s3: Bucket, drift: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = config.read_text("utf-8")
    verified = Engine._verify_all

    async def late(self: Engine) -> None:
        await verified(self)
        root = local.settings.local.path or Path()
        if drift == "deleted":
            (root / "a.yaml").unlink()
        else:
            (root / ("a.yaml" if drift == "changed" else "new.yaml")).write_bytes(b"later")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_verify_all", late)
        ran = migrate(*SWITCH)
    document = ran.done(6)
    path = "new.yaml" if drift == "new" else "a.yaml"
    assert document["changed"] == {path: drift}
    assert path in document["error"]
    assert document["objects"]["verified"] == 2
    assert document["switched"] is None
    assert config.read_text("utf-8") == before
    migrate("rollback", document["id"]).failed(2)


def test_an_incomplete_migration_does_not_switch(migrate: Run, config: Path, s3: Bucket, tmp_path: Path) -> None:
    before = config.read_text("utf-8")
    s3.put("a.yaml", b"another")
    document = migrate(*SWITCH).done(1)
    assert document["switched"] is None
    assert config.read_text("utf-8") == before
    (tmp_path / "library" / "bad\nname").write_bytes(b"x")
    migrate(*SWITCH, "--overwrite").done(1)
    assert config.read_text("utf-8") == before


def test_a_backend_that_the_environment_sets_refuses_the_switch(
    migrate: Run, config: Path, s3: Bucket, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_STORAGE__BACKEND", "local")
    for more in ((), ("--dry-run",)):
        assert "PERSONA_STORAGE__BACKEND" in migrate(*SWITCH, *more).failed(3)
    assert s3.proxy.seen == []
    assert journals(home) == []


@pytest.mark.parametrize(
    "ends", [("s3", "local"), ("local", "file:///tmp/x"), ("workspace:default", "s3"), ("local", "workspace:default")]
)
def test_a_switch_that_cannot_be_is_refused_before_anything_is_done(
    migrate: Run, config: Path, s3: Bucket, home: Path, ends: MoveTo
) -> None:
    for more in ((), ("--dry-run",)):
        migrate("--from", ends[0], "--to", ends[1], "--switch", *more).failed(2)
    assert s3.proxy.seen == []
    assert journals(home) == []


@pytest.mark.parametrize("what", ["new.yaml", "a.yaml"])
def test_a_rollback_is_refused_when_the_new_place_was_written_to(
    migrate: Run, config: Path, s3: Bucket, what: str
) -> None:
    before = config.read_text("utf-8")
    job = migrate(*SWITCH).done()["id"]
    after = config.read_text("utf-8")
    s3.put(what, b"written since")
    assert what in migrate("rollback", job).failed(6)
    assert config.read_text("utf-8") == after
    migrate("rollback", job, "--force").done()
    assert config.read_text("utf-8") == before
    assert s3.get(what) == b"written since"


def test_a_rollback_sees_what_was_written_since_by_a_provider_whose_clock_is_behind(
    migrate: Run, config: Path, s3: Bucket
) -> None:
    for method in ("GET", "HEAD", "PUT"):
        s3.proxy.always(method, "", clock_off(-600.0))
    job = migrate(*SWITCH).done()["id"]
    s3.put("new.yaml", b"written since")
    assert "new.yaml" in migrate("rollback", job).failed(6)


def test_a_rollback_leaves_what_was_there_before_at_a_provider_whose_clock_is_ahead(
    migrate: Run, config: Path, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(datetime):
        """Seconds later, without the wait: providers date by the second."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Later:
            """Return the time in five seconds."""
            return cls.fromtimestamp(time.time() + 5, tz)

    for method in ("GET", "HEAD", "PUT"):
        s3.proxy.always(method, "", clock_off(600.0))
    s3.put("older.yaml", b"theirs")
    monkeypatch.setattr(cutover, "datetime", Later)
    job = migrate(*SWITCH).done()["id"]
    assert migrate("rollback", job).done()["backend"] == "local"


def test_a_rollback_is_refused_when_something_else_was_configured(migrate: Run, persona: Run, config: Path) -> None:
    job = migrate(*SWITCH).done()["id"]
    assert persona("storage", "config", "set", "backend", "local").code == 0
    migrate("rollback", job).failed(6)
    migrate("rollback", job, "--force").failed(6)


def test_a_plan_with_a_switch_switches_when_it_is_run(migrate: Run, config: Path) -> None:
    before = config.read_text("utf-8")
    migrate(*SWITCH, "--dry-run", "--plan", "the.plan").done()
    assert config.read_text("utf-8") == before
    assert migrate("--plan", "the.plan").done()["switched"]["after"] == "s3"
    assert config.read_text("utf-8") != before


def test_a_switch_that_was_interrupted_is_made_on_resume(
    migrate: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        """The process is gone."""

    def die(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(cutover, "switch", die)
        with pytest.raises(KilledError):
            migrate(*SWITCH)
    assert "backend: local" in config.read_text("utf-8")
    (job,) = migrate("list").done()["jobs"]
    assert migrate("resume", job["id"]).done()["switched"]["after"] == "s3"
    assert "backend: s3" in config.read_text("utf-8")


def test_a_switch_with_the_file_of_a_project(
    migrate: Run, config: Path, project: Path, home: Path, persona: Run
) -> None:
    before = config.read_text("utf-8")
    (project / "persona.yaml").write_text("storage:\n  backend: local # here\n", "utf-8")
    job = migrate(*SWITCH).done()["id"]
    assert (project / "persona.yaml").read_text("utf-8") == "storage:\n  backend: s3 # here\n"
    assert config.read_text("utf-8") == before
    migrate("rollback", job).done()
    assert (project / "persona.yaml").read_text("utf-8") == "storage:\n  backend: local # here\n"


def test_a_switch_where_nothing_sets_the_backend(migrate: Run, config: Path, s3: Bucket) -> None:
    config.write_text(config.read_text("utf-8").replace("  backend: local   # until we move\n", ""), "utf-8")
    job = migrate(*SWITCH).done()["id"]
    assert "backend: s3" in config.read_text("utf-8")
    assert "# the server in the cellar" in config.read_text("utf-8")
    migrate("rollback", job).done()
    assert "backend: local" in config.read_text("utf-8")


def test_a_config_file_that_became_unreadable_is_told_of(
    migrate: Run, config: Path, monkeypatch: pytest.MonkeyPatch, s3: Bucket
) -> None:
    verified = Engine._verify_all

    async def late(self: Engine) -> None:
        await verified(self)
        config.write_text("storage: [", "utf-8")

    good = config.read_text("utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_verify_all", late)
        ran = migrate(*SWITCH)
    assert ran.code in (2, 3), ran
    assert "Traceback" not in ran.err
    assert ran.json
    assert config.read_text("utf-8") == "storage: ["
    config.write_text(good, "utf-8")
    (job,) = migrate("list").done()["jobs"]
    migrate("resume", job["id"]).done()
    assert "backend: s3" in config.read_text("utf-8")


def test_the_report_of_a_person_says_what_to_do_next(persona: Run, config: Path, home: Path) -> None:
    ran = persona("storage", "migrate", *SWITCH)
    assert ran.code == 0
    assert "rollback" in ran.err
    (file,) = journals(home)
    assert file.stem in ran.err
