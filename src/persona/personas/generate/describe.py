"""What can be said of each group: statements that set it apart, what it shares, who its respondents are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from persona.personas.generate.answers import Answers, Flags
from persona.personas.generate.claims import Claim, claims, is_numeric, middle
from persona.personas.generate.comparison import Comparison, Family, compare, phi
from persona.personas.generate.demographics import Demographics
from persona.personas.generate.grouping import Grouping
from persona.personas.generate.sections import section_of
from persona.personas.generate.voices import Voices
from persona.personas.generate.wording import Wording, is_negative, items, word, word_range
from persona.personas.model import SECTIONS, Basis, Count, Distribution, Evidence, Statement, StatementKind
from persona.personas.sources.records import parts
from persona.personas.survey.questions import Kind
from persona.personas.survey.survey import Survey

LEAST_SHARE = 0.4
"""A statement holds for at least this share of the group, …"""
LEAST_DIFFERENCE = 0.15
"""… by at least this much more than of the rest, …"""
LEAST_ANSWERED = 0.5
"""… and at least this share of the group answered, …"""
LEAST_PEOPLE = 5
"""… which is at least so many people."""
SHARED = 0.5
"""Most of the group, and of the rest, have something in common from this share on."""
REPEATS = 0.6
"""A statement repeats another one from this correlation (phi) over the respondents on."""
MOST_STATEMENTS = 6
"""The most statements in a section; ten where there is one profile of everybody."""
_MOST_OF_EVERYBODY = 10
_MOST_OPTIONS = 3
_EVIDENCE = 3
_QUOTES = 4


@dataclass(frozen=True, eq=False)
class Finding:
    """A statement on a group, with what a title needs to know.

    Args:
        claim: what holds.
        verdict: for whom it holds, and who answered.
        statement: with its counts.
        section: the key of a section, or a heading of a codebook.
        score: how much it tells; higher is more.
        wording: how it reads, in parts.
        sensitive: whether it is no matter for a title.
        negative: whether it says what people do not do or think; titles prefer what they do.
    """

    claim: Claim
    verdict: tuple[Flags, Flags]
    statement: Statement
    section: str
    score: float
    wording: Wording
    sensitive: bool = False
    negative: bool = False


@dataclass
class Description:
    """What is said of one group.

    Args:
        members: the places of its respondents.
        findings: all statements, the most telling of each section first.
        demographics: who they are.
        quotes: sentences that stand for it, beside those of the themes.
    """

    members: list[int]
    findings: list[Finding]
    demographics: list[Distribution]
    quotes: list[Evidence] = field(default_factory=list)

    def of(self, section: str) -> list[Statement]:
        """Return the statements of a section."""
        return [each.statement for each in self.findings if each.section == section]

    def own_sections(self) -> dict[str, list[Statement]]:
        """Return the statements under headings of a codebook."""
        return {each.section: self.of(each.section) for each in self.findings if each.section not in SECTIONS}


class Describer:
    """Describes the groups of one run.

    Args:
        survey: the input.
        voices: its free text.
        grouping: the groups.
        mend: mends typing errors of questions, for rewriting.
    """

    def __init__(self, survey: Survey, voices: Voices, grouping: Grouping, mend: Callable[[str], str]) -> None:
        self.records = survey.respondents
        self.voices = voices
        self.grouping = grouping
        self.mend = mend
        closed = [column for column in survey.columns() if column.question.closed]
        self.columns = {column.question.name: column for column in closed}
        self.answers = Answers(closed)
        self.comparison = Comparison(len(self.records), grouping, survey.weights)
        self.alone = len(grouping.groups) == 1
        self._items = items([column.question for column in closed])
        self._driving = set(grouping.driving)
        given = self._driving if grouping.structure.kind == "by" else set[str]()
        about = [column for column in closed if column.question.name not in given]  # what --by names is no finding
        self._demographics = Demographics(about, self.answers, self.comparison, grouping)
        stated = [c for c in closed if not c.question.about or c.question.name in self._driving]
        spoken = voices.claims(grouping)
        self._spoken = dict(spoken)
        of_everybody = [claim for column in stated for claim in middle(column)] if self.alone else []
        self.claims = [*claims(stated), *of_everybody, *self._spoken]
        self.tallies = [self.comparison.tally(self.verdict(claim)) for claim in self.claims]
        self._asked = self._with_base()
        self._family = self._compared()

    def verdict(self, claim: Claim) -> tuple[Flags, Flags]:
        """Return for whom a claim holds, and who answered."""
        if claim.field:
            return self.answers.verdict(claim)
        return self._spoken[claim], self.voices.coded if claim.topics else self.voices.speak

    def _with_base(self) -> Flags:
        """Return of which groups enough answered each claim's question, claims by groups."""
        if not self.tallies:
            return np.zeros((0, len(self.comparison.sizes)), dtype=np.bool_)
        answered = np.array([tally.answered[:-1] for tally in self.tallies])
        few = np.array([not claim.field and self.voices.few for claim in self.claims])
        least = np.where(few[:, None], 1, LEAST_PEOPLE)
        return np.asarray(answered >= np.maximum(least, LEAST_ANSWERED * self.comparison.sizes), dtype=np.bool_)

    def is_defining(self, claim: Claim) -> bool:
        """Say whether what a claim rests on made the groups."""
        if claim.field:
            return claim.field in self._driving
        return len(self.grouping.groups) > 1 and self._driving.isdisjoint(self.columns)

    def _compared(self) -> Family | None:
        """Compare each group with the rest; what made the groups is a family of its own."""
        if not self.claims:
            return None
        defining = np.array([self.is_defining(claim) for claim in self.claims])[:, None]
        made = compare(self.tallies, self._asked & defining)
        other = compare(self.tallies, self._asked & ~defining)
        few = np.array([not claim.field and self.voices.few for claim in self.claims])[:, None]
        significant = made.significant | other.significant | few
        return Family(made.share, made.rest, made.answered, made.others, made.held, significant)

    def describe(self, group: int) -> Description:
        """Return what can be said of a group."""
        members = self.grouping.groups[group]
        findings: list[Finding] = []
        if self._family is not None:
            self._choose(self._telling(group), group, findings)
            self._choose(self._common(group), group, findings)
        used = {item.quote for each in findings for item in each.statement.evidence}
        quotes = self.voices.telling(members, _QUOTES, used) if self.voices.speak[members].any() else []
        return Description(members, findings, self._demographics.of(group), quotes)

    def _telling(self, group: int) -> Iterator[tuple[float, int, StatementKind]]:
        """Yield what sets a group apart: its score, which claim it is, and of which kind."""
        family = self._family
        if family is None or self.alone:
            return
        share, rest = family.share[:, group], family.rest[:, group]
        passed = self._asked[:, group] & family.significant[:, group] & (family.others[:, group] > 0)
        passed &= (share >= LEAST_SHARE) & (share - rest >= LEAST_DIFFERENCE - 1e-9)
        passed &= family.held[:, group] >= np.minimum(2, self.comparison.sizes[group])
        for number in np.flatnonzero(passed):
            claim = self.claims[number]
            score = (share[number] - rest[number]) * share[number] ** 0.5 * _weight(claim)
            yield float(score), int(number), "defining" if self.is_defining(claim) else "descriptive"

    def _common(self, group: int) -> Iterator[tuple[float, int, StatementKind]]:
        """Yield what most of a group has in common with most of the rest, or what most of everybody say."""
        family = self._family
        if family is None:
            return
        share, rest = family.share[:, group], family.rest[:, group]
        enough = np.array([SHARED if claim.field else LEAST_SHARE for claim in self.claims])
        passed = self._asked[:, group] & (share >= enough)
        if not self.alone:
            passed &= (rest >= SHARED) & (np.abs(share - rest) < LEAST_DIFFERENCE)
            passed &= family.others[:, group] >= LEAST_PEOPLE
        passed &= family.held[:, group] >= np.minimum(2, self.comparison.sizes[group])
        for number in np.flatnonzero(passed):
            claim = self.claims[number]
            if (claim.field or self.alone) and self._is_narrow(claim):
                yield (
                    float(share[number] * 0.9 ** max(0, len(claim.answers) - 1) * _weight(claim)),
                    int(number),
                    "shared",
                )

    def _is_narrow(self, claim: Claim) -> bool:
        """Say whether a claim leaves out at least half of the steps of its scale: “2 or more of 5” says nothing."""
        column = self.columns.get(claim.field)
        if column is None or claim.answers:
            return column is None or 2 * len(claim.answers) <= max(2, len(column.question.categories))
        if column.question.kind is Kind.NUMBER:
            return claim in middle(column)
        if not is_numeric(column):
            return False
        steps = [float(step) for step in map(_number, column.question.categories) if step is not None]
        inside = [s for s in steps if claim.lowest <= s <= claim.highest]
        return 2 * len(inside) <= len(steps)

    def _choose(self, scored: Iterator[tuple[float, int, StatementKind]], group: int, findings: list[Finding]) -> None:
        """Add the best claims to the findings: none that repeats another one, few of one question."""
        best = sorted(scored, key=lambda each: (-each[0], self.claims[each[1]].order))
        most = _MOST_OF_EVERYBODY if self.alone else MOST_STATEMENTS
        for score, number, kind in best:
            claim = self.claims[number]
            if self._of_question(claim.field, findings) or self._repeats(claim, findings):
                continue
            section = self._section(claim, kind)
            full = sum(each.section == section for each in findings) >= most
            found = None if full else self._finding(number, group, kind, section, score)
            if found and not (section == "themes" and _is_quoted(found, findings)):
                findings.append(found)

    def _of_question(self, name: str, findings: Sequence[Finding]) -> bool:
        """Say whether as much is said of a question as may be."""
        column = self.columns.get(name)
        several = column is not None and column.question.kind is Kind.MULTIPLE
        most = _MOST_OPTIONS if several else 1
        return bool(name) and sum(each.claim.field == name for each in findings) >= most

    def _repeats(self, claim: Claim, findings: Sequence[Finding]) -> bool:
        words = _words(claim)
        if any(words & _words(each.claim) for each in findings):
            return True
        verdict = self.verdict(claim)
        return any(phi(verdict, each.verdict) >= REPEATS for each in findings)

    def _section(self, claim: Claim, kind: StatementKind) -> str:
        if not claim.field:
            return "themes"
        if kind == "shared" and not self.alone:
            return "shared"
        section = section_of(self.columns[claim.field].question)
        return section or ("shared" if kind == "shared" else "sets_apart")

    def _finding(self, number: int, group: int, kind: StatementKind, section: str, score: float) -> Finding | None:
        claim, members = self.claims[number], self.grouping.groups[group]
        wording = self.words(claim, members)
        verdict = self.verdict(claim)
        evidence = self._evidence(claim, [i for i in members if verdict[0][i]])
        if not evidence:
            return None
        own, rest = self.comparison.counts(self.tallies[number], group)
        basis = Basis(
            field=claim.field or None,
            answers=list(claim.answers),
            at_least=claim.at_least,
            at_most=claim.at_most,
            said=[list(forms) for forms in claim.said],
            topics=list(claim.topics),
            open_fields=self.voices.open_fields if claim.said else [],
        )
        statement = Statement(text=wording.text, group=own, rest=rest, kind=kind, basis=basis, evidence=evidence)
        question = self.columns[claim.field].question if claim.field else None
        sensitive = question is not None and question.sensitive and question.name not in self._driving
        return Finding(claim, verdict, statement, section, score, wording, sensitive, self._is_negative(claim, wording))

    def _is_negative(self, claim: Claim, wording: Wording) -> bool:
        column = self.columns.get(claim.field)
        if column is None:
            return False
        if set(column.question.categories) == {"0", "1"}:  # as “no” and “yes” are coded
            return claim.at_most == 0 or claim.answers == ("0",)
        return is_negative(wording.text, claim.answers)

    def words(self, claim: Claim, members: Sequence[int]) -> Wording:
        """Return how a claim reads."""
        if not claim.field:
            text = self.voices.text(claim, members)
            return Wording(text, "Speaks of", text.removeprefix("Speaks of ")) if claim.said else Wording(text)
        question = self.columns[claim.field].question
        if claim.answers:
            several = question.kind is Kind.MULTIPLE
            found = word(question.wording, claim.answers, self.mend(question.wording), several=several)
        else:
            found = word_range(question.wording, claim.at_least, claim.at_most)
        item = self._items.get(claim.field)
        answer = found.text.rpartition(": ")[2]
        ends = (f"{item}: {answer}", f"{item}]: {answer}")
        return replace(found, short=f"{item}: {answer}") if item and found.text.endswith(ends) else found

    def _evidence(self, claim: Claim, holding: Sequence[int]) -> list[Evidence]:
        if not claim.field:
            most = 12 if self.voices.few else _EVIDENCE  # of few people each is heard
            quotes = self.voices.quotes(claim, holding, most)
            return quotes if len(quotes) >= min(2, len(holding)) else []
        found = []
        for i in _spread(holding, _EVIDENCE):
            record = self.records[i]
            given = parts(record.fields[claim.field])
            quote = next((part for part in given if part in claim.answers), given[0])
            found.append(Evidence(file=record.file, record=record.id, field=claim.field, quote=quote))
        return found

    def fits_all(self, findings: Sequence[Finding]) -> tuple[Flags, Flags]:
        """Return for whom all of some findings hold, and who answered all of them."""
        holds = np.ones(len(self.records), dtype=np.bool_)
        answered = holds.copy()
        for each in findings:
            holds &= each.verdict[0] & each.verdict[1]
            answered &= each.verdict[1]
        return holds, answered

    def share_of_all(self, inside: Flags, everybody: Flags) -> Count:
        """Return how many respondents of all are in a set."""
        return self.comparison.of_all(self.comparison.tally((inside, everybody)))

    def effective(self, verdict: tuple[Flags, Flags], group: int) -> tuple[float, float]:
        """Return of how many respondents of equal weight the shares of a group and of the rest are."""
        return self.comparison.effective(self.comparison.tally(verdict), group)


def _is_quoted(found: Finding, findings: Sequence[Finding]) -> bool:
    """Say whether all quotes of a theme stand with others already, so that it is of the same sentences."""
    known = {item.quote for each in findings for item in each.statement.evidence}
    return all(item.quote in known for item in found.statement.evidence)


def _number(text: str) -> float | None:
    from persona.personas.survey import scales

    return scales.number(text)


def _weight(claim: Claim) -> float:
    """Return how much a claim is worth beside others that differ as much: phrases more, many answers at once less."""
    if claim.said:
        return 0.9 if len(claim.said) > 1 else 1.0 + 0.1 * claim.said[0][0].count(" ")
    return float(0.93 ** max(0, len(claim.answers) - 2))


def _words(claim: Claim) -> frozenset[str]:
    return frozenset(word for forms in claim.said for form in forms for word in form.split())


def _spread(items: Sequence[int], most: int) -> Iterator[int]:
    """Yield a few items from all over a sequence: evidence is not to come from its first file alone."""
    step = max(1, len(items) / most)
    yield from dict.fromkeys(items[int(i * step)] for i in range(min(most, len(items))))
