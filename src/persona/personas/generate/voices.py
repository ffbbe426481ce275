"""What a group says in its own words: themes that set it apart, with quotes of different people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np

from persona.personas.evidence import MOST_WORDS
from persona.personas.generate.answers import Flags
from persona.personas.generate.claims import Claim
from persona.personas.generate.grouping import Grouping
from persona.personas.generate.phrases import Sentence, Term, as_written, excerpt, split, tells, terms, uses
from persona.personas.model import Evidence
from persona.personas.sources.records import Record, parts

FEW = 12
"""Of fewer people no differences are tested: their themes are told person by person."""
SHORTEST = 5
"""A quote has at least so many words, if anybody's has."""
_SPEAK = "Speaks of "


class Voices:
    """The free text of all respondents.

    Args:
        records: the respondents.
        open_fields: the questions with free text.
        speakers: names of all who speak in interviews, which are no themes.
    """

    def __init__(self, records: Sequence[Record], open_fields: Sequence[str], speakers: Collection[str] = ()) -> None:
        self.records = records
        self.open_fields = list(open_fields)
        self._names = {part for name in speakers for part in re.findall(r"[^\W\d_]{2,}", name.lower())}
        spoke = [any(True for _ in self._said(record)) for record in records]
        self.speak: Flags = np.array(spoke, dtype=np.bool_)
        coded = [any(passage.topics for passage in record.passages) for record in records]
        self.coded: Flags = np.array(coded, dtype=np.bool_)

    def _said(self, record: Record) -> Iterator[tuple[str, str]]:
        for name in self.open_fields:
            if name in record.fields:
                yield from ((name, part) for part in parts(record.fields[name]))
        for passage in record.passages:
            yield passage.field, passage.text

    def texts(self) -> list[str]:
        """Return all free text of each respondent as one; "" for those who said nothing."""
        return ["\n".join(text for _, text in self._said(record)) for record in self.records]

    @property
    def few(self) -> bool:
        """Whether too few speak to test anything."""
        return int(self.speak.sum()) < FEW

    @cached_property
    def sentences(self) -> list[Sentence]:
        """All sentences, those of one respondent after another."""
        return [
            sentence
            for place, record in enumerate(self.records)
            for field, text in self._said(record)
            for sentence in split(place, field, text)
        ]

    @cached_property
    def _by_speaker(self) -> dict[int, list[Sentence]]:
        found: dict[int, list[Sentence]] = {}
        for sentence in self.sentences:
            found.setdefault(sentence.speaker, []).append(sentence)
        return found

    def claims(self, grouping: Grouping) -> list[tuple[Claim, Flags]]:
        """Return topics, words and phrases that may be stated of a group, and who has them.

        Args:
            grouping: the groups; what too few use to be stated of the smallest is left out.
        """
        if not self.speak.any():
            return []
        smallest = min((int(self.speak[members].sum()) for members in grouping.groups), default=0)
        least = 1 if smallest == 1 else 2 if self.few else max(2, round(0.2 * smallest))
        found = [(Claim(topics=(topic,)), self._flags(speakers)) for topic, speakers in self._topics(least)]
        for term in terms(self.sentences, least, self._never):
            if least > 1 or self._recurs(term):
                found.append((Claim(said=term.said), self._flags(term.speakers)))
        return found

    @cached_property
    def _never(self) -> set[str]:
        """Names of speakers: words that are written with a capital, as names are."""
        if not self._names:
            return set()
        capital, plain = Counter[str](), Counter[str]()
        for sentence in self.sentences:
            for word in re.findall(r"[^\W_]+", sentence.text):
                if word.lower() in self._names:
                    (plain if word.islower() else capital)[word.lower()] += 1
        return {name for name in self._names if capital[name] >= plain[name]}

    def _recurs(self, term: Term) -> bool:
        """Say whether a respondent who is alone in a group comes back to something."""
        said = (sentence for speaker in term.speakers for sentence in self._by_speaker[speaker])
        return sum(uses(sentence, term.said) for sentence in said) >= 3

    def _topics(self, least: int) -> list[tuple[str, list[int]]]:
        found: dict[str, list[int]] = {}
        for place, record in enumerate(self.records):
            for topic in sorted({topic for passage in record.passages for topic in passage.topics}):
                found.setdefault(topic, []).append(place)
        return sorted((topic, speakers) for topic, speakers in found.items() if len(speakers) >= least)

    def _flags(self, speakers: Sequence[int]) -> Flags:
        flags = np.zeros(len(self.records), dtype=np.bool_)
        flags[list(speakers)] = True
        return flags

    def text(self, claim: Claim, members: Sequence[int]) -> str:
        """Return a theme as a statement, its words as the group writes them most."""
        if claim.topics:
            return f"Topic: {', '.join(claim.topics)}"
        said = [sentence for i in members for sentence in self._by_speaker.get(i, ())]
        each = [_shown([as_written(form, said) for form in forms]) for forms in claim.said]
        return _SPEAK + " and ".join(each) + (" in one sentence" if len(each) > 1 else "")

    def quotes(self, claim: Claim, members: Sequence[int], most: int, used: Collection[str] = ()) -> list[Evidence]:
        """Return short verbatim quotes of different people for a theme.

        Args:
            claim: the theme.
            members: the group.
            most: how many quotes.
            used: quotes that other themes have, which come last.
        """
        best: list[tuple[tuple[bool, bool, int], int, Evidence]] = []
        for i in members:
            found = [(_rank(quote.quote, used), quote) for quote in self._quotes_of(i, claim)]
            if found:
                rank, quote = min(found, key=lambda each: (each[0], each[1].quote))
                best.append((rank, i, quote))
        best.sort(key=lambda each: (each[0], each[1]))
        return [quote for _, _, quote in best[:most]]

    def _quotes_of(self, place: int, claim: Claim) -> Iterator[Evidence]:
        if claim.topics:
            for passage in self.records[place].passages:
                if not set(claim.topics).isdisjoint(passage.topics):
                    for sentence in split(place, passage.field, passage.text):
                        yield self._evidence(sentence, excerpt(sentence, (), MOST_WORDS) or _start(sentence.text))
            return
        for sentence in self._by_speaker.get(place, ()):
            if uses(sentence, claim.said) and (text := excerpt(sentence, claim.said, MOST_WORDS)):
                yield self._evidence(sentence, text)

    def _evidence(self, sentence: Sentence, quote: str) -> Evidence:
        record = self.records[sentence.speaker]
        file = record.source(sentence.field, quote)
        return Evidence(file=file, record=record.id, field=sentence.field, quote=quote)

    def telling(self, members: Sequence[int], most: int, used: Collection[str]) -> list[Evidence]:
        """Return sentences of different people with words that the group uses more than the rest.

        Args:
            members: the group.
            most: how many.
            used: quotes that are there already.
        """
        own = self._words(members)
        size, everybody = max(1, int(self.speak[list(members)].sum())), max(1, int(self.speak.sum()))
        lift = {word: n / size - self._spread[word] / everybody for word, n in own.items() if n > 1 or size == 1}
        if size == everybody:
            lift = {word: n / size for word, n in own.items() if n > 1}
        found: list[tuple[float, int, str, Sentence]] = []
        for i in members:
            for sentence in self._by_speaker.get(i, ()):
                size = len(sentence.text.split())
                words = {word for run in sentence.runs for word in run}
                score = sum(max(0.0, lift.get(word, 0.0)) for word in words) / (len(words) + 4) ** 0.5
                if SHORTEST <= size <= MOST_WORDS and score > 0 and sentence.text not in used:
                    found.append((-score, i, sentence.text, sentence))
        chosen: dict[int, Sentence] = {}
        for _, i, _, sentence in sorted(found, key=lambda each: each[:3]):
            if i not in chosen and sentence.text not in {other.text for other in chosen.values()}:
                chosen[i] = sentence
            if len(chosen) == most:
                break
        return [self._evidence(sentence, sentence.text) for sentence in chosen.values()]

    @cached_property
    def _spread(self) -> Counter[str]:
        return self._words(range(len(self.records)))

    def _words(self, members: Iterable[int]) -> Counter[str]:
        """Return how many respondents use each word that can be a theme."""
        return Counter(
            word
            for i in members
            for word in {word for s in self._by_speaker.get(i, ()) for run in s.runs for word in run}
            if tells(word)
        )


def _shown(forms: Sequence[str]) -> str:
    """Return a word or phrase, with what else is counted as it."""
    return f"“{forms[0]}”" + "".join(f" (or “{form}”)" for form in forms[1:])


def _start(text: str) -> str:
    words = list(re.finditer(r"\S+", text))
    return text[: words[MOST_WORDS - 1].end()]


def _rank(quote: str, used: Collection[str]) -> tuple[bool, bool, int]:
    """Return how good a quote is, the best lowest: new, a whole thought, about fifteen words."""
    size = len(quote.split())
    return quote in used, size < SHORTEST, abs(size - 15)
