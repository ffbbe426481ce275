"""What a group says: the words that set it apart, and sentences that carry them, verbatim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import log
from typing import NamedTuple

from persona.personas.generate.candidates import is_exceptional
from persona.personas.generate.sections import of_sentence
from persona.personas.generate.words import content_words, sentences, stem, stems_of, word_count
from persona.personas.model import Evidence
from persona.personas.sources.records import Record

SHORTEST, LONGEST = 6, 45
"""How many words a sentence has that can stand for itself."""
_LONGEST_TEXT = 2_000  # characters: words can be of any length
_ALIKE = 0.4
_THEMES = 40


class Sentence(NamedTuple):
    """A sentence of a respondent; there may be hundreds of thousands.

    Args:
        record: who said it.
        field: where it stands.
        quote: the sentence.
        section: the section of a persona that it belongs to; "" if no rule knows.
        score: how much it says of what sets the group apart, per word.
    """

    record: Record
    field: str
    quote: str
    section: str
    score: float

    @property
    def evidence(self) -> Evidence:
        """Where it stands, as a persona has it."""
        file = self.record.source(self.field, self.quote)
        return Evidence(file=file, record=self.record.id, field=self.field, quote=self.quote)

    @property
    def stems(self) -> frozenset[str]:
        """The stems of its content words."""
        return stems_of(self.quote)


class Voices:
    """The free text of all respondents.

    Args:
        records: the respondents.
        open_fields: the questions with free text.
    """

    def __init__(self, records: Sequence[Record], open_fields: Sequence[str]) -> None:
        self.records = records
        self.open_fields = list(open_fields)
        self.stems = [frozenset().union(*(stems_of(text) for _, text in self._said(record))) for record in records]
        self.speakers = [i for i, record in enumerate(records) if any(True for _ in self._said(record))]
        self._speak = frozenset(self.speakers)
        self.counts = Counter(found for i in self.speakers for found in self.stems[i])

    def _said(self, record: Record) -> Iterator[tuple[str, str]]:
        for name in self.open_fields:
            if name in record.fields:
                yield name, str(record.fields[name])
        for passage in record.passages:
            yield passage.field, passage.text

    def texts(self) -> list[str]:
        """Return all free text of each respondent as one; "" for those who said nothing."""
        return ["\n".join(text for _, text in self._said(record)) for record in self.records]

    def themes(self, members: Sequence[int]) -> dict[str, float]:
        """Return the stems that set a group apart, with their weights.

        A weight is how much more often the group says it, times how many of it do.
        """
        group = [i for i in members if i in self._speak]
        used = Counter(found for i in group for found in self.stems[i])
        everyone = len(self.speakers)
        weights: dict[str, float] = {}
        for found in sorted(used):
            count, of = used[found], self.counts[found]
            if count < 2 or count / len(group) <= of / everyone:
                continue
            if is_exceptional(count, len(group), of, everyone) > 0.1:
                continue
            rest = (of - count + 0.5) / (everyone - len(group) + 1)
            weights[found] = count / len(group) * log((count + 0.5) / (len(group) + 1) / rest)
        if not weights and len(group) == everyone:  # one group only: what most of it says
            weights = {found: n / everyone for found, n in sorted(used.items()) if n >= 2}
        best = sorted(weights, key=lambda found: (-weights[found], found))[:_THEMES]
        return {found: weights[found] for found in best}

    def sentences(self, members: Sequence[int], themes: dict[str, float]) -> list[Sentence]:
        """Return the sentences of a group that carry its themes, the most telling first."""
        found = []
        for record in (self.records[i] for i in members):
            for field, text in self._said(record):
                for sentence in sentences(text):
                    if len(sentence) <= _LONGEST_TEXT and SHORTEST <= word_count(sentence) <= LONGEST:
                        stems = stems_of(sentence)
                        score = sum(themes.get(each, 0.0) for each in stems) / (len(stems) + 4) ** 0.5
                        if score > 0:
                            found.append(Sentence(record, field, sentence, of_sentence(sentence, field), score))
        return sorted(found, key=lambda s: (-s.score, s.record.file, s.record.id, s.quote))

    def forms(self, members: Sequence[int], themes: Sequence[str]) -> list[str]:
        """Return for each stem the word that the group uses most for it."""
        said = (text for i in members for _, text in self._said(self.records[i]))
        words = Counter(word for text in said for word in content_words(text))
        return [max((w for w in words if stem(w) == found), key=lambda w: (words[w], w)) for found in themes]

    def form(self, found: str, sentence: str) -> str:
        """Return the word of a sentence that has this stem."""
        return next(word for word in content_words(sentence) if stem(word) == found)


def diverse(found: Sequence[Sentence], most: int, taken: Sequence[Sentence] = ()) -> list[Sentence]:
    """Return the best sentences that differ from each other and from those taken.

    They are by other people and in other words.
    """
    chosen: list[Sentence] = []
    for sentence in found:
        if len(chosen) == most:
            break
        others = [*taken, *chosen]
        if any(_alike(sentence, other) for other in others):
            continue
        if any(sentence.record.key == other.record.key for other in chosen):
            continue
        chosen.append(sentence)
    return chosen


def _alike(one: Sentence, other: Sentence) -> bool:
    union = one.stems | other.stems
    return one.quote == other.quote or (bool(union) and len(one.stems & other.stems) / len(union) >= _ALIKE)
