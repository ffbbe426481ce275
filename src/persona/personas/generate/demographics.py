"""Who the respondents of a group are: all answers to each question about them, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from persona.personas.generate.answers import Answers, Flags
from persona.personas.generate.claims import Claim, bands, values
from persona.personas.generate.comparison import Comparison, Tally, compare
from persona.personas.generate.grouping import Grouping
from persona.personas.generate.wording import bounds, label
from persona.personas.model import AnswerShare, Distribution
from persona.personas.survey.questions import Kind
from persona.personas.survey.survey import Column

MOST_SHOWN = 12
"""The most answers that are shown; all rarer ones are one."""
LEAST_DIFFERENCE = 0.1
"""An answer that differs by less from the rest is not marked."""
LEAST_PEOPLE = 5
OTHERS = "Other answers"


class Demographics:
    """The questions about the respondents.

    Args:
        columns: the closed questions.
        answers: the answers to them.
        comparison: counts over the groups.
        grouping: the groups.
    """

    def __init__(self, columns: Sequence[Column], answers: Answers, comparison: Comparison, grouping: Grouping) -> None:
        self._comparison = comparison
        self._columns = [column for column in columns if column.question.about]
        self._rows: list[tuple[Column, Claim | None, Tally]] = []
        for column in self._columns:
            self._rows += [(column, claim, comparison.tally(found)) for claim, found in _shown(column, answers)]
        self._more, self._less = self._marked()

    def _marked(self) -> tuple[Flags, Flags]:
        """Return which shares are higher and which lower than those of the rest by more than chance."""
        tallies = [tally for _, _, tally in self._rows]
        if not tallies:
            return np.zeros((0, 0), dtype=np.bool_), np.zeros((0, 0), dtype=np.bool_)
        answered = np.array([tally.answered[:-1] for tally in tallies])
        asked = answered >= np.maximum(LEAST_PEOPLE, 0.5 * self._comparison.sizes)
        more, less = compare(tallies, asked), compare(tallies, asked, less=True)
        lift = more.share - more.rest
        return more.significant & (lift >= LEAST_DIFFERENCE), less.significant & (lift <= -LEAST_DIFFERENCE)

    def of(self, group: int) -> list[Distribution]:
        """Return who the respondents of a group are."""
        found = []
        for column in self._columns:
            shares = [self._share(number, group) for number, (other, _, _) in enumerate(self._rows) if other is column]
            answered = shares[0].group.total if shares else 0
            if answered and (answered >= LEAST_PEOPLE or 2 * answered >= self._comparison.sizes[group]):
                label_ = label(column.question.wording)
                found.append(Distribution(field=column.question.name, label=label_, shares=shares))
        return found

    def _share(self, number: int, group: int) -> AnswerShare:
        _, claim, tally = self._rows[number]
        own, rest = self._comparison.counts(tally, group)
        more, less = bool(self._more[number, group]), bool(self._less[number, group])
        differs: Literal["", "more", "less"] = "more" if more else "less" if less else ""
        if claim is None:
            return AnswerShare(text=OTHERS, group=own, rest=rest, differs=differs)
        if claim.answers:
            return AnswerShare(text=claim.answers[0], group=own, rest=rest, differs=differs, answers=[*claim.answers])
        low, high = claim.at_least, claim.at_most
        return AnswerShare(text=bounds(low, high), group=own, rest=rest, differs=differs, at_least=low, at_most=high)


def _shown(column: Column, answers: Answers) -> list[tuple[Claim | None, tuple[Flags, Flags]]]:
    """Return the answers to show, with who gives them; the rare ones are one, without a claim."""
    name, kind = column.question.name, column.question.kind
    if kind is Kind.NUMBER:
        return [(claim, answers.verdict(claim)) for claim in bands(column)] if values(column) else []
    each = {answer: answers.verdict(Claim(name, (answer,))) for answer in column.question.categories}
    common = [answer for answer, (holds, _) in each.items() if int(holds.sum()) > 1]
    shown = set(sorted(common, key=lambda answer: -int(each[answer][0].sum()))[:MOST_SHOWN])
    found: list[tuple[Claim | None, tuple[Flags, Flags]]] = []
    found += [(Claim(name, (answer,)), verdict) for answer, verdict in each.items() if answer in shown]
    if not found:
        return []
    answered = next(iter(each.values()))[1]
    other = answered & ~np.any([holds for _, (holds, _) in found], axis=0)
    given = np.array([answer != () for answer in column.answers], dtype=np.bool_)
    return [*found, (None, (other & given, answered))] if (other & given).any() else found
