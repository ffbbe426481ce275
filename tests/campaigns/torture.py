"""``make torture``: the campaigns at full length, on servers of their own. Takes many minutes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.campaigns.corpus import MIB, corpus
from tests.campaigns.siege import besiege
from tests.campaigns.sites import folder, fresh
from tests.servers import Azurite, FakeGCS, SeaweedFS


def main() -> None:
    """Run what is asked for, and say what it has shown."""
    parser = argparse.ArgumentParser(description="Kill, disturb and chain migrations.")
    parser.add_argument("--kills", type=int, default=200, help="kills on local to S3; a quarter as many on others")
    parser.add_argument("--seed", type=int, default=round(time.time()), help="draws the moments")
    given = parser.parse_args()
    say(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="persona-torture-") as name:
        kills_local_to_s3(Path(name), given.kills, given.seed)
        kills_s3_to_gcs(Path(name), given.kills // 4, given.seed)
        kills_azure_to_local(Path(name), given.kills // 4, given.seed)


def kills_local_to_s3(base: Path, kills: int, seed: int) -> None:
    """Kill migrations that need uploads in parts; half of them read everything back."""
    items = corpus(300, large=(70 * MIB, 100 * MIB))
    phases: set[str] = set()
    with SeaweedFS(base / "seaweedfs") as server:
        for number, verify in enumerate(("auto", "reread")):
            place = base / f"local-s3-{verify}"
            source, target = folder(place / "source"), fresh(server)
            flags, half = ("--verify", verify), kills // 2
            outcome = besiege(place, source, target, items, kills=half, seed=seed + number, flags=flags, tell=say)
            say(f"local → S3, --verify {verify}: {outcome}")
            phases |= outcome.phases.keys()
    assert phases >= {"inventory", "migration", "verification"}, phases


def kills_s3_to_gcs(base: Path, kills: int, seed: int) -> None:
    """Kill migrations from provider to provider."""
    items = corpus(300, large=(20 * MIB,))
    with SeaweedFS(base / "seaweedfs") as s3, FakeGCS(base / "gcs") as gcs:
        outcome = besiege(base / "s3-gcs", fresh(s3), fresh(gcs), items, kills=kills, seed=seed, tell=say)
    say(f"S3 → GCS: {outcome}")


def kills_azure_to_local(base: Path, kills: int, seed: int) -> None:
    """Kill migrations to a disk."""
    items = corpus(300, large=(20 * MIB,))
    with Azurite(base / "azurite") as azure:
        place = base / "azure-local"
        target = folder(place / "target")
        outcome = besiege(place, fresh(azure), target, items, kills=kills, seed=seed, tell=say)
    say(f"Azure → local: {outcome}")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
