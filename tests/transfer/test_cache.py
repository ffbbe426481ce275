"""What a migration or a sync writes past the cache is seen at once by whoever reads through it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.transfer.conftest import Bucket, Run, Side

OLD, NEW = b"what was there before", b"what a transfer has brought"


@pytest.fixture
def export(persona: Run, persona_yaml: Callable[[str], bytes]) -> Callable[[], str]:
    """A function that reads the one persona of the bucket through the cache, and returns its name."""
    return lambda: str(persona("show", "team/one", "--json").done()["name"])


@pytest.fixture
def persona_yaml(persona: Run, project: Path) -> Callable[[str], bytes]:
    """A function that makes the file of a persona of a name."""
    rows = "".join(f"P{number},{'yes' if number % 2 else 'no'},{number % 2}\n" for number in range(1, 13))
    (project / "survey.csv").write_text(f"id,Do you like it?,How often?\n{rows}", "utf-8")
    made = persona("generate", "survey.csv", "--output", "made", "--count", "1", "--json").done()["personas"][0]
    text = persona("export", made["path"], "--format", "yaml").out
    return lambda name: text.replace(f"name: {made['name']}", f"name: {name}").encode()


@pytest.fixture
def cached(s3: Bucket, home: Path) -> Bucket:
    """The bucket in use, with a cache that asks for nothing for an hour."""
    file = home / "persona.yaml"
    content = json.loads(file.read_text("utf-8"))
    content["storage"] |= {"backend": "s3", "cache": {"enabled": True, "ttl": "1h"}}
    file.write_text(json.dumps(content), "utf-8")
    return s3


@pytest.mark.parametrize("target", ["storage:", "team", "s3://{bucket}/{prefix}", "s3://{bucket}/{prefix}/team"])
def test_a_sync_is_seen_at_once(
    sync: Run,
    export: Callable[[], str],
    persona_yaml: Callable[[str], bytes],
    folder: Side,
    cached: Bucket,
    target: str,
) -> None:
    cached.put("team/one.yaml", persona_yaml("Before"))
    assert export() == "Before"
    cached.put("team/one.yaml", persona_yaml("Elsewhere"))
    assert export() == "Before", "the cache is asked"
    section = cached.settings.s3
    path = "one.yaml" if target.endswith("team") else "team/one.yaml"
    folder.put(path, persona_yaml("After"))
    place = target.format(bucket=section.bucket, prefix=section.prefix)
    sync(str(folder.settings.local.path), place).done()
    assert export() == "After"


def test_a_migration_is_seen_at_once(
    migrate: Run, export: Callable[[], str], persona_yaml: Callable[[str], bytes], local: Side, cached: Bucket
) -> None:
    cached.put("team/one.yaml", persona_yaml("Before"))
    assert export() == "Before"
    local.put("team/one.yaml", persona_yaml("After"))
    migrate("--from", "local", "--to", "s3", "--overwrite").done()
    assert export() == "After"
