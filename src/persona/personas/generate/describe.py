"""One group in words: statements that set it apart, who its respondents are, quotes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from persona.personas.evidence import count, holds
from persona.personas.generate.candidates import is_exceptional, is_numeric
from persona.personas.generate.sections import of_statement
from persona.personas.generate.voices import Sentence, Voices, diverse
from persona.personas.generate.wording import Wording, word, word_range
from persona.personas.model import Basis, Count, Evidence, Statement
from persona.personas.sources.records import Answer, Record, parts
from persona.personas.survey import scales
from persona.personas.survey.survey import Column

LEAST_DIFFERENCE = 0.1
"""A group differs in something if its share is higher than everybody's by this much, …"""
LEAST_SHARE = 0.3
"""… and at least this share of it says so, …"""
LIKELIHOOD = 0.01
"""… and chance alone would give that in one of a hundred samples at most; of twenty below 100 respondents."""
MOST_STATEMENTS = 5
"""The most statements in a section."""
_TYPICAL_SHARE = 0.5
_LEAST_ABOUT = 0.2
_EVIDENCE = 3
_QUOTES = 4


@dataclass(frozen=True)
class Candidate:
    """Something that sets a group apart.

    Args:
        statement: with its counts.
        section: where it belongs.
        score: how much it tells; higher is more.
        wording: how it reads, in parts.
        demographic: whether it says who they are.
    """

    statement: Statement
    section: str
    score: float
    wording: Wording
    demographic: bool = False


