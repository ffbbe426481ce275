"""The proof that a persona says what its input does.

Every number is counted again, respondent by respondent, by loops that share no code with those that made it, and
every quote is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from persona.errors import VerificationError
from persona.personas.generate.words import ADDRESS, sentences
from persona.personas.model import (
    AnswerShare,
    Basis,
    Count,
    Distribution,
    Evidence,
    Persona,
    Statement,
    percent,
    share_of,
)
from persona.personas.sources.records import Answer, Record, parts
from persona.personas.survey import scales
from persona.personas.survey.survey import Survey

MOST_WORDS = 29
"""The longest quote of a theme, in words."""
LONGEST_TITLE = 70
"""The longest title, in characters."""


def check(persona: Persona, survey: Survey) -> None:
    """Prove a persona against its input; see `Proof.check`."""
    Proof(survey).check(persona)


def holds(basis: Basis, record: Record) -> bool | None:
    """Say whether a statement holds for a respondent; None if the respondent did not answer."""
    if basis.said:
        return _says(basis, record)
    if basis.topics:
        coded = {topic for passage in record.passages for topic in passage.topics}
        return not coded.isdisjoint(basis.topics) if coded else None
    return _answers(record, basis.field or "", basis.answers, basis.at_least, basis.at_most)


def _answers(
    record: Record, field: str, answers: Sequence[str], at_least: float | None, at_most: float | None
) -> bool | None:
    answer = record.fields.get(field)
    if answer is None:
        return None
    if answers:
        return answer in answers if isinstance(answer, str) else any(each in answers for each in answer)
    value = scales.number(str(answer))
    if value is None:
        return None
    return (at_least is None or value >= at_least) and (at_most is None or value <= at_most)


def spoken(record: Record, open_fields: Iterable[str]) -> list[str]:
    """Return everything that a respondent said in their own words."""
    texts = [part for name in open_fields if name in record.fields for part in parts(record.fields[name])]
    return texts + [passage.text for passage in record.passages]


def _says(basis: Basis, record: Record) -> bool | None:
    said = spoken(record, basis.open_fields)
    if not said:
        return None
    wanted = [re.compile("|".join(map(_pattern, forms))) for forms in basis.said]
    for text in said:
        for sentence in sentences(ADDRESS.sub("\n", text)):
            lower = sentence.lower()
            if all(each.search(lower) for each in wanted):
                return True
    return False


def _pattern(form: str) -> str:
    """Return the expression for whole words in a row."""
    return r"(?<![^\W_])" + r"[\s'’&/-]{1,3}".join(map(re.escape, form.lower().split())) + r"(?![^\W_])"


class Proof:
    """Proves personas of one run.

    Args:
        survey: the input that they were made from.
    """

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._places = {key: place for place, record in enumerate(survey.respondents) for key in record.keys}
        self._weights = survey.weights or (1.0,) * len(survey.respondents)
        self._labels = {question.name: question.label for question in survey.questions}
        self._verdicts: dict[str, list[bool | None]] = {}

    def check(self, persona: Persona) -> None:
        """Prove a persona: every quote is found in the input, every number counted from it.

        Raises:
            VerificationError: something is not so; the message says what.
        """
        members = self._members(persona)
        group = set(members)
        asked: list[bool | None] = [place in group for place in range(len(self._survey.respondents))]
        _require(persona, self._is(persona.respondents, asked, range(len(asked))), "the number of respondents")
        for statement in persona.statements():
            self._check_statement(persona, statement, members)
        for distribution in persona.demographics:
            for share in distribution.shares:
                self._check_share(persona, distribution, share, members)
        for item in persona.quotes:
            self._check_quote(persona, item)
            _require(persona, self._places[item.file, item.record] in group, f"“{item.quote}” is not of the group")
        self._check_words(persona)
        _require(persona, persona.coverage.members == self._covered(persona, members), "the coverage of members")

    def _members(self, persona: Persona) -> list[int]:
        keys = [(part.file, record) for part in persona.members for record in part.records]
        unknown = [key for key in keys if key not in self._places]
        _require(persona, not unknown, f"unknown members: {unknown[:3]}")
        places = [self._places[key] for key in keys]
        _require(persona, len(set(places)) == len(places), "a member is named twice")
        return places

    def _verdict(self, basis: Basis) -> list[bool | None]:
        """Return for each respondent whether a statement holds; None for those who did not answer."""
        key = basis.model_dump_json()
        if key not in self._verdicts:
            self._verdicts[key] = [holds(basis, record) for record in self._survey.respondents]
        return self._verdicts[key]

    def _is(self, stated: Count, verdicts: Sequence[bool | None], of: Iterable[int]) -> bool:
        """Say whether a count is that of some respondents."""
        answered = [place for place in of if verdicts[place] is not None]
        holding = [place for place in answered if verdicts[place]]
        whole = sum(self._weights[place] for place in answered)
        share = sum(self._weights[place] for place in holding) / whole if whole else 0.0
        right = (stated.count, stated.total) == (len(holding), len(answered))
        return right and abs(stated.share - share) <= 0.0001 and stated.weighted == bool(self._survey.weights)

    def _check_counts(
        self,
        persona: Persona,
        text: str,
        verdicts: Sequence[bool | None],
        counts: tuple[Count, Count],
        members: Sequence[int],
    ) -> None:
        group = set(members)
        others = [place for place in range(len(verdicts)) if place not in group]
        _require(persona, self._is(counts[0], verdicts, members), f"“{text}” of the group: stated {counts[0]}")
        _require(persona, self._is(counts[1], verdicts, others), f"“{text}” of the rest: stated {counts[1]}")

    def _check_statement(self, persona: Persona, statement: Statement, members: Sequence[int]) -> None:
        basis = statement.basis
        verdicts = self._verdict(basis)
        self._check_counts(persona, statement.text, verdicts, (statement.group, statement.rest), members)
        for item in statement.evidence:
            self._check_quote(persona, item)
            place = self._places[item.file, item.record]
            _require(persona, place in members and verdicts[place] is True, f"no evidence: {item.quote}")
            short = not (basis.said or basis.topics) or len(item.quote.split()) <= MOST_WORDS
            _require(persona, short, f"too long a quote: {item.quote}")
            if basis.said:
                quoted = Record(item.file, item.record, {"": item.quote})
                shown = holds(basis.model_copy(update={"open_fields": [""]}), quoted)
                _require(persona, shown is True, f"the quote does not show it: {item.quote}")

    def _check_share(self, persona: Persona, of: Distribution, share: AnswerShare, members: Sequence[int]) -> None:
        counts, text = (share.group, share.rest), f"{of.label}: {share.text}"
        if share.answers or share.at_least is not None or share.at_most is not None:
            basis = Basis(field=of.field, answers=share.answers, at_least=share.at_least, at_most=share.at_most)
            self._check_counts(persona, text, self._verdict(basis), counts, members)
        else:
            listed = {answer for each in of.shares for answer in each.answers}
            others = [_others(record.fields.get(of.field), listed) for record in self._survey.respondents]
            self._check_counts(persona, text, others, counts, members)

    def _check_quote(self, persona: Persona, item: Evidence) -> None:
        place = self._places.get((item.file, item.record))
        texts = [] if place is None else self._survey.respondents[place].texts(item.field, item.file)
        found = any(item.quote in text for text in texts)
        _require(persona, found, f"“{item.quote}” is not in {item.file}, {item.record}, {item.field}")

    def _covered(self, persona: Persona, members: Sequence[int]) -> float:
        """Return the share of members for whom at least half of the statements hold that they answered."""
        telling = [each for each in persona.statements() if each.kind != "shared"] or persona.statements()
        known = [self._verdict(each.basis) for each in telling]
        fitting = 0
        for place in members:
            verdicts = [each[place] for each in known if each[place] is not None]
            fitting += bool(verdicts) and 2 * sum(map(bool, verdicts)) >= len(verdicts)
        return share_of(fitting, len(members))

    def _check_words(self, persona: Persona) -> None:
        """Check that every number in the texts comes from a question, an answer or a count."""
        known = _counts(persona.respondents) | numbers(persona.name)
        for statement in persona.statements():
            own = _known(statement) | numbers(self._labels.get(statement.basis.field or "", ""))
            _require(persona, numbers(statement.text) <= own, f"a made-up number in “{statement.text}”")
            known |= own
        for of in persona.demographics:
            known |= numbers(f"{of.field} {self._labels.get(of.field, '')}")
            for share in of.shares:
                own = numbers(" ".join(share.answers)) | _bounds(share.at_least, share.at_most)
                _require(persona, numbers(share.text) <= own, f"a made-up number in “{share.text}”")
                known |= own | _counts(share.group, share.rest)
        _require(persona, numbers(persona.title) <= known, f"a made-up number in the title “{persona.title}”")
        _require(persona, len(persona.title) <= LONGEST_TITLE, f"too long a title: “{persona.title}”")
        _require(persona, numbers(persona.summary) <= known, f"a made-up number in the summary “{persona.summary}”")


def numbers(text: str) -> set[str]:
    """Return the runs of digits in a text; separators of thousands are passed over."""
    return set(re.findall(r"\d+", re.sub(r"(?<=\d),(?=\d{3})", "", text)))


def _counts(*counts: Count) -> set[str]:
    return {text for c in counts for text in (str(c.count), str(c.total), percent(c.share).split()[0])}


def _known(statement: Statement) -> set[str]:
    return _numbers_of(statement.basis) | _counts(statement.group, statement.rest)


def _numbers_of(basis: Basis) -> set[str]:
    forms = [form for each in basis.said for form in each]
    words = numbers(" ".join([basis.field or "", *basis.answers, *forms, *basis.topics]))
    return words | _bounds(basis.at_least, basis.at_most)


def _bounds(*limits: float | None) -> set[str]:
    return numbers(" ".join(f"{limit:g}" for limit in limits if limit is not None))


def _others(answer: Answer | None, listed: set[str]) -> bool | None:
    """Say whether an answer is none of those listed; ticking nothing is no answer of this kind."""
    return None if answer is None else bool(answer) and listed.isdisjoint(parts(answer))


def _require(persona: Persona, condition: bool, what: str) -> None:
    if not condition:
        raise VerificationError(
            f"Persona {persona.name} does not follow from its input: {what}.",
            hint="The input may have changed since; generate the personas again.",
        )
