"""Words and phrases of free text: which of them recur, and who uses them.

A phrase is whole words in a row, in any case: anybody can count it again in the raw text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from persona.personas.generate.stopwords import is_stopword
from persona.personas.generate.words import ADDRESS, sentences

_WORD = re.compile(r"[^\W_]+")
_GAP = re.compile(r"[\s'’&/-]{1,3}")
_MAY_HOLD_ADDRESS = re.compile(r"[^\s.]\.[^\s.]|@|://|www")
_LONGEST = 3
_ATTRACTION = 10
"""Two words are a phrase if they meet ten times as often as they would by chance."""
_PAIRED = 60
"""Of so many of the most common words, pairs within one sentence are looked at."""
_NO_PLURALS = frozenset({"new", "mean", "good", "mathematic", "economic", "politic", "doe", "thi", "wa", "ha"})
Words = tuple[str, ...]


class Sentence(NamedTuple):
    """A sentence, a verbatim piece of a text.

    Args:
        speaker: the place of the respondent who said it.
        field: where it stands.
        text: the sentence.
        runs: its words in small letters, in runs that no punctuation parts.
    """

    speaker: int
    field: str
    text: str
    runs: tuple[Words, ...]


def split(speaker: int, field: str, text: str) -> Iterator[Sentence]:
    """Yield the sentences of a text; addresses of pages and people hold no words."""
    plain = ADDRESS.sub(lambda match: "\n" * len(match[0]), text) if _MAY_HOLD_ADDRESS.search(text) else text
    start = 0
    for sentence in sentences(plain):
        start = plain.index(sentence, start)
        verbatim = text[start : start + len(sentence)]
        start += len(sentence)
        yield Sentence(speaker, field, verbatim, tuple(_runs(sentence)))


def _runs(sentence: str) -> Iterator[Words]:
    run: list[str] = []
    end = 0
    for match in _WORD.finditer(sentence):
        start = match.start()
        if run and sentence[end:start] != " " and not _GAP.fullmatch(sentence, end, start):
            yield tuple(run)
            run = []
        run.append(match[0].lower())
        end = match.end()
    if run:
        yield tuple(run)


@lru_cache(maxsize=100_000)
def tells(word: str) -> bool:
    """Say whether a word can be a theme: not one of the most common ones, no number."""
    return len(word) > 2 and _WORD.fullmatch(word) is not None and not word.isdigit() and not is_stopword(word)


class Term(NamedTuple):
    """Words or phrases that are counted together.

    Args:
        said: of each list one form, all in one sentence, in small letters.
        speakers: the places of the respondents who use it, in order.
    """

    said: tuple[tuple[str, ...], ...]
    speakers: Sequence[int]

    @property
    def words(self) -> frozenset[str]:
        """The words of all forms."""
        return frozenset(word for forms in self.said for form in forms for word in form.split())


def terms(said: Sequence[Sentence], least: int, never: Collection[str]) -> list[Term]:
    """Return words, phrases and pairs of words that at least so many respondents use.

    Args:
        said: all sentences, those of one respondent after another.
        least: the number of respondents.
        never: words that are no themes, as names of speakers.
    """
    singles = _speakers(said, lambda sentence: (word for run in sentence.runs for word in run))
    common = {word for word, speakers in singles.items() if len(speakers) >= least}
    content = {word for word in common if tells(word) and word not in never}
    grams = _speakers(said, lambda sentence: _grams(sentence.runs, common, content))
    phrases = {gram: grams[gram] for gram in _collocations(said, grams, least, common, content)}
    known = {word: singles[word] for word in content} | phrases
    used = {**singles, **grams}
    found = [Term((forms,), _united(used, forms)) for forms in _with_plurals(known, used)]
    return sorted([*found, *_pairs(said, found, least)])


def _speakers(said: Iterable[Sentence], units: object) -> dict[str, list[int]]:
    """Return who uses each word or phrase; each respondent once."""
    found: dict[str, list[int]] = defaultdict(list)
    for sentence in said:
        for unit in units(sentence):  # type: ignore[operator]
            speakers = found[unit]
            if not speakers or speakers[-1] != sentence.speaker:
                speakers.append(sentence.speaker)
    return found


def _grams(runs: Iterable[Words], common: set[str], content: set[str]) -> Iterator[str]:
    """Yield phrases of two or three words that begin and end with one that tells something."""
    for run in runs:
        for start, word in enumerate(run):
            if word not in content:
                continue
            for end in range(start + 1, min(start + _LONGEST, len(run))):
                if run[end] not in common:
                    break
                if run[end] in content:
                    yield " ".join(run[start : end + 1])


def _collocations(
    said: Iterable[Sentence], grams: dict[str, list[int]], least: int, common: set[str], content: set[str]
) -> list[str]:
    """Return the phrases whose words attract each other."""
    wanted = [gram for gram, speakers in grams.items() if len(speakers) >= least]
    times: Counter[str] = Counter()
    total = 0
    kept = set(wanted)
    for sentence in said:
        for run in sentence.runs:
            total += len(run)
            times.update(run)
        times.update(gram for gram in _grams(sentence.runs, common, content) if gram in kept)
    found = []
    for gram in wanted:
        first, *_, last = gram.split()
        if times[gram] * total >= _ATTRACTION * times[first] * times[last] and first != last:
            found.append(gram)
    return found


def _with_plurals(known: dict[str, list[int]], all_forms: dict[str, list[int]]) -> Iterator[tuple[str, ...]]:
    """Yield each word or phrase with its plural, where that is used as well."""
    done: set[str] = set()
    for form in sorted(known):
        if form in done:
            continue
        base = form.removesuffix("s") if form.endswith("s") and form[:-1] in known else form
        plural = f"{base}s"
        last = base.split()[-1]
        if len(last) > 2 and last not in _NO_PLURALS and not base.endswith("s") and plural in all_forms:
            done |= {base, plural}
            yield base, plural
        else:
            done.add(form)
            yield (form,)


def _united(known: dict[str, list[int]], forms: Sequence[str]) -> list[int]:
    return sorted({speaker for form in forms for speaker in known.get(form, ())})


def _pairs(said: Iterable[Sentence], found: Sequence[Term], least: int) -> list[Term]:
    """Return pairs of words that respondents use in one sentence."""
    single = [term for term in found if " " not in term.said[0][0]]
    best = sorted(single, key=lambda term: (-len(term.speakers), term.said))[:_PAIRED]
    number = {form: place for place, term in enumerate(best) for form in term.said[0]}
    together: dict[tuple[int, int], list[int]] = defaultdict(list)
    for sentence in said:
        used = sorted({number[word] for run in sentence.runs for word in run if word in number})
        for pair in combinations(used, 2):
            speakers = together[pair]
            if not speakers or speakers[-1] != sentence.speaker:
                speakers.append(sentence.speaker)
    return [
        Term((best[one].said[0], best[other].said[0]), speakers)
        for (one, other), speakers in sorted(together.items())
        if len(speakers) >= least
    ]


def uses(sentence: Sentence, term: Sequence[Sequence[str]]) -> bool:
    """Say whether a sentence has one form of each list."""
    runs = [f" {' '.join(run)} " for run in sentence.runs]
    return all(any(f" {form} " in run for form in forms for run in runs) for forms in term)


def as_written(form: str, said: Iterable[Sentence]) -> str:
    """Return a word or phrase as it is written most often, its case kept."""
    pattern = re.compile(
        r"(?<![^\W_])" + r"[\s'’&/-]{1,3}".join(map(re.escape, form.split())) + r"(?![^\W_])", re.IGNORECASE
    )
    written = Counter(" ".join(match.split()) for each in said for match in pattern.findall(each.text))
    return max(sorted(written), key=lambda each: written[each]) if written else form


def excerpt(sentence: Sentence, term: Sequence[Sequence[str]], most: int) -> str:
    """Return a verbatim piece of a sentence with a term in it, of at most so many words; "" if none is short enough."""
    words = list(re.finditer(r"\S+", sentence.text))
    if len(words) <= most:
        return sentence.text
    places = []
    for forms in term:
        pattern = "|".join(r"[\s'’&/-]{1,3}".join(map(re.escape, form.split())) for form in forms)
        match = re.search(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", sentence.text, re.IGNORECASE)
        if match is None:
            return ""
        places += [i for i, word in enumerate(words) if word.start() < match.end() and word.end() > match.start()]
    if not places or max(places) - min(places) >= most:
        return ""
    spare = most - (max(places) - min(places) + 1)
    start = max(0, min(min(places) - spare // 2, len(words) - most))
    return sentence.text[words[start].start() : words[start + most - 1].end()]