class Describer:
    """Describes groups of one data set.

    Args:
        records: the respondents.
        columns: the questions.
        bases: what could be said; see `candidates`.
        voices: the free text.
        mend: mends typing errors of headings, for rewriting.
    """

    def __init__(
        self,
        records: Sequence[Record],
        columns: Sequence[Column],
        bases: Sequence[Basis],
        voices: Voices,
        mend: Callable[[str], str],
    ) -> None:
        self.records = records
        self.columns = {column.question.name: column for column in columns}
        self.voices = voices
        self.mend = mend
        self.verdicts = [(basis, [holds(basis, record) for record in records]) for basis in bases]
        self.totals = [_tally(verdicts, range(len(records))) for _, verdicts in self.verdicts]

    def closed(self, members: Sequence[int]) -> list[Candidate]:
        """Return what the group's answers say, the most telling first; one for each question."""
        found: dict[str, Candidate] = {}
        for (basis, verdicts), everyone in zip(self.verdicts, self.totals, strict=True):
            group = _tally(verdicts, members)
            candidate = self._judge(basis, group, everyone, [i for i in members if verdicts[i]])
            if candidate is None:
                continue
            best = found.get(basis.field or "")
            if best is None or (candidate.statement.distinct, candidate.score) > (
                best.statement.distinct,
                best.score,
            ):
                found[basis.field or ""] = candidate
        return sorted(found.values(), key=lambda c: (not c.statement.distinct, -c.score, c.statement.text))

    def _judge(self, basis: Basis, group: Count, everyone: Count, holding: Sequence[int]) -> Candidate | None:
        """Return a statement that the group differs in, or that most of it shares.

        None if it says neither.
        """
        distinct = self._is_distinct(group, everyone)
        if not distinct and (group.share < _TYPICAL_SHARE or len(basis.answers) > 1 or not basis.answers):
            return None
        column = self.columns[basis.field or ""]
        wording = self._words(basis)
        evidence = [self._cell(i, basis) for i in _spread(holding, _EVIDENCE)]
        statement = Statement(
            text=wording.text,
            group=group,
            everyone=everyone,
            distinct=distinct,
            basis=basis,
            evidence=evidence,
        )
        lift = group.share - everyone.share
        # Of two answers that differ alike, the one that more of the group gives says more about it, and a
        # rewritten statement reads better than a quoted one.
        plain = (0.85 if wording.text.startswith("“") else 1.0) * 0.93 ** max(0, len(basis.answers) - 2)
        score = lift * group.share**0.5 * plain if distinct else group.share
        section = of_statement(wording.text, column.question.name)
        return Candidate(statement, section, score, wording, column.question.about)

    def _is_distinct(self, group: Count, everyone: Count) -> bool:
        if group.share < LEAST_SHARE or group.share - everyone.share < LEAST_DIFFERENCE or group.count < 2:
            return False
        likelihood = LIKELIHOOD if everyone.total >= 100 else 0.05
        return is_exceptional(group.count, group.total, everyone.count, everyone.total) <= likelihood

    def _words(self, basis: Basis) -> Wording:
        question = basis.field or ""
        if basis.answers:
            return word(question, basis.answers, self.mend(question))
        return word_range(question, basis.at_least, basis.at_most)

    def _cell(self, i: int, basis: Basis) -> Evidence:
        record, field = self.records[i], basis.field or ""
        return Evidence(file=record.file, record=record.id, field=field, quote=_quoted(basis, record.fields[field]))

    def spoken(self, members: Sequence[int]) -> tuple[list[Candidate], list[Evidence]]:
        """Return what the group says in its own words, and quotes that stand for it."""
        themes = self.voices.themes(members)
        told = self.voices.sentences(members, themes)
        found: list[Candidate] = []
        taken: list[Sentence] = []
        for section in ("goals", "pain_points", "behaviours", "motivations"):
            best = diverse([s for s in told if s.section == section], 3, taken)
            taken += best
            found += [c for sentence in best if (c := self._voice(sentence, section, themes, members))]
        quotes = diverse(told, _QUOTES, taken) or taken[:_QUOTES]
        return found, [quote.evidence for quote in quotes]

    def theme(self, members: Sequence[int]) -> str:
        """Return what a group speaks of, in the words that it uses most for it.

        "" if nothing sets it apart.
        """
        forms = self.voices.forms(members, list(self.voices.themes(members))[:3])
        return f"Speaks of {', '.join(forms[:-1])} and {forms[-1]}" if len(forms) > 1 else ""

    def _voice(
        self, sentence: Sentence, section: str, themes: dict[str, float], members: Sequence[int]
    ) -> Candidate | None:
        """Return a sentence as a statement, counted by its two most telling words.

        None if nobody else says them.
        """
        words = sorted((s for s in sentence.stems if s in themes), key=lambda s: (-themes[s], s))[:2]
        basis = Basis(mentions=words, open_fields=self.voices.open_fields)
        group = count(basis, [self.records[i] for i in members])
        everyone = count(basis, self.records)
        if group.count < 2:
            return None
        forms = " and ".join(f"“{self.voices.form(found, sentence.quote)}”" for found in words)
        text = f"Talks about {forms}: “{sentence.quote}”"
        statement = Statement(
            text=text,
            group=group,
            everyone=everyone,
            distinct=is_exceptional(group.count, group.total, everyone.count, everyone.total) <= 0.05,
            basis=basis,
            evidence=[sentence.evidence],
        )
        return Candidate(statement, section, (group.share - everyone.share) * group.share**0.5, Wording(text))

    def demographics(self, members: Sequence[int]) -> list[Statement]:
        """Return what is known of who the respondents are.

        For each question it is what the group stands out by, or what most of it answers.
        """
        found: dict[str, Statement] = {}
        for basis, verdicts, everyone in self._about(members):
            group = _tally(verdicts, members)
            distinct = self._is_distinct(group, everyone)
            column = basis.field or ""
            best = found.get(column)
            if (
                group.share < _LEAST_ABOUT
                or group.count < min(2, len(members))
                or (best and (best.distinct, best.group.count) >= (distinct, group.count))
            ):
                continue
            found[column] = Statement(
                text=self._words(basis).text,
                group=group,
                everyone=everyone,
                distinct=distinct,
                basis=basis,
                evidence=[self._cell(i, basis) for i in _spread([i for i in members if verdicts[i]], 1)],
            )
        return [found[name] for name in self.columns if name in found]

    def _about(self, members: Sequence[int]) -> Iterator[tuple[Basis, list[bool | None], Count]]:
        """Yield single answers to questions about the respondents.

        For numbers the middle half of the group.
        """
        for (basis, verdicts), everyone in zip(self.verdicts, self.totals, strict=True):
            if self.columns[basis.field or ""].question.about and len(basis.answers) == 1:
                yield basis, verdicts, everyone
        for column in self.columns.values():
            numbers = sorted(v for i in members if (v := scales.number(str(column.answers[i] or ""))) is not None)
            if column.question.about and is_numeric(column) and numbers:
                low, high = numbers[len(numbers) // 4], numbers[(3 * len(numbers) - 1) // 4]
                basis = Basis(field=column.question.name, at_least=low, at_most=high)
                verdicts = [holds(basis, record) for record in self.records]
                yield basis, verdicts, _tally(verdicts, range(len(self.records)))


def _quoted(basis: Basis, answer: Answer) -> str:
    """Return what of an answer a statement rests on."""
    return next((part for part in parts(answer) if part in basis.answers), parts(answer)[0])


def _tally(verdicts: Sequence[bool | None], members: Sequence[int]) -> Count:
    from persona.personas.model import counted

    given = [verdicts[i] for i in members if verdicts[i] is not None]
    return counted(sum(bool(verdict) for verdict in given), len(given))


def _spread(items: Sequence[int], most: int) -> Iterator[int]:
    """Yield a few items from all over a sequence: evidence is not to come from its first file alone."""
    step = max(1, len(items) / most)
    yield from dict.fromkeys(items[int(i * step)] for i in range(min(most, len(items))))
