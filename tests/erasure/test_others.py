"""What others say stays, in whatever form it stands beside the respondent's words; what may be either is named."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from persona.personas import document
from persona.personas.model import Members
from persona.personas.persona_cut import without
from persona.personas.subjects import look

STAYS = {
    "one-line.txt": "P9: mine. P1: {0} P9: mine too.\n",
    "one-line-once.txt": "P9: mine.\tP1: {0}\tP2: {1}\n",
    "line-separator.txt": "P9: mine.\u2028P1: {0}\u2028P2: {1}\n",
    "next-line.txt": "P9: mine.\u0085P1: {0}\u0085P2: {1}\n",
    "vertical-tab.txt": "P9: mine.\vP1: {0}\vP2: {1}\n",
    "form-feed.txt": "P9: mine.\fP1: {0}\fP2: {1}\n",
    "brackets.txt": "P9: mine\n[P1] {0}\nP9: mine\n",
    "dashes.txt": "P1: a\nP9: mine\nP1 - {0}\nP2: {1}\n",
    "heads.txt": "P1: a\nP9: mine\n\nP1\n{0}\n\nP2: {1}\n",
    "heading.md": "P1: a\nP9: mine\n\n## P1 later\n{0}\n",
    "no-space.txt": "P1: a\nP9: mine\nP1:{0}\nP2:{1}\n",
    "aside.txt": "P1: a\nP9: mine\nP1 (who is the sister of P9 and has lived with her ever since): {0}\n",
    "long-label.txt": "P1: a\nP9: mine\nThe older sister of Anna Maria: {0}\nP1: b\n",
    "timed.txt": "Anna: a\nP9: mine\n\nBen Low  0:15\n{0}\n",
    "italics.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n<v P9><i>mine</i>\n\n"
    "00:03.000 --> 00:04.000\n<i>P1: {0}</i>\n\n00:05.000 --> 00:06.000\n- {1}\n- b\n",
    "voice.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n<v P9>mine</v>\n\n00:03.000 --> 00:04.000\n{0}\n\n"
    "00:05.000 --> 00:06.000\n<v P9>mine</v> {1}\n",
    "dash.srt": "1\n00:00:01,000 --> 00:00:02,000\n- P9: mine\n- {0}\n\n2\n00:00:02,000 --> 00:00:03,000\nP1: {1}\n",
    "replies.json": '[{"author":"P9","t":"mine","replies":[{"author":"P1","t":"{0}"}]},{"author":"P2","t":"{1}"}]',
    "users.json": '[{"user":"P9","t":"mine","replies":[{"user":"Ben","t":"{0}"}]}]',
    "by.json": '{"P9":{"t":"mine","answers":[{"by":"P1","t":"{0}"}]},"P1":{"t":"{1}"}}',
    "keys.json": '{"P9":{"replies":{"P1":"{0}"}},"P1":{"replies":{"P9":"mine"}}}',
    "transcript.json": '{"participant":"P9","age":41,"transcript":"P1: {0}\\nP9: mine"}',
    "transcript.csv": 'participant,text\nP9,"Interviewer: q\nP1: {0}\nP9: mine"\nP9,mine\nP2,{1}\n',
    "sender.csv": "participant,sender,text\nP9,P1,{0}\nP9,P9,mine\nP2,P2,{1}\n",
    "customer.csv": "respondent,customer,text\nP1,P9,{0}\nP9,P2,mine\n",
    "P9/heads.txt": "P1  0:01\n{0}\n\nP2  0:05\n{1}\n",
    "P9/brackets.txt": "[P1] {0}\n[P2] {1}\n",
    "P9/notes.md": "# P1\n\n{0}\n",
    "P9/page.html": "<table><tr><td>P1</td><td>{0}</td></tr></table>",
    "P9.json": '[{"user":"P9","t":"mine"},{"user":"Bob","t":"{0}"}]',
    "P9.txt": "P9  0:01\nmine\n\nAnna Low  0:05\n{0}\n",
    "P9/names.json": '[{"name":"Bob","t":"{0}"},{"name":"Cem","t":"{1}"}]',
}
THEIRS = ("I would not say so, and I was there.", "It was the other way round, all of it.")


@pytest.mark.parametrize("name", STAYS)
def test_what_others_say_stays(name: str) -> None:
    data = STAYS[name].replace("{0}", THEIRS[0]).replace("{1}", THEIRS[1]).encode()
    found = look(name, data, "P9").trace
    assert found is not None
    assert found.left is not None
    left = found.left.decode()
    assert [said for said in THEIRS if said.encode() in data] == [said for said in THEIRS if said in left]
    again = look(name, found.left, "P9").trace
    assert again is None or again.left == found.left  # to run it again takes nothing of others
    assert "mine" not in left or found.doubts or again is not None


@pytest.mark.parametrize("name", ["E08.txt", "E08/talk.vtt"])
def test_a_file_of_the_respondents_name_keeps_others_however_often_it_is_erased(name: str) -> None:
    cue = b"00:01.000 --> 00:02.000\n"
    turns = [b"P1: Even so.\n", b"E08: 12 Elm Street\n", b"P1: I was there.\n"]
    before = b"WEBVTT\n\n" + b"".join(cue + each + b"\n" for each in turns) if "vtt" in name else b"".join(turns)
    found = look(name, before, "E08").trace
    assert found is not None
    for _ in range(2):
        assert found.left is not None
        assert b"I was there" in found.left
        assert b"Elm" not in found.left
        assert found.doubts
        found = look(name, found.left, "E08").trace
        assert found is not None
        assert not found.certain


def test_two_names_of_one_person_are_one() -> None:
    """A participant has a number and a name; a file has an author."""
    for data, left in (
        (b"participant,name,A\nP1,Alisa,mine\nP2,Bob,x\n", b"participant,name,A\nP2,Bob,x\n"),
        (
            b'{"author": "Dr. Low", "rows": [{"participant": "Alisa", "a": 1}, {"participant": "Bob"}]}',
            b'{"author": "Dr. Low", "rows": [{"participant": "Bob"}]}',
        ),
    ):
        found = look("a", data, "Alisa").trace
        assert found is not None
        assert (found.certain, found.left) == (True, left)


def _events(work: Callable[[], Any]) -> int:
    """Return how many calls some work makes."""
    counts: Counter[str] = Counter()

    def note(frame: FrameType, event: str, arg: object) -> None:
        counts[event] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counts.total()


def test_a_long_interview_takes_no_more_for_each_line() -> None:
    section = b"Participant: P1\nx\nParticipant: P9\ny\n"
    few, many = (_events(lambda n=n: look("a", section * n, "P9")) for n in (50, 400))  # type: ignore[misc]
    assert many < 10 * few


def test_a_persona_of_many_members_takes_no_more_for_each(personas: dict[str, bytes]) -> None:
    compared: Counter[str] = Counter()

    class Id(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            compared["all"] += 1
            return str.__eq__(self, other)

    path, data = next(iter(personas.items()))
    records = [Id(f"E{number:05}") for number in range(2000)]
    members = [Members.model_construct(file="x.csv", records=[*records, "P9"])]
    persona = document.read(path, data).model_copy(update={"members": members})
    assert "1 membership" in without(persona, data, "P9").what
    assert compared["all"] < 20 * len(records)
