"""Commands that read from a gateway which damages content: exit code 8, the object's name, and nothing wrong shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from persona.config.schema import StorageSettings
from tests.cli.conftest import Configure, Run, changed, small_input
from tests.faults import Answer, FaultProxy, Seen
from tests.faults import changed as altered
from tests.quirks import flipped

CONTENT = {"moto": r"/lib/{}\.yaml$", "fake-gcs": r"%2Flib%2F{}\.yaml\?alt=media", "azurite": r"/lib/{}\.yaml$"}


@pytest.fixture
def gateway(
    place: Callable[[str], StorageSettings], persona: Run, configure: Configure, project: Path
) -> Iterator[Callable[[str], tuple[FaultProxy, list[str]]]]:
    """A function that makes a library in a bucket, and puts a proxy before it; returns that and the ids."""
    opened: list[FaultProxy] = []

    def before(name: str) -> tuple[FaultProxy, list[str]]:
        settings = place(name)
        configure(settings)
        data = str(small_input(project))
        made = [persona("generate", data, "--output", "lib", "--json", "--name-prefix", name) for name in ("Ann", "Bo")]
        endpoint = getattr(settings, settings.backend).endpoint_url
        address = urlsplit(endpoint).netloc
        opened.append(FaultProxy(address).__enter__())
        configure(changed(settings, endpoint_url=endpoint.replace(address, opened[-1].address)))
        return opened[-1], [each["id"] for ran in made for each in ran.json["personas"]]

    yield before
    for proxy in opened:
        proxy.__exit__(None)


@pytest.mark.parametrize("name", CONTENT)
def test_damaged_content_is_refused_by_name_in_every_command(
    gateway: Callable[[str], tuple[FaultProxy, list[str]]], persona: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    proxy, (first, *others) = gateway(name)
    monkeypatch.setenv("PERSONA_STORAGE__CACHE__ENABLED", "true")
    assert others
    proxy.always("GET", CONTENT[name].format(first), flipped)
    listed = persona("list", "lib", "--json")
    assert listed.code == 8
    assert [each["id"] for each in listed.json["personas"]] == others
    assert f"lib/{first}.yaml" in listed.err
    shown = persona("show", "lib", first)
    assert shown.code == 8
    assert f"{first}.yaml" in shown.failed
    assert shown.out == ""
    exported = persona("export", "lib", "--output", "out.json", "--format", "json")
    assert exported.code == 8
    assert f"lib/{first}.yaml" in exported.err
    assert persona("export", f"lib/{first}.yaml", "--format", "json").code == 8
    warmed = persona("storage", "cache", "warm", "lib")
    assert warmed.code == 8
    assert f"lib/{first}.yaml" in warmed.err
    proxy.faults.clear()
    assert persona("show", "lib", first).code == 0  # nothing wrong was kept
    assert len(persona("list", "lib", "--json").json["personas"]) == 1 + len(others)
    asked = len(proxy.requests("GET", CONTENT[name].format(first)))
    assert persona("show", "lib", first).code == 0
    assert len(proxy.requests("GET", CONTENT[name].format(first))) == asked  # what is right was kept


def test_damaged_input_of_generate(
    gateway: Callable[[str], tuple[FaultProxy, list[str]]], persona: Run, project: Path
) -> None:
    proxy, (first, *_) = gateway("moto")
    proxy.always("GET", CONTENT["moto"].format(first), flipped)
    location = persona("storage", "status", "--json").json["location"]
    ran = persona("generate", f"{location.rstrip('/')}/lib/{first}.yaml")
    assert ran.code == 8, ran.err
    assert f"{first}.yaml" in ran.failed


def test_one_odd_answer_does_not_end_a_list(
    gateway: Callable[[str], tuple[FaultProxy, list[str]]], persona: Run
) -> None:
    proxy, (first, *others) = gateway("moto")

    def bare(_: Seen, given: Answer) -> Answer:
        kept = [(name, text) for name, text in given.headers if name.lower() not in ("last-modified", "etag")]
        return dataclasses.replace(given, headers=[*kept, ("last-modified", "never")])

    proxy.always("GET", CONTENT["moto"].format(first), altered(bare))
    listed = persona("list", "lib", "--json")
    assert listed.code == 1
    assert [each["id"] for each in listed.json["personas"]] == others
    assert f"lib/{first}.yaml" in listed.err
    assert persona("storage", "status").code == 0  # it is no outage
