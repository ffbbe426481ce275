"""Several places at once: workspaces on one bucket, and input out of another storage."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from persona.config.schema import StorageSettings
from tests.cli.conftest import SURVEY, Configure, Run, small_input, written
from tests.servers import S3Server
from tests.serving import Server


def test_two_workspaces_on_one_bucket(
    persona: Run, project: Path, running: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = running("seaweedfs")
    bucket = server.make_bucket(f"cli-{secrets.token_hex(6)}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret")
    settings = ["--set", f"s3.bucket={bucket}", "--set", f"s3.endpoint_url={server.endpoint}"]
    for name in ("design", "product"):
        assert persona("workspace", "create", name, "--backend", "s3", *settings).code == 0
    small_input(project)
    assert persona("generate", "input.csv", "--workspace", "design").code == 0
    assert persona("list", "--workspace", "product").code == 5
    assert persona("storage", "list", "--workspace", "product", "--json").json["objects"] == []
    assert persona("generate", "input.csv", "--workspace", "product", "--name-prefix", "Product").code == 0
    design = persona("list", "--workspace", "design", "--json").json["personas"]
    product = persona("list", "--workspace", "product", "--json").json["personas"]
    assert design
    assert product
    assert not {row["path"] for row in design} & {row["path"] for row in product}
    assert persona("workspace", "use", "product").code == 0
    assert persona("list", "--json").json["personas"] == product
    shared = persona("workspace", "create", "third", "--backend", "s3", *settings, "--set", "s3.prefix=design")
    assert shared.code == 3
    assert "would share" in shared.failed


@pytest.mark.parametrize("target", ["local", "azurite"])
def test_input_from_a_storage_url(
    persona: Run,
    home: Path,
    running: Callable[[str], Server],
    place: Callable[[str], StorageSettings],
    target: str,
) -> None:
    server = running("seaweedfs")
    assert isinstance(server, S3Server)
    source = place("seaweedfs")
    bucket = source.s3.bucket
    server.signed("PUT", f"/{bucket}/study/survey.csv", body=SURVEY.read_bytes())
    home.mkdir(mode=0o700)
    (home / "persona.yaml").write_text(json.dumps({"storage": written(source) | written(place(target))}))
    inputs = (f"s3://{bucket}/study/survey.csv", f"s3://{bucket}/study/", SURVEY.as_uri())
    for number, url in enumerate(inputs):
        ran = persona("generate", url, "--output", f"library-{number}", "--json")
        assert (ran.code, ran.json["respondents"]) == (0, 52)
    exports = [persona("export", f"library-{number}").out for number in range(3)]
    assert exports[0] == exports[1] == exports[2] != ""
    assert persona("generate", str(SURVEY), "--output", "library-3").code == 0
    assert persona("export", "library-3").out == exports[0]
    ran = persona("generate", f"s3://{bucket}/study/missing.csv")
    assert ran.code == 5
    assert "missing.csv" in ran.failed


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://host/x.csv", 2),
        ("s3://", 2),
        ("s3:///key", 2),
        ("file://host/x.csv", 2),
        ("file:///nowhere/at/all.csv", 5),
        ("file:///dev/null", 2),
        ("s3://bucket/a//b", 2),
        ("s3://bucket/../b", 2),
        ("gs://bucket/x.csv", 4),
        ("s3://bucket/x.csv", 4),
        ("az://container/x.csv", 3),
    ],
)
def test_urls_that_cannot_be_read(persona: Run, home: Path, url: str, code: int) -> None:
    ran = persona("generate", url)
    assert ran.code == code, ran.err
    assert ran.failed
    assert ran.out == ""
    assert not (home / "data").exists()


def test_the_folder_of_a_file_url_is_not_touched(persona: Run, configure: Configure, tmp_path: Path) -> None:
    folder = tmp_path / "study with é"
    folder.mkdir()
    small_input(folder)
    before = sorted(folder.iterdir())
    assert persona("generate", folder.as_uri()).code == 0
    assert persona("generate", (folder / "input.csv").as_uri(), "--overwrite").code == 0
    assert sorted(folder.iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "project", "study with é"]
