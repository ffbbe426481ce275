"""Interviews as respondents: everybody who speaks and does not ask, over all files of an input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from persona.errors import InputError
from persona.personas.sources import roles
from persona.personas.sources.interviewers import MIN_WORDS, Person, interviewers, is_known, person, words_of
from persona.personas.sources.limits import MAX_RECORDS, too_many
from persona.personas.sources.records import Dataset, Passage, Record, tidy
from persona.personas.sources.turns import Interview, read_interview, sentences_of

_LONGEST_QUESTION = 1_000
_MOST_NAMED = 10
"""The most names of a note."""


def read_transcript(name: str, text: str) -> Dataset:
    """Read an interview; `respondents` makes respondents of its speakers, once all files are read.

    Args:
        name: the file's name, for messages and evidence.
        text: its content.
    """
    return Dataset(interviews=[read_interview(name, text)])


def respondents(interviews: Sequence[Interview]) -> Dataset:
    """Return the respondents of interviews: every speaker who asks nothing and is a person.

    A turn answers the question before it. ``Name: value`` lines above the first turn are the respondent's
    fields when there is just one. A text without speakers is one respondent, paragraph by paragraph.

    Args:
        interviews: all of an input, in the order of their names.

    Raises:
        InputError: nobody but an interviewer says anything in them, or they are too many.
    """
    if sum(len({turn.speaker for turn in interview.turns}) for interview in interviews) > MAX_RECORDS:
        raise too_many("The input", "respondents", MAX_RECORDS)
    distinct, copies = _without_copies(interviews)
    parting = _Parting(distinct)
    for interview in distinct:
        parting.add(interview)
    if not parting.people:
        name = interviews[0].file if len(interviews) == 1 else f"{interviews[0].file} and the other interviews"
        raise InputError(f"{name}: no text of a respondent.", hint="Write turns as “Interviewer:” and “P1:”.")
    dataset = parting.dataset()
    if copies:
        dataset.notes.append(f"The same interview in another format, and read once: {_named(copies)}.")
    return dataset


def _without_copies(interviews: Sequence[Interview]) -> tuple[list[Interview], list[str]]:
    """Return interviews without those that another file holds in another format, and the names of these in words."""
    first: dict[tuple[tuple[str, str], ...], str] = {}
    distinct, copies = [], []
    for interview in interviews:
        said = tuple((turn.speaker, turn.said.casefold()) for turn in interview.turns)
        other = first.setdefault(said, interview.file)
        if len(said) > 1 and PurePosixPath(other).suffix != PurePosixPath(interview.file).suffix:
            copies.append(f"{interview.file} (as {other})")
        else:
            distinct.append(interview)
    return distinct, copies


def is_transcript(text: str) -> bool:
    """Say whether a text holds an interview with speakers."""
    if "\n" not in text:
        return False
    interview = read_interview("", text)
    asking = interviewers([interview])
    return interview.labelled > 1 and any(person(interview, turn.speaker) not in asking for turn in interview.turns)


def answers_in(text: str) -> list[Passage]:
    """Return what everybody but the interviewer says in a text."""
    interview = read_interview("", text)
    asking = interviewers([interview])
    return [passage for said in _answers(interview, asking).values() for passage in said]


def _answers(interview: Interview, asking: dict[Person, str]) -> dict[str, list[Passage]]:
    """Return the turns of each respondent, each under the question that came before it."""
    people: dict[str, list[Passage]] = {}
    question = ""
    for number, turn in enumerate(interview.turns, start=1):
        if roles.is_nobody(turn.speaker):
            continue
        if person(interview, turn.speaker) in asking:
            question = _question(turn.said) or question
        elif turn.said:
            people.setdefault(turn.speaker, []).append(Passage(question or f"turn {number}", turn.said))
    return people


def _question(said: str) -> str:
    """Return the last question of an interviewer's turn."""
    end = max(said.rfind("?"), said.rfind("？"))
    asked = sentences_of(said[max(0, end - _LONGEST_QUESTION) : end + 1])[-1] if end >= 0 else said
    return tidy(asked)[:200]


def _joined(first: Record | None, record: Record) -> Record:
    """Return a person who speaks in two files as one respondent."""
    if first is None:
        return record
    later = (Passage(said.field, said.text, said.topics, record.file) for said in record.passages)
    return Record(first.file, first.id, {**record.fields, **first.fields}, (*first.passages, *later))


