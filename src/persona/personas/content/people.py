"""Says whom a field or a speaker's label names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

from persona.personas.sources import roles
from persona.personas.sources.records import ID_HEADING, RESPONDENT, tidy

_SUFFIX = r"(?:[ _-]*(?:id|nr|no\.?|number|code|key|uuid|#|name|label))?"
_WRITER = re.compile(rf"(?:author|sender|(?:written |posted |sent )?by){_SUFFIX}", re.IGNORECASE)
_SPEAKER = re.compile(rf"(?:speaker|who|said by|spoken by|voice){_SUFFIX}", re.IGNORECASE)
_PARTICIPANT = re.compile(rf"{RESPONDENT}{_SUFFIX}", re.IGNORECASE)
_PERSON = re.compile(
    rf"(?:user|subject|person|customer|member|client|patient|student|author|sender){_SUFFIX}"
    r"|(?:(?:full|nick) ?)?name|record",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"(?:respondent|participant|interviewee|informant|member|speaker|record|user|subject|person|customer|attendee)"
    r"(?:s|[ _-]*(?:ids|codes|keys|names|list))|people|ids",
    re.IGNORECASE,
)
_SERVES = re.compile(r"(?:the )?(?:assistant|agent)(?: ?\d+)?", re.IGNORECASE)
_ASIDE = re.compile(r"\s*[(\[].*?[)\]]\s*$")
_SERIES = re.compile(r"(\D+)\d+")
_MAX_NAME = 60
"""The longest value, in characters, that names a person."""


def same(value: object, subject: str) -> bool:
    """Say whether a value is a respondent's id: white space and the form of Unicode do not count."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return normalised(str(value)) == subject


def normalised(text: str) -> str:
    """Return an id as ids are compared: in Unicode's NFC, with single spaces."""
    if text.isascii():
        return tidy(text)
    return unicodedata.normalize("NFC", tidy(text))


@lru_cache(maxsize=4096)
def is_people(key: str) -> bool:
    """Say whether a field holds a list of people."""
    return _PEOPLE.fullmatch(tidy(key)) is not None


@lru_cache(maxsize=4096)
def is_speaker(key: str) -> bool:
    """Say whether a field names who speaks."""
    return _SPEAKER.fullmatch(tidy(key)) is not None


@lru_cache(maxsize=4096)
def is_participant(key: str) -> bool:
    """Say whether a field names a respondent, and cannot name anything else."""
    return _PARTICIPANT.fullmatch(tidy(key)) is not None


@lru_cache(maxsize=4096)
def is_person(key: str) -> bool:
    """Say whether a field may name a person: ``user``, ``name``."""
    return _PERSON.fullmatch(tidy(key)) is not None


def names_person(key: str) -> bool:
    """Say whether a field names a person, as far as its own name tells."""
    return is_speaker(key) or is_participant(key) or is_person(key)


@lru_cache(maxsize=4096)
def is_number(key: str) -> bool:
    """Say whether a field may number anything, people too: ``id``, ``code``."""
    return not names_person(key) and ID_HEADING.fullmatch(tidy(key)) is not None


def asks(label: str) -> bool:
    """Say whether a speaker is an interviewer."""
    plain = tidy(label)
    return roles.is_interviewer(plain) or _SERVES.fullmatch(plain) is not None


def answers(label: str) -> bool:
    """Say whether a speaker is called by the role of a respondent, without saying which one."""
    return roles.answers(tidy(label))


def in_series(value: str, subject: str) -> bool:
    """Say whether two ids are of one series: ``P1`` and ``P12``."""
    first, second = (_SERIES.fullmatch(normalised(each)) for each in (value, subject))
    return bool(first and second and first[1].casefold() == second[1].casefold())


def alike(value: str, subject: str) -> bool:
    """Say whether two ids may be of different people: both of one series, or both names without a number."""
    return in_series(value, subject) or not any(c.isdigit() for c in value + subject)


def names(label: str) -> set[str]:
    """Return the ids that a speaker's label may stand for: ``Participant P9 (by phone)`` for ``P9`` too."""
    plain = normalised(_ASIDE.sub("", label))
    role, _, rest = plain.partition(" ")
    return {normalised(label), plain, *({rest} if rest and answers(role) else ())}


class Naming:
    """What the fields of one record say of whom it is.

    Args:
        fields: names and values.
    """

    def __init__(self, fields: Iterable[tuple[str, object]]) -> None:
        pairs = [(key, value) for key, value in fields if _names(key) and _may_name(value)]
        self.speakers = [value for key, value in pairs if is_speaker(key)]
        self.participants = [value for key, value in pairs if is_participant(key)]
        self.persons = [value for key, value in pairs if is_person(key)]
        self.numbers = [value for key, value in pairs if is_number(key)]
        self.writers = [value for key, value in pairs if _is_writer(key)]
        self._pairs = pairs

    def mine(self, subject: str, *, numbers: bool = True) -> bool:
        """Say whether the record is a respondent's.

        A speaker goes before a participant: in an interview with P9 a husband's turn is the husband's.

        Args:
            subject: the id.
            numbers: whether ``id`` may number people here.
        """
        if any(same(value, subject) for value in self.speakers):
            return True
        if any(not asks(str(value)) and not answers(str(value)) for value in self.speakers):
            return False
        if any(same(value, subject) for value in self.writers):
            return True
        if _others_among(self.writers, subject):
            return False
        if any(same(value, subject) for value in self.participants):
            return True
        if any(same(value, subject) for value in self.persons):
            return not _others_among(self.participants, subject)
        return numbers and not self.participants and any(same(value, subject) for value in self.numbers)

    def others(self, subject: str) -> list[str]:
        """Return the other people of whom it is, by what names people, or by a number like the respondent's."""
        numbers = [str(value) for value in self.numbers if in_series(str(value), subject) and not same(value, subject)]
        return [*self.surely_others(subject), *numbers]

    def beside(self, keys: Collection[str], subject: str) -> list[str]:
        """Return the other people whom it names under keys that name the respondent elsewhere, or as a writer."""
        named = [value for key, value in self._pairs if key in keys and not is_number(key) and not same(value, subject)]
        return [*_others_among(self.writers, subject), *(str(value) for value in named if not _is_role(str(value)))]

    def keys(self, subject: str) -> set[str]:
        """Return the fields that name the respondent."""
        return {key for key, value in self._pairs if same(value, subject)}

    def surely_others(self, subject: str) -> list[str]:
        """Return the other people of whom it is, by what names people and nothing else."""
        named = [str(value) for value in self.speakers or self.participants]
        return [value for value in named if not (same(value, subject) or asks(value) or answers(value))]

    def ids(self) -> list[str]:
        """Return all ids that it may be found by."""
        every = (*self.speakers, *self.participants, *self.persons, *self.numbers)
        return [normalised(str(value)) for value in every]


@lru_cache(maxsize=4096)
def _is_writer(key: str) -> bool:
    """Say whether a field names who wrote something, or only who made the file."""
    return _WRITER.fullmatch(tidy(key)) is not None


def _names(key: str) -> bool:
    return names_person(key) or is_number(key) or _is_writer(key)


def _others_among(values: Iterable[object], subject: str) -> list[str]:
    """Return those of some values that may be other people like the respondent."""
    named = [str(value) for value in values if not same(value, subject)]
    return [each for each in named if alike(each, subject) and not _is_role(each)]


def _is_role(label: str) -> bool:
    return asks(label) or answers(label)


def _may_name(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return 0 < len(str(value).strip()) <= _MAX_NAME and "\n" not in str(value).strip()
