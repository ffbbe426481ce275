"""Whatever a row holds comes back from the journal, and whatever happens a meter stays within its bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona.cli.transfer_view import eta_words, progress_line
from persona.errors import UsageError
from persona.storage.backend import Digest, RefusedName
from persona.storage.paths import sort_key
from persona.transfer.journal import Journal, Memory, columns_of, row_of
from persona.transfer.model import Action, Evidence, Phase, Row, Step
from persona.transfer.plan import allowed_removals
from persona.transfer.progress import Meter

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
maybe = st.none() | text
counts = st.integers(0, 2**63 - 1)
digests = st.none() | st.builds(
    Digest,
    st.sampled_from(["md5", "sha256", "crc32c", "md5-parts"]),
    st.text("0123456789abcdef-", max_size=40),
    st.booleans(),
)
rows = st.builds(
    Row,
    path=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12),
    size=counts,
    version=text,
    digest=digests,
    content_type=maybe,
    metadata=st.none() | st.dictionaries(text, text, max_size=3),
    action=st.sampled_from([*Action]).map(str),
    step=st.sampled_from([*Step]).map(str),
    target_version=maybe,
    target_digest=digests,
    md5=maybe,
    sha256=maybe,
    written=maybe,
    proof=st.sampled_from(["", "whole", "parts"]),
    evidence=st.none() | st.sampled_from([*Evidence]).map(str),
    error=maybe,
    upload=maybe,
    attempts=st.integers(0, 99),
    mismatches=st.integers(0, 2),
)


@contextmanager
def journal() -> Iterator[Journal]:
    with TemporaryDirectory() as folder:
        made = Journal(Path(folder) / "j.db", create=True)
        try:
            yield made
        finally:
            made.close()


def vouched(row: Row) -> tuple[bool | None, bool | None]:
    ours, theirs = row.digest, row.target_digest
    return None if ours is None else ours.vouched, None if theirs is None else theirs.vouched


@settings(max_examples=60)
@given(st.lists(rows, max_size=8, unique_by=lambda row: row.path))
def test_rows_come_back_as_they_were_in_key_order(given_rows: list[Row]) -> None:
    ordered = sorted(given_rows, key=lambda row: sort_key(row.path))
    with journal() as made:
        made.add(given_rows)
        found = made.rows()
        assert found == ordered
        assert [vouched(row) for row in found] == [vouched(row) for row in ordered]
        assert [row for batch in made.batches(2) for row in batch] == ordered
        assert made.last_path() == (ordered[-1].path if ordered else None)
        for row in given_rows:
            row.error, row.size = "another", 5
        made.record(given_rows)
        assert made.rows() == ordered


@settings(max_examples=60)
@given(rows)
def test_rows_come_back_from_a_plan(row: Row) -> None:
    found = row_of(json.loads(json.dumps(columns_of(row))))
    assert found == row
    assert vouched(found) == vouched(row)


@settings(max_examples=60)
@given(st.lists(rows.filter(lambda row: row.size < 2**50), max_size=8, unique_by=lambda row: row.path))
def test_counts_add_up(given_rows: list[Row]) -> None:
    with journal() as made:
        made.add(given_rows)
        tally = made.tally()
        of_source = [row for row in given_rows if row.action != Action.REMOVE]
        assert (tally.all.objects, tally.all.bytes) == (len(of_source), sum(row.size for row in of_source))
        assert tally.count().objects == len(given_rows)
        proved = [row for row in given_rows if row.evidence and row.step in (Step.VERIFIED, Step.UNCHANGED)]
        assert sum(tally.evidence.values()) == len(proved)
        for action in Action:
            assert tally.count({action}).objects == sum(row.action == action for row in given_rows)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(max_size=20), text), max_size=5, unique_by=lambda pair: pair[0]))
def test_any_name_can_be_refused(names: list[tuple[str, str]]) -> None:
    with journal() as made:
        made.refuse("source", [RefusedName(key, reason) for key, reason in names])
        assert len(made.refused()) <= len(names)
        assert len(made.refused("target")) == 0
        json.dumps(made.refused()).encode()


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["kind", "state", "phase", "x"]), st.none() | counts | text | st.booleans()))
def test_facts_come_back(facts: dict[str, object]) -> None:
    with journal() as made:
        with made.transaction():
            made.set(**facts)
        assert made.facts() == {"format": 2} | facts
        with pytest.raises(ZeroDivisionError), made.transaction():
            made.set(state="lost")
            raise ZeroDivisionError
        assert made.get("state") == facts.get("state")


def test_a_memory_holds_what_was_verified(tmp_path: Path) -> None:
    pair = tmp_path / "pair"
    with journal() as made:
        made.add(
            [
                Row("a", version="1", step=Step.VERIFIED, written="w"),
                Row("b", version="2", step=Step.VERIFIED, target_version="t"),
                Row("c", version="3", step=Step.FAILED, written="w"),
                Row("d", version="4", step=Step.VERIFIED, written="w", target_version="t"),
            ]
        )
        made.remember(pair, lambda *_: True)
    memory = Memory(pair)
    assert memory.seen("a", "z") == {"a": ("1", "w"), "b": ("2", "t"), "d": ("4", "w")}
    assert memory.seen("b", "c") == {"b": ("2", "t")}
    memory.close()
    assert pair.stat().st_mode & 0o777 == 0o600


STEPS = st.lists(
    st.tuples(st.sampled_from(["moved", "ended", "again", "wait"]), st.integers(0, 5), st.integers(0, 10**7)),
    max_size=40,
)


@settings(max_examples=150)
@given(
    st.integers(0, 6),
    st.integers(0, 10**8),
    st.integers(0, 6),
    st.integers(0, 10**8),
    STEPS,
)
def test_a_meter_stays_within_its_bounds(
    total: int, total_bytes: int, done: int, done_bytes: int, steps: list[tuple[str, int, int]]
) -> None:
    now = 0.0
    meter = Meter(
        Phase.MIGRATION,
        objects=min(done, total),
        size=min(done_bytes, total_bytes),
        total_objects=total,
        total_bytes=total_bytes,
        clock=lambda: now,
    )
    for what, number, size in steps:
        if what == "moved":
            meter.moved(str(number), size)
        elif what == "wait":
            now += size / 10**6
        else:
            meter.ended(str(number), size, settled=what == "ended")
        progress = meter.read()
        assert progress.eta is None or progress.eta >= 0
        assert progress.speed >= 0
        assert 0 <= progress.objects <= progress.total_objects
        assert 0 <= progress.bytes <= progress.total_bytes
        line = progress_line(progress)
        percent = int(line.partition(": ")[2].partition("%")[0])
        assert 0 <= percent <= 100
        assert (percent == 100) == (progress.objects == progress.total_objects)
        assert not eta_words(progress.eta).startswith("-")


def test_a_meter_tells_the_time_to_go() -> None:
    now = 0.0
    meter = Meter(Phase.MIGRATION, objects=0, size=0, total_objects=10, total_bytes=1000, clock=lambda: now)
    for number in range(5):
        now += 1.0
        meter.ended(str(number), 100, settled=True)
    progress = meter.read()
    assert (progress.objects, progress.bytes, progress.speed, progress.eta) == (5, 500, 100.0, 5.0)


@settings(max_examples=100)
@given(st.text(max_size=8), counts)
def test_a_limit_is_a_number_or_an_error(limit: str, total: int) -> None:
    try:
        allowed = allowed_removals(limit, total)
    except UsageError:
        return
    assert isinstance(allowed, int)
    assert allowed >= 0
