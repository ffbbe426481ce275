"""The campaigns' own tools: what they count, and what they call wrong."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.campaigns.corpus import Item, corpus, differences, expected
from tests.campaigns.kills import Kill, repeated_uploads, uploaded
from tests.campaigns.traffic import Passed, Traffic
from tests.campaigns.weather import FaultsNotMetError, Weather


class Echo(BaseHTTPRequestHandler):
    """Answers with what it got."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        length = int(self.headers["content-length"])
        content = self.rfile.read(length)
        if len(content) < length:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep silent."""


class Server(ThreadingHTTPServer):
    """A server that says nothing of connections that end."""

    def handle_error(self, *_: object) -> None:
        """Keep silent."""


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that answers with what it got."""
    with Server(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def put(address: str, body: bytes, path: str = "/b/k") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("PUT", path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_proxy_passes_on_and_counts(echo: str) -> None:
    content = bytes(3_000_000)
    with Traffic(echo) as traffic:
        assert put(traffic.address, content) == (200, content)
        (passed,) = traffic.requests("PUT")
    assert passed.done
    assert passed.ended
    assert uploaded(passed) == "/b/k"


def test_a_request_that_breaks_off_is_no_upload(echo: str) -> None:
    with Traffic(echo) as traffic:
        connection = http.client.HTTPConnection(traffic.address, timeout=5)
        connection.putrequest("PUT", "/b/k")
        connection.putheader("content-length", "1000")
        connection.endheaders(b"x" * 999)
        connection.close()
        put(traffic.address, b"x")
        first, second = traffic.requests("PUT")
    assert (first.done, second.done) == (False, True)


def test_all_weather_is_met_or_the_campaign_fails(echo: str) -> None:
    with Weather(echo, share=1, seed=1, kinds=("503", "429", "reset", "lost answer")) as weather:
        found = []
        for _ in range(20):
            if weather.met.total() == 4:
                break
            weather._decks = {key: [kind for kind in deck if kind != "stall"] for key, deck in weather._decks.items()}
            try:
                found.append(put(weather.address, b"x")[0])
            except OSError:
                found.append(0)
    assert {503, 429, 0} <= set(found)
    with pytest.raises(FaultsNotMetError, match="stall"), Weather(echo, share=0, seed=1) as weather:
        put(weather.address, b"x")


def request(begun: float, ended: float, target: str = "/b/k") -> Passed:
    return Passed("PUT", target, begun=begun, received=ended, status=200, ended=ended)


def test_an_upload_is_excused_by_a_kill_in_flight_alone() -> None:
    twice = [request(1, 2), request(5, 6)]
    assert repeated_uploads(twice, [])
    assert repeated_uploads(twice, [Kill(3, "time", "migration")])
    assert not repeated_uploads(twice, [Kill(1.5, "time", "migration")])
    assert not repeated_uploads([request(1, 2), request(1, 2, "/b/other")], [])
    parts = [request(1, 2, "/b/k?partNumber=1&uploadId=u"), request(1, 2, "/b/k?partNumber=2&uploadId=u")]
    assert not repeated_uploads(parts, [])
    assert repeated_uploads([*parts, request(3, 4, "/b/k?partNumber=2&uploadId=v")], [])


def test_differences_are_found() -> None:
    items = corpus(30)
    right = expected(items)
    assert not differences(right, expected(corpus(30)))
    wrong = [items[0].edited(), *items[1:-1], Item("more", 1)]
    found = differences(right, expected(wrong))
    assert [line.split(":")[0] for line in found] == ["missing", "too much"], "an empty object has but one content"
    assert differences(right, expected([items[0], items[1].edited(), *items[2:]]))
    assert differences(right, expected([items[0], replace(items[1], metadata=(("a", "b"),)), *items[2:]]))
