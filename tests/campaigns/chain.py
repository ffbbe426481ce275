"""One library taken through every pair of places, and compared by another program after each step."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from persona.config.schema import StorageSettings
from persona.config.secret import Secret
from persona.storage.paths import to_file
from tests.campaigns.command import Command
from tests.campaigns.corpus import Item
from tests.campaigns.siege import check_report
from tests.campaigns.sites import assert_holds, put, url_of
from tests.serving import tool


def take_through(
    folder: Path,
    places: Sequence[StorageSettings],
    items: Sequence[Item],
    tell: Callable[[str], None] = lambda text: None,
) -> None:
    """Fill the first place, and migrate from each to the next.

    Args:
        folder: for homes and lists.
        places: where the library goes, one after another; all but the first are empty.
        items: the library.
        tell: is told of each step.

    Raises:
        AssertionError: a report is not complete, or a place holds something else, by our digests or by rclone's.
    """
    put(places[0], items)
    for number, (source, target) in enumerate(pairwise(places)):
        step = folder / f"step-{number}"
        same = target.backend == source.backend
        command = Command(step, *([source] if same else [source, target]), concurrent_uploads=16)
        to = url_of(target) if same else target.backend
        ran = command.run("storage", "migrate", "--from", source.backend, "--to", to, "--json")
        check_report(ran.json, items)
        assert_holds(target, items)
        agreed = rclone_agrees(step, source, target, items)
        tell(f"{source.backend} → {target.backend}: {ran.json['evidence']}, rclone agrees on {agreed}")


def rclone_agrees(folder: Path, source: StorageSettings, target: StorageSettings, items: Sequence[Item]) -> int:
    """Let ``rclone check --download`` compare two places, and return how many objects it compared.

    Where one side is a disk, only names take part that it holds as they are: others are percent-encoded there, and
    what stands beside a folder of its own name has another ending. `assert_holds` has compared them all.
    """
    paths = [item.path for item in items]
    if "local" in (source.backend, target.backend):
        folders = {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)}
        paths = [path for path in paths if str(to_file(Path("/"), path)) == f"/{path}" and path not in folders]
    listed = folder / "paths"
    listed.write_text("\n".join(paths), "utf-8")
    variables = remote("A", source) | remote("B", target) | {"HOME": str(folder), "PATH": os.environ["PATH"]}
    command = ["check", "a:" + root(source), "b:" + root(target), "--download", "--files-from-raw", str(listed)]
    ran = subprocess.run(
        [tool("rclone"), *command, "--config", os.devnull, "--checkers", "16", "--retries", "1"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert f"{len(paths)} matching files" in ran.stderr, ran.stderr[-4000:]
    return len(paths)


def root(settings: StorageSettings) -> str:
    """Return what stands for a place's root behind the name of an rclone remote."""
    if settings.backend == "local":
        return str(settings.local.path)
    section = getattr(settings, settings.backend)
    return f"{section.container if settings.backend == 'azure' else section.bucket}/{section.prefix}"


def remote(name: str, settings: StorageSettings) -> dict[str, str]:
    """Return the variables that make a place a remote of rclone; names are left as they are."""
    values: dict[str, str | Secret | None]
    if settings.backend == "local":
        values = {"type": "local"}
    elif settings.backend == "s3":
        s3 = settings.s3
        keys = {"access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key}
        values = {"type": "s3", "provider": "SeaweedFS", "endpoint": s3.endpoint_url, "region": s3.region, **keys}
    elif settings.backend == "gcs":
        endpoint = f"{settings.gcs.endpoint_url}/storage/v1/"
        values = {"type": "google cloud storage", "anonymous": "true", "endpoint": endpoint}
    else:
        azure = settings.azure
        keys = {"account": azure.account, "key": azure.account_key}
        values = {"type": "azureblob", "endpoint": azure.endpoint_url, **keys}
    values["encoding"] = "Slash"
    shown = {key: value.reveal() if isinstance(value, Secret) else value for key, value in values.items()}
    return {f"RCLONE_CONFIG_{name}_{key.upper()}": str(value) for key, value in shown.items()}
