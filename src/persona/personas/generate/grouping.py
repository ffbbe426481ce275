"""What a grouping of respondents gives: who belongs together, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Standing = Literal["reproducible", "exploratory", "constructed", "none", "by"]
"""How far groups can be trusted.

``reproducible`` groups come back in split halves; ``exploratory`` ones do so in part, or are of too few people to tell;
``constructed`` ones were asked for by number although the answers hold none, or not as many; ``none`` is one profile of
everybody; ``by`` is one group for each answer to a question.
"""


@dataclass(frozen=True)
class Structure:
    """Whether there are groups at all, and how the number of them was chosen.

    Args:
        found: whether the answers hold groups by more than shuffled ones do.
        kind: how far the groups can be trusted.
        z: by how many standard deviations two classes gain more likelihood than on shuffled tables; None if untested.
        split_half: the agreement of split halves (adjusted Rand index), by the number of groups that were tried.
        number: how many groups there are.
        runner_up: the number of groups that came second; None if no other was tried.
        held_out: the gain in log-likelihood of held-out answers over one group, per answer; None if unmeasured.
    """

    found: bool
    kind: Standing
    z: float | None = None
    split_half: Mapping[int, float] = field(default_factory=dict)
    number: int = 1
    runner_up: int | None = None
    held_out: float | None = None


@dataclass
class Grouping:
    """Groups of respondents.

    Args:
        groups: indices of respondents, the largest group first.
        left_out: indices of those who answered too little to be compared.
        between: indices of those who belong to no group clearly.
        structure: how far the groups can be trusted.
        driving: the names of the questions that made the groups.
        notes: what to tell the researcher.
    """

    groups: list[list[int]]
    left_out: list[int]
    between: list[int] = field(default_factory=list)
    structure: Structure = Structure(False, "none")
    driving: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
