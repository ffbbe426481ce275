"""The main job, shown twice: on local disk, then unchanged on an S3 server that this script starts on loopback.

Then the library on disk is moved to the server, and must be the same there.

Everything goes into a temporary folder that is removed at the end; ``~/.persona`` is not touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESEARCH = ROOT / "examples" / "research"
PERSONA = Path(sys.executable).with_name("persona")
EXPORT = ("export", "./personas/", "--format", "yaml", "--output", "{export}")
COMMANDS = (
    ("generate", str(RESEARCH), "--output", "./personas/"),
    ("list", "./personas/"),
    EXPORT,
    ("storage", "status"),
)
MOVE = ("storage", "migrate", "--from", "local", "--to", "s3")


def main() -> None:
    """Run the commands on both backends, and compare what they export."""
    sys.path.insert(0, str(ROOT))
    from tests.servers import SeaweedFS

    with tempfile.TemporaryDirectory(prefix="persona-demo-") as name:
        folder = Path(name)
        print("━━ On local disk, with nothing configured ━━\n")
        local = run_all(folder, "local", {}, *COMMANDS)
        print("━━ On S3: the same commands, another storage ━━\n", flush=True)
        with SeaweedFS(folder / "seaweedfs") as server:
            bucket = server.make_bucket("company-personas")
            s3 = run_all(folder, "s3", s3_environment(server.endpoint, bucket, "product-research/"), *COMMANDS)
            print("━━ The library on disk, moved to S3 ━━\n", flush=True)
            there = s3_environment(server.endpoint, bucket, "moved/")
            run_all(folder, "local", there | {"PERSONA_STORAGE__BACKEND": "local"}, MOVE)
            moved = run_all(folder, "moved", there, EXPORT)
        if not local.read_bytes() == s3.read_bytes() == moved.read_bytes():
            sys.exit("The exports differ: that must not be.")
        print(f"✅ All three exports are the same, byte for byte ({s3.stat().st_size:,} bytes).")


def s3_environment(endpoint: str, bucket: str, prefix: str) -> dict[str, str]:
    """Return the environment that moves the storage to S3; persona.yaml can say the same."""
    return {
        "PERSONA_STORAGE__BACKEND": "s3",
        "PERSONA_STORAGE__S3__BUCKET": bucket,
        "PERSONA_STORAGE__S3__PREFIX": prefix,
        "PERSONA_STORAGE__S3__ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testkey",
        "AWS_SECRET_ACCESS_KEY": "testsecret",
    }


def run_all(folder: Path, name: str, settings: dict[str, str], *commands: Sequence[str]) -> Path:
    """Run commands, printed as a user would type them, and return the exported file."""
    export = folder / f"personas-{name}.yaml"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PERSONA_", "AWS_"))}
    environment = {**inherited, **settings, "PERSONA_HOME": str(folder / f"home-{name}")}
    for command in commands:
        arguments = [argument.format(export=export) for argument in command]
        shown = " ".join(os.path.relpath(a, ROOT) if a.startswith(str(ROOT)) else a for a in arguments)
        print(f"$ persona {shown}", flush=True)
        subprocess.run([PERSONA, *arguments], env=environment, cwd=folder, check=True)
        print(flush=True)
    return export


if __name__ == "__main__":
    main()
