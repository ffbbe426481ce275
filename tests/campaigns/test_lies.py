"""A provider that lies in any one answer: the job ends right, or fails by name."""

from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.campaigns.lies import KINDS, Case, Lie, assert_right, lie_to
from tests.serving import Server

SHORT = 50
EXAMPLES = int(os.environ.get("PERSONA_LIES", SHORT))
"""``make torture`` tries 1,000 others."""

contents = st.dictionaries(
    st.sampled_from(["b", "a b+c.txt", "a/b", "é.md", "z"]),
    st.sampled_from([b"", b"one", b"two", b"x" * 70]),
    max_size=3,
)
cases = st.builds(
    Case,
    way=st.sampled_from(["up", "down", "across"]),
    source=contents.filter(bool),
    target=contents,
    delete=st.booleans(),
    overwrite=st.booleans(),
    lie=st.builds(Lie, kind=st.sampled_from(KINDS), request=st.integers(0, 15)),
)


@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == SHORT,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(server=st.sampled_from(["seaweedfs", "fake-gcs", "azurite"]), case=cases)
def test_one_lie_is_found_out_or_does_no_harm(running: Callable[[str], Server], server: str, case: Case) -> None:
    outcome = lie_to(running(server), case)
    note(f"{server}: {outcome}")
    assert_right(case, outcome)
