"""Bad weather between client and server: a seeded share of all requests fails, in all the ways that networks have."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

from tests.campaigns.traffic import EndOfLineError, Line, Passed, Traffic, answer_head, body

STALL_SECONDS = 20.0
ALWAYS = ("503", "429", "reset", "lost answer", "stall")
WITH_ANSWER = ("503", "429", "reset", "truncated", "stall")
KINDS = tuple(dict.fromkeys(ALWAYS + WITH_ANSWER))
"""What can happen to a request: two refusals (429 with Retry-After), a reset before the server hears of it, a reset
after the server did it, half of the answer's content, and silence until the client gives up."""


class FaultsNotMetError(AssertionError):
    """A kind of fault did not happen, so that the campaign has shown nothing of it."""


class Weather(Traffic):
    """The proxy with faults; leaving it raises if a kind was not met.

    Args:
        upstream: the server behind it, as ``host:port``.
        share: the share of requests that fail.
        seed: another one gives other weather.
        kinds: what must be met.
    """

    def __init__(self, upstream: str, *, share: float, seed: int, kinds: tuple[str, ...] = KINDS) -> None:
        super().__init__(upstream)
        self.share = share
        self.kinds = kinds
        self._dice = random.Random(seed)
        self._decks: dict[tuple[str, ...], list[str]] = {}

    @property
    def met(self) -> Counter[str]:
        """How often each kind of fault has happened."""
        return Counter(each.fault for each in self.passed if each.fault)

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        missed = set(self.kinds) - self.met.keys()
        if raised[0] is None and missed:
            raise FaultsNotMetError(f"not met: {', '.join(sorted(missed))} in {len(self.passed)} requests")

    def _draw(self, passed: Passed) -> str:
        """Draw what happens to a request; the kinds come from a shuffled deck, so that none is left out for long."""
        if self._dice.random() >= self.share:
            return ""
        kinds = WITH_ANSWER if passed.method == "GET" else ALWAYS
        deck = self._decks.setdefault(kinds, [])
        if not deck:
            deck += self._dice.sample(kinds, len(kinds))
        return deck.pop()

    async def treat(self, line: Line, passed: Passed, head: bytes) -> None:
        """Pass a request on, or do to it what was drawn."""
        passed.fault = self._draw(passed)
        if not passed.fault:
            await super().treat(line, passed, head)
        elif passed.fault == "lost answer":
            await self.ask(line, passed, head)
            passed.status = int((await answer_head((await line.behind())[0]))[9:12])
            line.reset()
            raise EndOfLineError
        elif passed.fault == "truncated":
            await self._truncate(line, passed, head)
        else:
            await self._refuse(line, passed, head)

    async def _refuse(self, line: Line, passed: Passed, head: bytes) -> None:
        """Take the request, tell the server nothing of it, and answer with a refusal, a reset, or not at all."""
        if passed.fault == "reset" and self._dice.random() < 0.5:  # half of them in the middle of the request
            line.reset()
            raise EndOfLineError
        async for _ in body(line.reader, head):
            pass
        if passed.fault == "reset":
            line.reset()
            raise EndOfLineError
        if passed.fault == "stall":
            with suppress(TimeoutError):
                await asyncio.wait_for(line.reader.read(1), STALL_SECONDS)
            raise EndOfLineError
        status = {"503": "503 Service Unavailable", "429": "429 Too Many Requests\r\nRetry-After: 1"}[passed.fault]
        line.writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await line.writer.drain()

    async def _truncate(self, line: Line, passed: Passed, head: bytes) -> None:
        """Pass on half of the answer's content, then nothing: a reset, or silence."""
        await self.ask(line, passed, head)
        reader, _ = await line.behind()
        answer = await answer_head(reader)
        passed.status = int(answer[9:12])
        content = b"".join([piece async for piece in body(reader, answer, to_end=True)])
        line.writer.write(answer.replace(self.upstream.encode(), self.address.encode()))
        line.writer.write(content[: len(content) // 2])
        await line.writer.drain()
        line.writer.close()
        raise EndOfLineError