class _Parting:
    """Interviews parted into respondents and others, with notes on who is which.

    Args:
        interviews: all of an input.
    """

    def __init__(self, interviews: Sequence[Interview]) -> None:
        self.interviews = interviews
        self.asking = interviewers(interviews)
        self.people: dict[Person, Record] = {}
        self.few: dict[Person, str] = {}
        self.words = Counter[Person]()
        self.unused: list[str] = []
        self.silent: list[str] = []
        for interview in interviews:
            for turn in interview.turns:
                self.words[person(interview, turn.speaker)] += words_of([turn])

    def add(self, interview: Interview) -> None:
        """Add the respondents of one interview."""
        if interview.turns:
            answers = self._enough(interview, _answers(interview, self.asking))
        else:
            said = [Passage(f"paragraph {n}", text) for n, text in enumerate(interview.paragraphs, start=1)]
            answers = {interview.stem: said} if said else {}
        about = {key: value for key, value in interview.fields.items() if not roles.is_interviewer(key)}
        if len(answers) > 1 and about:
            self.unused.append(interview.file)
        for label, passages in answers.items():
            key = person(interview, label) if interview.turns else (interview.file, label)
            record = Record(interview.file, label, about if len(answers) == 1 else {}, tuple(passages))
            self.people[key] = _joined(self.people.get(key), record)
        if not answers:
            self.silent.append(interview.file)

    def _enough(self, interview: Interview, answers: dict[str, list[Passage]]) -> dict[str, list[Passage]]:
        """Return the respondents without those who say next to nothing beside others who say more."""
        people = {label: person(interview, label) for label in answers}
        if any(self.words[each] >= MIN_WORDS for each in people.values()):
            self.few |= {each: label for label, each in people.items() if self.words[each] < MIN_WORDS}
        return {label: said for label, said in answers.items() if people[label] not in self.few}

    def dataset(self) -> Dataset:
        """Return the respondents, and what a researcher should know of them."""
        nobody = [
            (interview.file, label)
            for interview in self.interviews
            for label in dict.fromkeys(turn.speaker for turn in interview.turns)
            if roles.is_nobody(label)
        ]
        asking = {each: why for each, why in self.asking.items() if not roles.is_question(each[1])}
        left_out = Counter[str]()
        left_out[f"speakers of under {MIN_WORDS} words"] = len(self.few)
        left_out["labels of no person"] = len(nobody)
        return Dataset(
            [*self.people.values()],
            [*self._on_people(asking, [label for _, label in nobody]), *self._on_files()],
            left_out=+left_out,
            speakers={turn.speaker for each in self.interviews for turn in each.turns if is_known(each, turn.speaker)},
        )

    def _on_people(self, asking: dict[Person, str], nobody: list[str]) -> list[str]:
        notes = []
        reasons: dict[str, dict[str, None]] = {}
        for (_, label), reason in asking.items():
            reasons.setdefault(reason, {})[label] = None
        for reason, labels in reasons.items():
            notes.append(f"Interviewers, not respondents ({reason}): {_named(labels)}.")
        if self.few:
            notes.append(f"Said under {MIN_WORDS} words, and left out: {_named(self.few.values())}.")
        if nobody:
            notes.append(f"Labels of no person, whose text is left out: {_named(nobody)}.")
        for record in [each for each in self.people.values() if len(each.keys) > 1]:
            files = sorted(file for file, _ in record.keys)
            notes.append(f"{record.id} is taken for one person in {len(files):,} files: {_named(files)}.")
        generic = Counter(record.id for record in self.people.values() if roles.is_generic(record.id))
        if several := [label for label, count in generic.items() if count > 1]:
            notes.append(f"Taken for another person in each file: {_named(several)}.")
        return notes

    def _on_files(self) -> list[str]:
        untold = [
            interview.file
            for interview in self.interviews
            if len(people := {person(interview, turn.speaker) for turn in interview.turns}) > 1
            and people.isdisjoint(self.asking)
        ]
        lists = {
            "No interviewer found, so that all who speak are respondents": untold,
            "The lines above the interview were not used, since there are several respondents": self.unused,
            "No respondent says anything": self.silent,
        }
        notes = [f"{what}: {_named(files)}." for what, files in lists.items() if files]
        counts = {
            "Captions that repeat the one before, and are read once": [each.repeated for each in self.interviews],
            "Lines left out that only name a sound, such as [laughter]": [each.sounds for each in self.interviews],
            "Headings, comments and lines above the interview, not read": [each.unread for each in self.interviews],
        }
        return notes + [f"{what}: {sum(found):,}." for what, found in counts.items() if any(found)]


def _named(names: Iterable[str]) -> str:
    """Return some of many names, each once, and how many more there are."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more
