"""``persona storage config test``: every step said with ✅ or ❌, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import StorageSettings
from persona.config.secret import Secret
from persona.errors import AccessDeniedError, UnreachableError
from persona.storage import probe, stack
from persona.storage.backend import StorageObject
from tests.cli.conftest import Configure, Ran, Run, changed, files_below
from tests.cli.test_failures import WRONG, unreachable
from tests.personas.memory import MemoryBackend

STEPS = ["credentials", "list", "write", "read", "conditional write", "delete", "latency"]
CONDITIONAL = {"conditional_uploads", "conditional_deletes"}
WRITES = {"conditional_writes", "conditional_creates", "conditional_updates"}
LACKING = {
    "moto": {"conditional_uploads", "checksums"},
    "rclone": WRITES | CONDITIONAL,
    "fake-gcs": CONDITIONAL | {"checksums"},
}
"""What each server does not do, as `tests/servers.py` has it."""
Place = Callable[[str], StorageSettings]


def examined(persona: Run, code: int, *, ok: bool = False) -> dict[str, Any]:
    """Run the test both ways, hold it to the contract's names, and return the document."""
    ran = persona("storage", "config", "test", "--json", "--verbose")
    document: dict[str, Any] = ran.json
    assert (ran.code, document["ok"]) == (code, ok)
    assert set(document) == {"ok", "credentials", "checks", "capabilities", "proxy"}
    assert set(document["credentials"]) == {"source", "identity", "expires", "chain"}
    assert [set(check) for check in document["checks"]] == [{"name", "ok", "detail", "hint"}] * len(document["checks"])
    plain = persona("storage", "config", "test")
    assert plain.code == code
    assert plain.out.startswith("Storage Test\n═════")
    for check in document["checks"]:
        assert f"\n{'✅' if check['ok'] else '❌'} {check['name']}: " in plain.out
        assert check["ok"] or (check["hint"] and f"\n   → {check['hint']}" in plain.out)
    for secret in ("testsecret", WRONG, "a key for tests"):
        assert secret not in ran.out + ran.err + plain.out + plain.err
    return document


def step(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one check by its name."""
    return next(check for check in document["checks"] if check["name"] == name)


@pytest.mark.parametrize("name", ["local", "seaweedfs", "moto", "rclone", "fake-gcs", "azurite"])
def test_a_storage_that_works(persona: Run, configure: Configure, place: Place, tmp_path: Path, name: str) -> None:
    settings = place(name)
    configure(settings)
    document = examined(persona, 0, ok=True)
    found = [check["name"] for check in document["checks"]]
    assert found == (STEPS if name == "local" else [*STEPS, "clock"])
    found = document["capabilities"]
    lacking = {feature for feature, kept in found.items() if kept is False} - {"probed"}
    assert lacking == LACKING.get(name, set())
    assert (found["if_match"], found["probed"]) == (None if name == "rclone" else "quoted", name != "local")
    said = step(document, "conditional write")["detail"]
    assert ("are not honoured on" in said) == bool(lacking & CONDITIONAL)
    assert ("cannot be tested" in said) == found["probed"]
    assert document["credentials"]["source"]
    if settings.backend == "s3":
        assert "testkey" in document["credentials"]["identity"]
    assert persona("storage", "list", "--json").json["objects"] == []
    assert not [path for path in files_below(tmp_path) if "probe" in path and "servers" not in path]


@pytest.mark.parametrize("name", ["seaweedfs", "azurite"])
def test_a_wrong_key(persona: Run, configure: Configure, place: Place, name: str) -> None:
    secret = "account_key" if name == "azurite" else "secret_access_key"
    configure(changed(place(name), **{secret: Secret(WRONG)}))
    document = examined(persona, 4)
    assert [check["name"] for check in document["checks"] if not check["ok"]] == ["list"]


@pytest.mark.parametrize("name", ["seaweedfs", "moto", "fake-gcs", "azurite"])
def test_a_wrong_bucket(persona: Run, configure: Configure, place: Place, name: str) -> None:
    key = "container" if name == "azurite" else "bucket"
    configure(changed(place(name), **{key: "there-is-no-such-bucket-3141"}))
    document = examined(persona, 5)
    assert "there-is-no-such-bucket-3141" in step(document, "list")["detail"]


@pytest.mark.parametrize("backend", ["s3", "gcs", "azure"])
def test_nothing_answers(persona: Run, configure: Configure, backend: str) -> None:
    configure(unreachable(backend))
    assert "Nothing answers at 127.0.0.1:9" in step(examined(persona, 7), "list")["detail"]


@pytest.mark.parametrize("storage", [
    {"backend": "s3", "s3": {"bucket": "bucket", "region": "eu-west-2"}},
    {"backend": "gcs", "gcs": {"bucket": "bucket"}},
])  # fmt: skip
def test_no_credentials(persona: Run, project: Path, storage: dict[str, Any]) -> None:
    (project / "persona.yaml").write_text(json.dumps({"storage": storage}))
    document = examined(persona, 4)
    assert step(document, "credentials")["ok"] is False


def test_no_bucket_is_set(persona: Run, project: Path) -> None:
    (project / "persona.yaml").write_text("storage: {backend: s3}")
    assert "bucket" in step(examined(persona, 3), "configuration")["detail"]


def test_credentials_that_only_read(persona: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise AccessDeniedError("The provider refuses this.", hint="Ask for the permission to write.")

    storage = MemoryBackend()
    storage.before_write = refuse
    monkeypatch.setattr(stack, "open_storage", lambda settings: storage)
    document = examined(persona, 4)
    assert (step(document, "list")["ok"], step(document, "write")["ok"]) == (True, False)
    assert not storage.objects


def test_a_write_without_an_answer_leaves_nothing(persona: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unanswered(MemoryBackend):
        async def write(self, path: str, data: bytes, **options: Any) -> StorageObject:
            await super().write(path, data, **options)
            raise UnreachableError("The provider did not answer in time.", hint="Try again.")

    storage = Unanswered()
    monkeypatch.setattr(stack, "open_storage", lambda settings: storage)
    examined(persona, 7)
    assert len(storage.writes) == 2
    assert not storage.objects


@pytest.mark.parametrize("arguments", [["storage", "status"], ["list"], ["storage", "config", "show"]])
def test_no_secret_is_shown(persona: Run, configure: Configure, arguments: list[str]) -> None:
    for backend in ("s3", "azure"):
        configure(unreachable(backend))
        ran: Ran = persona(*arguments, "--verbose")
        assert WRONG not in ran.out + ran.err
    assert logging.getLogger("persona").level == logging.INFO


async def test_on_a_slow_line_a_first_answer_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow_line(address: tuple[str, int], seconds: float) -> bool:
        await asyncio.sleep(0.1)
        return True

    async def answer() -> str:
        await asyncio.sleep(0.5)
        return "answered"

    class There(MemoryBackend):
        def address(self) -> tuple[str, int]:
            return "127.0.0.1", 9

    monkeypatch.setattr(probe, "knock", slow_line)
    assert await probe._in_time(There(), answer, 0.2)() == "answered"
    monkeypatch.setattr(probe, "CONNECTIONS", 3)
    with pytest.raises(UnreachableError, match="does not answer"):
        await probe._in_time(There(), answer, 0.2)()
