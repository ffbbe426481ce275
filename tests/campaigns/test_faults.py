"""One request in five fails; in the end not one byte is wrong, and whatever stopped a migration said why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.campaigns.command import Command, ended
from tests.campaigns.corpus import MIB, corpus
from tests.campaigns.siege import check_report
from tests.campaigns.sites import address_of, assert_holds, folder, fresh, put, through
from tests.campaigns.storms import Passage, explained, to_the_end, weather_out
from tests.campaigns.weather import Weather
from tests.serving import Server


@pytest.mark.parametrize("route", ["local-seaweedfs", "seaweedfs-local", "local-fake-gcs", "local-azurite"])
def test_one_request_in_five_fails(route: str, tmp_path: Path, running: Callable[[str], Server]) -> None:
    items = corpus(150, large=(12 * MIB,))
    names = route.split("-", 1) if route.startswith("local") else route.rsplit("-", 1)
    source, target = (folder(tmp_path / name) if name == "local" else fresh(running(name)) for name in names)
    weather_out(tmp_path, source, target, items, share=0.2, seed=4)


def test_an_outage_pauses_it(tmp_path: Path, seaweedfs: Server) -> None:
    items = corpus(150, odd=())
    source, target = folder(tmp_path / "source"), fresh(seaweedfs)
    put(source, items)
    start = ("storage", "migrate", "--from", "local", "--to", "s3", "--json")
    with Weather(address_of(target), share=0, seed=7, kinds=("503", "stall")) as weather:
        sides = source, through(target, weather)
        command = Command(tmp_path, *sides, timeout="1s", retry_delay="50ms", retry_attempts=1)
        process = command.start(*start)
        weather.wait_for("PUT", "", 30)
        weather.share = 1
        paused = ended(process, start, (7,))
        assert "failed one after another" in explained(paused)
        assert 0 < paused.json["objects"]["copied"] < len(items)
        weather.share = 0.1
        report = to_the_end(command, ("resume", paused.json["id"]), Passage())
    check_report(report, items)
    assert_holds(target, items)
