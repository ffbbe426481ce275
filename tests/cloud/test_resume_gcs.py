"""Resumable uploads of Google Cloud Storage that go on, against an end of them that keeps to its documentation.

The emulator takes the question how far an upload has got for the end of it, so that it cannot be asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from persona.config.schema import GCSSettings, PerformanceSettings
from persona.errors import UnreachableError, VerificationError
from persona.storage.backends.gcs import GCSBackend
from tests.contract.helpers import MIB, Notebook, block, leave, stream
from tests.faults import FaultProxy, Seen, answer

CONTENT = [block(number) for number in range(24)]


class Google:
    """Google's end of resumable uploads, and a backend that takes it for Google's own."""

    def __init__(self, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.proxy = proxy
        self.content = b""
        self.begun = self.ended = 0
        self.done: bytes | None = None
        self.limit = 1 << 40
        for method, act in (("POST", self.begin), ("PUT", self.put), ("DELETE", self.delete)):
            proxy.on(method, "/upload/", act, times=10_000)
        performance = PerformanceSettings(chunk_size=5 * MIB, retry_attempts=0)
        self.storage = GCSBackend(GCSSettings(bucket="bucket", endpoint_url=proxy.url), performance)
        monkeypatch.setattr(self.storage, "_foreign", False)

    @property
    def sent(self) -> int:
        """How many bytes came."""
        return sum(len(seen.body) for seen in self.proxy.requests("PUT"))

    def begin(self, handler: Any, seen: Seen) -> None:
        self.begun += 1
        self.content = b""
        answer(200, "", location=f"{self.proxy.url}/upload/here?upload_id={self.begun}")(handler, seen)

    def put(self, handler: Any, seen: Seen) -> None:
        span = seen.headers["content-range"].removeprefix("bytes ")
        if not seen.target.endswith(f"upload_id={self.begun}") or self.ended == self.begun:
            return answer(410)(handler, seen)
        if not span.startswith("*"):
            assert int(span.partition("-")[0]) == len(self.content)
            self.content = (self.content + seen.body)[: self.limit]
        elif not span.endswith("*"):
            assert int(span.rpartition("/")[2]) == len(self.content)
            self.done, self.ended = self.content, self.begun
            return answer(200, json.dumps({"generation": "7"}))(handler, seen)
        extra = {"range": f"bytes=0-{len(self.content) - 1}"} if self.content else {}
        return answer(308, "", **extra)(handler, seen)

    def delete(self, handler: Any, seen: Seen) -> None:
        self.ended = self.begun
        answer(499)(handler, seen)

    async def write(self, notebook: Notebook, content: list[bytes] = CONTENT) -> None:
        await self.storage.write_stream("big", stream(content), size=len(content) * MIB, checkpoint=notebook)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """The end of an upload, and the backend."""
    with FaultProxy() as proxy:
        end = Google(proxy, monkeypatch)
        yield end
        asyncio.run(end.storage.close())
        proxy.faults.clear()


@pytest.mark.parametrize("blocks", [4, 6, 11, 21])
async def test_only_what_lacks_is_sent(google: Google, blocks: int) -> None:
    notebook = Notebook()
    await leave(google.storage, notebook, CONTENT[:blocks], 24 * MIB)
    kept, before = len(google.content), google.sent
    assert kept == blocks // 5 * 5 * MIB
    await google.write(notebook)
    assert google.begun == (1 if kept else 2) or blocks < 5
    assert google.done == b"".join(CONTENT)
    assert google.sent - before == 24 * MIB - kept


async def test_a_part_that_was_kept_in_part_goes_on(google: Google) -> None:
    notebook = Notebook()
    google.limit = 7 * MIB
    with pytest.raises(UnreachableError, match="does not go on"):
        await google.write(notebook)
    google.limit = 1 << 40
    before = google.sent
    await google.write(notebook)
    assert (google.begun, google.sent - before) == (1, 17 * MIB)
    assert google.done == b"".join(CONTENT)


@pytest.mark.parametrize("changed", [0, 5, 9, 10, 12])
async def test_another_content_never_goes_on(google: Google, changed: int) -> None:
    notebook = Notebook()
    await leave(google.storage, notebook, CONTENT[:11], 24 * MIB)
    other = [*CONTENT]
    other[changed] = block(99)
    if changed < 10:  # what the server has
        with pytest.raises(VerificationError, match="that was left"):
            await google.write(notebook, other)
        assert (google.done, google.ended, notebook.token) == (None, 1, None)
    await google.write(notebook, other)
    assert google.done == b"".join(other)


async def test_a_shorter_content_never_goes_on(google: Google) -> None:
    notebook = Notebook()
    await leave(google.storage, notebook, CONTENT[:21], 24 * MIB)
    with pytest.raises(VerificationError, match="that was left"):
        await google.write(notebook, CONTENT[:12])
    assert google.done is None


async def test_an_upload_that_is_gone_begins_anew(google: Google) -> None:
    notebook = Notebook()
    await leave(google.storage, notebook, CONTENT[:11], 24 * MIB)
    assert notebook.token
    assert "127.0.0.1" not in notebook.token
    await google.storage.abort_upload("big", notebook.token)
    await google.write(notebook)
    assert (google.begun, google.done) == (2, b"".join(CONTENT))
